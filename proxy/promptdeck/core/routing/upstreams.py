"""The upstreams that a model may be asked of by name: those built in, and those of the user.

The table is the only list of providers: `X-Provider` chooses among them too, and calls of their
own protocols go to their URLs. Names are those of Dedalus's documents.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from promptdeck.core.headers import PLACEHOLDER_KEY


class Builtin(NamedTuple):
    """A provider that is known by name."""

    url: str
    """The base URL of its version 1."""
    keys: tuple[str, ...]
    """Variables of the environment that may hold its key, as its own SDK and others read them;
    the first that is set counts."""
    dialects: tuple[str, ...] = ("chat",)
    """The protocols that it speaks. For a client of another one the first is translated into."""
    chat: str = ""
    """The base URL at which it speaks chat completions, by a layer of its own; empty for `url`."""
    has_slashes: bool = False
    """True where its own models' names may hold a slash: `meta-llama/Llama-3.3-70B`."""
    prefixes: tuple[str, ...] = ()
    """What its own models' names begin with before a slash, where that is all: `models/NAME`."""
    is_gateway: bool = False
    """True where protocols of other providers may be spoken, too."""
    takes_lists: bool = False
    """True where it takes a list for the model, and routes by itself."""


BUILTINS: Mapping[str, Builtin] = {
    # Clients of other protocols are answered by Responses: there reasoning goes on between turns,
    # and tools go with it ("use /v1/responses", chat completions say from gpt-5.4 on).
    "openai": Builtin("https://api.openai.com/v1", ("OPENAI_API_KEY",), ("responses", "chat")),
    "anthropic": Builtin("https://api.anthropic.com/v1", ("ANTHROPIC_API_KEY",), ("messages",)),
    "google": Builtin(
        "https://generativelanguage.googleapis.com/v1",
        # In this order google-genai reads them (3.6.1, `_api_client.get_env_api_key`).
        ("GOOGLE_API_KEY", "GEMINI_API_KEY"),
        ("gemini",),
        chat="https://generativelanguage.googleapis.com/v1beta/openai",
        prefixes=("models", "tunedModels"),
    ),
    "mistral": Builtin("https://api.mistral.ai/v1", ("MISTRAL_API_KEY",)),
    "xai": Builtin("https://api.x.ai/v1", ("XAI_API_KEY",), ("chat", "responses")),
    "dedalus": Builtin(
        "https://api.dedaluslabs.ai/v1",
        ("DEDALUS_API_KEY",),
        has_slashes=True,
        is_gateway=True,
        takes_lists=True,
    ),
    "deepseek": Builtin("https://api.deepseek.com/v1", ("DEEPSEEK_API_KEY",)),
    "groq": Builtin("https://api.groq.com/openai/v1", ("GROQ_API_KEY",), has_slashes=True),
    "cerebras": Builtin("https://api.cerebras.ai/v1", ("CEREBRAS_API_KEY",)),
    "fireworks_ai": Builtin(
        "https://api.fireworks.ai/inference/v1",
        ("FIREWORKS_API_KEY", "FIREWORKS_AI_API_KEY"),
        has_slashes=True,
    ),
    "together_ai": Builtin(
        "https://api.together.xyz/v1", ("TOGETHER_API_KEY", "TOGETHERAI_API_KEY"), has_slashes=True
    ),
    "moonshot": Builtin("https://api.moonshot.ai/v1", ("MOONSHOT_API_KEY",)),
    "perplexity": Builtin(
        "https://api.perplexity.ai", ("PERPLEXITY_API_KEY", "PERPLEXITYAI_API_KEY", "PPLX_API_KEY")
    ),
    "openrouter": Builtin(
        "https://openrouter.ai/api/v1", ("OPENROUTER_API_KEY",), has_slashes=True, is_gateway=True
    ),
    "cohere": Builtin("https://api.cohere.ai/compatibility/v1", ("CO_API_KEY", "COHERE_API_KEY")),
    # Where its own client looks for it, if OLLAMA_HOST says nothing else. It wants no key.
    "ollama": Builtin(
        "http://127.0.0.1:11434/v1", ("OLLAMA_API_KEY",), has_slashes=True, is_gateway=True
    ),
}

CHAT_URLS: Mapping[str, str] = {name: one.chat or one.url for name, one in BUILTINS.items()}
"""By name, the base URL at which each provider speaks chat completions."""

SENT_AS: Mapping[str, str] = {"messages": "x-api-key", "gemini": "x-goog-api-key"}
"""By dialect the header that a key is sent in; `bearer`, which is Authorization, for others.

Anthropic's 2026-10-21 takes Authorization alone, and no sampling any more; 2023-06-01, which is
what requests to it are written for, takes x-api-key.
"""


class Declared(NamedTuple):
    """What a user has set of an upstream; what is empty or None is as it is built in."""

    name: str
    dialects: tuple[str, ...] = ()
    url: str = ""
    key: str = ""
    auth: str = "dialect"
    retries: int | None = None
    by_responses: tuple[str, ...] = ()


class NamedUpstream(NamedTuple):
    """An upstream that a model may be asked of, as `NAME/MODEL`."""

    name: str
    url: str
    """Base URL; empty where none is known: then nothing can be asked of it."""
    dialects: tuple[str, ...]
    """The protocols that it speaks, the one that others are translated into first."""
    provider: str
    """Whose rules hold there: a name of `BUILTINS`; empty for none of those."""
    key: str
    """Empty for none."""
    key_from: str
    """Where the key comes from, `upstreams.NAME.api_key` or a variable; else empty."""
    auth: str
    """How the key is sent: `bearer`, `none`, or the name of a header."""
    declared: bool
    """True where the user has named it."""
    retries: int | None = None
    """How often a model is asked again; None for as often as others."""
    by_responses: tuple[str, ...] = ()
    """Patterns of the models whose chats go by the Responses API."""

    @property
    def mend(self) -> str:
        """Where its key may be set, for people."""
        known = BUILTINS.get(self.name)
        setting = f"upstreams.{self.name}.api_key"
        return f"{known.keys[0]} where promptdeck runs, or {setting}" if known else setting


def named_upstreams(
    declared: Iterable[Declared], environ: Mapping[str, str], urls: Mapping[str, str]
) -> dict[str, NamedUpstream]:
    """The upstreams by name: the user's in their order, then what is built in beside them.

    `environ` may hold keys; `urls` are other base URLs that the user has set for built-in ones.
    """
    said = {one.name: one for one in declared}
    for name in BUILTINS:
        said.setdefault(name, Declared(name))
    own = {one.name for one in said.values() if one != Declared(one.name)}
    return {name: _named(one, environ, urls, declared=name in own) for name, one in said.items()}


def _named(
    said: Declared, environ: Mapping[str, str], urls: Mapping[str, str], *, declared: bool
) -> NamedUpstream:
    """One upstream: what the user says, what is built in, what the environment has."""
    known = BUILTINS.get(said.name)
    url = said.url or urls.get(said.name, "") or (known.url if known else "")
    provider = said.name if known else provider_at(url)
    built_in = BUILTINS[provider].dialects if provider else ("chat",)
    dialects = said.dialects or built_in
    key, key_from = said.key, f"upstreams.{said.name}.api_key" if said.key else ""
    if not key and known:
        key_from = next((name for name in known.keys if _is_key(environ.get(name))), "")
        key = environ[key_from] if key_from else ""
    sent_as = SENT_AS.get(dialects[0], "bearer")
    return NamedUpstream(
        said.name,
        url,
        dialects,
        provider,
        key,
        key_from,
        sent_as if said.auth == "dialect" else said.auth,
        declared,
        said.retries,
        said.by_responses,
    )


def _is_key(text: str | None) -> bool:
    """True for a variable's text that is a key: `promptdeck run` sets a placeholder."""
    return bool(text) and text != PLACEHOLDER_KEY


def provider_at(url: str) -> str:
    """The name of the built-in provider that has this base URL's host; empty for none."""
    host = urlsplit(url).hostname or ""
    for name, one in BUILTINS.items():
        hosts = {urlsplit(base).hostname for base in (one.url, one.chat or one.url)}
        if host in hosts and not host.startswith("127."):
            return name
    return ""


def upstreams_table() -> str:
    """The table of built-in upstreams in the documentation, in Markdown."""
    rows = [
        f"| `{name}` | {', '.join(one.dialects)} | `{one.url}` | `{'` or `'.join(one.keys)}` |"
        for name, one in BUILTINS.items()
    ]
    head = "| name | speaks | base URL | key |"
    return "\n".join([head, "|---|---|---|---|", *rows]) + "\n"

"""The variables by which a program finds a server, and the keys without which SDKs refuse to start.

Each is what an SDK or tool reads of itself; what is not here takes its base_url as an argument.
"""

from collections.abc import Mapping

from promptdeck.core.headers import PLACEHOLDER_KEY

BASE_URLS: Mapping[str, str] = {
    "OPENAI_BASE_URL": "/v1",
    # The name that openai's older versions read, and tools built on them; LiteLLM.
    "OPENAI_API_BASE": "/v1",
    # These append the version of the API themselves.
    "DEDALUS_BASE_URL": "",
    "ANTHROPIC_BASE_URL": "",
    "ANTHROPIC_API_BASE": "",  # LiteLLM
    "GOOGLE_GEMINI_BASE_URL": "",
    "GEMINI_API_BASE": "",  # LiteLLM
    "AZURE_OPENAI_ENDPOINT": "",
    "AZURE_API_BASE": "",  # LiteLLM
    "OLLAMA_HOST": "",
    "OLLAMA_API_BASE": "",  # LiteLLM
    "CO_API_URL": "",  # Cohere
}
"""What follows the server's root in each variable."""

KEYS: Mapping[str, tuple[str, ...]] = {
    "OPENAI_API_KEY": (),
    "DEDALUS_API_KEY": (),
}
"""Keys that get a placeholder, unless they or one of their alternatives are set."""

KEYS_IN_REPLAY: Mapping[str, tuple[str, ...]] = {
    # Where a call may go on to the provider, a placeholder would stand before a login.
    "ANTHROPIC_API_KEY": ("ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN"),
    "GEMINI_API_KEY": ("GOOGLE_API_KEY",),
    "GOOGLE_GENERATIVE_AI_API_KEY": (),  # AI SDK
    "AZURE_OPENAI_API_KEY": ("AZURE_OPENAI_AD_TOKEN",),
    "CO_API_KEY": (),
    "MISTRAL_API_KEY": (),
    "GROQ_API_KEY": (),
}
"""Those that get one in replay alone, where no call goes on to a provider."""


def variables(outer: Mapping[str, str], root: str, *, replays: bool = False) -> dict[str, str]:
    """Variables by which a program finds the server at `root`, to be added to `outer`.

    A key where `outer` has none (in replay, for every SDK), and loopback for what goes through no
    proxy.
    """
    loopback = "127.0.0.1,localhost,::1"
    keys = {**KEYS, **(KEYS_IN_REPLAY if replays else {})}
    return {
        **{
            name: PLACEHOLDER_KEY
            for name, others in keys.items()
            if not any(one in outer for one in (name, *others))
        },
        **{name: root + suffix for name, suffix in BASE_URLS.items()},
        **{
            name: ",".join(filter(None, (outer.get(name), loopback)))
            for name in ("NO_PROXY", "no_proxy")
        },
    }

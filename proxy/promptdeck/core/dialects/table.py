"""Which protocol a path speaks: from method and path to a dialect."""

import re
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import unquote

from promptdeck.core.headers import served_in
from promptdeck.core.interaction import Headers, Interaction, Request, Variant
from promptdeck.core.text.jsontext import JSON

from .base import Dialect
from .chat.dialect import CHAT
from .cohere.dialect import COHERE
from .completions import COMPLETIONS
from .gemini.dialect import GEMINI
from .homes import home_of
from .mcp.dialect import PREFIX, TOOLS
from .messages.dialect import MESSAGES
from .ollama.dialect import OLLAMA
from .plain import PLAIN_MODEL
from .responses.dialect import RESPONSES
from .sockets import METHODS, OPENED, OPENING, SOCKET, SOCKETS, Socket

HTTP = Dialect()
"""Everything that is no model's endpoint: it creates, changes, deletes, lists or polls."""

ENDPOINTS: Mapping[str, Dialect] = {
    "chat/completions": CHAT,
    "responses": RESPONSES,
    "messages": MESSAGES,
    "completions": COMPLETIONS,
    "fim/completions": COMPLETIONS,
    **dict.fromkeys(
        """embeddings moderations rerank ocr classify score tokenize detokenize
        images/generations images/edits images/variations
        audio/speech audio/transcriptions audio/translations
        messages/count_tokens responses/input_tokens chat/moderations""".split(),
        PLAIN_MODEL,
    ),
}
"""By what follows /v1/ in the path of a POST."""

VERBS: Mapping[str, Dialect] = {
    "generateContent": GEMINI,
    "streamGenerateContent": GEMINI,
    **dict.fromkeys(
        """countTokens embedContent batchEmbedContents embedText batchEmbedText predict
        """.split(),
        PLAIN_MODEL,
    ),
}
"""By what follows the colon in the path of a POST, as Google names methods."""

OTHERS: Mapping[str, Dialect] = {
    "v2/chat": COHERE,
    "api/chat": OLLAMA,
    "api/generate": OLLAMA,
    **dict.fromkeys("v2/embed v2/rerank api/embed api/embeddings".split(), PLAIN_MODEL),
}
"""By the path of a POST, of providers that have no version 1 or none of this kind."""

# Azure's deployments come before the endpoint; the model then stands in the path.
# Google has a layer for OpenAI's clients below its own version.
_PATH = re.compile(
    r"/v1(?:(?:alpha|beta)\d*/openai)?/(?:deployments/(?P<model>[^/]+)/)?(?P<endpoint>[^:]+?)/?"
)
_OPENAI_LAYER = re.compile(r"/v1(?:alpha|beta)\d*/openai/")
_VERB = re.compile(r"/v1\w*/(?:.*/)?(?:models|tunedModels|endpoints)/(?P<model>.+):(?P<verb>\w+)")
_OTHER = re.compile(r"(?:/v1)?/(?P<path>(?:v2|api)/[^:]+?)/?")
# Whose answers to everything else are errors in the form that these have.
_SPOKEN = {"anthropic": MESSAGES, "google": GEMINI, "cohere": COHERE, "ollama": OLLAMA}


def calls_table() -> str:
    """README's table of calls: which are stateful and when an answer is whole, in Markdown."""
    paths = _by_dialect(
        {
            **{f"`{endpoint}`": dialect for endpoint, dialect in ENDPOINTS.items()},
            **{f"`:{verb}`": dialect for verb, dialect in VERBS.items()},
        }
    )
    rows = [
        f"| {', '.join(named)} | {dialect.state} | {dialect.whole} |"
        for dialect, named in paths.items()
    ]
    rows += [
        f"| {', '.join(f'`/{path}`' for path in sorted(named))} | {one.state} | {one.whole} |"
        for one, named in _by_dialect(OTHERS).items()
    ]
    rest = f"| everything else | {HTTP.state} | {HTTP.whole} |"
    head = "| `POST /v1/...` | stateful | an answer is whole when |"
    return "\n".join([head, "|---|---|---|", *rows, rest])


def _by_dialect(table: Mapping[str, Dialect]) -> dict[Dialect, list[str]]:
    """The keys of a table by their dialect."""
    keys: dict[Dialect, list[str]] = {}
    for key, dialect in table.items():
        keys.setdefault(dialect, []).append(key)
    return keys


def is_chat(method: str, target: str) -> bool:
    """True for a chat completion's request, at whatever path; `target` as `dialect_of` has it."""
    return dialect_of(method, target) is CHAT


def with_model(body: JSON, target: str) -> JSON:
    """A request's body with the model, or deployment, that its target names, if it has none.

    Google's clients name it nowhere else; Azure's may leave it out of the body.
    """
    if type(body) is not dict or body.get("model") is not None:
        return body
    path = target.partition("?")[0]
    found = _PATH.fullmatch(path) if "/deployments/" in path else _VERB.fullmatch(path)
    return {**body, "model": unquote(found["model"])} if found and found["model"] else body


def dialect_of(method: str, target: str) -> Dialect:
    """The dialect that a request speaks; `target` is its path and query, `/v1/...`."""
    if method == "POST":
        return _dialect_of(target.partition("?")[0])
    if method in METHODS:
        return OPENED if method == OPENING else spoken_at(target) or SOCKET
    return HTTP


def spoken_at(target: str) -> Socket | None:
    """What is spoken over a WebSocket to this target; None where there is none."""
    found = _PATH.fullmatch(target.partition("?")[0])
    return SOCKETS.get(found["endpoint"]) if found else None


@lru_cache(maxsize=1024)  # a path is asked for again and again; those that hold ids are many
def _dialect_of(path: str) -> Dialect:
    if (found := _PATH.fullmatch(path)) and found["endpoint"] in ENDPOINTS:
        return ENDPOINTS[found["endpoint"]]
    if found := _VERB.fullmatch(path):
        return VERBS.get(found["verb"], HTTP)
    if path.startswith(PREFIX):
        return TOOLS
    if found := _OTHER.fullmatch(path):
        return OTHERS.get(found["path"], HTTP)
    return HTTP


def told_in(method: str, target: str, headers: Headers) -> Dialect:
    """The dialect in which a client reads errors: the request's, or its provider's.

    What lists, counts or deletes at a provider is asked by the same client as what generates.
    `target` as `dialect_of` has it.
    """
    spoken = dialect_of(method, target)
    if spoken not in (HTTP, PLAIN_MODEL) or _OPENAI_LAYER.match(target):
        return spoken
    return _SPOKEN.get(home_of(target, headers), spoken)


def dialect_in(request: Request) -> Dialect:
    """The dialect that a recorded request speaks."""
    return dialect_of(request.method, request.target)


TRANSLATED: Mapping[str, Dialect] = {one.name: one for one in (CHAT, MESSAGES, RESPONSES, GEMINI)}
"""The dialects that are translated into one another, by their names."""


def answered_in(request: Request, headers: Headers) -> Dialect:
    """The dialect that an answer is in, by its headers: that of who served it, if it was chosen.

    Else the request's; so also where that is of no dialect that is translated.
    """
    asked = dialect_in(request)
    # What is said over a socket has the names of these, too.
    if TRANSLATED.get(asked.name) is not asked or (served := served_in(headers)) is None:
        return asked
    return TRANSLATED.get(served.dialect, asked)


def dialect_answering(interaction: Interaction) -> Dialect:
    """The dialect that a recorded answer is in: its bytes are those of who gave it."""
    return answered_in(interaction.request, interaction.response.headers)


def with_variant(interaction: Interaction) -> Interaction:
    """A recording with the variant that its request asked for.

    0.1.0 knew those of chat completions alone, and called all others JSON.
    """
    request = interaction.request
    dialect = dialect_in(request)
    if interaction.variant is not Variant.JSON or dialect is CHAT or not dialect.converts:
        return interaction
    return interaction._replace(variant=dialect.variant(request.body, request.target))


def says(interaction: Interaction) -> str:
    """The text that a recorded answer says, for people; empty where that is not known."""
    return dialect_answering(interaction).says(interaction.response)

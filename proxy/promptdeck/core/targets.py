"""Where the API begins in a path: ours, which clients ask, and a provider's, which we ask.

Clients append what their SDK thinks right to the base_url that they are given: `/v1` a second
time, Google's `/v1beta`, Azure's `/openai/deployments/NAME`, Ollama's `/api`, Cohere's `/v2`, or
an endpoint without any version. `ROUTES` lets all of that in, `target_of` says what counts;
`below` puts that behind a provider's base URL, and `asked_below` finds it in a provider's path.
"""

import re
from urllib.parse import unquote

_ENDPOINTS = (
    "chat/completions|chat/deferred-completion|completions|responses|messages|embeddings|models"
    "|moderations|images|audio|files|uploads|batches|fine_tuning|vector_stores|assistants|threads"
    "|conversations|rerank|realtime|model(?=/[^/]+/(?:converse|invoke))"  # the last is Bedrock's
)
"""What begins a path where a base_url lacks its /v1."""

# A version is one only before what is asked under it: cassettes may be called so.
_OTHERS = (
    "v1(?:alpha|beta)[0-9]*(?=/(?:models|tunedModels|cachedContents|files|projects|openai|corpora"
    "|batches|operations|auth_tokens|interactions|v1(?:alpha|beta)[0-9]*)(?:/|:|$))"
    "|v2(?=/(?:chat|embed|rerank|tokenize|detokenize|classify)$)"
    "|api(?=/(?:chat|generate|embed|embeddings|tags|show|ps|version|create|copy|delete|pull|push"
    "|blobs/[^/]+)$)"
)
_ROOT = f"v1(?=/)|openai(?=/(?!v1/))|{_OTHERS}"
# Behind a cassette's name `openai/v1` may be the name's end (`library` sees which).
_FIRST = f"openai(?=/)|{_ROOT}"

PREFIXES = ("/session/{session}", "/cassette/{name:.+?}", "")
"""What may stand before the API. A cassette's name may hold slashes: it ends at a version."""

ROUTES = tuple(
    f"{prefix}/{pattern}"
    for prefix, root in zip(PREFIXES, (_FIRST, _ROOT, _FIRST), strict=True)
    for pattern in (f"{{root:{root}}}/{{rest:(?s:.*)}}", f"{{root:{_ENDPOINTS}}}{{rest:(?s:/.*)?}}")
)
"""The patterns of routes to the API: behind each prefix a version, or an endpoint without one."""

_VERSION = re.compile(_ROOT)
BEFORE_ANOTHER = re.compile(rf"(.*?)(?=/(?:{_OTHERS}))")
"""What of a provider's path stands before a version that is not /v1, such as Google's /v1beta/."""
_BARE = re.compile(rf"(?:{_ENDPOINTS})(?=/|$)")
_AGAIN = re.compile(r"/v1/(?:/|v[0-9]|api/|openai/(?:v1|deployments)/)")
# Where the segments of a path like /session/NAME/v1/... that are not a name begin again.
_AFTER_NAME = 3

_OWN = "/v1"
"""What a target begins with in place of a base URL's own path."""
_END = re.compile(r"/(?:v\d+\w*|api|openai)(?:/openai)?/?$")
"""The end of a base URL's path that targets under another version have in place of it."""
_BEGINNING = re.compile(r"/v1(?:/|$)|/(?:v1(?:alpha|beta)\d*|v2|api)/")
"""What a target begins with, its query left out."""


def target_of(sent: str) -> str:
    """The target that counts: path and query without a session or cassette, under one version.

    `sent` is a target that `ROUTES` let in, as it was sent. However its `v1` is written
    (`%76%31` is the same, RFC 3986, 6.2.2.2) and however often clients append to a base_url what
    it holds already (`/v1/v1/`, `/v1//`, `/v1/openai/v1/`, `/v1/v1beta/`), it is there once; all
    that follows stays as it was sent. Azure's `/openai/` is `/v1/`, and so is no version at all.
    """
    if sent.startswith("/v1/") and not _AGAIN.match(sent):
        return sent
    path, mark, query = sent.partition("?")
    if not path.startswith("/"):
        # The absolute form (RFC 9112, 3.2.2): scheme and host stand before the path.
        path = "/" + path.partition("://")[2].partition("/")[2]
    segments = path.split("/")
    version, at = _begun(segments, _beginning(segments))
    return f"/{version}/" + "/".join(segments[at:]) + mark + query


def prefix_of(sent: str) -> str:
    """What stands before the API in a target, as `target_of` takes it: a session, a cassette."""
    segments = sent.partition("?")[0].split("/")
    return "/".join(segments[: _beginning(segments)])


def hint(path: str) -> str:
    """What is odd about the base_url of a client that sent this path; empty if nothing is."""
    segments = path.split("/")
    at = _beginning(segments)
    _, end = _begun(segments, at)
    if end == at:
        return "it lacks its /v1"
    # groq's SDK and Azure's begin so by themselves.
    return "" if end == at + 1 or segments[at] == "openai" else "it has what its client appends"


def _beginning(segments: list[str]) -> int:
    """The number of the segment at which the API begins: a version, or else an endpoint."""
    kind = unquote(segments[1]) if len(segments) > _AFTER_NAME else ""
    first = _AFTER_NAME if kind in ("session", "cassette") else 1
    if kind != "cassette" and unquote(segments[first]) == "openai":
        return first
    for pattern in (_VERSION, _BARE):
        for at in range(first, len(segments)):
            if pattern.match(_rest(segments, at)):
                return at
    return first


def _rest(segments: list[str], at: int) -> str:
    """A path from a segment on, decoded; a slash that is encoded parts nothing."""
    return "/".join(unquote(one).replace("/", "\\") for one in segments[at:])


def _begun(segments: list[str], at: int) -> tuple[str, int]:
    """The version under which a path asks, and the number of the segment that follows it."""
    version, end = "v1", at
    while end < len(segments) - 1:
        one, follows = unquote(segments[end]), unquote(segments[end + 1])
        if one == "openai":
            # Behind another version it is Google's own layer for OpenAI's clients.
            if end > at and (version != "v1" or follows not in ("v1", "deployments")):
                break
        elif one and _VERSION.match(_rest(segments, end)):
            version = one
        elif one or end == at:
            break
        end += 1
    return version, end


def is_target(path: str) -> bool:
    """True for a target's path, `/v1/...` or what begins with another version."""
    return _BEGINNING.match(path) is not None


def below(base: str, target: str) -> str:
    """A base URL, or the path of one, and what a target asks for below it.

    What is under another version than /v1/, such as Google's /v1beta/, has its own in place of
    the base URL's: `https://host/v1` leads to `https://host/v1beta/...`.
    """
    if target.startswith(_OWN) and target[len(_OWN) : len(_OWN) + 1] in ("", "/", "?"):
        return base + target[len(_OWN) :]
    return _END.sub("", base) + target


def asked_below(base: str, path: str) -> str:
    """The target by which `below` leads from a base URL's path to another; empty if none does."""
    if path == base or path.startswith(base + "/"):
        return _OWN + path[len(base) :]
    rest = path.removeprefix(_END.sub("", base))
    return rest if is_target(rest) and below(base, rest) == path else ""

"""What a file lost before it was checked in, and how much of it the rest still says.

Recorders are told to blot out what is secret, and blot out more: a header's value, all
headers, a host, the whole URL. A placeholder says nothing. It is no content type, no
length, no coding and no secret to look for in the answer; a body tells its type itself,
an answer in most protocols which endpoint was asked.
"""

import re

from promptdeck.core.dialects.base import value_of, values_of
from promptdeck.core.headers import CREDENTIALS
from promptdeck.core.interaction import Frame, Headers, Response, header
from promptdeck.core.text import sse
from promptdeck.core.text.jsontext import JSON

UNKNOWN = "https://redacted.invalid"
"""In place of a host that a file does not say (RFC 6761, 6.4: no such host is)."""

# Words that people put in the place of what they take out, and those that may stand beside one.
_BLOT = (
    r"redact\w*|filter(?:ed)?|scrub\w*|mask(?:ed)?|sanit\w+|remov(?:ed)?|hidden|hide|omit(?:ted)?"
    r"|strip(?:ped)?|censor(?:ed)?|anonymi\w+|obfuscat\w+|dummy|fake|mock(?:ed)?|placeholder|x{3,}"
)
_BESIDE = (
    r"the|my|your|some|a|api|key|keys|token|auth|authorization|bearer|basic|secret|value|header"
    r"|data|id|sk|test|by|from|for|vcr|cassette|sensitive|content|type|encoding|length|date|cookie"
    r"|openai|anthropic|azure|google|gemini|cohere|groq|mistral|request|organization|project|host"
)
_WORD = re.compile(r"[^\W_]+")
_BLOTS = re.compile(_BLOT, re.IGNORECASE)
_WORDS = re.compile(rf"{_BLOT}|{_BESIDE}", re.IGNORECASE)
# `<OPENAI_API_KEY>`, `{{token}}`, `[FILTERED]`, `%SECRET%`, perhaps behind a scheme.
_BRACKETED = re.compile(r"(?:\w+ )?(<[^<>:/\"]*>|\[[^\[\]:,\"]*\]|\{+[^{}:,\"]*\}+|%[^%:/\"]+%)")
# What stands in the tests of SDKs and projects for a credential that nobody has.
_NO_CREDENTIAL = re.compile(r"(?i)(?:\w+ )?(?:sk-)?(?:test|none|null|foo|bar|abc|secret)?")


def is_placeholder(value: str) -> bool:
    """True for a text that stands in the place of one taken out: `**REDACTED**`, `<key>`, `***`."""
    value = value.strip()
    words = _WORD.findall(value)
    if not words:
        return len(value) > 1 and not value.strip("*.-_#\u2022\u2026")
    if _BRACKETED.fullmatch(value):
        return True
    # What names the header itself ends in the mark: `CF-RAY-XXX`.
    return bool(_BLOTS.fullmatch(words[-1]) and value.upper() == value and "-" in value) or (
        any(map(_BLOTS.fullmatch, words)) and all(map(_WORDS.fullmatch, words))
    )


# Of these headers, on which reading a message hangs, what any value of theirs looks like.
_FORMS = {
    "content-type": re.compile(r"\s*[\w.+*-]+/[\w.+*-]+\s*(?:[;,].*)?", re.DOTALL),
    "content-encoding": re.compile(
        r"(?i)\s*(?:(?:x-)?gzip|deflate|br|zstd|(?:x-)?compress|identity|aws-chunked)?\s*"
        r"(?:,\s*[\w-]+\s*)*"
    ),
    "content-length": re.compile(r"\s*\d+\s*"),
}


def told(headers: Headers) -> Headers:
    """The headers that say something."""
    # What is no text at all is found fault with later on.
    return tuple(item for item in headers if not _is_text(item) or _says(*item))


def _is_text(item: tuple[object, object]) -> bool:
    return isinstance(item[0], str) and isinstance(item[1], str)


def _says(name: str, value: str) -> bool:
    """False for a header whose value is lost."""
    name = name.lower()
    form = _FORMS.get(name)
    if form and not form.fullmatch(value):
        return False
    if name in CREDENTIALS and _NO_CREDENTIAL.fullmatch(value.strip()):
        return False
    return not is_placeholder(value)


def typed_request(headers: Headers, body: bytes) -> Headers:
    """A request's headers with the type of its form, where no header tells it as it is.

    JSON needs none: a body that is JSON and has no type is read as JSON.
    """
    kind = header(headers, "content-type")
    if kind and not kind.lower().startswith("multipart/"):
        return headers
    match = _FORM_PART.match(body)
    if not match or match[1] in kind.encode("utf-8", "replace"):
        return headers
    boundary = match[1].decode("ascii", "replace")
    if not body.rstrip().endswith(b"--" + match[1] + b"--"):
        return headers
    rest = tuple(item for item in headers if item[0].lower() != "content-type")
    return (*rest, ("content-type", f'multipart/form-data; boundary="{boundary}"'))


_FORM_PART = re.compile(rb"--([^\r\n\"]{1,70})\r?\nContent-Disposition:", re.IGNORECASE)


def typed_answer(headers: Headers, body: bytes) -> Headers:
    """An answer's headers with its body's type, where no header tells it.

    Only what a client could not read without: JSON, one value or one a line, and events.
    """
    if header(headers, "content-type"):
        return headers
    if Response(200, (), (Frame(0, body),)).is_stream:
        return (*headers, ("content-type", "text/event-stream"))
    values = values_of(body) if body.lstrip()[:1] in (b"{", b"[") else []
    if not values:
        return headers
    kind = "application/json" if len(values) == 1 else "application/x-ndjson"
    return (*headers, ("content-type", kind))


_NO_HOST = re.compile(r"(?i)(https?://)(?:[^/?#@]*@)?[^/?#]*[<>\[\]{}*%][^/?#]*")
_IPV6 = re.compile(r"(?i)https?://(?:[^/?#@]*@)?\[[0-9a-f:.]+\]")
# A placeholder for a base URL, as Ruby's VCR puts it in; `host/path` is none.
_NO_BASE = re.compile(
    r"(<[^<>/]*>|\[[^\[\]/]*\]|\{+[^{}/]*\}+|\*+\w*\*+|%[^%/]+%|[A-Z_]{3,})(?=[/?]|$)"
)


def known_url(url: str) -> str:
    """A URL with a host that is none in place of one that was blotted out, or of a base URL.

    Empty if there is nothing but a placeholder.
    """
    if is_placeholder(url) and "/" not in url.strip("/"):
        return ""
    if _NO_HOST.match(url) and not _IPV6.match(url):
        return _NO_HOST.sub(UNKNOWN, url, count=1)
    if "://" not in url and (match := _NO_BASE.match(url)):
        return UNKNOWN + url[match.end() :]
    return url


# By the `object` or `type` of an answer, or of a stream's first event, where it was asked for.
_ENDPOINTS = {
    "chat.completion": "chat/completions",
    "chat.completion.chunk": "chat/completions",
    "text_completion": "completions",
    "response": "responses",
    "response.created": "responses",
    "message": "messages",
    "message_start": "messages",
    "response.input_tokens": "responses/input_tokens",
}
ENDPOINTS = frozenset(f"/v1/{path}" for path in (*_ENDPOINTS.values(), "embeddings", "moderations"))
"""The targets that an answer's kind tells."""
# Kinds whose answers can be fetched once more, by their id.
_FETCHED = ("chat.completion", "response")


def endpoint_of(method: str, body: bytes) -> str:
    """The path, `/v1/...`, that an answer says it was asked for; empty if it does not say.

    `body` is the answer's.
    """
    value = _first(body)
    if not isinstance(value, dict):
        return ""
    kind = value.get("object") or value.get("type")
    if method == "GET":
        known = kind in _FETCHED and isinstance(value.get("id"), str)
        return f"/v1/{_ENDPOINTS[str(kind)]}/{value['id']}" if known else ""
    if method != "POST":
        return ""
    data = value.get("data")
    if kind == "list" and isinstance(data, list) and data and isinstance(data[0], dict):
        return "/v1/embeddings" if data[0].get("object") == "embedding" else ""
    if "results" in value and str(value.get("id")).startswith("modr-"):
        return "/v1/moderations"
    endpoint = _ENDPOINTS.get(kind) if isinstance(kind, str) else None
    return f"/v1/{endpoint}" if endpoint else ""


def _first(body: bytes) -> JSON:
    """An answer that is JSON, or the first event of a stream that has any."""
    if not Response(200, (), (Frame(0, body),)).is_stream:
        return value_of(body)
    for frame in sse.frames(body):
        data = sse.parse(frame).data
        if data and isinstance(value := value_of(data.encode("utf-8", "replace")), dict):
            return value
    return None

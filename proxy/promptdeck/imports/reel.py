"""Tapes of reel: JSON lines, the first of which may hold settings.

Bodies and the events of a stream are kept parsed: what is imported has the
same values and times, written compactly. Comments and ids of events, queries
and the upstream's host are not in a tape; the host is the provider's own.
"""

from collections.abc import Iterator
from urllib.parse import urlsplit

import orjson

from promptdeck.core.dialects.providers import PROVIDERS
from promptdeck.core.interaction import Frame, Headers, header
from promptdeck.core.text import sse
from promptdeck.core.text.jsontext import JSON, Unfaithful, compact, parse

from .entry import (
    Elided,
    Imported,
    NotCarried,
    Unreadable,
    each,
    moment,
    text_of,
    unbase64,
    utf8,
)

_RAW = "__reel_raw_base64__"
"""The only key of a body that is no JSON."""
# A tape names the provider only; reel calls Google's by its model's name.
_HOSTS = {**PROVIDERS, "gemini": PROVIDERS["google"]}


def read(text: str) -> Iterator[Imported | NotCarried]:
    """Every entry, in order. Unreadable for a line that is no JSON object."""
    return each(_entries(text), _imported)


def _entries(text: str) -> Iterator[tuple[str, str]]:
    """The lines that hold an entry, each with its number. Unreadable."""
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            value = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise Unreadable(f"line {number}: not a line of a reel tape: {error}") from None
        if not isinstance(value, dict):
            raise Unreadable(f"line {number}: not a line of a reel tape: no JSON object")
        if "_meta" not in value:
            yield str(number), line


def _imported(place: str, line: str) -> Imported:
    """One entry of the file. Elided, or the errors of an unexpected layout."""
    try:
        entry = parse(line)
    except Unfaithful as error:
        raise Elided(f"its JSON would change when read: {error}") from None
    request, response = entry["request"], entry["response"]
    body = request.get("body")
    headers: Headers = tuple((response.get("headers") or {}).items())
    chunks = response.get("stream_chunks")
    if chunks is not None and not header(headers, "content-type"):
        headers = (*headers, ("content-type", "text/event-stream"))
    return Imported(
        place,
        text_of(request.get("method"), "method").upper(),
        _url(entry["provider"], text_of(request.get("path"), "path")),
        () if body is None or _is_raw(body) else (_JSON_TYPE,),
        _bytes(body),
        int(response["status"]),
        headers,
        (Frame(0, _bytes(response.get("body"))),) if chunks is None else tuple(map(_frame, chunks)),
        moment(entry.get("ts") or ""),
    )


_JSON_TYPE = ("content-type", "application/json")


def _url(provider: str, path: str) -> str:
    """The URL that was asked. Elided for a provider that is not known."""
    if provider not in _HOSTS:
        raise Elided(f"its host is unknown: the tape names the provider only, {provider}")
    parts = urlsplit(_HOSTS[provider])
    return f"{parts.scheme}://{parts.netloc}{path}"


def _bytes(body: JSON) -> bytes:
    """A body as bytes, JSON written compactly: how it was spaced is not in a tape."""
    if _is_raw(body):
        return unbase64(text_of(body[_RAW], "base64"))
    return b"" if body is None else compact(body)


def _is_raw(body: JSON) -> bool:
    return isinstance(body, dict) and _RAW in body


def _frame(chunk: JSON) -> Frame:
    """An event of a stream, written as server-sent events have it."""
    data = chunk["data"]
    text = utf8(data) if isinstance(data, str) else compact(data)
    return Frame(int(chunk["t_offset_ms"]), sse.encode(text, chunk.get("event") or ""))

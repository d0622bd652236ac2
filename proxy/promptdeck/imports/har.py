"""HTTP archives (HAR 1.2), as browsers, proxies and `cassette export` write them.

Answers are kept unpacked. A stream is one text; what its frames' times were is
not in the format, so they are spread over the time that receiving took, unless
the comment that `export_har` writes gives them.
"""

import re
from collections.abc import Iterator, Sequence

from promptdeck.core.interaction import Frame, Headers, header
from promptdeck.core.text.jsontext import JSON

from .entry import (
    Elided,
    Imported,
    NotCarried,
    each,
    framed,
    is_stream,
    listed,
    moment,
    text_of,
    unbase64,
    unpacked,
    utf8,
)

# What `export_har` writes of a stream.
_OFFSETS = re.compile(r"frames at ((?:\d+ ?)+)ms")
# The timings up to an answer's first byte (HAR 1.2, timings), but for those of a connection.
_BEFORE_ANSWER = ("send", "wait")


def read(text: str) -> Iterator[Imported | NotCarried]:
    """Every entry, in order. Unreadable for what is no HAR."""
    return each(listed(text, "log", "entries"), _imported)


def _imported(place: str, entry: JSON) -> Imported:
    """One entry of the file. Elided, or the errors of an unexpected layout."""
    request, response = entry["request"], entry["response"]
    if "_webSocketMessages" in entry:
        raise Elided("it is a WebSocket, not one request and one answer")
    if not response.get("status"):
        raise Elided("it has no answer")
    post = request.get("postData") or {}
    sent = _headers(request, post)
    came = _headers(response, response.get("content") or {})
    return Imported(
        place,
        text_of(request.get("method"), "method").upper(),
        text_of(request.get("url"), "url"),
        sent,
        _request_body(request, post),
        int(response["status"]),
        came,
        _frames(entry, came),
        moment(entry.get("startedDateTime") or ""),
        request.get("_target") or "",
    )


def _headers(message: JSON, content: JSON) -> Headers:
    """A message's headers; its content type is taken from the content where no header has it."""
    pairs = ((item["name"], item["value"]) for item in message.get("headers") or [])
    # HTTP/2 has names such as `:status`, which are no headers.
    headers = tuple((name, value) for name, value in pairs if not name.startswith(":"))
    mime = content.get("mimeType")
    if header(headers, "content-type") or not mime or mime == "x-unknown":
        return headers
    return (*headers, ("content-type", mime))


def _request_body(request: JSON, post: JSON) -> bytes:
    """The body as it was sent. Elided where the file has it in another form, or not at all."""
    if "text" in post:
        return _bytes(post, "_encoding")
    if post.get("params"):
        files = any("fileName" in item for item in post["params"])
        raise Elided(
            "the files of its form are not in the HAR"
            if files
            else "its form is kept as fields, not as it was sent"
        )
    if (request.get("bodySize") or 0) > 0:
        raise Elided("its request had a body, which the file does not hold")
    return b""


def _bytes(holder: JSON, encoding: str) -> bytes:
    """The bytes of a `text`, which is base64 if the key `encoding` says so."""
    text = text_of(holder.get("text"), "text")
    return unbase64(text) if holder.get(encoding) == "base64" else utf8(text)


def _frames(entry: JSON, came: Headers) -> tuple[Frame, ...]:
    """The answer's body, which has the headers `came`, with the times that the entry tells."""
    content = entry["response"].get("content") or {}
    if "text" not in content and (content.get("size") or 0) > 0:
        raise Elided("its answer had a body, which the file does not hold")
    body = _bytes(content, "encoding") if "text" in content else b""
    body = unpacked(body, header(came, "content-encoding"))
    timings = entry.get("timings") or {}
    first = sum(_milliseconds(timings.get(name)) for name in _BEFORE_ANSWER)
    last = first + _milliseconds(timings.get("receive"))
    frames = framed(came, body, round(first), round(last))
    told = _OFFSETS.search(content.get("comment") or "") if is_stream(came) else None
    return _timed(frames, [int(ms) for ms in told[1].split()]) if told else frames


def _milliseconds(value: float | None) -> float:
    """A timing, where -1 stands for what does not apply."""
    return max(0, value or 0)


def _timed(frames: tuple[Frame, ...], offsets: Sequence[int]) -> tuple[Frame, ...]:
    """`frames` at other times, unless there are not as many of those: the text was edited then."""
    if len(offsets) != len(frames):
        return frames
    return tuple(Frame(ms, frame.data) for ms, frame in zip(offsets, frames, strict=True))

"""HTTP archives (HAR 1.2), as browsers, proxies and `cassette export` write them.

Answers are kept unpacked. A stream is one text; what its frames' times were is
not in the format, so they are spread over the time that receiving took, unless
the comment that `export_har` writes gives them.
"""

import re
from collections.abc import Iterator, Sequence

from promptdeck.core.dialects.base import value_of
from promptdeck.core.interaction import Frame, Headers, header
from promptdeck.core.text.jsontext import JSON

from .entry import (
    Elided,
    Imported,
    NotCarried,
    came,
    each,
    framed,
    listed,
    moment,
    sent,
    text_of,
    unbase64,
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
    post, content = request.get("postData") or {}, response.get("content") or {}
    asked, body = sent(_headers(request, post), _request_body(request, post))
    headers, answer = came(_headers(response, content), _answer_body(content))
    return Imported(
        place,
        text_of(request.get("method"), "method").upper(),
        text_of(request.get("url"), "url"),
        asked,
        body,
        int(response["status"]),
        headers,
        _frames(entry, headers, answer),
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
    """The bytes of a `text`, which is base64 if the key `encoding` says so.

    Polly.JS writes a list of pieces as JSON, each in base64; its older versions in hex, and
    they say `_isBinary`.
    """
    text = text_of(holder.get("text"), "text")
    if holder.get("_isBinary") is True:
        return b"".join(map(_unhex, _pieces(text) or [text]))
    if holder.get(encoding) != "base64":
        return utf8(text)
    pieces = _pieces(text)
    return unbase64(text) if pieces is None else b"".join(map(unbase64, pieces))


def _pieces(text: str) -> list[str] | None:
    """The texts in a JSON list of nothing else; None for any other text."""
    if not text.lstrip().startswith("["):
        return None
    value = value_of(text.encode("utf-8", "replace"))
    return value if isinstance(value, list) and all(isinstance(one, str) for one in value) else None


def _unhex(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise Elided("its hexadecimal body is broken") from None


def _answer_body(content: JSON) -> bytes:
    """An answer's body as the archive has it. Elided where it is not there."""
    if "text" not in content and (content.get("size") or 0) > 0:
        raise Elided("its answer had a body, which the file does not hold")
    return _bytes(content, "encoding") if "text" in content else b""


def _frames(entry: JSON, headers: Headers, body: bytes) -> tuple[Frame, ...]:
    """An answer's body in frames, with the times that the entry tells."""
    timings = entry.get("timings") or {}
    first = sum(_milliseconds(timings.get(name)) for name in _BEFORE_ANSWER)
    last = first + _milliseconds(timings.get("receive"))
    frames = framed(headers, body, round(first), round(last))
    comment = (entry["response"].get("content") or {}).get("comment") or ""
    told = _OFFSETS.search(comment)
    return _timed(frames, [int(ms) for ms in told[1].split()]) if told else frames


def _milliseconds(value: float | None) -> float:
    """A timing, where -1 stands for what does not apply."""
    return max(0, value or 0)


def _timed(frames: tuple[Frame, ...], offsets: Sequence[int]) -> tuple[Frame, ...]:
    """`frames` at other times, unless there are not as many of those: the text was edited then."""
    if len(offsets) != len(frames):
        return frames
    return tuple(Frame(ms, frame.data) for ms, frame in zip(offsets, frames, strict=True))

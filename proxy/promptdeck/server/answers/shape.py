"""What an upstream's answer looks like to its client: the head, and the body piece by piece.

Bytes in, bytes out; who writes them, and when, is another's business.
"""

import orjson

from promptdeck.core.dialects.chat.rendering import PlainStream
from promptdeck.core.text import sse
from promptdeck.engine.flights.flight import Head
from promptdeck.engine.outcome import Flown
from promptdeck.errors import UpstreamError

from .writing import error_body, warning_of

_KEEP_ALIVE = b": keep-alive\n\n"


def flown_headers(head: Head, flown: Flown, request_id: str) -> list[tuple[str, str]]:
    """The headers that the client gets."""
    headers = [("Cache-Status", flown.cache_status)]
    names = set()
    for name, value in head.headers:
        kind = name.lower()
        # A client that knows the length would not wait for an end that counts.
        if kind != "cache-status" and not (flown.end_counts and kind == "content-length"):
            names.add(kind)
            headers.append((name, value))
    if "x-request-id" not in names:
        headers.append(("X-Request-Id", request_id))
    if flown.warning:
        headers = [item for item in headers if item[0].lower() != "warning"]
        headers.append(("Warning", warning_of(flown.warning)))
    return headers


def shape_of(content_type: str, *, has_length: bool, chat: bool) -> "Rendering":
    # With a length given, upstream's bytes are all that may be sent.
    if has_length or not content_type.lower().startswith("text/event-stream"):
        return Rendering()
    return EventRendering(PlainStream() if chat else None)


class Rendering:
    """Bytes as they are, between which nothing may be put."""

    __slots__ = ()
    takes_comments = False

    def piece(self, data: bytes) -> bytes:
        """What is shown of a piece."""
        return data

    def company(self) -> bytes:
        """What tells a client in a long silence that somebody is there; maybe nothing."""
        return b""

    def last(self, data: bytes) -> bytes:
        """What is shown at the end, with the last piece."""
        return data

    def cut(self, error: UpstreamError) -> bytes:
        """What tells of an answer that was cut off; nothing where only a broken connection can."""
        del error
        return b""


class EventRendering(Rendering):
    """A stream: comments where upstream is silent, an error event where it is cut."""

    __slots__ = ("_between_frames", "_plain")
    takes_comments = True

    def __init__(self, plain: PlainStream | None) -> None:
        self._plain = plain
        self._between_frames = True

    def piece(self, data: bytes) -> bytes:
        if not data:
            return data
        if self._plain:
            data = self._plain.feed(data)
        self._between_frames = data.endswith((b"\n\n", b"\r\n\r\n"))
        return data

    def company(self) -> bytes:
        return _KEEP_ALIVE if self._between_frames else b""

    def last(self, data: bytes) -> bytes:
        shown = self.piece(data)
        return shown + self._plain.rest() if self._plain else shown

    def cut(self, error: UpstreamError) -> bytes:
        # The blank line ends whatever frame was cut in two.
        return b"\n\n" + sse.encode(orjson.dumps(error_body(error)), event="error")

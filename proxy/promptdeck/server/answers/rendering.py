"""What an upstream's answer looks like to its client: the head, and the body piece by piece.

Bytes in, bytes out; who writes them, and when, is another's business.
"""

import orjson

from promptdeck.core.dialects.chat.rendering import PlainStream
from promptdeck.core.text import sse
from promptdeck.engine.flights.flight import Head
from promptdeck.engine.outcome import Flown
from promptdeck.errors import UpstreamError
from promptdeck.server.errors import error_body

from .writing import warning_of

# A comment (WHATWG HTML, 9.2.6): what it begins with a colon, clients pass over.
_KEEP_ALIVE = b": keep-alive\n\n"

LAST_CHUNK = b"0\r\n\r\n"


def chunk(data: bytes) -> bytes:
    """A piece of a body in the chunked framing; not for an empty one, which would end it.

    RFC 9112, section 7.1.
    """
    return b"%x\r\n%b\r\n" % (len(data), data)


def flown_headers(head: Head, flown: Flown, request_id: str) -> list[tuple[str, str]]:
    """The headers that a client gets of an answer from upstream.

    They are upstream's, with ours before and after: Cache-Status is ours alone, an
    X-Request-Id of upstream's stays.
    """
    headers = [("Cache-Status", flown.known_status)]
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


def rendering_of(content_type: str, *, has_length: bool, chat: bool) -> "Rendering":
    """The rendering of an answer, by its Content-Type and whether it has a Content-Length."""
    # With a length given, upstream's bytes are all that may be sent.
    if has_length or not content_type.lower().startswith("text/event-stream"):
        return Rendering()
    return EventRendering(PlainStream() if chat else None)


class Rendering:
    """A body as its client gets it. This one: bytes as they are, between which nothing is put."""

    __slots__ = ()
    takes_comments = False

    def piece(self, data: bytes) -> bytes:
        """What the client gets of a piece that came: maybe nothing yet."""
        return data

    def company(self) -> bytes:
        """What tells a client in a long silence that somebody is there; nothing where that
        would stand within something else."""
        return b""

    def last(self, data: bytes) -> bytes:
        """What the client gets of the last piece, and of what was held back before it."""
        return data

    def cut(self, error: UpstreamError) -> bytes:
        """What tells the client that its answer was cut off; nothing where only a broken
        connection can."""
        del error
        return b""


class EventRendering(Rendering):
    """A stream of events: comments where upstream is silent, an error event where it is cut.

    With `plain`, a chat's stream in the form that every SDK reads.
    """

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

"""What an answer looks like to its client: the head, and the body piece by piece.

Recorded or coming, at once, at its pace or badly on purpose: each answer has one `Rendering`,
from `rendering_of`. Bytes in, bytes out; who writes them, and when, is another's business.
"""

from collections.abc import Iterable

from promptdeck.core.counts import Counts
from promptdeck.core.dialects.base import Dialect, StreamFilter
from promptdeck.core.dialects.interpreted import Interpreter
from promptdeck.core.dialects.table import dialect_of
from promptdeck.core.headers import LOCATIONS, PERMISSIONS, is_sendable
from promptdeck.core.interaction import Headers, Request, Variant
from promptdeck.core.targets import prefix_of
from promptdeck.engine.flights.flight import Head
from promptdeck.engine.outcome import Flown, Served
from promptdeck.errors import UpstreamError
from promptdeck.server.heading import sendable

# A comment (WHATWG HTML, 9.2.6): what it begins with a colon, clients pass over.
_KEEP_ALIVE = b": keep-alive\n\n"

LAST_CHUNK = b"0\r\n\r\n"


def chunk(data: bytes) -> bytes:
    """A piece of a body in the chunked framing; not for an empty one, which would end it.

    RFC 9112, section 7.1.
    """
    return b"%x\r\n%b\r\n" % (len(data), data)


# Of a recording that was edited: what says where its body ends is for its writer to say.
_FRAMING = frozenset("connection content-length keep-alive trailer transfer-encoding".split())


def served_headers(served: Served, sent: str) -> Headers:
    """The headers of a recording that a client gets, without ours.

    `sent` is the target as the client has it. HTTPError 500 for a recording with a header that
    cannot be sent.
    """
    response = served.response
    left_out = _FRAMING | _OF_STREAMS if response.is_stream else _FRAMING
    headers = [
        _placed(item, sent)
        for item in sendable(response.headers)
        if not ((name := item[0].lower()) in left_out or name.startswith(PERMISSIONS))
    ]
    return (*headers, _UNBUFFERED) if response.is_stream else tuple(headers)


def flown_headers(head: Head, flown: Flown, request_id: str, sent: str) -> list[tuple[str, str]]:
    """The headers that a client gets of an answer from upstream, to the target that it `sent`.

    They are upstream's, with ours before and after: Cache-Status is ours alone, an
    X-Request-Id of upstream's stays. One that cannot be sent is left out.
    """
    headers = [("Cache-Status", flown.known_status)]
    names, streams = set(), False
    for name, value in head.headers:
        kind = name.lower()
        # A client that knows the length would not wait for an end that counts.
        ours = kind == "cache-status" or (flown.end_counts and kind == "content-length")
        if not ours and is_sendable(value):
            names.add(kind)
            headers.append((name, value))
            streams = streams or (kind == "content-type" and is_events(value))
    if "x-request-id" not in names:
        headers.append(("X-Request-Id", request_id))
    if flown.warning:
        said = [value for name, value in headers if name.lower() == "warning"]
        headers = [item for item in headers if item[0].lower() != "warning"]
        headers.append(("Warning", warning_of(flown.warning, said)))
    if streams:
        headers = [item for item in headers if item[0].lower() not in _OF_STREAMS]
        headers.append(_UNBUFFERED)
    if not names.isdisjoint(LOCATIONS):
        headers = [_placed(item, sent) for item in headers]
    return headers


_UNBUFFERED = ("X-Accel-Buffering", "no")
"""Has nginx, and what reads it as nginx does, pass a stream on as it comes."""
_OF_STREAMS = frozenset(["x-accel-buffering"])


def _placed(item: tuple[str, str], sent: str) -> tuple[str, str]:
    """A header; if it leads to a target below `/v1/`, to that of the same session or cassette.

    A path alone is enough (RFC 9110, 10.2.2): the client knows which host it asked.
    """
    name, value = item
    if value.startswith("/v1/") and name.lower() in LOCATIONS:
        return name, prefix_of(sent) + value
    return item


def is_events(content_type: str) -> bool:
    """True for the type of a stream of events."""
    return content_type.lower().startswith("text/event-stream")


def warning_of(text: str, said: Iterable[str] = ()) -> str:
    """A Warning header's value: 299, miscellaneous persistent warning (RFC 7234, 5.5.7).

    What promptdeck `said` in the Warning headers that an answer has, as when it was translated,
    goes with it. A header holds ASCII, and a quoted string no quotes: what they cannot hold is
    replaced.
    """
    text = text.replace("\\", "/").replace('"', "'").encode("ascii", "replace").decode()
    ours = [value[len(_WARNING) : -1] for value in said if value.startswith(_WARNING)]
    return f'{_WARNING}{"; ".join([text, *ours])}"'


_WARNING = '299 promptdeck "'


def head_of(head: Head, interpreter: Interpreter | None) -> Head:
    """The head of an answer that comes piece by piece, as its client gets it."""
    return Head(head.status, interpreter.heading(head.headers)) if interpreter else head


def rendering_of(
    asked: Request | Counts,
    content_type: str,
    interpreter: Interpreter | None = None,
    *,
    has_length: bool = False,
) -> "Rendering":
    """The rendering of one answer: by what is asked, as the engine takes it, and what answers.

    `content_type` is the answer's; `interpreter` tells it where it comes piece by piece in
    another dialect than the client's; `has_length` says that its head tells how long it is.
    """
    if interpreter and interpreter.variant is Variant.LIST:
        return ListRendering(interpreter.stream())
    if interpreter:
        return EventRendering(dialect_of(asked.method, asked.target), interpreter.stream())
    # With a length given, the very bytes are all that may be sent.
    if has_length or not is_events(content_type):
        return Rendering()
    return EventRendering(dialect_of(asked.method, asked.target))


class Rendering:
    """A body as its client gets it: `feed` it in pieces, then take the `rest`.

    This one gives bytes as they are, between which nothing is put.
    """

    __slots__ = ()
    takes_comments: bool = False

    def feed(self, data: bytes) -> bytes:
        """The bytes that the client gets of a piece: maybe none yet."""
        return data

    def rest(self) -> bytes:
        """The bytes that were held back, to be given when the last piece has come."""
        return b""

    def whole(self, data: bytes) -> bytes:
        """The bytes that the client gets of a last piece, or of all of a body, to the end."""
        return self.feed(data) + self.rest()

    def company(self) -> bytes:
        """What tells a client in a long silence that somebody is there; nothing where that
        would stand within something else."""
        return b""

    def cut(self, error: UpstreamError) -> bytes:
        """What tells the client that its answer was cut off; nothing where only a broken
        connection can."""
        del error
        return b""


class ListRendering(Rendering):
    """A translated stream as one list of JSON, as Google's clients read it: there is no place in it
    for a comment, nor for an error once a piece was cut in two."""

    __slots__ = ("_filter",)

    def __init__(self, filter_: StreamFilter) -> None:
        self._filter = filter_

    def feed(self, data: bytes) -> bytes:
        return self._filter.feed(data)

    def rest(self) -> bytes:
        return self._filter.rest()


class EventRendering(Rendering):
    """A stream of events: comments where upstream is silent, an error event where it is cut.

    All as clients of a dialect read them.
    """

    __slots__ = ("_between_frames", "_dialect", "_filter", "takes_comments")

    def __init__(self, dialect: Dialect, filter_: StreamFilter | None = None) -> None:
        self._dialect = dialect
        self._filter = filter_ or dialect.stream_filter()
        self.takes_comments = dialect.takes_comments
        self._between_frames = True

    def feed(self, data: bytes) -> bytes:
        if not data:
            return data
        if self._filter and not (data := self._filter.feed(data)):
            return data
        self._between_frames = data.endswith((b"\n\n", b"\r\n\r\n"))
        return data

    def company(self) -> bytes:
        return _KEEP_ALIVE if self._between_frames and self.takes_comments else b""

    def rest(self) -> bytes:
        return self._filter.rest() if self._filter else b""

    def cut(self, error: UpstreamError) -> bytes:
        # The blank line ends whatever frame was cut in two.
        return b"\n\n" + self._dialect.error_event(error)

"""What a recording is made of, as frozen values.

An `Interaction` is one request and one whole response. A streamed response is
a list of frames, one SSE event each with the blank line that ends it, or a line
with its end; any other response is a single frame. Joining the frames gives the body, byte for
byte. The same request recorded with and without `stream` makes two
interactions that share a key: two *variants*.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from itertools import repeat
from typing import NamedTuple

import orjson

CHAT_COMPLETIONS = "/v1/chat/completions"

Headers = tuple[tuple[str, str], ...]
"""Names and values as they came, in their order; a name may come twice."""


_SWITCHED = 101
"""Of a WebSocket that was opened (RFC 9110, section 15.2.2)."""


class Variant(StrEnum):
    """The form in which an answer is asked for, or was recorded."""

    JSON = "json"
    SSE = "sse"
    SSE_USAGE = "sse+usage"
    """A stream with `stream_options.include_usage`: one more chunk at the end."""
    LIST = "list"
    """A stream as one JSON array of its pieces, as Google sends it where `alt=sse` is not said."""
    LINES = "lines"
    """A stream with a piece a line, as Ollama sends it where nobody says `stream: false`."""


class Frame(NamedTuple):
    """A piece of a response's body: an event or a line of a stream, or the whole of any other."""

    offset_ms: int
    """When its last byte came: milliseconds after the request was sent."""
    data: bytes
    """As it came."""


def frames_of(pairs: Iterable[tuple[int, bytes]]) -> tuple[Frame, ...]:
    """Frames of pairs of offset and data.

    As `Frame` makes them, in half the time: an answer may have thousands.
    """
    return tuple(map(tuple.__new__, repeat(Frame), pairs))


_SOME = 1024
"""Frames whose numbers are written at once: as objects of Python they take ten times the room."""


def measures(frames: Sequence[Frame]) -> bytes:
    """Time and length of each frame as JSON: `[[ms, length], ...]`."""
    some = (frames[at : at + _SOME] for at in range(0, len(frames), _SOME))
    texts = [orjson.dumps([(ms, len(data)) for ms, data in part])[1:-1] for part in some]
    return b"[%b]" % b",".join(texts)


class Request(NamedTuple):
    """A request, without most headers: as it was sent, or as a recording keeps it.

    Kept ones hold no secrets, and their JSON is written compactly (`matching.clean`).
    """

    method: str
    target: str
    """Path and query as the client sees them, `/v1/...`."""
    content_type: str
    body: bytes
    selecting: Headers = ()
    """The headers that chose among representations of the answer (`varying`), in lower case: as
    it was sent those that say so by themselves, in a recording those too that its `vary` names."""


class Response(NamedTuple):
    """A whole answer, as it came or as it is kept."""

    status: int
    headers: Headers
    frames: tuple[Frame, ...]
    """Of a stream as many as it has events; of any other answer one."""

    @property
    def body(self) -> bytes:
        """All frames joined: the body byte for byte."""
        return b"".join(frame.data for frame in self.frames)

    @property
    def took_ms(self) -> int:
        """When the last byte had come: milliseconds after the request was sent."""
        return self.frames[-1].offset_ms if self.frames else 0

    @property
    def content_type(self) -> str:
        """The `Content-Type` header, or the empty string."""
        return header(self.headers, "content-type")

    @property
    def is_stream(self) -> bool:
        """True for a stream of events or of lines: by its type, or else by how it begins.

        Some servers send streams of events as text/plain or without a type.
        """
        if self.content_type.lower().startswith("text/event-stream") or self.in_lines:
            return True
        return bool(self.frames) and self.frames[0].data.lstrip(b"\r\n").startswith(_FIELDS)

    @property
    def in_lines(self) -> bool:
        """True for a stream of JSON with a piece a line."""
        return self.content_type.partition(";")[0].strip().lower() in _LINES


_LINES = frozenset(["application/x-ndjson", "application/ndjson", "application/stream+json"])
# With what a stream of events begins (WHATWG HTML, 9.2.6); a comment begins with the colon.
_FIELDS = (b"data:", b"event:", b"id:", b"retry:", b": ")


class Interaction(NamedTuple):
    """A recording: one request and its answer, without secrets."""

    id: str
    """Sorts conversations together and turns in order: see `fingerprint.recording_id`."""
    key: str
    """The fingerprint without user rules, so that a cassette can be checked anywhere."""
    variant: Variant
    recorded_at: float
    """Seconds since the epoch."""
    upstream: str
    """Base URL that answered, without credentials; the default one where a request's model chose
    among several: then the answer's head tells who served (`headers.SERVED`)."""
    request: Request
    response: Response
    redacted: int = 0
    """How many secrets were taken out of it."""


def header(headers: Headers, name: str) -> str:
    """The first value of header `name` (lower case), or the empty string."""
    # Asked several times of every request: the length tells nearly all of them apart.
    size = len(name)
    for key, value in headers:
        if len(key) == size and key.lower() == name:
            return value
    return ""


def is_good(status: int) -> bool:
    """True for the status of an answer that is no failure, that of an opened WebSocket too."""
    return 200 <= status < 300 or status == _SWITCHED

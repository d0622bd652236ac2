"""From a flight that has landed to an interaction worth keeping, or the reason why it is not."""

import zlib
from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate, repeat
from typing import NamedTuple

from promptdeck.core.dialects.table import dialect_of
from promptdeck.core.headers import kept
from promptdeck.core.interaction import (
    Frame,
    Interaction,
    Request,
    Response,
    Variant,
    frames_of,
    header,
)
from promptdeck.core.matching.clean import keepable
from promptdeck.core.secrets.answers import cleared_response
from promptdeck.core.secrets.redact import Redactor
from promptdeck.core.text import sse
from promptdeck.core.text.runs import runs

from .flight import Chunk, Flight, Head

_MOST = 32 * 1024 * 1024
"""Bytes that one piece of a compressed answer may unfold to: as many as `record.max_bytes` allows
by default for a whole one. A few KB of gzip may hold gigabytes of zeros."""


class NotKept(Exception):
    """Why an answer that the client got is not recorded."""


class Take(NamedTuple):
    """What the recorder needs to know beside the flight."""

    request: Request
    """As the client sent it."""
    variant: Variant
    """What it asked for."""
    key: str
    """The fingerprint without user rules."""
    recorded_at: float
    """Seconds since the epoch."""
    upstream: str
    """The base URL that was asked."""
    secrets: tuple[str, ...]
    """What must not be kept wherever it stands: values of credential headers, configured keys."""


class Recorder(NamedTuple):
    """Makes interactions of flights that have landed."""

    redactor: Redactor
    errors: bool
    """Whether error answers are kept as facts."""

    def interaction(self, head: Head, flight: Flight, take: Take) -> Interaction:
        """The interaction to keep, without an id. NotKept says why there is none."""
        if not flight.landed_well:
            raise NotKept("upstream cut it off")
        if not flight.whole:
            raise NotKept("it is larger than record.max_bytes")
        failed = not 200 <= head.status < 300
        if failed and not self.errors:
            raise NotKept(f"status {head.status}")
        response = response_of(head, flight.chunks)
        stream = response.is_stream
        in_runs = runs([frame.data for frame in response.frames]) if stream else None
        dialect = dialect_of(take.request.method, take.request.target)
        problem = dialect.problem_with(response, in_runs)
        if problem and not failed:
            raise NotKept(problem)
        request, in_request = keepable(take.request, self.redactor)
        response, in_response = cleared_response(self.redactor, response, take.secrets, in_runs)
        return Interaction(
            id="",
            key=take.key,
            variant=take.variant,
            recorded_at=round(take.recorded_at, 3),
            upstream=take.upstream,
            request=request,
            response=response,
            redacted=in_request + in_response.total(),
        )


def response_of(head: Head, chunks: Sequence[Chunk]) -> Response:
    """An answer as a recording has it: decompressed, a stream in frames. NotKept if it can't be."""
    chunks = _decoded(chunks, header(head.headers, "content-encoding"))
    whole = Response(head.status, kept(head.headers), _whole(chunks))
    return whole._replace(frames=_frames(chunks)) if whole.is_stream else whole


def _whole(chunks: Sequence[Chunk]) -> tuple[Frame, ...]:
    """A body as one frame, with the time at which its last byte came."""
    last = chunks[-1].offset_ms if chunks else 0
    return (Frame(last, b"".join(chunk.data for chunk in chunks)),)


def _frames(chunks: Sequence[Chunk]) -> tuple[Frame, ...]:
    """The SSE frames of a stream, each with the time at which its last byte came."""
    pieces = [data for _, data in chunks]
    frames = sse.frames(b"".join(pieces))
    # Nearly always each comes by itself: then pieces are frames, and no ends are to be found.
    if frames == pieces:
        return frames_of(chunks)
    moments = [ms for ms, _ in chunks]
    ends = [*accumulate(map(len, pieces))]
    last_pieces = map(bisect_left, repeat(ends), accumulate(map(len, frames)))
    return frames_of(zip(map(moments.__getitem__, last_pieces), frames, strict=True))


def _decoded(chunks: Sequence[Chunk], encoding: str) -> Sequence[Chunk]:
    """Pieces of a body without the compression that upstream applied, though asked not to.

    Each keeps its time. NotKept where the compression is unknown, broken or too strong.
    """
    if encoding in ("", "identity"):
        return chunks
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise NotKept(f"it is compressed with {encoding}, which was not asked for")
    inflate = zlib.decompressobj(wbits=47)  # 32 + 15: gzip or zlib, as the data says
    try:
        plain = [Chunk(ms, inflate.decompress(data, _MOST)) for ms, data in chunks]
    except zlib.error as error:
        raise NotKept(f"its compression is broken: {error}") from None
    if inflate.unconsumed_tail or not inflate.eof:
        raise NotKept("its compressed form is cut off or too large")
    return plain

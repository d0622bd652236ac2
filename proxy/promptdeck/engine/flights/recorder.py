"""From a flight that has landed to an interaction worth keeping, or the reason why it is not."""

import zlib
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate, islice, repeat
from typing import NamedTuple

from promptdeck.core.codings import inflater
from promptdeck.core.dialects.base import Dialect
from promptdeck.core.dialects.table import answered_in
from promptdeck.core.headers import is_for_one, kept
from promptdeck.core.interaction import (
    Frame,
    Headers,
    Interaction,
    Request,
    Response,
    Variant,
    frames_of,
    header,
    is_good,
)
from promptdeck.core.matching.clean import keepable
from promptdeck.core.secrets.answers import cleared_response
from promptdeck.core.secrets.redact import Redactor
from promptdeck.core.text.lines import cutter
from promptdeck.core.text.outline import outlined
from promptdeck.core.text.runs import Run, runs, windows
from promptdeck.core.varying import varies, with_varied

from .flight import Flight, Head
from .log import TOO_LARGE, Chunk

_AT_ONCE = 1024 * 1024
"""Bytes of a stream that are joined and cut into frames at once: to cut takes three times their
size for a moment, and calls for parts of this size cost nothing that could be measured."""


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
    headers: Headers = ()
    """All that the client sent: an answer may hang on any."""


class Recorder(NamedTuple):
    """Makes interactions of flights that have landed."""

    redactor: Redactor
    errors: bool
    """Whether error answers are kept as facts."""
    most: int
    """Bytes of a body, decompressed, past which it is not kept."""
    shared: bool = False
    """Whether what is kept answers whoever asks, as a cache does."""

    def refusal(self, method: str, head: Head) -> str:
        """Why an answer to a method with this head is not kept; empty if its head is no reason."""
        if not (self.errors or is_good(head.status)):
            return f"status {head.status}"
        if self.shared and is_for_one(head.headers):
            return f"it is for no other request: Vary: {', '.join(varies(head.headers))}"
        encoding = encoding_of(head.headers)
        if encoding not in ("", "gzip", "x-gzip", "deflate"):
            return f"it is compressed with {encoding}, which was not asked for"
        # No body of that length follows an answer to HEAD.
        length = header(head.headers, "content-length") if method != "HEAD" else ""
        # As long as the limit at most: what has more digits than a number can have is no length.
        if length.isascii() and length.isdecimal() and len(length) < 20 and int(length) > self.most:
            return TOO_LARGE
        return ""

    def accepted(self, head: Head, flight: Flight, method: str) -> Response:
        """The `response` of a flight that has landed with all of an answer. NotKept as there,
        and where the answer was cut off, or its head is refused."""
        if not flight.landed_well:
            raise NotKept("upstream cut it off")
        if why := self.refusal(method, head):
            raise NotKept(why)
        return self.response(head, flight)

    def response(self, head: Head, flight: Flight) -> Response:
        """The answer as a recording has it: decompressed, a stream in frames.

        NotKept if it can't be, or the flight's log is not whole.
        """
        if not flight.whole:
            raise NotKept(flight.unkept or TOO_LARGE)
        return response_of(head, flight.chunks, self.most)

    def interaction(self, head: Head, flight: Flight, take: Take) -> Interaction:
        """The interaction to keep, without an id. NotKept says why there is none."""
        return self.judged(self.accepted(head, flight, take.request.method), take)

    def judged(self, response: Response, take: Take) -> Interaction:
        """The interaction to keep of an `accepted` answer. NotKept if it is not a good one."""
        failed = not is_good(response.status)
        dialect = answered_in(take.request, response.headers)
        in_runs = None
        if sum([len(frame.data) for frame in response.frames]) > _AT_ONCE:
            problem = _problem_with_large(dialect, response)
        else:
            if response.is_stream:
                in_runs = runs([frame.data for frame in response.frames])
            problem = dialect.problem_with(response, in_runs)
        if problem and not failed:
            raise NotKept(problem)
        request, in_request = keepable(take.request, self.redactor)
        request = self._with_varied(request, response, take)
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

    def _with_varied(self, request: Request, response: Response, take: Take) -> Request:
        """The request to keep, with the headers that its answer hangs on, without their secrets.

        Who sends one that held a secret is not given the recording.
        """
        varied = with_varied(request, response, take.headers)
        if varied is request:
            return request
        texts, _ = self.redactor.texts([value for _, value in varied.selecting], take.secrets)
        names = [name for name, _ in varied.selecting]
        return varied._replace(selecting=tuple(zip(names, texts, strict=True)))


def _problem_with_large(dialect: Dialect, response: Response) -> str | None:
    """The problem that a dialect has with an answer of which only the outline is read.

    Of a stream some frames are read at a time, and the first of each run is kept.
    """
    frames = response.frames
    short = {
        n: Frame(frame.offset_ms, outlined(frame.data))
        for n, frame in enumerate(frames)
        if len(frame.data) > _AT_ONCE
    }
    if short:
        frames = tuple([short.get(n, frame) for n, frame in enumerate(frames)])
    in_runs = None
    if response.is_stream:
        parts = windows([len(frame.data) for frame in frames], _AT_ONCE)
        in_runs = [
            Run(run.first)
            for begin, end in parts
            for run in runs([frame.data for frame in frames[begin:end]])
        ]
    return dialect.problem_with(Response(response.status, response.headers, frames), in_runs)


# Pieces in which the name of an event's first field has come for certain.
_BEGIN = 16


def response_of(head: Head, chunks: Sequence[Chunk | Frame], most: int) -> Response:
    """An answer as a recording has it: decompressed, a stream in frames.

    NotKept where it can't be decompressed, or has more than `most` bytes then.
    """
    chunks = _decoded(chunks, encoding_of(head.headers), most)
    headers = kept(head.headers)
    # How a body begins tells a stream whose type does not; some servers send a byte at a time.
    begin = b"".join(chunk.data[:64] for chunk in islice(chunks, _BEGIN))
    response = Response(head.status, headers, (Frame(0, begin),))
    frames = (
        _frames(chunks, cutter(in_lines=response.in_lines))
        if response.is_stream
        else _whole(chunks)
    )
    return response._replace(frames=frames)


def _whole(chunks: Sequence[Chunk | Frame]) -> tuple[Frame, ...]:
    """A body as one frame, with the time at which its last byte came."""
    last = chunks[-1].offset_ms if chunks else 0
    return (Frame(last, b"".join(chunk.data for chunk in chunks)),)


def _frames(
    chunks: Sequence[Chunk | Frame], cut: Callable[[Iterable[bytes]], list[bytes]]
) -> tuple[Frame, ...]:
    """The frames of a stream, each with the time at which its last byte came."""
    pieces = [data for _, data in chunks]
    frames = cut(pieces)
    # Nearly always each comes by itself: then pieces are frames, and no ends are to be found.
    if frames == pieces:
        return frames_of(chunks)
    moments = [ms for ms, _ in chunks]
    ends = [*accumulate(map(len, pieces))]
    last_pieces = map(bisect_left, repeat(ends), accumulate(map(len, frames)))
    return frames_of(zip(map(moments.__getitem__, last_pieces), frames, strict=True))


def encoding_of(headers: Headers) -> str:
    """The compression of a body as its head says it, in lower case; empty for none."""
    said = ",".join([value for name, value in headers if name.lower() == "content-encoding"])
    names = [name.strip().lower() for name in said.split(",")]
    return ", ".join([name for name in names if name not in ("", "identity")])


def _decoded(chunks: Sequence[Chunk | Frame], encoding: str, most: int) -> Sequence[Chunk | Frame]:
    """Pieces of a body without the compression that upstream applied, though asked not to.

    Each keeps its time. NotKept where the compression is broken, or they are larger than `most`
    bytes together: no more than that is ever decompressed, as some KB may hold gigabytes.
    """
    if not encoding or not chunks:
        return chunks
    plain: list[Chunk] = []
    name = encoding.removeprefix("x-")
    inflate = inflater(name, chunks[0].data)
    try:
        for ms, data in chunks:
            rest = data
            while rest:
                if inflate.eof:
                    # RFC 1952, section 2.2: a gzip file is a series of members.
                    inflate = inflater(name, rest)
                piece = inflate.decompress(rest, most + 1)
                most -= len(piece)
                if most < 0:
                    raise NotKept(f"decompressed {TOO_LARGE}")
                plain.append(Chunk(ms, piece))
                rest = inflate.unused_data
    except zlib.error as error:
        raise NotKept(f"its compression is broken: {error}") from None
    if not inflate.eof:
        raise NotKept("its compressed form is cut off")
    return plain

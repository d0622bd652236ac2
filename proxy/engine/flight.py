"""One upstream response under way: an append-only log with many readers.

The pump reads upstream and appends; every client, the first too, is a reader
from the log's start, so a late one gets the prefix and then the live tail.
Tee, single-flight and recording are all just readers of the log. The pump
stays at most a window ahead of its fastest reader (of its slowest, once the
log no longer keeps what all have read), so a client that stops reading stops
upstream and memory stays bounded.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple, Protocol

from proxy.core.interaction import Headers
from proxy.errors import UpstreamError

WINDOW = 256 * 1024
"""Bytes upstream may be ahead."""


class Answer(Protocol):
    """An upstream's response: its head at once, its body as it comes."""

    status: int
    headers: Headers

    def chunks(self) -> AsyncIterator[bytes]:
        """The body in pieces as they arrive. UpstreamError if it is cut."""


class Head(NamedTuple):
    status: int
    headers: Headers


class Chunk(NamedTuple):
    offset_ms: int
    data: bytes


class Place:
    """How far one reader has come."""

    __slots__ = ("at", "had")

    def __init__(self) -> None:
        self.at = 0
        """Index of the next chunk, counted from the log's start."""
        self.had = 0
        """Bytes."""


class Flight:
    """`pump` it in a task of its own; `head` and `read` it from anywhere.

    Up to `keep_bytes` the log is kept whole, for late joiners and the recorder.
    """

    def __init__(self, *, keep_bytes: int, outlives_readers: bool) -> None:
        self._keep_bytes = keep_bytes
        self._outlives_readers = outlives_readers
        loop = asyncio.get_running_loop()
        self._clock = loop.time
        self._head: asyncio.Future[Head] = loop.create_future()
        self._chunks: deque[Chunk] = deque()
        self._first = 0
        self._size = 0
        self._ended = False
        self._error: UpstreamError | None = None
        self._places: set[Place] = set()
        self._readable: set[asyncio.Future[None]] = set()
        self._writable: asyncio.Future[None] | None = None
        self.task: asyncio.Task[None] | None = None
        """Pumps; cancelled when the last reader leaves a flight that does not outlive them."""

    @property
    def whole(self) -> bool:
        """Whether the log still holds everything from the start."""
        return self._first == 0 and self._size <= self._keep_bytes

    @property
    def size(self) -> int:
        """Bytes that have come."""
        return self._size

    @property
    def failed(self) -> bool:
        return self._error is not None

    @property
    def refused(self) -> bool:
        """Whether upstream answered with an error."""
        return self._head.done() and not self.failed and self._head.result().status >= 400

    @property
    def ended_well(self) -> bool:
        return self._ended and not self.failed

    @property
    def chunks(self) -> tuple[Chunk, ...]:
        return tuple(self._chunks)

    async def head(self) -> Head:
        """Status and headers. UpstreamError if there was no answer."""
        return await asyncio.shield(self._head)

    # The upstream's side

    async def pump(
        self,
        call: AbstractAsyncContextManager[Answer],
        before_end: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Read upstream to its end; errors go to the readers.

        `before_end` is awaited when all has come, before the readers are told so.
        """
        started = self._clock()
        try:
            async with call as answer:
                self._head.set_result(Head(answer.status, answer.headers))
                async for data in answer.chunks():
                    self._append(Chunk(round((self._clock() - started) * 1000), data))
                    while self._ahead() > WINDOW:
                        await self._room()
            if before_end:
                await before_end()
        except UpstreamError as error:
            self.end(error)
        except BaseException as error:
            self.end(UpstreamError(f"the answer was dropped: {error!r}", code="dropped"))
            raise
        self.end()

    def _append(self, chunk: Chunk) -> None:
        self._chunks.append(chunk)
        self._size += len(chunk.data)
        self._trim()
        self._wake()

    def end(self, error: UpstreamError | None = None) -> None:
        """Nothing more will come. Only the first call counts."""
        if self._ended:
            return
        self._ended, self._error = True, error
        if not self._head.done():
            self._head.set_exception(error or UpstreamError("upstream gave no answer"))
            # Whoever still waits gets it; where all have left, nobody need hear of it.
            self._head.exception()
        self._wake()

    def _wake(self) -> None:
        for waiter in self._readable:
            if not waiter.done():
                waiter.set_result(None)
        self._readable.clear()

    def _trim(self) -> None:
        """Past the size to keep, forget what every reader has had."""
        if self._size <= self._keep_bytes:
            return
        needed = min((place.at for place in self._places), default=self._first)
        while self._first < needed:
            self._chunks.popleft()
            self._first += 1

    def _ahead(self) -> int:
        """Bytes between what has come and what the reader that counts has had."""
        had = [place.had for place in self._places]
        if not had:
            return 0
        return self._size - (max(had) if self.whole else min(had))

    async def _room(self) -> None:
        self._writable = asyncio.get_running_loop().create_future()
        await self._writable

    def _moved(self) -> None:
        if self._writable and not self._writable.done():
            self._writable.set_result(None)
        self._trim()

    # The readers' side

    def join(self) -> Place:
        """A place at the start, only while the log is whole. `leave` it when done."""
        place = Place()
        self._places.add(place)
        return place

    async def read(self, place: Place, idle: float | None = None) -> AsyncIterator[bytes]:
        """All there is at each turn, in one piece. UpstreamError where upstream was cut.

        After `idle` seconds without news it yields nothing, `b""`, for the reader to keep its
        client company.
        """
        silence = _Silence(idle) if idle else None
        try:
            while True:
                if data := self._take(place):
                    yield data
                elif self._ended:
                    if self._error:
                        raise self._error
                    return
                elif await self._news(silence):
                    yield b""
        finally:
            if silence:
                silence.end()

    async def _news(self, silence: "_Silence | None") -> bool:
        """Wait for a change; whether silence was all that came."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._readable.add(waiter)
        try:
            if silence:
                return await silence.wait(waiter)
            await waiter
        finally:
            self._readable.discard(waiter)
        return False

    def _take(self, place: Place) -> bytes:
        start = place.at - self._first
        pending = len(self._chunks) - start
        if pending == 0:
            return b""
        # One chunk is what there is nearly always: no join, no copy.
        one = pending == 1
        data = (
            self._chunks[-1].data
            if one
            else b"".join([self._chunks[n].data for n in range(start, start + pending)])
        )
        place.at += pending
        place.had += len(data)
        self._moved()
        return data

    def leave(self, place: Place) -> None:
        self._places.discard(place)
        self._moved()
        if self._places or self._ended or (self._outlives_readers and self.whole):
            return
        if self.task:
            self.task.cancel()


class _Silence:
    """A timer that many waits share: starting one per chunk would cost more than the chunk."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._since = self._loop.time()
        self._broken = False
        self._waiter: asyncio.Future[None] | None = None
        self._timer = self._loop.call_later(seconds, self._tick)

    async def wait(self, waiter: asyncio.Future[None]) -> bool:
        """Wait for `waiter`; whether the time ran out instead."""
        self._since = self._loop.time()
        self._waiter, self._broken = waiter, False
        await waiter
        return self._broken

    def _tick(self) -> None:
        left = self._since + self._seconds - self._loop.time()
        if left <= 0 and self._waiter and not self._waiter.done():
            self._broken = True
            self._waiter.set_result(None)
            left = self._seconds
        self._timer = self._loop.call_later(left if left > 0 else self._seconds, self._tick)

    def end(self) -> None:
        self._timer.cancel()

"""One upstream response under way: an append-only log with many readers.

Upstream appends; every client, the first too, is a reader from the log's
start, so a late one gets the prefix and then the live tail. Tee, single-flight
and recording are all just readers of the log. Upstream stays at most a window
ahead of its fastest reader (of its slowest, once the log no longer keeps what
all have read), so a client that stops reading stops upstream and memory stays
bounded.

A reader that keeps up is not woken for each piece: it `follow`s, and the piece
is written to it in the very call that appends it.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from functools import partial
from operator import attrgetter
from typing import NamedTuple, Protocol

from promptdeck.core.interaction import Headers
from promptdeck.errors import UpstreamError

from .silence import Silence

WINDOW = 256 * 1024
"""Bytes upstream may be ahead."""


GiveUp = Callable[[], object]
"""Ends a request that is under way; nobody is told."""
Landed = Callable[[UpstreamError | None], None]
"""Told when an answer has come to its end, or why it has not."""


Full = asyncio.Future[None] | None
"""If it is a future, the next piece may only be read when that is done."""


class Sink(Protocol):
    """Where an upstream's response goes."""

    def headed(self, status: int, headers: Headers, data: bytes) -> Full:
        """Take its head, and what came of its body with it, maybe nothing."""

    def came(self, data: bytes) -> Full:
        """Take a piece."""


class Follower(Protocol):
    """A reader that is written to."""

    def write(self, data: bytes) -> bool:
        """Take a piece that is not empty; whether there is room for another."""


class Client(Follower, Protocol):
    """One that can be waited for."""

    async def drain(self) -> None:
        """Wait until there is room."""

    def company(self) -> None:
        """Upstream has been silent for a while."""


class Head(NamedTuple):
    status: int
    headers: Headers


class Chunk(NamedTuple):
    offset_ms: int
    data: bytes


class Reader:
    """How far one reader has come."""

    __slots__ = ("at", "follower", "had", "news", "waiter")

    def __init__(self) -> None:
        self.news: Callable[[], None] | None = None
        """Called when the head has come, and at the end."""
        self.follower: Follower | None = None
        """Set while it has all that has come and wants the next at once."""
        self.waiter: asyncio.Future[bool] | None = None
        self.at = 0
        """Index of the next chunk, counted from the log's start."""
        self.had = 0
        """Bytes."""


_FOLLOWER = attrgetter("follower")


class Flight:
    """A response to be filled by upstream and read from anywhere.

    Up to `keep_bytes` the log is kept whole, for late joiners and the recorder.
    """

    def __init__(self, *, keep_bytes: int, outlives_readers: bool) -> None:
        self._keep_bytes = keep_bytes
        self._outlives_readers = outlives_readers
        loop = asyncio.get_running_loop()
        self._clock = loop.time
        self._started = loop.time()
        self.last = self._started
        """When the latest piece came, by the loop's clock."""
        self._head: Head | None = None
        self._chunks: deque[Chunk] = deque()
        self._first = 0
        self._size = 0
        self._ended = False
        self._error: UpstreamError | None = None
        self._places: set[Reader] = set()
        self._readable: set[asyncio.Future[bool]] = set()
        self._writable: asyncio.Future[None] | None = None
        self.give_up: GiveUp | None = None
        """Called when the last reader leaves a flight that does not outlive them."""

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
        return self._head is not None and not self.failed and self._head.status >= 400

    @property
    def ended_well(self) -> bool:
        return self._ended and not self.failed

    @property
    def known_head(self) -> Head | None:
        """Status and headers, once they have come."""
        return self._head

    @property
    def ended(self) -> bool:
        return self._ended

    @property
    def error(self) -> UpstreamError | None:
        """Why there is no more, if more should have come."""
        return self._error

    @property
    def chunks(self) -> tuple[Chunk, ...]:
        return tuple(self._chunks)

    async def head(self) -> Head:
        """Status and headers. UpstreamError if there was no answer."""
        while self._head is None:
            if self._ended:
                raise self._error or UpstreamError("upstream gave no answer")
            await self._news()
        return self._head

    # The upstream's side: a `Sink`, and its end

    def headed(self, status: int, headers: Headers, data: bytes) -> Full:
        self._head = Head(status, headers)
        full = self.came(data) if data else None
        self._wake()
        self._tell()
        return full

    def came(self, data: bytes) -> Full:
        self.last = self._clock()
        self._size += len(data)
        if self._chunks or self._size <= self._keep_bytes or not self._all_follow():
            self._chunks.append(Chunk(round((self.last - self._started) * 1000), data))
        else:
            self._first += 1  # all have it in a moment
        for place in self._places:
            if follower := place.follower:
                # It had all before this one.
                place.at += 1
                place.had += len(data)
                try:
                    if not follower.write(data):
                        _stop_following(place)
                except Exception as error:  # noqa: BLE001  it is the reader's trouble, not upstream's
                    _stop_following(place, error)
        if self._chunks and self._size > self._keep_bytes:
            self._trim()
        if self._readable:
            self._wake()
        return self._room() if self._size > WINDOW and self._ahead() > WINDOW else None

    def _all_follow(self) -> bool:
        return all(map(_FOLLOWER, self._places))

    def end(self, error: UpstreamError | None = None) -> None:
        """Nothing more will come. Only the first call counts."""
        if self._ended:
            return
        self._ended, self._error = True, error
        self._wake()
        self._tell()
        for place in self._places:
            _stop_following(place)

    def _wake(self) -> None:
        for waiter in self._readable:
            if not waiter.done():
                waiter.set_result(False)
        self._readable.clear()

    def _tell(self) -> None:
        # Whoever is told may leave.
        for place in [*self._places]:
            if place.news:
                place.news()

    def _trim(self) -> None:
        """Past the size to keep, forget what every reader has had."""
        if self._size <= self._keep_bytes:
            return
        needed = min([place.at for place in self._places], default=self._first)
        while self._first < needed:
            self._chunks.popleft()
            self._first += 1

    def _ahead(self) -> int:
        """Bytes between what has come and what the reader that counts has had."""
        had = [place.had for place in self._places]
        if not had:
            return 0
        return self._size - (max(had) if self.whole else min(had))

    def _room(self) -> "asyncio.Future[None]":
        if self._writable is None:
            self._writable = asyncio.get_running_loop().create_future()
        return self._writable

    def _moved(self) -> None:
        if self._writable and self._ahead() <= WINDOW:
            if not self._writable.done():
                self._writable.set_result(None)
            self._writable = None
        self._trim()

    # The readers' side

    def join(self) -> Reader:
        """A place at the start, only while the log is whole. `leave` it when done."""
        place = Reader()
        self._places.add(place)
        return place

    async def read(self, place: Reader) -> AsyncIterator[bytes]:
        """All there is at each turn, in one piece. UpstreamError where upstream was cut."""
        while True:
            if data := self.take(place):
                yield data
            elif self._over():
                return
            else:
                await self._news()

    async def follow(self, place: Reader, follower: Client, idle: float | None = None) -> None:
        """Write to a reader up to the end. UpstreamError where upstream was cut.

        After each `idle` seconds without news it is told to keep its client company.
        """
        silence = Silence(self, idle) if idle else None
        try:
            while True:
                if data := self.take(place):
                    if not follower.write(data):
                        await follower.drain()
                elif self._over():
                    return
                elif await self._news(silence, place, follower):
                    follower.company()
                else:
                    await follower.drain()
        finally:
            if silence:
                silence.end()

    def _over(self) -> bool:
        """Whether nothing more will come. UpstreamError if more should have come."""
        if self._error:
            raise self._error
        return self._ended

    async def _news(
        self,
        silence: "Silence | None" = None,
        place: Reader | None = None,
        follower: Follower | None = None,
    ) -> bool:
        """Wait for a change; whether silence was all that came.

        A follower that is given as well gets pieces meanwhile: they are no news then.
        """
        waiter: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        if silence:
            silence.tell = partial(_tell_of_silence, waiter)
        if place:
            place.follower, place.waiter = follower, waiter
        else:
            self._readable.add(waiter)
        try:
            return await waiter
        finally:
            if place:
                place.follower = None
            self._readable.discard(waiter)

    def take(self, place: Reader) -> bytes:
        """All that has come and has not been had, maybe nothing."""
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

    def leave(self, place: Reader) -> None:
        self._places.discard(place)
        self._moved()
        if self._places or self._ended or (self._outlives_readers and self.whole):
            return
        if self.give_up:
            self.give_up()


def _stop_following(place: Reader, error: Exception | None = None) -> None:
    """Have one who no longer keeps up wait by itself."""
    place.follower = None
    if place.waiter is None or place.waiter.done():
        return
    if error:
        place.waiter.set_exception(error)
    else:
        place.waiter.set_result(False)


def _tell_of_silence(waiter: "asyncio.Future[bool]") -> None:
    if not waiter.done():
        waiter.set_result(True)

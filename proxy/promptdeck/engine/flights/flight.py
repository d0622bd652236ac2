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
from typing import NamedTuple

from promptdeck.core.interaction import Headers
from promptdeck.errors import UpstreamError

from .sides import Client, Follower, Full, GiveUp
from .silence import Silence

WINDOW = 256 * 1024
"""Bytes that upstream may be ahead of its readers.

As much as one read of a connection brings at most, so that no single read pauses upstream. It
bounds what a client that stops reading costs: 1.4 MB where 40 MB come, kernel and transport
included (benchmarks/README.md, row 10); a prototype without a bound took 138 MB.
"""


class Head(NamedTuple):
    """Status and headers of an upstream's response."""

    status: int
    headers: Headers


class Chunk(NamedTuple):
    """A piece of the body, and the milliseconds from the flight's start to its coming."""

    offset_ms: int
    data: bytes


class Reader:
    """How far one reader of a flight has come; `Flight.join` makes it, `Flight.leave` ends it."""

    __slots__ = ("at", "follower", "had", "news", "waiter")

    def __init__(self) -> None:
        self.news: Callable[[], None] | None = None
        """Called when the head has come, and when the flight has landed."""
        self.follower: Follower | None = None
        """Set while it has all that has come and wants the next at once."""
        self.waiter: asyncio.Future[bool] | None = None
        """What it waits on beside following: True when only silence came, False for news."""
        self.at = 0
        """Index of the next chunk to read, counted from the log's start."""
        self.had = 0
        """Bytes read so far."""


_FOLLOWER = attrgetter("follower")


class Flight:
    """A response to be filled by upstream, a `Sink`, and read from anywhere.

    Up to `keep_bytes` the log is kept whole, for late joiners and the recorder; past that, only
    what a reader has yet to read. A flight that `outlives_readers` goes on without any as long as
    its log is whole: it is to be recorded.
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
        """The log, from the chunk with index `_first` on; the earlier ones have been let go."""
        self._first = 0
        self._size = 0
        self._landed = False
        self._error: UpstreamError | None = None
        self._readers: set[Reader] = set()
        self._readable: set[asyncio.Future[bool]] = set()
        """What readers wait on that do not follow; done with the next head, piece or end."""
        self._writable: asyncio.Future[None] | None = None
        """What upstream waits on while it is too far ahead."""
        self.give_up: GiveUp | None = None
        """Called when the last reader leaves a flight that does not outlive them."""

    @property
    def whole(self) -> bool:
        """Whether the log still holds everything from the start."""
        return self._first == 0 and self._size <= self._keep_bytes

    @property
    def size(self) -> int:
        """Bytes of the body that have come."""
        return self._size

    @property
    def landed(self) -> bool:
        """Whether the readers have their end: nothing more will come."""
        return self._landed

    @property
    def landed_well(self) -> bool:
        """Whether the flight has landed with all of the answer."""
        return self._landed and not self.failed

    @property
    def failed(self) -> bool:
        """Whether the flight has landed without all of the answer, or without any."""
        return self._error is not None

    @property
    def error(self) -> UpstreamError | None:
        """Why there is no more, if more should have come."""
        return self._error

    @property
    def refused(self) -> bool:
        """Whether upstream answered with an error."""
        return self._head is not None and not self.failed and self._head.status >= 400

    @property
    def known_head(self) -> Head | None:
        """Status and headers, once they have come."""
        return self._head

    @property
    def chunks(self) -> tuple[Chunk, ...]:
        """The log as far as it is kept: everything that has come if it is `whole`."""
        return tuple(self._chunks)

    async def head(self) -> Head:
        """Wait for status and headers. UpstreamError if the flight lands without."""
        while self._head is None:
            if self._landed:
                raise self._error or UpstreamError("upstream gave no answer")
            await self._news()
        return self._head

    # Upstream's side: a `Sink`, and `land`

    def headed(self, status: int, headers: Headers, data: bytes) -> Full:
        """As a `Sink`: take the head, and what came of the body with it."""
        self._head = Head(status, headers)
        full = self.came(data) if data else None
        self._wake()
        self._tell()
        return full

    def came(self, data: bytes) -> Full:
        """As a `Sink`: append a piece, and write it to all that follow."""
        self.last = self._clock()
        self._size += len(data)
        if self._chunks or self._size <= self._keep_bytes or not self._all_follow():
            self._chunks.append(Chunk(round((self.last - self._started) * 1000), data))
        else:
            # Past the size to keep, and all have it in a moment: it never enters the log.
            self._first += 1
        for reader in self._readers:
            if follower := reader.follower:
                # It had all before this one.
                reader.at += 1
                reader.had += len(data)
                try:
                    if not follower.write(data):
                        _stop_following(reader)
                except Exception as error:  # noqa: BLE001  it is the reader's trouble, not upstream's
                    _stop_following(reader, error)
        if self._chunks and self._size > self._keep_bytes:
            self._trim()
        if self._readable:
            self._wake()
        return self._room() if self._size > WINDOW and self._ahead() > WINDOW else None

    def _all_follow(self) -> bool:
        """Whether no reader needs the log for the piece that is coming; true without readers."""
        return all(map(_FOLLOWER, self._readers))

    def land(self, error: UpstreamError | None = None) -> None:
        """Give the readers their end; `error` says why it is one too early.

        Only the first call counts.
        """
        if self._landed:
            return
        self._landed, self._error = True, error
        self._wake()
        self._tell()
        for reader in self._readers:
            _stop_following(reader)

    def _wake(self) -> None:
        """Let those go on that wait without following."""
        for waiter in self._readable:
            if not waiter.done():
                waiter.set_result(False)
        self._readable.clear()

    def _tell(self) -> None:
        """Call the `news` of each reader."""
        # Of a copy: whoever is told may leave.
        for reader in [*self._readers]:
            if reader.news:
                reader.news()

    def _trim(self) -> None:
        """Past the size to keep, forget what every reader has read."""
        if self._size <= self._keep_bytes:
            return
        needed = min([reader.at for reader in self._readers], default=self._first)
        while self._first < needed:
            self._chunks.popleft()
            self._first += 1

    def _ahead(self) -> int:
        """How many bytes upstream is ahead of the reader that counts; 0 without any.

        While the log is whole that is the fastest: a slower one holds up nobody and costs no
        more memory than is kept anyway. Later it is the slowest, for whom the rest is kept.
        """
        had = [reader.had for reader in self._readers]
        if not had:
            return 0
        return self._size - (max(had) if self.whole else min(had))

    def _room(self) -> "asyncio.Future[None]":
        """What upstream is to wait for, done when the readers have come nearer."""
        if self._writable is None:
            self._writable = asyncio.get_running_loop().create_future()
        return self._writable

    def _moved(self) -> None:
        """Draw the consequences of a reader's having read, or left."""
        if self._writable and self._ahead() <= WINDOW:
            if not self._writable.done():
                self._writable.set_result(None)
            self._writable = None
        self._trim()

    # The readers' side

    def join(self) -> Reader:
        """A new reader at the log's start, for use only while the log is whole.

        `leave` when done.
        """
        reader = Reader()
        self._readers.add(reader)
        return reader

    async def read(self, reader: Reader) -> AsyncIterator[bytes]:
        """Wait for the body, all there is at each turn in one piece, until the flight lands.

        UpstreamError after the last byte where it failed.
        """
        while True:
            if data := self.take(reader):
                yield data
            elif self._has_landed():
                return
            else:
                await self._news()

    async def follow(self, reader: Reader, follower: Client, idle: float | None = None) -> None:
        """Write the body to a follower until the flight lands.

        UpstreamError after the last byte where the flight failed; what the follower's own
        `write` raises is raised here. After each `idle` seconds without a piece the follower is
        told to keep its client `company`.
        """
        silence = Silence(self, idle) if idle else None
        try:
            while True:
                if data := self.take(reader):
                    if not follower.write(data):
                        await follower.drain()
                elif self._has_landed():
                    return
                elif await self._news(silence, reader, follower):
                    follower.company()
                else:
                    await follower.drain()
        finally:
            if silence:
                silence.stop()

    def _has_landed(self) -> bool:
        """Whether nothing more will come. UpstreamError if more should have come."""
        if self._error:
            raise self._error
        return self._landed

    async def _news(
        self,
        silence: "Silence | None" = None,
        reader: Reader | None = None,
        follower: Follower | None = None,
    ) -> bool:
        """Wait for head, piece or landing; True if only silence came.

        A reader that comes with its follower is written to meanwhile: pieces are no news then,
        but for one that its follower has no room after, or fails at.
        """
        waiter: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        if silence:
            silence.tell = partial(_tell_of_silence, waiter)
        if reader:
            reader.follower, reader.waiter = follower, waiter
        else:
            self._readable.add(waiter)
        try:
            return await waiter
        finally:
            if reader:
                reader.follower = None
            self._readable.discard(waiter)

    def take(self, reader: Reader) -> bytes:
        """Read all that has come since the last time, in one piece, maybe nothing."""
        start = reader.at - self._first
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
        reader.at += pending
        reader.had += len(data)
        self._moved()
        return data

    def leave(self, reader: Reader) -> None:
        """Read no more. The last to leave gives up a flight that does not outlive its readers."""
        self._readers.discard(reader)
        self._moved()
        if self._readers or self._landed or (self._outlives_readers and self.whole):
            return
        if self.give_up:
            self.give_up()


def _stop_following(reader: Reader, error: Exception | None = None) -> None:
    """Have a reader that follows go on by itself: for want of room, by `error`, or at the end."""
    reader.follower = None
    if reader.waiter is None or reader.waiter.done():
        return
    if error:
        reader.waiter.set_exception(error)
    else:
        reader.waiter.set_result(False)


def _tell_of_silence(waiter: "asyncio.Future[bool]") -> None:
    if not waiter.done():
        waiter.set_result(True)

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
import logging
import time
from collections.abc import AsyncIterator, Callable
from copy import copy
from functools import partial
from operator import attrgetter
from typing import NamedTuple

from promptdeck.core.interaction import Headers
from promptdeck.engine.sides import Client, Follower, Full, GiveUp
from promptdeck.errors import UpstreamError

from .budget import Budget
from .log import WINDOW, Chunk, PieceLog, Reader
from .silence import Silence

log = logging.getLogger("promptdeck")


class Head(NamedTuple):
    """Status and headers of an upstream's response."""

    status: int
    headers: Headers


_FOLLOWER = attrgetter("follower")


Refusal = Callable[[Head], str]
"""Tells by an answer's head why it will not be recorded; the empty string if nothing says so."""


class Flight(PieceLog):
    """A response to be filled by upstream, a `Sink`, and read from anywhere.

    Up to `keep_bytes`, and as far as the `budget` of all flights allows, the log is kept whole,
    for late joiners and the recorder; past that, only what a reader has yet to read. A flight that
    `outlives_readers` goes on without any as long as it can be recorded: its log is whole, and
    its `refusal` has nothing against its head.
    """

    def __init__(
        self,
        *,
        keep_bytes: int,
        outlives_readers: bool,
        budget: Budget | None = None,
    ) -> None:
        super().__init__(keep_bytes, budget)
        self._outlives_readers = outlives_readers
        loop = asyncio.get_running_loop()
        self._clock = loop.time
        self._started = loop.time()
        self.moment = time.time()
        """When it was asked for, in seconds since the epoch."""
        self.last = self._started
        """When the latest piece came, by the loop's clock."""
        self._latest: tuple[bytes, bytes] = (b"", b"")
        """The last two pieces: what ends a stream may have come in two."""
        self._head: Head | None = None
        self._landed = False
        self._error: UpstreamError | None = None
        self._readable: set[asyncio.Future[bool]] = set()
        """What readers wait on that do not follow; done with the next head, piece or end."""
        self.give_up: GiveUp | None = None
        """Called when a flight has no reader, and no recording for whose sake it would go on."""
        self.refusal: Refusal | None = None
        """Set for an answer that is to be recorded."""

    @property
    def landed(self) -> bool:
        """True if the readers have their end: nothing more will come."""
        return self._landed

    @property
    def landed_well(self) -> bool:
        """True if the flight has landed with all of the answer."""
        return self._landed and not self.failed

    @property
    def failed(self) -> bool:
        """True if the flight has landed without all of the answer, or without any."""
        return self._error is not None

    @property
    def error(self) -> UpstreamError | None:
        """Why there is no more, if more should have come."""
        return self._error

    @property
    def refused(self) -> bool:
        """True if upstream answered with an error."""
        return self._head is not None and not self.failed and self._head.status >= 400

    @property
    def known_head(self) -> Head | None:
        """Status and headers, once they have come."""
        return self._head

    async def head(self) -> Head:
        """Wait for status and headers. UpstreamError if the flight lands without."""
        while self._head is None:
            if self._has_landed():
                raise UpstreamError("upstream gave no answer")
            await self._news()
        return self._head

    # Upstream's side: a `Sink`, and `land`

    def headed(self, status: int, headers: Headers, data: bytes) -> Full:
        """Take status and headers of the answer, and what came of its body in the same read.

        Readers that wait for the head go on. Where the head is a reason not to record the answer
        and nobody reads it, the flight gives up. Returns as `Sink.headed` does.
        """
        self._head = Head(status, headers)
        if self.refusal and (why := self.refusal(self._head)):
            self.unkept, self._outlives_readers = why, False
            if self._give_up():
                return None
        full = self.came(data) if data else None
        self._wake()
        self._tell()
        return full

    def came(self, data: bytes) -> Full:
        """As a `Sink`: append a piece, and write it to all that follow."""
        self.last = self._clock()
        self._size += len(data)
        self._latest = self._latest[1], data
        if self._size > self._asks_at and not self._ask() and self._give_up():
            return None
        if self._chunks or self._keeping or not self._all_follow():
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
                except Exception as error:
                    # It is the reader's trouble, not upstream's; that its client left is none.
                    told = _stop_following(reader, error) or isinstance(error, ConnectionError)
                    if not told:
                        log.exception("a client's answer has broken off: unexpected error")
        if self._chunks and not self._keeping:
            self._trim()
        if self._readable:
            self._wake()
        return self._room() if self._size > WINDOW and self._ahead() > WINDOW else None

    def _all_follow(self) -> bool:
        """True if no reader needs the log for the piece that is coming; true without readers."""
        return all(map(_FOLLOWER, self._readers))

    @property
    def tail(self) -> bytes:
        """The last bytes that came: all of them while the log is whole, else the last two pieces.

        Enough to see whether the end of a stream is in them.
        """
        return b"".join([chunk.data for chunk in self._chunks] if self.whole else self._latest)

    def land(self, error: UpstreamError | None = None) -> None:
        """Give the readers their end; `error` says why it is one too early.

        Only the first call counts.
        """
        if self._landed:
            return
        if error:
            # An error's way here leads through frames that hold the flight: a ring, which would
            # keep the log in memory until the garbage collector comes by.
            error.__traceback__ = error.__context__ = error.__cause__ = None
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
                try:
                    reader.news()
                except Exception:
                    log.exception("a client's answer has broken off: unexpected error")

    # The readers' side

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
        """True if nothing more will come. UpstreamError if more should have come."""
        if self._error:
            # Each reader gets its own: what is raised holds the frames through which it came.
            raise copy(self._error)
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
                reader.follower = reader.waiter = None
            self._readable.discard(waiter)
            # One that failed holds the frames through which its error came: this one, too.
            del waiter

    def leave(self, reader: Reader) -> None:
        """Read no more. The last to leave gives up a flight that does not outlive its readers."""
        self._part(reader)
        self._give_up()

    def _give_up(self) -> bool:
        """Give up a flight without readers, unless it goes on to be recorded, or has landed."""
        goes_on = self._readers or self._landed or (self._outlives_readers and self.whole)
        if goes_on or not self.give_up:
            return False
        self.give_up()
        return True


def _stop_following(reader: Reader, error: Exception | None = None) -> bool:
    """Have a reader that follows go on by itself: for want of room, by `error`, or at the end.

    False if nobody waits who could be told.
    """
    reader.follower = None
    if reader.waiter is None or reader.waiter.done():
        return False
    if error:
        reader.waiter.set_exception(error)
    else:
        reader.waiter.set_result(False)
    return True


def _tell_of_silence(waiter: "asyncio.Future[bool]") -> None:
    if not waiter.done():
        waiter.set_result(True)

"""The pieces of an answer as they come, how far each reader has come, and what is kept of them.

While the log is kept whole, whoever joins reads from its start. It is no longer when the answer
has grown larger than `keep_bytes`, or the budget of all answers has no room for more: then it
holds what a reader has yet to read, and no more.
"""

import asyncio
import sys
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from promptdeck.core.interaction import Frame
from promptdeck.engine.sides import Follower

from .budget import PIECE_WEIGHT, Budget

WINDOW = 256 * 1024
"""Bytes that upstream may be ahead of its readers.

As much as one read of a connection brings at most, so that no single read pauses upstream. It
bounds what a client that stops reading costs: 1.4 MB where 40 MB come, kernel and transport
included (benchmarks/README.md, row 10); a prototype without a bound took 138 MB.
"""

_STEP = 16 * 1024
"""Bytes for which a log asks its budget at a time: most answers ask once, and what small ones ask
for beyond their size leaves room for 8,192 of them in the default of `record.max_pending`."""


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


TOO_LARGE = "it is larger than record.max_bytes"
"""Why an answer is not recorded that has too many bytes, or says in its head that it will."""


class PieceLog:
    """An append-only log of pieces with many readers; a `Flight` appends to it.

    Up to `keep_bytes`, and as far as `budget` allows, it is kept whole.
    """

    def __init__(self, keep_bytes: int, budget: Budget | None) -> None:
        self._keep_bytes = keep_bytes
        self._budget = budget
        self._keeping = keep_bytes > 0
        """Whether the log is kept whole."""
        self._asks_at = 0 if self._keeping else sys.maxsize
        """Size past which `_ask` is to find out whether it can go on to be."""
        self._granted = 0
        """Bytes that are taken from the budget."""
        self._settled = False
        self.unkept = ""
        """Why the answer will not be recorded, as far as that is known; empty while it may be."""
        self._chunks: deque[Chunk | Frame] = deque()
        """The log, from the chunk with index `_first` on; the earlier ones have been let go."""
        self._first = 0
        self._size = 0
        self._readers: set[Reader] = set()
        self._writable: asyncio.Future[None] | None = None
        """What upstream waits on while it is too far ahead."""

    @property
    def whole(self) -> bool:
        """True if the log still holds everything from the start."""
        return self._first == 0 and (self._keeping or self._size == 0)

    @property
    def size(self) -> int:
        """Bytes of the body that have come."""
        return self._size

    @property
    def chunks(self) -> tuple[Chunk | Frame, ...]:
        """The log as far as it is kept: everything that has come if it is `whole`."""
        return tuple(self._chunks)

    # How much is kept

    def _ask(self) -> bool:
        """Find out whether the log may grow on; False, and not kept whole, where it may not."""
        if self._size > self._keep_bytes:
            self.stop_keeping(TOO_LARGE)
        elif self._budget is None:
            self._asks_at = self._keep_bytes
        else:
            weight = self._size + len(self._chunks) * PIECE_WEIGHT
            more = weight + _STEP - self._granted
            if self._budget.take(more, held=self._granted):
                self._granted += more
                self._asks_at = min(self._size + _STEP, self._keep_bytes)
            else:
                self.stop_keeping(
                    f"answers that are being recorded hold all of record.max_pending"
                    f" ({self._budget.most} bytes)"
                )
        return self._keeping

    def stop_keeping(self, why: str) -> None:
        """From now on keep only what a reader has yet to read."""
        self.unkept = self.unkept or why
        self._keeping = False
        self._asks_at = sys.maxsize
        self._trim()

    def _trim(self) -> None:
        """Once the log is kept whole no longer, forget what every reader has read."""
        if self._keeping:
            return
        end = self._first + len(self._chunks)
        needed = min([reader.at for reader in self._readers], default=end)
        while self._first < needed:
            self._chunks.popleft()
            self._first += 1
        if self._granted:
            self._give_back(self._ahead())

    def _give_back(self, held: int) -> None:
        """Give the budget what is more than the bytes still `held`."""
        if self._budget and self._granted > held:
            self._budget.give(self._granted - held)
            self._granted = held

    def settle(self) -> None:
        """Take note that it is decided what becomes of the answer: recorded or not.

        What it holds is taken from the budget until then, and until no reader is left.
        """
        self._settled = True
        if not self._readers:
            self._give_back(0)

    def rewrite(self, frames: Sequence[Frame]) -> None:
        """Hold the same bytes in these frames, so that memory has them once.

        Nothing happens where a reader is in the middle of the old ones, or not all are there.
        """
        end = len(self._chunks)
        if not self.whole or any(reader.at != end for reader in self._readers):
            return
        self._chunks = deque(frames)
        for reader in self._readers:
            reader.at = len(self._chunks)

    # How far upstream may go ahead

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

    # The readers

    def join(self) -> Reader:
        """A new reader at the log's start, for use only while the log is whole.

        `leave` when done.
        """
        reader = Reader()
        self._readers.add(reader)
        return reader

    def _part(self, reader: Reader) -> None:
        """Have a reader read no more."""
        self._readers.discard(reader)
        self._moved()
        if self._settled and not self._readers:
            self._give_back(0)

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

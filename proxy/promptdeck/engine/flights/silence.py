"""That nothing has come for a while, told once and again."""

import asyncio
from collections.abc import Callable
from typing import Protocol


class Source(Protocol):
    last: float
    """When the latest piece came, by the loop's clock."""


class Silence:
    """Tells of each so many seconds without a piece. `end` it.

    One timer for all of an answer: starting one per piece would cost more than the piece.
    """

    def __init__(self, source: Source, seconds: float) -> None:
        self.tell: Callable[[], None] | None = None
        self._source = source
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._since = self._loop.time()
        self._timer = self._loop.call_later(seconds, self._tick)

    def _tick(self) -> None:
        now = self._loop.time()
        left = max(self._since, self._source.last) + self._seconds - now
        if left <= 0:
            left = self._seconds
            if self.tell:
                self._since = now
                self.tell()
        self._timer = self._loop.call_later(left, self._tick)

    def end(self) -> None:
        self._timer.cancel()

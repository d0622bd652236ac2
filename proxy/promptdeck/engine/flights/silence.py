"""Notice of each span of time in which no piece of an answer has come."""

import asyncio
from collections.abc import Callable
from typing import Protocol


class Source(Protocol):
    """What may fall silent, such as a flight."""

    last: float
    """When the latest piece came, by the loop's clock."""


class Silence:
    """Calls `tell` after every `seconds` without a piece from `source`, until it is stopped.

    One timer for all of an answer, which looks at `last` when it is due: starting one anew for
    each piece would cost more than the piece. Piece and timer know nothing of one another.
    """

    def __init__(self, source: Source, seconds: float) -> None:
        self.tell: Callable[[], None] | None = None
        """Set by whoever wants to be told now."""
        self._source = source
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._since = self._loop.time()
        """When this began, or silence was last told."""
        self._timer = self._loop.call_later(seconds, self._tick)

    def _tick(self) -> None:
        """Tell, if it has been silent for long enough; look again when it could have been."""
        now = self._loop.time()
        left = max(self._since, self._source.last) + self._seconds - now
        if left <= 0:
            left = self._seconds
            if self.tell:
                self._since = now
                self.tell()
        self._timer = self._loop.call_later(left, self._tick)

    def stop(self) -> None:
        """Tell no more."""
        self._timer.cancel()
        # Whoever is told holds this: a ring, with the source and all that it has.
        self.tell = None

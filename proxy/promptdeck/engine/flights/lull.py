"""Moments in which nobody waits for the first byte of an answer: what can wait is done in them.

To make a recording takes a fraction of a millisecond of the loop, and one of the writer's thread,
which share the interpreter. A client that asks one thing after the other sends its next request a
fraction of a millisecond after the last byte; without a pause its first byte came 1.5 ms later.
"""

import asyncio
from collections import deque

from .flight import Flight

_PAUSE = 0.002
"""Seconds from one look to the next: a client's next request comes sooner."""
_LONGEST = 0.1
"""Seconds after which nothing waits any longer. Models take several times that to begin, so that
what is done then meets few first bytes."""


class Lull:
    """Tells when to do what can wait; knows the flights from their start to their end."""

    def __init__(self) -> None:
        self._flights: set[Flight] = set()
        self._waiting: deque[tuple[float, asyncio.Future[None]]] = deque()
        """When each waits no longer, by the loop's clock; the first is the next."""
        self._timer: asyncio.TimerHandle | None = None

    def begun(self, flight: Flight) -> None:
        """Take note of a flight whose answer is to come."""
        self._flights.add(flight)

    def ended(self, flight: Flight) -> None:
        """Take note that a flight's answer has ended."""
        self._flights.discard(flight)

    @property
    def is_now(self) -> bool:
        """True if of each answer under way something has come."""
        return all(flight.size for flight in self._flights)

    async def come(self) -> None:
        """Return a while later: one at a time where nobody waits for a first byte, or when it has
        been long enough."""
        loop = asyncio.get_running_loop()
        turn = loop.create_future()
        self._waiting.append((loop.time() + _LONGEST, turn))
        self._timer = self._timer or loop.call_later(_PAUSE, self._look, loop)
        await turn

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let the next go on, if this is the moment, and all that have waited for long enough."""
        now, lull = loop.time(), self.is_now
        while self._waiting and (lull or self._waiting[0][0] <= now):
            _, turn = self._waiting.popleft()
            if not turn.done():  # else it is cancelled
                turn.set_result(None)
                lull = False
        # What has come meanwhile goes before the next one.
        pause = 0 if self.is_now else _PAUSE
        self._timer = loop.call_later(pause, self._look, loop) if self._waiting else None

"""The answers that are coming from upstream: launched, given up, waited for at the end.

Where a connection waits for a request, a flight takes no task: it is filled as
the answer comes. Only what follows its arrival has one.
"""

import asyncio
import logging
from collections.abc import Coroutine
from contextlib import suppress
from functools import partial
from typing import Any, Protocol

from promptdeck.engine.asking import Incoming
from promptdeck.errors import UpstreamError

from .flight import Flight, GiveUp, Landed, Sink

log = logging.getLogger("promptdeck")


class Way(Protocol):
    """The way upstream."""

    def begin(self, incoming: Incoming, sink: Sink, landed: Landed) -> GiveUp | None:
        """Send a request at once; None if that can't be, and then `fly` can."""

    async def fly(self, incoming: Incoming, sink: Sink) -> None:
        """Send a request, and its whole answer to the sink. UpstreamError."""


class Flights:
    def __init__(self, way: Way, tasks: asyncio.TaskGroup) -> None:
        self._way = way
        self._group = tasks
        self._flying: dict[Flight, tuple[GiveUp, Landed]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._quiet: asyncio.Event | None = None
        """Set when nothing is under way any more; there only while somebody waits for that."""

    @property
    def under_way(self) -> int:
        """Answers that are still coming, or being recorded."""
        return len(self._flying) + len(self._tasks)

    def launch(self, incoming: Incoming, flight: Flight, landed: Landed) -> None:
        """Ask upstream. `landed` is told the end once, and has the flight end."""
        over = partial(self._land, flight)
        give_up = self._way.begin(incoming, flight, over)
        if give_up is None:
            task = self._group.create_task(self._fly(incoming, flight, over))
            # A task that is cancelled before its first step never runs: readers must not hang.
            task.add_done_callback(lambda _: over(_dropped()))
            give_up = task.cancel
        self._flying[flight] = give_up, landed
        flight.give_up = partial(self._give_up, flight)

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Do what follows an arrival."""
        task = self._group.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    async def finish(self, timeout: float) -> None:
        """Wait for what is under way, `timeout` seconds at most, then end it."""
        if not self.under_way:
            return
        self._quiet = asyncio.Event()
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._quiet.wait()
        if late := self.under_way:
            log.warning("%d answers were still coming at shutdown and are not recorded", late)
        for flight in list(self._flying):
            self._give_up(flight)
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _fly(self, incoming: Incoming, flight: Flight, over: Landed) -> None:
        try:
            await self._way.fly(incoming, flight)
        except UpstreamError as error:
            over(error)
        except Exception:
            # One answer's trouble, even of our own making, must not end the server.
            log.exception("an answer was dropped: unexpected error")
            over(_dropped())
        else:
            over(None)

    def _land(self, flight: Flight, error: UpstreamError | None) -> None:
        """Only the first call counts."""
        if found := self._flying.pop(flight, None):
            _, landed = found
            landed(error)
            self._settle()

    def _give_up(self, flight: Flight) -> None:
        if found := self._flying.get(flight):
            give_up, _ = found
            give_up()
            self._land(flight, _dropped())

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._settle()

    def _settle(self) -> None:
        if self._quiet and not self.under_way:
            self._quiet.set()


def _dropped() -> UpstreamError:
    return UpstreamError("the answer was dropped", code="dropped")

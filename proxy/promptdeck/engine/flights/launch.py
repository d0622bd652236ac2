"""The answers that are coming from upstream: launched, given up, waited for at the end.

Where a connection waits for a request, a flight takes no task: it is filled as
the answer comes. Only what follows its landing has one.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any, Protocol

from promptdeck.core.dialects.table import answered_in
from promptdeck.core.interaction import Request
from promptdeck.engine.incoming import Incoming
from promptdeck.engine.sides import Ended, GiveUp, Sink, Unanswered
from promptdeck.errors import UpstreamError

from .flight import Flight

log = logging.getLogger("promptdeck")


class Way(Protocol):
    """Something that answers a request upstream."""

    def begin(self, incoming: Incoming, sink: Sink, ended: Ended[UpstreamError]) -> GiveUp | None:
        """Send a request at once, and have its answer come to the sink, then `ended`.

        Returns what gives it up. None if the request can't be sent at once: `fly` can send it.
        """

    async def fly(self, incoming: Incoming, sink: Sink) -> None:
        """Send a request; return when its whole answer has gone to the sink. UpstreamError."""


class Flights:
    """The flights of one exchange and the work that follows them; `finish` before the way closes.

    Tasks belong to the group, so that nothing under way is left behind when the server stops.
    """

    def __init__(self, way: Way, tasks: asyncio.TaskGroup) -> None:
        self._way = way
        self._group = tasks
        self._flying: dict[Flight, tuple[GiveUp, Ended[UpstreamError], Request]] = {}
        """Those whose answer has not ended."""
        self._tasks: set[asyncio.Task[None]] = set()
        """What follows those whose answer has ended."""
        self._quiet: asyncio.Event | None = None
        """Set when nothing is under way any more; there only while somebody waits for that."""

    @property
    def under_way(self) -> int:
        """How many answers are still coming, or being recorded."""
        return len(self._flying) + len(self._tasks)

    def launch(self, incoming: Incoming, flight: Flight, ended: Ended[UpstreamError]) -> None:
        """Ask upstream, and fill a flight with the answer.

        `ended` is called once, whatever becomes of the answer, and has the flight land.
        """
        begun = partial(self._begun_ended, incoming, flight)
        at_once = None if incoming.fly else self._way.begin(incoming, flight, begun)
        give_up = at_once or self._flown(incoming, flight)
        self._flying[flight] = give_up, ended, incoming.request
        flight.give_up = partial(self._give_up, flight)

    def _flown(self, incoming: Incoming, flight: Flight) -> GiveUp:
        """Ask upstream in a task; returns what gives that up."""
        told = partial(self._ended, flight)
        task = self._group.create_task(self._fly(incoming, flight, told))
        # A task that is cancelled before its first step never runs: readers must not hang.
        task.add_done_callback(lambda _: told(_dropped()))
        return task.cancel

    def _begun_ended(self, incoming: Incoming, flight: Flight, error: UpstreamError | None) -> None:
        """Pass on that an answer which was begun at once has ended, or ask again if none came."""
        found = self._flying.get(flight)
        if found and isinstance(error, Unanswered):
            self._flying[flight] = (self._flown(incoming, flight), *found[1:])
        else:
            self._ended(flight, error)

    def start(self, work: Coroutine[Any, Any, None], after: Callable[[], None]) -> None:
        """Do, in a task, what follows a landing, and then call `after`; `finish` waits for both.

        `after` is called whatever becomes of the work: a task that is cancelled before its first
        step, or never made as the group has ended, does not even run a `finally`.
        """
        try:
            task = self._group.create_task(work)
        except RuntimeError:
            work.close()
            after()
            return
        self._tasks.add(task)
        task.add_done_callback(partial(self._done, after))

    async def finish(self, timeout: float) -> int:
        """Wait for what is under way, `timeout` seconds at most, then give up the rest.

        Returns how many answers that were.
        """
        if not self.under_way:
            return 0
        # Several may wait at once: two closings of one session, or one and the server's end.
        if self._quiet is None or self._quiet.is_set():
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
        return late

    async def _fly(self, incoming: Incoming, flight: Flight, ended: Ended[UpstreamError]) -> None:
        """Ask upstream where that takes waiting, and tell the end as `Way.begin` would."""
        try:
            if incoming.fly:
                await incoming.fly(flight)
            else:
                await self._way.fly(incoming, flight)
        except UpstreamError as error:
            _let_go(error)
            ended(error)
        except Exception:
            # One answer's trouble, even of our own making, must not end the server.
            log.exception("an answer was dropped: unexpected error")
            ended(_dropped())
        else:
            ended(None)

    def _ended(self, flight: Flight, error: UpstreamError | None) -> None:
        """Pass on that an answer has ended. Only the first call for a flight counts.

        Once its protocol's own end has come an answer is whole, whatever the connection did
        then: was reset, or held open until somebody had waited for long enough.
        """
        if found := self._flying.pop(flight, None):
            _, ended, request = found
            flight.give_up = None  # it leads back to the flight: a ring
            ended(None if error and _has_ended(request, flight) else error)
            self._settle()

    def _give_up(self, flight: Flight) -> None:
        """Let upstream go, and have the flight end as dropped, unless it has ended."""
        if found := self._flying.get(flight):
            give_up, *_ = found
            give_up()
            self._ended(flight, _dropped())

    def _done(self, after: Callable[[], None], task: asyncio.Task[None]) -> None:
        """Forget a task that has ended, and do what is to be done after it."""
        self._tasks.discard(task)
        after()
        self._settle()

    def _settle(self) -> None:
        """Tell whoever waits for it that nothing is under way any more."""
        if self._quiet and not self.under_way:
            self._quiet.set()


def _has_ended(request: Request, flight: Flight) -> bool:
    """True if the end of an answer's protocol has come, whatever comes of the connection."""
    head = flight.known_head
    return head is not None and answered_in(request, head.headers).has_ended(flight.tail)


def _let_go(error: BaseException | None) -> None:
    """Forget the frames of an error and of those that led to it: rings, in which the flight is."""
    while error:
        before, error.__context__, error.__traceback__ = error.__context__, None, None
        error = before


def _dropped() -> UpstreamError:
    return UpstreamError("the answer was dropped", code="dropped")

"""Runs: begun, shared by who asks the same, driven to their end into a flight of their own."""

import asyncio
import logging
from collections.abc import Callable
from functools import partial

from promptdeck.core import headers as http
from promptdeck.core.agent.asked import Wish, wish_of
from promptdeck.core.dialects.base import essence, is_json
from promptdeck.core.dialects.table import is_chat
from promptdeck.core.policy import Mode
from promptdeck.core.text.jsontext import JSONObject, Unfaithful, parse
from promptdeck.engine.decks.deck import Deck
from promptdeck.engine.exchange import Exchange
from promptdeck.engine.flights.flight import Flight
from promptdeck.engine.incoming import Incoming
from promptdeck.engine.outcome import Flown, Served
from promptdeck.errors import ClientError, HTTPError, UpstreamError

from .driving import DrivenRun, HandoffKeeper, ModelRefused, RunWanted
from .sides import ToolWay
from .tooling import RunLimits

log = logging.getLogger("promptdeck")


class Agents:
    """`answer` requests that name MCP servers; `finish` before what they ask is closed.

    `way` asks servers, and is called for the first of them; None in replay.
    """

    def __init__(
        self,
        way: Callable[[], ToolWay] | None,
        tasks: asyncio.TaskGroup,
        handoffs: HandoffKeeper,
        limits: RunLimits,
        *,
        keep_bytes: int,
    ) -> None:
        self._way = way
        self._tasks = tasks
        self._handoffs = handoffs
        self._limits = limits
        self._keep_bytes = keep_bytes
        self._under_way: dict[tuple[Deck, str, bool], Flight] = {}
        self._running: set[asyncio.Task[None]] = set()

    async def answer(
        self, exchange: Exchange, incoming: Incoming, deck: Deck
    ) -> Served | Flown | None:
        """Answer a request by a run; None for one that names no servers. HTTPError.

        What is recorded of the request as a whole, by an upstream that ran the tools itself,
        answers it as ever.
        """
        wanted = self._wanted(incoming)
        if wanted is None:
            return None
        body, wish = wanted
        key, recorded = await exchange.recorded(incoming, deck)
        if recorded:
            return recorded
        job = RunWanted(exchange, incoming, deck, body, wish, key)
        answer = await exchange.once(incoming, deck, partial(self._begun, job))
        return answer if isinstance(answer, Served | Flown) else None

    async def finish(self, timeout: float) -> None:
        """Wait for runs that are under way, `timeout` seconds at most, then end them."""
        if self._running:
            await asyncio.wait(self._running, timeout=timeout)
        for task in self._running:
            task.cancel()

    def _wanted(self, incoming: Incoming) -> tuple[JSONObject, Wish] | None:
        """A request's body and what it asks of a run; None where it names no server.

        ClientError, 403 for what a web page may send without asking: it could start a tool.
        """
        request = incoming.request
        if b'"mcp_servers"' not in request.body or not is_chat(request.method, request.target):
            return None
        try:
            body = parse(request.body)
        except Unfaithful:
            return None
        wish = wish_of(body, self._limits.most_turns) if isinstance(body, dict) else None
        if wish is None:
            return None
        if not is_json(essence(request.content_type)):
            raise ClientError(
                "a request with mcp_servers needs Content-Type: application/json: web pages can"
                " send others to this machine without asking",
                code="not_json",
                status=403,
                param="Content-Type",
                retry=False,
            )
        return body, wish

    async def _begun(self, job: RunWanted) -> Flown:
        """Begin a run, or join one of the same request that is under way."""
        mode = job.exchange.mode
        place = (job.deck, job.key, job.streams)
        status = "hit" if mode is Mode.REPLAY else "fwd=request"
        shared = self._under_way.get(place) if mode.shares_flights else None
        if shared and shared.whole and not shared.failed:
            status = http.cache_status(status, "collapsed", key=job.key, detail="run")
            return Flown(shared, shared.join(), status, job.incoming.request)
        flight = Flight(keep_bytes=self._keep_bytes, outlives_readers=mode.fills_cassettes)
        reader = flight.join()
        self._under_way[place] = flight
        task = self._tasks.create_task(self._fly(job, flight))
        self._running.add(task)
        flight.give_up = task.cancel

        def done(task: asyncio.Task[None]) -> None:
            self._running.discard(task)
            if self._under_way.get(place) is flight:
                del self._under_way[place]
            flight.give_up = None
            flight.land(_dropped() if task.cancelled() else None)

        task.add_done_callback(done)
        status = http.cache_status(status, key=job.key, detail="run")
        return Flown(flight, reader, status, job.incoming.request)

    async def _fly(self, job: RunWanted, flight: Flight) -> None:
        """Fill a flight with a run's answer. Raises nothing."""
        try:
            async with asyncio.timeout(self._limits.run_timeout):
                await DrivenRun(job, flight, self._limits, self._handoffs, self._way).drive()
        except ModelRefused as no:
            if flight.known_head is None:
                flight.headed(no.status, no.headers, no.body)
            else:
                told = f"upstream answered {no.status} in a later turn of the run"
                flight.land(UpstreamError(told, code="upstream_error", status=no.status))
        except TimeoutError:
            told = f"the run took more than agent.run_timeout ({self._limits.run_timeout:g} s)"
            flight.land(UpstreamError(told, code="run_timeout", status=504))
        except HTTPError as error:
            flight.land(_as_upstream(error))
        except Exception:
            # One run's trouble, even of our own making, must not end the server.
            log.exception("a run was dropped: unexpected error")
            flight.land(_dropped())


def _as_upstream(error: HTTPError) -> UpstreamError:
    """An error as the readers of a flight have it: the same in every word."""
    if isinstance(error, UpstreamError):
        return error
    same = UpstreamError(
        error.message,
        code=error.code,
        status=error.status,
        param=error.param,
        details=error.details,
        retry=error.retry,
    )
    same.type = error.type
    return same


def _dropped() -> UpstreamError:
    return UpstreamError("the run was dropped", code="dropped")

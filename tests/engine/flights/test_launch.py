"""What is under way upstream: launched in either way, given up, waited for at the end."""

import asyncio
from collections.abc import Callable

import pytest

from promptdeck.core.interaction import Request
from promptdeck.engine.flights.flight import Flight
from promptdeck.engine.flights.launch import Flights
from promptdeck.engine.incoming import Incoming
from promptdeck.engine.sides import Ended, Sink
from promptdeck.errors import UpstreamError
from tests.dialects import PROTOCOLS
from tests.translations import PAIRS, asked_by, served_by

INCOMING = Incoming(Request("POST", "/v1/chat/completions", "application/json", b"{}"), ())


class Road:
    """A way upstream on which nothing comes but what a test sends."""

    def __init__(self, *, waits: bool) -> None:
        self.waits = waits
        """Whether a connection waits for a request."""
        self.given_up = 0
        self.told: Ended[UpstreamError] | None = None
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def begin(
        self, incoming: Incoming, sink: Sink, ended: Ended[UpstreamError]
    ) -> Callable[[], object] | None:
        if not self.waits:
            return None
        self.told = ended
        sink.headed(200, (), b"")
        return self.give_up

    def give_up(self) -> None:
        self.given_up += 1

    async def fly(self, incoming: Incoming, sink: Sink) -> None:
        sink.headed(200, (), b"")
        try:
            await self.done
        except asyncio.CancelledError:
            self.given_up += 1
            raise

    def end(self, error: Exception | None = None) -> None:
        if self.told:
            assert error is None or isinstance(error, UpstreamError)
            self.told(error)
        elif error:
            self.done.set_exception(error)
        else:
            self.done.set_result(None)


WAYS = pytest.mark.parametrize("waits", [True, False], ids=["on a connection", "in a task"])


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@WAYS
@pytest.mark.parametrize("error", [None, UpstreamError("cut")])
async def test_an_end_is_told_once(waits: bool, error: UpstreamError | None) -> None:
    told: list[UpstreamError | None] = []
    async with asyncio.TaskGroup() as tasks:
        road = Road(waits=waits)
        flights = Flights(road, tasks)
        flights.launch(INCOMING, Flight(keep_bytes=0, outlives_readers=False), told.append)
        await settle()
        assert flights.under_way == 1
        road.end(error)
        await settle()
    assert told == [error]
    assert flights.under_way == 0


@WAYS
async def test_a_flight_without_readers_is_given_up(waits: bool) -> None:
    async with asyncio.TaskGroup() as tasks:
        road = Road(waits=waits)
        flight = Flight(keep_bytes=0, outlives_readers=False)
        Flights(road, tasks).launch(INCOMING, flight, flight.land)
        place = flight.join()
        await settle()
        flight.leave(place)
        await settle()
    assert road.given_up == 1
    assert flight.failed


async def test_trouble_of_our_own_ends_the_flight_and_nothing_else() -> None:
    async with asyncio.TaskGroup() as tasks:
        road = Road(waits=False)
        flight = Flight(keep_bytes=0, outlives_readers=False)
        Flights(road, tasks).launch(INCOMING, flight, flight.land)
        road.end(ValueError("a URL that is none"))
        await settle()
    assert flight.failed


@WAYS
async def test_the_end_waits_for_answers_and_for_what_follows_them(waits: bool) -> None:
    recorded = []
    async with asyncio.TaskGroup() as tasks:
        road = Road(waits=waits)
        flights = Flights(road, tasks)
        flight = Flight(keep_bytes=0, outlives_readers=True)

        async def record() -> None:
            await asyncio.sleep(0.01)
            recorded.append(flight.landed_well)

        def landed(error: UpstreamError | None) -> None:
            flight.land(error)
            flights.start(record(), lambda: None)

        flights.launch(INCOMING, flight, landed)
        asyncio.get_running_loop().call_later(0.01, road.end)
        await flights.finish(10)
    assert recorded == [True]
    assert road.given_up == 0


async def test_what_is_to_be_done_after_work_is_done_though_it_never_began() -> None:
    done: list[str] = []

    async def record() -> None:
        done.append("recorded")

    async with asyncio.TaskGroup() as tasks:
        road = Road(waits=True)
        flights = Flights(road, tasks)
        flight = Flight(keep_bytes=0, outlives_readers=True)

        def ended(error: UpstreamError | None) -> None:
            flight.land(error)
            flights.start(record(), lambda: done.append("let go"))

        flights.launch(INCOMING, flight, ended)
        # The flight is given up, which starts the work, and the work is cancelled at once.
        await flights.finish(0)
        assert done == ["let go"]
    flights.start(record(), lambda: done.append("let go late"))
    assert done == ["let go", "let go late"]


@WAYS
async def test_all_who_wait_for_the_end_are_told_of_it(waits: bool) -> None:
    async with asyncio.TaskGroup() as tasks:
        road = Road(waits=waits)
        flights = Flights(road, tasks)
        flight = Flight(keep_bytes=0, outlives_readers=True)
        flights.launch(INCOMING, flight, flight.land)
        waiting = [tasks.create_task(flights.finish(10_000)) for _ in range(3)]
        await settle()
        road.end()
        await asyncio.gather(*waiting)
    assert road.given_up == 0


@WAYS
async def test_what_takes_too_long_at_the_end_is_given_up(waits: bool) -> None:
    async with asyncio.TaskGroup() as tasks:
        road = Road(waits=waits)
        flights = Flights(road, tasks)
        flight = Flight(keep_bytes=0, outlives_readers=True)
        flights.launch(INCOMING, flight, flight.land)
        flights.start(asyncio.sleep(1000), lambda: None)
        await settle()
        await flights.finish(0.01)
        assert flights.under_way == 0
    assert road.given_up == 1
    assert flight.failed


@pytest.mark.parametrize(("client", "upstream"), PAIRS)
async def test_an_answer_is_whole_once_its_own_dialects_end_has_come(
    client: str, upstream: str
) -> None:
    protocol = PROTOCOLS[upstream]
    incoming = Incoming(asked_by(client), ())
    for count in (protocol.end - 1, protocol.end):
        road = Road(waits=True)
        ends: list[UpstreamError | None] = []
        async with asyncio.TaskGroup() as group:
            flights = Flights(road, group)
            flight = Flight(keep_bytes=1 << 20, outlives_readers=True)
            flights.launch(incoming, flight, ends.append)
            flight.headed(200, (served_by(upstream),), b"".join(protocol.stream[:count]))
            road.end(UpstreamError("reset"))
        # Those of the others may be followed by more.
        whole = count == protocol.end and upstream in ("messages", "responses")
        assert [error is None for error in ends] == [whole]

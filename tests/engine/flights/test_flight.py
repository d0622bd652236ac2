"""The log of one upstream response: tee, late joiners, back-pressure, ends."""

import asyncio
import gc
import logging
import weakref

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.interaction import Headers
from promptdeck.engine.flights.flight import Flight
from promptdeck.engine.flights.log import WINDOW, Reader
from promptdeck.errors import UpstreamError
from tests.clock import Clock


class Wire:
    """An upstream that sends what a test puts on it; None ends, an exception cuts."""

    status = 200
    headers: Headers = (("content-type", "text/plain"),)

    def __init__(self) -> None:
        self.queue: asyncio.Queue[bytes | Exception | None] = asyncio.Queue()
        self.taken = 0
        self.closed = False

    def send(self, *items: bytes | Exception | None) -> None:
        for item in items:
            self.queue.put_nowait(item)

    async def fly(self, flight: Flight) -> None:
        flight.headed(200, self.headers, b"")
        try:
            while (item := await self.queue.get()) is not None:
                if isinstance(item, UpstreamError):
                    flight.land(item)
                elif isinstance(item, Exception):
                    raise item
                else:
                    self.taken += 1
                    if full := flight.came(item):
                        await full
        finally:
            self.closed = True
            flight.land()


def launch(wire: Wire, *, keep: int = 1 << 30, outlives: bool = True) -> Flight:
    flight = Flight(keep_bytes=keep, outlives_readers=outlives)
    flight.give_up = asyncio.get_running_loop().create_task(wire.fly(flight)).cancel
    return flight


async def read_all(flight: Flight, place: Reader) -> bytes:
    return b"".join([data async for data in flight.read(place)])


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_every_reader_gets_every_byte() -> None:
    wire = Wire()
    flight = launch(wire)
    places = [flight.join() for _ in range(3)]
    wire.send(b"one ", b"two ", b"three", None)
    assert (
        await asyncio.gather(*(read_all(flight, place) for place in places))
        == [b"one two three"] * 3
    )


async def test_late_joiner_gets_the_prefix_and_then_the_live_tail() -> None:
    wire = Wire()
    flight = launch(wire)
    first = flight.join()
    wire.send(b"early ")
    reader = flight.read(first)
    assert await anext(reader) == b"early "
    late = flight.read(flight.join())
    assert await anext(late) == b"early "
    wire.send(b"live", None)
    assert await anext(late) == b"live"
    assert await anext(reader) == b"live"


async def test_one_who_joins_after_the_end_gets_the_whole_body() -> None:
    wire = Wire()
    flight = launch(wire)
    wire.send(b"a", b"b", None)
    await settle()
    assert flight.landed_well
    assert await read_all(flight, flight.join()) == b"ab"


async def test_head_is_known_before_the_body() -> None:
    wire = Wire()
    flight = launch(wire)
    head = await flight.head()
    assert (head.status, head.headers) == (200, Wire.headers)


async def test_a_cut_reaches_every_reader_after_the_bytes_before_it() -> None:
    wire = Wire()
    flight = launch(wire)
    place = flight.join()
    wire.send(b"half", UpstreamError("cut"))
    got = []
    with pytest.raises(UpstreamError, match="cut"):
        async for data in flight.read(place):
            got.append(data)  # noqa: PERF401  what came before the error counts
    assert got == [b"half"]
    assert flight.failed
    assert not flight.landed_well


async def test_no_answer_at_all_is_an_error_at_the_head() -> None:
    flight = Flight(keep_bytes=10, outlives_readers=True)
    flight.land(UpstreamError("connection refused"))
    with pytest.raises(UpstreamError, match="refused"):
        await flight.head()


async def test_the_last_reader_to_leave_ends_a_flight_that_nobody_records() -> None:
    wire = Wire()
    flight = launch(wire, outlives=False)
    one, two = flight.join(), flight.join()
    await settle()
    flight.leave(one)
    await settle()
    assert not wire.closed
    flight.leave(two)
    await settle()
    assert wire.closed


async def test_a_recorded_flight_goes_on_without_readers() -> None:
    wire = Wire()
    flight = launch(wire)
    flight.leave(flight.join())
    wire.send(b"x" * WINDOW, b"y" * WINDOW, b"z", None)
    await settle()
    assert flight.landed_well
    assert flight.whole


async def test_a_flight_too_large_to_keep_ends_when_its_readers_leave() -> None:
    wire = Wire()
    flight = launch(wire, keep=10)
    place = flight.join()
    wire.send(b"x" * 11)
    assert await anext(flight.read(place)) == b"x" * 11
    flight.leave(place)
    await settle()
    assert wire.closed
    assert not flight.whole


@pytest.mark.parametrize("early", [True, False], ids=["before the head", "after it"])
async def test_a_flight_that_outgrows_its_limit_without_readers_is_given_up(early: bool) -> None:
    flight = Flight(keep_bytes=1000, outlives_readers=True)
    given_up: list[int] = []
    flight.give_up = lambda: given_up.append(flight.size)
    place = flight.join()
    if early:
        flight.leave(place)
    flight.headed(200, (), b"x" * 1000)
    flight.leave(place)
    assert given_up == []
    flight.came(b"y")
    assert given_up == [1001]
    assert flight.chunks == ()


async def test_an_answer_whose_head_says_that_it_is_not_kept_is_given_up_without_readers() -> None:
    flight = Flight(keep_bytes=1000, outlives_readers=True)
    flight.refusal = lambda head: f"status {head.status}"
    given_up: list[str] = []
    flight.give_up = lambda: given_up.append(flight.unkept)
    place = flight.join()
    flight.headed(500, (), b"x")
    late = flight.join()
    flight.leave(place)
    assert given_up == []
    assert flight.take(late) == b"x"
    flight.leave(late)
    assert given_up == ["status 500"]


async def test_a_client_that_left_before_such_a_head_gives_the_flight_up_when_it_comes() -> None:
    flight = Flight(keep_bytes=1000, outlives_readers=True)
    flight.refusal = lambda head: f"status {head.status}"
    given_up: list[int] = []
    flight.give_up = lambda: given_up.append(1)
    flight.leave(flight.join())
    assert given_up == []
    flight.headed(500, (), b"x")
    assert given_up == [1]


class Uncollected:
    """No garbage collector: what dies within has no ring."""

    def __enter__(self) -> None:
        gc.collect()
        gc.disable()

    def __exit__(self, *_: object) -> None:
        gc.enable()


class Breaking:
    """A client that cannot be written to."""

    def write(self, data: bytes) -> bool:
        raise ConnectionResetError("gone")

    async def drain(self) -> None: ...

    def company(self) -> None: ...


@pytest.mark.parametrize(
    ("how", "error"),
    [
        *((how, None) for how in ("read", "follow", "in silence", "break", "wait", "stall")),
        *((how, UpstreamError("cut")) for how in ("read", "follow", "stall")),
    ],
)
async def test_a_landed_flight_is_let_go_at_once(how: str, error: UpstreamError | None) -> None:
    async def use() -> "weakref.ref[Flight]":
        flight = Flight(keep_bytes=1 << 20, outlives_readers=True)
        flight.give_up = lambda: None
        place = flight.join()
        loop = asyncio.get_running_loop()
        task: asyncio.Task[object]
        if how in ("read", "stall"):
            task = loop.create_task(read_all(flight, place))
        elif how == "wait":
            task = loop.create_task(flight.head())
        else:
            client = Breaking() if how == "break" else Client()
            idle = 60 if how == "in silence" else None
            task = loop.create_task(flight.follow(place, client, idle))
        await settle()
        if how != "wait":
            flight.headed(200, (), b"a" * (2 * WINDOW if how == "stall" else 1))
            flight.came(b"b")
            await settle()
        try:
            raise error or ValueError
        except UpstreamError as why:
            flight.land(why)
        except ValueError:
            flight.land()
        await asyncio.wait([task])
        assert str(task.exception()) in ("None", "cut", "gone", "upstream gave no answer")
        # This frame, too, is one of those that the error leads to.
        del task
        flight.leave(place)
        return weakref.ref(flight)

    with Uncollected():
        flight = await use()
        await settle()
        assert flight() is None


async def test_news_that_one_reader_cannot_take_are_news_for_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail() -> None:
        raise ValueError("a fault of ours")

    flight = Flight(keep_bytes=10, outlives_readers=True)
    told: list[bool] = []
    readers = [flight.join() for _ in range(3)]
    for reader in readers:
        reader.news = lambda: told.append(flight.landed)
    readers[1].news = fail
    with caplog.at_level(logging.ERROR):
        flight.headed(200, (), b"")
        flight.land()
    assert told == [False, False, True, True]
    assert caplog.text.count("a fault of ours") >= 2


async def test_upstream_waits_for_a_reader_that_does_not_read() -> None:
    wire = Wire()
    flight = launch(wire)
    place = flight.join()
    piece = b"x" * (WINDOW // 4)
    wire.send(*[piece] * 40, None)
    await settle()
    assert wire.taken == 5
    assert len(await read_all(flight, place)) == 40 * len(piece)


async def test_a_stalled_reader_does_not_hold_up_another_while_the_log_is_whole() -> None:
    wire = Wire()
    flight = launch(wire)
    flight.join()
    quick = flight.join()
    wire.send(*[b"x" * WINDOW] * 8, None)
    assert len(await read_all(flight, quick)) == 8 * WINDOW


async def test_memory_stays_bounded_where_nothing_is_kept() -> None:
    wire = Wire()
    flight = launch(wire, keep=0)
    place = flight.join()
    wire.send(*[b"x" * 1000] * 100, None)
    seen = 0
    async for data in flight.read(place):
        seen += len(data)
        assert len(flight.chunks) * 1000 <= WINDOW + 1000
    assert seen == 100_000
    assert flight.chunks == ()


class Client:
    """Follows: has room for `room` pieces until it is drained."""

    def __init__(self, room: int = 1_000_000) -> None:
        self.got: list[bytes] = []
        self.room = room
        self.gate = asyncio.Event()

    def write(self, data: bytes) -> bool:
        self.got.append(data)
        return len(self.got) < self.room

    async def drain(self) -> None:
        if len(self.got) >= self.room:
            await self.gate.wait()
            self.room = 1_000_000

    def company(self) -> None:
        self.got.append(b"")


def follow(flight: Flight, client: Client, idle: float | None = None) -> asyncio.Task[None]:
    return asyncio.get_running_loop().create_task(flight.follow(flight.join(), client, idle))


async def test_a_follower_gets_each_piece_in_the_call_in_which_it_comes() -> None:
    flight = Flight(keep_bytes=0, outlives_readers=False)
    client = Client()
    following = follow(flight, client)
    await settle()
    flight.came(b"now")
    assert client.got == [b"now"]
    flight.land()
    await following


async def test_a_follower_without_room_is_left_alone_until_it_is_drained() -> None:
    wire, client = Wire(), Client(room=2)
    flight = launch(wire, keep=0)
    following = follow(flight, client)
    wire.send(b"a")
    await settle()
    wire.send(b"b", b"c", b"d", None)
    await settle()
    assert client.got == [b"a", b"b"]
    client.gate.set()
    await following
    assert client.got == [b"a", b"b", b"cd"]


async def test_upstream_waits_for_a_follower_without_room() -> None:
    wire, client = Wire(), Client(room=1)
    flight = launch(wire, keep=0)
    following = follow(flight, client)
    await settle()
    piece = b"x" * (WINDOW // 4)
    wire.send(*[piece] * 40, None)
    await settle()
    assert (len(client.got), wire.taken) == (1, 6)
    assert sum(len(chunk.data) for chunk in flight.chunks) <= WINDOW + len(piece)
    client.gate.set()
    await following
    assert b"".join(client.got) == piece * 40


async def test_a_late_follower_gets_the_prefix_while_another_follows() -> None:
    wire, first, late = Wire(), Client(), Client()
    flight = launch(wire)
    tasks = [follow(flight, first)]
    await settle()
    wire.send(b"a", b"b")
    await settle()
    tasks.append(follow(flight, late))
    await settle()
    wire.send(b"c", None)
    await asyncio.gather(*tasks)
    assert (first.got, late.got) == ([b"a", b"b", b"c"], [b"ab", b"c"])


async def test_the_trouble_of_one_follower_is_not_that_of_upstream_or_of_another() -> None:
    class Gone(Client):
        def write(self, data: bytes) -> bool:
            raise ConnectionResetError("gone")

    wire, other = Wire(), Client()
    flight = launch(wire)
    gone, staying = follow(flight, Gone()), follow(flight, other)
    await settle()
    wire.send(b"a", b"b", None)
    await staying
    with pytest.raises(ConnectionResetError):
        await gone
    assert other.got == [b"a", b"b"]
    assert flight.landed_well


async def test_a_follower_is_told_of_a_cut_after_the_bytes_before_it() -> None:
    wire, client = Wire(), Client()
    flight = launch(wire)
    following = follow(flight, client)
    wire.send(b"half", UpstreamError("cut"))
    with pytest.raises(UpstreamError, match="cut"):
        await following
    assert client.got == [b"half"]


async def test_a_follower_keeps_its_client_company_in_silence_only() -> None:
    clock, wire, client = Clock(), Wire(), Client()
    flight = launch(wire)
    following = follow(flight, client, idle=60)
    for _ in range(10):
        wire.send(b"a")
        await settle()
        clock.ahead(40)
        await settle()
    assert client.got == [b"a"] * 10
    for _ in range(2):
        clock.ahead(60)
        await settle()
    assert client.got == [b"a"] * 10 + [b""] * 2
    wire.send(b"b", None)
    await following
    assert b"".join(client.got) == b"a" * 10 + b"b"


async def test_a_follower_that_is_cancelled_is_written_to_no_more() -> None:
    wire, client = Wire(), Client()
    flight = launch(wire)
    following = follow(flight, client)
    wire.send(b"a")
    await settle()
    following.cancel()
    await settle()
    wire.send(b"b", None)
    await settle()
    assert client.got == [b"a"]


@given(
    pieces=st.lists(st.binary(min_size=1, max_size=5), max_size=12),
    joins=st.lists(st.integers(0, 12), max_size=4),
)
def test_readers_that_join_at_any_moment_see_the_same_bytes(
    pieces: list[bytes], joins: list[int]
) -> None:
    async def run() -> list[bytes]:
        wire = Wire()
        flight = launch(wire)
        readers = []
        loop = asyncio.get_running_loop()
        for number, piece in enumerate([*pieces, None]):
            for _ in range(joins.count(number)):
                readers.append(loop.create_task(read_all(flight, flight.join())))  # noqa: PERF401
            wire.send(piece)
            await asyncio.sleep(0)
        return list(await asyncio.gather(*readers))

    bodies = asyncio.run(run())
    assert all(body == b"".join(pieces) for body in bodies)


class Leaving(Client):
    """One whose connection breaks when it is written to for the n-th time."""

    def write(self, data: bytes) -> bool:
        if len(self.got) == self.room:
            raise ConnectionResetError("gone")
        return super().write(data) or True


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.sampled_from([1, 3, 5, WINDOW // 2, WINDOW + 1])),
        st.tuples(st.sampled_from(["keeps up", "reads"]), st.just(0)),
        st.tuples(st.sampled_from(["stalls", "breaks"]), st.integers(1, 4)),
        st.tuples(st.sampled_from(["cancel", "open", "wait"]), st.integers(0, 5)),
    ),
    max_size=40,
)


class Crowd:
    """Clients of all kinds at one flight."""

    def __init__(self, flight: Flight) -> None:
        self.flight = flight
        self.clients: list[Client] = []
        self.tasks: list[asyncio.Task[None]] = []

    def come(self, what: str, room: int = 0) -> None:
        self.clients.append((Leaving if what == "breaks" else Client)(room or 1_000_000))
        serving = self._serve(self.clients[-1], self.flight.join(), reads=what == "reads")
        self.tasks.append(asyncio.get_running_loop().create_task(serving))

    async def _serve(self, client: Client, place: Reader, *, reads: bool) -> None:
        try:
            if reads:
                async for data in self.flight.read(place):
                    client.got.append(data)
            else:
                await self.flight.follow(place, client)
        finally:
            self.flight.leave(place)

    async def step(self, what: str, amount: int) -> None:
        if what == "wait":
            for _ in range(amount):
                await asyncio.sleep(0)
        elif what in ("cancel", "open"):
            # The first is never cancelled: it is there to get all.
            if what == "open":
                self.clients[amount % len(self.clients)].gate.set()
            elif n := amount % len(self.tasks):
                await asyncio.sleep(0)  # what has not begun cannot leave its place
                self.tasks[n].cancel()
        elif self.flight.whole:
            self.come(what, amount)

    async def ends(self) -> list[BaseException | None]:
        for client in self.clients:
            client.gate.set()
        return await asyncio.wait_for(asyncio.gather(*self.tasks, return_exceptions=True), 60)


@given(steps=STEPS, keep=st.sampled_from([0, 10, WINDOW, 1 << 30]), cut=st.booleans())
def test_in_any_schedule_everyone_gets_all_in_order_or_leaves(
    steps: list[tuple[str, int]], keep: int, cut: bool
) -> None:
    async def run() -> tuple[bytes, list[Client], list[BaseException | None]]:
        wire = Wire()
        crowd = Crowd(launch(wire, keep=keep))
        crowd.come("keeps up")
        sent = b""
        for number, (what, amount) in enumerate(steps):
            if what == "send":
                piece = bytes([number]) * amount
                sent += piece
                wire.send(piece)
            else:
                await crowd.step(what, amount)
        wire.send(UpstreamError("cut") if cut else None)
        return sent, crowd.clients, await crowd.ends()

    sent, clients, ends = asyncio.run(run())
    assert isinstance(ends[0], UpstreamError | None)
    for client, end in zip(clients, ends, strict=True):
        got = b"".join(client.got)
        if isinstance(end, ConnectionResetError | asyncio.CancelledError):
            assert sent.startswith(got)
        else:
            assert got == sent
            assert isinstance(end, UpstreamError) == cut

"""A client's line to upstream: what comes goes to the answer that is under way."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from aiohttp import web

from promptdeck.core.dialects.sockets import MESSAGE, Close, said_in
from promptdeck.core.interaction import Headers, Request
from promptdeck.engine.incoming import Incoming
from promptdeck.engine.sides import Full, Line
from promptdeck.errors import UpstreamError
from promptdeck.upstream import Upstream as Way
from promptdeck.upstream.keys import Keys
from tests.scripted_socket import created, response, talking
from tests.scripted_upstream import Upstream, raw


class Noted:
    """A sink that notes what it is given."""

    def __init__(self) -> None:
        self.status = 0
        self.body = b""
        self.said: list[object] = []

    def headed(self, status: int, headers: Headers, data: bytes) -> Full:
        del headers
        self.status, self.body = status, data
        return None

    def came(self, data: bytes) -> Full:
        self.said.append(said_in(data))
        return None


def incoming(target: str) -> Incoming:
    return Incoming(Request(MESSAGE, target, "", b""), ())


Make = Callable[[str], tuple[Line, list[bytes]]]


@pytest.fixture
async def lines(provider: Upstream) -> AsyncIterator[Make]:
    way = Way(provider.url, Keys(), 5, 5)

    def make(target: str = "/v1/realtime") -> tuple[Line, list[bytes]]:
        strays: list[bytes] = []

        async def stray(frame: bytes) -> None:
            strays.append(frame)

        return way.line(incoming(target), stray), strays

    yield make
    await way.close()


async def test_each_answer_has_its_own(lines: Make, provider: Upstream) -> None:
    async def talk(socket: web.WebSocketResponse) -> None:
        await socket.send_str("hello")
        async for said in socket:
            await socket.send_str(f"1 {said.data}")
            await socket.send_str(f"2 {said.data}")

    provider.answers = [talking(talk)]
    line, _ = lines("/v1/realtime")
    opening, first, second = Noted(), Noted(), Noted()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(line.open(opening))
        await until(lambda: opening.said)
        tasks.create_task(line.say("a", "a", first))
        await until(lambda: len(first.said) == 2)
        tasks.create_task(line.say(b"b", b"b", second))
        await until(lambda: len(second.said) == 2)
        line.hang_up(Close(1000))
    assert (opening.status, opening.said) == (101, ["hello"])
    assert (first.status, first.said) == (200, ["1 a", "2 a"])
    assert second.said == ["1 b'b'", "2 b'b'"]


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not true():
            await asyncio.sleep(0.001)


async def test_what_comes_after_an_end_is_astray(lines: Make, provider: Upstream) -> None:
    async def talk(socket: web.WebSocketResponse) -> None:
        await socket.receive()
        for event in [*response("r", "hi"), "late"]:
            await socket.send_str(event)
        await socket.close(code=4000, message=b"enough")

    provider.answers = [talking(talk)]
    line, strays = lines("/v1/responses")
    answer = Noted()
    await line.say(created("hi"), created("hi"), answer)
    assert answer.said == response("r", "hi")
    await until(lambda: len(strays) == 2)
    assert [*map(said_in, strays)] == ["late", Close(4000, "enough")]
    with pytest.raises(UpstreamError):
        await line.say(created("again"), "", Noted())


async def test_who_hangs_up_in_mid_answer_has_none(lines: Make, provider: Upstream) -> None:
    async def talk(socket: web.WebSocketResponse) -> None:
        await socket.receive()
        await socket.send_str(response("r", "hi")[0])
        await socket.receive()

    provider.answers = [talking(talk)]
    line, _ = lines("/v1/responses")
    answer = Noted()

    async def hang_up() -> None:
        await until(lambda: answer.said)
        line.hang_up(Close(1000))

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(hang_up())
        with pytest.raises(UpstreamError):
            await line.say(created("hi"), created("hi"), answer)


@pytest.mark.parametrize("status", [200, 301, 404, 426])
async def test_a_refusal_is_an_answer(lines: Make, provider: Upstream, status: int) -> None:
    provider.answers = [raw(b"no", status=status, headers={"Location": "http://127.0.0.1:9/"})]
    line, _ = lines("/v1/realtime")
    opening = Noted()
    await line.open(opening)
    assert (opening.status, opening.body) == (status, b"no")
    line, _ = lines("/v1/realtime")
    with pytest.raises(UpstreamError, match=str(status)):
        await line.say("hi", "hi", Noted())
    assert len(provider.seen) == 2


async def test_a_target_that_leads_elsewhere_is_refused(lines: Make, provider: Upstream) -> None:
    line, _ = lines("/v1/../realtime")
    with pytest.raises(UpstreamError) as error:
        await line.open(Noted())
    assert error.value.code == "bad_path"
    assert provider.seen == []


async def test_what_upstream_cannot_know_is_not_asked(lines: Make, provider: Upstream) -> None:
    line, _ = lines("/v1/responses")
    line.behind = True
    with pytest.raises(UpstreamError) as error:
        more = created("more", previous_response_id="resp_1")
        await line.say(more, more, Noted())
    assert (error.value.code, error.value.status) == ("socket_behind", 409)
    assert provider.seen == []

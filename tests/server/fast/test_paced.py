"""Recordings at their pace, written from the connection: as the ordinary way writes them."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.app import Serving, serving
from promptdeck.config import load
from promptdeck.core.counts import Counts
from promptdeck.core.interaction import Frame, Response
from promptdeck.server.answers.pace import beats_of
from promptdeck.server.answers.rendering import rendering_of
from promptdeck.server.fast import connection as fastpath
from promptdeck.server.fast.paced import Paced, chunked
from tests.conftest import Start
from tests.raw_client import Got, dechunked, talking
from tests.scripted_upstream import Answer, Seen, chunk, chunks

FRAMES = chunks("one two three four")
GAP = 0.015
"""Seconds between them."""


def body(prompt: str, *, stream: bool = True) -> bytes:
    flag = b"true" if stream else b"false"
    return b'{"model":"m","messages":[{"role":"user","content":"%b"}],"stream":%b}' % (
        prompt.encode(),
        flag,
    )


@pytest.fixture(scope="module")
def all_paced() -> Iterator[list[Paced]]:
    """The answers that took this way: without them a test would prove nothing."""
    seen: list[Paced] = []

    class Counted(Paced):
        def begin(self) -> None:
            seen.append(self)
            super().begin()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fastpath, "Paced", Counted)
        yield seen


@pytest.fixture
def played(all_paced: list[Paced]) -> list[Paced]:
    all_paced.clear()
    return all_paced


@pytest.fixture
async def recorded(start: Start) -> Start:
    """A cassette with streams whose frames are `GAP` apart, and an answer that is none."""
    deck = await start(mode="record", cassette="c")
    for prompt in ("first", "streamed"):
        deck.upstream.answers = [slowly(GAP)]
        await deck.chat(prompt, stream=True)
    deck.upstream.answers = []
    await deck.chat("whole", stream=False)
    await deck.idle()
    # One that was written just now is looked at again, in the ordinary way.
    os.utime(start.folder / "cassettes" / "c.yaml", (1, 1))
    return start


def slowly(gap: float) -> Answer:
    """The same frames, so many seconds apart."""

    async def answer(seen: Seen, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for frame in FRAMES:
            await response.write(frame)
            await asyncio.sleep(gap)
        return response

    return answer


@asynccontextmanager
async def playing(
    start: Start, *, fast: bool = True, pace: str = "recorded"
) -> AsyncIterator[Serving]:
    flags = {
        "mode": "replay",
        "port": 0,
        "cassette": "c",
        "cassettes": start.folder / "cassettes",
        "store": start.folder / f"{fast}.db",
        "pace": pace,
    }
    async with serving(load(flags, {}, cwd=start.folder).config, fast=fast) as served:
        yield served


def comparable(got: Got) -> object:
    varying = {"date", "x-request-id", "age"}
    headers = {name: value for name, value in got.headers.items() if name not in varying}
    streamed = "transfer-encoding" in headers
    return got.status, headers, dechunked(got.body) if streamed else got.body, got.closed


@pytest.mark.parametrize("pace", ["recorded", "50x"])
async def test_what_is_played_is_what_the_ordinary_way_plays(
    recorded: Start, played: list[Paced], pace: str
) -> None:
    prompts = [("first", True), ("streamed", True), ("whole", False), ("whole", True)]
    told = []
    for fast in (True, False):
        async with playing(recorded, fast=fast, pace=pace) as server, talking(server) as talk:
            got = []
            for prompt, streamed in [*prompts, *prompts]:
                talk.ask(body(prompt, stream=streamed))
                got.append(comparable(await talk.answer()))
            told.append((got, server.counts(), server.report()))
    assert told[0] == told[1]
    # All but the first, by which the head is known.
    assert len(played) == 2 * len(prompts) - 1


async def test_each_frame_is_written_at_its_recorded_moment(
    recorded: Start, played: list[Paced]
) -> None:
    async with playing(recorded) as server, talking(server) as talk:
        talk.ask(body("first"))
        await talk.answer()
        loop = asyncio.get_running_loop()
        start = loop.time()
        talk.ask(body("streamed"))
        moments = []
        for _ in FRAMES:
            await talk.reader.readuntil(b"\n\n\r\n")
            moments.append(loop.time() - start)
    assert len(played) == 1
    # On a busy machine they may come later, but none can come before its moment.
    assert all(moment >= GAP * n - 0.005 for n, moment in enumerate(moments))


async def test_a_client_that_leaves_ends_only_its_own_answer(
    recorded: Start, played: list[Paced]
) -> None:
    async with playing(recorded) as server, talking(server) as talk, talking(server) as other:
        talk.ask(body("first"))
        await talk.answer()
        talk.ask(body("streamed"))
        other.ask(body("streamed"))
        await talk.reader.readuntil(b"one")
        talk.writer.transport.abort()
        assert dechunked((await other.answer()).body) == b"".join(FRAMES)
        other.ask(body("whole", stream=False))
        assert b"answer" in (await other.answer()).body
    assert len(played) == 3


async def test_a_client_that_stops_reading_gets_the_rest_at_once_when_it_reads_again(
    start: Start, played: list[Paced]
) -> None:
    recording = await start(mode="record", cassette="c")
    large = [chunk({"content": f"{n}" * 1024 * 1024}) for n in range(6)]

    async def answer(seen: Seen, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for frame in [FRAMES[1], *large, *FRAMES[1:]]:
            await response.write(frame)
            await asyncio.sleep(0.01)
        return response

    await recording.chat("first", stream=True)
    recording.upstream.answers = [answer]
    await recording.chat("streamed", stream=True)
    # Recording megabytes may take seconds, which nobody needs to wait for again.
    async with playing(start, pace="10x") as server, talking(server) as talk:
        talk.ask(body("first"))
        await talk.answer()
        talk.ask(body("streamed"))
        await asyncio.sleep(0.3)
        got = await talk.answer()
        talk.ask(body("first"))
        assert (await talk.answer()).status == "HTTP/1.1 200 OK"
    assert dechunked(got.body) == b"".join([FRAMES[1], *large, *FRAMES[1:]])
    assert len(played) == 2


async def test_a_request_that_comes_meanwhile_is_answered_after_it(
    recorded: Start, played: list[Paced]
) -> None:
    async with playing(recorded) as server, talking(server) as talk:
        talk.ask(body("first"))
        await talk.answer()
        talk.ask(body("streamed"))
        while not played:
            await asyncio.sleep(0.001)
        talk.ask(body("whole", stream=False))
        talk.ask(body("streamed"))
        got = [await talk.answer() for _ in range(3)]
    assert [dechunked(one.body) for one in (got[0], got[2])] == [b"".join(FRAMES)] * 2
    assert b"answer" in got[1].body


@given(
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from([b"data: x\n\n", b"event: y\n", b"z"]))),
    st.sampled_from([0.5, 1.0, 20.0]),
    st.booleans(),
)
def test_the_beats_of_a_recording_hold_all_of_it_in_order(
    drawn: list[tuple[int, bytes]], factor: float, chat: bool
) -> None:
    frames, at = [], 0
    for gap, data in drawn:
        at += gap
        frames.append(Frame(at, data))
    response = Response(200, (("content-type", "text/event-stream"),), tuple(frames))
    asked = Counts("POST", "/v1/chat/completions" if chat else "/v1/responses", "")
    steps = list(beats_of(response, factor, rendering_of(asked, response.content_type)))
    shown = rendering_of(asked, response.content_type).whole(response.body)
    assert (shown == response.body) or chat
    assert b"".join(step.data for step in steps) == shown
    moments = [step.after for step in steps]
    assert moments == sorted(moments)
    assert moments[-1] == at / 1000 / factor
    framed = chunked(steps)
    assert dechunked(b"".join(step.data for step in framed)) == shown
    assert [step.after for step in framed] == sorted({step.after for step in framed})

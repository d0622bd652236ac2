"""Answers from upstream without aiohttp's request are those of the ordinary way, byte for byte."""

import asyncio
import gc
import logging
import weakref
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from promptdeck.app import Serving, serving
from promptdeck.config import load
from promptdeck.engine.flights.flight import Flight
from promptdeck.server.answers.rendering import EventRendering
from promptdeck.server.fast import connection as fastpath
from promptdeck.server.fast.direct import Direct
from tests.conftest import Start
from tests.raw_client import CHAT, Got, dechunked, talking
from tests.raw_upstream import Reply, Wired, ending, in_pieces, wired
from tests.scripted_upstream import DONE, Seen, chunk, chunks, plain, stream


@pytest.fixture(scope="module")
def all_flown() -> Iterator[list[Direct]]:
    """The answers that took this way: without them a test would prove nothing."""
    seen: list[Direct] = []

    class Counted(Direct):
        def begin(self) -> None:
            seen.append(self)
            super().begin()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fastpath, "Direct", Counted)
        yield seen


@pytest.fixture
def flown(all_flown: list[Direct]) -> list[Direct]:
    all_flown.clear()
    return all_flown


def body(prompt: str, *, stream: bool = False) -> bytes:
    tail = b',"stream":true}' if stream else b"}"
    return b'{"model":"m","messages":[{"role":"user","content":"%b"}]' % prompt.encode() + tail


def comparable(got: Got, url: str) -> Any:
    """But for what differs each time, and for how pieces fell into packets."""
    varying = {"date", "x-request-id"}
    headers = got.headers.but_for(*varying)
    named = got.headers.keys() & varying
    chunked = "transfer-encoding" in got.headers and not got.closed
    content = dechunked(got.body) if chunked else got.body
    if url.encode() in content:
        # An error names the upstream.
        content = content.replace(url.encode(), b"URL")
        headers = got.headers.but_for(*varying, "content-length")
    return headers, named, content, got.closed


async def settled(server: Serving) -> None:
    while server.counts().under_way:
        await asyncio.sleep(0.001)


# The same answers on both ways

EVENT = st.sampled_from(
    [b"data: {}\n\n", b": ping\n\n", b"event: x\ndata: 1\n\n", b"id: 3\r\ndata: 2\r\n\r\n", DONE]
)
PIECES = st.lists(EVENT | st.binary(min_size=1, max_size=9), max_size=5)
TYPES = st.sampled_from(["text/event-stream", "application/json", "text/event-stream; x=y", ""])
STATUSES = st.sampled_from([200, 200, 200, 201, 204, 304, 404, 429, 500, 299])
FRAMINGS = st.sampled_from(["chunked", "chunked", "length", "close", "cut"])
EXTRA = st.sampled_from(
    [
        "",
        "X-Request-Id: theirs\r\n",
        "Cache-Status: cdn; hit\r\n",
        "Connection: x\r\nX: y\r\n",
        "X-Served-By: caf\udce9\r\n",
        "X-Tab: a\tb\r\n",
        "Date: Thu\r\nServer: theirs\r\n",
        "Set-Cookie: a\r\nSet-Cookie: b\r\n",
        "X-Umlaut: \u00e9\u4e2d\r\nWarning: 199 x\r\n",
    ]
)


def encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def reply_of(
    status: int, content_type: str, pieces: list[bytes], framing: str, extra: str
) -> Reply:
    typed = f"Content-Type: {content_type}\r\n" if content_type else ""
    head = f"HTTP/1.1 {status} Whatever\r\n{typed}{extra}"
    if status in (204, 304):
        return in_pieces(encoded(f"{head}\r\n"))
    if framing == "length":
        return in_pieces(encoded(f"{head}Content-Length: {sum(map(len, pieces))}\r\n\r\n"), *pieces)
    if framing == "close":
        return ending(encoded(f"{head}\r\n") + b"".join(pieces))
    sent = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces]
    begun = encoded(f"{head}Transfer-Encoding: chunked\r\n\r\n")
    return (
        ending(begun + b"".join(sent))
        if framing == "cut"
        else in_pieces(begun, *sent, b"0\r\n\r\n")
    )


async def answers(folder: Path, mode: str, replies: list[Reply], *, fast: bool) -> list[Any]:
    """To a first request, which shows its head, and to one of another length for each reply."""
    server: Wired
    primer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
    async with wired(primer, *replies, primer) as server:
        flags = {"mode": mode, "port": 0, "upstream": server.url, "store": folder / f"{fast}.db"}
        config = load(flags, {}, cwd=folder).config
        async with serving(config, fast=fast) as served, talking(served) as talk:
            told = []
            for number in range(len(replies) + 1):
                talk.ask(body("x" * (number + 1), stream=True))
                got = await asyncio.wait_for(talk.answer(), 60)
                await settled(served)
                told.append(comparable(got, server.url))
                if got.closed:
                    break
            counts = served.counts()
            return [*told, counts.recorded, counts.upstream_calls]


@given(
    mode=st.sampled_from(["passthrough", "cache"]),
    replies=st.lists(
        st.builds(reply_of, STATUSES, TYPES, PIECES, FRAMINGS, EXTRA), min_size=1, max_size=3
    ),
)
@settings(max_examples=40)
def test_whatever_upstream_sends_the_client_gets_what_it_would_get_otherwise(
    all_flown: list[Direct], mode: str, replies: list[Reply]
) -> None:
    async def both(folder: str) -> None:
        fast, ordinary = [
            await answers(Path(folder), mode, list(replies), fast=fast) for fast in (True, False)
        ]
        assert fast == ordinary

    all_flown.clear()
    with TemporaryDirectory() as folder:
        asyncio.run(both(folder))
    assert all_flown


# What is under way


async def test_an_answer_is_recorded_and_the_next_identical_request_hits(
    start: Start, flown: list[Direct], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "promptdeck")
    deck = await start(mode="cache")
    async with talking(deck.server) as talk:
        for prompt in ("first", "second", "second", "second"):
            talk.ask(body(prompt, stream=True))
            got = await talk.answer()
            await settled(deck.server)
    assert len(flown) == 1
    assert "hit" in got.headers["cache-status"]
    assert dechunked(got.body) if "transfer-encoding" in got.headers else got.body
    counts = deck.server.counts()
    assert (counts.hits, counts.recorded, counts.upstream_calls) == (2, 2, 2)
    told = [line for line in caplog.messages if line.startswith(f"POST {CHAT} 200 ")]
    assert len([line for line in told if "fwd=uri-miss; stored" in line]) == 2


async def test_identical_requests_under_way_share_one_call(
    start: Start, flown: list[Direct]
) -> None:
    deck = await start(mode="cache")
    gate = asyncio.Event()
    async with AsyncExitStack() as stack:
        talks = [await stack.enter_async_context(talking(deck.server)) for _ in range(3)]
        talks[0].ask(body("to show the head", stream=True))
        await talks[0].answer()
        await settled(deck.server)
        deck.upstream.answers = [stream(chunks("shared"), gate=gate, before_gate=2)]
        for talk in talks:
            talk.ask(body("the same", stream=True))
        while len(flown) < 3:
            await asyncio.sleep(0.001)
        gate.set()
        got = [dechunked((await talk.answer()).body) for talk in talks]
    assert got == [b"".join(chunks("shared"))] * 3
    assert len(deck.upstream.seen) == 2
    assert deck.server.counts().collapsed == 2


async def test_a_client_that_leaves_ends_a_call_that_nobody_records(
    start: Start, flown: list[Direct], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "promptdeck")
    left = asyncio.Event()

    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        try:
            while True:
                writer.write(b"9\r\ndata: x\n\n\r\n")
                await writer.drain()
                await asyncio.sleep(0.005)
        except ConnectionError:
            left.set()

    async with wired(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", endless) as server:
        deck = await start(mode="passthrough", upstream=server.url)
        async with talking(deck.server) as talk:
            talk.ask(b"{}")
            await talk.answer()
            talk.ask(b"{ }")
            await talk.reader.readuntil(b"data: x")
            talk.writer.transport.abort()
            await asyncio.wait_for(left.wait(), 60)
        await settled(deck.server)
    assert len(flown) == 1
    assert f"POST {CHAT} closed by the client" in caplog.messages


async def test_a_recording_goes_on_when_its_client_leaves(
    start: Start, flown: list[Direct]
) -> None:
    deck = await start(mode="cache")
    gate = asyncio.Event()
    async with talking(deck.server) as talk:
        talk.ask(body("to show the head", stream=True))
        await talk.answer()
        await settled(deck.server)
        deck.upstream.answers = [stream(chunks("kept all the same"), gate=gate, before_gate=2)]
        talk.ask(body("left early", stream=True))
        await talk.reader.readuntil(b"ping")
        talk.writer.transport.abort()
    await asyncio.sleep(0.02)
    gate.set()
    await settled(deck.server)
    async with talking(deck.server) as talk:
        talk.ask(body("left early", stream=True))
        got = await talk.answer()
    assert len(flown) == 1
    assert b"".join(chunks("kept all the same")) == got.body
    assert deck.server.counts().recorded == 2


async def test_a_client_that_stops_reading_stops_upstream_and_gets_all_in_the_end(
    start: Start, flown: list[Direct]
) -> None:
    size, sent = 24 * 1024 * 1024, 0

    async def push(writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n")
        writer.write(b"Content-Length: %d\r\n\r\n" % size)
        while sent < size:
            writer.write(b"x" * 65536)
            await writer.drain()
            sent += 65536

    async with wired(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", push) as server:
        deck = await start(mode="passthrough", upstream=server.url)
        async with talking(deck.server) as talk:
            talk.ask(b"{}")
            await talk.answer()
            talk.ask(b"{ }")
            head = await talk.reader.readuntil(b"\r\n\r\n")
            before = -1
            while before != sent:
                before = sent
                await asyncio.sleep(0.2)
            assert sent < size * 3 // 4, "this machine's sockets hold it all"
            assert await talk.reader.readexactly(size) == b"x" * size
    assert f"Content-Length: {size}".encode() in head
    assert len(flown) == 1


async def test_requests_that_come_meanwhile_are_answered_in_their_order(
    start: Start, flown: list[Direct]
) -> None:
    deck = await start(mode="cache")
    async with talking(deck.server) as talk:
        for _ in range(2):
            talk.ask(body("known"))
            await talk.answer()
            await settled(deck.server)
        gate = asyncio.Event()

        async def slow(seen: Seen, request: web.Request) -> web.StreamResponse:
            await gate.wait()
            return await plain("answer 2")(seen, request)

        deck.upstream.answers = [slow, plain("answer 3"), plain("answer 4")]
        prompts = ["new", "known", "x" * 100_000, "known", "newer"]
        for prompt in prompts:
            talk.ask(body(prompt))
            while not flown:
                await asyncio.sleep(0.001)
        gate.set()
        got = [await talk.answer() for _ in prompts]
    outcomes = [one.headers["cache-status"].split("; ")[1] for one in got]
    assert outcomes == ["fwd=uri-miss", "hit", "fwd=uri-miss", "hit", "fwd=uri-miss"]
    assert [b"answer %d" % n in one.body for n, one in zip((2, 1, 3, 1, 4), got, strict=True)] == [
        True
    ] * 5


async def test_silence_brings_comments_between_frames(start: Start, flown: list[Direct]) -> None:
    deck = await start({"PROMPTDECK_SERVER_KEEP_ALIVE": "20ms"}, mode="passthrough")
    gate = asyncio.Event()
    async with talking(deck.server) as talk:
        talk.ask(b"{}")
        await talk.answer()
        deck.upstream.answers = [stream([chunk({"content": "a"}), DONE], gate=gate)]
        talk.ask(b"{ }")
        await talk.reader.readuntil(b": keep-alive\n\n")
        await talk.reader.readuntil(b": keep-alive\n\n")
        gate.set()
        await talk.reader.readuntil(b"[DONE]")
    assert len(flown) == 1


async def test_no_answer_at_all_is_an_error_that_sdks_read(
    start: Start, flown: list[Direct]
) -> None:
    primer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
    async with wired(primer, ending(b"")) as server:
        deck = await start(mode="cache", upstream=server.url)
        async with talking(deck.server) as talk:
            talk.ask(body("to show the head"), headers="X-Request-Id: mine\r\n")
            await talk.answer()
            await settled(deck.server)
            talk.ask(body("refused"), headers="X-Request-Id: mine\r\n")
            got = await talk.answer()
    assert len(flown) == 1
    assert got.status == "HTTP/1.1 502 Bad Gateway"
    assert b'"error":{"message":"cannot reach' in got.body
    assert got.headers["x-request-id"] == "mine"
    assert "stored" not in got.headers["cache-status"]


@pytest.mark.parametrize("step", ["feed", "rest", "company", "first", "head"])
async def test_an_error_of_our_own_is_logged_and_its_client_cut(
    start: Start,
    flown: list[Direct],
    step: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    deck = await start({"PROMPTDECK_SERVER_KEEP_ALIVE": "20ms"}, mode="cache")
    gate = asyncio.Event()
    if step != "company":
        gate.set()
    calls: list[str] = []

    def fail(*_: object, **__: object) -> bytes:
        calls.append(step)
        raise ValueError("a fault of ours")

    async with talking(deck.server) as talk:
        talk.ask(body("to show the head", stream=True))
        await talk.answer()
        await settled(deck.server)
        if step == "head":
            monkeypatch.setattr("promptdeck.server.fast.direct.flown_headers", fail)
        elif step == "feed":
            whole = EventRendering.feed

            def second(self: EventRendering, data: bytes) -> bytes:
                calls.append("")
                return whole(self, data) if len(calls) == 1 else fail()

            monkeypatch.setattr(EventRendering, "feed", second)
        else:
            name = "feed" if step == "first" else step
            monkeypatch.setattr(EventRendering, name, fail)
        deck.upstream.answers = [stream(chunks("kept all the same"), gate=gate)]
        talk.ask(body("broken off", stream=True))
        # To the end of the connection, whatever comes before.
        await asyncio.wait_for(talk.reader.read(), 10)
        gate.set()
        await settled(deck.server)
    assert len(flown) == 1
    assert calls
    assert "a fault of ours" in caplog.text
    monkeypatch.undo()
    async with talking(deck.server) as talk:
        talk.ask(body("broken off", stream=True))
        got = await talk.answer()
    assert "hit" in got.headers["cache-status"], "the recording was none of its client's business"


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("end", ["whole", "cut", "refused", "left", "large", "collapsed"])
async def test_a_flight_is_let_go_when_it_has_landed_and_is_read(
    start: Start,
    monkeypatch: pytest.MonkeyPatch,
    flown: list[Direct],
    caplog: pytest.LogCaptureFixture,
    fast: bool,
    end: str,
) -> None:
    """Without the garbage collector: no ring holds it, its readers or upstream's connection."""
    # pytest keeps log lines; one of them has an error among its arguments, and that the flight.
    caplog.set_level(logging.CRITICAL, "promptdeck")
    flights: weakref.WeakSet[Flight] = weakref.WeakSet()
    count = 0

    class Seen(Flight):
        def __init__(self, **named: Any) -> None:
            nonlocal count
            count += 1
            super().__init__(**named)
            flights.add(self)

    monkeypatch.setattr("promptdeck.engine.exchange.Flight", Seen)
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
    sent = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in chunks("one two"))
    whole = head + b"Transfer-Encoding: chunked\r\n\r\n" + sent + b"0\r\n\r\n"
    replies: dict[str, bytes | Reply] = {
        "whole": whole,
        "cut": ending(whole[:-200]),
        "refused": ending(b""),
        "left": whole[:-5],
        "large": head + b"Content-Length: 3000000\r\n\r\n" + b"x" * 3_000_000,
        "collapsed": in_pieces(whole[:300], whole[300:]),
    }
    limits = {"PROMPTDECK_RECORD_MAX_BYTES": "1MB", "PROMPTDECK_UPSTREAM_READ_TIMEOUT": "200ms"}
    async with wired(whole, replies[end]) as server:
        deck = await start(limits, mode="cache", upstream=server.url, fast=fast)
        async with talking(deck.server) as talk, talking(deck.server) as other:
            talk.ask(body("to show the head", stream=True))
            await talk.answer()
            await settled(deck.server)
            gc.collect()
            gc.disable()
            try:
                talk.ask(body("another", stream=True))
                if end == "collapsed":
                    other.ask(body("another", stream=True))
                    await other.answer()
                if end == "left":
                    await talk.reader.readuntil(b"ping")
                    talk.writer.transport.abort()
                else:
                    await talk.answer()
                await settled(deck.server)
                for _ in range(200):
                    flown.clear()
                    if not flights:
                        break
                    await asyncio.sleep(0.005)
                assert [*flights] == []
            finally:
                gc.enable()
    assert count == 2 if end != "collapsed" else count in (2, 3)


@pytest.mark.parametrize("waits", [True, False])
async def test_a_server_that_stops_waits_for_an_answer_but_not_for_ever(
    start: Start, flown: list[Direct], waits: bool
) -> None:
    gate, stop = asyncio.Event(), asyncio.Event()
    frames = [chunk({"content": "a"}), DONE]
    started: asyncio.Future[Serving] = asyncio.get_running_loop().create_future()
    deck = await start(mode="passthrough")
    flags = {"mode": "passthrough", "port": 0, "upstream": deck.upstream.url}
    environ = {"PROMPTDECK_SERVER_SHUTDOWN_TIMEOUT": "10s" if waits else "50ms"}

    async def serve() -> None:
        async with serving(load(flags, environ, cwd=start.folder).config) as served:
            started.set_result(served)
            await stop.wait()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(serve())
        async with talking(await started) as talk:
            talk.ask(b"{}")
            await talk.answer()
            deck.upstream.answers = [stream(frames, gate=gate)]
            talk.ask(b"{ }")
            await talk.reader.readuntil(b"\r\n\r\n")
            stop.set()
            if waits:
                await asyncio.sleep(0.05)
                gate.set()
            rest = await asyncio.wait_for(talk.reader.read(), 60)
    assert (b"[DONE]" in rest) == waits
    assert len(flown) == 1
    gate.set()


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("mode", ["cache", "passthrough"])
@pytest.mark.parametrize("lost", [0, 5, 7])
async def test_once_its_end_has_come_a_stream_is_whole_whatever_the_connection_does(
    start: Start, fast: bool, mode: str, lost: int
) -> None:
    """`lost` bytes of the last HTTP chunk, the blank line before it among them, never come."""
    frames = b"".join(chunks("one two"))
    head = (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    sent = head + b"".join(b"%x\r\n%b\r\n" % (len(one), one) for one in chunks("one two"))
    sent += b"0\r\n\r\n"
    async with wired(sent, ending(sent[: len(sent) - lost])) as server:
        deck = await start(mode=mode, upstream=server.url, fast=fast)
        await deck.request("POST", "/v1/chat/completions", body("to show the head", stream=True))
        for _ in range(2):
            got = await deck.request("POST", "/v1/chat/completions", body("another", stream=True))
            assert got.body == frames
        assert ("hit" in got.cache_status) == (mode == "cache")

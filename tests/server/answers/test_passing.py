"""Answers on their way through: ends, cuts, clients that stall or leave."""

import asyncio

import pytest

from promptdeck.upstream import Upstream
from tests.conftest import Start
from tests.raw_client import talking
from tests.raw_upstream import Reply, ending, in_pieces, wired
from tests.scripted_upstream import DONE, chunk, chunks, stream

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nTransfer-Encoding: chunked\r\n\r\n"
EVENTS = HEAD % b"text/event-stream"
ASKED = b"POST /v1/chat/completions HTTP/1.%d\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}"


@pytest.fixture(params=["lean", "session"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every law holds on both ways upstream."""
    monkeypatch.setattr(Upstream, "lean", request.param == "lean")


def chunked(*pieces: bytes) -> list[bytes]:
    return [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces]


async def answer_to(port: int, request: bytes) -> bytes:
    """All that comes until the server is silent or hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    got = b""
    while not got.endswith(b"0\r\n\r\n") and (data := await reader.read(65536)):
        got += data
    writer.close()
    return got


async def test_a_stream_cut_in_mid_frame_ends_in_an_error_event(start: Start) -> None:
    half = chunk({"content": "half"})[:40]
    pieces = chunked(chunk({"content": "whole"}), half)
    async with wired(ending(EVENTS + b"".join(pieces))) as server:
        deck = await start(mode="passthrough", upstream=server.url)
        got = await deck.chat(stream=True)
    assert got.body.startswith(chunk({"content": "whole"}) + half + b"\n\nevent: error\ndata: ")
    assert b"upstream_cut" in got.body


@pytest.mark.parametrize("content_type", [b"text/event-stream", b"audio/mpeg"])
async def test_what_comes_in_pieces_leaves_byte_for_byte(start: Start, content_type: bytes) -> None:
    frames = [chunk({"content": f"number {n}"}) for n in range(200)] + [DONE]
    pieces = [HEAD % content_type, *chunked(*frames), b"0\r\n\r\n"]
    async with wired(in_pieces(*pieces)) as server:
        deck = await start(mode="passthrough", upstream=server.url)
        assert (await deck.chat(stream=True)).body == b"".join(frames)


async def test_a_client_of_http_1_0_gets_no_chunks(start: Start) -> None:
    pieces = [EVENTS, *chunked(b"data: a\n\n", b"data: b\n\n"), b"0\r\n\r\n"]
    async with wired(in_pieces(*pieces)) as server:
        deck = await start(mode="passthrough", upstream=server.url)
        got = await answer_to(deck.server.port, ASKED % 0)
    head, _, body = got.partition(b"\r\n\r\n")
    assert b"Transfer-Encoding" not in head
    assert body == b"data: a\n\ndata: b\n\n"


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(b"HTTP/1.1 204 No Content\r\n\r\n", id="204"),
        pytest.param(b"HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n", id="304"),
        pytest.param(ending(b"HTTP/1.0 200 OK\r\n\r\n"), id="an empty HTTP/1.0 answer"),
    ],
)
async def test_an_answer_without_a_body_passes(start: Start, reply: bytes | Reply) -> None:
    async with wired(reply) as server:
        deck = await start(mode="passthrough", upstream=server.url)
        for _ in range(2):
            got = await deck.request("GET", "/v1/models")
            assert got.body == b""


async def test_a_head_comes_before_the_first_byte_of_a_slow_body(start: Start) -> None:
    gate = asyncio.Event()

    async def slow(writer: asyncio.StreamWriter) -> None:
        writer.write(EVENTS)
        await gate.wait()
        writer.write(b"".join(chunked(DONE)) + b"0\r\n\r\n")

    async with wired(slow) as server:
        deck = await start(mode="passthrough", upstream=server.url)
        async with deck.session.post(f"{deck.server.base_url}/x", data=b"{}") as response:
            assert response.status == 200
            gate.set()
            assert await response.read() == DONE


async def test_a_client_that_stops_reading_stops_upstream_and_gets_all_in_the_end(
    start: Start,
) -> None:
    size, sent = 24 * 1024 * 1024, 0

    async def push(writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(EVENTS)
        while sent < size and not writer.is_closing():
            writer.writelines(chunked(b"data: " + b"x" * 65528 + b"\n\n"))
            await writer.drain()
            sent += 65536
        writer.write(b"0\r\n\r\n")

    async with wired(push) as server:
        deck = await start(mode="passthrough", upstream=server.url)
        reader, writer = await asyncio.open_connection("127.0.0.1", deck.server.port)
        writer.write(ASKED % 1)
        await reader.readuntil(b"\r\n\r\n")
        before = -1
        while before != sent:
            before = sent
            await asyncio.sleep(0.2)
        # What the sockets on the way hold, and the window.
        assert sent < size * 3 // 4, "this machine's sockets hold it all"
        got = bytearray()
        while not got.endswith(b"0\r\n\r\n"):
            got += await reader.read(1024 * 1024)
        assert got.count(b"x") == sent // 65536 * 65528
        writer.close()


async def test_a_client_that_leaves_in_mid_frame_ends_nothing_for_the_others(start: Start) -> None:
    deck = await start(mode="cache")
    gate = asyncio.Event()
    frames = chunks("goes on without")
    deck.upstream.answers = [stream(frames, gate=gate, before_gate=2)]
    _, writer = await asyncio.open_connection("127.0.0.1", deck.server.port)
    body = b'{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":true}'
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
    head += b"Content-Type: application/json\r\n"
    writer.write(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    staying = asyncio.get_running_loop().create_task(deck.chat(stream=True))
    while len(deck.upstream.seen) < 1:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    writer.transport.abort()
    await asyncio.sleep(0.05)
    gate.set()
    assert (await staying).body == b"".join(frames)
    assert len(deck.upstream.seen) == 1
    assert (await deck.chat(stream=True)).cache_status.startswith("promptdeck; hit")


@pytest.mark.parametrize("fast", [True, False])
async def test_only_streams_ask_proxies_not_to_hold_them_back(start: Start, fast: bool) -> None:
    deck = await start(mode="cache", fast=fast)
    paced = await start(mode="cache", fast=fast, pace="100x")
    for _ in range(3):
        for one in (deck, paced):
            whole, events = await one.chat("a"), await one.chat("b", stream=True)
            assert "X-Accel-Buffering" not in whole.headers
            assert events.headers.getall("X-Accel-Buffering") == ["no"]


@pytest.mark.parametrize("awaited", [b"all", b"[DONE]"], ids=["before the end", "at the end"])
@pytest.mark.parametrize("fast", [True, False])
async def test_a_client_that_leaves_is_no_error_of_ours(
    start: Start, caplog: pytest.LogCaptureFixture, fast: bool, awaited: bytes
) -> None:
    deck = await start(mode="record", cassette="c", fast=fast)
    frames = [*chunks("all of it"), b": bye\n\n"]
    before = next(at for at, frame in enumerate(frames, 1) if awaited in frame)
    for _ in range(2):  # the second head is a known one
        gate = asyncio.Event()
        deck.upstream.answers = [stream(frames, gate=gate, before_gate=before)]
        async with talking(deck.server) as talk:
            talk.ask(b'{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":true}')
            await talk.reader.readuntil(awaited)
            talk.writer.transport.abort()
        gate.set()
        await deck.idle()
        await deck.chat("after it")
    assert not [one.getMessage() for one in caplog.records if one.levelname == "ERROR"]

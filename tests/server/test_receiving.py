"""What is no request gets our JSON and none of its bytes; heads of 64 KB, and with twins, pass."""

import asyncio
import logging

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import Start
from tests.raw_client import CHAT, Got, talking
from tests.raw_upstream import wired
from tests.scripted_upstream import Upstream

BODY = b'{"model":"m","messages":[{"role":"user","content":"hi"}]}'
SECRET = "sk-proj-" + "a1B2" * 12
HEAD = f"POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
NO_REQUESTS = [
    f"POST {CHAT} HTTP/1.1\r\n{SECRET} no header\r\n\r\n",
    f"{SECRET}\r\n\r\n",
    f"BREW /{SECRET} HTTP/1.1\r\nHost: localhost\r\n\r\n",
    f"GET /{SECRET} HTTP/9.9\r\nHost: localhost\r\n\r\n",
    f"GET / HTTP/1.1\r\nX-A: {SECRET}\r\n\r\n",
    f"{HEAD}Host: {SECRET}\r\n\r\n",
    f"{HEAD}Content-Length: 1\r\nContent-Length: 2\r\nX-A: {SECRET}\r\n\r\n",
    f"{HEAD}Content-Length: 1\r\nTransfer-Encoding: chunked\r\nX-A: {SECRET}\r\n\r\n",
    f"{HEAD}Content-Type: {SECRET}\r\n\r\n",
    f"{HEAD}X-A: {SECRET}\0\r\n\r\n",
    f"{HEAD}Bad Name: {SECRET}\r\n\r\n",
    f"{HEAD} folded {SECRET}\r\n\r\n",
    "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + SECRET,
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + SECRET,
]


async def answer(start_deck: object, data: bytes, cut: int = 0) -> Got:
    async with talking(start_deck.server) as talk:  # type: ignore[attr-defined]
        talk.writer.write(data[:cut])
        if cut:
            await asyncio.sleep(0.01)
        talk.writer.write(data[cut:])
        got = await asyncio.wait_for(talk.answer(), 20)
        if not got.closed:
            assert await asyncio.wait_for(talk.reader.read(), 20) == b""
        return got


@pytest.mark.parametrize("fast", [True, False])
async def test_what_is_no_request_is_told_so_in_json_without_its_bytes(
    start: Start, provider: Upstream, caplog: pytest.LogCaptureFixture, fast: bool
) -> None:
    caplog.set_level(logging.DEBUG)
    deck = await start(mode="passthrough", fast=fast)
    for data in NO_REQUESTS:
        for cut in (0, len(data) // 2):
            got = await answer(deck, data.encode("latin-1"), cut)
            assert got.status.endswith(" 400 Bad Request"), data
            assert orjson.loads(got.body)["code"] == "malformed_request"
            assert got.headers["content-type"].startswith("application/json")
            assert SECRET not in str(got)
    assert SECRET not in caplog.text
    assert "Traceback" not in caplog.text
    assert "http://" in caplog.text  # TLS was told as that
    assert provider.seen == []


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("size", [12_000, 60_000])
async def test_a_long_header_is_served_and_passed_on(start: Start, fast: bool, size: int) -> None:
    key = "Bearer " + "k" * size
    async with wired(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}") as server:
        deck = await start(mode="passthrough", fast=fast, upstream=server.url)
        async with talking(deck.server) as talk:
            for _ in range(2):
                talk.ask(BODY, headers=f"Authorization: {key}\r\n")
                assert (await talk.answer()).status == "HTTP/1.1 200 OK"
        assert [key.encode() in request for request in server.requests] == [True, True]


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize(
    "lines",
    [
        f"Authorization: Bearer {SECRET}{'k' * 70_000}\r\n",
        "".join(f"X-{n}: {SECRET}{'k' * 2000}\r\n" for n in range(40)),
        "".join(f"X-{n}: {SECRET}\r\n" for n in range(200)),
    ],
)
async def test_a_head_beyond_the_limit_is_refused_without_its_bytes(
    start: Start, fast: bool, lines: str, caplog: pytest.LogCaptureFixture
) -> None:
    deck = await start(mode="passthrough", fast=fast)
    got = await answer(deck, (HEAD + lines + "\r\n").encode())
    assert (got.status.split()[1], orjson.loads(got.body)["code"]) == ("431", "head_too_large")
    assert SECRET not in str(got) + caplog.text


@pytest.mark.parametrize("fast", [True, False])
async def test_a_client_that_still_sends_gets_its_refusal(start: Start, fast: bool) -> None:
    deck = await start(mode="passthrough", fast=fast)
    data = f"{HEAD}X-A: {'k' * 2_000_000}".encode()
    async with talking(deck.server) as talk:
        for at in range(0, len(data), 100_000):
            talk.writer.write(data[at : at + 100_000])
            await asyncio.sleep(0.001)
        assert (await asyncio.wait_for(talk.answer(), 20)).status.split()[1] == "431"


# Twins


def head(*agents: str) -> bytes:
    lines = "".join(f"{agent}\r\n" for agent in agents)
    return f"{HEAD}{lines}X-Last: 1\r\nContent-Length: {len(BODY)}\r\n\r\n".encode() + BODY


TWINS = ("User-Agent: a/1", "user-agent: b/1", "USER-AGENT: c/1")


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("mode", ["cache", "passthrough"])
async def test_a_program_that_names_itself_twice_is_served_and_passed_on(
    start: Start, mode: str, fast: bool
) -> None:
    seen: list[bytes] = []

    async def talk_back(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            seen.append(data)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        writer.close()

    server = await asyncio.start_server(talk_back, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    deck = await start(mode=mode, fast=fast, upstream=url)
    async with talking(deck.server) as talk:
        for agents in (TWINS[:2], TWINS, TWINS[:1], TWINS[:2], TWINS[:2]):
            talk.writer.write(head(*agents))
            assert (await talk.answer()).status == "HTTP/1.1 200 OK"
            await deck.idle()
    sent = [line for line in seen[0].decode().split("\r\n") if "gent" in line]
    assert sent == [*TWINS[:2]]
    server.close()


@given(
    cuts=st.lists(st.integers(1, len(head(*TWINS)) - 1), max_size=4),
    agents=st.lists(st.sampled_from([*TWINS, "X-Agent: user-agent: b"]), min_size=1, max_size=4),
    fast=st.booleans(),
)
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_twins_are_served_however_their_head_is_cut(
    start: Start, cuts: list[int], agents: list[str], fast: bool
) -> None:
    deck = await start(mode="replay", fast=fast)
    data = head(*agents)
    async with talking(deck.server) as talk:
        for _ in range(2):
            at = 0
            for cut in sorted({*cuts, len(data)}):
                talk.writer.write(data[at:cut])
                at = max(at, cut)
                await asyncio.sleep(0.001)
            got = await asyncio.wait_for(talk.answer(), 20)
            assert orjson.loads(got.body)["code"] == "cassette_miss"


@given(
    cut=st.integers(0, 20),
    trailer=st.sampled_from(["", "X-T: a\r\n"]),
    fast=st.booleans(),
)
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_twins_are_served_after_a_body_in_chunks(
    start: Start, cut: int, trailer: str, fast: bool
) -> None:
    deck = await start(mode="replay", fast=fast)
    size = f"{len(BODY):x}\r\n".encode()
    body = size + BODY + f"\r\n0\r\n{trailer}\r\n".encode()
    chunked = f"{HEAD}Transfer-Encoding: chunked\r\n\r\n".encode() + body
    async with talking(deck.server) as talk:
        for data in (chunked, head(*TWINS), chunked, chunked, head(*TWINS), head(*TWINS)):
            talk.writer.write(data[: len(data) - cut])
            await asyncio.sleep(0.001)
            talk.writer.write(data[len(data) - cut :])
            got = await asyncio.wait_for(talk.answer(), 20)
            assert orjson.loads(got.body)["code"] == "cassette_miss"


# What follows a request, or does not


@pytest.mark.parametrize("fast", [True, False])
async def test_what_is_no_request_disturbs_no_answer_to_one_before_it(
    start: Start, caplog: pytest.LogCaptureFixture, fast: bool
) -> None:
    deck = await start(mode="cache", fast=fast)
    for data in NO_REQUESTS:
        for together in (True, False):
            async with talking(deck.server) as talk:
                parts = [head("X-A: 1"), data.encode("latin-1")]
                for piece in [b"".join(parts)] if together else parts:
                    talk.writer.write(piece)
                    await asyncio.sleep(0.002)
                got = await asyncio.wait_for(talk.answer(), 20)
                # Where both are one piece, aiohttp's parser may give back neither.
                if not together:
                    assert got.status == "HTTP/1.1 200 OK", data
                assert got.status.split()[1] in ("200", "400"), data
    assert [record for record in caplog.records if record.exc_info] == []


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("mode", ["cache", "passthrough", "record"])
async def test_a_client_that_leaves_is_no_error(
    start: Start, caplog: pytest.LogCaptureFixture, mode: str, fast: bool
) -> None:
    deck = await start(mode=mode, fast=fast)
    for turns in (0, 1, 2, 5, 10, 20, 40):
        for end in (b"", b"GARBAGE\r\n\r\n"):
            async with talking(deck.server) as talk:
                talk.writer.write(head("X-A: 1") + end)
                for _ in range(turns):
                    await asyncio.sleep(0)
                talk.writer.transport.abort()
            await deck.idle()
    assert [record for record in caplog.records if record.exc_info] == []

"""Faults on real sockets: what a client meets, and what is said of it afterwards."""

import asyncio
import math
from collections.abc import AsyncIterator
from typing import Any

import openai
import orjson
import pytest
from aiohttp import ClientSession, web

from promptdeck.core.faults.plan import read_plan
from promptdeck.core.faults.verdict import Limits
from promptdeck.core.headers import FAULT
from promptdeck.core.interaction import Frame, Request, Response
from promptdeck.engine.outcome import Served
from promptdeck.server.answers.faulty import Faults, plan_of
from promptdeck.server.answers.pace import Pace
from promptdeck.server.errors import middleware
from tests.scripted_upstream import chunks, completion

STREAM = chunks("größer als alles 語り")
BODY = b"".join(STREAM)
ANSWERS = {
    True: Response(
        200, (("content-type", "text/event-stream"),), tuple(Frame(0, data) for data in STREAM)
    ),
    False: Response(
        200,
        (("content-type", "application/json"),),
        (Frame(0, orjson.dumps(completion("whole"))),),
    ),
}
MESSAGES: Any = [{"role": "user", "content": "hi"}]


class Server:
    """Answers chat completions from two recordings, as badly as it is told."""

    def __init__(self) -> None:
        self.faults = Faults()
        self.plan: object = None
        self.port = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        default = None if self.plan is None else read_plan(self.plan)
        plan = plan_of(request, default)
        body = orjson.loads(await request.read())
        dealt = self.faults.deal(plan, "k") if plan else None
        answer = ANSWERS[bool(body.get("stream"))]
        served = Served(answer, "promptdeck; hit", 3, "k", dealt=dealt)
        asked = Request("POST", request.path, request.content_type, b"")
        return await self.faults.serve(request, served, Pace(math.inf, None), asked)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def found(self, limits: Limits | None = None) -> list[str]:
        verdict = self.faults.verdict(limits or Limits())
        return [str(finding.name) for finding in verdict.findings]

    async def idle(self) -> None:
        """Wait until every attempt has ended."""
        while any("ended" not in told for told in self.told()):
            await asyncio.sleep(0.001)

    def told(self) -> list[dict[str, Any]]:
        told = self.faults.verdict().as_dict()["requests"].get("k", [])
        return [{name: value for name, value in each.items() if value is not None} for each in told]


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    scripted = Server()
    app = web.Application(middlewares=[middleware])
    app.router.add_post("/v1/chat/completions", scripted.handle)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    scripted.port = runner.addresses[0][1]
    yield scripted
    await runner.cleanup()


class Wire:
    """A connection on which one request was sent, by hand."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.got = b""
        self.end = ""

    async def read(self, seconds: float = 60) -> "Wire":
        """Up to the end, of whatever kind, or for so long."""
        try:
            async with asyncio.timeout(seconds):
                while data := await self.reader.read(65536):
                    self.got += data
            self.end = "closed"
        except TimeoutError:
            self.end = "silence"
        except ConnectionResetError:
            self.end = "reset"
        return self

    async def read_to(self, data: bytes) -> "Wire":
        """Until `data` has come."""
        while data not in self.got:
            more = await self.reader.read(65536)
            assert more, self.got
            self.got += more
        return self

    @property
    def body(self) -> bytes:
        """With the chunks of the transfer coding joined."""
        rest = self.got.partition(b"\r\n\r\n")[2]
        if b"\r\nTransfer-Encoding: chunked" not in self.got:
            return rest
        joined = b""
        while rest:
            size, _, rest = rest.partition(b"\r\n")
            joined, rest = joined + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
        return joined

    def close(self) -> None:
        self.writer.transport.abort()


async def ask(server: Server, fault: str = "", *, stream: bool = True) -> Wire:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    body = orjson.dumps({"stream": stream})
    named = f"{FAULT}: {fault}\r\n" if fault else ""
    writer.write(
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{named}"
        f"Content-Length: {len(body)}\r\n\r\n".encode()
        + body
    )
    return Wire(reader, writer)


async def asked(server: Server, fault: str = "", *, stream: bool = True) -> Wire:
    wire = await (await ask(server, fault, stream=stream)).read()
    wire.close()
    return wire


async def test_without_a_fault_the_answer_is_the_recorded_one(server: Server) -> None:
    for plan in (None, "none"):
        server.plan = plan
        wire = await asked(server)
        assert wire.body == BODY
        assert wire.got.startswith(b"HTTP/1.1 200")
    assert server.found() == []


@pytest.mark.parametrize(
    "fault",
    [
        "latency=20ms",
        "jitter=5ms",
        "first-byte=20ms",
        "split=2ms",
        "stall-after=2; stall-for=20ms",
        "stall-after=99; stall-for=20ms",
    ],
)
@pytest.mark.parametrize("stream", [True, False])
async def test_harmless_faults_change_no_byte(server: Server, fault: str, stream: bool) -> None:
    plain = await asked(server, stream=stream)
    wire = await asked(server, fault, stream=stream)
    assert (wire.body, wire.end) == (plain.body, "closed")
    assert wire.got.endswith(b"0\r\n\r\n" if stream else plain.body)
    assert server.found() == []


async def test_an_answer_badly_written_has_the_headers_of_a_good_one(server: Server) -> None:
    async with ClientSession() as session:
        heads = []
        for fault in ("none", "latency=1ms"):
            headers = {FAULT: fault, "X-Request-Id": "mine"}
            url = server.url + "/chat/completions"
            for stream in (True, False):
                async with session.post(url, json={"stream": stream}, headers=headers) as answer:
                    await answer.read()
                    kept = ("Cache-Status", "Age", "X-Request-Id", "Content-Type", "Content-Length")
                    heads.append([answer.headers.get(name) for name in kept])
    assert heads[0][:3] == ["promptdeck; hit", "3", "mine"]
    # A stream that is written frame by frame does not tell its length beforehand.
    assert heads[0][:-1] == heads[2][:-1]
    assert heads[1] == heads[3]


async def test_latency_comes_before_the_head_and_a_slow_first_byte_behind_it(
    server: Server,
) -> None:
    wire = await (await ask(server, "latency=5s")).read(0.2)
    assert (wire.got, wire.end) == (b"", "silence")
    wire.close()
    wire = await (await ask(server, "first-byte=5s")).read_to(b"\r\n\r\n")
    await wire.read(0.2)
    assert wire.got.startswith(b"HTTP/1.1 200")
    assert (wire.body, wire.end) == (b"", "silence")
    wire.close()


async def test_a_cut_answer_is_closed_without_its_end(server: Server) -> None:
    wire = await asked(server, "cut-after=2")
    assert (wire.body, wire.end) == (b"".join(STREAM[:2]), "closed")
    assert not wire.got.endswith(b"0\r\n\r\n")


async def test_a_cut_answer_that_is_no_stream_is_shorter_than_it_says(server: Server) -> None:
    whole = await asked(server, stream=False)
    wire = await asked(server, "cut-after=1", stream=False)
    assert f"content-length: {len(whole.body)}\r\n".encode() in wire.got.lower()
    assert 0 < len(wire.body) < len(whole.body)


async def test_a_reset_before_the_head_sends_nothing(server: Server) -> None:
    wire = await asked(server, "reset")
    assert (wire.got, wire.end) == (b"", "reset")


async def test_a_reset_after_frames_sends_those_frames_first(server: Server) -> None:
    wire = await asked(server, "reset-after=3")
    assert (wire.body, wire.end) == (b"".join(STREAM[:3]), "reset")


async def test_a_stall_lasts_until_the_client_leaves(server: Server) -> None:
    wire = await (await ask(server, "stall-after=1")).read_to(STREAM[0])
    await wire.read(0.3)
    assert (wire.body, wire.end) == (STREAM[0], "silence")
    assert "ended" not in server.told()[0]
    assert server.found(Limits(hung=0.1)) == ["hung"]
    wire.close()
    await server.idle()
    assert server.told()[0]["left"]
    assert server.found() == ["not_retried"]


async def test_a_frame_is_malformed_and_the_stream_goes_on(server: Server) -> None:
    wire = await asked(server, "malformed=2")
    broken = STREAM[1].replace(b"}\n\n", b"\n\n")
    assert wire.body == BODY.replace(STREAM[1], broken)
    assert server.found() == ["broken_answer_not_retried"]


async def test_names_of_events_are_kept_from_clients_under_faults_too(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = tuple(Frame(0, b"event: chunk\nid: 1\n" + data) for data in STREAM)
    headers = ANSWERS[True].headers
    monkeypatch.setitem(ANSWERS, True, Response(200, headers, named))
    wire = await asked(server, "latency=1ms")
    assert wire.body == BODY


async def test_a_fault_that_cannot_be_read_is_the_clients_error(server: Server) -> None:
    wire = await asked(server, "latncy=1s")
    assert wire.got.startswith(b"HTTP/1.1 400")
    error = orjson.loads(wire.body)["error"]
    assert error["message"] == f"{FAULT}: no fault 'latncy'; did you mean latency?"
    assert (error["code"], error["param"]) == ("bad_fault", FAULT)


async def test_the_header_goes_before_the_sessions_plan(server: Server) -> None:
    server.plan = {"status": 503}
    assert (await asked(server)).got.startswith(b"HTTP/1.1 503")
    assert (await asked(server, "status=529")).got.startswith(b"HTTP/1.1 529")
    assert (await asked(server, "none")).body == BODY


async def test_errors_are_counted_for_each_plan(server: Server) -> None:
    seen = [(await asked(server, f"status={code}; times=1")).got[9:12] for code in (500, 429, 500)]
    assert seen == [b"500", b"429", b"200"]


# The openai SDK


def client(server: Server, **settings: Any) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=server.url, api_key="no-secret", **settings)


async def test_openai_waits_as_retry_after_ms_asks_and_then_succeeds(server: Server) -> None:
    server.plan = {"status": 429, "retry_after_ms": 300, "times": 2}
    async with client(server) as sdk:
        answer = await sdk.chat.completions.create(model="m", messages=MESSAGES)
    assert answer.choices[0].message.content == "whole"
    assert [each["status"] for each in server.told()] == [429, 429, 200]
    assert [each["retry"] for each in server.told()] == [0, 1, 2]
    assert server.found() == []


async def test_openai_gives_up_after_two_retries_with_our_error(server: Server) -> None:
    server.plan = {"status": 429, "retry_after_ms": 1}
    async with client(server) as sdk:
        with pytest.raises(openai.RateLimitError) as caught:
            await sdk.chat.completions.create(model="m", messages=MESSAGES)
    assert caught.value.code == "rate_limit_exceeded"
    assert len(server.told()) == 3
    assert server.found() == ["not_retried"]


async def test_openai_retries_a_connection_reset_before_the_head(server: Server) -> None:
    server.plan = {"reset": True, "times": 1}
    async with client(server) as sdk:
        answer = await sdk.chat.completions.create(model="m", messages=MESSAGES)
    assert answer.choices[0].message.content == "whole"
    assert server.found() == []


async def test_openai_does_not_retry_a_stream_that_was_cut(server: Server) -> None:
    server.plan = {"cut_after": 2}
    async with client(server) as sdk:
        stream = await sdk.chat.completions.create(model="m", messages=MESSAGES, stream=True)
        with pytest.raises(openai.APIConnectionError):
            [part async for part in stream]
    assert server.found() == ["broken_answer_not_retried"]


async def test_openai_leaves_a_stalled_stream_at_its_timeout(server: Server) -> None:
    server.plan = {"stall_after": 1}
    async with client(server, timeout=1) as sdk:  # for the head, too, on a busy machine
        stream = await sdk.chat.completions.create(model="m", messages=MESSAGES, stream=True)
        with pytest.raises(openai.APITimeoutError):
            [part async for part in stream]
    await server.idle()
    assert server.told()[0]["left"]
    assert "hung" not in server.found()


async def test_a_client_that_ignores_retry_after_is_found_out(server: Server) -> None:
    server.plan = "status=429; retry-after=2; times=1"
    await asked(server)
    assert (await asked(server)).body == BODY
    assert server.found() == ["retry_after_ignored"]

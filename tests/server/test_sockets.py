"""WebSockets: relayed, recorded and replayed message by message."""

import asyncio
import random
import time
from contextlib import suppress
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp import web

from promptdeck.core.dialects.sockets import Close
from tests.conftest import Deck, Start
from tests.scripted_socket import KEY, created, opened, response, responses, talking, text
from tests.scripted_upstream import Upstream, plain, raw

REALTIME = "/v1/realtime?model=gpt-realtime"


def cassette(start: Start, name: str = "c") -> str:
    return (start.folder / "cassettes" / f"{name}.yaml").read_text()


async def recorded_and_replayed(start: Start, record: Any) -> tuple[Any, Any, Deck]:
    """What a client gets that talks to upstream, and that talks to the recording, with its deck."""
    live = await record(await start(mode="record", cassette="c"))
    deck = await start(mode="replay", cassette="c")
    start._provider.answers = [raw(b"", status=500)]
    again = await record(deck)
    return live, again, deck


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("mode", ["passthrough", "cache", "record"])
async def test_what_is_said_goes_both_ways_as_it_is(
    start: Start, provider: Upstream, mode: str, fast: bool
) -> None:
    async def echo(socket: web.WebSocketResponse) -> None:
        await socket.send_str("hello")
        async for said in socket:
            if said.type is aiohttp.WSMsgType.TEXT:
                await socket.send_str(said.data)
            else:
                await socket.send_bytes(said.data)

    provider.answers = [talking(echo, protocols=("realtime",))]
    deck = await start(mode=mode, cassette="c" if mode == "record" else None, fast=fast)
    sent = [
        "a\r\nb\n",
        b"\x00\xff" * 9,
        "",
        b"",
        "ü \ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"),
        "x" * 300_000,
    ]
    more = {
        "protocols": ["other", "realtime"],
        "headers": {"OpenAI-Beta": "realtime=v1"},
        "compress": 15,
    }
    async with opened(deck, REALTIME + "&x=%2F", **more) as client:
        assert client.socket.protocol == "realtime"
        assert client.socket.compress
        assert await client.next() == "hello"
        assert [(await client.ask(one, 1))[0] for one in sent] == sent
        await client.socket.ping()
    [seen] = provider.seen
    assert seen.path == REALTIME + "&x=%2F"
    assert seen.headers["Authorization"] == f"Bearer {KEY}"
    assert seen.headers["OpenAI-Beta"] == "realtime=v1"
    assert "permessage-deflate" in seen.headers["Sec-WebSocket-Extensions"]
    assert "X-Promptdeck-Hop" in seen.headers


async def test_responses_replay_in_their_order(start: Start, provider: Upstream) -> None:
    provider.answers = [talking(responses)]

    async def record(deck: Deck) -> Any:
        async with opened(deck, headers={"Idempotency-Key": "once"}) as client:
            asked = ["a", "b", "a", "a"]
            return [
                await client.ask(created(one, metadata={"n": n})) for n, one in enumerate(asked)
            ]

    live, again, deck = await recorded_and_replayed(start, record)
    assert again == live
    assert [orjson.loads(events[1])["delta"] for events in live] == [
        f"answer {n}" for n in (1, 2, 3, 4)
    ]
    assert len(provider.seen) == 1
    assert (deck.server.counts().hits, deck.server.counts().misses) == (5, 0)
    kept = cassette(start)
    assert kept.count("method: MESSAGE") == 4
    assert kept.count("method: WEBSOCKET") == 1
    assert "says: answer 4" in kept


async def test_realtime_replays_byte_for_byte_to_its_close(
    start: Start, provider: Upstream
) -> None:
    said = ["one\r\n", b"\x00\xffaudio", "", text({"type": "error", "error": {"message": "no"}})]

    async def session(socket: web.WebSocketResponse) -> None:
        await socket.send_str(text({"type": "session.created"}))
        await socket.receive()  # which nothing answers
        assert (await socket.receive()).data == b"\x01\x02"
        for one in said:
            await (socket.send_str(one) if isinstance(one, str) else socket.send_bytes(one))
        await socket.close(code=4001, message="adieu é".encode())

    provider.answers = [talking(session)]

    async def record(deck: Deck) -> Any:
        async with opened(deck, REALTIME) as client:
            got = await client.take(1)
            await client.say(text({"type": "session.update"}))
            await client.say(b"\x01\x02")
            return got + await client.take(5)

    live, again, _ = await recorded_and_replayed(start, record)
    assert live == again == [text({"type": "session.created"}), *said, Close(4001, "adieu é")]


@pytest.mark.parametrize("waits", [True, False])
async def test_any_conversation_replays(start: Start, provider: Upstream, waits: bool) -> None:
    """Whether the client waits for each answer or says all at once: what it gets is the same."""
    chance = random.Random(7)
    said = ["a", text({"type": "x"}), "\r", "", b"", b"\x00\xff", "lines\nof\n\ntext", "é"]
    talks = [
        [(n, chance.choice(said)) for n in chance.choices([0, 1, 3], k=chance.randrange(1, 6))]
        for _ in range(12)
    ]

    async def answers(socket: web.WebSocketResponse) -> None:
        async for one in socket:
            for n in range(one.data[0] if isinstance(one.data, bytes) else int(one.data[0])):
                back = one.data[1:]
                await (
                    socket.send_str(f"{n}{back}")
                    if isinstance(back, str)
                    else socket.send_bytes(back)
                )

    def message(number: int, one: str | bytes) -> str | bytes:
        return f"{number}{one}" if isinstance(one, str) else bytes([number]) + one

    provider.answers = [talking(answers)]

    async def record(deck: Deck) -> Any:
        got = []
        for talk in talks:
            async with opened(deck, REALTIME) as client:
                for number, one in talk:
                    await client.say(message(number, one))
                    got += await client.take(number) if waits else []
                if not waits:
                    got += await client.take(sum(number for number, _ in talk))
        return got

    live, again, deck = await recorded_and_replayed(start, record)
    assert again == live
    assert len(live) == sum(number for talk in talks for number, _ in talk)
    assert deck.server.counts().misses == 0


async def test_a_message_is_known_by_its_own_text_and_the_same_one_takes_its_turns(
    start: Start, provider: Upstream
) -> None:
    """In another order each message gets its own answer; the same one those of its recordings,
    in their order and whichever socket says it, as identical requests by HTTP do."""
    count = 0

    async def answers(socket: web.WebSocketResponse) -> None:
        nonlocal count
        async for one in socket:
            count += 1
            await socket.send_str(f"{one.data} {count}")

    provider.answers = [talking(answers)]

    async def talk(deck: Deck, *said: str) -> list[Any]:
        async with opened(deck, REALTIME) as client:
            return [(await client.ask(one, 1))[0] for one in said]

    deck = await start(mode="record", cassette="c")
    assert await talk(deck, "a", "go", "b", "go") == ["a 1", "go 2", "b 3", "go 4"]
    deck = await start(mode="replay", cassette="c")
    assert await talk(deck, "b", "go", "a") == ["b 3", "go 2", "a 1"]
    assert await talk(deck, "go", "go") == ["go 4", "go 4"]


async def test_a_text_is_none_of_the_same_bytes(start: Start, provider: Upstream) -> None:
    async def kinds(socket: web.WebSocketResponse) -> None:
        async for one in socket:
            await socket.send_str(one.type.name)

    provider.answers = [talking(kinds)]

    async def record(deck: Deck) -> Any:
        async with opened(deck, REALTIME) as client:
            return [(await client.ask(one, 1))[0] for one in ("ab", b"ab")]

    live, again, _ = await recorded_and_replayed(start, record)
    assert live == again == ["TEXT", "BINARY"]


async def test_the_pace_is_that_of_the_recording(start: Start, provider: Upstream) -> None:
    async def slow(socket: web.WebSocketResponse) -> None:
        await socket.receive()
        for event in response("r", "slow"):
            await asyncio.sleep(0.1)
            await socket.send_str(event)
        await socket.receive()

    provider.answers = [talking(slow)]

    async def ask(deck: Deck) -> list[float]:
        async with opened(deck) as client:
            began, times = time.monotonic(), []
            await client.say(created("hi"))
            for _ in range(3):
                await client.next()
                times.append(time.monotonic() - began)
            return times

    await ask(await start(mode="record", cassette="c"))
    played = await ask(await start(mode="replay", cassette="c", pace="recorded"))
    assert played[2] >= 0.28
    assert played[1] - played[0] >= 0.06
    at_once = await ask(await start(mode="replay", cassette="c"))
    assert at_once[2] < 0.25


async def test_an_answer_that_is_cut_is_not_kept(start: Start, provider: Upstream) -> None:
    async def cut(socket: web.WebSocketResponse) -> None:
        await socket.receive()
        for event in response("r", "whole"):
            await socket.send_str(event)
        await socket.receive()
        await socket.send_str(response("r", "half")[0])
        assert socket._req
        assert socket._req.transport
        socket._req.transport.abort()

    provider.answers = [talking(cut)]
    deck = await start(mode="record", cassette="c")
    async with opened(deck) as client:
        await client.ask(created("whole"))
        first, error, close = await client.ask(created("half"))
    assert first == response("r", "half")[0]
    assert orjson.loads(error)["type"] == "error"
    assert orjson.loads(error)["error"]["code"] == "upstream_cut"
    assert close == Close(1011, "upstream_cut")
    kept = cassette(start)
    assert kept.count("method: MESSAGE") == 1
    assert "half" not in kept


async def test_a_socket_closed_in_mid_answer_and_errors_are_not_kept(
    start: Start, provider: Upstream
) -> None:
    failure = text(
        {"type": "error", "status": 400, "error": {"code": "previous_response_not_found"}}
    )

    async def fails(socket: web.WebSocketResponse) -> None:
        await socket.receive()
        await socket.send_str(failure)
        await socket.receive()
        await socket.send_str(response("r", "half")[0])
        await socket.close(code=1000)

    provider.answers = [talking(fails)]
    deck = await start(mode="record", cassette="c")
    async with opened(deck) as client:
        assert await client.ask(created("a"), 1) == [failure]
        assert await client.ask(created("b"), 2) == [response("r", "half")[0], Close(1000)]
    assert "method: MESSAGE" not in cassette(start)


async def test_a_message_that_is_not_recorded_is_told_and_counted(
    start: Start, provider: Upstream
) -> None:
    provider.answers = [talking(responses)]
    deck = await start(mode="record", cassette="c")
    async with opened(deck) as client:
        await client.ask(created("What is the capital of France?"))
    deck = await start(mode="replay", cassette="c")
    async with opened(deck) as client:
        error, close = await client.ask(created("What is the capital of Spain?"), 2)
    told = orjson.loads(error)
    assert (told["type"], told["status"], told["error"]["code"]) == ("error", 400, "cassette_miss")
    assert told["error"]["details"]["nearest"]
    assert "Spain" in told["error"]["details"]["diff"]
    assert close == Close(1008, "cassette_miss")
    assert deck.server.counts().misses == 1
    [missed] = (await deck.request("GET", "/_deck/cassettes/c/report")).json["missed"]
    assert missed["target"] == "/v1/responses"
    async with opened(deck, "/v1/responses") as client:
        assert len(await client.ask(created("What is the capital of France?"))) == 3


async def refused(deck: Deck, path: str = "/v1/responses", **more: Any) -> tuple[int, Any]:
    with pytest.raises(aiohttp.WSServerHandshakeError) as error:
        async with opened(deck, path, **more):
            pass
    return error.value.status, error.value.headers


async def test_a_socket_that_is_not_recorded_is_one_miss(start: Start, provider: Upstream) -> None:
    deck = await start(mode="replay", cassette="c")
    for _ in range(7):
        status, headers = await refused(deck)
        assert (status, headers["Upgrade"], headers["x-should-retry"]) == (426, "HTTP/1.1", "false")
    assert deck.server.counts().misses == 1
    assert (await refused(deck, REALTIME))[0] == 426
    report = (await deck.request("GET", "/_deck/cassettes/c/report")).json
    assert deck.server.counts().misses == 2
    assert [miss["target"] for miss in report["missed"]] == ["/v1/responses", REALTIME]
    got = await deck.request("GET", "/v1/responses", **HANDSHAKE)
    assert got.json["code"] == "cassette_miss"
    assert "WebSocket to /v1/responses" in got.json["message"]
    await deck.request("POST", "/_deck/cassettes/c/rewind")
    await refused(deck)
    assert deck.server.counts().misses == 3


HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


async def test_what_is_recorded_by_http_is_no_miss(start: Start, provider: Upstream) -> None:
    body = orjson.dumps({"model": "m", "input": "hi"})
    answer = {"id": "r", "object": "response", "status": "completed", "output": []}
    provider.answers = [raw(b"upgrade", status=426), raw(orjson.dumps(answer))]
    deck = await start(mode="record", cassette="c")
    assert (await refused(deck))[0] == 426
    assert (await deck.request("POST", "/v1/responses", body)).status == 200
    deck = await start(mode="replay", cassette="c")
    assert (await refused(deck))[0] == 426
    assert (await deck.request("POST", "/v1/responses", body)).status == 200
    assert deck.server.counts().misses == 0


@pytest.mark.parametrize("path", ["/v1/responses", "/v1/somewhere"])
@pytest.mark.parametrize(
    ("body", "kind"),
    [(b"", "text/plain"), (b"{}", "application/json"), (b"data: {}\n\n", "text/event-stream")],
)
async def test_a_handshake_that_is_answered_as_a_get_is_no_recording(
    start: Start, provider: Upstream, body: bytes, kind: str, path: str
) -> None:
    for mode in ("record", "record-missing"):
        provider.answers = [raw(body, headers={"Content-Type": kind})]
        deck = await start(mode=mode, cassette="c")
        assert (await refused(deck, path))[0] in (200, 426)
        # What the deck is to hold is of another call.
        provider.answers = [plain("yes")]
        await deck.chat()
    assert "WEBSOCKET" not in cassette(start)
    deck = await start(mode="replay", cassette="c")
    assert (await refused(deck, path))[0] == 426


async def test_a_refusal_of_upstream_is_passed_on_as_it_came(
    start: Start, provider: Upstream
) -> None:
    deck = await start(mode="record", cassette="c")
    for status, more in (
        (404, {}),
        (426, {}),
        (401, {}),
        (307, {"Location": "/v1/other"}),
        (200, {}),
    ):
        provider.answers = [
            raw(b'{"error": "as it is"}', status=status, headers={"X-Own": "y", **more})
        ]
        provider.seen.clear()
        async with deck.session.get(
            deck.server.root + "/v1/responses", headers=HANDSHAKE, allow_redirects=False
        ) as got:
            assert (got.status, got.headers["X-Own"]) == (status, "y")
            assert await got.read() == b'{"error": "as it is"}'
        assert len(provider.seen) == 1
    assert not (start.folder / "cassettes" / "c.yaml").exists()
    provider.answers = [plain("well")]
    assert (await deck.chat()).status == 200


async def test_no_upstream_is_told(start: Start, provider: Upstream) -> None:
    deck = await start(mode="record", cassette="c", upstream="http://127.0.0.1:9/v1")
    got = await deck.request("GET", "/v1/responses", **HANDSHAKE)
    assert (got.status, got.json["code"]) == (502, "upstream_unreachable")


async def test_secrets_go_upstream_and_nowhere_else(
    start: Start, provider: Upstream, caplog: Any
) -> None:
    hidden = "sk-proj-" + "Zz9" * 20
    protocol = f"openai-insecure-api-key.{hidden}"

    async def tells(socket: web.WebSocketResponse) -> None:
        async for said in socket:
            await socket.send_str(text({"said": said.data, "key": hidden}) + "\r")

    provider.answers = [talking(tells, protocols=("realtime",))]
    deck = await start(
        {"PROMPTDECK_UPSTREAM_API_KEY": "server-key-0123456789"}, mode="record", cassette="c"
    )
    path = f"{REALTIME}&api-key={hidden}"
    async with deck.session.ws_connect(
        deck.server.root + path, protocols=["realtime", protocol, "openai-beta.realtime-v1"]
    ) as socket:
        await socket.send_str(text({"token": hidden, "type": "x"}))
        assert hidden in (await socket.receive_str())
        assert socket.protocol == "realtime"
    await deck.idle()
    [seen] = provider.seen
    assert protocol in seen.headers["Sec-WebSocket-Protocol"]
    assert "Authorization" not in seen.headers
    kept = cassette(start)
    assert hidden not in kept
    assert "REDACTED" in kept.upper()
    assert hidden not in caplog.text
    deck = await start(mode="replay", cassette="c")
    async with deck.session.ws_connect(
        deck.server.root + path, protocols=["realtime", "openai-insecure-api-key.other"]
    ) as socket:
        assert socket.protocol == "realtime"
        await socket.send_str(text({"token": hidden, "type": "x"}))
        assert hidden not in (await socket.receive_str())


async def test_a_placeholder_is_replaced_by_the_servers_key(
    start: Start, provider: Upstream
) -> None:
    provider.answers = [talking(responses, protocols=("realtime",))]
    deck = await start({"PROMPTDECK_UPSTREAM_API_KEY": "server-key-0123456789"}, mode="cache")
    placeholder = "openai-insecure-api-key.promptdeck-placeholder-key"
    async with deck.session.ws_connect(
        deck.server.root + REALTIME, protocols=["realtime", placeholder]
    ):
        pass
    [seen] = provider.seen
    assert seen.headers["Sec-WebSocket-Protocol"] == "realtime"
    assert seen.headers["Authorization"] == "Bearer server-key-0123456789"


async def test_cassettes_and_sessions_have_sockets(start: Start, provider: Upstream) -> None:
    provider.answers = [talking(responses)]
    deck = await start(mode="record")
    async with opened(deck, "/cassette/mine/v1/responses") as client:
        live = await client.ask(created("hi"))
    opening = orjson.dumps({"cassette": "mine", "mode": "replay"})
    session = (await deck.request("POST", "/_deck/sessions", opening)).json["id"]
    async with opened(deck, f"/session/{session}/v1/responses") as client:
        assert await client.ask(created("hi")) == live
        await deck.request("DELETE", f"/_deck/sessions/{session}")
        assert await client.ask(created("hi"), 1) == [Close(1001, "its session is closed")]
    assert len(provider.seen) == 1
    assert (await refused(deck, f"/session/{session}/v1/responses"))[0] == 404


@pytest.mark.parametrize("finish", ["true", "false"])
async def test_a_client_that_leaves_ends_upstream(
    start: Start, provider: Upstream, finish: str
) -> None:
    environ = {"PROMPTDECK_RECORD_FINISH_AFTER_DISCONNECT": finish}
    codes: list[int | None] = []

    async def waits(socket: web.WebSocketResponse) -> None:
        async for said in socket:
            await socket.send_str("ok " + said.data)
        codes.append(socket.close_code)

    provider.answers = [talking(waits)]
    deck = await start(environ, mode="record", cassette="c")
    async with opened(deck, REALTIME) as client:
        await client.ask("kept", 1)
        await client.socket.close(code=4321)
    async with opened(deck, "/v1/responses") as client:
        await client.ask("half", 1)
        transport = client.socket._response.connection.transport  # type: ignore[union-attr]
        transport.abort()  # type: ignore[union-attr]
        for _ in range(500):
            if len(codes) == 2:
                break
            await asyncio.sleep(0.01)
    assert codes == [4321, 1001]
    await deck.idle()
    kept = cassette(start)
    assert kept.count("ok kept") == 1
    assert "half" not in kept


async def test_what_is_missing_is_recorded_as_upstream_can_understand_it(
    start: Start, provider: Upstream
) -> None:
    heard: list[dict[str, Any]] = []

    async def talk(socket: web.WebSocketResponse) -> None:
        async for said in socket:
            heard.append(orjson.loads(said.data))
            name = f"resp_{len(heard)}"
            for event in response(name, name):
                await socket.send_str(event)

    provider.answers = [talking(talk)]
    deck = await start(mode="record", cassette="c")
    async with opened(deck) as client:
        await client.ask(created("a"))
    deck = await start(mode="record-missing", cassette="c")
    async with opened(deck) as client:
        await client.ask(created("a"))
        assert len(provider.seen) == 1
        await client.ask(created("b", previous_response_id="resp_1"))
        await client.ask(created("c", previous_response_id="resp_2"))
        error, close = await client.ask(created("d", previous_response_id="unheard"), 2)
    assert len(provider.seen) == 2
    contents = [
        [item["content"] for item in one["input"] if item["role"] == "user"] for one in heard
    ]
    assert contents == [["a"], ["a", "b"], ["a", "b", "c"]]
    assert all("previous_response_id" not in one for one in heard)
    assert orjson.loads(error)["error"]["code"] == "socket_behind"
    assert isinstance(close, Close)
    kept = cassette(start)
    assert kept.count("method: MESSAGE") == 3
    assert kept.count("method: WEBSOCKET") == 1


@pytest.mark.parametrize("warm", [True, False])
async def test_a_turn_is_the_same_whether_its_client_warmed_up(
    start: Start, provider: Upstream, warm: bool
) -> None:
    """codex sends its prompt ahead if there is time, and then goes on from that."""
    heard: list[dict[str, Any]] = []

    async def talk(socket: web.WebSocketResponse) -> None:
        async for said in socket:
            heard.append(orjson.loads(said.data))
            name = f"resp_{len(heard)}"
            events = response(name, name)
            for event in events[:1] if heard[-1].get("generate") is False else events:
                await socket.send_str(event)
            if heard[-1].get("generate") is False:
                done = {"id": name, "status": "completed", "output": []}
                await socket.send_str(text({"type": "response.completed", "response": done}))

    async def asks(deck: Deck, *, warm: bool) -> Any:
        first, then = ({"role": "user", "content": said} for said in "ab")
        async with opened(deck) as client:
            more: dict[str, Any] = {"input": [first, then]}
            if warm:
                await client.say(created("", input=[first], generate=False))
                done = None
                while done is None or done["type"] != "response.completed":
                    done = orjson.loads(await client.next())  # type: ignore[arg-type]
                more = {"input": [then], "previous_response_id": done["response"]["id"]}
            events = [orjson.loads(event) for event in await client.ask(created("", **more))]  # type: ignore[arg-type]
            more = {"previous_response_id": events[-1]["response"]["id"]}
            return events, await client.ask(created("c", **more))

    provider.answers = [talking(talk)]
    live = await asks(await start(mode="record", cassette="c"), warm=warm)
    assert heard[-1]["previous_response_id"]
    deck = await start(mode="replay", cassette="c")
    assert await asks(deck, warm=not warm) == live
    assert deck.server.counts().misses == 0
    assert len(provider.seen) == 1


async def test_an_answer_that_is_interrupted_replays(start: Start, provider: Upstream) -> None:
    async def talk(socket: web.WebSocketResponse) -> None:
        await socket.receive()
        await socket.send_str(response("r1", "half")[0])
        await socket.receive()
        for event in response("r1", "whole"):
            await socket.send_str(event)
        await socket.receive()

    provider.answers = [talking(talk)]

    async def record(deck: Deck) -> Any:
        async with opened(deck) as client:
            first = await client.ask(created("long"), 1)
            return first + await client.ask(text({"type": "response.cancel"}))

    live, again, _ = await recorded_and_replayed(start, record)
    assert live == again == [response("r1", "half")[0], *response("r1", "whole")]


async def test_a_session_that_ends_waits_for_no_socket(start: Start, provider: Upstream) -> None:
    async def echo(socket: web.WebSocketResponse) -> None:
        async for said in socket:
            await socket.send_str(said.data)

    provider.answers = [talking(echo)]
    deck = await start(mode="record")
    opening = orjson.dumps({"cassette": "c", "mode": "record"})
    session = (await deck.request("POST", "/_deck/sessions", opening)).json["id"]
    async with opened(deck, f"/session/{session}{REALTIME}") as client:
        await client.ask("hi", 1)
        began = time.monotonic()
        async with deck.session.delete(f"{deck.server.root}/_deck/sessions/{session}") as got:
            report = await got.json()
        assert time.monotonic() - began < 1
    assert len(report["recorded_ids"]) == 2
    assert (report["under_way"], report["unrecorded"]) == (0, 0)


async def test_the_name_of_an_event_does_not_count(start: Start, provider: Upstream) -> None:
    async def echo(socket: web.WebSocketResponse) -> None:
        async for said in socket:
            await socket.send_str(said.data)

    provider.answers = [talking(echo)]
    number = 0

    async def record(deck: Deck) -> Any:
        nonlocal number
        number += 1
        async with opened(deck, REALTIME) as client:
            return await client.ask(text({"event_id": f"evt_{number}", "type": "x"}), 1)

    live, again, _ = await recorded_and_replayed(start, record)
    assert live == again == [text({"event_id": "evt_1", "type": "x"})]


async def test_upstream_that_falls_silent_is_told(start: Start, provider: Upstream) -> None:
    async def silent(socket: web.WebSocketResponse) -> None:
        await socket.receive()
        await socket.send_str(response("r", "half")[0])
        await socket.receive()

    provider.answers = [talking(silent)]
    deck = await start({"PROMPTDECK_UPSTREAM_READ_TIMEOUT": "200ms"}, mode="record", cassette="c")
    async with opened(deck) as client:
        _, error, close = await client.ask(created("hi"))
    assert orjson.loads(error)["error"]["code"] == "upstream_timeout"
    assert close == Close(1011, "upstream_timeout")


async def test_a_cache_keeps_nothing_of_a_socket(start: Start, provider: Upstream) -> None:
    provider.answers = [talking(responses)]
    deck = await start(mode="cache")
    async with opened(deck) as client:
        first = await client.ask(created("a"))
        assert await client.ask(created("a")) != first
    counts = deck.server.counts()
    assert (counts.hits, counts.recorded, counts.upstream_calls) == (0, 0, 3)


async def test_limits(start: Start, provider: Upstream) -> None:
    async def much(socket: web.WebSocketResponse) -> None:
        await socket.receive()
        for event in response("r", "x" * 5000):
            await socket.send_str(event)
        await socket.receive()

    provider.answers = [talking(much)]
    environ = {"PROMPTDECK_RECORD_MAX_BYTES": "2KB", "PROMPTDECK_SERVER_MAX_BODY": "10KB"}
    deck = await start(environ, mode="record", cassette="c")
    async with opened(deck) as client:
        assert len(await client.ask(created("a"))) == 3
        got = await client.ask("x" * 20_000, 1)
    assert isinstance(got[0], Close)
    assert got[0].code == 1009
    assert "method: MESSAGE" not in cassette(start)
    assert deck.server.counts().unrecorded == 1


async def test_a_client_that_does_not_read_holds_upstream_up(
    start: Start, provider: Upstream
) -> None:
    sent = 0

    async def floods(socket: web.WebSocketResponse) -> None:
        nonlocal sent
        await socket.receive()
        with suppress(ConnectionError):
            for _ in range(500):
                await socket.send_bytes(b"\x00" * 65_536)
                sent += 1

    provider.answers = [talking(floods, compress=False)]
    deck = await start(mode="passthrough")
    async with opened(deck, REALTIME) as client:
        await client.say("go")
        before = -1
        while sent != before:
            before = sent
            await asyncio.sleep(0.2)
        assert 0 < sent < 490
        assert len(await client.take(500)) == 500


async def test_a_server_that_stops_closes_its_sockets(start: Start, provider: Upstream) -> None:
    provider.answers = [talking(responses)]
    deck = await start(mode="record", cassette="c")
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(deck.server.root + "/v1/responses") as socket,
    ):
        began = time.monotonic()
        async with asyncio.TaskGroup() as stopping:
            stopping.create_task(start._stack.aclose())
            got = await socket.receive(timeout=5)
        assert (got.type, got.data) == (aiohttp.WSMsgType.CLOSE, 1001)
        assert time.monotonic() - began < 3


async def test_pages_and_strangers_open_none(start: Start, provider: Upstream) -> None:
    deck = await start({"PROMPTDECK_SERVER_TOKEN": "let-me-in-0123"}, mode="cache")
    assert (await refused(deck))[0] == 401
    assert (await refused(deck, headers={"Origin": "https://evil.example"}))[0] == 403
    provider.answers = [talking(responses)]
    async with opened(deck, headers={"X-Promptdeck-Token": "let-me-in-0123"}) as client:
        await client.ask(created("hi"))
    assert "X-Promptdeck-Token" not in provider.seen[0].headers


async def test_a_recording_that_no_socket_can_say_is_told(start: Start, provider: Upstream) -> None:
    provider.answers = [talking(responses)]
    deck = await start(mode="record", cassette="c")
    async with opened(deck) as client:
        await client.ask(created("a"))
    path = start.folder / "cassettes" / "c.yaml"
    lines = [line for line in path.read_text().splitlines() if "digest:" not in line]
    odd = r"""    - [0, "event: close\ndata: 7"]"""
    path.write_text("\n".join(odd if "response.created" in line else line for line in lines) + "\n")
    deck = await start(mode="replay", cassette="c")
    async with opened(deck) as client:
        error, close = await client.ask(created("a"), 2)
    assert orjson.loads(error)["error"]["code"] == "bad_recording"
    assert close == Close(1011, "bad_recording")

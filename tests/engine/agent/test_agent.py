"""Tools of real MCP servers run for a client, recorded, and replayed with all of them gone."""

import asyncio
import sys
from typing import Any

import orjson
import pytest
from aiohttp import web

from promptdeck.core.dialects.chat.cut import cut
from promptdeck.core.dialects.chat.fold import fold
from promptdeck.core.interaction import Interaction
from promptdeck.core.text import sse
from promptdeck.stores.cassettes.file import read as read_cassette
from tests import ROOT
from tests.command import promptdeck
from tests.conftest import Deck, Got, Start
from tests.core.agent.test_running import LOCATE, call, said
from tests.scripted_mcp import OLD, tool_server
from tests.scripted_upstream import Answer, Seen, Upstream, raw, stream

Message = dict[str, Any]


def model(*answers: Message | Answer) -> list[Answer]:
    """A model that answers so, whole or as a stream, and refuses what OpenAI would refuse."""

    def one(answer: Message | Answer) -> Answer:
        if not isinstance(answer, dict):
            return answer

        async def reply(seen: Seen, request: web.Request) -> web.StreamResponse:
            _check(seen.json)
            if seen.json.get("stream"):
                usage = bool((seen.json.get("stream_options") or {}).get("include_usage"))
                return await stream(cut(answer, usage))(seen, request)
            return web.Response(body=orjson.dumps(answer), content_type="application/json")

        return reply

    return [one(answer) for answer in answers]


def _check(body: Message) -> None:
    known = {"model", "messages", "tools", "tool_choice", "stream", "stream_options", "temperature"}
    assert not body.keys() - known
    waiting: list[str] = []
    for message in body["messages"]:
        if message["role"] == "tool":
            waiting.remove(message["tool_call_id"])
            assert isinstance(message["content"], str)
            continue
        assert not waiting
        calls = message.get("tool_calls") or []
        assert all(one.keys() == {"id", "type", "function"} for one in calls)
        waiting = [one["id"] for one in calls]
    assert not waiting


ADD = call("add", '{"a":2,"b":3}')


def told(got: Got) -> Message:
    """An answer as a message, whichever way it came."""
    if got.headers["Content-Type"].startswith("text/event-stream"):
        return fold(sse.frames(got.body))
    return dict(got.json)


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("mode", ["record", "record-missing"])
async def test_a_run_is_recorded_and_replayed_with_all_of_it_gone(
    start: Start, provider: Upstream, streams: bool, mode: str
) -> None:
    provider.answers = model(said("let me see ", ADD), said("The sum is 5."))
    async with tool_server() as tools:
        asked: Message = {"mcp_servers": [{"name": "alpha", "url": tools.url}], "stream": streams}
        if streams:
            asked["stream_options"] = {"include_usage": True}
        deck = await start(mode=mode, cassette="run")
        live = await deck.chat("2+3?", **asked)
        assert live.status == 200, live.body
        assert tools.script.calls == [("add", {"a": 2, "b": 3})]
    answer = told(live)
    assert answer["choices"][0]["message"]["content"] == "let me see The sum is 5."
    assert answer["tools_executed"] == ["add"]
    assert answer["mcp_tool_results"][0]["result"] == {"result": 5}
    assert answer["usage"]["total_tokens"] == 50
    assert answer["turns_consumed"] == 2
    assert len(provider.seen) == 2
    replay = await start(mode="replay", cassette="run", upstream="http://127.0.0.1:9/v1")
    again = await replay.chat("2+3?", **asked)
    assert again.body == live.body
    assert replay.server.counts().misses == 0
    other = await replay.chat("2+3?", **{**asked, "stream": not streams})
    assert told(other)["mcp_tool_results"] == answer["mcp_tool_results"]


async def test_a_cassette_tells_a_run_in_its_order(start: Start, provider: Upstream) -> None:
    provider.answers = model(said("hm ", ADD, call("fail", at=2)), said("and ", call("add", at=3)),
                             said("5"))  # fmt: skip
    async with tool_server() as tools:
        deck = await start(mode="record", cassette="run")
        await deck.chat("go", mcp_servers=[{"name": "alpha", "url": tools.url}])
        await deck.idle()
    path = start.folder / "cassettes" / "run.yaml"
    told = [asked for one in read_cassette(path) for asked in told_of(one)]
    told.remove("tools/list")  # of the server, whichever run asks it
    assert told[0] == "go"
    assert sorted(told[1:3]) == ["add", "fail"]
    assert told[3:] == ["go", "add", "go"]


def told_of(one: Interaction) -> list[str]:
    body = orjson.loads(one.request.body)
    if "messages" in body:
        return [body["messages"][0]["content"]]
    return [body.get("params", {}).get("name", body["method"])]


async def test_replay_imports_nothing_of_mcp(start: Start, provider: Upstream) -> None:
    provider.answers = model(said(None, ADD), said("5"))
    async with tool_server() as tools:
        asked = {"mcp_servers": [{"name": "alpha", "url": tools.url}]}
        await (await start(mode="record", cassette="run")).chat(**asked)
    gone = {name: sys.modules.pop(name) for name in [*sys.modules] if ".mcp.client" in name
            or ".mcp.house" in name}  # fmt: skip
    try:
        got = await (await start(mode="replay", cassette="run")).chat(**asked)
        assert got.status == 200
        assert not [name for name in sys.modules if "promptdeck.mcp.client" in name]
    finally:
        sys.modules.update(gone)


async def test_a_miss_says_at_which_step_of_the_run(start: Start, provider: Upstream) -> None:
    provider.answers = model(said(None, ADD), said("5"))
    async with tool_server() as tools:
        asked = {"mcp_servers": [{"name": "alpha", "url": tools.url}]}
        await (await start(mode="record", cassette="run")).chat("one", **asked)
        replay = await start(mode="replay", cassette="run")
        missed = await replay.chat("two", **asked)
        assert missed.status == 400
        assert missed.json["error"]["code"] == "cassette_miss"
        assert missed.json["error"]["details"]["run"] == {"turn": 1, "asked": "the model"}
        unlisted = {"mcp_servers": [{"name": "beta", "url": tools.url}]}
        missed = await replay.chat("one", **unlisted)
        assert "the tools of its servers" in missed.json["error"]["message"]


async def test_a_dead_server_is_a_fact(start: Start, provider: Upstream) -> None:
    provider.answers = model(said("no tools"))
    asked = {"mcp_servers": [{"name": "dead", "url": "http://127.0.0.1:9/mcp"}, "acme/none"]}
    deck = await start(mode="record", cassette="run")
    live = await deck.chat(**asked)
    errors = live.json["mcp_server_errors"]
    assert errors["dead"]["code"] == "connection_failed"
    assert errors["acme/none"]["code"] == "unknown_server"
    assert "tools" not in provider.seen[0].json
    again = await (await start(mode="replay", cassette="run")).chat(**asked)
    assert again.body == live.body


async def test_a_tool_that_takes_too_long_and_one_that_dies(
    start: Start, provider: Upstream
) -> None:
    provider.answers = model(
        said(None, call("slow"), call("fail", at=2), call("add", '{"a":1,"b":1}', 3)), said("ok")
    )
    async with tool_server(OLD, "stream") as tools:
        deck = await start({"PROMPTDECK_AGENT_TOOL_TIMEOUT": "200ms"}, mode="record", cassette="x")
        live = await deck.chat(mcp_servers=tools.url)
        results = live.json["mcp_tool_results"]
        assert [one["is_error"] for one in results] == [True, True, False]
        assert "within 0.2 s" in results[0]["result"]
        again = await (await start(mode="replay", cassette="x")).chat(mcp_servers=tools.url)
        assert again.body == live.body


async def test_cache_mode_calls_tools_each_time(start: Start, provider: Upstream) -> None:
    provider.answers = model(said(None, ADD), said("5"))
    async with tool_server() as tools:
        deck = await start(mode="cache")
        first = await deck.chat(mcp_servers=[tools.url])
        second = await deck.chat(mcp_servers=[tools.url])
        assert len(tools.script.calls) == 2
        assert len(provider.seen) == 2
        assert told(first)["choices"] == told(second)["choices"]
        reads = await start({"PROMPTDECK_AGENT_CACHE_TOOLS": "read-only"}, mode="cache")
        for _ in range(2):
            await reads.chat(mcp_servers=[tools.url])
        assert len(tools.script.calls) == 3


async def test_a_handoff_and_its_return(start: Start, provider: Upstream) -> None:
    locate = call("locate", '{"city":"Paris"}')
    add = call("add", '{"a":2,"b":3}', 2)
    provider.answers = model(said(None, locate, add), said("There."))
    async with tool_server() as tools:
        asked: Message = {"tools": [LOCATE], "handoff_mode": True,
                          "mcp_servers": [{"name": "alpha", "url": tools.url}]}  # fmt: skip
        deck = await start(mode="record", cassette="run")

        async def both(deck: Deck) -> list[Message]:
            first = (await deck.chat("go", **asked)).json
            message = first["choices"][0]["message"]
            assert message["tool_calls"] == [locate]
            assert first["server_results"] == {"call_2": {"result": 5}}
            history = [{"role": "user", "content": "go"},
                       {"role": "assistant", "content": None, "tool_calls": [locate]},
                       {"role": "tool", "tool_call_id": "call_1", "content": "48.8 N"}]  # fmt: skip
            back = {**asked, "messages": history, "correlation_id": first["correlation_id"]}
            return [first, (await deck.chat(**back)).json]

        live = await both(deck)
    sent = provider.seen[-1].json["messages"]
    assert [one["role"] for one in sent] == ["user", "assistant", "tool", "tool"]
    assert live[1]["choices"][0]["message"]["content"] == "There."
    assert (
        await both(await start(mode="replay", cassette="run", store=start.folder / "other.db"))
        == live
    )


async def test_a_handoff_that_is_not_known(start: Start, provider: Upstream) -> None:
    provider.answers = model(said("fine"))
    async with tool_server() as tools:
        deck = await start(mode="cache")
        asked: Message = {"mcp_servers": [tools.url], "correlation_id": "hs_gone"}
        assert (await deck.chat(**asked)).status == 200
        history = [{"role": "user", "content": "go"},
                   {"role": "assistant", "content": None,
                    "tool_calls": [call("locate"), call("add", at=2)]},
                   {"role": "tool", "tool_call_id": "call_1", "content": "x"}]  # fmt: skip
        got = await deck.chat(**asked, messages=history)
        assert (got.status, got.json["error"]["code"]) == (400, "correlation_not_found")
        assert got.json["error"]["param"] == "correlation_id"


CUT = b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"hm"}}]}\n\n'
FAILED = b'data: {"error":{"message":"overloaded"}}\n\n'


@pytest.mark.parametrize("frames", [[CUT], [CUT, FAILED], [CUT, FAILED, b"data: [DONE]\n\n"]])
async def test_a_turn_that_does_not_end_well_ends_no_run_well(
    start: Start, provider: Upstream, frames: list[bytes]
) -> None:
    provider.answers = [stream(frames)]
    async with tool_server() as tools:
        deck = await start(mode="passthrough")
        got = await deck.chat(mcp_servers=[tools.url], stream=True)
        assert b"event: error" in got.body
        assert b'finish_reason":"stop' not in got.body
        assert b"[DONE]" not in got.body


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"error":{"message":"no"}}', b"<p>log in"])
async def test_an_answer_that_is_none_is_said_to_be_none(
    start: Start, provider: Upstream, body: bytes
) -> None:
    provider.answers = [raw(body)]
    async with tool_server() as tools:
        got = await (await start(mode="passthrough")).chat(mcp_servers=[tools.url])
        assert (got.status, got.json["error"]["code"]) == (502, "bad_answer")


async def test_an_error_of_the_model_is_the_answer(start: Start, provider: Upstream) -> None:
    async def limited(seen: Seen, request: web.Request) -> web.StreamResponse:
        return web.json_response({"error": {"message": "slow down"}}, status=429)

    async with tool_server() as tools:
        provider.answers = model(limited)
        deck = await start(mode="passthrough")
        got = await deck.chat(mcp_servers=[tools.url])
        assert (got.status, got.json) == (429, {"error": {"message": "slow down"}})
        provider.answers = model(said(None, ADD), limited)
        assert (await deck.chat(mcp_servers=[tools.url])).status == 429
        provider.answers = model(said("hm ", ADD), limited)
        got = await deck.chat(mcp_servers=[tools.url], stream=True)
        assert got.body.startswith(b"data: ")
        assert b"event: error" in got.body
        assert b"[DONE]" not in got.body


async def test_one_run_for_one_key_and_for_those_who_ask_the_same_at_once(
    start: Start, provider: Upstream
) -> None:
    provider.answers = model(said(None, ADD), said("5"))
    async with tool_server() as tools:
        deck = await start(mode="record-missing", cassette="run")
        asked = {"mcp_servers": [tools.url], "headers": {"Idempotency_Key": "k"}}
        got = await asyncio.gather(*(deck.chat(**dict(asked)) for _ in range(3)))
        assert len({one.body for one in got}) == 1
        assert len(tools.script.calls) == 1
        provider.answers = model(said(None, ADD), said("5"))
        cache = await start(mode="cache")
        got = await asyncio.gather(*(cache.chat(mcp_servers=[tools.url]) for _ in range(3)))
        assert len(tools.script.calls) == 2


async def test_live_tools_under_a_recorded_model(start: Start, provider: Upstream) -> None:
    provider.answers = model(said(None, ADD), said("5"))
    async with tool_server() as tools:
        asked = {"mcp_servers": [{"name": "alpha", "url": tools.url}]}
        await (await start(mode="record", cassette="run")).chat(**asked)
        replay = await start({"PROMPTDECK_AGENT_TOOLS": "live"}, mode="replay", cassette="run")
        assert (await replay.chat(**asked)).status == 200
        assert len(tools.script.calls) == 2
        tools.script.results["add"] = lambda _: {"content": [{"type": "text", "text": "six"}]}
        missed = await replay.chat(**asked)
        assert missed.json["error"]["details"]["run"] == {"turn": 2, "asked": "the model"}
        assert "six" in str(missed.json)


async def test_many_runs_at_once_wait_for_none_of_the_others(
    start: Start, provider: Upstream
) -> None:
    calls = [call("add", '{"a":1,"b":1}', n) for n in range(5)]

    async def reply(seen: Seen, request: web.Request) -> web.StreamResponse:
        done = any(one["role"] == "tool" for one in seen.json["messages"])
        body = orjson.dumps(said("ok") if done else said(None, *calls))
        return web.Response(body=body, content_type="application/json")

    provider.answers = [reply]
    async with tool_server() as tools:
        tools.pause = 0.3
        deck = await start(mode="passthrough")
        began = asyncio.get_running_loop().time()
        got = await asyncio.gather(
            *(deck.chat(f"go {n}", mcp_servers=[tools.url]) for n in range(50))
        )
        assert [one.status for one in got] == [200] * 50
        assert len(tools.script.calls) == 250
        # One after the other they would take 75 s.
        assert asyncio.get_running_loop().time() - began < 10


async def test_a_run_at_its_recorded_pace(start: Start, provider: Upstream) -> None:
    provider.answers = model(said(None, ADD), said("5"))
    async with tool_server() as tools:
        tools.pause = 0.3
        asked = {"mcp_servers": [{"name": "alpha", "url": tools.url}]}
        await (await start(mode="record", cassette="run")).chat(**asked)
    replay = await start(mode="replay", cassette="run", pace="recorded")
    began = asyncio.get_running_loop().time()
    assert (await replay.chat(**asked)).status == 200
    assert asyncio.get_running_loop().time() - began >= 0.3


async def test_explain_explains_the_first_step(start: Start, provider: Upstream) -> None:
    provider.answers = model(said(None, ADD), said("5"))
    async with tool_server() as tools:
        asked = {"mcp_servers": [{"name": "alpha", "url": tools.url}]}
        deck = await start(mode="record", cassette="run")
        await deck.chat("2+3?", **asked)
        await deck.idle()
    for prompt, code in ("2+3?", 0), ("3+3?", 1):
        message = {"role": "user", "content": prompt}
        body = orjson.dumps({"model": "m", "messages": [message], **asked})
        ran = await promptdeck(start.folder, "explain", "-", "--cassette", "run", stdin=body)
        assert ran.code == code
        assert ran.out.startswith("run ")
        assert "add" in ran.out


async def test_no_turn_is_left(start: Start, provider: Upstream) -> None:
    provider.answers = model(said(None, ADD))
    async with tool_server() as tools:
        deck = await start(mode="cache")
        got = await deck.chat(mcp_servers=[tools.url], max_turns=1)
        assert "max_turns is reached" in got.headers["Warning"]
        assert got.json["choices"][0]["message"]["tool_calls"] == [ADD]
        assert not tools.script.calls


async def test_the_most_calls_of_a_run(start: Start, provider: Upstream) -> None:
    provider.answers = model(said(None, ADD))
    async with tool_server() as tools:
        deck = await start({"PROMPTDECK_AGENT_MAX_TOOL_CALLS": "2"}, mode="passthrough")
        got = await deck.chat(mcp_servers=[tools.url])
        assert got.json["error"]["code"] == "too_many_tool_calls"
        assert len(tools.script.calls) == 2


async def test_servers_of_the_configuration(start: Start, provider: Upstream) -> None:
    provider.answers = model(said(None, ADD), said("5"))
    command = [sys.executable, str(ROOT / "tests/scripted_mcp.py"), OLD]
    servers = orjson.dumps({"acme/sums": {"command": command}}).decode()
    deck = await start({"PROMPTDECK_AGENT_SERVERS": servers}, mode="record", cassette="run")
    live = await deck.chat(mcp_servers="acme/sums")
    assert live.json["mcp_tool_results"][0]["server_name"] == "acme/sums"
    again = await (await start(mode="replay", cassette="run")).chat(mcp_servers="acme/sums")
    assert again.body == live.body


async def test_the_upstream_may_run_them_itself(start: Start, provider: Upstream) -> None:
    deck = await start({"PROMPTDECK_AGENT_RUN": "upstream"}, mode="cache")
    await deck.chat(mcp_servers=["acme/sums"])
    assert provider.seen[0].json["mcp_servers"] == ["acme/sums"]


async def test_what_is_recorded_of_the_whole_answers(start: Start, provider: Upstream) -> None:
    deck = await start({"PROMPTDECK_AGENT_RUN": "upstream"}, mode="record", cassette="run")
    await deck.chat(mcp_servers=["acme/sums"])
    replay = await start(mode="replay", cassette="run")
    assert (await replay.chat(mcp_servers=["acme/sums"])).status == 200
    assert replay.server.counts().hits == 1


@pytest.mark.parametrize(
    ("asked", "status", "words"),
    [
        ({"n": 2}, 400, "n and mcp_servers"),
        ({"headers": {"Content_Type": "text/plain"}}, 403, "needs Content-Type"),
        ({"headers": {"Origin": "https://evil.example"}}, 403, "evil.example"),
        ({"headers": {"Host": "evil.example"}}, 403, "evil.example"),
    ],
)
async def test_what_may_start_no_tool(
    start: Start, asked: Message, status: int, words: str
) -> None:
    async with tool_server() as tools:
        deck = await start(mode="cache")
        got = await deck.chat(mcp_servers=[tools.url], **asked)
        assert got.status == status
        assert words in got.json["error"]["message"]
        assert not tools.script.calls


async def test_a_credential_goes_to_its_server_alone_and_into_no_file(
    start: Start, provider: Upstream
) -> None:
    secret = "hush-hush-very-secret-value"
    provider.answers = model(said(None, call("add", '{"a":1,"b":1}')), said("ok"))
    async with tool_server() as tools, tool_server() as others:
        tools.token = secret

        def echo(arguments: Message) -> Message:
            return {"content": [{"type": "text", "text": f"my token is {secret}"}]}

        tools.script.results["add"] = echo
        servers = [{"name": "alpha", "url": tools.url}, {"name": "beta", "url": others.url}]
        credentials = [
            {"connection_name": "alpha", "values": {"api_key": secret}},
            {"connection_name": "gamma", "values": {"api_key": "another-secret"}},
        ]
        deck = await start(mode="record", cassette="run")
        calls = [call("alpha__add", '{"a":1,"b":1}')]
        provider.answers = model(said(None, *calls), said("ok"))
        got = await deck.chat(mcp_servers=servers, credentials=credentials)
        assert got.json["tools_executed"] == ["add"]
        assert got.json["mcp_server_errors"]["gamma"]["code"] == "credential_unmatched"
        await deck.idle()
    kept = (start.folder / "cassettes" / "run.yaml").read_text()
    assert secret not in kept
    assert "another-secret" not in kept
    assert "my token is" in kept
    for path in start.folder.rglob("*"):
        if path.is_file():
            assert secret.encode() not in path.read_bytes(), path
    replay = await start(mode="replay", cassette="run")
    again = await replay.chat(mcp_servers=servers, credentials=credentials)
    assert again.status == 200


async def test_a_default_upstream_that_nobody_knows_gets_all_of_a_list(
    start: Start, provider: Upstream
) -> None:
    deck = await start({"PROMPTDECK_AGENT_RUN": "upstream"}, mode="passthrough")
    own = {"mcp_servers": ["acme/sums"], "guardrails": [{"x": 1}], "top_k": 3, "max_turns": 2}
    got = await deck.chat(**own, model=["openai/gpt-5", "anthropic/claude-x"], seed=1)
    assert got.status == 200
    assert "Warning" not in got.headers
    sent = provider.seen[0].json
    assert {key: sent.get(key) for key in own} == own
    assert sent["model"] == "openai/gpt-5"

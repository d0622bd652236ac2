"""MCP servers behind promptdeck, asked by clients with a loop of their own, and replayed."""

import sys
from typing import Any

import orjson
import pytest

from promptdeck.core.dialects.mcp.revisions import CLIENT_CAPABILITIES, VERSION
from promptdeck.engine.agent.sides import MCPRefusal
from promptdeck.mcp.client import Remote, ToolServer
from tests import ROOT
from tests.conftest import Deck, Start
from tests.scripted_mcp import MODERN, OLD, TOOLS, tool_server

Message = dict[str, Any]


def servers(**urls: str) -> dict[str, str]:
    """An environment with MCP servers of these names."""
    told = {name: {"url": url} for name, url in urls.items()}
    return {"PROMPTDECK_AGENT_SERVERS": orjson.dumps(told).decode()}


async def ask(deck: Deck, message: Any, at: str = "/mcp/sums") -> tuple[int, Any]:
    got = await deck.request("POST", at, orjson.dumps(message))
    return got.status, orjson.loads(got.body) if got.body else None


def request(method: str, number: int = 1, **params: Any) -> Message:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


@pytest.mark.parametrize("era", [MODERN, OLD])
@pytest.mark.parametrize("at", ["/mcp/sums", "/cassette/agents/sums/mcp/sums"])
async def test_a_client_s_own_calls_replay_in_their_order(start: Start, era: str, at: str) -> None:
    async def used(deck: Deck) -> list[Any]:
        server = ToolServer("sums", Remote(deck.server.root + at))
        try:
            tools = await server.tools(5)
            calls = [await server.call("now", {}, 5) for _ in range(3)]
            with pytest.raises(MCPRefusal, match="Unknown tool: nobody"):
                await server.call("nobody", {}, 5)
            return [tools, calls, await server.info(5)]
        finally:
            await server.close()
            await deck.idle()

    async with tool_server(era) as tools:
        times = iter(range(9))
        tools.script.results["now"] = lambda _: {
            "content": [{"type": "text", "text": f"{next(times)} o'clock"}]
        }
        deck = await start(servers(sums=tools.url), mode="record", cassette="agents/sums")
        live = await used(deck)
    assert live[0] == TOOLS
    assert [one["content"][0]["text"][0] for one in live[1]] == ["0", "1", "2"]
    again = await used(await start(servers(sums="http://127.0.0.1:9/x"), mode="replay",
                                   cassette="agents/sums"))  # fmt: skip
    assert again == live


async def test_both_eras_are_spoken_whatever_the_server_speaks(start: Start) -> None:
    async with tool_server(OLD) as tools:
        deck = await start(servers(sums=tools.url), mode="passthrough")
        status, greeting = await ask(deck, request("initialize", protocolVersion="2025-06-18"))
        assert (status, greeting["result"]["protocolVersion"]) == (200, "2025-06-18")
        assert greeting["result"]["capabilities"] == {"tools": {}}
        assert await ask(deck, {"jsonrpc": "2.0", "method": "notifications/initialized"}) == (
            202, None
        )  # fmt: skip
        meta = {VERSION: MODERN, CLIENT_CAPABILITIES: {}}
        _, found = await ask(deck, request("server/discover", _meta=meta))
        assert found["result"]["supportedVersions"] == [MODERN]
        _, listed = await ask(deck, request("tools/list", _meta=meta))
        assert (listed["result"]["ttlMs"], listed["result"]["cacheScope"]) == (0, "private")
        arguments = {"a": 1, "b": 2}
        call = request("tools/call", 7, name="add", arguments=arguments, _meta=meta)
        _, result = await ask(deck, call)
        assert (result["id"], result["result"]["resultType"]) == (7, "complete")
        assert result["result"]["structuredContent"] == {"result": 3}
        assert await ask(deck, request("ping")) == (200, {"jsonrpc": "2.0", "id": 1, "result": {}})


async def test_what_is_not_recorded_is_a_miss(start: Start) -> None:
    async with tool_server() as tools:
        deck = await start(servers(sums=tools.url), mode="record", cassette="sums")
        await ask(deck, request("tools/call", name="add", arguments={"a": 1, "b": 2}))
        await deck.idle()
    replay = await start(mode="replay", cassette="sums")
    _, hit = await ask(replay, request("tools/call", name="add", arguments={"b": 2, "a": 1}))
    assert hit["result"]["structuredContent"] == {"result": 3}
    _, miss = await ask(replay, request("tools/call", name="add", arguments={"a": 1, "b": 9}))
    assert miss["error"]["code"] == -32001
    assert "No recording matches" in miss["error"]["message"]
    assert replay.server.counts().misses == 1


async def test_servers_that_are_not_there(start: Start) -> None:
    deck = await start(servers(gone="http://127.0.0.1:9/mcp"), mode="passthrough")
    _, gone = await ask(deck, request("tools/list"), at="/mcp/gone")
    assert gone["error"]["message"].startswith("cannot connect to")
    _, unknown = await ask(deck, request("tools/list"), at="/mcp/nobody")
    assert "no MCP server is called nobody (known: gone)" in unknown["error"]["message"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"7", b'{"id": 1}'])
async def test_what_is_no_message(start: Start, body: bytes) -> None:
    deck = await start(mode="passthrough")
    got = await deck.request("POST", "/mcp/sums", body)
    assert got.status in (200, 202)
    assert not got.body or got.json["error"]["code"] == -32600


async def test_web_pages_and_other_methods_are_refused(start: Start) -> None:
    deck = await start(mode="passthrough")
    ping = orjson.dumps(request("ping"))
    assert (await deck.request("POST", "/mcp/a", ping, Content_Type="text/plain")).status == 415
    evil = {"Origin": "https://evil.example"}
    assert (await deck.request("POST", "/mcp/a", ping, **evil)).status == 403
    assert (await deck.request("GET", "/mcp/a")).status == 405
    assert (await deck.request("DELETE", "/mcp/a")).status == 405


async def test_a_process_of_the_configuration(start: Start) -> None:
    command = [sys.executable, str(ROOT / "tests/scripted_mcp.py"), MODERN]
    told = orjson.dumps({"acme/sums": {"command": command}}).decode()
    deck = await start({"PROMPTDECK_AGENT_SERVERS": told}, mode="cache")
    for _ in range(2):
        _, found = await ask(deck, request("tools/list"), at="/mcp/acme/sums")
        assert found["result"]["tools"] == TOOLS[:2]

"""One client for both eras of MCP and all its transports."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from promptdeck.engine.agent.sides import MCPRefusal, MCPTrouble
from promptdeck.mcp.addresses import Allowance, place_of
from promptdeck.mcp.client import Local, Remote, ToolServer
from tests import ROOT
from tests.raw_upstream import wired
from tests.scripted_mcp import MODERN, OLD, TOOLS, ToolServing, tool_server

WAYS = [
    (MODERN, "json"), (MODERN, "stream"), (MODERN, "cut"),
    (OLD, "json"), (OLD, "stream"), (OLD, "cut"), ("2024-11-05", "events"),
]  # fmt: skip


@asynccontextmanager
async def remote(
    era: str = MODERN, how: str = "json"
) -> AsyncIterator[tuple[ToolServer, ToolServing]]:
    async with tool_server(era, how) as serving:
        place = await place_of(serving.url, Allowance(loopback=True))
        server = ToolServer("alpha", Remote(serving.url, {}, place))
        try:
            yield server, serving
        finally:
            await server.close()


def local(era: str) -> ToolServer:
    return ToolServer("alpha", Local([sys.executable, str(ROOT / "tests/scripted_mcp.py"), era]))


@pytest.mark.parametrize(("era", "how"), WAYS)
async def test_tools_of_all_pages_and_calls(era: str, how: str) -> None:
    async with remote(era, how) as (server, serving):
        assert await server.tools(5) == TOOLS
        result = await server.call("add", {"a": 2, "b": 3}, 5)
        assert result["structuredContent"] == {"result": 5}
        assert (await server.call("fail", {}, 5))["isError"] is True
        place = {"city": " Zürich\n", "near": {"much": True}}
        assert "Zürich" in (await server.call("place", place, 5))["content"][0]["text"]
        with pytest.raises(MCPRefusal, match="Unknown tool: nobody"):
            await server.call("nobody", {}, 5)
        with pytest.raises(MCPRefusal, match="wants to be told more"):
            await server.call("ask", {}, 5)
        assert [name for name, _ in serving.script.calls][:2] == ["add", "fail"]


@pytest.mark.parametrize("era", [MODERN, OLD])
async def test_a_process(era: str) -> None:
    server = local(era)
    try:
        assert await server.tools(10) == TOOLS
        results = await asyncio.gather(*(server.call("add", {"a": n, "b": 1}, 5) for n in range(9)))
        assert [one["structuredContent"]["result"] for one in results] == list(range(1, 10))
        with pytest.raises(MCPTrouble, match=r"within 0\.1 s") as slow:
            await server.call("slow", {}, 0.1)
        assert slow.value.code == "timeout"
        assert (await server.call("add", {"a": 1, "b": 1}, 5))["structuredContent"] == {"result": 2}
        with pytest.raises(MCPTrouble, match="killed by its own tool") as dead:
            await server.call("die", {}, 5)
        assert dead.value.code == "connection_failed"
        # It is started again when it is wanted again.
        assert (await server.call("add", {"a": 1, "b": 1}, 5))["structuredContent"] == {"result": 2}
    finally:
        await server.close()


async def test_a_process_gets_no_keys_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-ours")
    show = "import os, sys; sys.exit(repr(sorted(os.environ)))"
    server = ToolServer("alpha", Local([sys.executable, "-c", show], {"ITS_OWN": "x"}))
    with pytest.raises(MCPTrouble) as told:
        await server.tools(5)
    await server.close()
    assert "ITS_OWN" in told.value.message
    assert "OPENAI" not in told.value.message


async def test_a_command_that_is_not_there() -> None:
    server = ToolServer("alpha", Local(["no-such-command-anywhere"]))
    with pytest.raises(MCPTrouble, match="cannot run no-such-command-anywhere"):
        await server.tools(5)


async def test_a_session_that_is_gone_is_begun_anew() -> None:
    async with remote(OLD) as (server, serving):
        await server.tools(5)
        serving.gone = 1
        assert (await server.call("add", {"a": 1, "b": 2}, 5))["structuredContent"] == {"result": 3}
        assert serving.script.calls == [("add", {"a": 1, "b": 2})]
        serving.gone = 9
        with pytest.raises(MCPTrouble, match="loses its sessions"):
            await server.call("add", {"a": 1, "b": 2}, 5)


async def test_a_server_that_has_gone() -> None:
    async with remote() as (server, _):
        await server.tools(5)
    with pytest.raises(MCPTrouble, match=r"cannot connect to http://127\.0\.0\.1") as gone:
        await server.call("add", {"a": 1, "b": 2}, 5)
    await server.close()
    assert gone.value.code == "connection_failed"


async def test_a_credential_that_is_wanted() -> None:
    async with tool_server() as serving:
        serving.token = "t0ken"
        server = ToolServer("alpha", Remote(serving.url, {"Authorization": "Bearer wr0ng"}))
        with pytest.raises(MCPTrouble) as no:
            await server.tools(5)
        assert no.value.code == "auth_failed"
        assert "wr0ng" not in no.value.message
        server = ToolServer("alpha", Remote(serving.url, {"Authorization": "Bearer t0ken"}))
        assert await server.tools(5) == TOOLS
        await server.close()


async def test_a_call_that_takes_too_long() -> None:
    async with remote() as (server, _):
        await server.tools(5)
        with pytest.raises(MCPTrouble, match=r"alpha did not answer tools/call within 0\.2 s"):
            await server.call("slow", {}, 0.2)


def _head(status: int, kind: str, body: bytes, more: str = "") -> bytes:
    head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{more}"
    return head.encode() + b"\r\n" + body


@pytest.mark.parametrize(
    ("reply", "code", "words"),
    [
        (_head(200, "text/html", b"<p>hello"), "protocol_error", "no JSON-RPC"),
        (_head(200, "application/json", b"[1, 2"), "protocol_error", "no JSON-RPC"),
        (_head(200, "application/json", b'{"method": "x"}'), "protocol_error", "no JSON-RPC"),
        (_head(202, "text/plain", b""), "protocol_error", "answers nothing"),
        (_head(307, "text/plain", b"", "Location: http://u:p@h/x?k=1\r\n"), "protocol_error",
         "redirects to http://h/x,"),
        (_head(500, "text/plain", b"boom"), "connection_failed", "answered 500"),
        (_head(404, "text/plain", b""), "protocol_error", "answered 404"),
        (_head(200, "text/event-stream", b"data: {}\n\n"), "connection_failed", "cut its answer"),
        (b"no HTTP at all\r\n\r\n", "connection_failed", "broke the connection"),
    ],
)  # fmt: skip
async def test_servers_that_are_none(reply: bytes, code: str, words: str) -> None:
    async with wired(reply) as upstream:
        server = ToolServer("alpha", Remote(upstream.url))
        with pytest.raises(MCPTrouble) as trouble:
            await server.tools(5)
        await server.close()
    assert trouble.value.code == code
    assert words in trouble.value.message


async def test_many_calls_at_once() -> None:
    async with remote(OLD, "stream") as (server, _):
        results = await asyncio.gather(
            *(server.call("add", {"a": n, "b": n}, 5) for n in range(50))
        )
        assert [one["structuredContent"]["result"] for one in results] == [2 * n for n in range(50)]

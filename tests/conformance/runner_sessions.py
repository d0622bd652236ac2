"""Sessions of DedalusRunner: tools in several turns, whole and streamed, sync and async.

Each session leaves what was sent and what came back in `$SESSIONS`; when it is
replayed all that must be the same again. The upstream puts a new number into
every answer and every tool call's id, so only a recording can make it so.
"""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from dedalus_labs import AsyncDedalus, Dedalus, DedalusRunner
from pydantic_core import from_json, to_json

MODELS = ["openai/gpt-5", "anthropic/claude-opus-5"]


def weather(city: str) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


# Tools of one turn run at once: without an await they still end in order.
async def add(a: int, b: int) -> int:
    """The sum of two numbers."""
    return a + b


async def repeat(text: str, times: int) -> str:
    """A text several times over."""
    return text * times


class Session(NamedTuple):
    sent: list[Any]
    """The bodies of the requests."""
    got: Any
    """The runner's result, or the chunks of all turns."""


Play = Callable[..., Session]


@pytest.fixture(params=[Dedalus, AsyncDedalus], ids=["sync", "async"])
def play(request: pytest.FixtureRequest) -> Play:
    """Run a session. When replaying, it must be the recorded one."""

    def run(**options: Any) -> Session:
        if request.param is AsyncDedalus:
            session = asyncio.run(_async_session(options))
        else:
            session = _sync_session(options)
        text = to_json(session, indent=1)
        kept = Path(os.environ["SESSIONS"], f"{request.node.name}.json")
        if os.environ["MODE"] == "replay":
            assert from_json(text) == from_json(kept.read_bytes())
        else:
            kept.write_bytes(text)
        return Session(*from_json(text))

    return run


def _sync_session(options: dict[str, Any]) -> Session:
    sent: list[Any] = []
    http = httpx.Client(event_hooks={"request": [lambda it: sent.append(from_json(it.content))]})
    with Dedalus(api_key="no-secret", http_client=http) as client:
        result = DedalusRunner(client).run(**options)
        return Session(sent, list(result) if options["stream"] else result)


async def _async_session(options: dict[str, Any]) -> Session:
    sent: list[Any] = []

    async def note(request: httpx.Request) -> None:
        sent.append(from_json(request.content))

    http = httpx.AsyncClient(event_hooks={"request": [note]})
    async with AsyncDedalus(api_key="no-secret", http_client=http) as client:
        result = DedalusRunner(client).run(**options)
        if options["stream"]:
            return Session(sent, [chunk async for chunk in result])
        return Session(sent, await result)


def _text(chunks: list[Any]) -> str:
    return "".join(part["delta"].get("content") or "" for it in chunks for part in it["choices"])


def _roles(request: Any) -> list[str]:
    return [message["role"] for message in request["messages"]]


TOOLS: dict[str, Any] = {
    "input": "What is the weather, and what is 2 + 2?",
    "instructions": "Use the tools.",
    "model": MODELS,
    "tools": [weather, add, repeat],
    "temperature": 0,
}
RETURNED = "sunny in Zürich, 4, ZürichZürichZürich"


def test_whole_answers_call_tools_in_two_turns(play: Play) -> None:
    sent, got = play(**TOOLS, stream=False)
    assert [request["model"] for request in sent] == [MODELS] * 3
    called = ["assistant", "tool"]
    assert _roles(sent[2]) == ["system", "user", *called, *called, "tool"]
    assert got["tools_called"] == ["weather", "add", "repeat"]
    assert got["final_output"].endswith(RETURNED)


def test_streams_call_tools_in_two_turns_without_the_message_that_called_them(play: Play) -> None:
    sent, got = play(**TOOLS, stream=True)
    assert [_roles(request)[2:] for request in sent] == [[], ["tool"], ["tool"] * 3]
    assert _text(got).rstrip().endswith(RETURNED)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_session_without_tools_sends_nulls_and_empty_lists(play: Play, stream: bool) -> None:
    [request], got = play(input="hi", model="openai/gpt-5", stream=stream)
    assert request["model"] == ["openai/gpt-5"]
    assert {"tools": None, "credentials": None, "mcp_servers": []}.items() <= request.items()
    assert (_text(got) if stream else got["final_output"]).startswith("answer ")


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_results_of_mcp_servers_come_through(play: Play, stream: bool) -> None:
    servers = ["acme/docs@v1", "https://mcp.example/mcp"]
    [request], got = play(input="hi", model=MODELS, mcp_servers=servers, stream=stream)
    assert request["mcp_servers"] == [{"slug": "acme/docs", "version": "v1"}, servers[1]]
    [result] = got[-1]["mcp_tool_results"] if stream else got["mcp_results"]
    assert result["tool_name"] == "search"

"""Real MCP servers and clients: runs through them recorded, replayed with all of them stopped.

`make conformance` runs it; `make test` does not collect it, as it needs the network. The servers
come from PyPI and npm and speak both eras of the protocol; the official SDK is the client of the
stand-ins; DedalusRunner and the openai SDK are those of runs.
"""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
from openai import AsyncOpenAI
from workshop import NODE, PYTHON, TOOLS_PYTHON, prepare

from tests import ROOT
from tests.command import promptdeck, serve
from tests.conftest import Start
from tests.core.agent.test_running import call, said
from tests.engine.agent.test_agent import model
from tests.scripted_mcp import MODERN
from tests.scripted_upstream import Upstream

HERE = Path(__file__).parent
BIN = TOOLS_PYTHON.parent
NPM = NODE / "node_modules" / ".bin"


@pytest.fixture(scope="module", autouse=True)
def workshop() -> None:
    prepare()


def commands(folder: Path) -> dict[str, tuple[list[str], str, dict[str, Any], str]]:
    """By server: its command, a tool, its arguments, and a word of what that gives."""
    return {
        "time": ([f"{BIN}/mcp-server-time", "--local-timezone", "UTC"], "get_current_time",
                 {"timezone": "Asia/Tokyo"}, "Asia/Tokyo"),
        "git": ([f"{BIN}/mcp-server-git", "-r", str(folder)], "git_status",
                {"repo_path": str(folder)}, "branch"),
        "fetch": ([f"{BIN}/mcp-server-fetch"], "fetch", {"url": "http://127.0.0.1:9/"}, ""),
        "everything": ([f"{NPM}/mcp-server-everything", "stdio"], "get-sum", {"a": 2, "b": 3},
                       "The sum of 2 and 3 is 5"),
        "filesystem": ([f"{NPM}/mcp-server-filesystem", str(folder)], "read_text_file",
                       {"path": str(folder / "a.txt")}, "hello from a file"),
        "memory": ([f"{NPM}/mcp-server-memory"], "read_graph", {}, "entities"),
    }  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "work"
    made.mkdir()
    subprocess.run(["git", "init", "-q", "-b", "main", str(made)], check=True)
    (made / "a.txt").write_text("hello from a file")
    return made


def servers(entries: dict[str, Any]) -> dict[str, str]:
    return {"PROMPTDECK_AGENT_SERVERS": orjson.dumps(entries).decode()}


@pytest.mark.parametrize("name", ["time", "git", "fetch", "everything", "filesystem", "memory"])
@pytest.mark.parametrize("streams", [False, True], ids=["whole", "streamed"])
async def test_a_run_with_a_real_server(
    start: Start, provider: Upstream, folder: Path, name: str, streams: bool
) -> None:
    command, tool, arguments, word = commands(folder)[name]
    told = orjson.dumps(arguments).decode()
    provider.answers = model(said("Let me see. ", call(tool, told)), said("That is all."))
    asked = {"mcp_servers": [name], "stream": streams}
    deck = await start(servers({name: {"command": command}}), mode="record", cassette="run")
    live = await deck.chat("go", **asked)
    assert live.status == 200, live.body
    assert word.encode() in live.body
    assert b"tools_executed" in live.body
    replay = await start(mode="replay", cassette="run", upstream="http://127.0.0.1:9/v1")
    assert (await replay.chat("go", **asked)).body == live.body


@asynccontextmanager
async def listening(how: str, path: str) -> AsyncIterator[str]:
    """server-everything on a port, by one of its transports; its URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        f"{NPM}/mcp-server-everything", how, env={**os.environ, "PORT": str(port)},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        for _ in range(200):
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                break
            except OSError:
                await asyncio.sleep(0.05)
        yield f"http://127.0.0.1:{port}{path}"
    finally:
        process.kill()
        await process.wait()


@pytest.mark.parametrize(("how", "path"), [("streamableHttp", "/mcp"), ("sse", "/sse")])
async def test_a_run_with_a_server_behind_a_url(
    start: Start, provider: Upstream, how: str, path: str
) -> None:
    provider.answers = model(said(None, call("echo", '{"message":"hi"}')), said("done"))
    deck = await start(mode="record", cassette="run")
    async with listening(how, path) as url:
        asked = {"mcp_servers": [{"name": "all", "url": url}]}
        live = await deck.chat("go", **asked)
    assert live.json["mcp_tool_results"][0]["result"] == "Echo: hi"
    again = await (await start(mode="replay", cassette="run")).chat("go", **asked)
    assert again.body == live.body


async def test_the_openai_sdk_streams_a_run(start: Start, provider: Upstream) -> None:
    script = [sys.executable, str(ROOT / "tests/scripted_mcp.py"), MODERN]
    provider.answers = model(said("Let me see. ", call("add", '{"a":2,"b":3}')), said("It is 5."))
    deck = await start(servers({"sums": {"command": script}}), mode="record", cassette="run")
    replay = await start(mode="replay", cassette="run")
    seen = []
    for one in deck, replay:
        client = AsyncOpenAI(base_url=one.server.base_url, api_key="no-secret", max_retries=0)
        async with client, client.chat.completions.stream(
            model="m", messages=[{"role": "user", "content": "2+3?"}],
            extra_body={"mcp_servers": ["sums"]},
        ) as stream:  # fmt: skip
            completion = await stream.get_final_completion()
        await one.idle()
        seen.append(completion.choices[0].message.content)
    assert seen == ["Let me see. It is 5."] * 2


_SDK_CLIENT = """
import asyncio, json, sys
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

async def main():
    at = json.loads(sys.argv[1])
    where = at if isinstance(at, str) else stdio_client(StdioServerParameters(**at))
    async with Client(where) as client:
        tools = [tool.name for tool in (await client.list_tools()).tools]
        calls = [await client.call_tool("add", {"a": n, "b": 1}) for n in (1, 2)]
        sums = [call.structured_content for call in calls]
        failed = (await client.call_tool("fail", {})).is_error
        print(json.dumps([tools, sums, failed]))

asyncio.run(main())
"""


async def _by_the_sdk(at: Any) -> Any:
    process = await asyncio.create_subprocess_exec(
        str(TOOLS_PYTHON), "-c", _SDK_CLIENT, orjson.dumps(at).decode(),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    out, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()[-3000:]
    return orjson.loads(out)


USED = [["add", "place"], [{"result": 2}, {"result": 3}], True]


async def test_the_official_client_uses_a_mounted_server(start: Start) -> None:
    script = [sys.executable, str(ROOT / "tests/scripted_mcp.py"), MODERN]
    deck = await start(servers({"sums": {"command": script}}), mode="record", cassette="mcp")
    assert await _by_the_sdk(f"{deck.server.root}/mcp/sums") == USED
    await deck.idle()
    replay = await start(mode="replay", cassette="mcp")
    assert await _by_the_sdk(f"{replay.server.root}/mcp/sums") == USED


async def test_the_official_client_starts_a_stand_in(tmp_path: Path) -> None:
    script = [sys.executable, str(ROOT / "tests/scripted_mcp.py"), MODERN]
    for mode, command in (("record", script), ("replay", ["not-even-there"])):
        ours = ["-m", "promptdeck", "mcp", "run", "--mode", mode, "--cassette", "mcp"]
        args = [*ours, "--name", "sums", "--", *command]
        at = {"command": sys.executable, "args": args, "cwd": str(tmp_path)}
        assert await _by_the_sdk(at) == USED


_RUNNER = """
import json, sys
from dedalus_labs import Dedalus, DedalusRunner

def locate(city: str) -> str:
    "Where a city is."
    return "48.8 N"

root, streams = sys.argv[1], sys.argv[2] == "True"
with Dedalus(api_key="no-secret", base_url=root, as_base_url="", max_retries=0) as client:
    result = DedalusRunner(client).run(
        input="go", model="m", tools=[locate], mcp_servers=["acme/sums"], stream=streams)
    if streams:
        chunks = [chunk.model_dump() for chunk in result]
        text = "".join(c["delta"].get("content") or "" for k in chunks for c in k["choices"])
        extras = [k["mcp_tool_results"] for k in chunks if k.get("mcp_tool_results")]
        print(json.dumps([text, extras]))
    else:
        print(json.dumps([result.final_output, [result.mcp_results and True]]))
"""


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "streamed"])
async def test_dedalus_runner_calls_tools_of_both_sides(
    start: Start, provider: Upstream, streams: bool
) -> None:
    script = [sys.executable, str(ROOT / "tests/scripted_mcp.py"), MODERN]
    answers = [
        said(None, call("locate", '{"city":"Paris"}'), call("add", '{"a":2,"b":3}', 2)),
        said(None, call("locate", '{"city":"Paris"}', 3)),
        said("It is at 48.8 N."),
    ]
    provider.answers = model(*answers)
    deck = await start(servers({"acme/sums": {"command": script}}), mode="record", cassette="run")
    replay = await start(mode="replay", cassette="run")
    told = []
    for one in deck, replay:
        process = await asyncio.create_subprocess_exec(
            str(PYTHON), "-c", _RUNNER, one.server.root, str(streams),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        out, errors = await process.communicate()
        assert process.returncode == 0, errors.decode()[-3000:]
        told.append(orjson.loads(out))
        await one.idle()
    assert told[0][0].endswith("It is at 48.8 N.")
    assert told[1] == told[0]
    assert replay.server.counts().misses == 0


async def _broken(asking: Any) -> bool:
    """True if a request breaks off."""
    try:
        await asking
    except aiohttp.ClientError:
        return True
    return False


async def test_a_proxy_that_is_killed_in_mid_run(provider: Upstream, tmp_path: Path) -> None:
    asked = {
        "model": "m",
        "messages": [{"role": "user", "content": "go"}],
        "mcp_servers": ["sums"],
    }
    script = [sys.executable, str(ROOT / "tests/scripted_mcp.py"), MODERN]
    hangs = asyncio.Event()

    async def hang(seen: Any, request: Any) -> Any:
        hangs.set()
        await asyncio.sleep(60)

    add = call("add", '{"a":2,"b":3}')
    flags = ["--mode", "record-missing", "--cassette", "run", "--upstream", provider.url]
    variables = servers({"sums": {"command": script}})
    provider.answers = model(said(None, add), hang)
    async with (
        serve(tmp_path, *flags, **variables) as server,
        aiohttp.ClientSession() as session,
        asyncio.TaskGroup() as group,
    ):
        url = f"{server.base_url}/chat/completions"
        asking = group.create_task(_broken(session.post(url, json=asked)))
        await hangs.wait()
        server.process.kill()
        await server.process.wait()
        assert await asking
    verified = await promptdeck(tmp_path, "cassette", "verify", "run")
    assert verified.code == 0, verified.err
    provider.answers = model(said("five"))
    async with (
        serve(tmp_path, *flags, **variables) as server,
        aiohttp.ClientSession() as session,
        session.post(f"{server.base_url}/chat/completions", json=asked) as response,
    ):
        answer = await response.json()
    assert answer["choices"][0]["message"]["content"] == "five"
    assert answer["tools_executed"] == ["add"]
    # The first turn and its call were kept whole, and so are not asked again.
    assert [len(one.json["messages"]) for one in provider.seen] == [1, 3, 3]

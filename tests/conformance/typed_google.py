"""The official SDK of Google, which is not among our packages, and Google as a strict provider.

python -m pytest tests/conformance/typed_google.py
"""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web
from openai import AsyncOpenAI

from tests.conftest import Start
from tests.scripted_upstream import DONE, Seen, Upstream, chunk, completion, raw, stream
from tests.strict_google import StrictGoogle, call

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
JSON = dict[str, Any]


@pytest.fixture(scope="session")
def python() -> str:
    """The interpreter with google-genai."""
    sys.path.append(str(HERE))
    from workshop import PYTHON, prepare

    prepare()
    return str(PYTHON)


def test_requests_and_answers_are_google_s(python: str) -> None:
    paths = os.pathsep.join([str(ROOT), str(ROOT / "proxy")])
    command = [python, str(HERE / "google_types.py")]
    subprocess.run(command, env={**os.environ, "PYTHONPATH": paths}, check=True)


def upstreams(provider: Upstream) -> dict[str, str]:
    told = "{google: {base_url: %s, api_key: key}, local: {base_url: %s, retries: 0}}"
    return {"PROMPTDECK_UPSTREAMS": told % (provider.url, provider.url)}


def deltas(asked: JSON) -> Iterator[JSON]:
    """What the chat server says, in pieces."""
    last = asked["messages"][-1]
    if asked.get("tools") and last["role"] != "tool":
        yield {"reasoning_content": "Hm."}
        begun = {"name": "weather", "arguments": ""}
        yield {"tool_calls": [{"index": 0, "id": "c1", "type": "function", "function": begun}]}
        for piece in ('{"city"', ': "Bern"}'):
            yield {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}
    elif asked.get("tools"):
        assert "sunny in Bern" in last["content"]
        yield {"content": "It is sunny in Bern."}
    elif asked.get("response_format"):
        yield {"content": '{"name": "Bern"}'}
    else:
        yield from ({"content": "Hello"}, {"content": " ü"})


async def chat(seen: Seen, request: web.Request) -> web.StreamResponse:
    asked = seen.json
    if "fail" in str(asked["messages"]):
        error = {"error": {"message": "slow", "type": "rate_limit_error"}}
        return await raw(orjson.dumps(error), status=429)(seen, request)
    told = [*deltas(asked)]
    calls = any("tool_calls" in one for one in told)
    finish = "tool_calls" if calls else "stop"
    usage = {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}
    if asked.get("stream"):
        frames = [*map(chunk, told), chunk({}, finish), chunk({}, usage=usage, choices=[]), DONE]
        return await stream(frames)(seen, request)
    message: JSON = {
        "role": "assistant",
        "content": "".join(one.get("content", "") for one in told),
    }
    if calls:
        function = {"name": "weather", "arguments": '{"city": "Bern"}'}
        message |= {"tool_calls": [{"id": "c1", "type": "function", "function": function}]}
        message |= {"reasoning_content": "Hm."}
    choice = {"index": 0, "message": message, "finish_reason": finish}
    return await raw(orjson.dumps(completion("", choices=[choice], usage=usage)))(seen, request)


async def test_google_genai_on_a_chat_server(start: Start, provider: Upstream, python: str) -> None:
    provider.answers = [chat]
    deck = await start(upstreams(provider), mode="passthrough")
    program = str(HERE / "google_client.py")
    client = await asyncio.create_subprocess_exec(python, program, deck.server.root, "local/llama")
    assert await client.wait() == 0
    assert {one.path for one in provider.seen} == {"/v1/chat/completions"}


TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}


@pytest.mark.parametrize("streamed", [True, False])
async def test_openai_on_a_strict_google(start: Start, provider: Upstream, streamed: bool) -> None:
    google = StrictGoogle(
        [{"text": "Hm.", "thought": True}, call("weather", {"city": "Bern"}), call("weather")],
        [call("weather", id="abc")],
        [{"text": "Sunny, "}, {"text": "ü."}],
    )
    provider.answers = [google]
    deck = await start(upstreams(provider), mode="passthrough")
    client = AsyncOpenAI(base_url=f"{deck.server.root}/v1", api_key="x", max_retries=0)
    messages: list[Any] = [{"role": "user", "content": "The weather?"}]
    for _ in range(3):
        asked: Any = {
            "model": "google/gemini-3-flash-preview", "messages": messages, "tools": [TOOL],
            "reasoning_effort": "low",
        }  # fmt: skip
        if streamed:
            async with client.chat.completions.stream(**asked) as events:
                answer = await events.get_final_completion()
        else:
            answer = await client.chat.completions.create(**asked)
        message = answer.choices[0].message
        messages.append(message.to_dict())
        messages += [
            {"role": "tool", "tool_call_id": one.id, "content": "sunny"}
            for one in message.tool_calls or ()
        ]
    assert message.content == "Sunny, ü."
    assert not google.refused
    await client.close()

"""Google as an upstream, strict as it is, and clients of its protocol, on real sockets."""

import asyncio
from typing import Any

import orjson
import pytest

from tests.conftest import Start
from tests.scripted_upstream import DONE, Upstream, chunk, stream
from tests.strict_google import StrictGoogle, call

TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
UPSTREAMS = "{google: {base_url: %s, api_key: key}, local: {base_url: %s}}"


async def test_a_chat_client_runs_tools_with_a_strict_google(
    start: Start, provider: Upstream
) -> None:
    google = StrictGoogle(
        [{"text": "Hm.", "thought": True}, call("weather", {"city": "Bern"}), call("weather")],
        [call("weather", id="abc")],
        [{"text": "Sunny, "}, {"text": "ü."}],
    )
    provider.answers = [google]
    deck = await start({"PROMPTDECK_UPSTREAMS": UPSTREAMS % (provider.url, provider.url)})
    messages: list[Any] = [{"role": "user", "content": "The weather?"}]
    for _ in range(3):
        got = await deck.chat(
            model="google/gemini-3-flash-preview", messages=messages, tools=[TOOL], user="u"
        )
        assert got.status == 200
        assert "$.user" in got.headers["warning"]
        message = orjson.loads(got.body)["choices"][0]["message"]
        messages.append(message)
        messages += [
            {"role": "tool", "tool_call_id": one["id"], "content": "sunny"}
            for one in message.get("tool_calls") or ()
        ]
    assert message["content"] == "Sunny, ü."
    assert not google.refused
    assert google.models == ["gemini-3-flash-preview"] * 3


PIECES = [chunk({"role": "assistant", "content": "a"}), chunk({"content": "ü"}), chunk({}, "stop")]


@pytest.mark.parametrize("fast", [True, False])
async def test_a_list_comes_piece_by_piece_as_events_do(
    start: Start, provider: Upstream, fast: bool
) -> None:
    gate = asyncio.Event()
    provider.answers = [stream([*PIECES, DONE], gate=gate)]
    environ = {"PROMPTDECK_UPSTREAMS": UPSTREAMS % (provider.url, provider.url)}
    deck = await start(environ, fast=fast)
    url = f"{deck.server.root}/v1beta/models/local/llama:streamGenerateContent"
    async with deck.session.post(url, json={"contents": [{"parts": [{"text": "hi"}]}]}) as got:
        assert got.content_type == "application/json"
        first = await got.content.readany()
        assert first.startswith(b"[{")
        gate.set()
        pieces = orjson.loads(first + await got.read())
    said = [one["candidates"][0] for one in pieces]
    assert [one["content"]["parts"][0]["text"] for one in said] == ["a", "ü", ""]
    assert said[-1]["finishReason"] == "STOP"

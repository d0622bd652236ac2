"""Anthropic's SDK with a model of another dialect, and Anthropic as a strict provider.

    python -m pytest tests/conformance/typed_anthropic.py

First the streams that the SDK is tested with, which are in its source distribution: what comes of
each, for clients of all dialects, is what their official SDK takes, strictly; however the bytes are
cut, it is the same. Then whole conversations with both SDKs, through a promptdeck.
"""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import anthropic
import openai
import orjson
import pytest
from aiohttp import web
from anthropic.lib.streaming._messages import accumulate_event
from anthropic.types import RawMessageStreamEvent
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

from promptdeck.core.dialects.chat.dialect import CHAT
from promptdeck.core.dialects.gemini.dialect import GEMINI
from promptdeck.core.dialects.messages.dialect import MESSAGES
from promptdeck.core.dialects.responses.dialect import RESPONSES
from promptdeck.core.dialects.streamed import Streamed
from promptdeck.core.dialects.translate.aim import Aim
from promptdeck.core.dialects.translate.messages.hears import MessagesHearing
from promptdeck.core.dialects.translate.messages.tells import MessagesTelling
from promptdeck.core.dialects.translate.translation import Translation
from promptdeck.core.interaction import Variant
from promptdeck.core.text import sse
from tests.conftest import Start
from tests.scripted_upstream import DONE, Seen, Upstream, chunk, completion, raw
from tests.scripted_upstream import stream as streaming
from tests.strict_anthropic import StrictAnthropic, call, said

HERE = Path(__file__).parent
AIM = Aim("anthropic", "messages", "claude-opus-5-5", "anthropic")
EVENT: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)
RESPONSE: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)


def _streams() -> list[Path]:
    sys.path.append(str(HERE))
    from workshop import SDISTS, WORKSHOP, prepare

    prepare()
    folder = WORKSHOP / "sdist" / f"anthropic-{SDISTS['anthropic']}"
    return sorted((folder / "tests/lib/streaming/fixtures").glob("*.txt"))


STREAMS = _streams()


@pytest.fixture(params=STREAMS, ids=[path.stem for path in STREAMS])
def stream(request: pytest.FixtureRequest) -> bytes:
    data: bytes = request.param.read_bytes()
    return data if data.endswith(b"\n\n") else data.rstrip() + b"\n\n"


def test_there_are_streams() -> None:
    assert len(STREAMS) >= 16


def told(data: Iterable[bytes], client: Streamed) -> bytes:
    asked = {"model": "anthropic/claude-opus-5-5"}
    variant = Variant.SSE_USAGE if client is CHAT else Variant.SSE
    translation = Translation(MESSAGES, client, variant, asked, AIM, 1_700_000_000)
    return b"".join([*map(translation.feed, data), translation.rest()])


@pytest.mark.parametrize("client", [CHAT, RESPONSES, GEMINI], ids=lambda client: client.name)
def test_however_the_bytes_are_cut_all_is_told_alike(stream: bytes, client: Streamed) -> None:
    whole = told([stream], client)
    for step in (1, 7, 100):
        pieces = (stream[at : at + step] for at in range(0, len(stream), step))
        assert told(pieces, client) == whole


def _values(stream: bytes) -> Iterator[Any]:
    for frame in sse.frames(stream):
        data = sse.parse(frame).data
        if data and data != sse.DONE:
            yield orjson.loads(data)


def test_chat_is_what_openai_s_sdk_takes(stream: bytes) -> None:
    found = told([stream], CHAT)
    for value in _values(found):
        ChatCompletionChunk.model_validate(value, strict=True)
    assert found.endswith(b"data: [DONE]\n\n")
    whole = CHAT.fold(sse.frames(found))
    ChatCompletion.model_validate(whole, strict=True)
    said = "".join(
        value["delta"].get("text", "")
        for value in _values(stream)
        if value["type"] == "content_block_delta"
    )
    assert (whole["choices"][0]["message"]["content"] or "") == said


def test_responses_are_what_openai_s_sdk_takes(stream: bytes) -> None:
    *_, last = (RESPONSE.validate_python(value) for value in _values(told([stream], RESPONSES)))
    assert last.type in ("response.completed", "response.incomplete")


def test_gemini_ends_with_a_reason(stream: bytes) -> None:
    *_, last = _values(told([stream], GEMINI))
    assert last["candidates"][0]["finishReason"]


def _added(stream: bytes) -> Any:
    """What Anthropic's SDK makes of a stream; None where it gives up."""
    message, buffers = None, dict[int, bytes]()
    for value in _values(stream):
        if message is None and value["type"] != "message_start":
            continue
        try:
            event = EVENT.validate_python(value)
        except ValueError:  # an event, or a block, of a beta
            continue
        try:
            message = accumulate_event(event=event, current_snapshot=message, json_bufs=buffers)
        except (ValueError, IndexError):
            return None
    return message


def test_what_was_heard_is_told_as_it_was(stream: bytes) -> None:
    hearing = MessagesHearing(AIM)
    telling = MessagesTelling({}, Variant.SSE, 1)
    signals = [one for frame in sse.frames(stream) for one in hearing.hear(sse.parse(frame))]
    frames = [frame for one in signals for frame in telling.tell(one)]
    ours = _added(b"".join([*frames, *telling.end()]))
    theirs = _added(stream)
    if theirs is None:
        assert ours is None
        return
    assert ours.stop_reason == theirs.stop_reason
    assert ours.usage.output_tokens == theirs.usage.output_tokens
    assert _blocks(ours) == _blocks(theirs)


def _blocks(message: Any) -> list[dict[str, Any]]:
    """The texts and calls of a message, less what other protocols have no place for."""
    blocks = [block.to_dict() for block in message.content if block.type in ("text", "tool_use")]
    return [
        {key: one for key, one in block.items() if key not in ("caller", "citations")}
        for block in blocks
        if block.get("text") != ""
    ]


# Conversations


def upstreams(provider: Upstream) -> dict[str, str]:
    told = "{anthropic: {base_url: %s, api_key: key}, local: {base_url: %s, retries: 0}}"
    return {"PROMPTDECK_UPSTREAMS": told % (provider.url, provider.url)}


SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
FUNCTION = {"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize("model", ["claude-opus-5-5", "claude-sonnet-4-5", "claude-opus-4-6"])
async def test_openai_on_a_strict_anthropic(
    start: Start, provider: Upstream, model: str, streamed: bool
) -> None:
    strict = StrictAnthropic(
        [said("I look."), call("weather", {"city": "Bern"}), call("weather", id="toolu_2")],
        [call("weather", id="toolu_3")],
        [said("Sunny, ü.")],
    )
    provider.answers = [strict]
    deck = await start(upstreams(provider), mode="passthrough")
    client = openai.AsyncOpenAI(base_url=f"{deck.server.root}/v1", api_key="x", max_retries=0)
    messages: list[Any] = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "The weather?"},
    ]
    for _ in range(3):
        asked: Any = {
            "model": f"anthropic/{model}", "messages": messages, "tools": [FUNCTION],
            "reasoning_effort": "low", "temperature": 0.3, "n": 1, "stop": ["###"],
        }  # fmt: skip
        if streamed:
            options = {"include_usage": True}
            async with client.chat.completions.stream(**asked, stream_options=options) as events:
                answer = await events.get_final_completion()
        else:
            answer = await client.chat.completions.create(**asked)
        message = answer.choices[0].message
        assert message.to_dict()["reasoning_content"] == "Hm."
        assert answer.usage is not None
        assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (15, 20)
        messages.append(message.to_dict())
        messages += [
            {"role": "tool", "tool_call_id": one.id, "content": ""}
            for one in message.tool_calls or ()
        ]
    assert message.content == "Sunny, ü."
    assert not strict.refused
    kinds = [block["type"] for block in strict.asked[-1]["messages"][1]["content"]]
    assert kinds == ["thinking", "text", "tool_use", "tool_use"]
    await client.close()


async def test_a_conversation_moves_to_another_model_and_back(
    start: Start, provider: Upstream
) -> None:
    strict = StrictAnthropic([call("weather")], [call("weather", id="toolu_2")], [said("Sunny.")])
    provider.answers = [strict]
    deck = await start(upstreams(provider), mode="passthrough")
    client = openai.AsyncOpenAI(base_url=f"{deck.server.root}/v1", api_key="x", max_retries=0)
    messages: list[Any] = [{"role": "user", "content": "The weather?"}]
    for model in ("claude-opus-5-5", "claude-sonnet-4-5", "claude-opus-5-5"):
        answer = await client.chat.completions.create(
            model=f"anthropic/{model}", messages=messages, tools=[FUNCTION], reasoning_effort="low"
        )
        message = answer.choices[0].message
        messages.append(message.to_dict())
        messages += [
            {"role": "tool", "tool_call_id": one.id, "content": "sunny"}
            for one in message.tool_calls or ()
        ]
    assert message.content == "Sunny."
    assert not strict.refused
    # A budget needs the turn's own thinking: another model's is none.
    assert [body.get("thinking", {}).get("type") for body in strict.asked] == [
        "adaptive", None, "adaptive"
    ]  # fmt: skip
    await client.close()


async def test_openai_is_told_what_is_wrong(start: Start, provider: Upstream) -> None:
    provider.answers = [StrictAnthropic("overloaded_error", "rate_limit_error")]
    deck = await start({**upstreams(provider), "PROMPTDECK_ROUTING_RETRIES": "0"},
                       mode="passthrough")  # fmt: skip
    client = openai.AsyncOpenAI(base_url=f"{deck.server.root}/v1", api_key="x", max_retries=0)
    asked: Any = {"model": "anthropic/claude-opus-5-5", "messages": [
        {"role": "user", "content": "hi"}]}  # fmt: skip
    with pytest.raises(openai.InternalServerError) as overloaded:
        await client.chat.completions.create(**asked)
    assert (overloaded.value.status_code, overloaded.value.type) == (503, "overloaded_error")
    with pytest.raises(openai.RateLimitError):
        await client.chat.completions.create(**{**asked, "user": "u"})
    audio = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}
    for last, place in (
        ({"role": "assistant", "content": "So"}, "$.messages[1]"),
        ({"role": "user", "content": [audio]}, "$.messages[1]"),
        ({"role": "tool", "tool_call_id": "x", "content": "y"}, "$.messages[1]"),
    ):
        with pytest.raises(openai.BadRequestError) as refused:
            await client.chat.completions.create(
                **{**asked, "messages": [*asked["messages"], last]}
            )
        assert (refused.value.param or "").startswith(place)
    await client.close()


def _deltas(asked: Any) -> list[dict[str, Any]]:
    """What the chat server says, in pieces."""
    if asked.get("tools") and asked["messages"][-1]["role"] != "tool":
        calls = [
            {"index": n, "id": f"c|{n}", "type": "function",
             "function": {"name": "weather", "arguments": ""}}
            for n in range(2)
        ]  # fmt: skip
        pieces = [{"index": n, "function": {"arguments": text}}
                  for text in ('{"city"', ':"Bern"}') for n in range(2)]  # fmt: skip
        return [{"reasoning_content": "Hm."}, {"content": "I look."},
                *({"tool_calls": [one]} for one in (*calls, *pieces))]  # fmt: skip
    return [{"content": "Sunny"}, {"content": ", ü."}]


async def chat(seen: Seen, request: web.Request) -> web.StreamResponse:
    asked = seen.json
    if "fail" in str(asked["messages"]):
        slow = {"error": {"message": "slow", "type": "rate_limit_error"}}
        return await raw(orjson.dumps(slow), status=429)(seen, request)
    told = _deltas(asked)
    usage = {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12,
             "prompt_tokens_details": {"cached_tokens": 2}}  # fmt: skip
    calls = any("tool_calls" in one for one in told)
    finish = "tool_calls" if calls else "stop"
    if asked.get("stream"):
        frames = [*map(chunk, told), chunk({}, finish), chunk({}, usage=usage, choices=[])]
        ending = [] if "cut" in str(asked["messages"]) else [DONE]
        frames = frames if ending else frames[:-2]
        return await streaming([*frames, *ending])(seen, request)
    message: dict[str, Any] = {"role": "assistant", "content": "I look." if calls else "Sunny, ü."}
    if calls:
        function = {"name": "weather", "arguments": '{"city":"Bern"}'}
        message["tool_calls"] = [
            {"id": f"c|{n}", "type": "function", "function": function} for n in range(2)
        ]
        message["reasoning_content"] = "Hm."
    choice = {"index": 0, "message": message, "finish_reason": finish}
    return await raw(orjson.dumps(completion("", choices=[choice], usage=usage)))(seen, request)


@pytest.mark.parametrize("streamed", [True, False])
async def test_anthropic_on_a_chat_server(start: Start, provider: Upstream, streamed: bool) -> None:
    provider.answers = [chat]
    deck = await start(upstreams(provider), mode="passthrough")
    client = anthropic.AsyncAnthropic(base_url=deck.server.root, api_key="x", max_retries=0)
    mark = {"type": "ephemeral"}
    asked: Any = {
        "model": "local/llama", "max_tokens": 99, "system": [
            {"type": "text", "text": "Be brief.", "cache_control": mark}],
        "tools": [{"name": "weather", "input_schema": SCHEMA, "cache_control": mark}],
        "thinking": {"type": "adaptive"},
    }  # fmt: skip
    messages: list[Any] = [{"role": "user", "content": [
        {"type": "text", "text": "The weather?", "cache_control": mark},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAEC"}},
    ]}]  # fmt: skip
    for _ in range(2):
        if streamed:
            async with client.messages.stream(messages=messages, **asked) as events:
                message = await events.get_final_message()
        else:
            message = await client.messages.create(messages=messages, **asked)
        assert (message.usage.input_tokens, message.usage.cache_read_input_tokens) == (3, 2)
        results = [
            {"type": "tool_result", "tool_use_id": one.id, "is_error": True, "content": [
                {"type": "text", "text": "sunny"}]}
            for one in message.content if one.type == "tool_use"
        ]  # fmt: skip
        messages += [{"role": "assistant", "content": message.content}]
        messages += [{"role": "user", "content": results}] if results else []
    assert [one.type for one in messages[1]["content"]] == [
        "thinking", "text", "tool_use", "tool_use"
    ]  # fmt: skip
    assert [one.input for one in messages[1]["content"][2:]] == [{"city": "Bern"}] * 2
    assert (message.content[0].text, message.stop_reason) == ("Sunny, ü.", "end_turn")
    body = provider.seen[-1].json
    assert [one["role"] for one in body["messages"]] == [
        "system", "user", "assistant", "tool", "tool"
    ]  # fmt: skip
    assert [one["tool_call_id"] for one in body["messages"][3:]] == ["c|0", "c|1"]
    assert b"cache_control" not in provider.seen[-1].body
    await client.close()


async def test_anthropic_is_told_what_is_wrong(start: Start, provider: Upstream) -> None:
    provider.answers = [chat]
    deck = await start(upstreams(provider), mode="passthrough")
    client = anthropic.AsyncAnthropic(base_url=deck.server.root, api_key="x", max_retries=0)
    asked: Any = {"model": "local/llama", "max_tokens": 9}
    with pytest.raises(anthropic.RateLimitError):
        await client.messages.create(**asked, messages=[{"role": "user", "content": "fail"}])
    with pytest.raises(anthropic.APIStatusError, match="broke off"):
        async with client.messages.stream(
            **asked, messages=[{"role": "user", "content": "cut"}]
        ) as events:
            await events.get_final_message()
    with pytest.raises(anthropic.NotFoundError, match="count_tokens"):
        await client.messages.count_tokens(
            model="local/llama", messages=[{"role": "user", "content": "a"}]
        )
    await client.close()

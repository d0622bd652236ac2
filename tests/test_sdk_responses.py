"""OpenAI's Responses by the real SDK: a chat client whose model is behind it, and the reverse.

The provider refuses what OpenAI would refuse (tests/scripted_responses.py).
"""

from collections.abc import AsyncIterator, Callable
from typing import Any

import openai
import pytest
from pydantic import BaseModel

from tests.conftest import Deck, Start
from tests.scripted_responses import Responses, called, refused, said, thought
from tests.scripted_upstream import Upstream, chunk, plain, raw, stream

MODEL = "openai/gpt-5.6-sol"
HI: Any = [{"role": "user", "content": "hi"}]
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
TOOL: Any = {"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}


class Person(BaseModel):
    name: str
    age: int


@pytest.fixture
async def client_of() -> AsyncIterator[Callable[[Deck], openai.AsyncOpenAI]]:
    """Makes clients of servers, which are closed in the end."""
    made: list[openai.AsyncOpenAI] = []

    def make(deck: Deck) -> openai.AsyncOpenAI:
        url = deck.server.base_url
        made.append(openai.AsyncOpenAI(base_url=url, api_key="no-secret", max_retries=0))
        return made[-1]

    yield make
    for client in made:
        await client.close()


@pytest.fixture
def dialects(start: Start, provider: Upstream) -> None:
    """`openai/` is the scripted provider as `/v1/responses`, `local/` as chat completions."""
    url = provider.url
    (start.folder / "promptdeck.yaml").write_text(
        f"upstreams:\n  openai: {{dialect: responses, base_url: '{url}', api_key: k}}\n"
        f"  local: {{dialect: chat, base_url: '{url}'}}\n"
    )


async def tool_loop(client: openai.AsyncOpenAI, *, streams: bool) -> list[Any]:
    """A chat in which the model calls a tool; what the SDK holds of each answer."""
    messages: list[Any] = [{"role": "system", "content": "Be brief."}, *HI]
    answers = []
    for _ in range(2):
        if streams:
            async with client.chat.completions.stream(
                model=MODEL,
                messages=messages,
                tools=[TOOL],
                reasoning_effort="high",
                stream_options={"include_usage": True},
            ) as events:
                answer: Any = await events.get_final_completion()
        else:
            answer = await client.chat.completions.create(
                model=MODEL, messages=messages, tools=[TOOL], reasoning_effort="high"
            )
        answers.append(answer)
        message = answer.choices[0].message
        messages.append(message.model_dump(exclude_none=True))
        messages += [
            {"role": "tool", "tool_call_id": call.id, "content": "sunny"}
            for call in message.tool_calls or ()
        ]
    return answers


@pytest.mark.parametrize("streams", [True, False])
async def test_a_chat_client_s_tool_loop_reasons_on_and_replays(
    start: Start, provider: Upstream, dialects: None, client_of: Any, streams: bool
) -> None:
    calls = [called("weather", f'{{"city":"{c}"}}', f"call_{c}") for c in ("Bern", "Basel")]
    strict = Responses([thought("Hm."), *calls], [thought("So."), said("Sunny.")])
    provider.answers = [strict]
    deck = await start(mode="record", cassette="c")
    first, second = await tool_loop(client_of(deck), streams=streams)
    assert strict.refusals == []
    assert [call.id for call in first.choices[0].message.tool_calls] == ["call_Bern", "call_Basel"]
    assert first.choices[0].finish_reason == "tool_calls"
    assert first.choices[0].message.reasoning_content == "Hm."
    assert second.choices[0].message.content == "Sunny."
    assert second.usage.prompt_tokens_details.cached_tokens == 4
    assert second.usage.completion_tokens_details.reasoning_tokens == 3
    asked = provider.seen[1].json
    assert asked["instructions"] == "Be brief."
    assert [item.get("type", item.get("role")) for item in asked["input"]] == [
        "user", "reasoning", "function_call", "function_call",
        "function_call_output", "function_call_output",
    ]  # fmt: skip
    await deck.idle()
    offline = await start(mode="replay", cassette="c", store=start.folder / "2.db")
    again = await tool_loop(client_of(offline), streams=streams)
    assert [one.model_dump() for one in again] == [first.model_dump(), second.model_dump()]
    assert len(provider.seen) == 2


async def test_what_a_chat_client_is_told(
    start: Start, provider: Upstream, dialects: None, client_of: Any
) -> None:
    strict = Responses(said('{"name":"Ann","age":3}'), refused("I can't."))
    provider.answers = [strict]
    client = client_of(await start(mode="passthrough"))
    chats = client.chat.completions
    parsed = await chats.parse(model=MODEL, messages=HI, response_format=Person)
    assert parsed.choices[0].message.parsed == Person(name="Ann", age=3)
    got = await chats.with_raw_response.create(
        model=MODEL, messages=HI, temperature=0.5, seed=3, max_tokens=5, n=1
    )
    answer = got.parse()
    assert answer.choices[0].message.refusal == "I can't."
    warning = got.headers["warning"]
    assert all(name in warning for name in ("$.temperature", "$.seed", "$.max_tokens"))
    assert "$.n" not in warning
    with pytest.raises(openai.BadRequestError, match="No tool call found") as caught:
        await chats.create(
            model=MODEL, messages=[{"role": "tool", "tool_call_id": "x", "content": "y"}]
        )
    assert caught.value.status_code == 400


async def test_a_responses_client_on_a_chat_server(
    start: Start, provider: Upstream, dialects: None, client_of: Any
) -> None:
    deck = await start(mode="record", cassette="c")
    client = client_of(deck)
    whole = await client.responses.create(model="local/m", input="hi", instructions="Be brief.")
    assert (whole.output_text, whole.status) == ("answer 1", "completed")
    assert whole.usage is not None
    assert whole.usage.total_tokens == 7
    assert provider.seen[0].json["messages"][0] == {"role": "system", "content": "Be brief."}
    provider.answers = [plain('{"name":"Ann","age":3}')]
    parsed = await client.responses.parse(model="local/m", input="who", text_format=Person)
    assert parsed.output_parsed == Person(name="Ann", age=3)
    function = {"name": "weather", "arguments": ""}
    call = {"index": 0, "id": "call_1", "type": "function", "function": function}
    more = {"index": 0, "function": {"arguments": '{"city":"Bern"}'}}
    frames = [
        chunk({"role": "assistant", "content": None}),
        chunk({"reasoning_content": "Hm."}),
        chunk({"content": "Let me see."}),
        chunk({"tool_calls": [call]}),
        chunk({"tool_calls": [more]}),
        chunk({}, "tool_calls"),
        b"data: [DONE]\n\n",
    ]
    provider.answers = [stream(frames)]
    tool: Any = {"type": "function", "name": "weather", "parameters": SCHEMA, "strict": False}
    told = []
    for playing in (client, client_of(await start(mode="replay", cassette="c"))):
        async with playing.responses.stream(model="local/m", input="hi", tools=[tool]) as events:
            kinds = [event.type async for event in events]
            response = await events.get_final_response()
        assert kinds[0] == "response.created"
        assert kinds[-1] == "response.completed"
        told.append(response.model_dump())
        await deck.idle()
    assert told[0] == told[1]
    assert [item["type"] for item in told[0]["output"]] == ["reasoning", "message", "function_call"]
    assert told[0]["output"][2]["arguments"] == '{"city":"Bern"}'


async def test_a_responses_client_is_told_of_failures(
    start: Start, provider: Upstream, dialects: None, client_of: Any
) -> None:
    client = client_of(await start(mode="cache"))
    provider.answers = [stream([chunk({"role": "assistant", "content": "Let"})])]
    for _ in range(2):  # what broke off is not kept
        with pytest.raises(openai.APIError, match="broke off") as caught:
            async with client.responses.stream(model="local/m", input="hi") as events:
                await events.until_done()
        assert caught.value.code == "upstream_cut"
    assert len(provider.seen) == 2
    error = b'{"error":{"message":"slow","type":"requests","code":"rate_limit_exceeded"}}'
    provider.answers = [raw(error, status=429)]
    with pytest.raises(openai.RateLimitError, match="slow") as limited:
        await client.responses.create(model="local/m", input="hi")
    assert limited.value.code == "rate_limit_exceeded"
    with pytest.raises(openai.BadRequestError, match="previous_response_id cannot be sent"):
        await client.responses.create(model="local/m", input="hi", previous_response_id="resp_1")

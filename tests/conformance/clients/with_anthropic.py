"""Anthropic's SDK."""

import anthropic
from steps import PLAIN, RETURNED, SCHEMA, STREAMED, UNRECORDED, WEATHER, main, model, user, weather

client = anthropic.Anthropic()
GIVEN = {"model": model("claude-opus-5-5"), "max_tokens": 100}
TOOL = {"name": "weather", "description": "Tells the weather.", "input_schema": SCHEMA}


def ask(prompt: str) -> str:
    return client.messages.create(messages=[user(prompt)], **GIVEN).content[0].text


def stream() -> str:
    with client.messages.stream(messages=[user(STREAMED)], **GIVEN) as events:
        return "".join(events.text_stream)


def tools() -> str:
    messages = [user(WEATHER)]
    with client.messages.stream(messages=messages, tools=[TOOL], **GIVEN) as events:
        first = events.get_final_message()
    [call] = [block for block in first.content if block.type == "tool_use"]
    assert weather(**call.input) == RETURNED
    result = {"type": "tool_result", "tool_use_id": call.id, "content": RETURNED}
    messages += [{"role": "assistant", "content": first.content}, user([result])]
    return client.messages.create(messages=messages, tools=[TOOL], **GIVEN).content[0].text


def count() -> int:
    counted = client.messages.count_tokens(model=GIVEN["model"], messages=[user(PLAIN)])
    return counted.input_tokens


def models() -> list[str]:
    return [one.id for one in client.models.list()]


main(
    plain=lambda: ask(PLAIN),
    stream=stream,
    tools=tools,
    count=count,
    models=models,
    unrecorded=lambda: ask(UNRECORDED),
)

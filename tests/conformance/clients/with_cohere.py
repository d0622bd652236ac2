"""Cohere's SDK."""

import json

import cohere
from steps import PLAIN, RETURNED, STREAMED, TOOL, UNRECORDED, WEATHER, main, user, weather

client = cohere.ClientV2()
MODEL = "command-a-03-2026"


def ask(prompt: str) -> str:
    return client.chat(model=MODEL, messages=[user(prompt)]).message.content[0].text


def stream() -> str:
    events = client.chat_stream(model=MODEL, messages=[user(STREAMED)])
    return "".join(e.delta.message.content.text for e in events if e.type == "content-delta")


def tools() -> str:
    messages = [user(WEATHER)]
    first = client.chat(model=MODEL, messages=messages, tools=[TOOL]).message
    [call] = first.tool_calls
    assert weather(**json.loads(call.function.arguments)) == RETURNED
    messages += [first, {"role": "tool", "tool_call_id": call.id, "content": RETURNED}]
    return client.chat(model=MODEL, messages=messages, tools=[TOOL]).message.content[0].text


main(plain=lambda: ask(PLAIN), stream=stream, tools=tools, unrecorded=lambda: ask(UNRECORDED))

"""Ollama's client."""

import ollama
from steps import PLAIN, RETURNED, STREAMED, TOOL, UNRECORDED, WEATHER, main, user, weather

MODEL = "llama3.2"


def ask(prompt: str) -> str:
    return ollama.chat(model=MODEL, messages=[user(prompt)]).message.content


def stream() -> str:
    parts = ollama.chat(model=MODEL, messages=[user(STREAMED)], stream=True)
    return "".join(part.message.content for part in parts)


def tools() -> str:
    messages = [user(WEATHER)]
    first = ollama.chat(model=MODEL, messages=messages, tools=[TOOL]).message
    [call] = first.tool_calls
    assert weather(**call.function.arguments) == RETURNED
    messages += [first, {"role": "tool", "tool_name": "weather", "content": RETURNED}]
    return ollama.chat(model=MODEL, messages=messages, tools=[TOOL]).message.content


main(plain=lambda: ask(PLAIN), stream=stream, tools=tools, unrecorded=lambda: ask(UNRECORDED))

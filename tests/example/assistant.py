"""A small program that asks a model in five ways; its tests play it back."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import openai

MODEL = "smollm2-135m-instruct"
LABELS = ("positive", "negative")

WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}


def get_weather(city: str) -> str:
    return f"12 degrees and rain in {city}"


def assist(client: openai.OpenAI, question: str) -> str:
    """Let the model call a tool, and answer with what the tool says."""
    messages: list[Any] = [{"role": "user", "content": question}]
    asked = client.chat.completions.create(
        model=MODEL,
        messages=messages,
        tools=[WEATHER],
        tool_choice={"type": "function", "function": {"name": "get_weather"}},
        max_tokens=64,
        temperature=0,
    )
    said = asked.choices[0].message
    calls = [call.model_dump(include={"id", "type", "function"}) for call in said.tool_calls or ()]
    messages.append({"role": "assistant", "content": said.content or "", "tool_calls": calls})
    for call in said.tool_calls or ():
        told = get_weather(**json.loads(call.function.arguments))
        messages.append({"role": "tool", "tool_call_id": call.id, "content": told})
    answer = client.chat.completions.create(
        model=MODEL, messages=messages, max_tokens=48, temperature=0
    )
    return answer.choices[0].message.content or ""


def summarise(client: openai.OpenAI, text: str) -> Iterator[str]:
    """The summary, piece by piece as it comes."""
    stream = client.chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": f"Summarise in one sentence: {text}"}],
        stream=True,
        max_tokens=48,
        temperature=0,
    )
    for chunk in stream:
        if piece := chunk.choices[0].delta.content:
            yield piece


def classify(client: openai.OpenAI, review: str, tries: int = 3) -> str:
    """`positive`, `negative`, or `unsure` where the model gives neither in so many tries."""
    for _ in range(tries):
        answer = client.chat.completions.create(
            model=MODEL,
            messages=[
                {"role": "system", "content": "Answer with one word: positive or negative."},
                {"role": "user", "content": review},
            ],
            max_tokens=4,
        )
        word = (answer.choices[0].message.content or "").strip(" .!\n").lower()
        if word in LABELS:
            return word
    return "unsure"


async def translate(client: openai.AsyncOpenAI, words: list[str]) -> list[str]:
    """All words at once."""

    async def one(word: str) -> str:
        answer = await client.chat.completions.create(
            model=MODEL,
            messages=[{"role": "user", "content": f"Translate to French: {word}"}],
            max_tokens=8,
            temperature=0,
        )
        return answer.choices[0].message.content or ""

    return await asyncio.gather(*map(one, words))


def extract(client: openai.OpenAI, text: str) -> dict[str, Any]:
    """What the model finds in a text, as JSON."""
    answer = client.chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": f"Name and age as a JSON object: {text}"}],
        response_format={"type": "json_object"},
        max_tokens=64,
        temperature=0,
    )
    found: dict[str, Any] = json.loads(answer.choices[0].message.content or "{}")
    return found

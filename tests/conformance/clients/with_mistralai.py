"""Mistral's SDK, which reads no variable for its base_url."""

import json
import os

from mistralai.client import Mistral
from steps import PLAIN, RETURNED, STREAMED, TOOL, UNRECORDED, WEATHER, main, user, weather

root = os.environ["OPENAI_BASE_URL"].removesuffix("/v1")
client = Mistral(api_key=os.environ["MISTRAL_API_KEY"], server_url=root)
MODEL = "mistral-large-latest"


def ask(prompt: str) -> str:
    return client.chat.complete(model=MODEL, messages=[user(prompt)]).choices[0].message.content


def stream() -> str:
    with client.chat.stream(model=MODEL, messages=[user(STREAMED)]) as events:
        return "".join(event.data.choices[0].delta.content or "" for event in events)


def tools() -> str:
    messages = [user(WEATHER)]
    first = client.chat.complete(model=MODEL, messages=messages, tools=[TOOL]).choices[0].message
    [call] = first.tool_calls
    assert weather(**json.loads(call.function.arguments)) == RETURNED
    result = {"role": "tool", "tool_call_id": call.id, "name": "weather", "content": RETURNED}
    messages += [first, result]
    answer = client.chat.complete(model=MODEL, messages=messages, tools=[TOOL])
    return answer.choices[0].message.content


main(plain=lambda: ask(PLAIN), stream=stream, tools=tools, unrecorded=lambda: ask(UNRECORDED))

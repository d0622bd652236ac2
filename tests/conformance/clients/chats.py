"""The steps of clients that have the methods of OpenAI's for chat completions."""

import json
from typing import Any

from steps import PLAIN, RETURNED, STREAMED, TOOL, UNRECORDED, WEATHER, main, user, weather


def run(client: Any, model: str) -> None:
    """Ask by `client.chat.completions` whatever the command line wants."""
    create = client.chat.completions.create

    def ask(prompt: str) -> str:
        return create(model=model, messages=[user(prompt)]).choices[0].message.content

    def stream() -> str:
        parts = create(model=model, messages=[user(STREAMED)], stream=True)
        return "".join(part.choices[0].delta.content or "" for part in parts if part.choices)

    def tools() -> str:
        messages = [user(WEATHER)]
        message = create(model=model, messages=messages, tools=[TOOL]).choices[0].message
        [call] = message.tool_calls
        assert weather(**json.loads(call.function.arguments)) == RETURNED
        messages.append(message.model_dump(exclude_none=True))
        messages.append({"role": "tool", "tool_call_id": call.id, "content": RETURNED})
        answer = create(model=model, messages=messages, tools=[TOOL])
        return answer.choices[0].message.content

    main(plain=lambda: ask(PLAIN), stream=stream, tools=tools, unrecorded=lambda: ask(UNRECORDED))

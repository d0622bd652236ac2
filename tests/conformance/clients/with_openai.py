"""OpenAI's SDK, by Responses."""

import json

import openai
from steps import (
    FUNCTION,
    PLAIN,
    RETURNED,
    STREAMED,
    UNRECORDED,
    WEATHER,
    main,
    model,
    user,
    weather,
)

client = openai.OpenAI()
MODEL = model("gpt-6.2-sol")
TOOL = {"type": "function", "strict": True, **FUNCTION}


def ask(prompt: str) -> str:
    return client.responses.create(model=MODEL, input=prompt).output_text


def stream() -> str:
    with client.responses.stream(model=MODEL, input=STREAMED) as events:
        return "".join(e.delta for e in events if e.type == "response.output_text.delta")


def tools() -> str:
    items = [user(WEATHER)]
    with client.responses.stream(model=MODEL, input=items, tools=[TOOL]) as events:
        events.until_done()
        output = events.get_final_response().output
    [call] = [item for item in output if item.type == "function_call"]
    assert weather(**json.loads(call.arguments)) == RETURNED
    items += [
        {"type": "function_call", "call_id": call.call_id, "name": call.name}
        | {"arguments": call.arguments},
        {"type": "function_call_output", "call_id": call.call_id, "output": RETURNED},
    ]
    return client.responses.create(model=MODEL, input=items, tools=[TOOL]).output_text


def models() -> list[str]:
    return [one.id for one in client.models.list()]


main(
    plain=lambda: ask(PLAIN),
    stream=stream,
    tools=tools,
    models=models,
    unrecorded=lambda: ask(UNRECORDED),
)

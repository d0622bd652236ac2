"""Google's SDK."""

from google import genai
from google.genai import types
from steps import (
    FUNCTION,
    PLAIN,
    RETURNED,
    SCHEMA,
    STREAMED,
    UNRECORDED,
    WEATHER,
    main,
    model,
    weather,
)

client = genai.Client()
MODEL = model("gemini-3.8-flash")


def ask(prompt: str) -> str:
    return client.models.generate_content(model=MODEL, contents=prompt).text


def stream() -> str:
    parts = client.models.generate_content_stream(model=MODEL, contents=STREAMED)
    return "".join(part.text for part in parts)


def tools() -> str:
    declared = types.FunctionDeclaration(
        name="weather", description=FUNCTION["description"], parameters_json_schema=SCHEMA
    )
    chat = client.chats.create(
        model=MODEL, config={"tools": [types.Tool(function_declarations=[declared])]}
    )
    [call] = chat.send_message(WEATHER).function_calls
    assert weather(**call.args) == RETURNED
    result = types.FunctionResponse(id=call.id, name=call.name, response={"output": RETURNED})
    return chat.send_message([types.Part(function_response=result)]).text


def count() -> int:
    return client.models.count_tokens(model=MODEL, contents=PLAIN).total_tokens


def models() -> list[str]:
    return [one.name for one in client.models.list()]


main(
    plain=lambda: ask(PLAIN),
    stream=stream,
    tools=tools,
    count=count,
    models=models,
    unrecorded=lambda: ask(UNRECORDED),
)

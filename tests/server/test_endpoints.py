"""The other endpoints of the contract, by the general path, driven by the real SDK."""

import io
from collections.abc import Awaitable, Callable
from typing import Any

import openai
import orjson
import pytest

from tests.conftest import Deck, Start
from tests.scripted_upstream import raw

Use = Callable[[openai.AsyncOpenAI], Awaitable[Any]]
SOUND = bytes(range(256)) * 8
USAGE = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}


async def speech(client: openai.AsyncOpenAI) -> bytes:
    answer = await client.audio.speech.create(model="tts", voice="alloy", input="hi")
    return answer.content


async def transcription(client: openai.AsyncOpenAI) -> str:
    file = ("a.wav", io.BytesIO(SOUND), "audio/wav")
    return (await client.audio.transcriptions.create(model="stt", file=file)).text


async def translation(client: openai.AsyncOpenAI) -> str:
    file = ("a.wav", io.BytesIO(SOUND), "audio/wav")
    return (await client.audio.translations.create(model="stt", file=file)).text


async def embeddings(client: openai.AsyncOpenAI) -> list[float]:
    answer = await client.embeddings.create(model="e", input="hi", encoding_format="float")
    return answer.data[0].embedding


async def image(client: openai.AsyncOpenAI) -> str | None:
    answer = await client.images.generate(model="i", prompt="a cat")
    return answer.data[0].b64_json if answer.data else None


async def image_edit(client: openai.AsyncOpenAI) -> str | None:
    file = ("a.png", io.BytesIO(SOUND), "image/png")
    answer = await client.images.edit(model="i", prompt="a cat", image=file)
    return answer.data[0].b64_json if answer.data else None


async def response(client: openai.AsyncOpenAI) -> str:
    return (await client.responses.create(model="r", input="hi")).output_text


async def response_stream(client: openai.AsyncOpenAI) -> list[str]:
    stream = await client.responses.create(model="r", input="hi", stream=True)
    return [event.type async for event in stream]


async def legacy_completion(client: openai.AsyncOpenAI) -> str:
    return (await client.completions.create(model="c", prompt="hi")).choices[0].text


async def ocr(client: openai.AsyncOpenAI) -> Any:
    body = {"model": "o", "document": {"type": "document_url", "document_url": "x"}}
    return await client.post("/ocr", body=body, cast_to=object)


RESPONSE = {
    "id": "r1",
    "object": "response",
    "created_at": 1,
    "model": "r",
    "output": [
        {
            "id": "m1",
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": "hello", "annotations": []}],
        }
    ],
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
}
EVENTS = b"".join(
    b"event: %s\ndata: %s\n\n" % (name.encode(), orjson.dumps({"type": name, **more}))
    for name, more in (
        ("response.created", {"response": RESPONSE, "sequence_number": 0}),
        ("response.completed", {"response": RESPONSE, "sequence_number": 1}),
    )
)
IMAGES = {"created": 1, "data": [{"b64_json": "aGk="}]}

CASES: dict[str, tuple[Use, bytes, str, Any]] = {
    "speech": (speech, SOUND, "audio/mpeg", SOUND),
    "transcription": (transcription, b'{"text":"hello"}', "application/json", "hello"),
    "translation": (translation, b'{"text":"hello"}', "application/json", "hello"),
    "embeddings": (
        embeddings,
        orjson.dumps(
            {
                "object": "list",
                "model": "e",
                "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}],
                "usage": USAGE,
            }
        ),
        "application/json",
        [0.5],
    ),
    "image": (image, orjson.dumps(IMAGES), "application/json", "aGk="),
    "image edit": (image_edit, orjson.dumps(IMAGES), "application/json", "aGk="),
    "response": (response, orjson.dumps(RESPONSE), "application/json", "hello"),
    "response stream": (
        response_stream,
        EVENTS,
        "text/event-stream",
        ["response.created", "response.completed"],
    ),
    "legacy completion": (
        legacy_completion,
        orjson.dumps(
            {
                "id": "c",
                "object": "text_completion",
                "created": 1,
                "model": "c",
                "choices": [
                    {"index": 0, "text": "hello", "finish_reason": "stop", "logprobs": None}
                ],
            }
        ),
        "application/json",
        "hello",
    ),
    "ocr": (ocr, b'{"pages":[]}', "application/json", {"pages": []}),
}


def client(deck: Deck) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=deck.server.base_url, api_key="k", max_retries=0)


@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")  # translations, by openai
@pytest.mark.parametrize("name", CASES)
async def test_an_endpoint_replays_what_was_recorded(start: Start, name: str) -> None:
    use, body, content_type, expected = CASES[name]
    recording = await start(mode="record", cassette="c")
    recording.upstream.answers = [raw(body, headers={"Content-Type": content_type})]
    async with client(recording) as api:
        assert await use(api) == expected
    await recording.idle()
    replaying = await start(mode="replay", cassette="c")
    async with client(replaying) as api:
        assert await use(api) == expected
    assert replaying.server.counts().upstream_calls == 0

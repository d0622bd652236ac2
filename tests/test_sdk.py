"""What we claim to serve, driven by the real clients: openai and dedalus_labs, sync and async."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

import dedalus_labs
import openai
import pytest

from tests.conftest import Deck, Start
from tests.scripted_upstream import chunk, raw, stream

T = TypeVar("T")
MESSAGES: Any = [{"role": "user", "content": "hi"}]
KEY = "no-secret"


async def in_thread(work: Callable[[], T]) -> T:
    return await asyncio.to_thread(work)


def openai_client(deck: Deck) -> openai.OpenAI:
    return openai.OpenAI(base_url=deck.server.base_url, api_key=KEY)


def dedalus_client(deck: Deck) -> dedalus_labs.Dedalus:
    return dedalus_labs.Dedalus(base_url=deck.server.root, api_key=KEY)


async def recorded_then_replayed(start: Start, use: Callable[[Deck], Any]) -> tuple[Any, Any]:
    recording = await start(mode="record", cassette="c")
    first = await in_thread(lambda: use(recording))
    await recording.idle()
    replaying = await start(mode="replay", cassette="c")
    return first, await in_thread(lambda: use(replaying))


async def test_openai_sync_records_and_replays(start: Start) -> None:
    def use(deck: Deck) -> Any:
        with openai_client(deck) as client:
            return client.chat.completions.create(model="m", messages=MESSAGES)

    first, second = await recorded_then_replayed(start, use)
    assert first.choices[0].message.content == "answer 1"
    assert second == first


async def test_openai_sync_streams(start: Start) -> None:
    def use(deck: Deck) -> Any:
        with openai_client(deck) as client:
            return list(
                client.chat.completions.create(
                    model="m",
                    messages=MESSAGES,
                    stream=True,
                    stream_options={"include_usage": True},
                )
            )

    first, second = await recorded_then_replayed(start, use)
    text = "".join(part.choices[0].delta.content or "" for part in first if part.choices)
    assert text == "answer 1"
    assert first[-1].usage.total_tokens == 7
    assert second == first


async def test_openai_async_shares_one_upstream_call(start: Start) -> None:
    deck = await start(mode="cache")
    async with openai.AsyncOpenAI(base_url=deck.server.base_url, api_key=KEY) as client:

        async def ask() -> str | None:
            answer = await client.chat.completions.create(model="m", messages=MESSAGES)
            return answer.choices[0].message.content

        assert set(await asyncio.gather(*(ask() for _ in range(10)))) == {"answer 1"}
    assert len(deck.upstream.seen) == 1


async def test_openai_surfaces_a_miss_and_does_not_retry(start: Start) -> None:
    await (await start(mode="record", cassette="c")).chat("hello")
    deck = await start(mode="replay", cassette="c")

    def use() -> openai.BadRequestError:
        with openai_client(deck) as client, pytest.raises(openai.BadRequestError) as caught:
            client.chat.completions.create(
                model="m", messages=[{"role": "user", "content": "goodbye"}]
            )
        return caught.value

    error = await in_thread(use)
    assert (error.code, error.type) == ("cassette_miss", "invalid_request_error")
    assert error.param == "$.messages[0].content"
    assert 'asked "goodbye"' in error.message
    assert error.request_id
    assert deck.server.counts().misses == 1


async def test_openai_sees_a_cut_stream_as_an_error(start: Start) -> None:
    deck = await start(mode="cache")
    deck.upstream.answers = [stream([chunk({"content": "half"})], cut=True)]

    def use() -> list[str | None]:
        got = []
        with openai_client(deck) as client, pytest.raises(openai.APIError, match="cut"):
            for part in client.chat.completions.create(model="m", messages=MESSAGES, stream=True):
                got.append(part.choices[0].delta.content)  # noqa: PERF401  until it breaks
        return got

    assert await in_thread(use) == ["half"]


async def test_openai_lists_models_in_replay(start: Start) -> None:
    await (await start(mode="record", cassette="c")).chat(model="tiny")
    deck = await start(mode="replay")

    def use() -> list[str]:
        with openai_client(deck) as client:
            return [model.id for model in client.models.list()]

    assert await in_thread(use) == ["tiny"]


async def test_openai_embeddings_go_the_general_way(start: Start) -> None:
    vector = b'{"object":"list","model":"e","data":[{"object":"embedding","index":0,"embedding":[0.25,1]}],"usage":{"prompt_tokens":1,"total_tokens":1}}'  # noqa: E501
    recording = await start(mode="record", cassette="c")
    recording.upstream.answers = [raw(vector)]

    def use(deck: Deck) -> list[float]:
        with openai_client(deck) as client:
            answer = client.embeddings.create(model="e", input="x", encoding_format="float")
            return answer.data[0].embedding

    assert await in_thread(lambda: use(recording)) == [0.25, 1]
    await recording.idle()
    replaying = await start(mode="replay", cassette="c")
    assert await in_thread(lambda: use(replaying)) == [0.25, 1]


async def test_dedalus_sync_records_and_replays(start: Start) -> None:
    def use(deck: Deck) -> Any:
        with dedalus_client(deck) as client:
            return client.chat.completions.create(model="openai/gpt-5", messages=MESSAGES)

    first, second = await recorded_then_replayed(start, use)
    assert first.choices[0].message.content == "answer 1"
    assert second == first


async def test_dedalus_streams_every_chunk(start: Start) -> None:
    def use(deck: Deck) -> Any:
        with dedalus_client(deck) as client:
            return list(client.chat.completions.create(model="m", messages=MESSAGES, stream=True))

    first, second = await recorded_then_replayed(start, use)
    text = "".join(part.choices[0].delta.content or "" for part in first if part.choices)
    assert text == "answer 1"
    assert second == first


async def test_dedalus_async_replays_a_stream_as_json(start: Start) -> None:
    await (await start(mode="record", cassette="c")).chat(stream=True)
    deck = await start(mode="replay", cassette="c")
    async with dedalus_labs.AsyncDedalus(base_url=deck.server.root, api_key=KEY) as client:
        answer = await client.chat.completions.create(model="m", messages=MESSAGES)
    assert answer.choices[0].message.content == "answer 1"


async def test_dedalus_surfaces_a_miss(start: Start) -> None:
    await (await start(mode="record", cassette="c")).chat("hello")
    deck = await start(mode="replay", cassette="c")

    def use() -> dedalus_labs.BadRequestError:
        with dedalus_client(deck) as client, pytest.raises(dedalus_labs.BadRequestError) as caught:
            client.chat.completions.create(
                model="m", messages=[{"role": "user", "content": "goodbye"}]
            )
        return caught.value

    error = await in_thread(use)
    body: Any = error.body
    assert (body["code"], body["param"]) == ("cassette_miss", "$.messages[0].content")
    assert 'asked "goodbye"' in body["message"]
    assert deck.server.counts().misses == 1

"""Stored completions, by the real client: made, listed, read, updated, deleted."""

import json  # noqa: TID251  numbers that orjson refuses
from typing import Any

import openai
import orjson
import pytest

from tests.conftest import Deck, Start
from tests.scripted_upstream import completion, plain, raw

MESSAGES: Any = [
    {"role": "system", "content": "be brief"},
    {"role": "user", "content": [{"type": "text", "text": "hi"}]},
]


def client(deck: Deck) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=deck.server.base_url, api_key="k", max_retries=0)


async def make(deck: Deck, count: int = 1, **extra: Any) -> None:
    """`count` stored completions with ids of their own."""
    async with client(deck) as api:
        for number in range(count):
            body = completion(f"text {number}", id=f"chatcmpl-{number}", created=1000 + number)
            deck.upstream.answers = [raw(orjson.dumps({**body, "model": f"m{number % 2}"}))]
            await api.chat.completions.create(
                model="m",
                messages=[*MESSAGES, {"role": "user", "content": str(number)}],
                store=True,
                metadata={"number": str(number), "kind": "test"},
                **extra,
            )
            await deck.idle()


async def test_it_is_read_back_with_its_metadata(start: Start) -> None:
    deck = await start(mode="cache")
    await make(deck)
    async with client(deck) as api:
        found = await api.chat.completions.retrieve("chatcmpl-0")
    assert found.choices[0].message.content == "text 0"
    assert found.metadata == {"number": "0", "kind": "test"}  # type: ignore[attr-defined]


async def test_lists_page_and_filter(start: Start) -> None:
    deck = await start(mode="cache")
    await make(deck, 5)
    async with client(deck) as api:
        every = [item.id async for item in api.chat.completions.list(limit=2)]
        newest = [item.id async for item in api.chat.completions.list(order="desc", limit=2)]
        of_model = [item.id async for item in api.chat.completions.list(model="m1")]
        labelled = [
            item.id
            async for item in api.chat.completions.list(metadata={"number": "3", "kind": "test"})
        ]
        first = await api.chat.completions.list(limit=2)
    assert every == [f"chatcmpl-{n}" for n in range(5)]
    assert newest == every[::-1]
    assert of_model == ["chatcmpl-1", "chatcmpl-3"]
    assert labelled == ["chatcmpl-3"]
    assert first.has_more


async def test_its_messages_are_listed(start: Start) -> None:
    deck = await start(mode="cache")
    await make(deck)
    async with client(deck) as api:
        messages = [item async for item in api.chat.completions.messages.list("chatcmpl-0")]
    assert [(item.id, item.content) for item in messages] == [
        ("chatcmpl-0-0", "be brief"),
        ("chatcmpl-0-1", None),
        ("chatcmpl-0-2", "0"),
    ]
    assert messages[1].content_parts[0].text == "hi"  # type: ignore[index,union-attr]


async def test_metadata_is_replaced_and_what_is_deleted_is_gone(start: Start) -> None:
    deck = await start(mode="cache")
    await make(deck)
    async with client(deck) as api:
        updated = await api.chat.completions.update("chatcmpl-0", metadata={"a": "b"})
        assert updated.metadata == {"a": "b"}  # type: ignore[attr-defined]
        deleted = await api.chat.completions.delete("chatcmpl-0")
        assert deleted.deleted
        assert [item async for item in api.chat.completions.list()] == []


async def test_a_streamed_one_is_stored_whole(start: Start) -> None:
    deck = await start(mode="cache")
    await deck.chat(store=True, stream=True)
    async with client(deck) as api:
        found = await api.chat.completions.retrieve("chatcmpl-1")
    assert found.choices[0].message.content == "answer 1"


async def test_what_did_not_say_store_is_not_stored(start: Start) -> None:
    deck = await start(mode="cache")
    await deck.chat('the word "store" alone')
    await deck.chat(store=False)
    async with client(deck) as api:
        assert [item async for item in api.chat.completions.list()] == []


async def test_replay_stores_what_it_replays(start: Start) -> None:
    await make(await start(mode="record", cassette="c"))
    deck = await start(mode="replay", cassette="c")
    async with client(deck) as api:
        assert [item async for item in api.chat.completions.list()] == []
        await api.chat.completions.create(
            model="m", messages=[*MESSAGES, {"role": "user", "content": "0"}], store=True
        )
        await deck.idle()
        assert [item.id async for item in api.chat.completions.list()] == ["chatcmpl-0"]


async def test_one_that_is_not_ours_is_the_upstreams(start: Start) -> None:
    deck = await start(mode="cache")
    deck.upstream.answers = [raw(b'{"id":"theirs"}')]
    got = await deck.request("GET", "/v1/chat/completions/theirs")
    assert got.json == {"id": "theirs"}
    assert deck.upstream.seen[0].path == "/v1/chat/completions/theirs"


async def test_it_can_be_read_as_soon_as_it_was_answered(start: Start) -> None:
    deck = await start(mode="cache")
    async with client(deck) as api:
        for _ in range(10):
            made = await api.chat.completions.create(model="m", messages=MESSAGES, store=True)
            assert (await api.chat.completions.delete(made.id)).deleted


async def test_what_cannot_be_stored_is_answered_all_the_same(start: Start) -> None:
    deck = await start(mode="cache")
    odd = {**completion("odd"), "created": 2**70, "model": ["x"], "id": "a b"}
    deck.upstream.answers = [raw(json.dumps(odd).encode())]
    first = await deck.chat(store=True)
    again = await deck.chat(store=True)
    assert first.body == again.body
    assert (await deck.request("GET", "/health")).status == 200


async def test_secrets_in_it_are_not_stored(start: Start) -> None:
    secret = "sk-" + "proj-" + "a1B2" * 12
    deck = await start(mode="cache")
    await deck.chat(f"my key is {secret}", store=True)
    got = await deck.request("GET", "/v1/chat/completions/chatcmpl-1/messages")
    assert secret.encode() not in got.body
    assert b"[redacted:" in got.body


async def test_neither_metadata_nor_the_clients_own_key_is_stored(start: Start) -> None:
    secret, key = "sk-" + "proj-" + "a1B2" * 12, "a-key-of-no-known-shape"
    deck = await start(mode="cache")
    deck.upstream.answers = [plain(f"you sent {key}")]
    headers = {"Authorization": f"Bearer {key}"}
    await deck.chat("whoami", store=True, metadata={"first": secret}, headers=headers)
    path = "/v1/chat/completions/chatcmpl-1"
    first = await deck.request("GET", path)
    changed = orjson.dumps({"metadata": {"then": secret}})
    then = await deck.request("POST", path, changed)
    assert list(first.json["metadata"]) == ["first"]
    assert list(then.json["metadata"]) == ["then"]
    for file in start.folder.glob("store.db*"):
        assert secret.encode() not in file.read_bytes()
        assert key.encode() not in file.read_bytes()


@pytest.mark.parametrize("query", ["limit=-1", "limit=x", "limit=101", "order=up"])
async def test_a_wrong_page_is_400(start: Start, query: str) -> None:
    deck = await start(mode="cache")
    got = await deck.request("GET", f"/v1/chat/completions?{query}")
    assert (got.status, got.json["param"]) == (400, query.partition("=")[0])


async def test_wrong_metadata_is_400(start: Start) -> None:
    deck = await start(mode="cache")
    await make(deck)
    got = await deck.request("POST", "/v1/chat/completions/chatcmpl-0", b'{"metadata": 1}')
    assert (got.status, got.json["param"]) == (400, "metadata")


@pytest.mark.parametrize(
    "limit", ["9" * 5000, "0" * 5000 + "1", "101", "-1", "1.5", "", "%C2%B2", "x"]
)
async def test_a_limit_that_is_no_number_in_bounds_is_refused(start: Start, limit: str) -> None:
    deck = await start(mode="replay")
    for path in ("/v1/chat/completions", "/v1/chat/completions/one/messages"):
        got = await deck.request("GET", f"{path}?limit={limit}")
        assert (got.status, got.json["param"]) == (400, "limit")
        assert len(got.json["message"]) < 200

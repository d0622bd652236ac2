"""`Idempotency-Key`: a retry gets the first answer, another request gets a refusal."""

import asyncio

import pytest

from promptdeck.core.interaction import Request
from promptdeck.engine.idempotency import Idempotency
from tests.conftest import Start
from tests.scripted_upstream import chunks, plain, raw, stream

KEY = {"Idempotency-Key": "k1"}


async def test_the_same_key_and_body_get_the_first_answer(start: Start) -> None:
    deck = await start(mode="record", cassette="c")
    first, again = await deck.chat(headers=KEY), await deck.chat(headers=KEY)
    assert again.body == first.body
    assert len(deck.upstream.seen) == 1
    assert "idempotency-key" in again.cache_status
    assert (await deck.chat(headers={"Idempotency-Key": "k2"})).body != first.body


async def test_also_while_the_first_is_still_running(start: Start) -> None:
    deck = await start(mode="record", cassette="c")
    gate = asyncio.Event()
    deck.upstream.answers = [stream(chunks("slowly said"), gate=gate)]
    loop = asyncio.get_running_loop()
    first = loop.create_task(deck.chat(stream=True, headers=KEY))
    while not deck.upstream.seen:
        await asyncio.sleep(0.005)
    second = loop.create_task(deck.chat(stream=True, headers=KEY))
    await asyncio.sleep(0.05)
    gate.set()
    assert (await first).body == (await second).body == b"".join(chunks("slowly said"))
    assert len(deck.upstream.seen) == 1


async def test_the_same_key_with_another_body_is_a_conflict_and_not_retried(start: Start) -> None:
    deck = await start(mode="cache")
    await deck.chat("one", headers=KEY)
    got = await deck.chat("two", headers=KEY)
    assert (got.status, got.json["code"]) == (409, "idempotency_key_reused")
    assert got.headers["x-should-retry"] == "false"
    assert len(deck.upstream.seen) == 1


async def test_a_failure_is_asked_again(start: Start) -> None:
    deck = await start(mode="cache")
    deck.upstream.answers = [
        raw(b"{}", status=429),
        stream(chunks("cut")[:2], cut=True),
        plain("third time"),
    ]
    for _ in range(2):
        await deck.chat(stream=True, headers=KEY)
    assert (await deck.chat(stream=True, headers=KEY)).body == b"".join(chunks("third time"))


async def test_a_retry_takes_no_turn_of_a_sequence(start: Start) -> None:
    recording = await start(mode="record", cassette="c")
    recorded = [(await recording.chat()).body for _ in range(2)]
    deck = await start(mode="replay", cassette="c")
    first = await deck.chat(headers=KEY)
    again = await deck.chat(headers=KEY)
    assert first.body == again.body == recorded[0]
    assert (await deck.chat()).body == recorded[1]


REQUEST = Request("POST", "/v1/x", "", b"")


@pytest.mark.parametrize("mode", ["record", "record-missing", "cache"])
@pytest.mark.parametrize("words", [1, 200_000])  # of 400 KB: a body that is parsed in a thread
async def test_of_two_at_once_with_one_key_one_goes_upstream(
    start: Start, mode: str, words: int
) -> None:
    deck = await start(mode=mode, cassette="c")
    gate = asyncio.Event()
    deck.upstream.answers = [stream(chunks("slowly said"), gate=gate)]
    asked = [deck.chat("w " * words, stream=True, headers=KEY) for _ in range(3)]
    tasks = [asyncio.get_running_loop().create_task(one) for one in asked]
    while not deck.upstream.seen:
        await asyncio.sleep(0.005)
    gate.set()
    got = await asyncio.gather(*tasks)
    assert {one.body for one in got} == {b"".join(chunks("slowly said"))}
    assert len(deck.upstream.seen) == 1
    assert sum("idempotency-key" in one.cache_status for one in got) == 2


async def test_of_two_large_ones_at_once_that_differ_one_is_a_conflict(start: Start) -> None:
    deck = await start(mode="record", cassette="c")
    asked = (deck.chat(f"{word} " * 200_000, headers=KEY) for word in ("one", "two"))
    got = await asyncio.gather(*asked)
    assert sorted(one.status for one in got) == [200, 409]
    assert len(deck.upstream.seen) == 1


async def test_a_request_that_is_refused_frees_its_key(start: Start) -> None:
    deck = await start(mode="record", cassette="c")
    wrong = {"temperature": "hot", "headers": KEY}
    got = await asyncio.gather(*(deck.chat("w " * 200_000, **wrong) for _ in range(2)))
    assert [one.status for one in got] == [400, 400]
    assert [one.json.get("code") for one in got] != ["idempotency_key_reused"] * 2
    replaying = await start(mode="replay", cassette="c")
    for _ in range(2):
        assert (await replaying.chat(headers=KEY)).json["code"] == "cassette_miss"


async def test_who_waits_for_a_key_that_is_freed_has_it_one_after_another() -> None:
    memory: Idempotency[str] = Idempotency(len)
    assert await memory.claim("k", REQUEST, bool) is None
    waiting = [
        asyncio.get_running_loop().create_task(memory.claim("k", REQUEST, bool)) for _ in range(3)
    ]
    await asyncio.sleep(0)
    memory.free("k")
    done, others = await asyncio.wait(waiting, timeout=0.05)
    assert [one.result() for one in done] == [None]
    memory.remember("k", REQUEST, "said")
    assert [await one for one in others] == ["said", "said"]
    assert memory.first("k", REQUEST) == "said"


async def test_an_answer_that_is_not_good_leaves_the_key_to_who_asks_next() -> None:
    memory: Idempotency[str] = Idempotency(len)
    memory.remember("k", REQUEST, "bad")
    assert await memory.claim("k", REQUEST, lambda answer: answer != "bad") is None
    memory.remember("k", REQUEST, "good")
    assert await memory.claim("k", REQUEST, lambda answer: answer != "bad") == "good"


async def test_a_client_that_leaves_while_its_request_is_read_frees_the_key() -> None:
    memory: Idempotency[str] = Idempotency(len)
    assert await memory.claim("k", REQUEST, bool) is None
    waiting = asyncio.get_running_loop().create_task(memory.claim("k", REQUEST, bool))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    memory.free("k")
    assert await memory.claim("k", REQUEST, bool) is None


def test_the_oldest_answers_go_when_all_weigh_too_much() -> None:
    memory: Idempotency[bytes] = Idempotency(len)
    big = b"x" * (20 << 20)
    for number in range(32):
        memory.remember(str(number), REQUEST, big)
    kept = [number for number in range(32) if memory.first(str(number), REQUEST)]
    assert kept == [29, 30, 31]


def test_answers_that_grow_after_they_are_remembered_are_weighed_as_they_are() -> None:
    sizes = dict.fromkeys(range(8), 0)
    growing = set(sizes)
    memory: Idempotency[int] = Idempotency(sizes.__getitem__, growing.__contains__)
    for number in range(7):
        memory.remember(str(number), REQUEST, number)
    sizes.update(dict.fromkeys(range(7), 20 << 20))
    growing.difference_update(range(0, 7, 2))
    memory.remember("7", REQUEST, 7)
    kept = [number for number in range(8) if memory.first(str(number), REQUEST) is not None]
    assert kept == [4, 5, 6, 7]


def test_no_more_than_so_many_keys_are_remembered() -> None:
    memory: Idempotency[str] = Idempotency(len)
    for number in range(1500):
        memory.remember(str(number), REQUEST, "x")
    kept = [number for number in range(1500) if memory.first(str(number), REQUEST)]
    assert kept == list(range(500, 1500))


async def test_in_passthrough_it_is_the_upstreams_matter(start: Start) -> None:
    deck = await start(mode="passthrough")
    await deck.chat(headers=KEY)
    await deck.chat(headers=KEY)
    assert [seen.headers["Idempotency-Key"] for seen in deck.upstream.seen] == ["k1", "k1"]


async def test_another_cassette_has_answers_of_its_own(start: Start) -> None:
    deck = await start(mode="record-missing")
    asked = {"headers": {"Idempotency-Key": "one"}}
    answers = [await deck.chat(at=f"/cassette/{name}", **asked) for name in ("a", "b", "a")]
    texts = [answer.json["choices"][0]["message"]["content"] for answer in answers]
    assert texts == ["answer 1", "answer 2", "answer 1"]

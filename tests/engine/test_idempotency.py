"""`Idempotency-Key`: a retry gets the first answer, another request gets a refusal."""

import asyncio

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


def test_the_oldest_answers_go_when_all_weigh_too_much() -> None:
    memory: Idempotency[bytes] = Idempotency(len)
    request = Request("POST", "/v1/x", "", b"")
    big = b"x" * (20 << 20)
    for number in range(32):
        memory.remember(str(number), request, big)
    kept = [number for number in range(32) if memory.first(str(number), request)]
    assert kept == [29, 30, 31]


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

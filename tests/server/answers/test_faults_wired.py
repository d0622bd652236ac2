"""Faults by header, by session and by configuration, and the client's verdict."""

import openai
import orjson
import pytest

from tests.conftest import Deck, Start
from tests.server.test_sessions import at, closed, opened


async def replaying(start: Start, environ: dict[str, str] | None = None) -> Deck:
    recording = await start(mode="record", cassette="c")
    await recording.chat("hi")
    await recording.chat("hi")
    return await start(mode="replay", cassette="c", environ=environ or {})


async def test_a_header_makes_one_answer_fail_and_the_retry_gets_the_same_turn(
    start: Start,
) -> None:
    deck = await replaying(start)
    failed = await deck.chat(headers={"X-Promptdeck-Fault": "status=503"})
    assert failed.status == 503
    assert (await deck.chat()).json["choices"][0]["message"]["content"] == "answer 1"
    assert (await deck.chat()).json["choices"][0]["message"]["content"] == "answer 2"


async def test_a_sessions_faults_befall_a_real_client_that_comes_through(start: Start) -> None:
    deck = await replaying(start)
    session = await opened(
        deck, cassette="c", faults={"status": 429, "retry_after_ms": 50, "times": 1}
    )
    async with openai.AsyncOpenAI(base_url=session["base_url"], api_key="k") as client:
        answer = await client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": "hi"}]
        )
    assert answer.choices[0].message.content == "answer 1"
    report = (await closed(deck, session, "?fail_on=miss,client")).json
    assert report["client"]["ok"]
    [attempts] = report["client"]["requests"].values()
    assert len(attempts) == 2


async def test_a_client_that_hammers_fails_its_session(start: Start) -> None:
    deck = await replaying(start)
    session = await opened(deck, cassette="c", faults="status=429; retry-after=30")
    for _ in range(6):
        await deck.chat(at=at(session))
    got = await closed(deck, session, "?fail_on=client")
    assert (got.status, got.json["code"]) == (409, "session_failed")
    assert not got.json["details"]["client"]["ok"]


async def test_the_configuration_can_make_every_answer_fail(start: Start) -> None:
    deck = await replaying(start, {"PROMPTDECK_REPLAY_FAULTS": "status=500; times=1"})
    assert [(await deck.chat()).status for _ in range(2)] == [500, 200]


async def test_a_fault_is_no_property_of_an_idempotency_key(start: Start) -> None:
    deck = await replaying(start, {"PROMPTDECK_REPLAY_FAULTS": "status=500; times=1"})
    key = {"Idempotency-Key": "k"}
    assert [(await deck.chat(headers=key)).status for _ in range(2)] == [500, 200]


@pytest.mark.parametrize("faults", ["staus=500", {"status": 200}, 5])
async def test_a_fault_that_is_none_is_named(start: Start, faults: object) -> None:
    deck = await start(mode="replay")
    got = await deck.request("POST", "/_deck/sessions", orjson.dumps({"faults": faults}))
    assert (got.status, got.json["code"]) == (400, "bad_fault")
    if isinstance(faults, str):
        header = await deck.chat(headers={"X-Promptdeck-Fault": faults})
        assert (header.status, header.json["code"]) == (400, "bad_fault")


async def test_the_header_never_reaches_a_provider(start: Start) -> None:
    deck = await start(mode="cache")
    await deck.chat(headers={"X-Promptdeck-Fault": "latency=1ms"})
    assert "X-Promptdeck-Fault" not in deck.upstream.seen[0].headers

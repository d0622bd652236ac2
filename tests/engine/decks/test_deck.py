"""A deck over the reference store: turns, stand-ins, conversions, the report."""

import logging
import time
from typing import Any

import orjson
import pytest

from promptdeck.core.dialects.chat.dialect import CHAT
from promptdeck.core.dialects.table import HTTP
from promptdeck.core.interaction import Frame, Interaction, Request, Response, Variant
from promptdeck.core.matching.normalize import Normalized
from promptdeck.core.policy import ANYTHING, CacheControl, Found
from promptdeck.engine.decks.deck import Deck
from promptdeck.engine.decks.playing import AfterLast, OnExpired, Playing
from promptdeck.stores.base import Stored
from promptdeck.stores.memory import MemoryStore
from tests.scripted_upstream import chunks, completion

KEY = "p1:" + "1" * 32
CANONICAL = b'POST /v1/chat/completions\n{"messages":[],"model":"m"}'
REQUEST = Request("POST", "/v1/chat/completions", "application/json", b'{"model":"m"}')


def stored(variant: Variant, text: str, *, status: int = 200, expires: float = 0) -> Stored:
    if variant is Variant.JSON:
        headers = (("content-type", "application/json"),)
        frames = (Frame(1, orjson.dumps(completion(text))),)
    else:
        headers = (("content-type", "text/event-stream"),)
        usage = variant is Variant.SSE_USAGE
        frames = tuple(Frame(n, data) for n, data in enumerate(chunks(text, usage=usage)))
    response = Response(status, headers, frames)
    interaction = Interaction("", KEY, variant, 1000.0, "http://u/v1", REQUEST, response)
    return Stored(interaction, CANONICAL, expires or None)


def asked(variant: Variant, canonical: bytes = CANONICAL, *, chat: bool = True) -> Normalized:
    return Normalized(canonical, variant, CHAT if chat else HTTP, False, ())


async def deck(*recordings: Stored, newest: bool = False, **options: Any) -> Deck:
    store = MemoryStore()
    for recording in recordings:
        await store.put(KEY, recording, replace=False)
    return Deck("c", [store], Playing(newest=newest, **options), writer=store)


def play(deck: Deck, variant: Variant) -> str:
    search = deck.find(KEY, asked(variant), ANYTHING)
    if search.stored is None or search.response is None:
        return search.reason
    deck.played((KEY, variant), search.stored)
    body = search.response.body.decode()
    return next(word for word in ("first", "second", "third") if word in body)


async def test_each_variant_has_turns_of_its_own() -> None:
    one = await deck(
        stored(Variant.JSON, "first"),
        stored(Variant.SSE, "second"),
        stored(Variant.JSON, "third"),
    )
    turns = [Variant.JSON, Variant.SSE, Variant.JSON, Variant.SSE]
    assert [play(one, variant) for variant in turns] == ["first", "second", "third", "second"]


async def test_after_the_last_it_repeats_or_refuses() -> None:
    repeating = await deck(stored(Variant.JSON, "first"), stored(Variant.JSON, "second"))
    assert [play(repeating, Variant.JSON) for _ in range(3)] == ["first", "second", "second"]
    refusing = await deck(stored(Variant.JSON, "first"), after_last=AfterLast.REFUSE)
    assert [play(refusing, Variant.JSON) for _ in range(2)] == ["first", "consumed"]


async def test_the_cache_serves_the_newest() -> None:
    cache = await deck(stored(Variant.JSON, "first"), stored(Variant.JSON, "second"), newest=True)
    assert play(cache, Variant.JSON) == "second"


@pytest.mark.parametrize(
    ("recorded", "wanted", "converts"),
    [
        (Variant.SSE, Variant.JSON, True),
        (Variant.SSE_USAGE, Variant.JSON, True),
        (Variant.JSON, Variant.SSE, True),
        (Variant.JSON, Variant.SSE_USAGE, True),
        (Variant.SSE_USAGE, Variant.SSE, True),
        (Variant.SSE, Variant.SSE_USAGE, False),
    ],
)
async def test_a_variant_stands_in_for_another_where_nothing_has_to_be_made_up(
    recorded: Variant, wanted: Variant, converts: bool
) -> None:
    search = (await deck(stored(recorded, "first"))).find(KEY, asked(wanted), ANYTHING)
    assert (search.found is Found.HIT) == converts == search.converted
    if search.response:
        assert search.response.is_stream == (wanted is not Variant.JSON)
        assert (b'"total_tokens"' in search.response.body) == (
            wanted is Variant.SSE_USAGE or (wanted is Variant.JSON and recorded != Variant.SSE)
        )


async def test_json_without_usage_does_not_pass_for_a_stream_with_it() -> None:
    recorded = stored(Variant.JSON, "first")
    value = {key: item for key, item in completion("first").items() if key != "usage"}
    response = recorded.interaction.response
    bare = Response(200, response.headers, (Frame(1, orjson.dumps(value)),))
    interaction = recorded.interaction._replace(response=bare)
    one = await deck(recorded._replace(interaction=interaction))
    assert one.find(KEY, asked(Variant.SSE_USAGE), ANYTHING).found is Found.MISS
    assert one.find(KEY, asked(Variant.SSE), ANYTHING).found is Found.HIT


async def test_only_chat_completions_convert() -> None:
    one = await deck(stored(Variant.JSON, "first"))
    assert one.find(KEY, asked(Variant.SSE, chat=False), ANYTHING).found is Found.MISS


async def test_an_error_kept_as_a_fact_is_not_converted() -> None:
    error = stored(Variant.JSON, "first", status=429)
    search = (await deck(error)).find(KEY, asked(Variant.SSE), ANYTHING)
    assert search.response == error.interaction.response


async def test_equal_fingerprints_of_different_requests_do_not_meet() -> None:
    one = await deck(stored(Variant.JSON, "first"))
    other = asked(Variant.JSON, CANONICAL + b" ")
    assert one.find(KEY, other, ANYTHING).reason == "not_recorded"


async def test_an_expired_recording_is_stale_and_so_is_one_older_than_asked_for() -> None:
    one = await deck(stored(Variant.JSON, "first", expires=1001.0))
    assert one.find(KEY, asked(Variant.JSON), ANYTHING).found is Found.STALE
    fresh = await deck(stored(Variant.JSON, "first"))
    assert fresh.find(KEY, asked(Variant.JSON), ANYTHING).found is Found.HIT
    search = fresh.find(KEY, asked(Variant.JSON), CacheControl(max_age=5))
    assert (search.found, search.requested) == (Found.STALE, True)


def new(variant: Variant, text: str) -> Stored:
    recent = stored(variant, text).interaction._replace(recorded_at=time.time())
    return stored(variant, text)._replace(interaction=recent)


async def test_a_recording_that_is_too_old_is_served_with_one_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    one = await deck(stored(Variant.JSON, "first"), new(Variant.SSE, "second"), expires=60.0)
    with caplog.at_level(logging.WARNING, "promptdeck"):
        assert [play(one, Variant.JSON) for _ in range(3)] == ["first"] * 3
        assert play(one, Variant.SSE) == "second"
    [record] = caplog.records
    assert "is older than replay.expires" in record.getMessage()


async def test_a_recording_that_is_too_old_can_be_refused() -> None:
    refusing = {"expires": 60.0, "on_expired": OnExpired.FAIL}
    one = await deck(stored(Variant.JSON, "first"), **refusing)
    assert play(one, Variant.JSON) == "expired"
    assert play(await deck(new(Variant.JSON, "first"), **refusing), Variant.JSON) == "first"


async def test_without_a_limit_nothing_is_too_old() -> None:
    for way in OnExpired:
        one = await deck(stored(Variant.JSON, "first"), on_expired=way)
        assert play(one, Variant.JSON) == "first"


async def test_a_sequence_that_is_too_old_is_recorded_again_as_long_as_it_was() -> None:
    old = [stored(Variant.JSON, "first"), stored(Variant.JSON, "first")]
    one = await deck(*old, expires=60.0, on_expired=OnExpired.RECORD)
    for text in ("second", "third"):
        assert play(one, Variant.JSON) == "consumed"
        one.drawn(KEY, Variant.JSON)
        await one.keep(KEY, new(Variant.JSON, text), overwrite=False)
    assert play(one, Variant.JSON) == "third"
    one.rewind()
    assert [play(one, Variant.JSON) for _ in range(3)] == ["second", "third", "third"]


async def test_what_is_too_old_stays_until_there_is_a_new_one() -> None:
    one = await deck(stored(Variant.JSON, "first"), expires=60.0, on_expired=OnExpired.RECORD)
    for _ in range(2):
        assert play(one, Variant.JSON) == "consumed"
        one.drawn(KEY, Variant.JSON)
    assert len(one.report()["unplayed"]) == 1
    await one.keep(KEY, new(Variant.JSON, "second"), overwrite=False)
    assert play(one, Variant.JSON) == "second"


async def test_recording_over_replaces_what_was_there_once_and_then_adds() -> None:
    one = await deck(stored(Variant.JSON, "first"), stored(Variant.JSON, "first"))
    await one.keep(KEY, stored(Variant.JSON, "second"), overwrite=True)
    await one.keep(KEY, stored(Variant.JSON, "third"), overwrite=True)
    assert [play(one, Variant.JSON) for _ in range(3)] == ["second", "third", "third"]
    assert len(one.report()["recorded"]) == 2


async def test_the_report_counts_plays_and_rewinding_forgets_them() -> None:
    one = await deck(stored(Variant.JSON, "first"), stored(Variant.JSON, "second"))
    for _ in range(3):
        play(one, Variant.JSON)
    assert sorted(one.report()["played"].values()) == [1, 2]
    assert one.report()["unplayed"] == []
    one.rewind()
    assert one.report()["played"] == {}
    assert play(one, Variant.JSON) == "first"

"""A deck over the reference store: turns, stand-ins, conversions, the report."""

import gc
import logging
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from promptdeck.core.dialects.chat.dialect import CHAT
from promptdeck.core.dialects.table import HTTP
from promptdeck.core.interaction import Frame, Interaction, Request, Response, Variant
from promptdeck.core.matching.normalize import Normalized
from promptdeck.core.policy import ANYTHING, CacheControl, Found
from promptdeck.engine.decks import ledger
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
    search = deck.find(KEY, asked(variant), ANYTHING, upstream="http://u/v1")
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


def bare(text: str) -> Stored:
    """A JSON answer without usage, which no stream with usage can be made of."""
    recorded = stored(Variant.JSON, text)
    value = {key: item for key, item in completion(text).items() if key != "usage"}
    headers = recorded.interaction.response.headers
    response = Response(200, headers, (Frame(1, orjson.dumps(value)),))
    return recorded._replace(interaction=recorded.interaction._replace(response=response))


async def test_json_without_usage_does_not_pass_for_a_stream_with_it() -> None:
    one = await deck(bare("first"))
    assert one.find(KEY, asked(Variant.SSE_USAGE), ANYTHING).found is Found.MISS
    assert one.find(KEY, asked(Variant.SSE), ANYTHING).found is Found.HIT


@pytest.mark.parametrize(
    ("recorded", "played"),
    [
        ([stored, bare], ["first", "first", "first"]),
        ([bare, stored], ["second", "second", "second"]),
        ([stored, bare, stored], ["first", "third", "third"]),
        ([bare, stored, stored], ["second", "third", "third"]),
        ([bare, bare], ["not_recorded", "not_recorded", "not_recorded"]),
    ],
)
async def test_what_does_not_convert_has_no_turn_and_the_others_stay_in_order(
    recorded: list[Any], played: list[str]
) -> None:
    texts = ("first", "second", "third")
    rows = [
        bare(text) if kind is bare else stored(Variant.JSON, text)
        for kind, text in zip(recorded, texts, strict=False)
    ]
    one = await deck(*rows)
    assert [play(one, Variant.SSE_USAGE) for _ in range(3)] == played
    # A stream without usage can be made of each.
    everything = [*texts[: len(rows)], texts[len(rows) - 1]][:3]
    assert [play(one, Variant.SSE) for _ in range(3)] == everything


async def test_after_the_last_that_converts_it_refuses_where_it_is_to() -> None:
    rows = stored(Variant.JSON, "first"), bare("second"), stored(Variant.JSON, "third")
    one = await deck(*rows, after_last=AfterLast.REFUSE)
    assert [play(one, Variant.SSE_USAGE) for _ in range(3)] == ["first", "third", "consumed"]


async def test_the_cache_serves_the_newest_that_converts() -> None:
    rows = stored(Variant.JSON, "first"), stored(Variant.JSON, "second"), bare("third")
    cache = await deck(*rows, newest=True)
    assert play(cache, Variant.SSE_USAGE) == "second"
    assert play(cache, Variant.SSE) == "third"


async def test_a_long_sequence_is_converted_one_by_one_as_it_is_played() -> None:
    one = await deck(*(stored(Variant.JSON, f"first {n}") for n in range(40)))
    made: list[str] = []
    real = one._conversions._keep
    one._conversions._keep = lambda place, *rest: (made.append(place[1]), real(place, *rest))[1]
    for turn in range(10):
        assert play(one, Variant.SSE) == "first"
        assert len(made) == len(set(made)) <= turn + 2


async def test_where_what_is_missing_is_recorded_nothing_stands_in_for_it() -> None:
    one = await deck(stored(Variant.JSON, "first"), converts=False)
    for variant in (Variant.SSE, Variant.SSE_USAGE):
        assert one.find(KEY, asked(variant), ANYTHING).reason == "not_recorded"
    assert play(one, Variant.JSON) == "first"


async def test_a_replaced_recording_takes_its_conversions_along() -> None:
    one = await deck(stored(Variant.JSON, "first"), newest=True)
    assert play(one, Variant.SSE) == "first"
    await one.keep(KEY, stored(Variant.JSON, "second"), overwrite=False)
    assert play(one, Variant.SSE) == "second"


async def two_stores(*recordings: tuple[int, Stored]) -> Deck:
    """A deck as of the mode cache over a cassette: store 0, before the cache, store 1."""
    stores = MemoryStore(), MemoryStore()
    for number, recording in recordings:
        await stores[number].put(KEY, recording, replace=False)
    return Deck("c", stores, Playing(newest=True), writer=stores[1])


@pytest.mark.parametrize("fresh", [one for one in Variant if one is not Variant.LINES])
@pytest.mark.parametrize("place", [0, 1])
async def test_what_is_too_old_hides_nothing_fresh(fresh: Variant, place: int) -> None:
    one = await two_stores((0, stored(Variant.SSE_USAGE, "first")), (place, new(fresh, "second")))
    young = CacheControl(max_age=60)
    search = one.find(KEY, asked(Variant.SSE), young)
    assert search.found is Found.HIT
    assert search.response
    assert b"second" in search.response.body
    # Without such a wish the cassette goes first, and then what is the newest of the variant.
    assert one.find(KEY, asked(Variant.SSE), ANYTHING).found is Found.HIT


async def test_if_all_is_too_old_the_first_is_stale() -> None:
    rows = (0, stored(Variant.JSON, "first")), (1, stored(Variant.JSON, "second"))
    search = (await two_stores(*rows)).find(KEY, asked(Variant.JSON), CacheControl(max_age=60))
    assert (search.found, search.requested) == (Found.STALE, True)


async def test_who_plays_in_turns_keeps_the_order_whatever_the_request_accepts() -> None:
    one = await deck(stored(Variant.JSON, "first"), new(Variant.SSE_USAGE, "second"))
    search = one.find(KEY, asked(Variant.JSON), CacheControl(max_age=60))
    assert search.found is Found.STALE
    assert search.response
    assert b"first" in search.response.body


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


async def test_what_is_recorded_within_a_millisecond_keeps_its_order() -> None:
    one = await deck()
    moments = []
    for number in range(5):
        recording = stored(Variant.JSON, "first")
        interaction = recording.interaction._replace(key=str(number))
        recording = recording._replace(interaction=interaction)
        moments.append((await one.keep(KEY, recording, overwrite=False)).recorded_at)
    assert moments == sorted(set(moments))
    assert (moments[0], moments[-1]) == (1000.0, 1000.004)


def memory_of(work: Callable[[], object]) -> int:
    """Bytes that are still taken when some work is done."""
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        work()
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("newest", [True, False])
async def test_what_is_only_asked_for_leaves_nothing_behind(newest: bool) -> None:
    one = await deck(stored(Variant.JSON, "first"), newest=newest)

    def ask() -> None:
        for number in range(2000):
            key = f"p1:{number:032}"
            assert one.find(key, asked(Variant.SSE), ANYTHING).found is Found.MISS
            assert one.times_played(key, Variant.SSE) == 0

    assert memory_of(ask) < 2000 * 8
    assert one.report()["played"] == {}


async def test_a_found_recording_that_is_not_played_is_unplayed() -> None:
    one = await deck(stored(Variant.JSON, "first"))
    search = one.find(KEY, asked(Variant.JSON), ANYTHING)
    assert search.stored
    one.counts((KEY, Variant.JSON), search.stored)
    assert one.report()["played"] == {}
    assert len(one.report()["unplayed"]) == 1


async def test_a_cache_remembers_the_latest_that_it_played_and_recorded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ledger, "_CACHE_KEPT", 10)
    one = await deck(newest=True)
    names = []
    for number in range(40):
        recording = stored(Variant.JSON, "first")
        key = f"p1:{number:08}"
        recording = recording._replace(interaction=recording.interaction._replace(key=key))
        kept = await one.keep(key, recording, overwrite=False)
        one.played((kept.key, Variant.JSON), recording._replace(interaction=kept))
        names.append(kept.id)
    assert list(one.report()["played"]) == names[-10:]
    assert one.report()["recorded"] == names[-10:]
    assert (one._ledger._turns, one._overwritten) == ({}, set())

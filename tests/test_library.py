"""From a configuration to decks: what each mode plays, and which decks are kept."""

import re

import orjson
import pytest

from tests.conftest import Got, Start
from tests.scripted_upstream import completion, plain, raw

VARIANTS = ({}, {"stream": True}, {"stream": True, "stream_options": {"include_usage": True}})


def without_usage(text: str) -> bytes:
    return orjson.dumps({key: item for key, item in completion(text).items() if key != "usage"})


def said(got: Got) -> str:
    """The text of an answer, whole or streamed."""
    return "".join(re.findall(r'"content":"(.*?)"', got.body.decode()))


@pytest.mark.parametrize("first", range(3))
async def test_record_missing_asks_for_each_variant_that_is_missing(
    start: Start, first: int
) -> None:
    deck = await start(mode="record-missing", cassette="c")
    bodies = [*VARIANTS[first:], *VARIANTS[:first]]
    got = [await deck.chat(**body) for body in bodies]
    assert [said(one) for one in got] == ["answer 1", "answer 2", "answer 3"]
    again = [await deck.chat(**body) for body in bodies]
    assert [one.body for one in again] == [one.body for one in got]
    assert all("hit" in one.cache_status for one in again)
    assert not any("converted" in one.cache_status for one in again)


@pytest.mark.parametrize("mode", ["cache", "replay"])
async def test_where_nothing_missing_is_recorded_variants_are_made_of_each_other(
    start: Start, mode: str
) -> None:
    recording = await start(mode="record", cassette="c")
    await recording.chat()
    deck = await start(mode=mode, cassette="c")
    for body in VARIANTS[1:]:
        assert "converted-from=json" in (await deck.chat(**body)).cache_status
    assert len(deck.upstream.seen) == 1


async def test_a_session_that_records_what_is_missing_asks_for_a_variant_too(start: Start) -> None:
    deck = await start(mode="cache")
    wants = orjson.dumps({"mode": "record-missing", "cassette": "c"})
    session = (await deck.request("POST", "/_deck/sessions", wants)).json
    for body in VARIANTS:
        await deck.chat(at=f"/session/{session['id']}", **body)
    assert len(deck.upstream.seen) == 3


@pytest.mark.parametrize("mode", ["replay", "cache"])
async def test_a_turn_whose_answer_lacks_the_usage_is_no_error(start: Start, mode: str) -> None:
    recording = await start(mode="record", cassette="c")
    recording.upstream.answers = [plain("one"), raw(without_usage("two"))]
    for _ in range(2):
        await recording.chat()
    deck = await start(mode=mode, cassette="c")
    got = [await deck.chat(**VARIANTS[2]) for _ in range(3)]
    assert [one.status for one in got] == [200] * 3
    assert len({one.body for one in got}) == 1
    assert "converted-from=json" in got[0].cache_status


@pytest.mark.parametrize("fast", [True, False])
async def test_a_converted_answer_is_of_what_was_recorded_last(start: Start, fast: bool) -> None:
    deck = await start(mode="cache", fast=fast)
    await deck.chat()
    assert said(await deck.chat(stream=True)) == "answer 1"
    for number in (2, 3):
        await deck.chat(headers={"Cache_Control": "no-cache"})
        turned = await deck.chat(stream=True)
        assert "converted-from=json" in turned.cache_status
        assert said(await deck.chat()) == said(turned) == f"answer {number}"


async def test_a_converted_answer_follows_the_edited_file(start: Start) -> None:
    await (await start(mode="record", cassette="c")).chat()
    deck = await start(mode="replay")
    at = "/cassette/c"
    await deck.chat(at=at, stream=True)
    path = start.folder / "cassettes" / "c.yaml"
    path.write_text(path.read_text().replace("answer 1", "edited"))
    await deck.request("POST", "/_deck/cassettes/c/rewind", b"")
    assert b"edited" in (await deck.chat(at=at)).body
    assert b"edited" in (await deck.chat(at=at, stream=True)).body


async def test_the_cache_answers_under_max_age_where_the_cassette_is_too_old(start: Start) -> None:
    await (await start(mode="record", cassette="c")).chat()
    path = start.folder / "cassettes" / "c.yaml"
    path.write_text(re.sub(r'recorded: "\d{4}', 'recorded: "2020', path.read_text()))
    deck = await start(mode="cache", cassette="c")
    young = {"headers": {"Cache_Control": "max-age=600"}}
    asked = await deck.chat(**young)
    assert "fwd=request; stored" in asked.cache_status
    again = await deck.chat(**young)
    assert "hit" in again.cache_status
    assert again.body == asked.body

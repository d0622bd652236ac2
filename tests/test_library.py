"""From a configuration to decks: what each mode plays, and which decks are kept."""

import asyncio
import gc
import re
from pathlib import Path

import orjson
import pytest

from promptdeck.core.interaction import CHAT_COMPLETIONS, Request
from promptdeck.engine.asking import Canonicals
from promptdeck.engine.decks.conversions import Conversions
from promptdeck.engine.decks.deck import Deck as LibraryDeck
from promptdeck.engine.exchange import Exchange
from promptdeck.engine.incoming import Incoming
from promptdeck.engine.outcome import Served
from promptdeck.library import Library
from promptdeck.sessions import Session
from tests.conftest import Got, Start
from tests.scripted_upstream import chunks, completion, plain, raw, stream
from tests.stores.cassettes import meant

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
    meant(path, "content: answer 1", "content: edited")
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


def alive(kind: type) -> int:
    """How many objects of a class there are."""
    gc.collect()
    return sum(type(one) is kind for one in gc.get_objects())


@pytest.mark.parametrize("mode", ["replay", "cache"])
async def test_decks_for_names_that_are_only_asked_for_do_not_pile_up(
    start: Start, mode: str
) -> None:
    deck = await start(mode=mode)
    before = alive(LibraryDeck)
    for number in range(60):
        await deck.request("GET", f"/_deck/cassettes/n{number}/report")
    assert alive(LibraryDeck) - before <= 32


async def test_a_miss_without_a_cassette_is_in_the_report(start: Start) -> None:
    deck = await start(mode="replay")
    await deck.chat(at="/cassette/none")
    for number in range(20):
        await deck.request("GET", f"/_deck/cassettes/n{number}/report")
    report = (await deck.request("GET", "/_deck/cassettes/none/report")).json
    assert len(report["missed"]) == 1


@pytest.mark.parametrize("mode", ["record", "record-missing"])
async def test_what_is_recorded_under_a_new_name_keeps_its_deck(start: Start, mode: str) -> None:
    deck = await start(mode=mode)
    await deck.chat(at="/cassette/new")
    for number in range(100):
        await deck.request("GET", f"/_deck/cassettes/n{number}/report")
    await deck.chat(at="/cassette/new")
    report = (await deck.request("GET", "/_deck/cassettes/new/report")).json
    # In mode record the second is another one, beside the first.
    assert len(report["recorded"]) == (2 if mode == "record" else 1)
    assert (start.folder / "cassettes" / "new.yaml").read_text().count("- id:") == len(
        report["recorded"]
    )


async def test_a_deck_that_is_in_use_is_not_made_twice(start: Start) -> None:
    deck = await start(mode="record")
    gate = asyncio.Event()
    deck.upstream.answers = [stream(chunks("slowly"), gate=gate), plain("second")]
    loop = asyncio.get_running_loop()
    first = loop.create_task(deck.chat(at="/cassette/new", stream=True))
    while not deck.upstream.seen:
        await asyncio.sleep(0.005)
    for number in range(100):
        async with deck.session.get(f"{deck.server.root}/_deck/cassettes/n{number}/report"):
            pass
    gate.set()
    await first
    await deck.chat(at="/cassette/new", stream=True)
    report = (await deck.request("GET", "/_deck/cassettes/new/report")).json
    assert len(report["recorded"]) == 2


@pytest.mark.long
async def test_closed_sessions_free_all_that_they_held(start: Start) -> None:
    recording = await start(mode="record", cassette="c")
    await recording.chat("q")
    server = (await start(mode="replay")).server
    kinds = (LibraryDeck, Library, Exchange, Session, Conversions, Canonicals)

    async def one_session(**wants: object) -> None:
        session = await server.sessions.open({"cassette": "c", **wants})
        answer = await session.exchange.answer(Incoming(asked("q"), ()), session.deck)
        assert isinstance(answer, Served)
        await server.sessions.close(session.id, keep=False)

    await one_session(hold=True)
    await one_session(hold=False)
    before = [alive(kind) for kind in kinds]
    gc.collect()
    objects = len(gc.get_objects())
    for number in range(300):
        await one_session(hold=number % 30 == 0)
    assert [alive(kind) for kind in kinds] == before
    # Hardly more than what the store and the interpreter keep for themselves: not one a session.
    assert len(gc.get_objects()) - objects < 300
    assert server.counts().hits == 302


def asked(prompt: str) -> Request:
    """The request that `chat` makes of a prompt, streamed: of what is recorded as JSON."""
    value = {"model": "m", "messages": [{"role": "user", "content": prompt}], "stream": True}
    return Request("POST", CHAT_COMPLETIONS, "application/json", orjson.dumps(value))


@pytest.mark.parametrize("mode", ["record-missing", "replay"])
async def test_a_link_that_leads_out_of_the_folder_is_refused_by_name(
    start: Start, tmp_path: Path, mode: str
) -> None:
    folder, out = tmp_path / "cassettes", tmp_path / "out"
    folder.mkdir()
    out.mkdir()
    (folder / "dir").symlink_to(out)
    (folder / "file.yaml").symlink_to(out / "file.yaml")
    (folder / "inner").mkdir()
    (folder / "near").symlink_to(folder / "inner")
    deck = await start(mode=mode)
    for name in ("dir/deep", "file", "near/../dir/x"):
        got = await deck.chat(at=f"/cassette/{name}")
        assert (got.status, got.json["code"]) in ((400, "bad_name"), (404, "not_found"))
        opened = await deck.request("POST", "/_deck/sessions", b'{"cassette":"%b"}' % name.encode())
        assert opened.status == 400
    assert list(out.iterdir()) == []
    if mode == "record-missing":
        assert (await deck.chat(at="/cassette/near/x")).status == 200
        assert (folder / "inner" / "x.yaml").exists()

"""Sessions: a cassette, a mode and rules of one's own, side by side on one server."""

import asyncio
from typing import Any

import orjson
import pytest

from tests.conftest import Deck, Got, Start
from tests.scripted_upstream import chunks, plain, stream, upstream


async def opened(deck: Deck, **wants: Any) -> dict[str, str]:
    got = await deck.request("POST", "/_deck/sessions", orjson.dumps(wants))
    assert got.status == 201, got.json
    told: dict[str, str] = got.json
    return told


async def closed(deck: Deck, session: dict[str, str], query: str = "") -> Got:
    return await deck.request("DELETE", f"/_deck/sessions/{session['id']}{query}")


def at(session: dict[str, str]) -> str:
    return "/session/" + session["id"]


async def test_two_sessions_on_one_cassette_have_counters_of_their_own(start: Start) -> None:
    recording = await start(mode="record", cassette="c")
    recorded = [(await recording.chat()).body for _ in range(2)]
    deck = await start(mode="replay")
    one, two = await opened(deck, cassette="c"), await opened(deck, cassette="c")
    assert one["base_url"] == f"{deck.server.root}/session/{one['id']}/v1"
    assert (await deck.chat(at=at(one))).body == recorded[0]
    assert (await deck.chat(at=at(one))).body == recorded[1]
    assert (await deck.chat(at=at(two))).body == recorded[0]
    report = (await closed(deck, two)).json
    assert (report["hits"], len(report["unplayed"]), report["mode"]) == (1, 1, "replay")
    assert deck.server.counts().hits == 3


async def test_a_session_has_rules_and_a_mode_of_its_own(start: Start) -> None:
    deck = await start(mode="cache")
    session = await opened(
        deck, cassette="c", mode="record", match={"ignore": ["$.seed"], "replace": ["uuid"]}
    )
    await deck.chat(at=at(session), seed=1)
    report = (await closed(deck, session)).json
    assert (report["recorded"], report["upstream_calls"]) == (1, 1)
    replaying = await opened(deck, cassette="c", mode="replay", match={"ignore": ["$.seed"]})
    assert "hit" in (await deck.chat(at=at(replaying), seed=2)).cache_status
    strict = await opened(deck, cassette="c", mode="replay")
    assert (await deck.chat(at=at(strict), seed=2)).status == 400


async def test_closing_fails_on_misses_and_leftovers_where_it_is_asked_to(start: Start) -> None:
    await (await start(mode="record", cassette="c")).chat("known")
    deck = await start(mode="replay")
    lenient = await opened(deck, cassette="c")
    await deck.chat("new", at=at(lenient))
    assert (await closed(deck, lenient)).status == 200
    strict = await opened(deck, cassette="c")
    await deck.chat("new", at=at(strict))
    got = await closed(deck, strict, "?fail_on=miss,unused")
    assert (got.status, got.json["code"]) == (409, "session_failed")
    assert "1 requests had no recording" in got.json["message"]
    assert "1 recordings were not used" in got.json["message"]
    assert got.json["details"]["missed"][0]["differences"][0]["asked"] == "new"


async def test_what_is_held_is_kept_or_dropped_when_the_session_closes(start: Start) -> None:
    deck = await start(mode="record-missing")
    path = start.folder / "cassettes" / "t" / "case.yaml"
    dropped = await opened(deck, cassette="t/case", hold=True)
    first = await deck.chat(at=at(dropped))
    assert (await deck.chat(at=at(dropped))).body == first.body
    assert not path.exists()
    await closed(deck, dropped, "?keep=false")
    assert not path.exists()
    kept = await opened(deck, cassette="t/case", hold=True)
    await deck.chat(at=at(kept))
    report = (await closed(deck, kept)).json
    assert path.exists()
    assert report["recorded_ids"][0] in path.read_text()


async def test_closing_waits_for_the_recording_under_way(start: Start) -> None:
    deck = await start(mode="record")
    session = await opened(deck, cassette="c")
    url = f"{deck.server.root}{at(session)}/v1/chat/completions"
    async with deck.session.post(url, json={"model": "m", "stream": True}) as response:
        await response.read()
    assert len((await closed(deck, session)).json["recorded_ids"]) == 1


async def test_draws_record_so_many_answers_and_replay_them_in_turn(start: Start) -> None:
    deck = await start(mode="cache")
    session = await opened(deck, cassette="c", mode="record-missing", draws=3)
    drawn = [(await deck.chat(at=at(session))).body for _ in range(4)]
    assert len(set(drawn[:3])) == 3
    assert drawn[3] == drawn[2]
    await closed(deck, session)
    replaying = await opened(deck, cassette="c", mode="replay")
    assert [(await deck.chat(at=at(replaying))).body for _ in range(4)] == drawn
    more = await opened(deck, cassette="c", mode="record-missing", draws=4)
    again = [(await deck.chat(at=at(more))).body for _ in range(4)]
    assert again[:3] == drawn[:3]
    assert len(deck.upstream.seen) == 4


async def test_concurrent_draws_do_not_share_an_answer(start: Start) -> None:
    deck = await start(mode="record-missing", cassette="c", draws=4)
    answers = await asyncio.gather(*(deck.chat() for _ in range(4)))
    assert len({answer.body for answer in answers}) == 4


async def test_a_closed_or_unknown_session_is_404(start: Start) -> None:
    deck = await start(mode="replay")
    session = await opened(deck)
    await closed(deck, session)
    for got in (await deck.chat(at=at(session)), await closed(deck, session)):
        assert (got.status, got.json["code"]) == (404, "no_session")


async def test_an_idle_session_expires(start: Start) -> None:
    deck = await start(mode="replay")
    session = await opened(deck, expires="20ms")
    await asyncio.sleep(0.05)
    assert (await deck.chat(at=at(session))).json["code"] == "no_session"


@pytest.mark.parametrize(
    ("wants", "param"),
    [
        ({"mode": "recrod"}, "mode"),
        ({"mode": "record"}, "mode"),
        ({"cassette": "../x"}, "cassette"),
        ({"match": {"ignore": ["x"]}}, "ignore"),
        ({"match": []}, "match"),
        ({"match": {"mode": "replay"}}, "match.mode"),
        ({"match": {"cassette": "c"}}, "match.cassette"),
        ({"match": {"ignore": [], "hold": True}}, "match.hold"),
        ({"match": {"match": {}}}, "match.match"),
        ({"expires": "abc"}, "expires"),
        ({"expires": []}, "expires"),
        ({"hold": "yes"}, "hold"),
        ({"cassete": "c"}, "cassete"),
    ],
)
async def test_what_is_wrong_with_a_session_is_named(
    start: Start, wants: dict[str, Any], param: str
) -> None:
    deck = await start(mode="replay")
    got = await deck.request("POST", "/_deck/sessions", orjson.dumps(wants))
    assert (got.status, got.json["param"]) == (400, param)


@pytest.mark.parametrize("body", [b"[1]", b"{"])
async def test_a_body_that_is_no_object_is_400(start: Start, body: bytes) -> None:
    deck = await start(mode="replay")
    assert (await deck.request("POST", "/_deck/sessions", body)).status == 400
    assert (await deck.request("DELETE", "/_deck/sessions/x?fail_on=y")).json["param"] == "fail_on"


async def test_a_request_says_itself_how_many_draws_it_wants(start: Start) -> None:
    deck = await start(mode="record-missing", cassette="c")
    wish = {"X-Promptdeck-Draws": "3"}
    drawn = [(await deck.chat(headers=wish)).body for _ in range(4)]
    assert len(set(drawn[:3])) == 3
    assert drawn[3] == drawn[2]
    for seen in deck.upstream.seen:
        assert "X-Promptdeck-Draws" not in seen.headers
    replaying = await start(mode="replay", cassette="c")
    # What is no part of the request cannot make it miss, whatever it says by then.
    again = [(await replaying.chat(headers={"X-Promptdeck-Draws": "9"})).body for _ in range(3)]
    assert again == drawn[:3]


async def test_draws_asked_for_at_once_behind_a_session_do_not_share_an_answer(
    start: Start,
) -> None:
    deck = await start(mode="cache")
    session = await opened(deck, cassette="c", mode="record-missing")
    asks = (deck.chat(at=at(session), headers={"X-Promptdeck-Draws": "4"}) for _ in range(4))
    assert len({answer.body for answer in await asyncio.gather(*asks)}) == 4
    assert len((await closed(deck, session)).json["recorded_ids"]) == 4


@pytest.mark.parametrize("wish", ["0", "1001", "-1", "three", "1.5", "", "²", "9" * 5000])
async def test_draws_that_are_no_number_in_bounds_are_refused(start: Start, wish: str) -> None:
    deck = await start(mode="record-missing", cassette="c")
    got = await deck.chat(headers={"X-Promptdeck-Draws": wish})
    assert (got.status, got.json["code"], got.json["param"]) == (
        400,
        "bad_draws",
        "X-Promptdeck-Draws",
    )
    assert "must be a number from 1 to 1000" in got.json["message"]
    assert deck.upstream.seen == []


async def test_of_two_closings_at_once_one_finds_nothing_to_close(start: Start) -> None:
    deck = await start(mode="record")
    session = await opened(deck, cassette="c")
    gate = asyncio.Event()
    deck.upstream.answers = [stream(chunks("a b"), gate=gate)]
    asking = asyncio.ensure_future(deck.chat(at=at(session), stream=True))  # noqa: TID251
    while not deck.upstream.seen:
        await asyncio.sleep(0.001)
    both = asyncio.gather(closed(deck, session), closed(deck, session))
    # Both wait for the answer that is coming by the time a third request is answered.
    await deck.session.get(f"{deck.server.root}/health")
    gate.set()
    assert sorted(got.status for got in await both) == [200, 404]
    await asking


async def test_a_session_has_presets_of_its_own(start: Start) -> None:
    deck = await start(mode="record-missing")
    session = await opened(deck, match={"preset": ["agent"]}, cassette="run")
    for cwd in ("/home/ann/proj", "/srv/bob"):
        await deck.chat(f"Working directory: {cwd}\n", at=f"/session/{session['id']}")
    assert len(deck.upstream.seen) == 1
    got = await deck.request("POST", "/_deck/sessions", b'{"match": {"preset": ["cursor"]}}')
    assert got.status == 400
    assert b"no preset 'cursor'" in got.body


async def test_a_session_in_cache_mode_tells_providers_apart(start: Start) -> None:
    async with upstream() as other:
        other.answers = [plain("the other's")]
        named = {"PROMPTDECK_UPSTREAM_PROVIDERS": f"[{{name: local, url: {other.url}}}]"}
        deck = await start(named, mode="cache")
        session = await opened(deck)
        for _ in range(2):
            mine = await deck.chat(at=at(session))
            theirs = await deck.chat(at=at(session), headers={"X-Provider": "local"})
            assert mine.json["choices"][0]["message"]["content"] == "answer 1"
            assert theirs.json["choices"][0]["message"]["content"] == "the other's"
        assert (len(deck.upstream.seen), len(other.seen)) == (1, 1)

"""What the fast path remembers belongs to a lane, goes with it, and is bounded by bytes."""

import asyncio
import gc
import logging
from collections import Counter
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.counts import Counts
from promptdeck.engine.asking import Canonicals
from promptdeck.engine.decks.deck import Deck as PlayedDeck
from promptdeck.engine.exchange import Exchange
from promptdeck.server.fast import lanes as fast_lanes
from promptdeck.server.fast.heads import KnownHead
from promptdeck.server.fast.hitlog import HitLine, HitLog
from promptdeck.server.fast.lanes import Behind, Lane, Lanes
from promptdeck.server.fast.memo import Memo, Room
from promptdeck.server.fast.ready import Ready
from tests.conftest import Deck, Start
from tests.raw_client import CHAT, Talk, talking

# Its last head, whose lane is empty by then.
HELD_BY_A_CONNECTION = Counter(KnownHead=1, Lane=1, Memo=1)
OWNED = (Canonicals, Exchange, KnownHead, Lane, Memo, PlayedDeck, Ready)


def alive() -> Counter[str]:
    gc.collect()
    return Counter(type(it).__name__ for it in gc.get_objects() if isinstance(it, OWNED))


def body(prompt: str, **more: Any) -> bytes:
    return orjson.dumps({"model": "m", "messages": [{"role": "user", "content": prompt}], **more})


async def opened(deck: Deck, **wants: Any) -> str:
    return str((await deck.request("POST", "/_deck/sessions", orjson.dumps(wants))).json["id"])


async def use(talk: Talk, session: str, *bodies: bytes) -> list[str]:
    statuses = []
    for data in bodies:
        talk.ask(data, target=f"/session/{session}{CHAT}")
        statuses.append((await talk.answer()).status)
    return statuses


# Ownership


@pytest.mark.long
async def test_a_closed_session_leaves_nothing_behind(start: Start) -> None:
    recording = await start(mode="record", cassette="c")
    await recording.chat("once")
    deck = await start(mode="replay")
    async with talking(deck.server) as talk, talking(deck.server) as other:
        left_open = await opened(deck, cassette="c")
        asks = [body("once"), body("once"), body("once", user="me"), body("once", user="you")]
        await use(other, left_open, *asks)
        before = alive()
        assert before["Ready"] > 0
        sessions = [await opened(deck, cassette="c") for _ in range(20)]
        for session in sessions:
            assert await use(talk, session, *asks) == ["HTTP/1.1 200 OK"] * 4
        assert alive()["Lane"] == before["Lane"] + 20
        for session in sessions:
            await deck.request("DELETE", f"/_deck/sessions/{session}")
        assert alive() - HELD_BY_A_CONNECTION == before
        assert await use(talk, sessions[-1], *asks) == ["HTTP/1.1 404 Not Found"] * 4
        assert await use(other, left_open, *asks) == ["HTTP/1.1 200 OK"] * 4
        # Or less: a head may go whose connection has come to another.
        assert alive() - HELD_BY_A_CONNECTION <= before


@pytest.mark.long
async def test_a_session_that_is_dropped_leaves_nothing_behind(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = await start(mode="record", cassette="c")
    await recording.chat("once")
    deck = await start(mode="replay")
    before = alive()
    async with talking(deck.server) as talk:
        session = await opened(deck, cassette="c", expires="1h")
        await use(talk, session, body("once"), body("once"))
        now = deck.server.sessions.get(session).used_at
        monkeypatch.setattr("time.monotonic", lambda: now + 3601)
        await opened(deck, cassette="c")
        left = alive()
        assert left["Deck"] == before["Deck"] + 1
        assert left["Ready"] == before["Ready"]
        assert left["Lane"] == before["Lane"] + HELD_BY_A_CONNECTION["Lane"]


async def test_hits_keep_a_session_in_use_and_one_that_was_idle_has_none(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = await start(mode="record", cassette="c")
    await recording.chat("once")
    deck = await start(mode="replay")
    async with talking(deck.server) as talk:
        session = await opened(deck, cassette="c", expires="1h")
        await use(talk, session, body("once"), body("once"))
        now = deck.server.sessions.get(session).used_at
        for hours in (0.9, 1.8, 2.7):
            moment = now + 3600 * hours
            monkeypatch.setattr("time.monotonic", lambda moment=moment: moment)
            assert await use(talk, session, body("once")) == ["HTTP/1.1 200 OK"]
        monkeypatch.setattr("time.monotonic", lambda: now + 3600 * 3.8)
        assert await use(talk, session, body("once")) == ["HTTP/1.1 404 Not Found"]


async def test_a_lane_is_made_once_for_a_deck_and_once_for_a_session(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = await start(mode="record", cassette="c")
    await recording.chat("once")
    deck = await start(mode="replay", cassette="c")
    made: list[Lane] = []

    class Counted(Lane):
        __slots__ = ()

        def __init__(self, *given: Any) -> None:
            made.append(self)
            super().__init__(*given)

    monkeypatch.setattr(fast_lanes, "Lane", Counted)
    session = await opened(deck, cassette="c")
    async with talking(deck.server) as talk:
        for number in range(20):
            for prefix in ("", "/cassette/c", f"/session/{session}"):
                # A head of its own each, and what is not recorded goes the ordinary way.
                headers = f"X-Number: {number}\r\n"
                talk.ask(body("once" * (1 + number % 3)), target=prefix + CHAT, headers=headers)
                await talk.answer()
    assert len(made) == 2


def behind(deck: Any = None, *, in_use: Any = None) -> Behind:
    nobody: Any = object()
    return Behind(nobody, deck or nobody, nobody, in_use)


async def lanes() -> Lanes:
    return Lanes(HitLog(asyncio.get_running_loop()))


async def test_what_comes_late_finds_no_lane_of_a_session_that_is_closed() -> None:
    some = await lanes()
    lane = some.of_session("s", behind(in_use=lambda: True))
    assert lane
    some.close_session("s")
    some.close_session("s")
    counts = Counts("POST", CHAT, "")
    head = KnownHead(counts, counts, 1, 2, b"", (), (), lane)
    lane.remember(head, b"{}", ready(10))
    assert lane.answer(head, b"") is lane.answer_otherwise(head, b"", b"{}") is None
    assert some.of_session("s", behind(in_use=lambda: False)) is None
    assert some.room.taken == 0


async def test_a_deck_made_anew_has_a_lane_of_its_own() -> None:
    class Named:
        name = "c"

    some = await lanes()
    old, new = Named(), Named()
    nobody: Any = object()
    first = some.of_deck(Behind(nobody, old, nobody))  # type: ignore[arg-type]
    assert some.of_deck(Behind(nobody, old, nobody)) is first  # type: ignore[arg-type]
    assert some.of_deck(Behind(nobody, new, nobody)) is not first  # type: ignore[arg-type]
    assert not first.is_for(Behind(nobody, old, nobody))  # type: ignore[arg-type]


# Bounds


class Repeated:
    """Stands for what makes an answer good."""

    names = ()
    size = 0


def ready(size: int) -> Ready:
    repeat: Any = Repeated()
    return Ready(repeat, "200 OK", {}, b"x" * size)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6000), st.integers(0, 4)), max_size=40))
def test_all_memos_together_take_no_more_than_their_room(puts: list[tuple[int, int, int]]) -> None:
    room = Room(20_000)
    memos = [Memo(room) for _ in range(5)]
    for number, (which, size, names) in enumerate(puts):
        memo = memos[which]
        memo.put(ready(size), [number, *((number, name) for name in range(names))])
        assert memo.get(number), "what was put last is about to be used"
        assert sum(memo.bytes for memo in memos) == room.taken <= room.most_bytes
    for memo in memos:
        memo.close()
    assert room.taken == 0
    assert not room._weights


def test_names_of_one_answer_take_room_from_others() -> None:
    room = Room(100_000)
    one, other = Memo(room), Memo(room)
    one.put(ready(10_000), ["first"])
    other.put(ready(10_000), ["second", "another name"])
    for number in range(1000):
        assert other.find([number, "second"])
    assert one.get("first") is None
    # No more than one answer and its names are left: these are bounded by themselves.
    other.settle()
    assert room.taken == other.bytes


async def test_hits_that_are_yet_to_be_logged_are_bounded(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "promptdeck")
    hits = HitLog(asyncio.get_running_loop(), most_bytes=20_000)
    for number in range(100):
        line = HitLine("200 x")
        for _ in range(1 + number % 2):
            hits.note(Counts("GET", f"/{'x' * 1000}?{number}", ""), line)
        assert sum(len(counts.target) for counts, _ in hits._unlogged) < 25_000
    hits.write()
    assert len(caplog.messages) == 100
    assert sum(message.endswith(" 2 times") for message in caplog.messages) == 50

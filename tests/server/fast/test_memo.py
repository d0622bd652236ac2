"""Memory returns to its bound, whatever clients ask: with small bounds, few requests show it.

`make conformance` shows the same with the real bounds (`tests/conformance/memory.py`).
"""

import tracemalloc
from collections.abc import AsyncIterator, Iterator
from functools import partial

import pytest

from promptdeck import app
from promptdeck.engine import asking, idempotency
from promptdeck.server.fast import memo
from promptdeck.server.fast.heads import Heads
from promptdeck.server.fast.lanes import Lanes
from promptdeck.server.fast.memo import Room
from tests.conftest import Deck, Start
from tests.raw_client import Talk, talking
from tests.traffic import PROMPTS, ask, session, taken

ROOM = 100_000
NAMES = 200
# A tenth of the requests brings one: all are used up before memory is looked at first.
KEYS = 50
# What is bounded elsewhere or grows by nothing but chance, such as tables of interned text.
SLACK = 250_000


@pytest.fixture
async def deck(start: Start, monkeypatch: pytest.MonkeyPatch) -> Deck:
    recording = await start(mode="record", cassette="c")
    for prompt in PROMPTS:
        await recording.chat(prompt)
    for place in (asking, memo):
        monkeypatch.setattr(place, "_MOST_NAMES", NAMES)
    monkeypatch.setattr(idempotency, "_MOST", KEYS)
    monkeypatch.setattr(asking, "_MEMO_BYTES", ROOM)
    monkeypatch.setattr(app, "Lanes", partial(Lanes, room=Room(ROOM), heads=Heads(ROOM)))
    return await start(mode="replay", cassette="c", log_level="warning")


@pytest.fixture
async def talk(deck: Deck) -> AsyncIterator[Talk]:
    async with talking(deck.server) as talk:
        yield talk


@pytest.fixture
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


@pytest.mark.long
@pytest.mark.usefixtures("traced")
async def test_varied_requests_take_no_more_the_more_there_are(talk: Talk) -> None:
    await ask(talk, 0, 1000)
    before = taken()
    await ask(talk, 1000, 2000)
    assert taken() - before < SLACK


@pytest.mark.long
@pytest.mark.usefixtures("traced")
async def test_sessions_take_nothing_once_they_are_closed(deck: Deck, talk: Talk) -> None:
    for number in range(10):
        await session(deck, talk, number * 10, 10)
    before = taken()
    for number in range(10, 60):
        await session(deck, talk, number * 10, 10)
    assert taken() - before < SLACK

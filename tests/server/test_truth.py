"""The file is the truth: an edit, a checkout or a removal counts for the next hit, in replay too.

Each is tried over every kind of deck, on the fast way and on the ordinary one, and seen 0.2 s
after it was made: nobody rewinds, misses or starts anew in between.
"""

import asyncio
import os
import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.conftest import Deck, Start
from tests.stores.cassettes import edited, meant

SEEN = 0.2
"""Seconds that an edit may take to be seen."""


async def recorded(start: Start, name: str) -> Path:
    """A cassette with one answer; its file."""
    await (await start(mode="record", cassette=name)).chat()
    return start.folder / "cassettes" / f"{name}.yaml"


def replaced(path: Path) -> None:
    """As git checks out another version, and most editors save: written beside it, renamed."""
    other = path.with_name("other")
    other.write_text(path.read_text())
    meant(other, "content: answer 1", "content: edited")
    other.replace(path)


def written_over(path: Path) -> None:
    """As some editors save: the same file, with as many bytes, in whatever time."""
    stat = path.stat()
    text = path.read_text()
    meant(path, "content: answer 1", "content: edited_1")
    accepted = path.read_text()
    path.write_text(text)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    path.write_text(accepted)


EDITS: dict[str, Callable[[Path], None]] = {"replaced": replaced, "written over": written_over}
DECKS = {
    "a cassette": ({}, "/cassette/b"),
    "the bare one": ({"cassette": "b"}, ""),
    "a folder": ({}, ""),
    "over the cache": ({"mode": "cache", "cassette": "b"}, ""),
}


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("kind", DECKS)
async def test_an_edit_is_seen_by_the_next_hit(
    start: Start, kind: str, edit: str, fast: bool
) -> None:
    path = await recorded(start, "b")
    flags, at = DECKS[kind]
    deck = await start(**{"mode": "replay", **flags}, fast=fast)
    for _ in range(3):
        assert b"answer 1" in (await deck.chat(at=at)).body
    EDITS[edit](path)
    await asyncio.sleep(SEEN)
    for _ in range(3):
        got = await deck.chat(at=at)
        assert b"edited" in got.body
        assert "hit" in got.cache_status


async def test_a_session_sees_an_edit_too(start: Start) -> None:
    path = await recorded(start, "b")
    deck = await start(mode="replay")
    for fields in (b'{"cassette": "b"}', b'{"cassette": "b", "hold": true}'):
        opened = await deck.request("POST", "/_deck/sessions", fields)
        at = "/session/" + opened.json["id"]
        before = (await deck.chat(at=at)).body
        old = "answer 1" if b"answer 1" in before else "edited"
        meant(path, f"content: {old}", f"content: {old} and edited")
        await asyncio.sleep(SEEN)
        assert (await deck.chat(at=at)).body != before


@pytest.mark.parametrize("kind", ["a cassette", "the bare one", "a folder"])
async def test_a_removal_is_seen_by_the_next_request_and_so_is_the_return(
    start: Start, kind: str
) -> None:
    path = await recorded(start, "b")
    flags, at = DECKS[kind]
    deck = await start(**{"mode": "replay", **flags})
    data = path.read_bytes()
    for _ in range(2):
        assert (await deck.chat(at=at)).status == 200
        path.unlink()
        await asyncio.sleep(SEEN)
        assert (await deck.chat(at=at)).json["error"]["code"] == "cassette_miss"
        path.write_bytes(data)


async def test_a_new_cassette_of_a_folder_is_seen_by_the_next_hit(start: Start) -> None:
    path = await recorded(start, "b/b")
    deck = await start(mode="replay")
    assert b"answer 1" in (await deck.chat()).body
    other = path.parent.parent / "c" / "c.yaml"
    other.parent.mkdir()
    other.write_text(path.read_text())
    meant(other, "content: answer 1", "content: edited")
    await asyncio.sleep(SEEN)
    # The second of the two that there are now: it has been asked for the second time.
    assert b"edited" in (await deck.chat()).body


@pytest.mark.parametrize("kind", DECKS)
async def test_an_edit_that_nobody_accepted_is_refused_by_name_until_it_is_undone(
    start: Start, kind: str
) -> None:
    path = await recorded(start, "b")
    flags, at = DECKS[kind]
    deck = await start(**{"mode": "replay", **flags})
    assert (await deck.chat(at=at)).status == 200
    text = path.read_text()
    edited(path, "content: answer 1", "content: edited")
    await asyncio.sleep(SEEN)
    for _ in range(2):
        got = await deck.chat(at=at)
        assert got.status == 500
        assert "the answer of" in got.json["error"]["message"]
        assert f"promptdeck cassette fix {path}" in got.json["error"]["message"]
    path.write_text(text)
    await asyncio.sleep(SEEN)
    assert b"answer 1" in (await deck.chat(at=at)).body


async def test_a_cassette_that_is_broken_does_not_stop_the_others_of_its_folder(
    start: Start,
) -> None:
    path = await recorded(start, "b")
    deck = await start(mode="replay")
    assert (await deck.chat()).status == 200
    path.with_name("a.yaml").write_text(path.read_text()[:200])
    await asyncio.sleep(SEEN)
    assert (await deck.chat()).status == 200
    missed = await deck.chat("nowhere")
    assert missed.status == 500
    assert "a.yaml:" in missed.json["error"]["message"]


async def test_a_file_that_is_only_touched_goes_on_being_played(start: Start) -> None:
    path = await recorded(start, "b")
    deck: Deck = await start(mode="replay")
    for _ in range(3):
        assert "hit" in (await deck.chat(at="/cassette/b")).cache_status
        path.touch()
        await asyncio.sleep(SEEN)
    report = (await deck.request("GET", "/_deck/cassettes/b/report")).json
    assert [*report["played"].values()] == [3]


# Damage to the index


def flipped(path: Path, seed: int, bits: int) -> None:
    """Flip some bits of a store's file, behind its header."""
    data = bytearray(path.read_bytes())
    chance = random.Random(seed)
    for _ in range(bits):
        data[chance.randrange(100, len(data))] ^= 1 << chance.randrange(8)
    path.write_bytes(data)


@pytest.mark.parametrize("at", ["/cassette/b", ""])
@pytest.mark.parametrize("seed", [2, 7, 10, 11, 25, 56])
async def test_damage_to_the_index_never_alters_an_answer(
    start: Start, tmp_path: Path, seed: int, at: str
) -> None:
    recorder = await start(mode="record", cassette="b")
    prompts = [f"{n} of many " * (1 + n % 7) for n in range(12)]
    for prompt in prompts:
        await recorder.chat(prompt)
    store = tmp_path / "index.db"
    deck = await start(mode="replay", store=store)
    answers = [(await deck.chat(prompt, at=at)).body for prompt in prompts]
    # As a copy of the file while nobody writes: what a disk or a cable damaged.
    copy = tmp_path / "damaged.db"
    with closing(sqlite3.connect(store)) as db:
        db.execute("VACUUM INTO ?", (str(copy),))
    flipped(copy, seed, 3 + seed * 3)
    damaged = await start(mode="replay", store=copy)
    got = [await damaged.chat(prompt, at=at) for prompt in prompts]
    assert [one.status for one in got] == [200] * len(prompts)
    assert [one.body for one in got] == answers


async def test_a_damaged_row_of_the_index_is_made_anew_from_the_file(
    start: Start, tmp_path: Path
) -> None:
    await (await start(mode="record", cassette="b")).chat()
    store = tmp_path / "index.db"
    await (await start(mode="replay", store=store)).chat()
    with closing(sqlite3.connect(store)) as db:
        db.execute(
            "UPDATE recording SET body = CAST(replace(body, 'answer 1', 'answer 7') AS BLOB)"
        )
        db.commit()
    deck = await start(mode="replay", store=store)
    assert b"answer 1" in (await deck.chat()).body

"""A miss over many recordings reads few of them, and none on the loop's connection."""

import sqlite3

import pytest

from promptdeck.errors import StoreUnavailable
from promptdeck.stores.sqlite.pieces import Pieces
from promptdeck.stores.sqlite.tape import Tape, cache_tape
from tests.recordings import conversation, interaction, opened, stored

MANY = 150


@pytest.fixture
def read(monkeypatch):
    """The numbers of the recordings that were read whole."""
    numbers = []
    canonical = Pieces.canonical
    monkeypatch.setattr(
        Pieces, "canonical", lambda self, n: numbers.append(n) or canonical(self, n)
    )
    return numbers


async def tape_of_many(database):
    rows = [stored(conversation(n)) for n in range(MANY)]
    return Tape(database, (await database.index("x", "", rows),))


@pytest.mark.parametrize("packed", [False, True])
async def test_only_the_best_are_read(database, read, packed):
    tape = await tape_of_many(database)
    if packed:
        await database.pack()
    asked = stored(conversation(77))[1].canonical
    read.clear()
    found = await tape.nearest(asked, 10)
    assert len(read) == len(found) == 10
    assert found[0][1] == asked
    read.clear()
    assert await tape.models() == {"m"}
    assert read == []


async def test_the_loops_connection_is_not_used(database, monkeypatch):
    tape = await tape_of_many(database)

    def no_query(*_):
        raise AssertionError("read on the loop")

    monkeypatch.setattr(database, "query", no_query)
    assert len(await tape.nearest(b"POST /v1/chat/completions\n{}", 60)) == 60
    assert await tape.models() == {"m"}


async def test_what_left_an_index_is_not_found(database):
    tape = await tape_of_many(database)
    one = stored(conversation(77))[1]
    gone = [name for name, form in tape.canonicals() if form == one.canonical]
    assert await database.extend("x", "y", gone, [stored(interaction("new"))]) == tape.tapes[0]
    found = await tape.nearest(one.canonical, MANY)
    assert len(found) == MANY
    assert not set(gone) & {name for name, _ in found}
    with sqlite3.connect(database.path) as db:
        assert db.execute("SELECT count(*) FROM sketch").fetchone() == (MANY,)


async def test_recordings_without_a_sketch_are_found_too(database):
    cache = await cache_tape(database)
    for n in range(3):
        await cache.put(*stored(conversation(n)), replace=False)
    asked = stored(conversation(1))[1].canonical
    assert (await cache.nearest(asked, 1))[0][1] == asked
    assert await cache.models() == {"m"}


async def test_long_ones_are_fewer(database):
    rows = [stored(interaction(f"{n} " + "long " * 300_000)) for n in range(8)]
    tape = Tape(database, (await database.index("x", "", rows),))
    assert len(await tape.nearest(rows[0][1].canonical, 8)) == 3


async def test_a_damaged_file_is_told(path):
    async with opened(path) as database:
        tape = await tape_of_many(database)
        await database.execute("UPDATE sketch SET data = 'text'")
        with pytest.raises(StoreUnavailable, match="cannot read"):
            await tape.nearest(b"", 1)

"""What is written into tapes: statements within a transaction, on the writer's thread."""

import sqlite3
import time
from collections.abc import Iterable
from pathlib import Path

from promptdeck.core.interaction import Variant
from promptdeck.stores.base import Stored

from . import blobs
from .pieces import LEAVING, Leaving, drop
from .rows import FRESH_ROW_BYTES, INTO_RECORDING, OF_KEY, fresh_row
from .short import full_id, key_of, ordinal_of

_STATES_KEPT = 4
"""Indexes kept of each cassette file. On another branch, or under other rules, it has another
state; who goes back and forth between a few has them indexed, and old ones take no room."""


def tape_of(db: sqlite3.Connection, name: str, source: str) -> int:
    """The id of the tape `name`, made if there is none: of the file `source`, '' for the cache."""
    db.execute("INSERT OR IGNORE INTO tape (name, source) VALUES (?, ?)", (name, source))
    [tape] = db.execute("SELECT id FROM tape WHERE name = ?", (name,)).fetchone()
    return int(tape)


def named(db: sqlite3.Connection, name: str) -> int | None:
    """The id of the tape `name`; None if there is none."""
    for (tape,) in db.execute("SELECT id FROM tape WHERE name = ?", (name,)):
        return int(tape)
    return None


def size(rows: Iterable[tuple[str, Stored]]) -> int:
    """About how many bytes recordings bring, each with the fingerprint it goes under."""
    return sum(_weight(stored) for _, stored in rows)


def _weight(stored: Stored) -> int:
    request, response = stored.interaction.request, stored.interaction.response
    answer = sum([len(data) for _, data in response.frames])
    return len(stored.canonical) + len(request.body) + answer + FRESH_ROW_BYTES


def insert(db: sqlite3.Connection, tape: int, rows: Iterable[tuple[str, Stored]]) -> list[int]:
    """Append recordings, each with the fingerprint it goes under, to a tape, as fresh rows.

    Returns their numbers (`n`).
    """
    now = time.time()
    rows_of = (fresh_row(tape, key, stored, now) for key, stored in rows)
    return [blobs.insert(db, INTO_RECORDING, [*row]) for row in rows_of]


def forget(db: sqlite3.Connection, changed: Iterable[str]) -> None:
    """Drop all but the last states of cassette files, and every state of files that are gone."""
    old = "SELECT id FROM tape WHERE source = ? ORDER BY id DESC LIMIT -1 OFFSET ?"
    for source in changed:
        db.execute(f"DELETE FROM tape WHERE id IN ({old})", (source, _STATES_KEPT))
    sources = db.execute("SELECT DISTINCT source FROM tape WHERE source != ''").fetchall()
    gone = [(source,) for (source,) in sources if not Path(source).exists()]
    db.executemany("DELETE FROM tape WHERE source = ?", gone)


def remove(db: sqlite3.Connection, tape: int, gone: frozenset[str]) -> None:
    """Drop a tape's recordings whose ids are in `gone`.

    It reads all ids of the tape: an index by id would serve nothing but this.
    """
    fresh = db.execute("SELECT n, id FROM recording WHERE tape = ?", (tape,)).fetchall()
    lost = [(n,) for n, name in fresh if name in gone]
    db.executemany("DELETE FROM recording WHERE n = ?", lost)
    db.executemany("DELETE FROM sketch WHERE n = ?", lost)
    query = f"SELECT id, key, base_key, {LEAVING} FROM packed WHERE tape = ?"
    packed = db.execute(query, (tape,)).fetchall()
    leaving = [
        Leaving._make(columns)
        for short, key, base_key, *columns in packed
        if full_id(short, key, base_key) in gone
    ]
    drop(db, tape, leaving)
    db.executemany("DELETE FROM sketch WHERE n = ?", ((row.n,) for row in leaving))


def drop_variant(db: sqlite3.Connection, tape: int, key: str, variant: Variant) -> None:
    """Drop a tape's recordings of one fingerprint and variant."""
    # The plus keeps SQLite from the index by tape, which would read the whole cache.
    where = "WHERE +tape = ? AND key = ? AND variant = ?"
    db.execute(f"DELETE FROM recording {where}", (tape, key, variant))
    query = f"SELECT {LEAVING} FROM packed WHERE {OF_KEY} AND +tape = ?2 AND variant = ?3"
    packed = db.execute(query, (key_of(key), tape, variant)).fetchall()
    drop(db, tape, map(Leaving._make, packed))


def last_ordinal(db: sqlite3.Connection, tape: int, key: str) -> int:
    """The greatest number at the end of a tape's ids under a fingerprint; 0 if there are none."""
    query = (
        f"SELECT id FROM packed WHERE {OF_KEY} AND +tape = ?2"
        " UNION ALL SELECT id FROM recording WHERE key = ?3 AND +tape = ?2"
    )
    rows = db.execute(query, (key_of(key), tape, key))
    return max((ordinal_of(name) for (name,) in rows), default=0)

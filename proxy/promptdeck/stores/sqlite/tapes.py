"""What is written into tapes: statements within a transaction, on the writer's thread."""

import sqlite3
import time
from collections.abc import Iterable
from pathlib import Path

from promptdeck.core.interaction import Variant
from promptdeck.stores.base import Stored

from .pieces import drop
from .schema import INSERT, OF_KEY, full_id, key_of, ordinal_of, values_of

_STATES_KEPT = 4
"""Of each cassette file: on another branch, or under other rules, it has another."""


def tape_of(db: sqlite3.Connection, name: str, source: str) -> int:
    db.execute("INSERT OR IGNORE INTO tape (name, source) VALUES (?, ?)", (name, source))
    [tape] = db.execute("SELECT id FROM tape WHERE name = ?", (name,)).fetchone()
    return int(tape)


def named(db: sqlite3.Connection, name: str) -> int | None:
    found = db.execute("SELECT id FROM tape WHERE name = ?", (name,)).fetchone()
    return int(found[0]) if found else None


def size(rows: Iterable[tuple[str, Stored]]) -> int:
    """About how many bytes they bring."""
    return sum(_weight(stored) for _, stored in rows)


def _weight(stored: Stored) -> int:
    request, response = stored.interaction.request, stored.interaction.response
    answer = sum([len(data) for _, data in response.frames])
    return len(stored.canonical) + len(request.body) + answer + 500


def insert(db: sqlite3.Connection, tape: int, rows: Iterable[tuple[str, Stored]]) -> None:
    now = time.time()
    db.executemany(INSERT, (values_of(tape, key, stored, now) for key, stored in rows))


def forget(db: sqlite3.Connection, source: str) -> None:
    """Drop all but the last states of a cassette file, and every state of files that are gone."""
    old = "SELECT id FROM tape WHERE source = ? ORDER BY id DESC LIMIT -1 OFFSET ?"
    db.execute(f"DELETE FROM tape WHERE id IN ({old})", (source, _STATES_KEPT))
    sources = db.execute("SELECT DISTINCT source FROM tape WHERE source != ''").fetchall()
    gone = [row for row in sources if not Path(row[0]).exists()]
    db.executemany("DELETE FROM tape WHERE source = ?", gone)


def remove(db: sqlite3.Connection, tape: int, gone: frozenset[str]) -> None:
    """Drop recordings by id. There is no index by it, which would serve nothing but this."""
    fresh = db.execute("SELECT n, id FROM recording WHERE tape = ?", (tape,)).fetchall()
    lost = [(n,) for n, name in fresh if name in gone]
    db.executemany("DELETE FROM recording WHERE n = ?", lost)
    query = "SELECT n, bytes, pieces, id, key, base_key FROM packed WHERE tape = ?"
    rows = db.execute(query, (tape,)).fetchall()
    drop(db, tape, [row[:3] for row in rows if full_id(*row[3:]) in gone])


def drop_variant(db: sqlite3.Connection, tape: int, key: str, variant: Variant) -> None:
    # The plus keeps SQLite from the index by tape, which would read the whole cache.
    where = "WHERE +tape = ? AND key = ? AND variant = ?"
    db.execute(f"DELETE FROM recording {where}", (tape, key, variant))
    query = f"SELECT n, bytes, pieces FROM packed WHERE {OF_KEY} AND +tape = ?2 AND variant = ?3"
    drop(db, tape, db.execute(query, (key_of(key), tape, variant)).fetchall())


def last_ordinal(db: sqlite3.Connection, tape: int, key: str) -> int:
    query = (
        f"SELECT id FROM packed WHERE {OF_KEY} AND +tape = ?2"
        " UNION ALL SELECT id FROM recording WHERE key = ?3 AND +tape = ?2"
    )
    rows = db.execute(query, (key_of(key), tape, key))
    return max((ordinal_of(name) for (name,) in rows), default=0)

"""A store's file from outside, without a running server: what it holds, and emptied."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from promptdeck.errors import StoreUnavailable

from .migrations import connect, unusable
from .pieces import Pieces, numbers_of
from .tapes import named
from .writer import CACHE


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(connect(path)) as db:
        try:
            yield db
        except (sqlite3.Error, ValueError, TypeError, StoreUnavailable) as error:
            raise unusable(path, error) from error


_TABLES = ("recording", "packed")
_HAS = "(id IN (SELECT tape FROM recording) OR id IN (SELECT tape FROM packed))"


def _count(db: sqlite3.Connection, of: str) -> int:
    """Recordings of tapes whose name is so."""
    query = "SELECT count(*) FROM {} JOIN tape ON tape.id = tape WHERE name " + of
    return sum(db.execute(query.format(table), (CACHE,)).fetchone()[0] for table in _TABLES)


def statistics(path: Path) -> dict[str, int]:
    """How much a store's file holds, from outside a running server. StoreError."""
    if not path.exists():
        return dict.fromkeys(("answers", "bytes", "cassettes", "indexed"), 0)
    with _opened(path) as db:
        answers, indexed = _count(db, "= ?"), _count(db, "!= ?")
        query = f"SELECT count(DISTINCT source) FROM tape WHERE name != ? AND {_HAS}"
        [cassettes] = db.execute(query, (CACHE,)).fetchone()
        query = (
            "SELECT bytes + (SELECT coalesce(sum(bytes), 0) FROM recording WHERE tape = tape.id)"
            " FROM tape WHERE name = ?"
        )
        size = db.execute(query, (CACHE,)).fetchone()
    return {
        "answers": answers,
        "bytes": size[0] if size else 0,
        "cassettes": cassettes,
        "indexed": indexed,
    }


def clear(path: Path) -> int:
    """Empty a store's file; how many cached answers it held. StoreError."""
    if not path.exists():
        return 0
    with _opened(path) as db:
        db.execute("BEGIN IMMEDIATE")
        answers = _count(db, "= ?")
        for table in (*_TABLES, "piece", "dictionary", "completion", "slip"):
            db.execute(f"DELETE FROM {table}")
        db.execute("DELETE FROM tape WHERE name != ?", (CACHE,))
        db.execute("UPDATE tape SET bytes = 0")
        db.execute("COMMIT")
        db.execute("VACUUM")
    return answers


def cached(path: Path) -> list[tuple[str, bytes]]:
    """Id and canonical form of every cached answer of a store's file. StoreError."""
    if not path.exists():
        return []
    with _opened(path) as db:

        def query(query: str, *parameters: object) -> list[tuple[Any, ...]]:
            return db.execute(query, parameters).fetchall()

        db.execute("BEGIN")
        tape = named(db, CACHE)
        numbers = numbers_of(query, tape) if tape is not None else []
        return list(filter(None, map(Pieces(query).canonical, numbers)))

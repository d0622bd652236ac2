"""A store's file from outside, without a running server: what it holds, and emptied."""

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from promptdeck.errors import StoreUnavailable

from .migrations import connect, unusable
from .pieces import Pieces, numbers_of
from .tapes import named
from .writer import CACHE


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection until the block ends; what the file's damage raises in it is a StoreError."""
    with contextlib.closing(connect(path)) as db:
        try:
            yield db
        except (sqlite3.Error, ValueError, TypeError, StoreUnavailable) as error:
            raise unusable(path, error) from error


class _Filled(NamedTuple):
    """A tape with recordings."""

    name: str
    source: str
    recordings: int


def _filled(db: sqlite3.Connection) -> list[_Filled]:
    """All tapes that have recordings."""
    query = """
        SELECT name, source, sum(number) FROM tape JOIN (
            SELECT tape, count(*) AS number FROM recording GROUP BY tape
            UNION ALL SELECT tape, count(*) FROM packed GROUP BY tape
        ) ON tape.id = tape GROUP BY tape.id"""
    return [_Filled._make(columns) for columns in db.execute(query)]


_FILLED = "recording packed piece dictionary sketch completion slip handed".split()


def _answers(tapes: Iterable[_Filled]) -> int:
    """The number of recordings in the cache."""
    return sum(tape.recordings for tape in tapes if tape.name == CACHE)


def statistics(path: Path) -> dict[str, int]:
    """How much a store's file holds; all zero where there is none. StoreError.

    `answers` and `bytes` are the cache's; `cassettes` are the files of which it has an
    index, and `indexed` the recordings in all of these.
    """
    if not path.exists():
        return dict.fromkeys(("answers", "bytes", "cassettes", "indexed"), 0)
    # `bytes` of a tape counts what is packed of it.
    query = (
        "SELECT bytes + (SELECT coalesce(sum(bytes), 0) FROM recording WHERE tape = tape.id)"
        " FROM tape WHERE name = ?"
    )
    with _opened(path) as db:
        tapes = _filled(db)
        size = sum(weight for (weight,) in db.execute(query, (CACHE,)))
    indexes = [tape for tape in tapes if tape.name != CACHE]
    return {
        "answers": _answers(tapes),
        "bytes": size,
        "cassettes": len({tape.source for tape in indexes}),
        "indexed": sum(tape.recordings for tape in indexes),
    }


def clear(path: Path) -> int:
    """Empty a store's file and make it small; the number of cached answers that it held.

    The cache's tape stays, as a server that is running has its number. StoreError.
    """
    if not path.exists():
        return 0
    with _opened(path) as db:
        db.execute("BEGIN IMMEDIATE")
        answers = _answers(_filled(db))
        for table in (
            "recording",
            "packed",
            "piece",
            "dictionary",
            "sketch",
            "completion",
            "slip",
            "handed",
        ):
            db.execute(f"DELETE FROM {table}")
        db.execute("DELETE FROM tape WHERE name != ?", (CACHE,))
        db.execute("UPDATE tape SET bytes = 0")
        db.execute("COMMIT")
        db.execute("VACUUM")
    return answers


def cached(path: Path) -> list[tuple[str, bytes]]:
    """Id and canonical form of every cached answer of a store's file, oldest first. StoreError."""
    if not path.exists():
        return []
    with _opened(path) as db:

        def query(query: str, *parameters: object) -> list[tuple[Any, ...]]:
            return db.execute(query, parameters).fetchall()

        db.execute("BEGIN")  # all reads are of one moment
        tape = named(db, CACHE)
        numbers = numbers_of(query, tape) if tape is not None else []
        return list(filter(None, map(Pieces(query).canonical, numbers)))

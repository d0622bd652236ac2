"""What a miss asks of many recordings at once, read on a connection and a thread of its own.

The index of a cassette has a sketch of each recording; other recordings (those of the cache,
and of indexes made before there were sketches) are read to make theirs, which a person who
waits for the explanation of a miss may notice, and no other request does.
"""

import contextlib
import sqlite3
from collections.abc import Collection, Generator, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from promptdeck.stores.base import Stored

from .migrations import connect
from .pieces import Pieces

if TYPE_CHECKING:
    from promptdeck.core.misses.sketch import Sketch

_MOST_BYTES = 4 * 1024 * 1024
"""Canonical forms that a shortlist holds together. Those of one conversation may have 1 MB each,
which takes 25 ms to read and compare: four are compared with care, and 60 of a usual size."""
_LEAST = 3
"""As many are given whatever they weigh: an explanation shows the three nearest."""


def nearest(path: Path, tapes: Collection[int], asked: bytes, most: int) -> list[tuple[str, bytes]]:
    """Id and canonical form of the recordings of `tapes` most like the form `asked`.

    At most `most`, best first, by a rough measure. sqlite3.Error, ValueError or TypeError where
    the file is damaged, StoreError where it cannot be opened.
    """
    from promptdeck.core.misses.sketch import shortlist  # here and below: a start needs none of it

    with _reading(path) as (db, pieces):
        # Closed here: after an error it would end with its traceback, on any thread.
        with contextlib.closing(_sketches(db, pieces, tapes)) as drawn:
            numbers = shortlist(asked, drawn, most)
        found: list[tuple[str, bytes]] = []
        weight = 0
        for n in numbers:
            if recording := pieces.canonical(n):
                weight += len(recording[1])
                if weight > _MOST_BYTES and len(found) >= _LEAST:
                    break
                found.append(recording)
    return found


def models(path: Path, tapes: Collection[int]) -> set[str]:
    """The models that the recordings of `tapes` name. Errors as of `nearest`."""
    with _reading(path) as (db, pieces):
        query = f"SELECT DISTINCT model FROM sketch WHERE {_of(tapes)} AND model IS NOT NULL"
        known = {model for (model,) in db.execute(query)}
        more = {one.model for _, one in _unsketched(db, pieces, tapes)}
    return known | (more - {None})  # type: ignore[operator]  # what is left is text


def sketched(rows: Iterable[tuple[str, Stored]]) -> "list[Sketch]":
    """The sketch of each recording. Half a millisecond for 18 KB: to be called off the loop."""
    from promptdeck.core.misses.sketch import sketch

    return [sketch(stored.canonical) for _, stored in rows]


def save(db: sqlite3.Connection, tape: int, sketches: "Iterable[tuple[int, Sketch]]") -> None:
    """Keep sketches, each by the number of its recording, within a transaction."""
    # A number may have been another recording's, which went.
    query = "INSERT OR REPLACE INTO sketch (n, tape, model, data) VALUES (?, ?, ?, ?)"
    db.executemany(query, ((n, tape, one.model, one.data) for n, one in sketches))


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[tuple[sqlite3.Connection, Pieces]]:
    """A connection and the pieces on it, for a block in which all that is read is of one moment."""
    with contextlib.closing(connect(path)) as db:

        def query(query: str, *parameters: object) -> list[tuple[Any, ...]]:
            return db.execute(query, parameters).fetchall()

        db.execute("BEGIN")
        yield db, Pieces(query)


def _sketches(
    db: sqlite3.Connection, pieces: Pieces, tapes: Collection[int]
) -> Generator[tuple[int, bytes], None, None]:
    """The number of every recording and its sketch's data, few at a time in memory."""
    yield from db.execute(f"SELECT n, data FROM sketch WHERE {_of(tapes)} ORDER BY n")
    yield from ((n, one.data) for n, one in _unsketched(db, pieces, tapes))


def _unsketched(
    db: sqlite3.Connection, pieces: Pieces, tapes: Collection[int]
) -> "Iterator[tuple[int, Sketch]]":
    """The number and sketch of each recording of which none is kept: made here, from the form."""
    from promptdeck.core.misses.sketch import sketch

    rest = f"{_of(tapes)} AND n NOT IN (SELECT n FROM sketch)"
    query = f"SELECT n FROM packed WHERE {rest} UNION ALL SELECT n FROM recording WHERE {rest}"
    for (n,) in db.execute(f"{query} ORDER BY n").fetchall():
        if recording := pieces.canonical(n):
            yield n, sketch(recording[1])


def _of(tapes: Collection[int]) -> str:
    """A condition for rows of these tapes."""
    # Written out, as a statement takes fewer parameters than a folder may have cassettes.
    return f"tape IN ({', '.join(map(str, tapes))})"

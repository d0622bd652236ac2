"""What an older version kept in a cache and this one does not: dropped when it is opened.

0.1.0 cached every call. What is stateful (`Dialect.is_stateful`) is neither kept any more nor
ever served, and would only take room until it is the least recently used.
"""

import sqlite3
from contextlib import suppress
from typing import Any

import orjson

from promptdeck.core.dialects.table import dialect_of
from promptdeck.core.interaction import Request
from promptdeck.core.text.jsontext import Unfaithful, parse
from promptdeck.core.text.octets import from_json

from .pieces import LEAVING, Leaving, Pieces, drop
from .rows import SELECT_PACKED


def drop_stateful(db: sqlite3.Connection) -> int:
    """Drop the recordings of stateful calls from the cache; how many there were.

    Within a transaction. What is damaged stays, as it is found out when it is read. It takes
    some 60 us for each recording of the cache, once.
    """
    dropped = 0
    for (tape,) in db.execute("SELECT id FROM tape WHERE source = ''").fetchall():
        fresh = _fresh(db, tape)
        db.executemany("DELETE FROM recording WHERE n = ?", ((n,) for n in fresh))
        packed = _packed(db, tape)
        drop(db, tape, packed)
        dropped += len(fresh) + len(packed)
    return dropped


def _fresh(db: sqlite3.Connection, tape: int) -> list[int]:
    """The numbers of a tape's stateful recordings that are not packed."""
    found = []
    query = "SELECT n, request, request_body FROM recording WHERE tape = ?"
    for n, request, body in db.execute(query, (tape,)):
        with suppress(ValueError, TypeError):
            method, target, kind = (from_json(text) or "" for text in orjson.loads(request)[:3])
            if _is_stateful(Request(method, target, kind, body)):
                found.append(n)
    return found


def _packed(db: sqlite3.Connection, tape: int) -> list[Leaving]:
    """A tape's stateful recordings of those that are packed."""

    def query(query: str, *parameters: object) -> list[tuple[Any, ...]]:
        return db.execute(query, parameters).fetchall()

    pieces = Pieces(query)
    found = []
    for columns in db.execute(f"{SELECT_PACKED} WHERE tape = ?", (tape,)):
        with suppress(ValueError, TypeError):
            row = pieces.row(columns)
            if _is_stateful(row.stored.interaction.request):
                found.append(row.n)
    leaving = f"SELECT {LEAVING} FROM packed WHERE n = ?"
    return [Leaving._make(columns) for n in found for columns in db.execute(leaving, (n,))]


def _is_stateful(request: Request) -> bool:
    """True for a call whose answer hangs on more than its request, by its dialect."""
    try:
        body = parse(request.body)
    except Unfaithful:
        body = request.body
    return dialect_of(request.method, request.target).is_stateful(body)

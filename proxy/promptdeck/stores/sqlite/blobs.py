"""Large values of a row, written and read a part at a time.

SQLite copies a value that it is given, and copies it again into the row that it makes of it; one
that is read is copied once more. Of an answer of 16 MB that is three times its size. So a row with
such a value is inserted with zeros in its place, which are then written over where they lie.
"""

import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from promptdeck.heap import LARGE, give_back

_STEP = 256 * 1024
"""Bytes that are read at once."""


class Into(NamedTuple):
    """A table, and how a row of it is inserted."""

    table: str
    columns: Sequence[str]
    statement: str
    """An INSERT that names its parameters by their numbers: `?1` is the first of `columns`."""
    schema: str = "main"
    staged: bool = False
    """Whether values of it cannot be written over: SQLite refuses that for any column of a table
    with an index of an expression (sqlite3_blob_open). They are copied once more then."""


class LongBlob(tuple[bytes, ...]):
    """A value of a column as parts that are not joined."""

    __slots__ = ()

    @property
    def size(self) -> int:
        """Bytes of all parts."""
        return sum(map(len, self))


def blob_of(parts: Iterable[bytes]) -> bytes | LongBlob:
    """The value of a column that these parts make: one that is not large is joined."""
    found = LongBlob(parts)
    return found if found.size > LARGE else b"".join(found)


def joined(value: bytes | LongBlob) -> bytes:
    """The value of a column in one piece."""
    return b"".join(value) if isinstance(value, LongBlob) else value


def size_of(value: bytes | LongBlob) -> int:
    """How many bytes the value of a column has."""
    return value.size if isinstance(value, LongBlob) else len(value)


def insert(db: sqlite3.Connection, into: Into, row: list[Any]) -> int:
    """Insert a row, one of whose values may be `LongBlob`, in a transaction; returns its number.

    The list lets go of these as soon as SQLite has them.
    """
    place = next((n for n, value in enumerate(row) if isinstance(value, LongBlob)), None)
    if place is None:
        return int(db.execute(into.statement, row).lastrowid or 0)
    if into.staged:
        return _insert_staged(db, into, row, place)
    return _insert_zeros(db, into, row, place)


def _insert_zeros(db: sqlite3.Connection, into: Into, row: list[Any], place: int) -> int:
    """Insert a row with zeros for the value at a place, and then write over them."""
    apart: dict[str, Sequence[bytes]] = {}
    statement = into.statement
    for at, value in enumerate(row[place:], place):
        # SQLite leaves zeros out of what it copies as long as nothing but zeros follows.
        if isinstance(value, bytes | LongBlob):
            apart[into.columns[at]] = value if isinstance(value, LongBlob) else (value,)
            row[at] = size_of(value)
            statement = re.sub(rf"\?{at + 1}\b", f"zeroblob(?{at + 1})", statement)
    n = int(db.execute(statement, row).lastrowid or 0)
    for name, parts in apart.items():
        with db.blobopen(into.table, name, n, name=into.schema) as blob:
            for part in parts:
                blob.write(part)
    return n


_STAGE = Into("stage", ("value",), "INSERT INTO temp.stage (value) VALUES (?1)", "temp")


def _insert_staged(db: sqlite3.Connection, into: Into, row: list[Any], place: int) -> int:
    """Insert a row whose value at a place is put together in a table of its own before."""
    db.execute("CREATE TEMP TABLE stage (value BLOB)")
    value, row[place] = row[place], None
    _insert_zeros(db, _STAGE, [value], 0)
    del value
    give_back()  # its parts, of which glibc would keep the memory
    given = ", ".join("value" if n == place else f"?{n + 1}" for n in range(len(row)))
    statement = re.sub(r"VALUES .*", f"SELECT {given} FROM temp.stage", into.statement)
    n = int(db.execute(statement, row).lastrowid or 0)
    db.execute("DROP TABLE temp.stage")
    return n


def without(column: str) -> str:
    """An expression of SQL for a column, NULL where its value is large: `read` gives that one."""
    is_large = f"typeof({column}) = 'blob' AND length({column}) > {LARGE}"
    return f"CASE WHEN {is_large} THEN NULL ELSE {column} END"


def read(db: sqlite3.Connection, table: str, column: str, n: int) -> Iterator[bytes]:
    """The value of a column in row `n` of a table, a blob, in parts."""
    with db.blobopen(table, column, n, readonly=True) as blob:
        while part := blob.read(_STEP):
            yield part

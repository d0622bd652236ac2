"""One SQLite file: point reads on the caller's thread, writes grouped behind it.

A point read takes tens of microseconds, less than a change of threads, so that who asks
reads on the loop; what was found lately is at hand until somebody commits. Writes
go through a `Writer`, which has a connection and a thread of its own. Scans are
aiosqlite's, off the loop.
"""

import contextlib
import sqlite3
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

from promptdeck.errors import StoreUnavailable
from promptdeck.stores.base import Stored

from .migrations import connect
from .pieces import Pieces, names_of, numbers_of
from .rows import OF_KEY, SELECT, SELECT_PACKED, Row, key_of, row_of
from .tapes import forget, insert, named, remove, tape_of
from .wal import State, Watch
from .writer import Writer

_MEMORY = 64 * 1024 * 1024
"""Bytes of recently found recordings kept ready."""
_SCAN = 64
"""Rows read at once when all are read."""

_UNREADABLE = (sqlite3.Error, UnicodeDecodeError, ValueError, TypeError)


class Database:
    """One SQLite file. Use as an async context manager."""

    state: State
    """Equal answers: nobody committed anything to the file between, in whatever process.

    About 0.1 us where the file system has shared memory, 4 us where not.
    """

    def __init__(self, path: Path, max_bytes: int) -> None:
        self.path = path
        self._writer = Writer(path, max_bytes)
        self.submit, self.pack = self._writer.submit, self._writer.pack
        self.touch = self._writer.touch
        self._found: OrderedDict[str, list[Row]] = OrderedDict()
        self._found_bytes = 0
        self._found_at = b""
        self._pieces = Pieces(self.query)

    async def __aenter__(self) -> Self:
        self._watch = Watch(self.path)
        try:
            self._reader = connect(self.path)
        except BaseException:
            self._watch.close()
            raise
        self.state = self._watch.state(self._reader)
        self._writer.start(self._watch)
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            await self._writer.close()
        finally:
            self.state = bytes
            self._reader.close()
            self._watch.close()

    # Reading

    def find(self, key: str) -> Sequence[Row]:
        """Every recording under a fingerprint, of whatever tape, oldest first."""
        self._follow()
        if rows := self._found.get(key):
            self._found.move_to_end(key)
            return rows
        with self._reading():
            packed = self.query(f"{SELECT_PACKED} WHERE {OF_KEY} ORDER BY n", key_of(key))
            fresh = self.query(f"{SELECT} WHERE key = ? ORDER BY n", key)
            rows = [*map(self._pieces.row, packed), *map(row_of, fresh)]
        if rows:
            self._remember(key, rows)
        return rows

    def _follow(self) -> None:
        """Forget what was found before a commit that may have changed it."""
        if self.state() == self._found_at:
            return
        while change := self._writer.changes.pop(self._found_at, None):
            self._found_at = change.after
            for key in change.keys:
                self._forget(key)
        if (state := self.state()) != self._found_at:
            # By another process, or not told yet: it may be anything.
            self._found_at = state
            self._found.clear()
            self._found_bytes = 0
        self._pieces = Pieces(self.query)

    def _forget(self, key: str) -> None:
        self._found_bytes -= sum(row.weight for row in self._found.pop(key, ()))

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        """What is read within is of one moment. StoreUnavailable."""
        try:
            self._reader.execute("BEGIN")
            try:
                # The moment is that of the first statement; a commit may have come before it.
                self._reader.execute("SELECT 1 FROM tape LIMIT 1")
                if self.state() != self._found_at:
                    self._pieces = Pieces(self.query)
                yield
            finally:
                # It only reads; after damage there may be nothing to end.
                if self._reader.in_transaction:
                    self._reader.execute("ROLLBACK")
        except _UNREADABLE as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: Exception) -> StoreUnavailable:
        return StoreUnavailable(
            f"cannot read {self.path}: {error}; if it is damaged, remove it,"
            " or name another file with --store"
        )

    def query(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        """All rows of a query, at once. StoreUnavailable."""
        try:
            return self._reader.execute(query, parameters).fetchall()
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise self._unreadable(error) from error

    async def scan(self, query: str, *parameters: object) -> AsyncIterator[Sequence[Any]]:
        """The rows of a query that may have many, read off the loop, few at a time in memory.

        StoreUnavailable, perhaps after some rows.
        """
        # Late: most never scan.
        import aiosqlite

        try:
            async with (
                aiosqlite.connect(self.path) as db,
                db.execute(query, parameters) as cursor,
            ):
                async for row in cursor:
                    yield row
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise self._unreadable(error) from error

    def _remember(self, key: str, rows: list[Row]) -> None:
        self._found[key] = rows
        self._found_bytes += sum(row.weight for row in rows)
        while self._found_bytes > _MEMORY and self._found:
            self._forget(next(iter(self._found)))

    def canonicals(self, tape: int) -> Iterator[tuple[str, bytes]]:
        """Id and canonical form of a tape's recordings, oldest first; few at a time in memory."""
        numbers = numbers_of(self.query, tape)
        for start in range(0, len(numbers), _SCAN):
            yield from self._canonicals(numbers[start : start + _SCAN])

    def _canonicals(self, numbers: Sequence[int]) -> list[tuple[str, bytes]]:
        self._follow()
        with self._reading():
            return list(filter(None, map(self._pieces.canonical, numbers)))

    def names(self, tape: int) -> Iterator[str]:
        """The ids of a tape's recordings, oldest first."""
        return iter(names_of(self.query, tape))

    def tape_named(self, name: str) -> int | None:
        found = self.query("SELECT id FROM tape WHERE name = ?", name)
        return found[0][0] if found else None

    def has_tape(self, tape: int) -> bool:
        return bool(self.query("SELECT 1 FROM tape WHERE id = ?", tape))

    # Writing

    async def execute(self, statement: str, *parameters: object) -> None:
        """Run one statement in the next transaction. StoreUnavailable."""

        def job(db: sqlite3.Connection) -> None:
            db.execute(statement, parameters)

        await self.submit(job)

    async def index(self, name: str, source: str, rows: Sequence[tuple[str, Stored]]) -> int:
        """Make a tape of the recordings of a cassette file, unless another process has."""

        def job(db: sqlite3.Connection) -> int:
            found = named(db, name)
            if found is not None:
                return found
            tape = tape_of(db, name, source)
            insert(db, tape, rows)
            forget(db, source)
            return tape

        return int(await self.submit(job))

    async def extend(
        self, before: str, after: str, gone: Sequence[str], rows: Sequence[tuple[str, Stored]]
    ) -> int | None:
        """Follow a cassette file to its next state: `gone` ids left it, `rows` came.

        Returns the tape; None where the state before is not indexed.
        """

        def job(db: sqlite3.Connection) -> int | None:
            tape = named(db, before)
            done = named(db, after)
            if tape is None or done is not None:
                return done
            if gone:
                remove(db, tape, frozenset(gone))
            insert(db, tape, rows)
            db.execute("UPDATE tape SET name = ? WHERE id = ?", (after, tape))
            return tape

        found: int | None = await self.submit(job)
        return found

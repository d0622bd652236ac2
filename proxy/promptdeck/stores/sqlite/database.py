"""One SQLite file: point reads on the caller's thread, writes grouped behind it.

A point read takes tens of microseconds, less than a change of threads, so that who asks
reads on the loop; what was found lately is at hand until somebody commits. Writes
go through a `Writer`, which has a connection and a thread of its own. Scans are
aiosqlite's, off the loop.
"""

import asyncio
import contextlib
import logging
import sqlite3
import tempfile
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeVar

from promptdeck.errors import StoreError, StoreUnavailable
from promptdeck.stores.base import Stored

from .migrations import connect
from .pieces import Pieces, names_of, numbers_of
from .rows import IS_THERE, OF_KEY, SELECT, SELECT_PACKED, Row, row_of
from .short import key_of
from .sketches import models, nearest, save, sketched
from .tapes import forget, insert, named, remove, tape_of
from .wal import State, Watch
from .writer import Writer

log = logging.getLogger("promptdeck")

_MEMORY = 64 * 1024 * 1024
"""Bytes of recently found recordings kept ready: 10,000 chats of 5.6 KB, more than most projects
have. To find one again takes a microsecond or two, to read it 30 fresh and 120 packed."""
_SCAN = 64
"""Recordings read in one transaction when all are read: some milliseconds, as it is on the
loop, while one each would cost more in transactions than in reading."""

_UNREADABLE = (sqlite3.Error, UnicodeDecodeError, ValueError, TypeError)
"""What damage to a file comes out as: SQLite checks pages, we the texts and blobs in them."""


Told = TypeVar("Told")
"""Whatever is read."""


class Indexable(NamedTuple):
    """A cassette file in one state, to be indexed."""

    name: str
    """Of its tape: all that an index of it depends on."""
    source: str
    """The file."""
    rows: Sequence[tuple[str, Stored]]
    """Its recordings, each with the fingerprint it goes under."""


class Database:
    """One SQLite file, open as an async context manager: StoreError if it cannot be.

    `submit`, `pack` and `touch` are the `Writer`'s.
    """

    state: State
    """Gives bytes that change with each commit to the file, by whatever process.

    About 0.1 us where the file system has shared memory, 4 us where not.
    """

    def __init__(self, path: Path, max_bytes: int, *, index_only: bool = False) -> None:
        """`max_bytes` is what the cache may weigh when packed; beyond it, recordings go.

        With `index_only` nothing is lost with the file, as all of it can be made anew.
        """
        self._max_bytes = max_bytes
        self._index_only = index_only
        self._mending = asyncio.Lock()
        self._ends = contextlib.ExitStack()
        self._name(path)
        self._found: OrderedDict[str, list[Row]] = OrderedDict()
        self._found_bytes = 0
        self._found_at = b""
        self._pieces = Pieces(self.query)

    def _name(self, path: Path) -> None:
        """Have the file at `path` for this one, with a writer that has yet to be started."""
        self.path = path
        self._writer = Writer(path, self._max_bytes)
        self.submit, self.pack = self._writer.submit, self._writer.pack
        self.touch = self._writer.touch

    async def __aenter__(self) -> Self:
        await self._open()
        return self

    async def _open(self) -> None:
        """Open the file that `_name` named. StoreError."""
        self._watch = Watch(self.path)
        try:
            self._reader = connect(self.path)
        except BaseException:
            self._watch.close()
            raise
        self.state = self._watch.state(self._reader)
        self._writer.start(self._watch)

    async def __aexit__(self, *_: object) -> None:
        with self._ends:
            await self._close()

    async def _close(self) -> None:
        try:
            await self._writer.close()
        finally:
            self.state = bytes
            self._reader.close()
            self._watch.close()

    # Mending

    async def drop(self, tapes: Collection[int]) -> None:
        """Let go of indexes of cassettes. StoreUnavailable."""
        log.warning("the index of cassettes in %s is damaged; it is made anew", self.path)
        numbers = ", ".join(map(str, tapes))
        await self.execute(f"DELETE FROM tape WHERE source != '' AND id IN ({numbers})")

    async def give_up(self, path: Path) -> bool:
        """Go on with an empty file in place of the one at `path`; False if that may not be.

        It may where nothing but indexes of cassettes is in it. StoreError.
        """
        async with self._mending:
            if path == self.path:
                if not self._index_only:
                    return False
                await self._start_anew()
            return True

    async def _start_anew(self) -> None:
        """Go on with an empty file of this process's own."""
        log.warning("%s is damaged; for this run it is done without: remove it", self.path)
        folder = tempfile.TemporaryDirectory(prefix="promptdeck-", ignore_cleanup_errors=True)
        with contextlib.suppress(sqlite3.Error, StoreUnavailable):
            await self._close()
        self._name(Path(self._ends.enter_context(folder)) / "index.db")
        self._found.clear()
        self._found_bytes, self._found_at = 0, b""
        self._pieces = Pieces(self.query)
        self._index_only = False  # one that breaks again is no accident
        await self._open()
        # Who knows tapes of the other file by number must not take new ones for them.
        number = "INSERT INTO sqlite_sequence (name, seq) VALUES ('tape', ?)"
        await self.execute(number, time.time_ns())

    # Reading

    def find(self, key: str) -> Sequence[Row]:
        """Every recording under a fingerprint, of whatever tape, oldest first. StoreUnavailable.

        Few misses repeat, so that only what was found is remembered.
        """
        self._follow()
        if rows := self._found.get(key):
            self._found.move_to_end(key)
            return rows
        # Most of what is asked for once is not there, which one statement tells, not five.
        if not self.query(IS_THERE, key_of(key), key)[0][0]:
            return []
        with self._reading():
            packed = self.query(f"{SELECT_PACKED} WHERE {OF_KEY} ORDER BY n", key_of(key))
            fresh = self.query(f"{SELECT} WHERE key = ? ORDER BY n", key)
            rows = [*map(self._pieces.row, packed), *map(row_of, fresh)]
        if rows:
            self._remember(key, rows)
        return rows

    def _follow(self) -> None:
        """Forget what was found before a commit that may have changed it.

        Of this process's own commits the writer tells what they changed; without that, each
        recording made would cost all that was found before it.
        """
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
        """Let go of what was found under a fingerprint, if anything was."""
        self._found_bytes -= sum(row.weight for row in self._found.pop(key, ()))

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        """A block in which all that is read is of one moment. Its errors are StoreUnavailable."""
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
        """All rows of a query that has few, at once. StoreUnavailable."""
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
        """Keep at hand what was found; what was asked longest ago makes room for it."""
        self._found[key] = rows
        self._found_bytes += sum(row.weight for row in rows)
        while self._found_bytes > _MEMORY and self._found:
            self._forget(next(iter(self._found)))

    def canonicals(self, tape: int) -> Iterator[tuple[str, bytes]]:
        """Id and canonical form of a tape's recordings, oldest first, few at a time in memory.

        It lists those that are there when it begins, but for what goes meanwhile.
        StoreUnavailable, perhaps after some.
        """
        numbers = numbers_of(self.query, tape)
        for start in range(0, len(numbers), _SCAN):
            yield from self._canonicals(numbers[start : start + _SCAN])

    def _canonicals(self, numbers: Sequence[int]) -> list[tuple[str, bytes]]:
        self._follow()
        with self._reading():
            return list(filter(None, map(self._pieces.canonical, numbers)))

    async def nearest(
        self, tapes: Collection[int], asked: bytes, most: int
    ) -> list[tuple[str, bytes]]:
        """Id and canonical form of the recordings of `tapes` most like the form `asked`.

        At most `most`, best first, by a rough measure: 3,000 of 18 KB take 60 ms, none of
        them on the loop. StoreUnavailable.
        """
        return await self._apart(partial(nearest, self.path, tapes, asked, most))

    async def models(self, tapes: Collection[int]) -> set[str]:
        """The models that the recordings of `tapes` name. StoreUnavailable."""
        return await self._apart(partial(models, self.path, tapes))

    async def _apart(self, work: Callable[[], Told]) -> Told:
        """What `work` reads on a thread and a connection of its own. StoreUnavailable."""
        try:
            return await asyncio.to_thread(work)
        except (*_UNREADABLE, StoreError) as error:
            raise self._unreadable(error) from error

    def names(self, tapes: Sequence[int]) -> Iterator[str]:
        """The ids of recordings, tape by tape, in each oldest first. StoreUnavailable."""
        return iter(names_of(self.query, tapes))

    def tape_named(self, name: str) -> int | None:
        """The id of the tape `name`; None if there is none. StoreUnavailable."""
        for (tape,) in self.query("SELECT id FROM tape WHERE name = ?", name):
            return int(tape)
        return None

    def tapes_named(self) -> dict[str, int]:
        """All tapes by their names. StoreUnavailable."""
        return {name: int(tape) for name, tape in self.query("SELECT name, id FROM tape")}

    def has_tape(self, tape: int) -> bool:
        """True if the tape is still there; its number is never given again. StoreUnavailable."""
        return bool(self.query("SELECT 1 FROM tape WHERE id = ?", tape))

    # Writing

    async def execute(self, statement: str, *parameters: object) -> None:
        """Run one statement in the next transaction; return when it is done. StoreUnavailable."""

        def job(db: sqlite3.Connection) -> None:
            db.execute(statement, parameters)

        await self.submit(job)

    async def index(self, name: str, source: str, rows: Sequence[tuple[str, Stored]]) -> int:
        """Make a tape `name` of recordings, each with its fingerprint, unless there is one.

        `source` is the cassette file they are from, of which too old tapes go. Returns the
        tape. StoreUnavailable.
        """
        [tape] = await self.index_all([Indexable(name, source, rows)])
        return tape

    async def index_all(self, contents: Sequence[Indexable]) -> list[int]:
        """`index` of several files, in one transaction: their tapes, in order. StoreUnavailable."""
        sketches = await asyncio.to_thread(lambda: [sketched(one.rows) for one in contents])

        def job(db: sqlite3.Connection) -> list[int]:
            tapes = []
            for content, drawn in zip(contents, sketches, strict=True):
                tape = named(db, content.name)
                if tape is None:
                    tape = tape_of(db, content.name, content.source)
                    save(db, tape, zip(insert(db, tape, content.rows), drawn, strict=True))
                tapes.append(tape)
            forget(db, {content.source for content in contents})
            return tapes

        tapes: list[int] = await self.submit(job)
        return tapes

    async def extend(
        self, before: str, after: str, gone: Sequence[str], rows: Sequence[tuple[str, Stored]]
    ) -> int | None:
        """Turn the tape `before` into `after`: the ids `gone` leave it, `rows` join it.

        Where there is a tape `after`, by another process, that is left as it is. Returns the
        tape; None where there is neither. StoreUnavailable.
        """
        sketches = await asyncio.to_thread(sketched, rows)

        def job(db: sqlite3.Connection) -> int | None:
            tape = named(db, before)
            done = named(db, after)
            if tape is None or done is not None:
                return done
            if gone:
                remove(db, tape, frozenset(gone))
            save(db, tape, zip(insert(db, tape, rows), sketches, strict=True))
            db.execute("UPDATE tape SET name = ? WHERE id = ?", (after, tape))
            return tape

        found: int | None = await self.submit(job)
        return found

"""Recordings in SQLite: point reads on the caller's thread, writes grouped behind it.

One `Database` is one file in WAL mode with a reading connection and a writer
with a thread of its own, which runs whole jobs: through aiosqlite each statement
would be a change of threads. (Scans are aiosqlite's.) The writer drains what has
queued into one transaction, so a lone write waits for nobody and many share a
commit. What is written is fresh, as it came; in quiet moments the writer packs
it, and evicts.
`Tape` is the store over one or more tapes. Recency for eviction lives in memory
and travels with the next write.
"""

import asyncio
import contextlib
import logging
import math
import sqlite3
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Hashable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Self

from proxy.core.fingerprint import recording_id
from proxy.core.interaction import Interaction
from proxy.errors import StoreUnavailable

from .base import Stored
from .pieces import Done, Pieces, limit, names_of, numbers_of, pack_oldest, shrink
from .schema import (
    OF_KEY,
    SELECT,
    SELECT_PACKED,
    Row,
    connect,
    is_locked,
    key_of,
    row_of,
)
from .tapes import drop_variant, forget, insert, last_ordinal, named, remove, size, tape_of
from .wal import State, Watch

log = logging.getLogger("promptdeck")

CACHE = "cache"
"""The name of the tape that is not made from a cassette."""

_MEMORY = 64 * 1024 * 1024
"""Bytes of recently found recordings kept ready."""

_QUIET = 1.0
"""Seconds without a write, after which fresh recordings are packed."""
_FRESH_BYTES = 32 * 1024 * 1024
"""From so much on, writes wait for packing."""
_LAST = 0.05
"""Seconds that closing takes for packing; who opens the file next does the rest."""
_SCAN = 64
"""Rows read at once when all are read."""

Job = Callable[[sqlite3.Connection], Any]

_UNREADABLE = (sqlite3.Error, UnicodeDecodeError, ValueError, TypeError)


class Database:
    """One SQLite file. Use as an async context manager, inside the task group that owns it."""

    state: State
    """Equal answers: nobody committed anything to the file between, in whatever process.

    About 0.1 us where the file system has shared memory, 4 us where not.
    """

    def __init__(self, path: Path, tasks: asyncio.TaskGroup, max_bytes: int) -> None:
        self.path = path
        self._tasks = tasks
        self._max_bytes = max_bytes
        self._jobs: list[tuple[Job, asyncio.Future[Any]]] = []
        self._wake = asyncio.Event()
        self._closing = False
        self._found: OrderedDict[str, list[Row]] = OrderedDict()
        self._found_bytes = 0
        self._found_at = b""
        self._pieces = Pieces(self.query)
        self._touched: dict[int, float] = {}
        self._is_fresh = True
        self._fresh_bytes = self._packed_to = 0

    async def __aenter__(self) -> Self:
        self._watch = Watch(self.path)
        self._thread = ThreadPoolExecutor(1, "store writer")
        try:
            self._reader = connect(self.path)
            try:
                self._writer = await self._on_thread(partial(connect, self.path))
            except BaseException:
                self._reader.close()
                raise
        except BaseException:
            self._thread.shutdown()
            self._watch.close()
            raise
        self.state = self._watch.state(self._reader)
        self._drainer = self._tasks.create_task(self._drain(), name="store writer")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closing = True
        self._wake.set()
        try:
            await self._drainer
        finally:
            self.state = bytes
            self._thread.submit(self._writer.close)
            # Every write has been awaited: there is nothing but that to wait for.
            self._thread.shutdown()
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
        """Forget what was found before somebody's last commit."""
        if (state := self.state()) == self._found_at:
            return
        self._found_at = state
        self._found.clear()
        self._found_bytes = 0
        self._pieces = Pieces(self.query)

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

    async def scan(self, query: str, *parameters: object) -> AsyncIterator[sqlite3.Row]:
        """The rows of a query that may have many, read off the loop, few at a time in memory."""
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
            _, old = self._found.popitem(last=False)
            self._found_bytes -= sum(row.weight for row in old)

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

    def touch(self, n: int, now: float) -> None:
        """Note that a recording was used; no write."""
        self._touched[n] = now

    # Writing

    async def submit(self, job: Job, *, fresh: int = 0) -> Any:
        """Run `job` in the next transaction and return its result once that is committed.

        It runs on the writer's thread. `fresh` is how many bytes of recordings it brings.
        """
        if self._closing:
            raise self._closed()
        done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._jobs.append((job, done))
        self._fresh_bytes += fresh
        self._wake.set()
        return await done

    def _closed(self) -> StoreUnavailable:
        return StoreUnavailable(f"{self.path} is being closed")

    async def execute(self, statement: str, *parameters: object) -> None:
        """Run one statement in the next transaction. StoreUnavailable."""

        def job(db: sqlite3.Connection) -> None:
            db.execute(statement, parameters)

        await self.submit(job)

    async def _on_thread(self, work: Callable[[], Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def _drain(self) -> None:
        jobs: list[tuple[Job, asyncio.Future[Any]]] = []
        try:
            while not (self._closing and not self._jobs):
                if self._fresh_bytes > _FRESH_BYTES:
                    await self._pack()
                if self._jobs:
                    jobs, self._jobs = self._jobs, []
                    await self._commit(jobs)
                    # What they brought, such as a whole cassette, would stay until the next.
                    jobs = []
                    self._is_fresh = True
                else:
                    await self._rest()
            await self._commit([])
            await self.pack(_LAST)
        finally:
            # Cancelled with its group, it leaves some who would wait for ever.
            self._closing = True
            for _, done in (*jobs, *self._jobs):
                if not done.done():
                    done.set_exception(self._closed())

    async def _rest(self) -> None:
        """Until there is something to write; once it is quiet, pack."""
        try:
            await asyncio.wait_for(self._wake.wait(), _QUIET if self._is_fresh else None)
        except TimeoutError:
            while self._is_fresh and not self._wake.is_set():
                await self._pack()
        self._wake.clear()

    async def pack(self, seconds: float = math.inf) -> None:
        """Pack what is fresh, now. Unless asked to, that happens when nothing is written."""
        end = time.monotonic() + seconds
        while self._is_fresh and time.monotonic() < end:
            await self._pack()

    async def _pack(self) -> None:
        """Pack some of what is fresh. What cannot be packed now is tried after the next write."""
        try:
            done, more = await self._on_thread(partial(self._packing, self._packed_to))
        except Exception as error:  # noqa: BLE001  whatever it is, the recordings are there as they are
            log.warning("cannot pack the recordings in %s: %s", self.path, error)
            done, more = Done(None, 0), False
        self._is_fresh = more
        self._packed_to = done.last or 0
        self._fresh_bytes = max(0, self._fresh_bytes - done.size) if more else 0

    def _packing(self, after: int) -> tuple[Done, bool]:
        """On the writer's thread. What was done, and whether there may be more to do."""
        [done] = self._transaction([partial(pack_oldest, after=after)], {})
        return done, done.last is not None or shrink(self._writer)

    async def _commit(self, jobs: list[tuple[Job, asyncio.Future[Any]]]) -> None:
        """All jobs in one transaction; if one fails, each in its own, so that only it does."""
        touched, self._touched = self._touched, {}
        todo = [job for job, _ in jobs]
        try:
            results = await self._on_thread(partial(self._transaction, todo, touched))
        except Exception as error:  # noqa: BLE001  whatever a job raises is for who asked for it
            self._touched = touched | self._touched
            if len(jobs) > 1 and not is_locked(error):
                for single in jobs:
                    await self._commit([single])
                return
            for _, done in jobs:
                if not done.done():
                    done.set_exception(StoreUnavailable(f"cannot write {self.path}: {error}"))
            return
        for (_, done), result in zip(jobs, results, strict=True):
            if not done.done():
                done.set_result(result)

    def _transaction(self, jobs: list[Job], touched: dict[int, float]) -> list[Any]:
        """On the writer's thread."""
        db = self._writer
        try:
            db.execute("BEGIN IMMEDIATE")
            for table in ("packed", "recording") if touched else ():
                db.executemany(
                    f"UPDATE {table} SET used_at = ? WHERE n = ?",
                    [(when, n) for n, when in touched.items()],
                )
            results = [job(db) for job in jobs]
            limit(db, CACHE, self._max_bytes)
            db.execute("COMMIT")
        except BaseException:
            # SQLite ends a transaction by itself where the disk is full.
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        return results

    async def cache_tape(self) -> "Tape":
        tape = await self.submit(lambda db: tape_of(db, CACHE, ""))
        return Tape(self, (tape,), evictable=True)

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


class Tape:
    """The store over some tapes of a database, read in the order given, written to the first."""

    def __init__(
        self, database: Database, tapes: tuple[int, ...], *, evictable: bool = False
    ) -> None:
        self._database = database
        self._evictable = evictable
        self.tapes = tapes

    def find(self, key: str) -> Sequence[Stored]:
        rows = [row for row in self._database.find(key) if row.tape in self.tapes]
        if len(self.tapes) > 1:
            rows = sorted(rows, key=lambda row: self.tapes.index(row.tape))
        if self._evictable:
            now = time.time()
            for row in rows:
                self._database.touch(row.n, now)
        return [row.stored for row in rows]

    def state(self) -> Hashable:
        return self._database.state()

    async def put(self, key: str, stored: Stored, *, replace: bool) -> Interaction:
        tape = self.tapes[0]

        def job(db: sqlite3.Connection) -> Interaction:
            if replace:
                drop_variant(db, tape, key, stored.interaction.variant)
            ordinal = 1 + last_ordinal(db, tape, key)
            name = recording_id(stored.canonical, stored.interaction.key, ordinal)
            kept = stored.interaction._replace(id=name)
            insert(db, tape, [(key, stored._replace(interaction=kept))])
            return kept

        brings = size([(key, stored)])
        result: Interaction = await self._database.submit(job, fresh=brings)
        return result

    def canonicals(self) -> Iterator[tuple[str, bytes]]:
        for tape in self.tapes:
            yield from self._database.canonicals(tape)

    def names(self) -> Iterator[str]:
        for tape in self.tapes:
            yield from self._database.names(tape)

"""Recordings in SQLite: point reads on the caller's thread, writes grouped behind it.

One `Database` is one file in WAL mode with a reading connection and a writer.
The writer drains what has queued into one transaction, so a lone write waits
for nobody and many share a commit. `Tape` is the store over one or more tapes.
Recency for eviction lives in memory and travels with the next write.
"""

import asyncio
import contextlib
import sqlite3
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Iterator, Sequence
from dataclasses import replace as changed
from pathlib import Path
from typing import Any, Self

import aiosqlite

from proxy.core.fingerprint import recording_id
from proxy.core.interaction import Interaction, Variant
from proxy.errors import StoreUnavailable

from .base import Stored
from .schema import INSERT, SELECT, Row, connect, is_locked, row_of, unusable, values_of

CACHE = "cache"
"""The name of the tape that is not made from a cassette."""

_MEMORY = 64 * 1024 * 1024
"""Bytes of recently found recordings kept ready."""

_STATES_KEPT = 4
"""Of each cassette file: on another branch, or under other rules, it has another."""

Job = Callable[[aiosqlite.Connection], Awaitable[Any]]


class Database:
    """One SQLite file. Use as an async context manager, inside the task group that owns it."""

    def __init__(self, path: Path, tasks: asyncio.TaskGroup, max_bytes: int) -> None:
        self.path = path
        self._tasks = tasks
        self._max_bytes = max_bytes
        self._jobs: list[tuple[Job, asyncio.Future[Any]]] = []
        self._wake = asyncio.Event()
        self._closing = False
        self._found: OrderedDict[str, list[Row]] = OrderedDict()
        self._found_bytes = 0
        self._version = 0
        self._touched: dict[int, float] = {}

    async def __aenter__(self) -> Self:
        self._reader = connect(self.path)
        try:
            self._writer = await aiosqlite.Connection(lambda: connect(self.path), 64)
        except BaseException:
            self._reader.close()
            raise
        self._drainer = self._tasks.create_task(self._drain(), name="store writer")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closing = True
        self._wake.set()
        try:
            await self._drainer
        finally:
            await self._writer.close()
            self._reader.close()

    # Reading

    def find(self, key: str) -> Sequence[Row]:
        """Every recording under a fingerprint, of whatever tape, oldest first."""
        [(version,)] = self.query("PRAGMA data_version")
        if version != self._version:
            self._version = version
            self._found.clear()
            self._found_bytes = 0
        if rows := self._found.get(key):
            self._found.move_to_end(key)
            return rows
        found = self.query(f"{SELECT} WHERE key = ? ORDER BY n", key)
        try:
            rows = list(map(row_of, found))
        except (ValueError, TypeError) as error:
            raise StoreUnavailable(f"cannot read {self.path}: damaged: {error}") from error
        if rows:
            self._remember(key, rows)
        return rows

    def state(self) -> Hashable:
        """Equal as long as no connection has committed anything."""
        [(version,)] = self.query("PRAGMA data_version")
        return int(version)

    def query(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        """All rows of a query, at once. StoreUnavailable."""
        try:
            return self._reader.execute(query, parameters).fetchall()
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise StoreUnavailable(f"cannot read {self.path}: {error}") from error

    def _remember(self, key: str, rows: list[Row]) -> None:
        self._found[key] = rows
        self._found_bytes += sum(row.weight for row in rows)
        while self._found_bytes > _MEMORY and self._found:
            _, old = self._found.popitem(last=False)
            self._found_bytes -= sum(row.weight for row in old)

    def canonicals(self, tape: int) -> Iterator[tuple[str, bytes]]:
        query = "SELECT id, canonical FROM recording WHERE tape = ? ORDER BY n"
        return iter(self.query(query, tape))

    def tape_named(self, name: str) -> int | None:
        found = self.query("SELECT id FROM tape WHERE name = ?", name)
        return found[0][0] if found else None

    def has_tape(self, tape: int) -> bool:
        return bool(self.query("SELECT 1 FROM tape WHERE id = ?", tape))

    def touch(self, n: int, now: float) -> None:
        """Note that a recording was used; no write."""
        self._touched[n] = now

    # Writing

    async def submit(self, job: Job) -> Any:
        """Run `job` in the next transaction and return its result once that is committed."""
        if self._closing:
            raise StoreUnavailable(f"{self.path} is being closed")
        done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._jobs.append((job, done))
        self._wake.set()
        return await done

    async def execute(self, statement: str, *parameters: object) -> None:
        """Run one statement in the next transaction. StoreUnavailable."""

        async def job(db: aiosqlite.Connection) -> None:
            await db.execute(statement, parameters)

        await self.submit(job)

    async def _drain(self) -> None:
        while not (self._closing and not self._jobs):
            await self._wake.wait()
            self._wake.clear()
            jobs, self._jobs = self._jobs, []
            if jobs:
                await self._commit(jobs)
            # Else what they brought, such as a whole cassette, stays until the next ones come.
            del jobs
        await self._commit([])

    async def _commit(self, jobs: list[tuple[Job, asyncio.Future[Any]]]) -> None:
        """All jobs in one transaction; if one fails, each in its own, so that only it does."""
        try:
            results = await self._transaction([job for job, _ in jobs])
        except Exception as error:  # noqa: BLE001  whatever a job raises is for who asked for it
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

    async def _transaction(self, jobs: list[Job]) -> list[Any]:
        touched, self._touched = self._touched, {}
        try:
            await self._writer.execute("BEGIN IMMEDIATE")
            if touched:
                await self._writer.executemany(
                    "UPDATE recording SET used_at = ? WHERE n = ?",
                    [(when, n) for n, when in touched.items()],
                )
            results = [await job(self._writer) for job in jobs]
            await self._evict()
            await self._writer.execute("COMMIT")
        except BaseException:
            self._touched = touched | self._touched
            # SQLite ends a transaction by itself where the disk is full.
            if self._writer.in_transaction:
                await self._writer.execute("ROLLBACK")
            raise
        return results

    async def _evict(self) -> None:
        """Bring the cache under its limit: least recently used first."""
        query = "SELECT id, bytes FROM tape WHERE name = ? AND bytes > ?"
        for tape, size in await self._writer.execute_fetchall(query, (CACHE, self._max_bytes)):
            query = "SELECT n, bytes FROM recording WHERE tape = ? ORDER BY used_at, n"
            async with self._writer.execute(query, (tape,)) as cursor:
                victims = []
                async for n, weight in cursor:
                    if size <= self._max_bytes:
                        break
                    size -= weight
                    victims.append((n,))
            await self._writer.executemany("DELETE FROM recording WHERE n = ?", victims)
            await self._writer.execute("UPDATE tape SET bytes = ? WHERE id = ?", (size, tape))

    async def cache_tape(self) -> "Tape":
        async def job(db: aiosqlite.Connection) -> int:
            return await _tape(db, CACHE, "")

        return Tape(self, (await self.submit(job),), evictable=True)

    async def index(self, name: str, source: str, rows: Sequence[tuple[str, Stored]]) -> int:
        """Make a tape of the recordings of a cassette file, unless another process has."""

        async def job(db: aiosqlite.Connection) -> int:
            found = await _named(db, name)
            if found is not None:
                return found
            tape = await _tape(db, name, source)
            await _insert(db, tape, rows)
            await _forget(db, source)
            return tape

        return int(await self.submit(job))

    async def extend(
        self, before: str, after: str, gone: Sequence[str], rows: Sequence[tuple[str, Stored]]
    ) -> int | None:
        """Follow a cassette file to its next state: `gone` ids left it, `rows` came.

        Returns the tape; None where the state before is not indexed.
        """

        async def job(db: aiosqlite.Connection) -> int | None:
            tape = await _named(db, before)
            done = await _named(db, after)
            if tape is None or done is not None:
                return done
            await db.executemany(
                "DELETE FROM recording WHERE +tape = ? AND id = ?", [(tape, old) for old in gone]
            )
            await _insert(db, tape, rows)
            await db.execute("UPDATE tape SET name = ? WHERE id = ?", (after, tape))
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
        return self.tapes, self._database.state()

    async def put(self, key: str, stored: Stored, *, replace: bool) -> Interaction:
        tape = self.tapes[0]

        async def job(db: aiosqlite.Connection) -> Interaction:
            if replace:
                await _drop(db, tape, key, stored.interaction.variant)
            ordinal = 1 + await _last_ordinal(db, tape, key)
            name = recording_id(stored.canonical, stored.interaction.key, ordinal)
            named = changed(stored.interaction, id=name)
            values = values_of(tape, key, stored._replace(interaction=named), time.time())
            await db.execute(INSERT, values)
            await db.execute("UPDATE tape SET bytes = bytes + ? WHERE id = ?", (values[8], tape))
            return named

        result: Interaction = await self._database.submit(job)
        return result

    def canonicals(self) -> Iterator[tuple[str, bytes]]:
        for tape in self.tapes:
            yield from self._database.canonicals(tape)


async def _tape(db: aiosqlite.Connection, name: str, source: str) -> int:
    await db.execute("INSERT OR IGNORE INTO tape (name, source) VALUES (?, ?)", (name, source))
    [(tape,)] = await db.execute_fetchall("SELECT id FROM tape WHERE name = ?", (name,))
    return int(tape)


async def _named(db: aiosqlite.Connection, name: str) -> int | None:
    found = list(await db.execute_fetchall("SELECT id FROM tape WHERE name = ?", (name,)))
    return int(found[0][0]) if found else None


async def _insert(db: aiosqlite.Connection, tape: int, rows: Sequence[tuple[str, Stored]]) -> None:
    now = time.time()
    # A generator: the writer's thread does the work.
    await db.executemany(INSERT, (values_of(tape, key, stored, now) for key, stored in rows))


async def _forget(db: aiosqlite.Connection, source: str) -> None:
    """Drop all but the last states of a cassette file, and every state of files that are gone."""
    old = "SELECT id FROM tape WHERE source = ? ORDER BY id DESC LIMIT -1 OFFSET ?"
    await db.execute(f"DELETE FROM tape WHERE id IN ({old})", (source, _STATES_KEPT))
    sources = await db.execute_fetchall("SELECT DISTINCT source FROM tape WHERE source != ''")
    gone = await asyncio.to_thread(lambda: [row for row in sources if not Path(row[0]).exists()])
    await db.executemany("DELETE FROM tape WHERE source = ?", gone)


async def _drop(db: aiosqlite.Connection, tape: int, key: str, variant: Variant) -> None:
    # The plus keeps SQLite from the index by tape, which would read the whole cache.
    where = "WHERE +tape = ? AND key = ? AND variant = ?"
    query = f"SELECT coalesce(sum(bytes), 0) FROM recording {where}"
    [(weight,)] = await db.execute_fetchall(query, (tape, key, variant))
    await db.execute(f"DELETE FROM recording {where}", (tape, key, variant))
    await db.execute("UPDATE tape SET bytes = bytes - ? WHERE id = ?", (weight, tape))


async def _last_ordinal(db: aiosqlite.Connection, tape: int, key: str) -> int:
    query = "SELECT id FROM recording WHERE +tape = ? AND key = ?"
    rows = await db.execute_fetchall(query, (tape, key))
    return max((int(name.rpartition("-")[2]) for (name,) in rows), default=0)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(connect(path)) as db:
        try:
            yield db
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise unusable(path, error) from error


_OF = "FROM recording JOIN tape ON tape.id = tape WHERE name"


def statistics(path: Path) -> dict[str, int]:
    """How much a store's file holds, from outside a running server. StoreError."""
    if not path.exists():
        return dict.fromkeys(("answers", "bytes", "cassettes", "indexed"), 0)
    with _opened(path) as db:
        [answers] = db.execute(f"SELECT count(*) {_OF} = ?", (CACHE,)).fetchone()
        query = f"SELECT count(DISTINCT source), count(*) {_OF} != ?"
        cassettes, indexed = db.execute(query, (CACHE,)).fetchone()
        size = db.execute("SELECT bytes FROM tape WHERE name = ?", (CACHE,)).fetchone()
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
        [answers] = db.execute(f"SELECT count(*) {_OF} = ?", (CACHE,)).fetchone()
        db.execute("DELETE FROM recording")
        db.execute("DELETE FROM tape WHERE name != ?", (CACHE,))
        db.execute("UPDATE tape SET bytes = 0")
        db.execute("DELETE FROM completion")
        db.execute("DELETE FROM slip")
        db.execute("COMMIT")
        db.execute("VACUUM")
    return int(answers)


def cached(path: Path) -> list[tuple[str, bytes]]:
    """Id and canonical form of every cached answer of a store's file. StoreError."""
    if not path.exists():
        return []
    with _opened(path) as db:
        return db.execute(f"SELECT recording.id, canonical {_OF} = ?", (CACHE,)).fetchall()

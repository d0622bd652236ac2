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
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace as changed
from pathlib import Path
from typing import Any, NamedTuple, Self

import aiosqlite
import orjson

from proxy.core.fingerprint import recording_id
from proxy.core.interaction import Frame, Interaction, Request, Response, Variant
from proxy.errors import StoreError, StoreUnavailable

from .base import Stored
from .schema import MIGRATIONS

CACHE = "cache"
"""The name of the tape that is not made from a cassette."""

_COLUMNS = """tape, key, id, base_key, variant, recorded_at, expires_at, used_at, bytes, upstream,
    redacted, canonical, request, request_body, status, headers, frames, body"""
_INSERT = f"INSERT INTO recording ({_COLUMNS}) VALUES ({', '.join('?' * 18)})"
_SELECT = f"SELECT n, {_COLUMNS} FROM recording"
_MEMORY = 64 * 1024 * 1024
"""Bytes of recently found recordings kept ready."""

Job = Callable[[aiosqlite.Connection], Awaitable[Any]]


class _Row(NamedTuple):
    n: int
    tape: int
    stored: Stored
    weight: int


class Database:
    """One SQLite file. Use as an async context manager, inside the task group that owns it."""

    def __init__(self, path: Path, tasks: asyncio.TaskGroup, max_bytes: int) -> None:
        self.path = path
        self._tasks = tasks
        self._max_bytes = max_bytes
        self._jobs: list[tuple[Job, asyncio.Future[Any]]] = []
        self._wake = asyncio.Event()
        self._closing = False
        self._found: OrderedDict[str, list[_Row]] = OrderedDict()
        self._found_bytes = 0
        self._version = 0
        self._touched: dict[int, float] = {}

    async def __aenter__(self) -> Self:
        self._reader = connect(self.path)
        try:
            self._writer = await aiosqlite.connect(self.path, isolation_level=None)
            for pragma in _PRAGMAS:
                await self._writer.execute(pragma)
        except sqlite3.Error as error:
            raise _unusable(self.path, error) from error
        self._version_cursor = self._reader.cursor()
        self._drainer = self._tasks.create_task(self._drain(), name="store writer")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closing = True
        self._wake.set()
        await self._drainer
        await self._writer.close()
        self._reader.close()

    # Reading

    def find(self, key: str) -> Sequence[_Row]:
        """Every recording under a fingerprint, of whatever tape, oldest first."""
        try:
            version = self._version_cursor.execute("PRAGMA data_version").fetchone()[0]
            if version != self._version:
                self._version = version
                self._found.clear()
                self._found_bytes = 0
            if rows := self._found.get(key):
                self._found.move_to_end(key)
                return rows
            cursor = self._reader.execute(f"{_SELECT} WHERE key = ? ORDER BY n", (key,))
            rows = [_row(values) for values in cursor]
        except sqlite3.Error as error:
            raise StoreUnavailable(f"cannot read {self.path}: {error}") from error
        if rows:
            self._remember(key, rows)
        return rows

    def _remember(self, key: str, rows: list[_Row]) -> None:
        self._found[key] = rows
        self._found_bytes += sum(row.weight for row in rows)
        while self._found_bytes > _MEMORY and self._found:
            _, old = self._found.popitem(last=False)
            self._found_bytes -= sum(row.weight for row in old)

    def canonicals(self, tape: int) -> Iterator[tuple[str, bytes]]:
        query = "SELECT id, canonical FROM recording WHERE tape = ? ORDER BY n"
        try:
            yield from self._reader.execute(query, (tape,))
        except sqlite3.Error as error:
            raise StoreUnavailable(f"cannot read {self.path}: {error}") from error

    def tape_named(self, name: str) -> int | None:
        row = self._reader.execute("SELECT id FROM tape WHERE name = ?", (name,)).fetchone()
        return row[0] if row else None

    def has_tape(self, tape: int) -> bool:
        return bool(self._reader.execute("SELECT 1 FROM tape WHERE id = ?", (tape,)).fetchone())

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

    async def _drain(self) -> None:
        while not (self._closing and not self._jobs):
            await self._wake.wait()
            self._wake.clear()
            jobs, self._jobs = self._jobs, []
            if jobs:
                await self._commit(jobs)
        await self._commit([])

    async def _commit(self, jobs: list[tuple[Job, asyncio.Future[Any]]]) -> None:
        """All jobs in one transaction; if one fails, each in its own, so that only it does."""
        try:
            results = await self._transaction([job for job, _ in jobs])
        except (sqlite3.Error, ValueError) as error:
            if len(jobs) > 1:
                for single in jobs:
                    await self._commit([single])
            elif jobs and not jobs[0][1].done():
                jobs[0][1].set_exception(StoreUnavailable(f"cannot write {self.path}: {error}"))
            return
        for (_, done), result in zip(jobs, results, strict=True):
            if not done.done():
                done.set_result(result)

    async def _transaction(self, jobs: list[Job]) -> list[Any]:
        touched, self._touched = self._touched, {}
        await self._writer.execute("BEGIN IMMEDIATE")
        try:
            if touched:
                await self._writer.executemany(
                    "UPDATE recording SET used_at = ? WHERE n = ?",
                    [(when, n) for n, when in touched.items()],
                )
            results = [await job(self._writer) for job in jobs]
            await self._evict()
            await self._writer.execute("COMMIT")
        except BaseException:
            await self._writer.execute("ROLLBACK")
            raise
        return results

    async def _evict(self) -> None:
        """Bring the cache under its limit: least recently used first."""
        query = "SELECT id, bytes FROM tape WHERE name = ? AND bytes > ?"
        for tape, size in await self._writer.execute_fetchall(query, (CACHE, self._max_bytes)):
            query = "SELECT n, bytes FROM recording WHERE tape = ? ORDER BY used_at"
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
        """Make a tape of a cassette's recordings, in place of any older state of that file."""

        async def job(db: aiosqlite.Connection) -> int:
            await _forget(db, source)
            tape = await _tape(db, name, source)
            now = time.time()
            await db.executemany(_INSERT, [_values(tape, key, row, now) for key, row in rows])
            return tape

        return int(await self.submit(job))

    async def extend(
        self, tape: int, name: str, gone: Sequence[str], rows: Sequence[tuple[str, Stored]]
    ) -> None:
        """Follow a cassette file to its next state: `gone` ids left it, `rows` came."""

        async def job(db: aiosqlite.Connection) -> None:
            await db.executemany(
                "DELETE FROM recording WHERE tape = ? AND id = ?", [(tape, old) for old in gone]
            )
            now = time.time()
            await db.executemany(_INSERT, [_values(tape, key, row, now) for key, row in rows])
            await db.execute("DELETE FROM tape WHERE name = ? AND id != ?", (name, tape))
            await db.execute("UPDATE tape SET name = ? WHERE id = ?", (name, tape))

        await self.submit(job)


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

    async def put(self, key: str, stored: Stored, *, replace: bool) -> Interaction:
        tape = self.tapes[0]

        async def job(db: aiosqlite.Connection) -> Interaction:
            if replace:
                await _drop(db, tape, key, stored.interaction.variant)
            ordinal = 1 + await _last_ordinal(db, tape, key)
            name = recording_id(stored.canonical, stored.interaction.key, ordinal)
            named = changed(stored.interaction, id=name)
            values = _values(tape, key, stored._replace(interaction=named), time.time())
            await db.execute(_INSERT, values)
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


async def _forget(db: aiosqlite.Connection, source: str) -> None:
    old = [
        row[0]
        for row in await db.execute_fetchall("SELECT id FROM tape WHERE source = ?", (source,))
    ]
    await db.executemany("DELETE FROM tape WHERE id = ?", [(tape,) for tape in old])


async def _drop(db: aiosqlite.Connection, tape: int, key: str, variant: Variant) -> None:
    where = "WHERE tape = ? AND key = ? AND variant = ?"
    query = f"SELECT coalesce(sum(bytes), 0) FROM recording {where}"
    [(weight,)] = await db.execute_fetchall(query, (tape, key, variant))
    await db.execute(f"DELETE FROM recording {where}", (tape, key, variant))
    await db.execute("UPDATE tape SET bytes = bytes - ? WHERE id = ?", (weight, tape))


async def _last_ordinal(db: aiosqlite.Connection, tape: int, key: str) -> int:
    query = "SELECT id FROM recording WHERE tape = ? AND key = ?"
    rows = await db.execute_fetchall(query, (tape, key))
    return max((int(name.rpartition("-")[2]) for (name,) in rows), default=0)


_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = NORMAL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA busy_timeout = 5000",
)


def connect(path: Path) -> sqlite3.Connection:
    """Open the file, making and migrating it as needed. StoreError says what is wrong with it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, isolation_level=None)
        # 16 KB pages waste least on rows of a few KB; takes effect on a new file only.
        connection.execute("PRAGMA page_size = 16384")
        for pragma in _PRAGMAS:
            connection.execute(pragma)
        _migrate(connection, path)
    except (sqlite3.Error, OSError) as error:
        raise _unusable(path, error) from error
    return connection


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    if connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),):
        return
    connection.execute("BEGIN IMMEDIATE")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(MIGRATIONS):
        raise StoreError(
            f"{path} was written by a newer promptdeck (schema {version}); update promptdeck,"
            " or name another file with --store"
        )
    for number, script in enumerate(MIGRATIONS[version:], version + 1):
        for statement in script.split(";"):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {number}")
    connection.execute("COMMIT")


def _unusable(path: Path, error: Exception) -> StoreError:
    return StoreError(f"cannot use the store {path}: {error}; name another file with --store")


def _values(tape: int, key: str, stored: Stored, now: float) -> tuple[Any, ...]:
    interaction = stored.interaction
    request, response = interaction.request, interaction.response
    body = response.body
    frames = orjson.dumps([(ms, len(data)) for ms, data in response.frames]).decode()
    weight = len(stored.canonical) + len(request.body) + len(body) + len(frames) + 500
    return (
        tape, key, interaction.id, interaction.key, str(interaction.variant),
        interaction.recorded_at, stored.expires_at, now, weight, interaction.upstream,
        interaction.redacted, stored.canonical,
        orjson.dumps((request.method, request.target, request.content_type)).decode(),
        request.body, response.status, orjson.dumps(response.headers).decode(), frames, body,
    )  # fmt: skip


def _row(values: tuple[Any, ...]) -> _Row:
    (
        n, tape, _, name, base_key, variant, recorded_at, expires_at, _, weight, upstream,
        redacted, canonical, request, request_body, status, headers, frames, body,
    ) = values  # fmt: skip
    method, target, content_type = orjson.loads(request)
    interaction = Interaction(
        id=name,
        key=base_key,
        variant=Variant(variant),
        recorded_at=recorded_at,
        upstream=upstream,
        request=Request(method, target, content_type, request_body),
        response=Response(
            status,
            tuple((key, value) for key, value in orjson.loads(headers)),
            tuple(_cut(body, orjson.loads(frames))),
        ),
        redacted=redacted,
    )
    return _Row(n, tape, Stored(interaction, canonical, expires_at), weight)


def _cut(body: bytes, frames: list[tuple[int, int]]) -> Iterator[Frame]:
    start = 0
    for ms, length in frames:
        yield Frame(ms, body[start : start + length])
        start += length


def statistics(path: Path) -> dict[str, int]:
    """How much a store's file holds, from outside a running server. StoreError."""
    if not path.exists():
        return dict.fromkeys(("answers", "bytes", "cassettes", "indexed"), 0)
    counts = "SELECT count(*), count(DISTINCT tape.id) FROM recording JOIN tape ON tape.id = tape"
    with contextlib.closing(connect(path)) as db:
        answers, _ = db.execute(f"{counts} WHERE name = ?", (CACHE,)).fetchone()
        indexed, cassettes = db.execute(f"{counts} WHERE name != ?", (CACHE,)).fetchone()
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
    answers = statistics(path)["answers"]
    with contextlib.closing(connect(path)) as db:
        try:
            db.execute("DELETE FROM recording")
            db.execute("UPDATE tape SET bytes = 0")
            db.execute("DELETE FROM tape WHERE name != ?", (CACHE,))
            db.execute("VACUUM")
        except sqlite3.Error as error:
            raise _unusable(path, error) from error
    return answers


def cached(path: Path) -> list[tuple[str, bytes]]:
    """Id and canonical form of every cached answer of a store's file. StoreError."""
    if not path.exists():
        return []
    query = "SELECT recording.id, canonical FROM recording JOIN tape ON tape.id = tape WHERE name=?"
    with contextlib.closing(connect(path)) as db:
        return list(db.execute(query, (CACHE,)))

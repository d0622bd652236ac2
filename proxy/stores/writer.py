"""The writing half of an SQLite store: whole jobs on a thread of their own, grouped into commits.

Through aiosqlite each statement would be a change of threads. The writer drains
what has queued into one transaction, so a lone write waits for nobody and many
share a commit. What is written is fresh, as it came; in quiet moments the writer
packs it, and evicts. Recency for eviction lives in memory and travels with the
next write.
"""

import asyncio
import logging
import math
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from proxy.errors import StoreUnavailable

from .pieces import Done, limit, pack_oldest, shrink
from .schema import connect, is_locked

log = logging.getLogger("promptdeck")

CACHE = "cache"
"""The name of the tape that is not made from a cassette."""

_QUIET = 1.0
"""Seconds without a write, after which fresh recordings are packed."""
_FRESH_BYTES = 32 * 1024 * 1024
"""From so much on, writes wait for packing."""
_LOG_BYTES = 4 * 1024 * 1024
"""What the write-ahead log may keep of a burst."""
_LAST = 0.05
"""Seconds that closing takes for packing; who opens the file next does the rest."""

Job = Callable[[sqlite3.Connection], Any]


class Writer:
    """Runs jobs in the order they came, those that wait together in one transaction."""

    def __init__(self, path: Path, max_bytes: int) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._thread = ThreadPoolExecutor(1, "store writer")
        self._jobs: list[tuple[Job, asyncio.Future[Any]]] = []
        self._wake = asyncio.Event()
        self._closing = False
        self._touched: dict[int, float] = {}
        self._is_fresh = True
        self._fresh_bytes = self._packed_to = 0

    def start(self, tasks: asyncio.TaskGroup) -> None:
        self._drainer = tasks.create_task(self._drain(), name="store writer")

    async def close(self) -> None:
        """Once all that has been submitted is written."""
        self._closing = True
        self._wake.set()
        try:
            await self._drainer
        finally:
            self._thread.submit(self._disconnect)
            # Every write has been awaited: there is nothing but that to wait for.
            self._thread.shutdown()

    @cached_property
    def _connection(self) -> sqlite3.Connection:
        """The writer's thread's, made when it is needed: to serve hits, it is not."""
        db = connect(self._path)
        # Most of what is fresh is packed before it would be copied from the log into the file.
        [(page,)] = db.execute("PRAGMA page_size")
        db.execute(f"PRAGMA wal_autocheckpoint = {_FRESH_BYTES // page}")
        db.execute(f"PRAGMA journal_size_limit = {_LOG_BYTES}")
        return db

    def _disconnect(self) -> None:
        if "_connection" in self.__dict__:
            self._connection.close()

    def touch(self, n: int, now: float) -> None:
        """Note that a recording was used; no write."""
        self._touched[n] = now

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
        return StoreUnavailable(f"{self._path} is being closed")

    async def run(self, work: Job) -> Any:
        """Run `work` on the writer's thread, in no transaction."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, lambda: work(self._connection))

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
            if self._touched:
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
            done, more = await self.run(self._packing)
        except Exception as error:  # noqa: BLE001  whatever it is, the recordings are there as they are
            log.warning("cannot pack the recordings in %s: %s", self._path, error)
            done, more = Done(None, 0), False
        self._is_fresh = more
        self._packed_to = done.last or 0
        self._fresh_bytes = max(0, self._fresh_bytes - done.size) if more else 0

    def _packing(self, db: sqlite3.Connection) -> tuple[Done, bool]:
        """What was done, and whether there may be more to do."""
        [done] = self._transaction(db, [partial(pack_oldest, after=self._packed_to)], {})
        more = done.last is not None or shrink(db)
        if not more:
            # The log goes into the file while nobody waits for a commit.
            db.execute("PRAGMA wal_checkpoint").fetchall()
        return done, more

    async def _commit(self, jobs: list[tuple[Job, asyncio.Future[Any]]]) -> None:
        """All jobs in one transaction; if one fails, each in its own, so that only it does."""
        touched, self._touched = self._touched, {}
        todo = [job for job, _ in jobs]
        try:
            results = await self.run(lambda db: self._transaction(db, todo, touched))
        except Exception as error:  # noqa: BLE001  whatever a job raises is for who asked for it
            self._touched = touched | self._touched
            if len(jobs) > 1 and not is_locked(error):
                for single in jobs:
                    await self._commit([single])
                return
            for _, done in jobs:
                if not done.done():
                    done.set_exception(StoreUnavailable(f"cannot write {self._path}: {error}"))
            return
        for (_, done), result in zip(jobs, results, strict=True):
            if not done.done():
                done.set_result(result)

    def _transaction(
        self, db: sqlite3.Connection, jobs: list[Job], touched: dict[int, float]
    ) -> list[Any]:
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

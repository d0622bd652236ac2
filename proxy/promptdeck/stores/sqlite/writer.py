"""The writing half of an SQLite store: whole jobs on a thread of their own, grouped into commits.

Through aiosqlite each statement would be a change of threads. The writer takes all
that has queued into one transaction, so a lone write waits for nobody and many share
a commit. What is written is fresh, as it came; in quiet moments the writer packs it,
and evicts. Recency for eviction lives in memory and travels with the next write.
"""

import asyncio
import contextlib
import logging
import math
import os
import sqlite3
import sys
import time
from collections import ChainMap
from collections.abc import Callable, Collection, Sequence
from functools import cached_property, partial
from itertools import chain, groupby
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread, get_native_id
from typing import Any, NamedTuple

from promptdeck.errors import StoreUnavailable

from .migrations import connect, is_locked
from .pieces import Done, limit, pack_oldest, shrink
from .wal import Watch, is_next

log = logging.getLogger("promptdeck")

CACHE = "cache"
"""The name of the tape that is not made from a cassette."""

_QUIET = 1.0
"""Seconds without a write, after which fresh recordings are packed."""
_FRESH_BYTES = 32 * 1024 * 1024
"""From so much on, writes wait for packing."""
_LOG_BYTES = 4 * 1024 * 1024
"""What the write-ahead log may keep of a burst."""
_CHANGES = 256
"""Commits that are remembered for readers; with nobody reading, none needs to be."""
_NICER = 10
"""By so much less than the loop the thread presses for a core: a tenth of its share."""
_LAST = 0.05
"""Seconds that closing takes for packing; who opens the file next does the rest."""

Job = Callable[[sqlite3.Connection], Any]


class Commit(NamedTuple):
    """What one commit of this process did to what can be found."""

    after: bytes
    keys: Collection[str]
    """Under all others, what was found before is what is found after."""


class _Submitted(NamedTuple):
    job: Job
    done: asyncio.Future[Any]
    fresh: int
    keys: Collection[str] | None
    touched: dict[int, float]
    alone: bool
    """In no transaction."""


class _Outcome(NamedTuple):
    done: asyncio.Future[Any]
    result: Any
    error: Exception | None = None

    def give(self) -> None:
        if self.done.done():  # who asked has given up
            return
        if self.error is None:
            self.done.set_result(self.result)
        else:
            self.done.set_exception(self.error)


class Writer:
    """Runs jobs in the order they came, those that wait together in one transaction."""

    def __init__(self, path: Path, max_bytes: int) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._queue: SimpleQueue[_Submitted | None] = SimpleQueue()
        self._closing = False
        self._touched: dict[int, float] = {}
        self.changes: dict[bytes, Commit] = {}
        """By the state before, for who reads in this process; what is not here may be anything."""
        # From here on the thread's own.
        self._pause: float | None = _QUIET
        """Seconds to wait for a write before some is packed; None where all is."""
        self._fresh_bytes = self._packed_to = 0
        self._before = b""

    # On the loop

    def start(self, watch: Watch) -> None:
        self._watch = watch
        self._loop = asyncio.get_running_loop()
        self._ended = self._loop.create_future()
        # A process that ends without closing shall not wait for it.
        self._thread = Thread(target=self._work, name="store writer", daemon=True)
        self._thread.start()

    async def close(self) -> None:
        """Once all that has been submitted is written."""
        last = [self._ask(lambda _: None)] if self._touched else []
        self._closing = True
        self._queue.put(None)
        try:
            await asyncio.gather(*last, self._ended, return_exceptions=True)
        finally:
            # Though this be cancelled: who closes what else holds the file open must come after.
            self._thread.join()

    def touch(self, n: int, now: float) -> None:
        """Note that a recording was used; no write."""
        self._touched[n] = now

    async def submit(self, job: Job, *, fresh: int = 0, keys: Collection[str] | None = None) -> Any:
        """Run `job` in the next transaction and return its result once that is committed.

        It runs on the writer's thread. `fresh` is how many bytes of recordings it
        brings; `keys`, if given, are all under which it changes what is found.
        """
        return await self._ask(job, fresh=fresh, keys=keys)

    async def run(self, work: Job) -> Any:
        """Run `work` in no transaction."""
        return await self._ask(work, alone=True)

    async def pack(self) -> None:
        """Pack what is fresh, now. Unless asked to, that happens when nothing is written."""
        await self.run(lambda _: self._pack(math.inf))

    def _ask(
        self,
        job: Job,
        *,
        fresh: int = 0,
        keys: Collection[str] | None = None,
        alone: bool = False,
    ) -> asyncio.Future[Any]:
        if self._closing:
            raise StoreUnavailable(f"{self._path} is being closed")
        done: asyncio.Future[Any] = self._loop.create_future()
        touched, self._touched = self._touched, {}
        self._queue.put(_Submitted(job, done, fresh, keys, touched, alone))
        return done

    def _settle(self, answers: Sequence[_Outcome], lost: dict[int, float]) -> None:
        if lost:
            self._touched = lost | self._touched
        for answer in answers:
            answer.give()

    # On the thread

    def _work(self) -> None:
        _stand_back()
        try:
            while self._round():
                pass
            self._pack(_LAST)
            if "_connection" in self.__dict__:
                self._connection.close()
        finally:
            self._loop.call_soon_threadsafe(_Outcome(self._ended, None).give)

    @cached_property
    def _connection(self) -> sqlite3.Connection:
        """Made when it is needed: to serve hits, it is not."""
        db = connect(self._path)
        # Most of what is fresh is packed before it would be copied from the log into the file.
        [(page,)] = db.execute("PRAGMA page_size")
        db.execute(f"PRAGMA wal_autocheckpoint = {_FRESH_BYTES // page}")
        db.execute(f"PRAGMA journal_size_limit = {_LOG_BYTES}")
        return db

    def _round(self) -> bool:
        """Do what has queued, or pack where nothing does; False after the last."""
        if self._fresh_bytes > _FRESH_BYTES:
            self._pack_some()
        queued = self._queued()
        if not queued:
            self._pack_some()
        for alone, asked in groupby(filter(None, queued), key=lambda one: one.alone):
            for group in ([one] for one in asked) if alone else [list(asked)]:
                answers, lost = self._done(group)
                self._loop.call_soon_threadsafe(self._settle, answers, lost)
        return not queued or queued[-1] is not None

    def _queued(self) -> list[_Submitted | None]:
        """All that is there; where nothing is, what comes first; nothing where it is quiet."""
        queued: list[_Submitted | None] = []
        with contextlib.suppress(Empty):
            queued.append(self._queue.get(timeout=self._pause))
            while True:
                queued.append(self._queue.get_nowait())
        return queued

    def _done(self, asked: list[_Submitted]) -> tuple[list[_Outcome], dict[int, float]]:
        """All in one transaction; if one fails, each in its own, so that only it does.

        Returns the answers, and what was touched and could not be written.
        """
        touched = {n: when for one in asked for n, when in one.touched.items()}
        try:
            if asked[0].alone:
                return [_Outcome(asked[0].done, asked[0].job(self._connection))], touched
            results = self._transaction([one.job for one in asked], touched)
        except Exception as error:  # noqa: BLE001  whatever a job raises is for who asked for it
            if len(asked) > 1 and not is_locked(error):
                answers, lost = zip(*[self._done([one]) for one in asked], strict=True)
                return [*chain(*answers)], dict(ChainMap(*lost))
            why = f"cannot write {self._path}: {error}"
            return [_Outcome(one.done, None, StoreUnavailable(why)) for one in asked], touched
        keys = [one.keys for one in asked]
        if None not in keys:
            self._tell({*chain(*filter(None, keys))})
        self._pause = _QUIET
        self._fresh_bytes += sum([one.fresh for one in asked])
        return [_Outcome(one.done, result) for one, result in zip(asked, results, strict=True)], {}

    def _transaction(self, jobs: list[Job], touched: dict[int, float]) -> list[Any]:
        db = self._connection
        try:
            db.execute("BEGIN IMMEDIATE")
            self._before = self._watch.mark()
            for table in ("packed", "recording") if touched else ():
                db.executemany(
                    f"UPDATE {table} SET used_at = ? WHERE n = ?",
                    [(when, n) for n, when in touched.items()],
                )
            results = [job(db) for job in jobs]
            db.execute("COMMIT")
        except BaseException:
            # SQLite ends a transaction by itself where the disk is full.
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        return results

    def _tell(self, keys: Collection[str]) -> None:
        """Nobody commits while a writer is at work, so that the next commit was this one."""
        after = self._watch.mark()
        if is_next(self._before, after):
            if len(self.changes) >= _CHANGES:
                self.changes.clear()
            self.changes[self._before] = Commit(after, keys)

    def _pack(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while self._pause is not None and time.monotonic() < end:
            self._pack_some()

    def _pack_some(self) -> None:
        """Pack some of what is fresh, and evict: only what is packed counts.

        What cannot be packed now is tried after the next write.
        """
        began = time.monotonic()
        pack = partial(pack_oldest, after=self._packed_to)
        evict = partial(limit, name=CACHE, most=self._max_bytes)
        try:
            done, evicted = self._transaction([pack, evict], {})
            if not evicted:
                self._tell(())
            more = done.last is not None or shrink(self._connection)
            if not more:
                # The log goes into the file while nobody waits for a commit.
                self._connection.execute("PRAGMA wal_checkpoint").fetchall()
        except Exception as error:  # noqa: BLE001  whatever it is, the recordings are there as they are
            log.warning("cannot pack the recordings in %s: %s", self._path, error)
            done, more = Done(None, 0), False
        # It shares a core with whoever answers: half of it is enough.
        self._pause = time.monotonic() - began if more else None
        self._packed_to = done.last or 0
        self._fresh_bytes = max(0, self._fresh_bytes - done.size) if more else 0


def _stand_back() -> None:
    """Where the loop and this thread want the same core, the loop has it: a client waits there."""
    if sys.platform == "linux":  # where each thread has a niceness of its own: sched(7)
        me = get_native_id()
        with contextlib.suppress(OSError):
            nice = os.getpriority(os.PRIO_PROCESS, me) + _NICER
            os.setpriority(os.PRIO_PROCESS, me, nice)  # the system has 19 for more than that

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
"""Seconds without a write, after which fresh recordings are packed. Pauses within a burst are
mostly shorter, and packing costs ten times what writing does: it shall be in nobody's way."""
_FRESH_BYTES = 32 * 1024 * 1024
"""From so many bytes of fresh recordings on, writes wait for packing.

A store that is never quiet would outgrow its limit, which counts what is packed: this much
is what it may be over. 6,000 chats of 5 KB are a long burst."""
_LOG_BYTES = 4 * 1024 * 1024
"""Bytes that the write-ahead log keeps of the disk after a burst: what SQLite lets it grow to
by default, 1000 pages of 4 KB."""
_CHANGES = 256
"""Commits that are remembered for readers. Who reads takes them out at each read; with nobody
reading, none is needed, so that they may all be forgotten at once."""
_NICER = 10
"""Steps of niceness that the thread has beyond its loop: a tenth of the loop's share of a core
that both want (sched(7): 1.25 a step). A client waits for the loop, nobody for packing."""
_PATIENCE = 12
"""Attempts at a file that another process has locked, `busy_timeout` each: a minute. A VACUUM of
10 GB takes about that (`store clear`); who is stopped in a debugger holds it for longer."""
_WAITING_BYTES = 256 * 1024 * 1024
"""Bytes of recordings that may wait for such a file, eight answers of the largest size; with
more of them it is given up sooner."""
_LAST = 0.05
"""Seconds that closing takes for packing, which nobody notices; who opens the file next does
the rest."""

Job = Callable[[sqlite3.Connection], Any]
"""What is done in a transaction: it neither begins nor ends one."""


class Commit(NamedTuple):
    """The change that one commit of this process made to what can be found."""

    after: bytes
    """The state of the file that it led to, as `Watch.mark` tells it."""
    keys: Collection[str]
    """Under all other fingerprints, what was found before is what is found after."""


class _Submitted(NamedTuple):
    """A job on its way to the thread; the arguments of `submit`, and what goes with it."""

    job: Job
    done: asyncio.Future[Any]
    fresh: int
    keys: Collection[str] | None
    touched: dict[int, float]
    """Recordings that were used since the job before, and when."""
    alone: bool
    """The job runs in no transaction."""


class _Outcome(NamedTuple):
    """A job's result or error on its way back to the loop."""

    done: asyncio.Future[Any]
    result: Any
    error: Exception | None = None

    def give(self) -> None:
        """Tell who submitted the job; on the loop."""
        if self.done.done():  # who asked has given up
            return
        if self.error is None:
            self.done.set_result(self.result)
        else:
            self.done.set_exception(self.error)


class Writer:
    """Runs jobs in the order they came, those that wait together in one transaction.

    `start` it on a running loop; `close` it before whatever else has the file open.
    """

    def __init__(self, path: Path, max_bytes: int) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._queue: SimpleQueue[_Submitted | None] = SimpleQueue()
        self._closing = False
        self._waiting_bytes = 0
        """Of the recordings that are on their way to the thread."""
        self._touched: dict[int, float] = {}
        self.changes: dict[bytes, Commit] = {}
        """Commits of this process by the state before each. One reader takes them out.

        A change of state that is not here may have changed anything.
        """
        # From here on the thread's own.
        self._pause: float | None = _QUIET
        """Seconds to wait for a write before some is packed; None where all is."""
        self._fresh_bytes = 0
        """About how much has been written since all was packed."""
        self._packed_to = 0
        """The number of the last recording that packing has looked at; 0 to look at all."""
        self._before = b""
        """The state of the file when the last transaction began."""
        self._locked = False
        """True after a lock was told of, until something is written."""

    # On the loop

    def start(self, watch: Watch) -> None:
        """Begin to take jobs; `watch` tells the state of the same file."""
        self._watch = watch
        self._loop = asyncio.get_running_loop()
        self._ended = self._loop.create_future()
        # A process that ends without closing shall not wait for it.
        self._thread = Thread(target=self._work, name="store writer", daemon=True)
        self._thread.start()

    async def close(self) -> None:
        """Write all that has been submitted, then end the thread; later jobs are refused."""
        last = [self._ask(lambda _: None)] if self._touched else []
        self._closing = True
        self._queue.put(None)
        try:
            await asyncio.gather(*last, self._ended, return_exceptions=True)
        finally:
            # Though this be cancelled: who closes what else holds the file open must come after.
            self._thread.join()

    def touch(self, n: int, now: float) -> None:
        """Note that recording `n` was used at `now`; written with the next job."""
        self._touched[n] = now

    async def submit(self, job: Job, *, fresh: int = 0, keys: Collection[str] | None = None) -> Any:
        """Run `job` in the next transaction and return its result once that is committed.

        It runs on the writer's thread, perhaps twice: where another job of the transaction
        fails, each is run again by itself. `fresh` is how many bytes of recordings it
        brings; `keys`, if given, are all fingerprints under which it changes what is found.
        A file that another process has locked is waited for, a minute at most.
        StoreUnavailable for whatever it or the commit raises.
        """
        self._waiting_bytes += fresh
        try:
            return await self._ask(job, fresh=fresh, keys=keys)
        finally:
            self._waiting_bytes -= fresh

    async def run(self, work: Job) -> Any:
        """Run `work` on the writer's thread and connection, in no transaction."""
        return await self._ask(work, alone=True)

    async def pack(self) -> None:
        """Pack all that is fresh, now. By itself that happens when nothing is written."""
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
        """Give the answers, on the loop. What was touched and `lost` goes with the next job."""
        if lost:
            self._touched = lost | self._touched
        for answer in answers:
            answer.give()

    # On the thread

    def _work(self) -> None:
        """All that the thread does, until the writer is closed."""
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
        """The writer's connection, made when it is needed: to serve hits, it is not."""
        db = connect(self._path)
        # Most of what is fresh is packed before it would be copied from the log into the file.
        [(page,)] = db.execute("PRAGMA page_size")
        db.execute(f"PRAGMA wal_autocheckpoint = {_FRESH_BYTES // page}")
        db.execute(f"PRAGMA journal_size_limit = {_LOG_BYTES}")
        return db

    def _round(self) -> bool:
        """Do what has queued, or pack where nothing has; False when the writer is to end."""
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
        """Take all that has queued; where nothing has, wait for it, at most for the pause.

        None is the sign to end. Nothing came where the list is empty.
        """
        queued: list[_Submitted | None] = []
        with contextlib.suppress(Empty):
            queued.append(self._queue.get(timeout=self._pause))
            while True:
                queued.append(self._queue.get_nowait())
        return queued

    def _done(self, asked: list[_Submitted]) -> tuple[list[_Outcome], dict[int, float]]:
        """Run jobs in one transaction; if one fails, each in its own, so that only it does.

        A file that is locked is so for all: they wait together, and fail together.
        Returns the answers, and what was touched and could not be written.
        """
        touched = {n: when for one in asked for n, when in one.touched.items()}
        try:
            if asked[0].alone:
                return [_Outcome(asked[0].done, asked[0].job(self._connection))], touched
            results = self._patiently([one.job for one in asked], touched)
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

    def _patiently(self, jobs: list[Job], touched: dict[int, float]) -> list[Any]:
        """`_transaction`, again while another process has the file locked, within bounds.

        What was recorded would be lost otherwise: nobody asks upstream for it again.
        """
        for attempt in range(1, _PATIENCE + 1):
            try:
                results = self._transaction(jobs, touched)
            except Exception as error:
                # Who closes waits for one attempt at most.
                over = self._closing or self._waiting_bytes > _WAITING_BYTES
                if over or attempt == _PATIENCE or not is_locked(error):
                    raise
                if not self._locked:
                    self._locked = True
                    log.warning(
                        "another process has %s locked; what is recorded waits for it", self._path
                    )
            else:
                self._locked = False
                return results
        raise AssertionError("the last attempt returns or raises")

    def _transaction(self, jobs: list[Job], touched: dict[int, float]) -> list[Any]:
        """Run jobs and note what was touched in one transaction; the results of the jobs.

        Where anything raises, nothing of it is done.
        """
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
        """Remember for readers that the last commit changed what is found under `keys` alone.

        From `_before` to the commit nobody else can write; a commit that came after it shows,
        as the state is then two steps on, and nothing is remembered.
        """
        after = self._watch.mark()
        if is_next(self._before, after):
            if len(self.changes) >= _CHANGES:
                self.changes.clear()
            self.changes[self._before] = Commit(after, keys)

    def _pack(self, seconds: float) -> None:
        """Pack until all is packed or so many seconds are over."""
        end = time.monotonic() + seconds
        while self._pause is not None and time.monotonic() < end:
            self._pack_some()

    def _pack_some(self) -> None:
        """Pack some of what is fresh, in one transaction, and evict: only what is packed counts.

        Sets the pause until the next time. What cannot be packed now is tried after the
        next write.
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
        # It may share a core with whoever answers: with a pause as long as the work, hits over
        # one connection come at half their rate meanwhile; without one it was a quarter.
        self._pause = time.monotonic() - began if more else None
        self._packed_to = done.last or 0
        self._fresh_bytes = max(0, self._fresh_bytes - done.size) if more else 0


def _stand_back() -> None:
    """Make the calling thread nicer than the others: a client waits for the loop, not for this."""
    if sys.platform == "linux":  # where each thread has a niceness of its own: sched(7)
        me = get_native_id()
        with contextlib.suppress(OSError):
            nice = os.getpriority(os.PRIO_PROCESS, me) + _NICER
            os.setpriority(os.PRIO_PROCESS, me, nice)  # the system has 19 for more than that

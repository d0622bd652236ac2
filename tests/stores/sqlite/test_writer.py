"""Writes: grouped, each failing alone, and with them eviction."""

import asyncio
import gc
import os
import sqlite3
import sys
import threading
import weakref
from contextlib import closing

import pytest

from promptdeck.errors import StoreUnavailable
from promptdeck.stores.sqlite import writer
from promptdeck.stores.sqlite.database import Database
from promptdeck.stores.sqlite.migrations import connect
from promptdeck.stores.sqlite.tape import Tape, cache_tape
from promptdeck.stores.sqlite.writer import Writer
from tests.recordings import conversation, interaction, opened, stored
from tests.stores.sqlite import count, fill, found, on_writer, put, size, traced

# Grouping


async def test_puts_at_once_share_few_transactions(path):
    async with opened(path) as database:
        tape = await cache_tape(database)
        statements = await traced(database)
        await asyncio.gather(*(put(tape, conversation(n)) for n in range(100)))
        assert statements.count("COMMIT") <= 3
        assert count(path) == 100


async def test_a_lone_put_waits_for_nobody(path):
    async with opened(path) as database:
        tape = await cache_tape(database)
        statements = await traced(database)
        for n in range(3):
            await put(tape, conversation(n))
        assert statements.count("COMMIT") == 3


@pytest.mark.parametrize(
    "error",
    [sqlite3.OperationalError("x"), TypeError("x"), OverflowError("x"), KeyError("x")],
    ids=lambda error: type(error).__name__,
)
async def test_a_job_that_fails_fails_alone(path, error):
    def bad(db):
        db.execute("DELETE FROM recording")
        raise error

    async with opened(path) as database:
        tape = await cache_tape(database)
        await put(tape, interaction("first"))
        jobs = [put(tape, conversation(0)), database.submit(bad), put(tape, conversation(1))]
        before, failed, after = await asyncio.gather(*jobs, return_exceptions=True)
        assert isinstance(failed, StoreUnavailable)
        assert str(failed) == f"cannot write {path}: {error}"
        assert found(tape, before) == [before]
        assert found(tape, after) == [after]
        assert count(path) == 3


async def test_a_caller_that_gives_up_leaves_the_others_alone(path):
    async with opened(path) as database:
        tape = await cache_tape(database)
        tasks = [asyncio.ensure_future(put(tape, conversation(n))) for n in range(3)]  # noqa: TID251
        await asyncio.sleep(0)
        tasks[1].cancel()
        first, gone, last = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(gone, asyncio.CancelledError)
        assert found(tape, first) == [first]
        assert found(tape, last) == [last]


async def test_what_cannot_be_stored_is_unavailable_and_nothing_else_suffers(path):
    async with opened(path) as database:
        tape = await cache_tape(database)
        with pytest.raises(StoreUnavailable, match="cannot write"):
            await put(tape, interaction(at="caf\udce9"))
        kept = await put(tape, interaction())
        assert found(tape, kept) == [kept]


@pytest.mark.skipif(sys.platform != "linux", reason="threads have no niceness of their own")
async def test_the_writer_leaves_a_contested_core_to_the_loop(path):
    def niceness(_=None):
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    async with opened(path) as database:
        theirs = await database.submit(niceness)
    assert theirs > niceness() or theirs == 19


async def test_closing_writes_all_that_is_queued(path):
    async with asyncio.TaskGroup() as tasks:
        async with Database(path, 10**9) as database:
            tape = await cache_tape(database)
            puts = [tasks.create_task(put(tape, conversation(n))) for n in range(25)]
            await asyncio.sleep(0)
            while not database._writer._queue.empty():
                await asyncio.sleep(0)
            # The first are being written; these come behind.
            puts += [tasks.create_task(put(tape, conversation(n))) for n in range(25, 50)]
            await asyncio.sleep(0)
        assert count(path) == 50
        with pytest.raises(StoreUnavailable, match="is being closed"):
            await put(tape, interaction())
    assert len({task.result().id for task in puts}) == 50


async def test_a_cancelled_group_closes_the_file_and_comes_to_an_end(path):
    async def fail():
        raise LookupError

    with pytest.raises(ExceptionGroup) as group:
        async with asyncio.TaskGroup() as tasks, Database(path, 10**9) as database:
            await put(await cache_tape(database), interaction())
            tasks.create_task(fail())
            await asyncio.sleep(10)
    assert [type(error) for error in group.value.exceptions] == [LookupError]
    with pytest.raises(StoreUnavailable, match="closed database"):
        database.find("p1:0")
    with pytest.raises(StoreUnavailable, match="is being closed"):
        await database.pack()
    assert count(path) == 1


async def test_who_writes_when_the_group_is_being_cancelled_is_served(path):
    async def fail():
        raise LookupError

    kept = []
    with pytest.raises(ExceptionGroup):
        async with asyncio.TaskGroup() as tasks, Database(path, 10**9) as database:
            tape = await cache_tape(database)
            tasks.create_task(fail())
            try:
                await asyncio.sleep(10)
            finally:
                # As what is closed before the store does, when the server ends with an error.
                async with asyncio.timeout(30):
                    kept = await asyncio.gather(*(put(tape, conversation(n)) for n in range(3)))
    assert count(path) == len(kept) == 3


async def test_what_a_job_brought_is_let_go_when_it_is_done(tmp_path):
    class Cargo:
        pass

    def job_with(cargo):
        def job(db):
            return cargo is not None

        return job

    cargo = Cargo()
    gone = weakref.ref(cargo)
    async with opened(tmp_path / "store.db") as database:
        assert await database.submit(job_with(cargo))
        del cargo
        while gone() is not None:
            await asyncio.sleep(0.01)
            gc.collect()


async def test_a_full_disk_fails_the_put_by_name_and_leaves_what_was(path):
    async with opened(path) as database:
        tape = await cache_tape(database)
        first = await put(tape, interaction("first"))

        def allow(db, pages):
            [(now,)] = db.execute("PRAGMA page_count")
            db.execute(f"PRAGMA max_page_count = {now + pages}")

        await on_writer(database, lambda db: allow(db, 0))
        kept = []
        with pytest.raises(StoreUnavailable, match="database or disk is full"):
            while True:
                kept.append(await put(tape, conversation(len(kept))))
        assert found(tape, first) == [first]
        assert [found(tape, one) for one in kept] == [[one] for one in kept]
        await on_writer(database, lambda db: allow(db, 1000))
        again = await put(tape, conversation(100))
        assert found(tape, again) == [again]


async def test_a_file_that_somebody_else_locks_fails_all_that_wait_at_once(path):
    async with opened(path) as database:
        tape = await cache_tape(database)
        await on_writer(database, lambda db: db.execute("PRAGMA busy_timeout = 30"))
        with closing(connect(path)) as other:
            other.execute("BEGIN IMMEDIATE")
            statements = await traced(database)
            puts = (put(tape, conversation(n)) for n in range(20))
            failed = await asyncio.gather(*puts, return_exceptions=True)
            # The first may have been alone.
            assert statements.count("BEGIN IMMEDIATE") <= 2 * writer._PATIENCE
            assert {str(error) for error in failed} == {f"cannot write {path}: database is locked"}
            assert found(tape, conversation(0)) == []
        assert await put(tape, conversation(0))


@pytest.fixture
def attempts(monkeypatch):
    """A list with one item for each attempt at a transaction."""
    made = []
    transaction = Writer._transaction

    def attempt(self, *args):
        made.append(args)
        return transaction(self, *args)

    monkeypatch.setattr(Writer, "_transaction", attempt)
    return made


async def test_a_write_waits_for_a_file_that_is_locked_for_long_and_that_is_told_once(
    path, attempts, caplog
):
    async with opened(path) as database:
        tape = await cache_tape(database)
        await on_writer(database, lambda db: db.execute("PRAGMA busy_timeout = 1"))
        for n in range(2):
            attempts.clear()
            with closing(connect(path)) as other:
                other.execute("BEGIN IMMEDIATE")
                puts = asyncio.gather(*(put(tape, conversation(m)) for m in range(n, n + 5)))
                while len(attempts) < 4:
                    await asyncio.sleep(0)
                other.execute("ROLLBACK")
            kept = await puts
            assert all(one in found(tape, one) for one in kept)
            assert caplog.text.count("another process has") == n + 1


async def test_a_locked_file_is_given_up_sooner_where_much_waits(path, attempts, monkeypatch):
    monkeypatch.setattr(writer, "_WAITING_BYTES", 10_000)
    async with opened(path) as database:
        tape = await cache_tape(database)
        await on_writer(database, lambda db: db.execute("PRAGMA busy_timeout = 1"))
        with closing(connect(path)) as other:
            other.execute("BEGIN IMMEDIATE")
            attempts.clear()
            puts = (put(tape, conversation(n)) for n in range(20))
            failed = await asyncio.gather(*puts, return_exceptions=True)
            assert len(attempts) < writer._PATIENCE
        assert all(isinstance(error, StoreUnavailable) for error in failed)


# Eviction


async def test_the_cache_stays_within_its_limit(path):
    async with opened(path, max_bytes=10_000) as database:
        tape = await cache_tape(database)
        await fill(tape, range(40))
        await database.pack()
        assert 8_000 < size(path) <= 10_000
        assert found(tape, conversation(0)) == []
        assert len(found(tape, conversation(39))) == 1


async def test_what_was_used_last_goes_last(path):
    async with opened(path) as database:
        await fill(await cache_tape(database), range(10))
    limit = size(path)
    async with opened(path, max_bytes=limit) as database:
        tape = await cache_tape(database)
        for n in (0, 3):
            assert found(tape, conversation(n))
        await fill(tape, range(10, 14))
        await database.pack()
        assert found(tape, conversation(0))
        assert found(tape, conversation(3))
        assert not found(tape, conversation(1))


async def test_reading_writes_nothing_until_there_is_a_write(path):
    async with opened(path) as database:
        tape = await cache_tape(database)
        await fill(tape, range(3))
        statements = await traced(database)
        for _ in range(5):
            found(tape, conversation(1))
        assert statements == []
        await put(tape, conversation(3))
        assert (
            sum(statement.startswith("UPDATE recording SET used_at") for statement in statements)
            == 1
        )


async def test_recency_survives_a_restart(path):
    async with opened(path) as database:
        tape = await cache_tape(database)
        await fill(tape, range(4))
        await database.pack()
        limit = size(path)
        found(tape, conversation(0))
    async with opened(path, max_bytes=limit) as database:
        tape = await cache_tape(database)
        await fill(tape, [4])
        await database.pack()
        assert found(tape, conversation(0))
        assert not found(tape, conversation(1))


async def test_recency_survives_a_write_that_fails(path):
    def bad(db):
        raise ValueError

    async with opened(path) as database:
        await fill(await cache_tape(database), range(4))
    async with opened(path, max_bytes=size(path)) as database:
        tape = await cache_tape(database)
        found(tape, conversation(0))
        with pytest.raises(StoreUnavailable):
            await database.submit(bad)
        await fill(tape, [4])
        await database.pack()
        assert found(tape, conversation(0))


async def test_large_answers_are_packed_though_it_is_never_quiet(path):
    async with opened(path, max_bytes=1_000_000) as database:
        tape = await cache_tape(database)
        for n in range(36):
            await put(tape, interaction(str(n), "x" * 1_000_000))
        assert count(path, "packed") > 0


async def test_the_index_of_cassettes_is_no_part_of_the_limit(path):
    async with opened(path, max_bytes=10) as database:
        rows = [stored(conversation(n)) for n in range(5)]
        tape = Tape(database, (await database.index("x", "", rows),))
        await put(await cache_tape(database), interaction())
        assert len(list(tape.canonicals())) == 5

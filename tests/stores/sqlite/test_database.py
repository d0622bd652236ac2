"""The SQLite store: grouped writes, eviction, other processes, and every way to go wrong."""

import asyncio
import contextlib
import gc
import os
import random
import signal
import sqlite3
import sys
import threading
import weakref
from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptdeck.errors import StoreError, StoreUnavailable
from promptdeck.stores.kept.completions import Completions
from promptdeck.stores.kept.slips import Slips
from promptdeck.stores.sqlite.admin import cached, clear, statistics
from promptdeck.stores.sqlite.database import Database, Tape
from promptdeck.stores.sqlite.schema import PIECE_BYTES, connect
from tests.recordings import (
    conversation,
    interaction,
    nameless,
    opened,
    python,
    start_together,
    stored,
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store.db"


async def put(tape, recording, **more):
    return await tape.put(*stored(recording, **more), replace=False)


def found(tape, recording):
    return [row.interaction for row in tape.find(stored(recording)[0])]


def count(path, *tables):
    with closing(connect(path)) as db:
        return sum(
            db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in tables or ("recording", "packed")
        )


async def traced(database):
    """The statements that the writer runs from now on."""
    statements = []
    await on_writer(database, lambda db: db.set_trace_callback(statements.append))
    return statements


async def on_writer(database, work):
    return await database._writer.run(work)


# Keeping


async def test_what_was_put_is_there_after_reopening(path):
    async with opened(path) as database:
        tape = await database.cache_tape()
        kept = [await put(tape, interaction("a", str(n))) for n in range(3)]
    async with opened(path) as database:
        tape = await database.cache_tape()
        assert found(tape, interaction("a")) == kept
        assert (await put(tape, interaction("a"))).id.endswith("-4")


async def test_put_returns_when_another_process_can_read_it(path):
    async with opened(path) as database:
        tape = await database.cache_tape()
        await put(tape, interaction())
        assert count(path) == 1


async def test_when_it_expires_is_kept(path):
    async with opened(path) as database:
        tape = await database.cache_tape()
        await put(tape, interaction("a"), expires_at=12.5)
        await put(tape, interaction("b"))
        assert [row.expires_at for row in tape.find(stored(interaction("a"))[0])] == [12.5]
        assert [row.expires_at for row in tape.find(stored(interaction("b"))[0])] == [None]


async def test_a_tape_over_several_reads_them_in_the_order_given(path):
    async with opened(path) as database:
        one, two, three = [
            await database.index(name, "", [stored(interaction("a", name))])
            for name in ("one", "two", "three")
        ]
        tape = Tape(database, (three, one))
        assert [row.response.body.count(b"three") for row in found(tape, interaction("a"))] == [
            1,
            0,
        ]
        assert len(list(tape.canonicals())) == 2
        assert two not in tape.tapes


# Grouping writes


async def test_puts_at_once_share_few_transactions(path):
    async with opened(path) as database:
        tape = await database.cache_tape()
        statements = await traced(database)
        await asyncio.gather(*(put(tape, conversation(n)) for n in range(100)))
        assert statements.count("COMMIT") <= 3
        assert count(path) == 100


async def test_a_lone_put_waits_for_nobody(path):
    async with opened(path) as database:
        tape = await database.cache_tape()
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
        tape = await database.cache_tape()
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
        tape = await database.cache_tape()
        tasks = [asyncio.ensure_future(put(tape, conversation(n))) for n in range(3)]  # noqa: TID251
        await asyncio.sleep(0)
        tasks[1].cancel()
        first, gone, last = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(gone, asyncio.CancelledError)
        assert found(tape, first) == [first]
        assert found(tape, last) == [last]


async def test_what_cannot_be_stored_is_unavailable_and_nothing_else_suffers(path):
    async with opened(path) as database:
        tape = await database.cache_tape()
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
            tape = await database.cache_tape()
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
            await put(await database.cache_tape(), interaction())
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
            tape = await database.cache_tape()
            tasks.create_task(fail())
            try:
                await asyncio.sleep(10)
            finally:
                # As what is closed before the store does, when the server ends with an error.
                async with asyncio.timeout(30):
                    kept = await asyncio.gather(*(put(tape, conversation(n)) for n in range(3)))
    assert count(path) == len(kept) == 3


# Eviction


def weight(database):
    """What all that is packed weighs, added up anew."""
    [(rows,)] = database.query("SELECT coalesce(sum(bytes), 0) FROM packed")
    [(pieces,)] = database.query(
        "SELECT coalesce(sum(length(data) + ?), 0) FROM piece", PIECE_BYTES
    )
    return rows + pieces


async def fill(tape, prompts):
    return [await put(tape, conversation(n)) for n in prompts]


def size(path):
    return statistics(path)["bytes"]


async def test_the_cache_stays_within_its_limit(path):
    async with opened(path, max_bytes=10_000) as database:
        tape = await database.cache_tape()
        await fill(tape, range(40))
        await database.pack()
        assert 8_000 < size(path) <= 10_000
        assert found(tape, conversation(0)) == []
        assert len(found(tape, conversation(39))) == 1


async def test_what_was_used_last_goes_last(path):
    async with opened(path) as database:
        await fill(await database.cache_tape(), range(10))
    limit = size(path)
    async with opened(path, max_bytes=limit) as database:
        tape = await database.cache_tape()
        for n in (0, 3):
            assert found(tape, conversation(n))
        await fill(tape, range(10, 14))
        await database.pack()
        assert found(tape, conversation(0))
        assert found(tape, conversation(3))
        assert not found(tape, conversation(1))


async def test_reading_writes_nothing_until_there_is_a_write(path):
    async with opened(path) as database:
        tape = await database.cache_tape()
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
        tape = await database.cache_tape()
        await fill(tape, range(4))
        await database.pack()
        limit = size(path)
        found(tape, conversation(0))
    async with opened(path, max_bytes=limit) as database:
        tape = await database.cache_tape()
        await fill(tape, [4])
        await database.pack()
        assert found(tape, conversation(0))
        assert not found(tape, conversation(1))


async def test_recency_survives_a_write_that_fails(path):
    def bad(db):
        raise ValueError

    async with opened(path) as database:
        await fill(await database.cache_tape(), range(4))
    async with opened(path, max_bytes=size(path)) as database:
        tape = await database.cache_tape()
        found(tape, conversation(0))
        with pytest.raises(StoreUnavailable):
            await database.submit(bad)
        await fill(tape, [4])
        await database.pack()
        assert found(tape, conversation(0))


async def test_large_answers_are_packed_though_it_is_never_quiet(path):
    async with opened(path, max_bytes=1_000_000) as database:
        tape = await database.cache_tape()
        for n in range(36):
            await put(tape, interaction(str(n), "x" * 1_000_000))
        assert count(path, "packed") > 0


async def test_the_index_of_cassettes_is_no_part_of_the_limit(path):
    async with opened(path, max_bytes=10) as database:
        rows = [stored(conversation(n)) for n in range(5)]
        tape = Tape(database, (await database.index("x", "", rows),))
        await put(await database.cache_tape(), interaction())
        assert len(list(tape.canonicals())) == 5


async def test_replacing_counts_only_what_is_there(path):
    async with opened(path) as database:
        tape = await database.cache_tape()
        await fill(tape, [0])
        once = size(path)
        for _ in range(5):
            await tape.put(*stored(conversation(0)), replace=True)
        assert size(path) == once


# Other processes


async def test_what_another_process_clears_is_found_no_more(path):
    async with opened(path) as database:
        tape = await database.cache_tape()
        await put(tape, interaction())
        assert found(tape, interaction())
        assert python("print(clear(path))", path).communicate() == ("1\n", "")
        assert found(tape, interaction()) == []
        await put(tape, interaction())
        assert len(found(tape, interaction())) == 1


async def test_clearing_forgets_stored_and_deferred_answers_too(path):
    async with opened(path) as database:
        await Completions(database, lasting=True).put({"id": "c"}, [], {})
        await Slips(database).open("s")
    assert (count(path, "completion"), count(path, "slip")) == (1, 1)
    clear(path)
    assert (count(path, "completion"), count(path, "slip")) == (0, 0)


async def test_what_another_process_puts_is_found_at_once(path):
    script = """
async def main():
    async with opened(path) as database:
        tape = await database.cache_tape()
        await tape.put(*stored(interaction("a", "theirs")), replace=False)
asyncio.run(main())
"""
    async with opened(path) as database:
        tape = await database.cache_tape()
        ours = await put(tape, interaction("a", "ours"))
        assert found(tape, interaction("a")) == [ours]
        assert python(script, path).communicate() == ("", "")
        assert [one.id[-2:] for one in found(tape, interaction("a"))] == ["-1", "-2"]


async def test_what_was_found_is_at_hand_until_it_may_have_changed(path):
    async with opened(path) as database:
        tape = await database.cache_tape()
        first = await put(tape, interaction("a"))
        assert found(tape, first) == [first]
        statements = []
        database._reader.set_trace_callback(statements.append)
        await put(tape, interaction("b"))
        await database.pack()
        assert found(tape, first) == [first]
        assert statements == []
        assert len(found(tape, interaction("b"))) == 1
        second = await put(tape, interaction("a"))
        assert found(tape, first) == [first, second]
        statements.clear()
        with closing(connect(path)) as db:
            db.execute("DELETE FROM packed")
        assert found(tape, first) == [second]
        assert statements != []


async def test_what_is_evicted_is_found_no_more(path):
    async with opened(path, max_bytes=3000) as database:
        tape = await database.cache_tape()
        kept = await put(tape, conversation(0))
        await database.pack()
        # As a tape does, but that it is no use.
        assert database.find(kept.key)
        await fill(tape, range(1, 20))
        await database.pack()
        assert not database.find(kept.key)


_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["put", "replace", "find", "find", "pack", "forget"]),
        st.integers(0, 1),
        st.integers(0, 3),
    ),
    max_size=40,
)


@settings(deadline=None, max_examples=50)
@given(_STEPS)
def test_whoever_writes_what_is_found_is_what_is_there(tmp_path_factory, steps):
    path = tmp_path_factory.mktemp("both") / "store.db"

    async def main():
        async with opened(path) as one, opened(path) as other:
            tapes = [await one.cache_tape(), await other.cache_tape()]
            there = {n: [] for n in range(4)}
            for step, which, n in steps:
                tape, recording = tapes[which], interaction(f"{n}")
                if step in ("put", "replace"):
                    kept = await tape.put(*stored(recording), replace=step == "replace")
                    there[n] = [*(there[n] if step == "put" else ()), kept]
                elif step == "pack":
                    await (one, other)[which].pack()
                elif step == "forget":
                    await (one, other)[which].execute("DELETE FROM recording")
                    await (one, other)[which].execute("DELETE FROM packed")
                    there = {number: [] for number in there}
                else:
                    assert found(tape, recording) == there[n]
            for n, kept in there.items():
                assert [found(tape, interaction(f"{n}")) for tape in tapes] == [kept, kept]

    asyncio.run(main())


async def test_processes_that_put_at_once_lose_nothing(path):
    script = """
async def main():
    ready()
    async with opened(path) as database:
        tape = await database.cache_tape()
        for n in range(20):
            await tape.put(*stored(conversation(n)), replace=False)
asyncio.run(main())
"""
    processes = [python(script, path) for _ in range(3)]
    start_together(processes)
    assert [process.communicate() for process in processes] == [("", "")] * 3
    async with opened(path) as database:
        tape = await database.cache_tape()
        for n in range(20):
            assert [one.id[-2:] for one in found(tape, conversation(n))] == ["-1", "-2", "-3"]
            assert {nameless(one) for one in found(tape, conversation(n))} == {
                nameless(conversation(n))
            }


async def test_a_process_killed_while_writing_leaves_all_that_was_acknowledged_and_nothing_half(
    path,
):
    script = """
async def main():
    async with opened(path) as database:
        tape = await database.cache_tape()
        async def keep(n):
            kept = await tape.put(*stored(conversation(n)), replace=False)
            print(n, kept.id, flush=True)
        for start in range(0, 10**6, 10):
            await asyncio.gather(*map(keep, range(start, start + 10)))
asyncio.run(main())
"""
    process = python(script, path)
    acknowledged = [process.stdout.readline() for _ in range(75)]
    process.send_signal(signal.SIGKILL)
    # The last line may be cut off.
    acknowledged += process.stdout.readlines()
    process.communicate()
    async with opened(path) as database:
        tape = await database.cache_tape()
        for n, name in (line.split() for line in acknowledged if line.endswith("\n")):
            assert [one.id for one in found(tape, conversation(int(n)))] == [name]
            [kept] = found(tape, conversation(int(n)))
            assert nameless(kept) == nameless(conversation(int(n)))
        await database.pack()
        assert database.query("SELECT bytes FROM tape") == [(weight(database),)]
    with closing(connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


# When it cannot


async def test_a_full_disk_fails_the_put_by_name_and_leaves_what_was(path):
    async with opened(path) as database:
        tape = await database.cache_tape()
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
        tape = await database.cache_tape()
        await on_writer(database, lambda db: db.execute("PRAGMA busy_timeout = 300"))
        with closing(connect(path)) as other:
            other.execute("BEGIN IMMEDIATE")
            statements = await traced(database)
            puts = (put(tape, conversation(n)) for n in range(20))
            failed = await asyncio.gather(*puts, return_exceptions=True)
            assert statements.count("BEGIN IMMEDIATE") <= 2
            assert {str(error) for error in failed} == {f"cannot write {path}: database is locked"}
            assert found(tape, conversation(0)) == []
        assert await put(tape, conversation(0))


async def test_damage_is_unavailable_to_a_reader_and_an_error_to_a_command(path):
    async with opened(path) as database:
        await fill(await database.cache_tape(), range(50))
    data = bytearray(path.read_bytes())
    data[16384 * 2 :] = b"\xff" * (len(data) - 16384 * 2)
    path.write_bytes(data)
    async with opened(path) as database:
        with pytest.raises(StoreUnavailable, match=r"cannot read .*store\.db: "):
            database.find("p1:0")
        with pytest.raises(StoreUnavailable, match="cannot"):
            list(Tape(database, (1,)).canonicals())
    for command in (statistics, clear, cached):
        with pytest.raises(StoreError, match="cannot use the store"):
            command(path)


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 2**32), length=st.integers(1, 3000))
def test_damage_anywhere_is_told_or_harmless(tmp_path_factory, seed, length):
    path = tmp_path_factory.mktemp("damage") / "store.db"

    async def write():
        async with opened(path) as database:
            await fill(await database.cache_tape(), range(10))

    async def read():
        async with opened(path) as database:
            tape = await database.cache_tape()
            for n in range(10):
                found(tape, conversation(n))
            list(tape.canonicals())
            await put(tape, conversation(11))

    asyncio.run(write())
    data = bytearray(path.read_bytes())
    rng = random.Random(seed)
    start = rng.randrange(len(data))
    data[start : start + length] = rng.randbytes(length)
    path.write_bytes(data)
    with contextlib.suppress(StoreError):
        statistics(path)
    with contextlib.suppress(StoreError):
        cached(path)
    try:
        asyncio.run(read())
    except* (StoreError, StoreUnavailable):
        pass
    with contextlib.suppress(StoreError):
        clear(path)


async def test_a_file_that_cannot_be_opened_is_an_error_and_no_thread_stays(tmp_path):
    with pytest.raises(StoreError):
        await Database(tmp_path, 10**9).__aenter__()
    script = """
async def main():
    async with opened(path):
        pass
asyncio.run(main())
"""
    _, err = python(script, tmp_path).communicate(timeout=20)
    assert "StoreError: cannot use the store" in err


# From outside


async def test_statistics_tell_cache_and_index_apart(path):
    assert statistics(path) == {"answers": 0, "bytes": 0, "cassettes": 0, "indexed": 0}
    assert not path.exists()
    async with opened(path) as database:
        tape = await database.cache_tape()
        await fill(tape, range(2))
        file = path.with_name("x.yaml")
        file.touch()
        for state in ("one", "two"):
            await database.index(state, str(file), [stored(conversation(n)) for n in range(3)])
        told = statistics(path)
    assert told == {"answers": 2, "bytes": told["bytes"], "cassettes": 1, "indexed": 6}
    assert told["bytes"] > 5000


async def test_clear_forgets_answers_and_index_and_says_how_many(path):
    assert clear(path) == 0
    assert not path.exists()
    async with opened(path) as database:
        await fill(await database.cache_tape(), range(240))
        await database.index("x", "", [stored(interaction())])
    before = path.stat().st_size
    assert clear(path) == 240
    assert statistics(path) == {"answers": 0, "bytes": 0, "cassettes": 0, "indexed": 0}
    assert path.stat().st_size < before / 2
    assert clear(path) == 0


async def test_cached_lists_the_answers_of_the_cache_alone(path):
    assert cached(path) == []
    async with opened(path) as database:
        tape = await database.cache_tape()
        kept = await put(tape, interaction("a"))
        await database.index("x", "", [stored(interaction("b"))])
    assert cached(path) == [(kept.id, stored(kept)[1].canonical)]


# Tapes of cassettes


@pytest.fixture
async def database(path):
    async with opened(path) as one:
        yield one


async def test_an_index_that_is_there_is_taken(database):
    first = await database.index("x", "", [stored(interaction())])
    assert await database.index("x", "", [stored(interaction())]) == first
    assert database.tape_named("x") == first
    assert len(found(Tape(database, (first,)), interaction())) == 1


async def test_extend_moves_a_tape_on(database):
    [old] = [stored(interaction("a"))]
    tape = await database.index("1", "", [old])
    gone = [old[1].interaction.id]
    assert await database.extend("1", "2", gone, [stored(interaction("b"))]) == tape
    assert database.tape_named("1") is None
    assert database.tape_named("2") == tape
    one = Tape(database, (tape,))
    assert found(one, interaction("a")) == []
    assert len(found(one, interaction("b"))) == 1


async def test_extend_from_a_state_that_is_not_indexed_does_nothing(database):
    assert await database.extend("1", "2", [], [stored(interaction())]) is None
    assert database.tape_named("2") is None


async def test_extend_to_a_state_that_is_indexed_takes_that(database):
    await database.index("1", "", [])
    two = await database.index("2", "", [stored(interaction())])
    assert await database.extend("1", "2", [], [stored(interaction())]) == two
    assert len(found(Tape(database, (two,)), interaction())) == 1


async def test_of_a_file_the_last_states_are_kept_and_of_a_lost_file_none(database, tmp_path):
    file, lost = tmp_path / "a.yaml", tmp_path / "b.yaml"
    file.touch()
    lost.touch()
    gone = await database.index("lost", str(lost), [stored(interaction())])
    lost.unlink()
    tapes = [await database.index(f"{n}", str(file), [stored(interaction())]) for n in range(6)]
    assert [database.has_tape(tape) for tape in tapes] == [False, False, True, True, True, True]
    assert not database.has_tape(gone)
    assert database.query("SELECT count(*) FROM recording") == [(4,)]
    cache = await database.cache_tape()
    await database.index("again", str(file), [])
    assert database.has_tape(cache.tapes[0])


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

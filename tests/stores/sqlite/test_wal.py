"""The state of a database: it never misses a commit, and costs no locks."""

import random
import sqlite3
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from promptdeck.stores.sqlite import wal
from promptdeck.stores.sqlite.migrations import connect
from promptdeck.stores.sqlite.wal import Watch, is_next
from tests.recordings import python


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store.db"


@contextmanager
def watched(path):
    watch = Watch(path)
    with closing(connect(path)) as reader:
        yield reader, watch.state(reader)
    watch.close()


def name_tape(db, name):
    db.execute("INSERT INTO tape (name, source) VALUES (?, '')", (name,))


WRITES = """
with closing(connect(path)) as db:
    for line in sys.stdin:
        for statement in line.strip().split(";"):
            db.execute(statement)
        print("done", flush=True)
"""
PRELUDE = (
    "from contextlib import closing\nfrom promptdeck.stores.sqlite.migrations import connect\n"
)


@contextmanager
def writer(path):
    """Runs lines of SQL in a process of its own."""
    process = python(PRELUDE + WRITES, path)

    def run(statements):
        process.stdin.write(statements + "\n")
        process.stdin.flush()
        assert process.stdout.readline() == "done\n", process.communicate()

    yield run
    assert process.communicate() == ("", "")


def test_it_changes_with_each_commit_of_another_process_and_with_nothing_else(path):
    with watched(path) as (reader, state), writer(path) as run:
        seen = {state()}
        for n in range(20):
            run(f"BEGIN; INSERT INTO tape (name, source) VALUES ('{n}', '')")
            assert state() in seen
            run("COMMIT")
            assert state() not in seen
            seen.add(state())
            assert reader.execute("SELECT count(*) FROM tape").fetchone() == (n + 1,)
            assert state() in seen
        run("BEGIN; DELETE FROM tape; ROLLBACK")
        assert state() in seen


def test_two_marks_tell_whether_one_commit_was_between(path):
    watch = Watch(path)
    with closing(connect(path)) as reader, writer(path) as run:
        watch.state(reader)
        for n in range(10):
            before = watch.mark()
            assert before
            assert not is_next(before, watch.mark())
            run(f"INSERT INTO tape (name, source) VALUES ('{n}', '')")
            assert is_next(before, watch.mark())
            run("PRAGMA wal_checkpoint(TRUNCATE)" if n == 5 else f"DELETE FROM tape WHERE id = {n}")
            run(f"INSERT INTO tape (name, source) VALUES ('again {n}', '')")
            assert not is_next(before, watch.mark())
    watch.close()
    assert not is_next(b"", b"")


@pytest.mark.parametrize("seed", range(5))
def test_it_agrees_with_sqlites_own_account_whatever_is_done(path, seed):
    rng = random.Random(seed)
    with watched(path) as (reader, state), closing(connect(path)) as other, writer(path) as run:
        told = sure = None
        for n in range(100):
            before, truth = told, sure
            choice = rng.randrange(7)
            if choice == 0:
                name_tape(other, f"{n}")
            elif choice == 1:
                run("DELETE FROM tape WHERE id = (SELECT min(id) FROM tape)")
            elif choice == 2:
                run(f"PRAGMA wal_checkpoint({rng.choice(['PASSIVE', 'RESTART', 'TRUNCATE'])})")
            elif choice == 3:
                reader.execute("SELECT count(*) FROM tape").fetchall()
            elif choice == 4:
                run("BEGIN IMMEDIATE; ROLLBACK")
            elif choice == 5:
                run("VACUUM")
            told, sure = state(), wal._data_version(reader)
            if told == before:
                assert sure == truth


def test_while_another_process_writes_no_row_is_seen_before_the_state_has_changed(path):
    script = """
with closing(connect(path)) as db:
    for n in range(300):
        db.execute("INSERT INTO tape (name, source) VALUES (?, '')", (n,))
"""
    with watched(path) as (reader, state):
        process = python(PRELUDE + script, path)
        known, at = 0, state()
        while known < 300:
            now = state()
            [rows] = reader.execute("SELECT count(*) FROM tape").fetchone()
            # What is read after a state is at least of that state.
            after = state()
            if after == now == at:
                assert rows == known
            known, at = rows, now if now == after else b""
        assert process.communicate() == ("", "")


def test_it_is_read_from_memory(path):
    with watched(path) as (_, state):
        assert len(state()) == 48


def test_without_shared_memory_sqlite_is_asked(path):
    watch = Watch(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("CREATE TABLE tape (name, source)")
        state = watch.state(db)
        before = state()
        assert state() == before
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            name_tape(other, "x")
        assert state() != before
    watch.close()


def test_bytes_that_are_not_as_known_are_not_relied_on(path):
    watch = Watch(path)
    with closing(connect(path)) as db:
        with path.with_name("store.db-shm").open("r+b") as shm:
            shm.write(b"\xff" * 4)
        assert len(watch.state(db)()) < 48
    watch.close()


def test_watching_and_ceasing_to_leaves_sqlites_locks_in_place(path):
    # Of a second watcher in this process, which goes while the first one writes.
    with watched(path) as (first, _):
        first.execute("BEGIN IMMEDIATE")
        with watched(path) as (second, state):
            assert state()
            second.execute("SELECT count(*) FROM tape").fetchall()
        script = (
            PRELUDE
            + """
with closing(connect(path)) as db:
    db.execute("PRAGMA busy_timeout = 0")
    try:
        db.execute("BEGIN IMMEDIATE")
    except Exception as error:
        print(error)
"""
        )
        assert python(script, path).communicate() == ("database is locked\n", "")
        first.execute("ROLLBACK")


def test_a_file_made_anew_is_watched_anew(path):
    watch = Watch(path)
    for n in range(3):
        # The last connection takes the shared memory with it.
        with closing(connect(path)) as reader, closing(connect(path)) as other:
            state = watch.state(reader)
            before = state()
            name_tape(other, f"{n}")
            assert state() != before
    watch.close()


def test_nothing_stays_open(path):
    before = sorted(Path("/proc/self/fd").iterdir())
    with watched(path), watched(path):
        pass
    assert sorted(Path("/proc/self/fd").iterdir()) == before
    assert not wal._mappings

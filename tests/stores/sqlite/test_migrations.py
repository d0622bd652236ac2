"""The SQLite file: made, migrated, refused."""

import os
import random
import sqlite3
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.errors import StoreError
from promptdeck.stores.sqlite.migrations import MIGRATIONS, connect
from promptdeck.stores.sqlite.rows import FreshRow
from tests.recordings import python, start_together

INSTEAD = "--store"
"""How a message says that another file can be named."""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "cache" / "store.db"


def execute(path, *statements):
    path.parent.mkdir(exist_ok=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        for statement in statements:
            db.execute(statement)


def schema(db):
    return {name for (name,) in db.execute("SELECT name FROM sqlite_master")}


def test_a_new_file_gets_folder_tables_and_write_ahead_log(path):
    with closing(connect(path)) as db:
        assert {"recording_by_key", "packed_by_use", "recording", "tape"} <= schema(db)
        assert db.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert db.execute("PRAGMA page_size").fetchone() == (8192,)


def test_an_empty_file_is_as_good_as_none(path):
    path.parent.mkdir()
    path.touch()
    with closing(connect(path)) as db:
        assert db.execute("SELECT count(*) FROM recording").fetchone() == (0,)


def test_a_file_that_is_up_to_date_is_not_written(path):
    connect(path).close()
    before = path.read_bytes()
    connect(path).close()
    assert path.read_bytes() == before


def test_processes_that_open_a_new_file_at_once_all_can(path):
    script = """
from promptdeck.stores.sqlite.migrations import connect
ready()
for n in range(20):
    connect(path / f"{n}.db").close()
"""
    processes = [python(script, path) for _ in range(4)]
    start_together(processes)
    assert [process.communicate()[1] for process in processes] == [""] * 4


_FIRST = FreshRow._fields[: FreshRow._fields.index("digest")]
"""The columns that the first schema had."""
_ALL_ONES = f"INSERT INTO recording ({', '.join(_FIRST)}) VALUES ({', '.join('1' for _ in _FIRST)})"


@pytest.mark.parametrize("version", range(1, len(MIGRATIONS)))
def test_a_file_of_an_older_schema_is_brought_up_to_date_and_loses_nothing(path, version):
    script = ";".join(MIGRATIONS[:version]).split(";")
    execute(
        path,
        *script,
        f"PRAGMA user_version = {version}",
        "INSERT INTO tape (id, name, source) VALUES (1, 'a', '')",
        _ALL_ONES,
    )
    connect(path.with_name("new.db")).close()
    with closing(connect(path)) as db, closing(connect(path.with_name("new.db"))) as new:
        assert schema(db) == schema(new)
        assert db.execute("SELECT count(*) FROM recording").fetchone() == (1,)


def test_a_newer_schema_is_refused_with_a_way_out(path):
    connect(path).close()
    execute(path, f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    with pytest.raises(StoreError, match=r"store\.db was written by a newer promptdeck") as refused:
        connect(path)
    assert "update promptdeck" in str(refused.value)
    assert INSTEAD in str(refused.value)


def test_another_programs_database_is_left_alone(path):
    execute(path, "CREATE TABLE bookmark (url TEXT)")
    before = path.read_bytes()
    with pytest.raises(StoreError, match="belongs to another program"):
        connect(path)
    # Not even its journal, which a change of would outlast us.
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "data", [b"not a database, but text\n" * 40, b"SQLite format 3\x00" + b"\xff" * 4000]
)
def test_what_is_no_database_is_refused_with_a_way_out(path, data):
    path.parent.mkdir()
    path.write_bytes(data)
    with pytest.raises(StoreError, match="cannot use the store") as refused:
        connect(path)
    assert INSTEAD in str(refused.value)
    assert path.read_bytes() == data


@pytest.fixture(scope="module")
def new_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("new") / "store.db"
    connect(path).close()
    return path.read_bytes()


@given(seed=st.integers(0, 2**32), length=st.integers(1, 2000))
def test_a_damaged_file_is_refused_or_read(tmp_path_factory, new_file, seed, length):
    path = tmp_path_factory.mktemp("damaged") / "store.db"
    data = bytearray(new_file)
    rng = random.Random(seed)
    start = rng.randrange(len(data))
    data[start : start + length] = rng.randbytes(length)
    path.write_bytes(data)
    try:
        connect(path).close()
    except StoreError as refused:
        assert str(path) in str(refused)  # noqa: PT017


def test_a_place_where_no_file_can_be_is_refused(tmp_path):
    (tmp_path / "file").touch()
    for place in (tmp_path / "file" / "store.db", tmp_path):
        with pytest.raises(StoreError, match="cannot use the store"):
            connect(place)


def test_whoever_fails_to_open_a_file_does_not_keep_it_locked(path):
    connect(path).close()
    execute(path, "PRAGMA user_version = 99")
    with pytest.raises(StoreError) as refused:
        connect(path)
    execute(path, "BEGIN EXCLUSIVE", "COMMIT")
    assert refused.value


def test_a_tape_number_is_never_used_twice(path):
    with closing(connect(path)) as db:
        numbers = []
        for name in ("a", "b", "c"):
            db.execute("INSERT INTO tape (name, source) VALUES (?, '')", (name,))
            numbers += db.execute("SELECT max(id) FROM tape").fetchone()
            db.execute("DELETE FROM tape")
        assert len(set(numbers)) == 3


def test_a_tapes_recordings_go_with_it(path):
    with closing(connect(path)) as db, pytest.raises(sqlite3.IntegrityError):
        db.execute(_ALL_ONES)
    with closing(connect(path)) as db:
        db.execute("INSERT INTO tape (id, name, source) VALUES (1, 'a', '')")
        db.execute(_ALL_ONES)
        db.execute("DELETE FROM tape")
        assert db.execute("SELECT count(*) FROM recording").fetchone() == (0,)


def test_readers_and_a_writer_do_not_wait_for_one_another(path):
    with closing(connect(path)) as writer, closing(connect(path)) as reader:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("INSERT INTO tape (name, source) VALUES ('a', '')")
        assert reader.execute("SELECT count(*) FROM tape").fetchone() == (0,)
        writer.execute("COMMIT")
        assert reader.execute("SELECT count(*) FROM tape").fetchone() == (1,)


# Permissions


def modes(folder):
    return {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}


PRIVATE = {"store.db": 0o600, "store.db-wal": 0o600, "store.db-shm": 0o600}


@pytest.fixture
def _usual_umask():
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.mark.usefixtures("_usual_umask")
def test_a_store_and_what_is_beside_it_are_for_their_user_alone(tmp_path):
    path = tmp_path / "new" / "store.db"
    with closing(connect(path)) as db:
        db.execute("INSERT INTO tape (name, source) VALUES ('a', '')")
        assert modes(path.parent) == PRIVATE
    assert path.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.usefixtures("_usual_umask")
def test_a_store_that_others_could_read_becomes_private(tmp_path):
    path = tmp_path / "store.db"
    with closing(connect(path)) as open_elsewhere:
        open_elsewhere.execute("INSERT INTO tape (name, source) VALUES ('a', '')")
        for name in PRIVATE:
            (tmp_path / name).chmod(0o644)
        connect(path).close()
        assert modes(tmp_path) == PRIVATE


@pytest.mark.usefixtures("_usual_umask")
@pytest.mark.parametrize("mode", [0o660, 0o666, 0o640 | 0o020, 0o600])
def test_a_store_that_others_may_write_is_shared_on_purpose(tmp_path, mode):
    path = tmp_path / "store.db"
    connect(path).close()
    path.chmod(mode)
    connect(path).close()
    assert modes(tmp_path) == {"store.db": mode}


@pytest.mark.usefixtures("_usual_umask")
def test_another_programs_database_keeps_its_permissions(tmp_path):
    path = tmp_path / "store.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE theirs (x)")
    with pytest.raises(StoreError, match="another program"):
        connect(path)
    assert modes(tmp_path) == {"store.db": 0o644}

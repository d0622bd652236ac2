"""The SQLite file: made, migrated, refused; and recordings as rows."""

import random
import re
import sqlite3
import tracemalloc
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.errors import StoreError
from promptdeck.stores.base import Stored
from promptdeck.stores.sqlite.schema import (
    INSERT,
    MIGRATIONS,
    SELECT,
    connect,
    full_id,
    id_of,
    key_of,
    ordinal_of,
    row_of,
    values_of,
)
from tests.recordings import INTERACTIONS, interaction, python, start_together, stored

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
from promptdeck.stores.sqlite.schema import connect
ready()
for n in range(20):
    connect(path / f"{n}.db").close()
"""
    processes = [python(script, path) for _ in range(4)]
    start_together(processes)
    assert [process.communicate()[1] for process in processes] == [""] * 4


def _insert_as_then():
    """All in columns of 1, as versions before `packed` wrote it."""
    return re.sub(r"VALUES \(\(.*\)\), ", "VALUES (1, ", INSERT).replace("?", "1")


@pytest.mark.parametrize("version", range(1, len(MIGRATIONS)))
def test_a_file_of_an_older_schema_is_brought_up_to_date_and_loses_nothing(path, version):
    script = ";".join(MIGRATIONS[:version]).split(";")
    execute(
        path,
        *script,
        f"PRAGMA user_version = {version}",
        "INSERT INTO tape (id, name, source) VALUES (1, 'a', '')",
        _insert_as_then(),
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


@given(st.integers(0, 2**32), st.integers(1, 2000))
def test_a_damaged_file_is_refused_or_read(tmp_path_factory, seed, length):
    path = tmp_path_factory.mktemp("damaged") / "store.db"
    connect(path).close()
    data = bytearray(path.read_bytes())
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
        db.execute(INSERT.replace("?", "1"))
    with closing(connect(path)) as db:
        db.execute("INSERT INTO tape (id, name, source) VALUES (1, 'a', '')")
        db.execute(INSERT.replace("?", "1"))
        db.execute("DELETE FROM tape")
        assert db.execute("SELECT count(*) FROM recording").fetchone() == (0,)


@given(INTERACTIONS, st.binary(max_size=20), st.none() | st.floats(0, 2**33))
def test_a_row_says_all_of_a_recording(interaction, canonical, expires_at):
    stored = Stored(interaction, canonical, expires_at)
    with closing(connect(Path(":memory:"))) as db:
        db.execute("INSERT INTO tape (id, name, source) VALUES (7, 'a', '')")
        db.execute(INSERT, values_of(7, "k", stored, 1.5))
        [values] = db.execute(SELECT)
    row = row_of(values)
    assert row.stored == stored
    assert row.tape == 7
    assert row.weight > len(interaction.request.body) + len(interaction.response.body)


@pytest.mark.parametrize("stream", [False, True])
def test_what_a_row_is_said_to_weigh_is_what_it_takes_in_memory(stream):
    many = [stored(interaction(f"{n} " * 300, "word " * 100, stream=stream)) for n in range(300)]
    with closing(connect(Path(":memory:"))) as db:
        db.execute("INSERT INTO tape (id, name, source) VALUES (7, 'a', '')")
        db.executemany(INSERT, [values_of(7, key, one, 1.5) for key, one in many])
        row_of(db.execute(SELECT).fetchone())
        tracemalloc.start()
        rows = [row_of(values) for values in db.execute(SELECT)]
        taken, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert 0.8 < sum(row.weight for row in rows) / taken < 1.25


_HEX = st.text("0123456789abcdef", min_size=32, max_size=32)
_KEYS = _HEX.map("p1:{}".format) | st.text(max_size=12)


@given(_KEYS, st.none() | _KEYS, st.integers(0, 9999), st.integers(1, 10**6), st.text(max_size=9))
def test_an_id_in_whatever_form_is_the_same(key, base, turns, ordinal, other):
    own = key if base is None else base
    usual = f"{'0a' * 3}-{turns:03}-{own[3:11]}-{ordinal}"
    for name in (usual, other, f"{other}-{ordinal}"):
        short = id_of(name, own)
        assert full_id(short, key_of(key), None if base is None else key_of(base)) == name
    assert ordinal_of(id_of(usual, own)) == ordinal


def test_an_id_of_the_usual_form_is_kept_short():
    key = f"p1:{'12345678' * 4}"
    assert len(id_of("abcdef-002-12345678-1", key)) == 8
    assert id_of("abcdef-002-87654321-1", key) == "abcdef-002-87654321-1"


def test_readers_and_a_writer_do_not_wait_for_one_another(path):
    with closing(connect(path)) as writer, closing(connect(path)) as reader:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("INSERT INTO tape (name, source) VALUES ('a', '')")
        assert reader.execute("SELECT count(*) FROM tape").fetchone() == (0,)
        writer.execute("COMMIT")
        assert reader.execute("SELECT count(*) FROM tape").fetchone() == (1,)

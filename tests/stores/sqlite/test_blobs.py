"""Large values of a row: written and read a part at a time, they are what was given."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.heap import LARGE
from promptdeck.stores.sqlite import blobs
from promptdeck.stores.sqlite.blobs import Into, LongBlob, blob_of, joined, size_of

COLUMNS = ("n", "key", "value", "note", "digest")


def into(*, staged: bool) -> Into:
    return Into("t", COLUMNS, "INSERT INTO t VALUES (?1, ?2, ?3, ?4, ?5)", staged=staged)


@pytest.fixture(params=[False, True], ids=["zeros", "staged"])
def db(request) -> Iterator[tuple[sqlite3.Connection, Into]]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        db.execute("CREATE TABLE t (n INTEGER PRIMARY KEY, key, value, note, digest)")
        if request.param:  # of an expression: no value of the table may be written over
            db.execute("CREATE INDEX t_by_key ON t (substr(key, 1, 6))")
        yield db, into(staged=request.param)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[a:b] for a, b in pairwise(ends)]


LONG = bytes(range(256)) * (LARGE // 256) + b"end"


@given(st.binary(max_size=50) | st.just(LONG), st.lists(st.integers(0, 2 * LARGE), max_size=5))
def test_parts_are_joined_where_they_are_not_large(data, places):
    value = blob_of(cut(data, places))
    assert isinstance(value, LongBlob) == (len(data) > LARGE)
    assert joined(value) == data
    assert size_of(value) == len(data)


@pytest.mark.parametrize("note", [None, "after it", b"bytes after it", 7])
@pytest.mark.parametrize("digest", [None, b"12345678"])
def test_a_large_value_is_what_was_given_and_so_is_all_around_it(db, note, digest):
    db, table = db
    whole = cut(LONG, [3, 100, LARGE // 2])
    row = [None, b"key", LongBlob(whole), note, digest]
    with_a_small_one = [None, "other", b"small", note, digest]
    assert blobs.insert(db, table, row) == 1
    assert not any(isinstance(value, LongBlob) for value in row)  # let go of
    assert blobs.insert(db, table, with_a_small_one) == 2
    assert db.execute("SELECT key, value, note, digest FROM t ORDER BY n").fetchall() == [
        (b"key", LONG, note, digest),
        ("other", b"small", note, digest),
    ]
    assert b"".join(blobs.read(db, "t", "value", 1)) == LONG


def test_what_is_rolled_back_leaves_nothing(db):
    db, table = db
    for _ in range(2):
        db.execute("BEGIN")
        blobs.insert(db, table, [None, b"key", LongBlob([LONG]), None, None])
        db.execute("ROLLBACK")
    assert db.execute("SELECT count(*) FROM t").fetchone() == (0,)


@pytest.mark.parametrize("value", [b"", b"short", b"x" * LARGE, "text" * LARGE, 7])
def test_what_is_not_large_or_no_bytes_is_selected_as_it_is(value):
    with closing(sqlite3.connect(":memory:")) as db:
        db.execute("CREATE TABLE t (n INTEGER PRIMARY KEY, value)")
        db.execute("INSERT INTO t VALUES (1, ?), (2, zeroblob(?))", (value, LARGE + 1))
        found = db.execute(f"SELECT {blobs.without('value')} FROM t ORDER BY n").fetchall()
    assert found == [(value,), (None,)]

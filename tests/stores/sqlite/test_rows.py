"""Recordings as rows: nothing is lost on the way, and their weights are about right."""

import tracemalloc
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.stores.base import Stored
from promptdeck.stores.sqlite.migrations import connect
from promptdeck.stores.sqlite.rows import (
    INSERT,
    SELECT,
    FreshRow,
    PackedRow,
    fresh_row,
    row_of,
)
from tests.recordings import INTERACTIONS, interaction, stored, untold


@pytest.mark.parametrize(("table", "row"), [("recording", FreshRow), ("packed", PackedRow)])
def test_a_row_has_the_columns_of_its_table(table, row):
    with closing(connect(Path(":memory:"))) as db:
        columns = db.execute(f"SELECT name FROM pragma_table_info('{table}')").fetchall()
    assert tuple(name for (name,) in columns) == row._fields


@given(INTERACTIONS, st.binary(max_size=20), st.none() | st.floats(0, 2**33))
def test_a_row_says_all_of_a_recording(interaction, canonical, expires_at):
    stored = Stored(interaction, canonical, expires_at)
    with closing(connect(Path(":memory:"))) as db:
        db.execute("INSERT INTO tape (id, name, source) VALUES (7, 'a', '')")
        db.execute(INSERT, fresh_row(7, "k", stored, 1.5))
        [values] = db.execute(SELECT)
    row = row_of(values)
    assert row.stored == stored
    assert row.tape == 7
    assert row.weight > len(interaction.request.body) + len(interaction.response.body)


@given(INTERACTIONS, st.sampled_from(FreshRow._fields), st.data())
def test_a_row_with_another_value_in_any_column_that_tells_is_damaged(one, name, data):
    row = fresh_row(7, "k", Stored(one, b"form", 2.5), 1.5)
    assert row_of(row).stored.interaction == one
    if name in ("n", "tape", "used_at", "bytes", "digest"):
        return
    old = getattr(row, name)
    kinds = {int: st.integers(100, 999), float: st.floats(0, 9), str: st.text(), bytes: st.binary()}
    new = data.draw(kinds[type(old)])
    if new != old:
        with pytest.raises((ValueError, TypeError)):
            row_of(row._replace(**{name: new}))


def test_a_row_of_an_earlier_version_is_read_as_it_is():
    row = fresh_row(7, "k", stored(interaction())[1], 1.5)
    old, new = row_of(row._replace(digest=None)).stored, row_of(row).stored
    assert old == new._replace(interaction=untold(new.interaction))


@pytest.mark.parametrize("stream", [False, True])
def test_what_a_row_is_said_to_weigh_is_what_it_takes_in_memory(stream):
    many = [stored(interaction(f"{n} " * 300, "word " * 100, stream=stream)) for n in range(300)]
    with closing(connect(Path(":memory:"))) as db:
        db.execute("INSERT INTO tape (id, name, source) VALUES (7, 'a', '')")
        db.executemany(INSERT, [fresh_row(7, key, one, 1.5) for key, one in many])
        row_of(db.execute(SELECT).fetchone())
        tracemalloc.start()
        rows = [row_of(values) for values in db.execute(SELECT)]
        taken, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert 0.8 < sum(row.weight for row in rows) / taken < 1.25

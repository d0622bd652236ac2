"""A cassette divided: nothing is lost, and nothing overwritten."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptdeck.errors import UsageError
from promptdeck.stores.cassettes.divide import divide
from promptdeck.stores.cassettes.file import names, path_of, read
from tests.recordings import (
    FEW,
    INTERACTIONS,
    interaction,
)
from tests.stores.cassettes import written


@settings(deadline=None, max_examples=30)
@given(st.lists(FEW | INTERACTIONS, max_size=8), st.sampled_from(["id", "variant", "constant"]))
def test_a_split_has_everything_and_its_merge_is_whole(tmp_path_factory, interactions, by):
    folder = tmp_path_factory.mktemp("split")
    text = written(folder / "x.yaml", *interactions)
    part_of = {"id": lambda one: one.id, "variant": lambda one: one.variant, "constant": str}[by]
    parts = divide(folder, "x", lambda one: str(part_of(one)) if by != "constant" else "")
    assert (folder / "x.yaml").read_text() == text
    assert sorted(names(folder)) == sorted(["x", *parts])
    together = [one for part in parts for one in read(path_of(folder, part))]
    assert sorted(map(repr, together)) == sorted(map(repr, interactions))
    assert divide(folder, "x", lambda one: str(part_of(one)) if by != "constant" else "") == parts


def test_parts_that_differ_in_case_share_a_file(tmp_path):
    written(tmp_path / "x.yaml", interaction("a"), interaction("b"), interaction("c"))
    parts = iter(["GPT", "gpt", "a/b: c"])
    found = divide(tmp_path, "x", lambda one: next(parts))
    assert list(found) == ["x/GPT", "x/a-b-c"]
    assert len(read(tmp_path / "x" / "GPT.yaml")) == 2


def test_a_part_that_holds_something_else_stops_a_split_before_it_begins(tmp_path):
    written(tmp_path / "x.yaml", interaction("a"), interaction("b"))
    (tmp_path / "x").mkdir()
    written(tmp_path / "x" / "b.yaml", interaction("c"))
    parts = iter("ab")
    with pytest.raises(UsageError, match="there is a cassette x/b already"):
        divide(tmp_path, "x", lambda one: next(parts))
    assert names(tmp_path) == ["x", "x/b"]

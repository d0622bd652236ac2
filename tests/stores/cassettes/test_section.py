"""A cassette's section of rules: read, written, kept by whatever writes the file."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.errors import CassetteError
from promptdeck.stores.cassettes.divide import divide
from promptdeck.stores.cassettes.dump import HEADER, dump, header_with
from promptdeck.stores.cassettes.edit import edit
from promptdeck.stores.cassettes.file import read
from promptdeck.stores.cassettes.fix import fix
from promptdeck.stores.cassettes.load import load
from promptdeck.stores.cassettes.merge import merge, three_way
from promptdeck.stores.cassettes.section import (
    own_rules,
    own_rules_of,
    parsed_section,
    section_in,
    write_section,
)
from tests.recordings import REDACTOR, interaction
from tests.stores.cassettes import edited, saved

RULES = {"preset": ["agent"], "ignore": ["$.seed"], "replace": ["uuid"]}
TEXTS = st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=20)
PATTERNS = st.fixed_dictionaries(
    {"pattern": TEXTS.map(re.escape), "with": TEXTS.map(lambda text: text.replace("\\", ""))}
)
NAMES = TEXTS.filter(lambda text: not {"'", "\\"} & {*text})
SECTIONS = st.fixed_dictionaries(
    {},
    optional={
        "preset": st.lists(st.sampled_from(["agent", "codex"]), max_size=2),
        "ignore": st.lists(NAMES.map(lambda name: f"$['{name}']"), max_size=3),
    },
)


@given(SECTIONS)
def test_a_section_that_is_written_is_read_back_and_alters_no_recording(section):
    one = interaction("interactions: a\nmatch: b")
    text = header_with(section) + "\n" + dump(one)
    assert load(text) == [one]
    rules = parsed_section(section)
    assert own_rules(text, "x") == (rules if rules.digest else None)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.yaml"


def with_rules(path, *prompts, section=RULES):
    saved(path, *map(interaction, prompts))
    path.write_text(path.read_text().replace(HEADER, header_with(section)))
    return path


def test_whatever_writes_a_file_keeps_its_section(path):
    with_rules(path, "one", "two")
    saved(path, interaction("three"))
    assert section_in(path) == RULES
    edit(path, lambda found: found[1:])
    assert section_in(path) == RULES
    edited(path, "content: two", "content: 2")
    fix(path, REDACTOR)
    assert section_in(path) == RULES
    # Another layout is laid anew.
    path.write_text(path.read_text().replace("\ninteractions:\n", "\ninteractions:  # all\n"))
    saved(path, interaction("four"))
    assert section_in(path) == RULES


def test_parts_have_the_rules_of_the_whole(path):
    with_rules(path, "one", "two")
    parts = divide(path.parent, "a", lambda item: item.id[-3:])
    assert {str(section_in(path.parent / f"{name}.yaml")) for name in parts} == {str(RULES)}


def test_cassettes_with_other_rules_are_not_put_together(path):
    with_rules(path, "one")
    other, plain = path.with_name("b.yaml"), path.with_name("c.yaml")
    with_rules(other, "two")
    saved(plain, interaction("three"))
    target = path.with_name("all.yaml")
    assert merge(target, [path, other]).recordings == 2
    assert section_in(target) == RULES
    with pytest.raises(CassetteError, match=r"c\.yaml: its section `match` is not that of"):
        merge(target, [plain])


def test_one_sides_section_is_merged_as_git_merges(path):
    saved(path, interaction("one"))
    base = path.read_bytes()
    ours = base.replace(HEADER.encode(), header_with(RULES).encode())
    saved(path, interaction("two"))
    merged = three_way(base, ours, path.read_bytes(), path)
    assert not merged.conflicts
    path.write_text(merged.text)
    assert section_in(path) == RULES
    assert len(read(path)) == 2


def test_entries_are_put_behind_those_that_are_there(path):
    saved(path, interaction("one"))
    path.write_text("# mine\n" + path.read_text())
    assert own_rules_of(path) is None
    before = read(path)
    write_section(path, {"preset": ["codex"]})
    write_section(path, {"preset": ["codex", "agent"], "ignore": ["$.a"]})
    assert section_in(path) == {"preset": ["codex", "agent"], "ignore": ["$.a"]}
    assert path.read_text().startswith("# mine\n")
    assert read(path) == before
    saved(path, interaction("two"))
    assert section_in(path) == {"preset": ["codex", "agent"], "ignore": ["$.a"]}
    with pytest.raises(ValueError, match="no preset"):
        write_section(path, {"preset": ["nobody"]})


def test_a_section_below_the_recordings_is_refused_by_its_line(path):
    saved(path, interaction("one"))
    lines = path.read_text().count("\n")
    path.write_text(path.read_text() + "match: {}\n")
    with pytest.raises(CassetteError, match=rf"a\.yaml:{lines + 1}: `match` has to stand above"):
        read(path)

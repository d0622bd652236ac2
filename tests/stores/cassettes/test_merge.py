"""Merges: nothing is lost, nothing is doubled, and git's conflicts are real ones."""

import shutil
import subprocess
import sys
from collections import Counter
from functools import reduce
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptdeck.core.dialects.chat.dialect import CHAT
from promptdeck.core.matching.fingerprint import order
from promptdeck.errors import CassetteError
from promptdeck.stores.cassettes.dump import HEADER, dump
from promptdeck.stores.cassettes.edit import content
from promptdeck.stores.cassettes.file import read
from promptdeck.stores.cassettes.load import load
from promptdeck.stores.cassettes.merge import NotByRecording, merge, three_way
from promptdeck.stores.cassettes.save import save
from promptdeck.stores.cassettes.verify import verify
from tests.recordings import FEW, INTERACTIONS, REDACTOR, conversation, interaction, new, whole
from tests.stores.cassettes import edited, saved, written

CASSETTES = st.lists(st.lists(FEW | INTERACTIONS, max_size=4), min_size=1, max_size=3)
HERE = Path("x.yaml")


def text_of(*interactions):
    return HEADER + "".join("\n" + dump(one) for one in interactions)


def times(interactions):
    return Counter(map(content, interactions))


@settings(deadline=None, max_examples=30)
@given(CASSETTES, st.lists(FEW | INTERACTIONS, max_size=3))
def test_a_merge_has_each_content_as_often_as_one_file_had_it(tmp_path_factory, cassettes, there):
    folder = tmp_path_factory.mktemp("merge")
    sources = [folder / f"{n}.yaml" for n in range(len(cassettes))]
    for source, interactions in zip(sources, cassettes, strict=True):
        source.write_text(text_of(*interactions))
    target = folder / "all.yaml"
    if there:
        target.write_text(text_of(*there))
    merged = merge(target, sources)
    assert times(read(target)) == reduce(Counter.__or__, map(times, [there, *cassettes]))
    ids = [one.id for one in read(target)]
    assert len(set(ids)) == len(ids) == merged.recordings
    assert ids == sorted(ids, key=order)
    assert len(merged.duplicates) == sum(map(len, [there, *cassettes])) - len(ids)
    before = target.read_bytes()
    assert merge(target, sources).renumbered == []
    assert target.read_bytes() == before


def test_ids_that_clash_are_numbered_on(tmp_path):
    ours, theirs = tmp_path / "a.yaml", tmp_path / "b.yaml"
    saved(ours, interaction("q", "1"), interaction("q", "2"))
    saved(theirs, interaction("q", "2"), interaction("q", "3"), interaction("q", "4"))
    merged = merge(ours, [theirs])
    stem = interaction("q").id.removesuffix("1")
    assert [one.id for one in read(ours)] == [f"{stem}{n}" for n in (1, 2, 3, 4)]
    assert [CHAT.says(one.response) for one in read(ours)] == ["1", "2", "3", "4"]
    assert merged == (4, [f"{stem}1"], [(f"{stem}2", f"{stem}3"), (f"{stem}3", f"{stem}4")])
    assert verify(ours, REDACTOR) == []


def test_comments_come_along_and_the_sources_stay(tmp_path):
    ours, theirs, both = (tmp_path / f"{name}.yaml" for name in "abc")
    saved(ours, interaction("one"))
    saved(theirs, interaction("two"))
    edited(theirs, "\n- id:", "\n# the hard one\n- id:")
    edited(theirs, "  upstream:", "  # by way of the office\n  upstream:")
    before = ours.read_text(), theirs.read_text()
    merge(both, [ours, theirs])
    for text in before:
        assert text.removeprefix(HEADER) in both.read_text()
    assert (ours.read_text(), theirs.read_text()) == before


def test_a_merge_with_what_cannot_be_read_changes_nothing(path, tmp_path):
    text = written(path, interaction())
    (tmp_path / "bad.yaml").write_text("promptdeck: 9\n")
    with pytest.raises(CassetteError, match="version 9"):
        merge(path, [tmp_path / "bad.yaml"])
    assert path.read_text() == text


# Three ways


SOUND = [conversation(n) for n in range(6)]
CHOICES = st.tuples(*[st.sampled_from(["none", "as it is", "edited"])] * len(SOUND))


def side(choices):
    """Each recording left out, as it is, or with another answer."""
    edited = [one._replace(response=whole("edited")) for one in SOUND]
    kinds = zip(choices, SOUND, edited, strict=True)
    found = [{"as it is": one, "edited": other}.get(choice) for choice, one, other in kinds]
    return sorted(filter(None, found), key=lambda one: order(one.id))


@settings(deadline=None, max_examples=60)
@given(CHOICES, CHOICES, CHOICES)
def test_of_three_each_recording_is_what_the_side_that_changed_it_has(base, ours, theirs):
    sides = [text_of(*side(choices)).encode() for choices in (base, ours, theirs)]
    merged = three_way(*sides, HERE)
    wanted, conflicts = [], []
    for one, *three in zip(SOUND, base, ours, theirs, strict=True):
        before, mine, other = three
        if mine != other and before not in (mine, other):
            conflicts.append(one.id)
        wanted.append(mine if other == before else other)
    assert sorted(merged.conflicts, key=order) == sorted(conflicts, key=order)
    if not conflicts:
        assert load(merged.text) == side(wanted)
    assert merged.text.count("<<<<<<< ours\n") == len(conflicts)


def test_one_file_that_both_sides_made_has_both(tmp_path):
    merged = three_way(b"", text_of(SOUND[0]).encode(), text_of(SOUND[1]).encode(), HERE)
    assert sorted(load(merged.text), key=SOUND.index) == SOUND[:2]


def test_comments_of_either_side_stay():
    ours = text_of(*side(["as it is"] * 6)).replace("\n- id", "\n# ann\n- id", 1)
    base = text_of(*side(["as it is"] * 6))
    theirs = base.replace("model calls", "Bob's calls", 1)
    merged = three_way(base.encode(), ours.encode(), theirs.encode(), HERE)
    assert "# ann\n- id" in merged.text
    assert "Bob's calls" in merged.text


def test_between_the_marks_stand_both_recordings_and_a_removed_one_is_nothing():
    gone, edited = side(["none", *["as it is"] * 5]), side(["edited", *["as it is"] * 5])
    base = side(["as it is"] * 6)
    merged = three_way(*(text_of(*one).encode() for one in (base, gone, edited)), HERE)
    assert merged.conflicts == [SOUND[0].id]
    _, _, rest = merged.text.partition("<<<<<<< ours\n=======\n- id: ")
    assert rest.startswith(SOUND[0].id)
    with pytest.raises(CassetteError, match="an unresolved git merge"):
        load(merged.text)


@pytest.mark.parametrize(
    ("base", "ours", "reason"),
    [
        (text_of(SOUND[0]), "promptdeck: [", "x.yaml:"),
        (text_of(SOUND[0]), text_of(SOUND[0], SOUND[0]), "stands more than once"),
        ("# one\n" + text_of(), "# two\n" + text_of(), "above the first recording"),
    ],
)
def test_what_has_no_recordings_to_go_by_is_for_git(base, ours, reason):
    with pytest.raises(NotByRecording, match=reason):
        three_way(base.encode(), ours.encode(), text_of(SOUND[1]).encode(), HERE)


# git itself


def git(folder, *argv):
    settings = ["user.name=a", "user.email=a@b", "init.defaultBranch=main", "commit.gpgsign=false"]
    driver = f"{sys.executable} -m promptdeck cassette merge-driver %O %A %B %P"
    settings += [f"merge.promptdeck.driver={driver}"]
    command = ["git", *(part for setting in settings for part in ("-c", setting)), *argv]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return ran.returncode, ran.stdout + ran.stderr


@pytest.fixture
def repository(tmp_path):
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    (tmp_path / ".gitattributes").write_text("cassettes/**/*.yaml merge=promptdeck\n")
    (tmp_path / "cassettes/a").mkdir(parents=True)
    return tmp_path, tmp_path / "cassettes/a/x.yaml"


def branches(repository, base, ours, theirs):
    """Merge `theirs` into `ours`; what git said."""
    folder, path = repository
    git(folder, "init")
    for branch, text in (("main", base), ("theirs", theirs), ("ours", ours)):
        git(folder, "checkout", "-q", "main")
        git(folder, "checkout", "-q", "-B", branch)
        path.write_text(text)
        git(folder, "add", ".")
        git(folder, "commit", "-q", "--allow-empty", "-m", branch)
    return git(folder, "merge", "theirs", "-m", "both")


@pytest.mark.parametrize("swapped", [False, True])
def test_git_merges_recordings_made_in_the_same_gap_and_a_removal_and_an_edit(repository, swapped):
    _, path = repository
    base = side(["as it is", "none", "none", "as it is", "as it is", "as it is"])
    ours = side(["as it is", "as it is", "none", "none", "as it is", "as it is"])
    theirs = side(["as it is", "none", "as it is", "as it is", "edited", "as it is"])
    sides = [text_of(*one) for one in (base, *((theirs, ours) if swapped else (ours, theirs)))]
    code, said = branches(repository, *sides)
    assert code == 0, said
    assert read(path) == side(["as it is", "as it is", "as it is", "none", "edited", "as it is"])


def test_git_is_told_of_a_recording_that_both_sides_changed(repository):
    folder, path = repository
    other = SOUND[0]._replace(response=whole("theirs"))
    texts = [text_of(SOUND[0]), text_of(*side(["edited", *["none"] * 5])), text_of(other)]
    code, said = branches(repository, *texts)
    assert code == 1
    assert f"cassettes/a/x.yaml: both sides changed 1 recording ({SOUND[0].id})" in said
    assert "UU cassettes/a/x.yaml" in git(folder, "status", "--porcelain")[1]
    assert path.read_text().count("- id: ") == 2


def test_git_merges_the_text_of_what_is_no_cassette(repository):
    _, path = repository
    lines = [f"line {n}\n" for n in range(9)]
    ours, theirs = ["ours\n", *lines[1:]], [*lines[:-1], "theirs\n"]
    code, said = branches(repository, "".join(lines), "".join(ours), "".join(theirs))
    assert code == 0, said
    assert "merged as text" in said
    assert path.read_text() == "".join(["ours\n", *lines[1:-1], "theirs\n"])


def test_many_recordings_are_saved_at_once_in_the_order_of_their_ids(tmp_path):
    path = tmp_path / "x.yaml"
    many = [interaction(f"{n}") for n in range(60)]
    save(path, [new(one) for one in many[::2]])
    save(path, [new(one) for one in many])
    ids = [one.id for one in read(path)]
    assert ids == sorted(ids, key=order)
    assert len(set(ids)) == 90

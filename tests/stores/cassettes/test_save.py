"""Recordings put into a file at the right place, all else untouched, and never lost."""

import os
import random
import shutil
import signal
import subprocess
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptdeck.core.interaction import Variant
from promptdeck.core.matching.fingerprint import order
from promptdeck.errors import CassetteError
from promptdeck.stores.cassettes.dump import HEADER, dump
from promptdeck.stores.cassettes.file import digest, read, signature
from promptdeck.stores.cassettes.save import save
from promptdeck.stores.cassettes.verify import verify
from tests.recordings import (
    INTERACTIONS,
    ODD,
    REDACTOR,
    chat_request,
    conversation,
    interaction,
    nameless,
    new,
    of,
    python,
    start_together,
    whole,
)
from tests.stores.cassettes import saved


def ids(path):
    return [one.id for one in read(path)]


def test_a_first_save_makes_folder_and_file(path):
    done = save(path, [new(interaction("a")), new(interaction("b", stream=True))])
    assert path.read_text().startswith(HEADER + "\n- id: ")
    assert read(path) == sorted(done.interactions, key=lambda one: order(one.id))
    assert (done.before, done.after) == (digest(b""), digest(path.read_bytes()))
    assert done.signature == signature(path)
    assert done.gone == []


def test_recordings_of_one_request_are_numbered(path):
    first = saved(path, interaction("a", "1"), interaction("a", "2"))
    second = saved(path, interaction("a", "3", stream=True))
    numbers = [one.id.rpartition("-")[2] for one in (*first, *second)]
    assert numbers == ["1", "2", "3"]
    assert read(path) == [*first, *second]


def test_the_eleventh_comes_after_the_tenth(path):
    made = [one for n in range(12) for one in saved(path, interaction("a", str(n)))]
    assert read(path) == made


def test_an_id_of_digits_only_is_counted_on_too(path):
    # Once in some two hundred ids there is no letter but e, and YAML wants quotes.
    digits = next(
        one
        for one in (interaction(str(n)) for n in range(10_000))
        if not set(one.id) & set("abcdf")
    )
    made = [one for n in range(3) for one in saved(path, digits)]
    assert f'- id: "{made[0].id}"' in path.read_text()
    assert [one.id.rpartition("-")[2] for one in made] == ["1", "2", "3"]
    assert save(path, [new(digits, replace=True)]).gone == [one.id for one in made]


@settings(deadline=None, max_examples=25)
@given(st.permutations(range(6)))
def test_whatever_the_order_of_saves_the_file_is_the_same(tmp_path_factory, turns):
    path = tmp_path_factory.mktemp("order") / "x.yaml"
    for n in turns:
        saved(path, conversation(n))
    together = path.with_name("y.yaml")
    saved(together, *map(conversation, range(6)))
    assert path.read_bytes() == together.read_bytes()
    assert ids(path) == sorted(ids(path), key=order)


@given(st.lists(INTERACTIONS, min_size=1, max_size=3), st.lists(INTERACTIONS, max_size=2))
def test_whatever_is_saved_is_read(tmp_path_factory, first, then):
    path = tmp_path_factory.mktemp("any") / "x.yaml"
    kept = saved(path, *first)
    if then:
        kept += saved(path, *then)
    assert sorted(read(path), key=lambda one: order(one.id)) == sorted(
        kept, key=lambda one: order(one.id)
    )
    assert [nameless(one) for one in kept] == [nameless(one) for one in (*first, *then)]


EDITED = """\
# What the weather agent says.
promptdeck: 1

# Please keep sorted.
interactions:

# The easy case:

{0}
# The hard case,
# see issue 12:
{1}

# The end.
"""


def hand_edited(path):
    """A file with comments about each of two interactions; returns the texts of the two."""
    path.parent.mkdir()
    two = sorted((interaction("a"), interaction("b")), key=lambda one: order(one.id))
    texts = [dump(one).replace("took: 80", "took:   80   # fast") for one in two]
    path.write_text(EDITED.format(*texts))
    return texts


@pytest.mark.parametrize("n", range(8))
def test_a_save_changes_no_byte_of_what_is_there(path, n):
    easy, hard = hand_edited(path)
    before = path.read_text()
    [one] = saved(path, conversation(n))
    text = path.read_text()
    assert text.replace("\n" + dump(one), "", 1) == before
    assert "# The easy case:\n\n" + easy in text
    assert "# The hard case,\n# see issue 12:\n" + hard in text
    assert len(read(path)) == 3
    assert ids(path) == sorted(ids(path), key=order)


def test_who_leaves_takes_the_comments_about_it_along(path):
    hand_edited(path)
    first, second = read(path)
    done = save(path, [new(second, replace=True)])
    assert done.gone == [second.id]
    text = path.read_text()
    assert "easy" in text
    assert "hard" not in text
    assert read(path) == [first, *done.interactions]


def test_a_file_without_its_last_line_end_gets_it_back(path):
    saved(path, conversation(1), conversation(2))
    whole_text = path.read_text()
    path.write_text(whole_text.rstrip("\n"))
    [one] = saved(path, conversation(3))
    assert path.read_text().replace("\n" + dump(one), "") == whole_text


def test_comments_stay_where_the_fields_have_another_order(path):
    hand_edited(path)
    before = read(path)
    line = f"  key: {before[0].key}\n"
    text = path.read_text().replace(line, "", 1)
    path.write_text(text.replace("\n# The hard case", f"\n{line}# The hard case", 1))
    assert read(path) == before
    done = save(path, [new(before[0], replace=True)])
    assert done.gone == [before[0].id]
    assert "# The hard case" in path.read_text()


def test_a_file_with_windows_line_ends_keeps_its_comments(path):
    hand_edited(path)
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    before = read(path)
    made = saved(path, conversation(1))
    assert "# see issue 12:\n" in path.read_text()
    assert sorted([*before, *made], key=lambda one: order(one.id)) == read(path)


@pytest.mark.parametrize(
    "relaid",
    [
        lambda text: text.replace("\n- ", "\n-   ").replace("\n  ", "\n    "),
        lambda text: text.replace("\n  ", "\n    ").replace("\n- ", "\n  - "),
        lambda text: "---\n" + text,
        lambda text: text.replace("promptdeck: 1\n", "") + "promptdeck: 1\n",
        lambda text: text.replace("interactions:\n", "interactions:   # all\n"),
        lambda text: text.replace("\n  key: ", "\n  key:   "),
        lambda text: text.replace("\n  key: ", "\n  'key': "),
    ],
)
def test_a_file_in_another_layout_loses_nothing(path, relaid):
    before = saved(path, *map(conversation, range(3)))
    path.write_text(relaid(path.read_text()))
    assert sorted(before, key=lambda one: order(one.id)) == read(path)
    after = saved(path, conversation(3), conversation(0))
    assert after[1].id.endswith("-2")
    assert sorted([*before, *after], key=lambda one: order(one.id)) == read(path)


@pytest.mark.parametrize(
    "text", ["", HEADER, "promptdeck: 1\ninteractions: []\n", HEADER + "# x\n"]
)
def test_a_file_without_interactions_takes_some(path, text):
    path.parent.mkdir()
    path.write_text(text)
    made = saved(path, interaction())
    assert read(path) == made
    assert ("# x" in path.read_text()) == ("# x" in text)


# Replacing


def test_replace_takes_out_what_was_there_of_the_same_request_and_variant(path):
    old = saved(path, interaction("a", "1"), interaction("a", "2"), interaction("b"))
    stream = saved(path, interaction("a", stream=True))
    done = save(path, [new(interaction("a", "3"), replace=True)])
    assert set(done.gone) == {old[0].id, old[1].id}
    expected = [old[2], *stream, *done.interactions]
    assert sorted(expected, key=lambda one: order(one.id)) == read(path)


def test_replace_spares_what_comes_in_the_same_save(path):
    saved(path, interaction("a", "old"))
    done = save(
        path, [new(interaction("a", "1"), replace=True), new(interaction("a", "2"), replace=True)]
    )
    assert read(path) == done.interactions
    assert len(done.gone) == 1


# What must not be lost


@pytest.mark.parametrize(
    "wreck",
    [
        lambda text: text.replace("\n- id", "\n<<<<<<< HEAD\n- id", 1),
        lambda text: text.replace("\n- id", "\n=======\n- id", 1),
        lambda text: text + "other: 1\n",
        lambda text: text + "other:\n  id: a\n  key: b\n  variant: c\n",
        lambda text: text.replace("promptdeck: 1", "promptdeck: 2"),
        lambda text: text.replace("promptdeck: 1\n", ""),
        lambda text: text.replace("- id:", "- name:"),
        lambda text: text + "\x07",
    ],
)
def test_a_file_that_is_broken_stays_as_it_is(path, wreck):
    saved(path, interaction("a"))
    path.write_text(wreck(path.read_text()))
    before = path.read_bytes()
    with pytest.raises(CassetteError, match=r"x\.yaml:\d+: "):
        saved(path, interaction("b"))
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_a_recording_that_cannot_be_written_leaves_the_file_as_it_was(path):
    saved(path, interaction("a"))
    before = path.read_bytes()
    bad = of(chat_request("x"), whole("y", (("x-name", "half \ud83d"),)))
    with pytest.raises(CassetteError, match="without loss"):
        saved(path, interaction("b"), bad)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_a_full_disk_leaves_the_file_as_it_was(path):
    saved(path, *map(conversation, range(3)))
    before = path.read_bytes()
    # No file of this process may grow beyond what is there: what a full disk does to it. Nor
    # may it leave half a compiled module to all others.
    script = (
        "sys.dont_write_bytecode = True\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({len(before)}, {len(before)}))\n"
        "save(path, [new(conversation(9))])"
    )
    process = python(script, path)
    _, error = process.communicate()
    assert "OSError: [Errno 27] File too large" in error
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_a_folder_that_cannot_be_made_is_an_oserror(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        saved(tmp_path / "file" / "x.yaml", interaction())


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_is_read_only_is_an_oserror(path):
    saved(path, interaction("a"))
    before = path.read_bytes()
    path.parent.chmod(0o500)
    with pytest.raises(PermissionError):
        saved(path, interaction("b"))
    path.parent.chmod(0o700)
    assert path.read_bytes() == before


def test_permissions_and_links_stay(path, tmp_path):
    saved(path, interaction("a"))
    path.chmod(0o640)
    link = tmp_path / "link.yaml"
    link.symlink_to(path)
    made = saved(link, interaction("b"))
    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o640
    assert made[0] in read(path)


def test_a_new_file_in_a_working_tree_obeys_the_umask(path):
    (path.parent.parent / ".git").mkdir()
    process = python("os.umask(0o027)\nsave(path, [new(interaction())])", path)
    process.communicate()
    assert path.stat().st_mode & 0o777 == 0o640


def test_processes_that_save_at_once_lose_nothing(path):
    script = "ready()\nfor n in map(int, sys.argv[2:]):\n    save(path, [new(conversation(n))])"
    turns = [range(start, 40, 4) for start in range(4)]
    processes = [python(script, path, *turn) for turn in turns]
    start_together(processes)
    assert [process.communicate()[1] for process in processes] == [""] * 4
    assert sorted(map(repr, map(nameless, read(path)))) == sorted(
        repr(nameless(conversation(n))) for n in range(40)
    )
    assert len(set(ids(path))) == 40
    assert verify(path, REDACTOR) == []


def test_a_reader_sees_the_file_before_or_after_a_save_and_nothing_between(path):
    saved(path, *map(conversation, range(5)))
    counts = [5]

    def watch():
        while counts[-1] < 25:
            counts.append(len(read(path)))

    watcher = threading.Thread(target=watch)
    watcher.start()
    for n in range(5, 25):
        saved(path, conversation(n))
    watcher.join()
    assert counts == sorted(counts)


def test_a_process_killed_while_saving_leaves_a_whole_file(path):
    script = "for n in range(10**6):\n    save(path, [new(conversation(n))])"
    process = python(script, path)
    while not (path.exists() and len(read(path)) >= 10):
        assert process.poll() is None, process.communicate()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    survived = {nameless(one).request.body for one in read(path)}
    assert survived == {conversation(n).request.body for n in range(len(survived))}
    assert saved(path, conversation(10**6 + 1))[0] in read(path)


# git


def git(folder, *argv):
    settings = ("user.name=a", "user.email=a@example.com", "init.defaultBranch=main")
    command = ["git", *(part for setting in settings for part in ("-c", setting)), *argv]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return ran.returncode, ran.stdout + ran.stderr


needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


def apart(path, start):
    """Conversations whose places in the file are no neighbours: the common case."""
    old = ids(path)
    taken = set()
    for one in map(conversation, range(start, start + 100)):
        gap = sum(order(name) < order(one.id) for name in old)
        if not taken & {gap - 1, gap, gap + 1}:
            taken.add(gap)
            yield one


@needs_git
def test_two_branches_that_record_other_conversations_merge_without_conflict(path):
    base = [one for n in range(40) for one in saved(path, conversation(n))]
    first, second, third, fourth, *_ = apart(path, 100)
    folder = path.parent
    git(folder, "init")
    git(folder, "add", ".")
    git(folder, "commit", "-m", "base")
    git(folder, "branch", "theirs")
    ours = saved(path, first, second)
    git(folder, "commit", "-am", "ours")
    git(folder, "checkout", "theirs")
    theirs = saved(path, third, fourth)
    git(folder, "commit", "-am", "theirs")
    code, told = git(folder, "merge", "main", "-m", "both")
    assert code == 0, told
    assert verify(path, REDACTOR) == []
    merged = read(path)
    assert len(merged) == 44
    assert all(one in merged for one in (*base, *ours, *theirs))
    assert [one.id for one in merged] == sorted((one.id for one in merged), key=order)


@needs_git
def test_two_branches_that_record_the_same_request_are_told_to_resolve_it(path):
    saved(path, conversation(0))
    folder = path.parent
    git(folder, "init")
    git(folder, "add", ".")
    git(folder, "commit", "-m", "base")
    git(folder, "branch", "theirs")
    saved(path, interaction("new", "ours"))
    git(folder, "commit", "-am", "ours")
    git(folder, "checkout", "theirs")
    saved(path, interaction("new", "theirs"))
    git(folder, "commit", "-am", "theirs")
    code, _ = git(folder, "merge", "main")
    assert code == 1
    line = path.read_text()[: path.read_text().index("<<<<<<<")].count("\n") + 1
    with pytest.raises(CassetteError, match=rf"x\.yaml:{line}: an unresolved git merge"):
        read(path)


def test_additions_of_different_conversations_spread_over_the_file(path):
    saved(path, *map(conversation, range(30)))
    before = ids(path)
    made = [saved(path, conversation(n))[0].id for n in range(1000, 1030)]
    gaps = {sum(order(old) < order(name) for old in before) for name in made}
    assert len(gaps) > 12


@given(st.sampled_from(list(ODD)), st.sampled_from(Variant), st.integers(0, 2**32))
def test_a_file_that_grows_and_shrinks_stays_readable(tmp_path_factory, name, variant, seed):
    path = tmp_path_factory.mktemp("grow") / "x.yaml"
    rng = random.Random(seed)
    for _ in range(5):
        one = rng.choice([ODD[name], conversation(rng.randrange(3))])
        save(path, [new(one, replace=rng.random() < 0.4)])
    assert ids(path) == sorted(set(ids(path)), key=order)


def test_what_a_killed_process_left_is_cleared_at_the_next_save_and_nothing_else(path):
    saved(path, interaction("a"))
    ended = subprocess.Popen(["true"])
    ended.wait()
    litter = [path.with_name(f".{name}.yaml.{ended.pid}") for name in ("x", "other")]
    others = [path.with_name(name) for name in (f".x.yaml.{os.getppid()}", ".x.yaml.swp", "x.1")]
    for one in (*litter, *others):
        one.touch()
    saved(path, interaction("b"))
    assert {*path.parent.iterdir()} == {path, *others}

"""Edits of cassette files: nothing is lost, and what they do not touch stays as it was."""

import signal
from collections import Counter

import pytest

from promptdeck.errors import CassetteError
from promptdeck.stores.cassettes.dump import HEADER
from promptdeck.stores.cassettes.edit import content
from promptdeck.stores.cassettes.file import read
from promptdeck.stores.cassettes.prune import dedupe_anywhere, prune
from promptdeck.stores.cassettes.rename import rename_model
from tests.recordings import (
    REDACTOR,
    conversation,
    interaction,
    python,
)
from tests.stores.cassettes import saved, written


def contents(path):
    return Counter(content(one) for one in read(path))


def test_a_process_killed_while_it_edits_leaves_a_whole_file(path):
    saved(path, *map(conversation, range(20)))
    before = contents(path)
    script = (
        "from promptdeck.stores.cassettes.rename import rename_model\n"
        "print('go', flush=True)\n"
        "for n in range(10**6):\n"
        "    rename_model(path, 'm' if n % 2 == 0 else 'n', 'n' if n % 2 == 0 else 'm', REDACTOR)\n"
    )
    process = python(script, path)
    assert process.stdout.readline() == "go\n", process.communicate()
    first = path.stat().st_mtime_ns
    while path.stat().st_mtime_ns == first:
        assert process.poll() is None, process.communicate()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    rename_model(path, "n", "m", REDACTOR)
    assert contents(path) == before


def test_a_file_in_another_layout_is_edited_too(path):
    text = written(path, interaction("one"), interaction("two", "Hello", stream=True))
    items = text.removeprefix(HEADER).replace("\n", "\n  ").rstrip(" ")
    path.write_text(f"interactions:\n{items}promptdeck: 1\n")
    assert len(read(path)) == 2
    prune(path, {interaction("one").id})
    assert read(path) == [interaction("two", "Hello", stream=True)]


def test_a_link_stays_one_and_a_missing_folder_is_one_line(path, tmp_path):
    written(path, interaction("a"), interaction("a"))
    link = tmp_path / "link.yaml"
    link.symlink_to(path)
    dedupe_anywhere(link)
    assert link.is_symlink()
    assert len(read(path)) == 1
    with pytest.raises(CassetteError, match="cannot be written: No such file"):
        dedupe_anywhere(tmp_path / "none" / "x.yaml")

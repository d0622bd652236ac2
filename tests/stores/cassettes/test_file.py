"""Where cassettes lie, and how their files are read."""

import os
import stat
import sys

import pytest

from promptdeck.errors import CassetteError
from promptdeck.stores.cassettes import file as cassette_file
from promptdeck.stores.cassettes.file import digest, names, overwrite, path_of, read, signature
from promptdeck.stores.cassettes.save import save
from tests.recordings import (
    conversation,
    interaction,
    new,
)
from tests.stores.cassettes import saved

# Where files lie


def test_a_name_is_a_path_below_the_folder(tmp_path):
    assert path_of(tmp_path, "agents/weather") == tmp_path / "agents" / "weather.yaml"
    with pytest.raises(ValueError, match="dot"):
        path_of(tmp_path, "../x")


def test_names_are_those_of_all_files_below_the_folder_that_can_have_one(tmp_path):
    for file in ("b.yaml", "a/b.yaml", "a.yaml", ".x.yaml", ".git/y.yaml", "my tape.yaml", "z.yml"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).touch()
    (tmp_path / "folder.yaml").mkdir()
    assert names(tmp_path) == ["a", "a/b", "b"]
    assert names(tmp_path / "missing") == []


# Reading


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(CassetteError, match=r"x\.yaml: cannot be read: No such file"):
        read(tmp_path / "x.yaml")
    with pytest.raises(CassetteError, match="Is a directory"):
        read(tmp_path)


def test_what_is_not_text_is_told_with_its_line(path):
    saved(path, interaction())
    path.write_bytes(path.read_bytes() + b"# caf\xe9\n")
    line = path.read_bytes().count(b"\n")
    with pytest.raises(CassetteError, match=rf"x\.yaml:{line}: not a cassette: not UTF-8 text"):
        read(path)


def test_a_signature_changes_with_the_file(path):
    assert signature(path) is None
    seen = {save(path, [new(conversation(n))]).signature for n in range(3)}
    assert len(seen) == 3
    assert signature(path) in seen


@pytest.mark.parametrize("size", [0, 1, cassette_file._BLOCK, 2 * cassette_file._BLOCK + 1])
def test_a_digest_read_in_blocks_is_that_of_the_whole(size, tmp_path):
    path = tmp_path / "x.yaml"
    path.write_bytes(bytes(range(251)) * (size // 251 + 1))
    os.truncate(path, size)
    assert cassette_file.digest_of(path) == digest(path.read_bytes())


def test_a_digest_of_what_cannot_be_read_says_so(tmp_path):
    with pytest.raises(CassetteError, match="cannot be read"):
        cassette_file.digest_of(tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="no such permissions there")
def test_a_new_file_is_private_but_in_a_working_tree_of_git(tmp_path):
    before = os.umask(0o022)
    try:
        alone, shared = tmp_path / "alone" / "a.yaml", tmp_path / "tree" / "deep" / "a.yaml"
        for path in (alone, shared):
            path.parent.mkdir(parents=True)
        (tmp_path / "tree" / ".git").mkdir()
        for path, mode in ((alone, 0o600), (shared, 0o644)):
            overwrite(path, b"one")
            assert stat.S_IMODE(path.stat().st_mode) == mode
            path.chmod(0o640)
            overwrite(path, b"two")
            assert stat.S_IMODE(path.stat().st_mode) == 0o640
    finally:
        os.umask(before)


def test_an_edit_is_seen_though_its_time_is_given_back(path):
    before = save(path, [new(conversation(1))]).signature
    assert signature(path) == before
    stat = path.stat()
    data = path.read_bytes()
    path.write_bytes(data[:-2] + b"x" + data[-1:])
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert signature(path) != before

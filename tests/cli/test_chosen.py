"""chosen: which cassettes a command works on, what one that fails does, and how far work is."""

import sys
from pathlib import Path
from typing import Any, Self

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.cli.chosen import Worked, all_or, each, existing, exit_after, path_in, watching
from promptdeck.errors import CassetteError, UsageError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.yaml", "sub/a.yaml", "note.txt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(name)
    return tmp_path


def test_without_names_all_cassettes_of_the_folder_are_meant(folder: Path) -> None:
    assert all_or(folder, ()) == {"b": folder / "b.yaml", "sub/a": folder / "sub" / "a.yaml"}
    assert all_or(folder, ["sub/a"]) == {"sub/a": folder / "sub" / "a.yaml"}


def test_a_cassette_may_be_named_by_its_path(folder: Path) -> None:
    assert existing(folder / "sub", str(folder / "b.yaml")) == folder / "b.yaml"


@pytest.mark.parametrize(
    ("name", "why"), [("none", "there is no cassette none"), ("../b", "no cassette can have")]
)
def test_a_cassette_that_is_not_there_is_told(folder: Path, name: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        existing(folder, name)
    assert path_in(folder, "none") == folder / "none.yaml"


def test_one_that_fails_does_not_stop_the_others(folder: Path) -> None:
    def work(path: Path, _: object) -> str:
        if path.stem == "b":
            raise CassetteError("b is broken")
        return path.read_text()

    assert each(folder, (), "working", work) == Worked({"sub/a": "sub/a.yaml"}, ["b is broken"])


@pytest.mark.parametrize(
    ("failed", "found", "code"),
    [([], False, 0), ([], True, 1), (["broken"], False, 4), (["broken"], True, 4)],
)
def test_the_exit_code_is_that_of_the_worst(
    failed: list[str], found: bool, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        exit_after(Worked({}, failed), found=found)
    assert left.value.code == code
    assert capsys.readouterr().err == "".join(f"promptdeck: {reason}\n" for reason in failed)


class Bar:
    """What `click.progressbar` gives, but on paper."""

    def __init__(self, length: int, **_: object) -> None:
        self.length = length
        self.moved: list[int] = []
        self.update = self.moved.append

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert sum(self.moved) == self.length


FILES = [Path(__file__), Path(__file__).with_name("__init__.py"), Path(__file__).parent / "none"]


@given(st.lists(st.lists(st.floats(0, 1), max_size=4), min_size=3, max_size=3))
def test_the_bar_moves_by_bytes_and_is_full_when_all_work_is_done(shares: list[Any]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(click, "progressbar", Bar)
        with watching("working", FILES) as step_of:
            for path, steps in zip(FILES, shares, strict=True):
                step = step_of(path)
                for share in (*sorted(steps), 1):
                    step(share)


def test_there_is_no_bar_where_stderr_is_no_terminal(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not sys.stderr.isatty()
    each(folder, (), "working", lambda path, step: step(1))
    assert capsys.readouterr().err == ""

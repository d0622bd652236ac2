"""output: rows as tabs in a pipe and as columns on a terminal; counts and sizes in words."""

import sys

import click
import orjson
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.cli.output import counted, print_json, print_rows, size

ROWS = [
    {"name": "login", "models": ["a", "b"], "newest_one": None},
    {"name": "checkout", "models": [], "newest_one": 3},
]


def printed(rows: object, *, as_json: bool = False) -> str:
    command = click.Command("x", callback=lambda: print_rows(rows, as_json=as_json))
    return CliRunner().invoke(command, catch_exceptions=False).stdout


def test_rows_in_a_pipe_are_lines_of_tabs_below_their_heads() -> None:
    assert printed(ROWS) == "name\tmodels\tnewest one\nlogin\ta, b\t\ncheckout\t\t3\n"


def test_rows_on_a_terminal_stand_in_columns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    print_rows(ROWS, as_json=False)
    assert click.unstyle(capsys.readouterr().out).splitlines() == [
        "name      models  newest one",
        "login     a, b",
        "checkout          3",
    ]


def test_no_rows_are_no_lines_but_a_list_in_json() -> None:
    assert printed([]) == ""
    assert printed([], as_json=True) == "[]\n"


def test_json_has_the_values_as_they_are() -> None:
    assert orjson.loads(printed(ROWS, as_json=True)) == ROWS


@given(st.text(), st.text())
def test_a_row_is_one_line_whatever_stands_in_it(name: str, value: str) -> None:
    lines = printed([{"name": name, "value": value}]).removesuffix("\n").split("\n")
    assert [line.count("\t") for line in lines] == [1, 1]
    assert all(cell.isprintable() for cell in lines[1].split("\t"))


def test_json_takes_keys_that_are_no_text(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({1: 2})
    assert orjson.loads(capsys.readouterr().out) == {"1": 2}


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (2**30, "1.0 GiB"),
        (2**42, "4096.0 GiB"),
    ],
)
def test_a_size_has_a_unit_that_fits_it(count: int, text: str) -> None:
    assert size(count) == text


def test_one_is_not_several() -> None:
    assert [counted(n, "hit") for n in (0, 1, 2)] == ["0 hits", "1 hit", "2 hits"]
    assert counted(2, "miss", "misses") == "2 misses"

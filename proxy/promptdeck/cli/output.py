"""Rows for people and for programs: a table on a terminal, tabs in a pipe, JSON on request."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click
import orjson

from promptdeck.core.text.wording import visible


def print_rows(rows: Sequence[Mapping[str, Any]], *, as_json: bool) -> None:
    """Print mappings that share their keys, which are the heads of the columns.

    A table on a terminal, lines of tabs in a pipe, a list of objects as JSON.
    """
    if as_json:
        print_json(rows)
    elif rows:
        cells = [[_text(value) for value in row.values()] for row in rows]
        head = [key.replace("_", " ") for key in rows[0]]
        if sys.stdout.isatty():
            _table(head, cells)
        else:
            for line in (head, *cells):
                click.echo("\t".join(line))


def print_json(value: Any) -> None:
    """Print a value as indented JSON."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS
    click.echo(orjson.dumps(value, option=options).decode())


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    click.secho(_line(head, widths), bold=True)
    for row in rows:
        click.echo(_line(row, widths))


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(map(str.ljust, cells, widths)).rstrip()


def _text(value: Any) -> str:
    """A value in one line without control characters: what stands in a cassette is anybody's."""
    if isinstance(value, list | tuple):
        return ", ".join(map(_text, value))
    return "" if value is None else visible(" ".join(str(value).split()))


def size(count: int) -> str:
    """A number of bytes for people: `1.5 MiB`."""
    amount, unit = float(count), "B"
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024 or unit == "GiB":
            break
        amount /= 1024
    return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"


def counted(count: int, one: str, many: str = "") -> str:
    """A number with its noun: `1 hit`, `2 hits`; `many` where the plural is another."""
    return f"{count} {one if count == 1 else many or one + 's'}"

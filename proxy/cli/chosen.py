"""Which cassettes a command works on, and work on each of them with its progress."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import click

from proxy.errors import UsageError
from proxy.stores.cassette_file import names, path_of

Result = TypeVar("Result")

several = click.argument("chosen", nargs=-1, metavar="[NAME ...]")
check_only = click.option(
    "--check", is_flag=True, help="Change nothing; exit with 1 if there is something to change."
)


def existing(folder: Path, name: str) -> Path:
    """The file of a cassette that must be there."""
    path = path_in(folder, name)
    if not path.exists():
        raise UsageError(f"there is no cassette {name} in {folder}; `cassette list` shows them")
    return path


def path_in(folder: Path, name: str) -> Path:
    try:
        return path_of(folder, name)
    except ValueError as error:
        raise UsageError(f"no cassette can have this name: {error}") from None


def each(
    folder: Path, chosen: Sequence[str], label: str, work: Callable[[Path], Result]
) -> dict[str, Result]:
    """`work` done on each cassette named, or on all."""
    todo = {name: existing(folder, name) for name in chosen or names(folder)}
    with click.progressbar(
        todo.items(), label=label, file=sys.stderr, hidden=not sys.stderr.isatty()
    ) as progress:
        return {name: work(path) for name, path in progress}

"""Which cassettes a command works on, and work on each of them with its progress."""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Generic, NamedTuple, NoReturn, TypeVar

import click

from promptdeck.errors import CassetteError, UsageError
from promptdeck.stores.cassettes.file import SUFFIX, names, path_of
from promptdeck.stores.cassettes.progress import Progress

Result = TypeVar("Result")

several = click.argument("chosen", nargs=-1, metavar="[NAME ...]")
check_only = click.option(
    "--check", is_flag=True, help="Change nothing; exit with 1 if there is something to change."
)


def existing(folder: Path, name: str) -> Path:
    """The file of a cassette that must be there; a name that ends in .yaml is a file's path."""
    if name.endswith(SUFFIX) and Path(name).is_file():
        return Path(name)
    path = path_in(folder, name)
    if not path.exists():
        raise UsageError(f"there is no cassette {name} in {folder}; `cassette list` shows them")
    return path


def path_in(folder: Path, name: str) -> Path:
    try:
        return path_of(folder, name)
    except ValueError as error:
        raise UsageError(f"no cassette can have this name: {error}") from None


def all_or(folder: Path, chosen: Sequence[str]) -> Mapping[str, Path]:
    """The cassettes named, or all of the folder, by their names."""
    return {name: existing(folder, name) for name in chosen or names(folder)}


class Worked(NamedTuple, Generic[Result]):
    done: dict[str, Result]
    """By the cassettes' names."""
    failed: list[str]
    """Why others could not be read or changed."""


def each(
    folder: Path, chosen: Sequence[str], label: str, work: Callable[[Path, Progress], Result]
) -> Worked[Result]:
    """`work` done on each cassette named, or on all. One that fails does not stop the others."""
    paths = all_or(folder, chosen)
    worked: Worked[Result] = Worked({}, [])
    with watching(label, paths.values()) as step_of:
        for name, path in paths.items():
            try:
                worked.done[name] = work(path, step_of(path))
            except CassetteError as error:
                worked.failed.append(str(error))
    return worked


def leave(worked: Worked[Any], *, found: bool) -> NoReturn:
    """Exit with 4 for a cassette that cannot be read or written, else with 1 for a find."""
    for reason in worked.failed:
        click.echo(f"promptdeck: {reason}", err=True)
    sys.exit(CassetteError.exit_code if worked.failed else int(found))


@contextmanager
def watching(label: str, paths: Iterable[Path]) -> Iterator[Callable[[Path], Progress]]:
    """A progress bar on a terminal, which goes by bytes: one huge file is seen to move, too."""
    sizes = {path: path.stat().st_size if path.exists() else 0 for path in paths}
    hidden = not sys.stderr.isatty()
    with click.progressbar(
        length=sum(sizes.values()), label=label, file=sys.stderr, hidden=hidden
    ) as shown:

        def step_of(path: Path) -> Progress:
            done = 0

            def step(share: float) -> None:
                nonlocal done
                now = round(share * sizes[path])
                shown.update(now - done)
                done = now

            return step

        yield step_of

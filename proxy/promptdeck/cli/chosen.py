"""Which cassettes a command works on, and work on each of them with its progress."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Generic, NamedTuple, NoReturn, TypeVar

import click

from promptdeck.errors import CassetteError, UsageError
from promptdeck.stores.cassettes.called import called, likely
from promptdeck.stores.cassettes.file import SUFFIX, names, path_of
from promptdeck.stores.cassettes.progress import Progress

Result = TypeVar("Result")

# Parts that commands share, for `def command(*, chosen, check, ...)`.
several = click.argument("chosen", nargs=-1, metavar="[NAME ...]")
check_only = click.option(
    "--check", is_flag=True, help="Change nothing; exit with 1 if there is something to change."
)


def existing(folder: Path, name: str) -> Path:
    """The file of a cassette that is there, by its name in `folder` or by its own path.

    UsageError if there is no such cassette, with the one that may be meant.
    """
    if name.endswith(SUFFIX) and Path(name).is_file():
        return Path(name)
    try:
        name = called(name, folder)
    except ValueError as error:
        raise UsageError(f"no cassette can have this name: {error}") from None
    path = path_in(folder, name)
    if not path.exists():
        like = likely(name, names(folder))
        hint = f"did you mean {like}?" if like else "`cassette list` shows them"
        raise UsageError(f"there is no cassette {name} in {folder}; {hint}")
    return path


def path_in(folder: Path, name: str) -> Path:
    """The file of a cassette, there or not. UsageError for a name that none can have."""
    try:
        return path_of(folder, name)
    except ValueError as error:
        raise UsageError(f"no cassette can have this name: {error}") from None


def all_or(folder: Path, chosen: Sequence[str]) -> Mapping[str, Path]:
    """The files of the cassettes named, or else of all in the folder, by name. UsageError."""
    return {name: existing(folder, name) for name in chosen or names(folder)}


class Worked(NamedTuple, Generic[Result]):
    """The results of work on several cassettes."""

    done: dict[str, Result]
    """By the cassettes' names."""
    failed: list[str]
    """Why others could not be read or changed."""


def each(
    folder: Path, chosen: Sequence[str], label: str, work: Callable[[Path, Progress], Result]
) -> Worked[Result]:
    """Do `work` on each cassette named, or else on all, with a progress bar called `label`.

    `work` gets the file, and a function to tell how far it is. A CassetteError of one does not
    stop the others. UsageError for a name that is no cassette's.
    """
    paths = all_or(folder, chosen)
    worked: Worked[Result] = Worked({}, [])
    with watching(label, paths.values()) as step_of:
        for name, path in paths.items():
            try:
                worked.done[name] = work(path, step_of(path))
            except CassetteError as error:
                worked.failed.append(str(error))
    return worked


def exit_after(worked: Worked[Any], *, found: bool) -> NoReturn:
    """Say what failed on stderr, and end the process.

    The exit code is 4 if a cassette could not be read or written, else 1 if `found`, else 0.
    """
    for reason in worked.failed:
        click.echo(f"promptdeck: {reason}", err=True)
    sys.exit(CassetteError.exit_code if worked.failed else int(found))


@contextmanager
def watching(label: str, paths: Iterable[Path]) -> Iterator[Callable[[Path], Progress]]:
    """Show a progress bar for work on these files, if stderr is a terminal, until the block ends.

    Gives a function that makes, for a file, the one by which its work tells how far it is, from
    0 to 1. The bar goes by bytes: one huge file is seen to move, too.
    """
    sizes = {path: path.stat().st_size if path.exists() else 0 for path in paths}
    hidden = not sys.stderr.isatty() or os.environ.get("TERM") == "dumb"
    try:
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
    finally:
        if not hidden:
            # click ends its line; the bar is of no use to who reads what follows.
            click.echo("\033[1A\033[2K", nl=False, file=sys.stderr)

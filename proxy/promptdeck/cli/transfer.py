"""`promptdeck cassette import` and `export`: recordings from other tools, and for them."""

import os
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import orjson

from promptdeck.core.secrets.redact import Redactor
from promptdeck.core.units import Moments
from promptdeck.errors import CassetteError, UsageError
from promptdeck.imports import (
    FORMATS,
    SUFFIXES,
    Imported,
    Moment,
    NotCarried,
    carry,
    in_file_order,
    moment_of,
)
from promptdeck.imports import read as read_foreign
from promptdeck.imports.export_har import archive
from promptdeck.stores.cassettes.file import read
from promptdeck.stores.cassettes.progress import Progress
from promptdeck.stores.cassettes.save import New, save

from . import options
from .chosen import existing, path_in, watching
from .output import counted, print_json


@click.command("import")
@options.settings("cassette.dir")
@click.argument(
    "files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path)
)
@click.option("--to", "name", metavar="NAME", help="Cassette for all; by default one for each.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["auto", *FORMATS]),
    default="auto",
    help="Whose files these are; by default seen from each file.",
)
@click.option("--errors", is_flag=True, help="Carry error answers too, as record.errors says.")
@options.as_json
def import_command(
    *,
    files: Sequence[Path],
    name: str | None,
    form: str,
    errors: bool,
    as_json: bool,
    **flags: Any,
) -> None:
    """Import recordings of vcrpy, pytest-recording, HAR, aimock and reel.

    A folder stands for its files. Each file makes a cassette named by its path below
    the folder that all arguments share. Older recordings of the same requests are
    replaced, so importing again leaves nothing double. What cannot be carried is
    listed with its reason: then the exit code is 1, and 4 if a file cannot be read.

    \b
    Examples:
      promptdeck cassette import tests/old_cassettes
      promptdeck cassette import --to checkout session.har
      promptdeck cassette import --format reel tape.jsonl --json
    """
    from promptdeck.library import redactor_of

    config = options.loaded(flags).config
    folder = config.cassette.dir
    sources = [(path, path_in(folder, name or own)) for path, own in _named(files)]
    if not name:
        _warn_of_shared(sources)
    importing = _Importing(form, redactor_of(config), errors or config.record.errors)
    with watching("importing", [path for path, _ in sources]) as step_of:
        into: dict[Path, list[Path]] = {}
        for path, cassette in sources:
            into.setdefault(cassette, []).append(path)
        for cassette, paths in into.items():
            importing.files(paths, cassette, step_of)
    importing.print_verdict(len(sources), as_json=as_json)
    sys.exit(importing.exit_code)


@dataclass(frozen=True)
class _ReadFile:
    """A file of another tool that was read."""

    path: Path
    news: Sequence[New]
    """What is to be saved of it."""
    left: Sequence[NotCarried]
    """What is not carried."""
    step: Progress


def _together(steps: Sequence[Progress]) -> Progress:
    """The progress of several files at once."""

    def step(share: float) -> None:
        for one in steps:
            one(share)

    return step


@dataclass
class _Importing:
    """One run of `cassette import`: how files are read, and what has come of it so far."""

    form: str
    """A key of `imports.FORMATS`, or `auto`."""
    redactor: Redactor
    errors: bool
    """Whether error answers are carried, too."""
    carried: int = 0
    replaced: int = 0
    cassettes: set[Path] = field(default_factory=set)
    left: list[tuple[Path, NotCarried]] = field(default_factory=list)
    """Entries that are not carried, with their files."""
    unreadable: list[str] = field(default_factory=list)
    """Why, for each file that could not be read."""
    _seen: set[tuple[Path, str, str]] = field(default_factory=set)
    """Requests of which this run has saved recordings."""
    _moments: defaultdict[Path, Moments] = field(default_factory=lambda: defaultdict(Moments))
    """By cassette: the times of what this run has carried into it."""

    def files(
        self, paths: Sequence[Path], cassette: Path, step_of: Callable[[Path], Progress]
    ) -> None:
        """Import files into one cassette: of each all that can be carried, or nothing.

        `step_of` gives for a file what is told how far it is, from 0 to 1.
        """
        read = [one for path in paths if (one := self._read(path, cassette, step_of(path)))]
        if read and not self._saved(cassette, read, last=len(read) == 1):
            # One that cannot be written must not take the others with it.
            for one in read:
                self._saved(cassette, [one], last=True)

    def _read(self, path: Path, cassette: Path, step: Progress) -> "_ReadFile | None":
        """A file's entries; None, with the reason among the unreadable ones, if there are none."""
        if path.absolute() == cassette.absolute():
            problem = "it would be its own cassette; name another folder with --cassettes"
            self.unreadable.append(f"{path}: {problem}")
            return None
        try:
            found = list(self._recordings(path, step))
            left = [item for _, item in found if isinstance(item, NotCarried)]
            return _ReadFile(path, self._timed(path, cassette, found), left, step)
        except CassetteError as error:
            self.unreadable.append(str(error))
        except OSError as error:
            self.unreadable.append(f"{path}: cannot be read: {error.strerror or error}")
        return None

    def _saved(self, cassette: Path, read: "Sequence[_ReadFile]", *, last: bool) -> bool:
        """Save what came of files into their cassette, written once: each time it is whole anew.

        False if that cannot be; the reason is noted if this is the `last` attempt.
        """
        news = self._news(cassette, [new for one in read for new in one.news])
        try:
            step = _together([one.step for one in read])
            saved = save(cassette, news, lambda share: step((1 + share) / 2)) if news else None
        except (CassetteError, OSError) as error:
            if last:
                why = str(error)
                if isinstance(error, OSError):
                    why = f"{cassette}: cannot be written: {error.strerror or error}"
                self.unreadable.append(why)
            return False
        self.left += [(one.path, item) for one in read for item in one.left]
        if saved:
            self.carried += len(news)
            self.replaced += len(saved.gone)
            self.cassettes.add(cassette)
            self._seen |= {_request(cassette, new) for new in news}
        return True

    def _timed(
        self, path: Path, cassette: Path, found: Sequence[tuple[Moment, New | NotCarried]]
    ) -> list[New]:
        """The recordings of a file, at times that keep its order; after those of earlier files."""
        times = in_file_order([moment for moment, _ in found], path.stat().st_mtime)
        moments = self._moments[cassette]
        news = []
        for (_, item), time in zip(found, times, strict=True):
            if isinstance(item, New):
                one = item.interaction
                one = one._replace(recorded_at=moments.free(time, one.key))
                news.append(item._replace(interaction=one))
        return news

    def _recordings(self, path: Path, step: Progress) -> Iterator[tuple[Moment, New | NotCarried]]:
        """Every entry of a file with its time: carried, or with the reason why not. CassetteError.

        Reading is the first half of the work; how far it is, the size of what came tells.
        """
        whole, done = max(1, path.stat().st_size if path.exists() else 0), 0
        for item in read_foreign(path, self.form):
            if isinstance(item, NotCarried):
                yield Moment(None, None), item
                continue
            done += len(item.body) + sum(len(frame.data) for frame in item.frames)
            step(min(1, done / whole) / 2)
            yield moment_of(item), self._carried(path, item)

    def _carried(self, path: Path, item: Imported) -> New | NotCarried:
        """An entry as a recording; where nothing says when, it was made when its file was."""
        written = path.stat().st_mtime
        try:
            return carry(item, self.redactor, otherwise=written, errors=self.errors)
        # Half a surrogate pair in a URL.
        except ValueError as error:
            return NotCarried(item.place, f"it cannot be kept: {error}")

    def _news(self, cassette: Path, news: Sequence[New]) -> list[New]:
        """Recordings as they are to be saved.

        They replace older ones of their requests, but follow what an earlier file of this run
        brought.
        """
        return [new._replace(replace=_request(cassette, new) not in self._seen) for new in news]

    @property
    def exit_code(self) -> int:
        """4 if a file could not be read, 1 if an entry was not carried, else 0."""
        return CassetteError.exit_code if self.unreadable else int(bool(self.left))

    def print_verdict(self, files: int, *, as_json: bool) -> None:
        """Print what was not carried, and the totals over this number of files."""
        if as_json:
            print_json(self._told(files))
            return
        for path, item in self.left:
            click.echo(f"{path}:{item.place}: not carried: {item.reason}")
        for error in self.unreadable:
            click.echo(error)
        cassettes = counted(len(self.cassettes), "cassette")
        verdict = f"{counted(self.carried, 'recording')} from {counted(files, 'file')}"
        replaced = f", {self.replaced} older replaced" if self.replaced else ""
        left = f"; {len(self.left)} not carried" if self.left else ""
        unread = f"; {counted(len(self.unreadable), 'file')} unreadable" if self.unreadable else ""
        said = f"{verdict} in {cassettes}{replaced}{left}{unread}"
        click.echo(said, err=bool(self.exit_code))

    def _told(self, files: int) -> dict[str, Any]:
        """The verdict as JSON."""
        return {
            "files": files,
            "carried": self.carried,
            "replaced": self.replaced,
            "cassettes": sorted(map(str, self.cassettes)),
            "not_carried": [
                {"file": str(path), "place": item.place, "reason": item.reason}
                for path, item in self.left
            ],
            "unreadable": self.unreadable,
        }


def _request(cassette: Path, new: New) -> tuple[Path, str, str]:
    """By what recordings of the same request in the same cassette are known."""
    return cassette, new.interaction.key, new.interaction.variant


def _named(arguments: Sequence[Path]) -> Iterator[tuple[Path, str]]:
    """Every file with its cassette's name: its path below the folder that all share."""
    shared = Path(os.path.commonpath([_folder(path) for path in arguments]))
    for argument in arguments:
        for path in _files(argument):
            yield path, _name(_bare(path.absolute().relative_to(shared)))


def _warn_of_shared(sources: Sequence[tuple[Path, Path]]) -> None:
    """Say on stderr which files go into one cassette, without --to having asked for it.

    Their names differ in characters that a cassette's cannot have.
    """
    first: dict[Path, Path] = {}
    for path, cassette in sources:
        if first.setdefault(cassette, path) is not path:
            said = f"{path} goes into {cassette}, as {first[cassette]} does; --to keeps them apart"
            click.echo(said, err=True)


def _folder(path: Path) -> Path:
    """An argument that is a folder, or the folder that it is in."""
    return path.absolute() if path.is_dir() else path.absolute().parent


def _files(path: Path) -> list[Path]:
    """A file itself, or the files of a folder, at any depth, with a suffix of the tools'."""
    if not path.is_dir():
        return [path]
    return sorted(
        item for item in path.rglob("*") if item.name.endswith(SUFFIXES) and item.is_file()
    )


def _bare(path: Path) -> Path:
    """A path without its suffix, `.yaml` or `.yaml.gz`."""
    return (path.with_suffix("") if path.suffix == ".gz" else path).with_suffix("")


def _name(path: Path) -> str:
    """A path spelled with the letters of a cassette's name; `test_x[a b]` becomes `test_x-a-b`."""
    parts = (re.sub("[^A-Za-z0-9._-]+", "-", part).strip("-.") for part in path.parts)
    return "/".join(part or "-" for part in parts)


@click.command("export")
@options.settings("cassette.dir")
@click.argument("name")
@click.option("--format", "form", type=click.Choice(["har"]), default="har", help="Default: har.")
@click.option(
    "--output",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File to write; by default it is printed.",
)
def export_command(*, name: str, form: str, output: Path | None, **flags: Any) -> None:
    """Export a cassette as an HTTP archive (HAR 1.2).

    \b
    Examples:
      promptdeck cassette export checkout --format har --output checkout.har
    """
    del form  # there is only one
    folder = options.loaded(flags).config.cassette.dir
    found = read(existing(folder, name))
    data = orjson.dumps(archive(found), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    if output is None:
        click.echo(data, nl=False)
        return
    try:
        output.write_bytes(data)
    except OSError as error:
        raise UsageError(f"{output}: cannot be written: {error.strerror or error}") from None
    click.echo(f"{counted(len(found), 'recording')} written to {output}", err=True)

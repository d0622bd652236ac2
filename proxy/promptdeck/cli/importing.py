"""One run of `cassette import`: files read, their recordings saved, and what is told of it."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import click

from promptdeck.core.secrets.redact import Redactor
from promptdeck.core.units import Moments
from promptdeck.errors import CassetteError
from promptdeck.imports import (
    Imported,
    Moment,
    NotCarried,
    carry,
    in_file_order,
    moment_of,
)
from promptdeck.imports import read as read_foreign
from promptdeck.stores.cassettes.progress import Progress
from promptdeck.stores.cassettes.save import New, save

from .output import counted, print_json


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
class Importing:
    """How files are read, and what has come of it so far."""

    form: str
    """A key of `imports.FORMATS`, or `auto`."""
    redactor: Redactor
    errors: bool
    """Whether error answers are carried, too."""
    unfinished: bool
    """Whether half an answer is, with a warning."""
    url: str
    """What was asked where a file has a placeholder for it; empty where nobody has said."""
    carried: int = 0
    replaced: int = 0
    cassettes: set[Path] = field(default_factory=set)
    left: list[tuple[Path, NotCarried]] = field(default_factory=list)
    """Entries that are not carried, with their files."""
    halves: list[tuple[Path, NotCarried]] = field(default_factory=list)
    """Entries that are carried though their answers are not whole, with the reason."""
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
        asked = partial(
            carry,
            item,
            self.redactor,
            otherwise=path.stat().st_mtime,
            errors=self.errors,
            url=self.url,
        )
        try:
            made = asked()
            if not (self.unfinished and isinstance(made, NotCarried)):
                return made
            kept = asked(unfinished=True)
        # Half a surrogate pair in a URL.
        except ValueError as error:
            return NotCarried(item.place, f"it cannot be kept: {error}")
        if isinstance(kept, New):
            self.halves.append((path, made))
        return kept

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
        for line in _lines(self.halves, "carried, though"):
            click.echo(line, err=True)
        for line in _lines(self.left, "not carried:"):
            click.echo(line)
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
            "not_carried": [{"file": str(path), **item._asdict()} for path, item in self.left],
            "unfinished": [
                {"file": str(path), "place": item.place, "reason": item.reason}
                for path, item in self.halves
            ],
            "unreadable": self.unreadable,
        }


def _request(cassette: Path, new: New) -> tuple[Path, str, str]:
    """By what recordings of the same request in the same cassette are known."""
    return cassette, new.interaction.key, new.interaction.variant


def _lines(entries: Sequence[tuple[Path, NotCarried]], verdict: str) -> Iterator[str]:
    """A line for each file and reason, with the first place and how many have it."""
    alike: dict[tuple[Path, str, str], list[str]] = {}
    for path, item in entries:
        alike.setdefault((path, item.reason, item.mend), []).append(item.place)
    for (path, reason, mend), places in alike.items():
        more = f" (and {len(places) - 1} more of its entries)" if len(places) > 1 else ""
        told = f"; {mend}" if mend and verdict.endswith(":") else ""
        yield f"{path}:{places[0]}{more}: {verdict} {reason}{told}"

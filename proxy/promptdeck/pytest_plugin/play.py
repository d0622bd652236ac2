"""One test and its session: what it asks for, what it is judged by, what is told of it."""

import logging
import os
import re
import shlex
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from .naming import CassettePlace, Folders, Mark
from .results import Results

if TYPE_CHECKING:
    from promptdeck.config import Config

    from .background import RemoteSession, Server

# The mark's arguments, as `pytest --markers` shows them.
KEYWORDS = (
    "name=..., match={'ignore': [...], 'replace': [...]}, repeat=..., draws=..., allow_unused=..."
)

_MISSES_SHOWN = 5
"""Texts of misses that a failure shows. Each is a screenful, and the first is mostly the cause."""

AnyPlay = TypeVar("AnyPlay", bound="Play")

_MODE_OF = {"once": "record-missing", "rewrite": "record"}
"""The mode of the server for ways of the plugin that are no modes of ours."""


class UnusedRecordingWarning(pytest.PytestWarning):
    """A test passed and left recordings of its cassette unused."""


@dataclass
class Suite:
    """The settings for all tests of this process, and the servers that they share."""

    mode: str
    """One of our modes; or `once`: record-missing for a test without a cassette, else replay;
    or `rewrite`: record, and drop what else the test's own cassette holds."""
    names: dict[str, str]
    """What `--record-mode` calls our modes here, where it is not by their names."""
    unused: str
    """What unused recordings do to a test that passed: fail, warn or ignore."""
    keep_failed: bool
    """Whether recordings of tests that failed are saved, too."""
    folders: Folders
    results: Results
    root: Path
    """pytest's rootdir, in which promptdeck.yaml is looked for."""
    orphans: list[str] = field(default_factory=list)
    """Paths of cassettes that belong to no test, from all processes of the run."""
    _config: "Config | None" = None
    _servers: "dict[Path, Server]" = field(default_factory=dict)
    """By folder of cassettes."""

    def play(self, item: pytest.Item) -> "Play":
        """Start a test's session, on the server of its folder; fail the test if that cannot be."""
        mark = Mark.of(item)
        return self.opened(item, mark, self.folders.place(item, mark.name), Play)

    def opened(
        self,
        item: pytest.Item | pytest.Collector,
        mark: Mark,
        place: CassettePlace,
        kind: "type[AnyPlay]",
    ) -> "AnyPlay":
        """Start the session of a test, or of several, that plays the cassette at `place`.

        Fails the test if that cannot be.
        """
        from promptdeck.errors import PromptdeckError

        mode = _MODE_OF.get(self.mode, self.mode)
        if self.mode == "once" and place.path.exists():
            mode = "replay"
        try:
            session = self._server(place.folder).open(_wants(place.name, mode, mark))
        except PromptdeckError as error:
            why = str(error)
        else:
            return kind(self, item, mark, mode, place, session)
        pytest.fail(f"promptdeck: {why}", pytrace=False)

    def _server(self, folder: Path) -> "Server":
        """The server that plays this folder's cassettes, started when first asked for."""
        from .background import Server

        if folder not in self._servers:
            config = self._config = self._config or self._load()
            cassette = config.cassette._replace(dir=folder)
            self._servers[folder] = Server(config._replace(cassette=cassette))
        return self._servers[folder]

    def _load(self) -> "Config":
        """The configuration for all tests: promptdeck.yaml, variables, and what a test needs.

        The mode is never the file's or the environment's: only --record-mode goes online.
        """
        from promptdeck.config import load

        # A cassette is named so that the folder's others are not all read at the start.
        flags = {"mode": _MODE_OF.get(self.mode, self.mode), "host": "127.0.0.1", "port": 0}
        loaded = load(flags | {"cassette": "default"}, os.environ, cwd=self.root)
        quiet = loaded.sources["log.level"] == "default"
        # A warning of each miss would stand in the captured log beside the verdict.
        level = "error" if quiet else loaded.config.log.level
        logging.getLogger("promptdeck").setLevel(level.upper())
        config = loaded.config
        # Who asks is the tests alone; a token of promptdeck.yaml's is for others.
        return config._replace(server=config.server._replace(token=None))

    def close(self) -> None:
        """End all servers. To be called again does nothing."""
        while self._servers:
            self._servers.popitem()[1].close()


def _wants(name: str, mode: str, mark: Mark) -> dict[str, Any]:
    """The JSON object by which `Sessions.open` makes the session of a test with this mark."""
    # Someone may sit in a debugger for as long as they like.
    wants: dict[str, Any] = {"cassette": name, "mode": mode, "hold": True, "expires": "none"}
    wants["match"] = mark.match
    if mark.repeat is not None:
        wants["after_last"] = "repeat" if mark.repeat else "refuse"
    if mark.draws is not None:
        wants["draws"] = mark.draws
    return wants


def shown(config: pytest.Config, path: Path) -> str:
    """A path as a terminal can open it: relative to where pytest was called, if below it."""
    here = config.invocation_params.dir
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


class Play:
    """A test's session, which is what the fixture `promptdeck` gives."""

    def __init__(
        self,
        run: Suite,
        item: pytest.Item | pytest.Collector,
        mark: Mark,
        mode: str,
        place: CassettePlace,
        session: "RemoteSession",
    ) -> None:
        self.root = session.root
        self.base_url = session.base_url
        """With /v1, as the openai clients want it."""
        self.cassette = place.path
        """The file, whether it is there yet or not."""
        self.mode = mode
        self.outcome = "error"
        """The test's: passed, failed or skipped; error for one that never came to run."""
        self._place = place
        self._run = run
        self._item = item
        self._mark = mark
        self._session = session
        self._told = 0
        """How many misses the test has been told of: each is told once."""

    @property
    def environ(self) -> dict[str, str]:
        """Variables by which a program finds this session: `{**os.environ, **deck.environ}`."""
        from promptdeck.cli.variables import variables

        return variables(os.environ, self.root, replays=self.mode == "replay")

    def report(self) -> dict[str, Any]:
        """The session so far: `played`, `unplayed`, `missed`, `recorded_ids`, and counts."""
        return self._session.report()

    def explain(self, error: BaseException) -> None:
        """Add the misses so far to an error that ends the test, as a note.

        A test that skips because nothing answered fails: it would hide them.
        """
        if missed := self._missed(self.report()):
            if isinstance(error, pytest.skip.Exception):
                told = f"{missed}\n\nThe test then skipped itself: {error}"
                raise pytest.fail.Exception(told, pytrace=False) from None
            error.add_note(f"\n{missed}")

    def explain_kept(self, raised: list["pytest.ExceptionInfo[BaseException]"]) -> None:
        """Do the same to the first of the errors that a TestCase keeps to raise them later.

        If it is a skip, none of them is raised any more, but the failure is.
        """
        try:
            self.explain(raised[0].value)
        except pytest.fail.Exception:
            raised.clear()
            raise

    def _missed(self, report: dict[str, Any]) -> str:
        """The text of the misses in `report` that have not been told yet; empty for none."""
        # The report keeps the latest only: it says how many came before those.
        earlier = report.get("missed_earlier", 0)
        news = report["missed"][max(0, self._told - earlier) :]
        number = earlier + len(report["missed"]) - self._told
        if number <= 0:
            return ""
        self._told += number
        count = f"{number} requests had" if number > 1 else "1 request had"
        # A client that tries again misses again, which says nothing new.
        texts = Counter(self._mend(miss["text"].strip()) for miss in news)
        told = [f"{text}\n({n} requests)" if n > 1 else text for text, n in texts.items()]
        more = len(told) - _MISSES_SHOWN
        return "\n\n".join(
            [
                f"promptdeck: {count} no recording in {self._shown}",
                *told[:_MISSES_SHOWN],
                *([f"... and {more} more."] if more > 0 else []),
            ]
        )

    def _mend(self, text: str) -> str:
        """A miss's text, whose last line says how to mend it by pytest's option.

        As it comes, it names the command's: `--mode record-missing`.
        """
        head, newline, mend = text.rpartition("\n")
        names = self._run.names
        return f"{head}{newline}" + re.sub(
            r"--mode ([a-z-]+)", lambda it: f"--record-mode={names.get(it[1], it[1])}", mend
        )

    def judge(self) -> None:
        """Fail a test that passed so far if it asked in vain, or left recordings unused."""
        report = self.report()
        self.judge_misses(report)
        self.judge_leftovers(report)

    def judge_misses(self, report: dict[str, Any]) -> None:
        """Fail a test if there are misses that no test was told of, or losses."""
        if missed := self._missed(report):
            pytest.fail(missed, pytrace=False)
        if self.mode in ("record", "record-missing") and (lost := report["unrecorded"]):
            answers = f"{lost} answers" if lost > 1 else "1 answer"
            told = f"promptdeck: {answers} could not be recorded; the captured log says why"
            pytest.fail(told, pytrace=False)

    def judge_leftovers(self, report: dict[str, Any]) -> None:
        """Fail or warn if recordings were left unused, as the settings have it."""
        # While recording, what is unused is what is being replaced: the next replay tells.
        tolerant = self._mark.allow_unused or self._run.unused == "ignore"
        if tolerant or self.mode != "replay" or not report["unplayed"]:
            return
        unused = self._unused(report["unplayed"])
        if self._run.unused == "fail":
            pytest.fail(unused, pytrace=False)
        self._item.warn(UnusedRecordingWarning(unused))

    def _unused(self, names: list[str]) -> str:
        """The text about unused recordings: where each stands, and the ways to be rid of them."""
        count = f"{len(names)} recordings were" if len(names) > 1 else "1 recording was"
        lines = self.cassette.read_text("utf-8").splitlines() if self.cassette.exists() else []
        places = {name: number for number, line in enumerate(lines, 1) for name in line.split()}
        ids = shlex.quote("[{}]".format(", ".join(f'"{name}"' for name in names)))
        folder = shown(self._item.config, self._place.folder)
        where = shlex.join([self._place.name, "--cassettes", folder])
        them = "them" if len(names) > 1 else "it"
        again = f"--record-mode=rewrite records the test anew, without {them}.\n"
        return "\n".join(
            [
                f"promptdeck: {count} not used",
                *(f"  {self._shown}:{places.get(name, 1)}: {name}" for name in names),
                f"{'' if self._mark.name else again}To take out what nothing asks for any more:",
                f"  echo {ids} | promptdeck cassette prune {where} --unused -",
                "A test that need not use everything is marked with allow_unused=True.",
            ]
        )

    @property
    def _shown(self) -> str:
        return shown(self._item.config, self.cassette)

    def close(self) -> None:
        """End the session, save its recordings if the test passed, and note what it did.

        Fails the test if it missed something while it was torn down.
        """
        keep = self.outcome == "passed" or self._run.keep_failed
        report = self._closed(keep=keep)
        self._run.results.tests.append(self._result(report, keep=keep))
        if late := self._missed(report):
            pytest.fail(f"{late}\nIt was asked while the test was torn down.", pytrace=False)

    @property
    def is_whole(self) -> bool:
        """True if all that could be asked was: then what nobody asked for is left over."""
        return self.outcome == "passed"

    def _closed(self, *, keep: bool) -> dict[str, Any]:
        """End the session; its last report. Fails the test if its recordings cannot be saved."""
        from promptdeck.errors import PromptdeckError

        try:
            report = self._session.close(keep=keep)
            if self._run.mode == "rewrite" and self.is_whole:
                self._drop_all_but(report["recorded_ids"])
        except PromptdeckError as error:
            why = str(error)
        else:
            return report
        pytest.fail(f"promptdeck: {why}", pytrace=False)

    def _drop_all_but(self, recorded: list[str]) -> None:
        """Take out of the test's cassette what was not recorded now.

        A cassette that a mark names stays, as other tests may play it; so does one of which
        nothing was asked, where the test may have had no chance to ask.
        """
        if self._mark.name or not recorded:
            return
        from promptdeck.stores.cassettes.file import read
        from promptdeck.stores.cassettes.prune import prune

        if old := {item.id for item in read(self.cassette)}.difference(recorded):
            prune(self.cassette, old)

    def _result(self, report: dict[str, Any], *, keep: bool) -> dict[str, Any]:
        """A test's JSON object for --cassette-report."""
        base = os.environ.get("GITHUB_WORKSPACE") or self._item.config.rootpath
        counts = {name: report[name] for name in ("hits", "misses", "upstream_calls")}
        return {
            "test": self._item.nodeid or ".",
            "outcome": self.outcome,
            "file": Path(os.path.relpath(self._item.path, base)).as_posix(),
            "line": (getattr(self._item, "location", (0, 0))[1] or 0) + 1,
            "cassette": str(self.cassette),
            "mode": self.mode,
            **counts,
            "recorded": report["recorded"] if keep else 0,
            "played": report["played"],
            "unplayed": report["unplayed"],
            "missed": report["missed"],
        }

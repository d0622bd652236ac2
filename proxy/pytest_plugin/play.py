"""One test and its session: what it asks for, what it is judged by, what is told of it."""

import logging
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .naming import Folders, Mark
from .results import Results

if TYPE_CHECKING:
    from proxy.config import Config

    from .background import Server, Session

KEYWORDS = "name=..., match={'ignore': [...], 'replace': [...]}, repeat=..., allow_unused=..."

_MISSES_SHOWN = 5


class UnusedRecordingWarning(pytest.PytestWarning):
    """A test passed and left recordings of its cassette unused."""


@dataclass
class Run:
    """What holds for all tests of this process, and the servers they share."""

    mode: str
    """One of our modes, or `once`: record-missing for a test without a cassette, else replay."""
    unused: str
    keep_failed: bool
    folders: Folders
    results: Results
    root: Path
    _config: "Config | None" = None
    _servers: "dict[Path, Server]" = field(default_factory=dict)
    """By folder of cassettes."""

    def play(self, item: pytest.Item) -> "Play":
        """Start a test's session; fails the test if that cannot be."""
        from proxy.errors import PromptdeckError

        from .background import Refused, Session

        mark = Mark.of(item)
        folder, name = self.folders.place(item, mark.name)
        mode = self.mode
        if mode == "once":
            mode = "replay" if (folder / f"{name}.yaml").exists() else "record-missing"
        wants: dict[str, Any] = {"cassette": name, "mode": mode, "hold": True, "match": mark.match}
        # Someone may sit in a debugger for as long as they like.
        wants["expires"] = "none"
        if mark.repeat is not None:
            wants["after_last"] = "repeat" if mark.repeat else "refuse"
        try:
            session = Session(self._server(folder).root, wants)
        except (PromptdeckError, Refused) as error:
            why = str(error)
        else:
            return Play(self, item, mark, mode, folder / f"{name}.yaml", session)
        pytest.fail(f"promptdeck: {why}", pytrace=False)

    def _server(self, folder: Path) -> "Server":
        from .background import Server

        if folder not in self._servers:
            config = self._config = self._config or self._load()
            cassette = config.cassette._replace(dir=folder)
            self._servers[folder] = Server(config._replace(cassette=cassette))
        return self._servers[folder]

    def _load(self) -> "Config":
        """The mode is never the file's or the environment's: only who asks goes online."""
        from proxy.config import load

        mode = "record-missing" if self.mode == "once" else self.mode
        # A cassette is named so that the folder's others are not all read at the start.
        flags = {"mode": mode, "host": "127.0.0.1", "port": 0, "cassette": "default"}
        loaded = load(flags, os.environ, cwd=self.root)
        quiet = loaded.sources["log.level"] == "default"
        # A warning of each miss would stand in the captured log beside the verdict.
        level = "error" if quiet else loaded.config.log.level
        logging.getLogger("promptdeck").setLevel(level.upper())
        return loaded.config

    def close(self) -> None:
        while self._servers:
            self._servers.popitem()[1].close()


class Play:
    """A test's session, which is what the fixture `promptdeck` gives."""

    def __init__(
        self, run: Run, item: pytest.Item, mark: Mark, mode: str, cassette: Path, session: "Session"
    ) -> None:
        self.root = session.root
        self.base_url = session.base_url
        """With /v1, as the openai clients want it."""
        self.cassette = cassette
        self.mode = mode
        self.outcome = "error"
        """The test's: passed, failed or skipped; error for one that never came to run."""
        self._run = run
        self._item = item
        self._mark = mark
        self._session = session
        self._told = 0

    def report(self) -> dict[str, Any]:
        """What was played so far, what was not, what was asked in vain, what was recorded."""
        return self._session.report()

    def misses(self) -> str:
        """Why each request missed that was not told of yet; empty if none did."""
        return self._missed(self.report())

    def _missed(self, report: dict[str, Any]) -> str:
        news = report["missed"][self._told :]
        if not news:
            return ""
        self._told += len(news)
        count = f"{len(news)} requests had" if len(news) > 1 else "1 request had"
        return "\n\n".join(
            [
                f"promptdeck: {count} no recording in {self._shown}",
                *(miss["text"].strip() for miss in news[:_MISSES_SHOWN]),
                *([f"... and {more} more."] if (more := len(news) - _MISSES_SHOWN) > 0 else []),
                "With pytest the mode is given as --record-mode=record-missing.",
            ]
        )

    def judge(self) -> None:
        """Fail a test that passed so far if it asked in vain, or left recordings unused."""
        report = self.report()
        if missed := self._missed(report):
            pytest.fail(missed, pytrace=False)
        # While recording, what is unused is what is being replaced: the next replay tells.
        tolerant = self._mark.allow_unused or self._run.unused == "ignore"
        if tolerant or self.mode != "replay" or not report["unplayed"]:
            return
        unused = self._unused(report["unplayed"])
        if self._run.unused == "fail":
            pytest.fail(unused, pytrace=False)
        self._item.warn(UnusedRecordingWarning(unused))

    def _unused(self, names: list[str]) -> str:
        count = f"{len(names)} recordings were" if len(names) > 1 else "1 recording was"
        lines = self.cassette.read_text("utf-8").splitlines() if self.cassette.exists() else []
        places = {name: number for number, line in enumerate(lines, 1) for name in line.split()}
        return "\n".join(
            [
                f"promptdeck: {count} not used",
                *(f"  {self._shown}:{places.get(name, 1)}: {name}" for name in names),
                "What nothing asks for any more can be taken out of the file; a test that need not",
                "use everything is marked @pytest.mark.cassette(allow_unused=True).",
            ]
        )

    @property
    def _shown(self) -> str:
        """The cassette as a terminal can open it."""
        here = self._item.config.invocation_params.dir
        path = self.cassette
        return str(path.relative_to(here) if path.is_relative_to(here) else path)

    def close(self) -> None:
        """End the session, save its recordings if the test passed, and note what it did."""
        keep = self.outcome == "passed" or self._run.keep_failed
        report = self._closed(keep=keep)
        self._run.results.tests.append(self._result(report, keep=keep))
        if late := self._missed(report):
            pytest.fail(f"{late}\nIt was asked while the test was torn down.", pytrace=False)

    def _closed(self, *, keep: bool) -> dict[str, Any]:
        from .background import Refused

        try:
            return self._session.close(keep=keep)
        except Refused as error:
            why = str(error)
        pytest.fail(f"promptdeck: {why}", pytrace=False)

    def _result(self, report: dict[str, Any], *, keep: bool) -> dict[str, Any]:
        base = os.environ.get("GITHUB_WORKSPACE") or self._item.config.rootpath
        counts = {name: report[name] for name in ("hits", "misses", "upstream_calls")}
        return {
            "test": self._item.nodeid,
            "outcome": self.outcome,
            "file": Path(os.path.relpath(self._item.path, base)).as_posix(),
            "line": (self._item.location[1] or 0) + 1,
            "cassette": str(self.cassette),
            "mode": self.mode,
            **counts,
            "recorded": report["recorded"] if keep else 0,
            "played": report["played"],
            "unplayed": report["unplayed"],
            "missed": report["missed"],
        }

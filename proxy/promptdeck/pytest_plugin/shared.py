"""Sessions that several tests share: of a class, a module, a package, or the whole run.

What is asked in vain fails the test during which it was asked, the one that made the fixture
first. What is left unused is judged when the scope ends, and only if every test that uses the
session ran and passed in this process: after `-k`, or in one worker of several, nobody knows.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from .naming import Mark
from .play import Play, Suite

NAMES = {scope: f"promptdeck_{scope}" for scope in ("class", "module", "package", "session")}
"""The fixtures, by scope."""

_SHARED = pytest.StashKey[list["SharedPlay"]]()
"""On a class, module, package or run, for as long as the sessions of its tests are open."""


class SharedPlay(Play):
    """A session that several tests share, which is what the fixtures of wider scopes give."""

    fixture = ""
    users: frozenset[str] = frozenset()
    """Node ids of the tests that use it, also of those that are not run."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._passed: set[str] = set()

    def note(self, item: pytest.Item, report: pytest.TestReport) -> None:
        """Take in the outcome of a test, if it is one of the users."""
        if self.fixture not in getattr(item, "fixturenames", ()):
            return
        if report.failed:
            self.outcome = "failed"
        elif report.when == "call" and report.passed:
            self._passed.add(item.nodeid)
            self.outcome = "passed" if self.outcome == "error" else self.outcome

    @property
    def is_whole(self) -> bool:
        """True if every test that uses the session has passed here."""
        return self.outcome == "passed" and bool(self.users) and self.users <= self._passed

    def judge(self) -> None:
        """Fail a test that passed so far if something was asked in vain that none was told of."""
        self.judge_misses(self.report())

    def end(self) -> None:
        """End the session when its scope does; what is left unused then is judged."""
        report = self.report()
        self.close()
        if self.is_whole:
            self.judge_leftovers(report)


def played(
    request: pytest.FixtureRequest, run: Suite, items: Sequence[pytest.Item]
) -> Iterator[SharedPlay]:
    """The session of a fixture's scope, until that ends. `items` are all tests collected."""
    node = request.node
    # Marks name cassettes of tests. All else that they say of how to match, they say here, too.
    mark = replace(Mark.of(node), name="")
    play = run.opened(node, mark, run.folders.shared(node, request.scope), SharedPlay)
    play.fixture = NAMES[request.scope]
    play.users = frozenset(
        item.nodeid
        for item in items
        if node in item.listchain() and play.fixture in getattr(item, "fixturenames", ())
    )
    shared = node.stash.setdefault(_SHARED, [])
    shared.append(play)
    try:
        yield play
        play.end()
    finally:
        shared.remove(play)


def shared_by(item: pytest.Item) -> list[SharedPlay]:
    """The open sessions that a test shares with others."""
    return [play for node in item.listchain() for play in node.stash.get(_SHARED, [])]

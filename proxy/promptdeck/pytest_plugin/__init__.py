"""promptdeck for pytest: a test asks, its cassette answers, and a miss fails the test.

A test joins by a fixture (`promptdeck`, `promptdeck_env`, `openai_client`,
`async_openai_client`) or by `@pytest.mark.cassette`, and has a session of its own on a
server in a thread of this process. Tests share one by `promptdeck_class`, `promptdeck_module`,
`promptdeck_package` and `promptdeck_session`. Nothing is recorded unless `--record-mode` says so.
Who does not use it pays for this file and nothing more: the server, aiohttp and all that
is slow to import wait for the first test that joins.

    options     what a run may say, on the command line and in its settings
    naming      which cassette a test plays, and what its marks say
    orphans     cassettes of tests that are no more
    background  the server's thread, and the way to its sessions
    play        one test and its session: what it is judged by
    shared      a session of several tests: of a class, a module, a package, the run
    network     what a test may reach besides
    results     what all tests did: the summary, the report file, annotations
    savings     what replayed answers had cost
"""

import os
from collections.abc import Generator, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .naming import Folders
from .network import blocked, hosts_allowed, is_blocked
from .options import ALIASES, THEIR_NAMES, has_pytest_recording, verdict
from .options import pytest_addoption as pytest_addoption
from .options import pytest_load_initial_conftests as pytest_load_initial_conftests
from .orphans import Collected, orphans, told
from .play import KEYWORDS, Play, Suite, UnusedRecordingWarning, shown
from .results import Results
from .shared import SharedPlay, played, shared_by

if TYPE_CHECKING:
    import openai

__all__ = ["Play", "UnusedRecordingWarning"]

_RUN = pytest.StashKey[Suite]()
_COLLECTED = pytest.StashKey[Collected]()
_PLAY = pytest.StashKey[Play]()
"""On a test, for as long as its session is open."""

_BLOCKS = pytest.StashKey[bool]()
"""True where --block-network was given to pytest-recording, and is ours to do."""
_BLOCKING = "_promptdeck_blocks_network"
"""The fixture that does."""


def pytest_configure(config: pytest.Config) -> None:
    """Read the options into the run's `Suite`. UsageError for a verdict that is none."""
    config.addinivalue_line("markers", f"cassette({KEYWORDS}): what promptdeck plays for a test")
    blocking = "block_network(allowed_hosts=[...]): no network but promptdeck and these hosts"
    config.addinivalue_line("markers", blocking)
    mode = config.getoption("record_mode", None) or "replay"
    theirs = has_pytest_recording(config.pluginmanager)
    if theirs and config.getoption("block_network", default=False):
        # Theirs would keep tests from our server, and that from upstream; ours does all else alike.
        config.option.block_network = False
        config.stash[_BLOCKS] = True
    config.stash[_RUN] = Suite(
        mode=ALIASES.get(mode, mode),
        names=THEIR_NAMES if theirs else {},
        unused=verdict(config, "cassette_unused"),
        keep_failed=config.getini("cassette_keep_failed"),
        folders=Folders(config),
        results=Results(),
        root=config.rootpath,
    )
    config.stash[_COLLECTED] = Collected()
    verdict(config, "cassette_orphans")


def pytest_itemcollected(item: pytest.Item) -> None:
    """Note a test before plugins may deselect it: its cassette is no orphan."""
    item.config.stash[_COLLECTED].items.append(item)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Note which files were collected to their end."""
    report = yield
    collector.config.stash[_COLLECTED].note(report)
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, Any, Any]:
    """Give a test the fixtures that its marks stand for, if it has not asked for them.

    A mark is enough: without the environment the test would ask the real provider. Not at
    collection: hooks of a conftest may mark tests at its end. An error of the setup is told of
    what was missed in it.
    """
    wanted = [_BLOCKING] if _is_blocked(item) else []
    if item.get_closest_marker("cassette"):
        wanted.append("promptdeck_env")
    info = getattr(item, "_fixtureinfo", None)
    if info is not None:
        asked: list[str] = item.fixturenames  # type: ignore[attr-defined]
        if missing := [name for name in wanted if name not in asked]:
            # After what outlives the test, before its own: where usefixtures would put them.
            known = info.name2fixturedefs
            lasting = [one for one in asked if one in known and known[one][-1].scope != "function"]
            own = [name for name in asked if name not in lasting]
            # The list belongs to all parameters of a test, the mark perhaps to one.
            item.fixturenames = [*lasting, *missing, *own]  # type: ignore[attr-defined]
    try:
        return (yield)
    except (Exception, pytest.fail.Exception, pytest.skip.Exception) as error:
        for play in _plays(item):
            play.explain(error)
        raise


def _plays(item: pytest.Item) -> "list[Play]":
    """The sessions in which a test may have asked: its own, and those that it shares."""
    own = item.stash.get(_PLAY, None)
    return [*([own] if own else []), *shared_by(item)]


def _is_blocked(item: pytest.Item) -> bool:
    """True if a test's network is blocked, and by us."""
    if not item.config.stash.get(_BLOCKS, False):
        return not has_pytest_recording(item.config.pluginmanager) and is_blocked(item)
    # As pytest-recording does it: who records with it reaches what is recorded.
    recording = item.config.getoption("record_mode", None) not in (None, "none")
    return not (recording and item.get_closest_marker("vcr"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Judge a test that has run, or tell its error of the misses before it.

    Here and not at teardown, so that the verdict is the test's own failure to all other plugins.
    """
    try:
        result = yield
    except (Exception, pytest.fail.Exception, pytest.skip.Exception) as error:
        for play in _plays(item):
            play.explain(error)
        raise
    for play in _plays(item):
        # A TestCase keeps what it raised to itself until the report is made.
        if kept := getattr(item, "_excinfo", None):
            play.explain_kept(kept)
        else:
            play.judge()
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    """Note a test's outcome, by which its recordings are kept or not."""
    report = yield
    play = item.stash.get(_PLAY, None)
    # A subtest has a report of its own before the test has.
    if play and report.when == "call" and play.outcome != "failed":
        play.outcome = report.outcome
    for one in shared_by(item):
        one.note(item, report)
    return report


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Close the servers, look for orphans, and write the report.

    A worker of pytest-xdist hands both to the process that started it, which writes.
    """
    config = session.config
    run = config.stash[_RUN]
    run.close()
    found = _orphans(session)
    if hasattr(config, "workeroutput"):
        config.workeroutput["promptdeck"] = run.results.lines()
        config.workeroutput["promptdeck_orphans"] = found
        return
    run.orphans += found
    if run.orphans and session.exitstatus == 0 and verdict(config, "cassette_orphans") == "fail":
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    if option := config.getoption("cassette_report"):
        _write(run.results, config.invocation_params.dir / option)
    elif ini := config.getini("cassette_report"):
        _write(run.results, config.rootpath / ini)


def _write(results: Results, path: Path) -> None:
    """Write the report; a run whose report cannot be written ends with 1."""
    try:
        results.write(path)
    except OSError as error:
        pytest.exit(f"promptdeck: cannot write {path}: {error.strerror}", returncode=1)


def _orphans(session: pytest.Session) -> list[str]:
    """The paths of cassettes that belong to no test; none if they are not to be looked for.

    Of several workers, which all collect alike, the first looks; a run that was interrupted or
    could not collect knows too little to tell.
    """
    config = session.config
    ended = session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
    other = getattr(config, "workerinput", {}).get("workerid", "gw0") != "gw0"
    idle = verdict(config, "cassette_orphans") == "ignore" or config.getoption("collectonly")
    if not ended or other or idle:
        return []
    return list(map(str, orphans(config, config.stash[_COLLECTED], config.stash[_RUN].folders)))


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take in what a worker of pytest-xdist hands over; one that crashed hands over nothing."""
    output, run = getattr(node, "workeroutput", {}), node.config.stash[_RUN]
    run.results.add(output.get("promptdeck", b""))
    run.orphans += output.get("promptdeck_orphans", [])


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print the summary, annotations in GitHub Actions, and the orphans."""
    run = config.stash[_RUN]
    lines = [run.results.summary()] if run.results.tests else []
    lines += filter(None, [run.results.idle()])
    if os.environ.get("GITHUB_ACTIONS") == "true":
        lines += run.results.annotations()
    if run.orphans:
        lines += told(sorted(shown(config, Path(path)) for path in run.orphans))
    if lines:
        terminalreporter.ensure_newline()
    for line in lines:
        terminalreporter.write_line(line)


@pytest.fixture
def promptdeck(request: pytest.FixtureRequest) -> Iterator[Play]:
    """This test's session: `base_url` (with /v1), `root`, `cassette` (its path), `report()`."""
    play = request.config.stash[_RUN].play(request.node)
    request.node.stash[_PLAY] = play
    try:
        yield play
        play.close()
    finally:
        # A test that is run again may come without.
        del request.node.stash[_PLAY]


@pytest.fixture(scope="class")
def promptdeck_class(request: pytest.FixtureRequest) -> Iterator[SharedPlay]:
    """A session that the tests of a class share: as `promptdeck`, and `environ`."""
    yield from _shared(request)


@pytest.fixture(scope="module")
def promptdeck_module(request: pytest.FixtureRequest) -> Iterator[SharedPlay]:
    """A session that the tests of a file share, for fixtures with `scope="module"`."""
    yield from _shared(request)


@pytest.fixture(scope="package")
def promptdeck_package(request: pytest.FixtureRequest) -> Iterator[SharedPlay]:
    """A session that the tests of a package share, for fixtures with `scope="package"`."""
    yield from _shared(request)


@pytest.fixture(scope="session")
def promptdeck_session(request: pytest.FixtureRequest) -> Iterator[SharedPlay]:
    """A session that all tests of a run share, for fixtures with `scope="session"`."""
    yield from _shared(request)


def _shared(request: pytest.FixtureRequest) -> Iterator[SharedPlay]:
    """The session of a fixture's scope."""
    stash = request.config.stash
    yield from played(request, stash[_RUN], stash[_COLLECTED].items)


@pytest.fixture(name=_BLOCKING)
def _blocking(request: pytest.FixtureRequest) -> Iterator[None]:
    """The network blocked as the test's marks and the run's options say."""
    with blocked(request.node.nodeid, hosts_allowed(request.node)):
        yield


@pytest.fixture
def promptdeck_env(promptdeck: Play, monkeypatch: pytest.MonkeyPatch) -> Play:
    """OPENAI_BASE_URL and its like lead to this test's session; a key is set where there is none.

    For all tests of a file: `pytestmark = pytest.mark.usefixtures("promptdeck_env")`.
    """
    for name, value in promptdeck.environ.items():
        monkeypatch.setenv(name, value)
    return promptdeck


@pytest.fixture
def openai_client(promptdeck_env: Play) -> Iterator["openai.OpenAI"]:
    """`openai.OpenAI`, connected to this test's session."""
    del promptdeck_env
    found = pytest.importorskip("openai", reason="openai_client needs `pip install openai`")
    with found.OpenAI(http_client=found.DefaultHttpxClient(**_loopback())) as client:
        yield client


@pytest.fixture
def async_openai_client(promptdeck_env: Play) -> "openai.AsyncOpenAI":
    """`openai.AsyncOpenAI`, connected to this test's session."""
    del promptdeck_env
    found = pytest.importorskip("openai", reason="async_openai_client needs `pip install openai`")
    # A connection kept alive would outlive the test's event loop, which alone can close it.
    client: openai.AsyncOpenAI = found.AsyncOpenAI(
        default_headers={"Connection": "close"},
        http_client=found.DefaultAsyncHttpxClient(**_loopback()),
    )
    return client


@cache
def _loopback() -> dict[str, Any]:
    """Arguments for httpx clients that speak to loopback only, without TLS or proxies.

    To load the trusted certificates takes 20 ms, more than all else in most tests.
    """
    import ssl

    # It trusts nobody: where a redirect leads to TLS, it ends there.
    return {"verify": ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), "trust_env": False}

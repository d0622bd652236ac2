"""promptdeck for pytest: a test asks, its cassette answers, and a miss fails the test.

A test joins by a fixture (`promptdeck`, `promptdeck_env`, `openai_client`,
`async_openai_client`) or by `@pytest.mark.cassette`, and has a session of its own on a
server in a thread of this process. Nothing is recorded unless `--record-mode` says so.
Who does not use it pays for this file and nothing more: the server, aiohttp and all that
is slow to import wait for the first test that joins.

    naming      which cassette a test plays, and what its marks say
    background  the server's thread, and the way to its sessions
    play        one test and its session: what it is judged by
    results     what all tests did: the summary, the report file, annotations
"""

import os
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from .naming import Folders
from .play import KEYWORDS, Play, Run, UnusedRecordingWarning
from .results import Results

if TYPE_CHECKING:
    import openai

__all__ = ["Play", "UnusedRecordingWarning"]

_RUN = pytest.StashKey[Run]()
_PLAY = pytest.StashKey[Play]()

_MODES = ("replay", "record-missing", "record", "passthrough")
_ALIASES = {"none": "replay", "new_episodes": "record-missing", "all": "record"}
_ALIASES |= {"rewrite": "record", "once": "once"}
_UNUSED = ("fail", "warn", "ignore")


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    group = parser.getgroup("promptdeck", "record and replay of model calls")
    if not _has_pytest_recording(pluginmanager):
        group.addoption(
            "--record-mode",
            choices=(*_MODES, *_ALIASES),
            metavar="MODE",
            help=f"{', '.join(_MODES)} (default: replay), or pytest-recording's names for them: "
            f"{', '.join(_ALIASES)}.",
        )
    group.addoption(
        "--cassette-dir",
        metavar="DIR",
        help="One folder for all cassettes (default: cassettes beside each test file).",
    )
    group.addoption(
        "--cassette-unused",
        choices=_UNUSED,
        help="What a recording that a passed test did not use does in replay (default: fail).",
    )
    group.addoption(
        "--cassette-report", metavar="FILE", help="Write what each test did, as JSON lines."
    )
    parser.addini("cassette_dir", "default of --cassette-dir")
    parser.addini("cassette_unused", "default of --cassette-unused", default="fail")
    parser.addini("cassette_report", "default of --cassette-report")
    parser.addini(
        "cassette_keep_failed",
        "whether recordings made by a test that failed are saved",
        type="bool",
        default=False,
    )


def _has_pytest_recording(pluginmanager: pytest.PytestPluginManager) -> bool:
    """Whether pytest-recording adds `--record-mode`: two of one name would stop every run."""
    from importlib.util import find_spec

    blocked = pluginmanager.is_blocked("recording")
    return find_spec("pytest_recording") is not None and not blocked


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", f"cassette({KEYWORDS}): what promptdeck plays for a test")
    unused = config.getoption("cassette_unused") or config.getini("cassette_unused")
    if unused not in _UNUSED:
        raise pytest.UsageError(f"cassette_unused is {unused!r}; it can be {', '.join(_UNUSED)}")
    mode = config.getoption("record_mode", None) or "replay"
    config.stash[_RUN] = Run(
        mode=_ALIASES.get(mode, mode),
        unused=unused,
        keep_failed=config.getini("cassette_keep_failed"),
        folders=Folders(config),
        results=Results(),
        root=config.rootpath,
    )


def pytest_itemcollected(item: pytest.Item) -> None:
    """A mark is enough: without the environment the test would ask the real provider."""
    info = getattr(item, "_fixtureinfo", None)
    if info is None or "promptdeck_env" in info.names_closure:
        return
    if item.get_closest_marker("cassette"):
        # After what outlives the test, before its own fixtures, as usefixtures has it.
        names, known = info.names_closure, info.name2fixturedefs
        lasting = [name for name in names if name in known and known[name][-1].scope != "function"]
        own = [name for name in names if name not in lasting]
        # The list belongs to all parameters of a test, the mark perhaps to one: it gets its own.
        item.fixturenames = [*lasting, "promptdeck_env", *own]  # type: ignore[attr-defined]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """The verdict falls here, so that it is the test's own failure to all other plugins."""
    try:
        result = yield
    except BaseException as error:
        play = item.stash.get(_PLAY, None)
        if play and (misses := play.misses()):
            error.add_note(f"\n{misses}")
        raise
    if play := item.stash.get(_PLAY, None):
        play.judge()
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    report = yield
    play = item.stash.get(_PLAY, None)
    if play and report.when == "call":
        play.outcome = report.outcome
    return report


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    config = session.config
    run = config.stash[_RUN]
    run.close()
    if hasattr(config, "workeroutput"):
        config.workeroutput["promptdeck"] = run.results.lines()
    elif option := config.getoption("cassette_report"):
        run.results.write(config.invocation_params.dir / option)
    elif ini := config.getini("cassette_report"):
        run.results.write(config.rootpath / ini)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """A worker of pytest-xdist is done; one that crashed has no output."""
    lines = getattr(node, "workeroutput", {}).get("promptdeck", b"")
    node.config.stash[_RUN].results.add(lines)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    results = config.stash[_RUN].results
    if not results.tests:
        return
    terminalreporter.ensure_newline()
    terminalreporter.write_line(results.summary())
    if os.environ.get("GITHUB_ACTIONS") == "true":
        for annotation in results.annotations():
            terminalreporter.write_line(annotation)


@pytest.fixture
def promptdeck(request: pytest.FixtureRequest) -> Iterator[Play]:
    """This test's session: `base_url` (with /v1), `root`, `cassette` (its path), `report()`."""
    play = request.config.stash[_RUN].play(request.node)
    request.node.stash[_PLAY] = play
    yield play
    play.close()


@pytest.fixture
def promptdeck_env(promptdeck: Play, monkeypatch: pytest.MonkeyPatch) -> Play:
    """OPENAI_BASE_URL and its like lead to this test's session; a key is set where there is none.

    For all tests of a file: `pytestmark = pytest.mark.usefixtures("promptdeck_env")`.
    """
    from proxy.cli.run import environment  # click

    for name, value in environment(os.environ, promptdeck.root).items():
        if os.environ.get(name) != value:
            monkeypatch.setenv(name, value)
    return promptdeck


@pytest.fixture
def openai_client(promptdeck_env: Play) -> Iterator["openai.OpenAI"]:
    """`openai.OpenAI`, connected to this test's session."""
    del promptdeck_env
    found = pytest.importorskip("openai", reason="openai_client needs `pip install openai`")
    with found.OpenAI() as client:
        yield client


@pytest.fixture
def async_openai_client(promptdeck_env: Play) -> "openai.AsyncOpenAI":
    """`openai.AsyncOpenAI`, connected to this test's session."""
    del promptdeck_env
    found = pytest.importorskip("openai", reason="async_openai_client needs `pip install openai`")
    # A connection kept alive would outlive the test's event loop, which alone can close it.
    client: openai.AsyncOpenAI = found.AsyncOpenAI(default_headers={"Connection": "close"})
    return client

"""The plugin's options and settings, and those that it shares with pytest-recording."""

import pytest

_MODES = ("replay", "record-missing", "record", "passthrough")
ALIASES = {"none": "replay", "new_episodes": "record-missing", "all": "record"}
ALIASES |= {"rewrite": "rewrite", "once": "once"}
"""pytest-recording's names for modes of ours, and two ways that `Suite.mode` knows besides."""
THEIR_NAMES = {"record-missing": "new_episodes", "record": "all"}
"""What the option is told where pytest-recording has declared it and knows its names only."""
_VERDICTS = ("fail", "warn", "ignore")
_GROUP = ("promptdeck", "record and replay of model calls")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options and settings of the plugin."""
    from importlib.util import find_spec

    # pytest-recording has options of the same names. Where it is installed it may still be
    # switched off, which only `pytest_load_initial_conftests` can tell.
    if find_spec("pytest_recording") is None:
        _add_shared_options(parser)
    group = parser.getgroup(*_GROUP)
    group.addoption(
        "--cassette-dir",
        metavar="DIR",
        help="One folder for all cassettes (default: cassettes beside each test file).",
    )
    group.addoption(
        "--cassette-unused",
        choices=_VERDICTS,
        help="What a recording that a passed test did not use does in replay (default: fail).",
    )
    group.addoption(
        "--cassette-orphans",
        choices=_VERDICTS,
        help="What cassettes of tests that are no more do to the run (default: warn).",
    )
    group.addoption(
        "--cassette-report", metavar="FILE", help="Write what each test did, as JSON lines."
    )
    parser.addini("block_network", "default of --block-network", type="bool", default=False)
    parser.addini("allowed_hosts", "default of --allowed-hosts", type="args", default=[])
    parser.addini("cassette_dir", "default of --cassette-dir")
    parser.addini("cassette_unused", "default of --cassette-unused", default="fail")
    parser.addini("cassette_orphans", "default of --cassette-orphans", default="warn")
    parser.addini("cassette_report", "default of --cassette-report")
    parser.addini(
        "cassette_keep_failed",
        "whether recordings made by a test that failed are saved",
        type="bool",
        default=False,
    )


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config, parser: pytest.Parser) -> None:
    """Declare these options after all if pytest-recording, which is installed, is not loaded.

    By now all plugins but conftests are; two options of one name would stop every run.
    """
    from importlib.util import find_spec

    if find_spec("pytest_recording") and not has_pytest_recording(early_config.pluginmanager):
        _add_shared_options(parser)


def _add_shared_options(parser: pytest.Parser) -> None:
    """Declare the options that pytest-recording has, too, and that mean the same there."""
    group = parser.getgroup(*_GROUP)
    group.addoption(
        "--block-network",
        action="store_true",
        default=False,
        help="Fail whatever a test asks of the network, but for promptdeck and --allowed-hosts.",
    )
    group.addoption(
        "--allowed-hosts",
        metavar="HOSTS",
        help="Hosts that a blocked test may reach: names (* is any text, or a regular expression),"
        " addresses, networks, with commas between them.",
    )
    group.addoption(
        "--record-mode",
        choices=(*_MODES, *ALIASES),
        metavar="MODE",
        help=f"{', '.join(_MODES)} (default: replay), or pytest-recording's names for them: "
        f"{', '.join(ALIASES)}.",
    )


def has_pytest_recording(pluginmanager: pytest.PytestPluginManager) -> bool:
    """True if pytest-recording is loaded: --record-mode is its own then, with its names only."""
    return any(map(pluginmanager.has_plugin, ("recording", "pytest_recording.plugin")))


def verdict(config: pytest.Config, name: str) -> str:
    """fail, warn or ignore, by the option or else the setting `name`. UsageError."""
    chosen: str = config.getoption(name) or config.getini(name)
    if chosen not in _VERDICTS:
        raise pytest.UsageError(f"{name} is {chosen!r}; it can be {', '.join(_VERDICTS)}")
    return chosen

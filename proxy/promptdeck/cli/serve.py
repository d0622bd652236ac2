"""`promptdeck serve`: a server until Ctrl-C, in one process or several."""

import contextlib
import os
import signal
import sys
from typing import TYPE_CHECKING, Any

import click

from promptdeck.config import Config
from promptdeck.core.policy import Mode
from promptdeck.core.secrets import search

from . import options
from .ending import ENDING, exit_code_of, let_finish
from .loop import run
from .quick import importing

if TYPE_CHECKING:
    import asyncio

_LOOK_EVERY = 1.0
"""Seconds between a worker's looks whether its parent lives: soon enough to free the port for
who starts it again, at no cost that shows."""


@click.command("serve")
@options.settings()
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=1,
    metavar="N",
    help="Processes on one port, for the modes cache and passthrough.",
)
def command(workers: int, **flags: Any) -> None:
    """Serve a base_url that records, caches and replays.

    \b
    Examples:
      promptdeck serve
      promptdeck serve --mode cache --upstream http://127.0.0.1:8000/v1
      promptdeck serve --mode record-missing --cassette checkout
      promptdeck serve --mode replay --pace recorded
      promptdeck serve --mode cache --workers 4

    Then set your program's base_url to the one printed. Ctrl-C lets answers under
    way finish, a second one does not. The exit code is 8 if an answer was to be
    recorded and could not be.
    """
    config = options.loaded(flags).config
    options.log_to_stderr(config.log.level)
    if workers == 1:
        sys.exit(run(_serve(config)))
    from .workers import check, supervise

    check(config)
    # In one process, so that it is told once.
    from promptdeck.reach import check_reach

    check_reach(config)
    # Before they part: what all of them need is loaded once, and is in memory once.
    _load(config)
    _load_ahead()
    parent = os.getpid()

    def work(config: Config, announcing: bool) -> None:
        run(_serve(config, workers=workers, parent=parent, announcing=announcing))

    sys.exit(supervise(config, workers, work))


async def _serve(
    config: Config, *, workers: int = 1, parent: int = 0, announcing: bool = True
) -> int:
    """Serve until SIGINT or SIGTERM, or until the process `parent`, if any, is gone.

    Says where on stdout if it is `announcing`. `workers` is how many serve on this port.
    Returns the exit code.
    """
    _load(config)
    import asyncio

    from promptdeck.app import serving

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in ENDING:
        loop.add_signal_handler(number, stop.set)
    if parent:
        # A terminal's Ctrl-C goes to all processes; whoever is above says what it means.
        loop.add_signal_handler(signal.SIGINT, lambda: None)
    async with serving(config, workers=workers) as server:
        if announcing:
            click.echo(f"base_url {server.base_url}")
            click.echo(describe(config))
            click.echo(f"export OPENAI_BASE_URL={server.base_url}")
        _load_ahead()
        await (_stopped_or_orphaned(stop, parent) if parent else stop.wait())
        telling = let_finish(config, server.counts)
        if parent:
            loop.add_signal_handler(signal.SIGINT, lambda: None)
    telling.cancel()
    return exit_code_of(config.mode, server.counts())


async def _stopped_or_orphaned(stop: "asyncio.Event", parent: int) -> None:
    """Wait until `stop` is set, or until `parent` is no longer the process above this one.

    A worker whose supervisor was killed would never be told to stop.
    """
    import asyncio

    while os.getppid() == parent:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _LOOK_EVERY)
            return


def _load(config: Config) -> None:
    """Import what this server is made of, which --help does not wait for."""
    with importing():
        import promptdeck.app

        if config.mode is not Mode.REPLAY:
            import promptdeck.upstream  # noqa: F401


def _load_ahead() -> None:
    """Load what the first request needs, now that the server listens.

    A request that comes meanwhile would have had to wait for the same.
    """
    with importing():
        import promptdeck.core.contract.request  # noqa: F401
    search.hit("")


def describe(config: Config) -> str:
    """Mode, upstream, store and cassette in one line, as it stands below the base_url."""
    names = ", ".join(config.upstreams)
    beside = f" beside {names}" if names else ""
    upstream = "none" if config.mode is Mode.REPLAY else f"{config.upstream.url}{beside}"
    store = config.store.path if config.mode is Mode.CACHE else "none"
    return f"mode {config.mode}, upstream {upstream}, store {store}, cassette {_cassette(config)}"


def _cassette(config: Config) -> str:
    """The cassette that a bare base_url plays or records, in words."""
    from promptdeck.library import DEFAULT_CASSETTE

    folder = config.cassette.dir
    if config.cassette.name:
        return f"{folder / config.cassette.name}.yaml"
    match config.mode:
        case Mode.RECORD | Mode.RECORD_MISSING:
            return f"{folder / DEFAULT_CASSETTE}.yaml"
        case Mode.REPLAY:
            return f"all in {folder}"
    return "none"

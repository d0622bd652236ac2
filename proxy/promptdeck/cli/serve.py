"""`promptdeck serve`."""

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
from .loop import run
from .quick import importing

if TYPE_CHECKING:
    import asyncio

_LOOK_EVERY = 1.0
"""Seconds between a worker's looks whether its parent lives."""


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

    Then set your program's base_url to the one printed. Ctrl-C lets recordings
    under way finish.
    """
    config = options.loaded(flags).config
    options.log_to_stderr(config.log.level)
    if workers == 1:
        run(_serve(config))
        return
    from .workers import check, supervise

    check(config)
    # Before they part: what all of them need is loaded once, and is in memory once.
    _load(config)
    _load_ahead()
    parent = os.getpid()

    def work(config: Config, announcing: bool) -> None:
        run(_serve(config, workers=workers, parent=parent, announcing=announcing))

    sys.exit(supervise(config, workers, work))


async def _serve(
    config: Config, *, workers: int = 1, parent: int = 0, announcing: bool = True
) -> None:
    _load(config)
    import asyncio

    from promptdeck.app import serving

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with serving(config, workers=workers) as server:
        if announcing:
            click.echo(f"base_url {server.base_url}")
            click.echo(describe(config))
        _load_ahead()
        await (_stopped_or_orphaned(stop, parent) if parent else stop.wait())
        # A second Ctrl-C does not wait.
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


async def _stopped_or_orphaned(stop: "asyncio.Event", parent: int) -> None:
    """Wait for the word to stop; without the process that would give it there is no going on."""
    import asyncio

    while os.getppid() == parent:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _LOOK_EVERY)
            return


def _load(config: Config) -> None:
    """Import what this server takes. Who only asks for help does not wait for it."""
    with importing():
        import promptdeck.app

        if config.mode is not Mode.REPLAY:
            import promptdeck.upstream  # noqa: F401


def _load_ahead() -> None:
    """Load now what the first request needs: whether it comes later or waits, it loses nothing."""
    with importing():
        import promptdeck.core.contract.request  # noqa: F401
    search.hit("")


def describe(config: Config) -> str:
    """Mode, upstream, store and cassette in one line."""
    upstream = "none" if config.mode is Mode.REPLAY else config.upstream.url
    store = config.store.path if config.mode is Mode.CACHE else "none"
    return f"mode {config.mode}, upstream {upstream}, store {store}, cassette {_cassette(config)}"


def _cassette(config: Config) -> str:
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

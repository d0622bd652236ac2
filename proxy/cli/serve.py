"""`promptdeck serve`."""

import signal
from typing import Any

import click

from proxy.config import Config
from proxy.core import shapes
from proxy.core.policy import Mode

from . import options
from .loop import run
from .quick import importing


@click.command("serve")
@options.settings()
def command(**flags: Any) -> None:
    """Serve a base_url that records, caches and replays.

    \b
    Examples:
      promptdeck serve
      promptdeck serve --mode cache --upstream http://127.0.0.1:8000/v1
      promptdeck serve --mode record-missing --cassette checkout
      promptdeck serve --mode replay --pace recorded

    Then set your program's base_url to the one printed. Ctrl-C lets recordings
    under way finish.
    """
    config = options.loaded(flags).config
    options.log_to_stderr(config.log.level)
    run(_serve(config))


async def _serve(config: Config) -> None:
    with importing():
        import asyncio

        from proxy.app import serving

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with serving(config) as server:
        click.echo(f"base_url {server.base_url}")
        click.echo(describe(config))
        _load_ahead()
        await stop.wait()
        # A second Ctrl-C does not wait.
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def _load_ahead() -> None:
    """Load now what the first request needs: whether it comes later or waits, it loses nothing."""
    with importing():
        import proxy.core.contract  # noqa: F401
    shapes.hit("")


def describe(config: Config) -> str:
    """Mode, upstream, store and cassette in one line."""
    upstream = "none" if config.mode is Mode.REPLAY else config.upstream.url
    store = config.store.path if config.mode is Mode.CACHE else "none"
    return f"mode {config.mode}, upstream {upstream}, store {store}, cassette {_cassette(config)}"


def _cassette(config: Config) -> str:
    from proxy.library import DEFAULT_CASSETTE

    folder = config.cassette.dir
    if config.cassette.name:
        return f"{folder / config.cassette.name}.yaml"
    match config.mode:
        case Mode.RECORD | Mode.RECORD_MISSING:
            return f"{folder / DEFAULT_CASSETTE}.yaml"
        case Mode.REPLAY:
            return f"all in {folder}"
    return "none"

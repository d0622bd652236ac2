"""`promptdeck store`: the local cache."""

from typing import Any

import click

from promptdeck.stores.sqlite.admin import clear, statistics

from . import options
from .output import counted, print_json, size


@click.group("store")
def command() -> None:
    """Look at the local cache, or clear it.

    \b
    Examples:
      promptdeck store stats
      promptdeck store clear --store /tmp/other.db
    """


@command.command("stats")
@options.settings("store.path")
@options.as_json
def stats(*, as_json: bool, **flags: Any) -> None:
    """Say what the cache holds.

    \b
    Examples:
      promptdeck store stats
      promptdeck store stats --json
    """
    config = options.loaded(flags).config
    told = statistics(config.store.path)
    if as_json:
        print_json({"path": str(config.store.path), **told})
        return
    click.echo(
        f"{config.store.path}: {counted(told['answers'], 'answer')}, {size(told['bytes'])}"
        f" of at most {size(config.store.max_bytes)};"
        f" index of {counted(told['cassettes'], 'cassette')},"
        f" {counted(told['indexed'], 'recording')}"
    )


@command.command("clear")
@options.settings("store.path")
def clear_(**flags: Any) -> None:
    """Forget all that the cache holds.

    That is every cached, stored and deferred answer, and the index of cassettes. Cassettes stay.

    \b
    Examples:
      promptdeck store clear
    """
    path = options.loaded(flags).config.store.path
    click.echo(f"{path}: {counted(clear(path), 'answer')} forgotten")

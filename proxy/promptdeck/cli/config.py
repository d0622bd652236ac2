"""`promptdeck config`: the configuration as it is read."""

from typing import Any

import click

from promptdeck.config.render import show

from . import options
from .output import print_rows


@click.group("config")
def command() -> None:
    """Check and show the configuration.

    \b
    Examples:
      promptdeck config check --config ci.yaml
      promptdeck config show
      PROMPTDECK_STORE_TTL=24h promptdeck config show --json
    """


@command.command("check")
@options.settings()
def check(**flags: Any) -> None:
    """Read file, environment and flags; say every problem, one a line.

    \b
    Examples:
      promptdeck config check
      promptdeck config check --config ci.yaml
    """
    options.loaded(flags)
    click.echo("the configuration is sound")


@command.command("show")
@options.settings()
@options.as_json
def show_(*, as_json: bool, **flags: Any) -> None:
    """Show every setting, its value and where that comes from. Secrets are masked.

    \b
    Examples:
      promptdeck config show
      promptdeck config show --mode replay --json
    """
    rows = [
        {"setting": row.path, "value": row.value, "from": row.source}
        for row in show(options.loaded(flags))
    ]
    print_rows(rows, as_json=as_json)

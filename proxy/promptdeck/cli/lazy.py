"""A group whose commands are known by name and imported when they are called."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

from .quick import importing


class LazyGroup(click.Group):
    """A group that imports the module of a command when it is called, and not for its own help.

    `lazy` maps a command's name to `module:attribute` below `promptdeck.cli`, and its help.
    """

    def __init__(self, *args: Any, lazy: Mapping[str, tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._lazy = lazy

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(self._lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in self._lazy:
            return None
        module, _, attribute = self._lazy[cmd_name][0].partition(":")
        # Only a process that runs commands comes here: it may do what `importing` does to it.
        with importing():
            command: click.Command = getattr(import_module(f"promptdeck.cli.{module}"), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, about) for name, (_, about) in self._lazy.items()])

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

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does it; the error for a command that is none names the one meant."""
        if args and args[0] not in self._lazy and not args[0].startswith("-"):
            import difflib  # 10 ms, and only where something is misspelt

            near = difflib.get_close_matches(args[0], self._lazy, 1, 0.5)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(self._lazy)}"
            ctx.fail(f"No such command '{args[0]}'; {hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, about) for name, (_, about) in self._lazy.items()])

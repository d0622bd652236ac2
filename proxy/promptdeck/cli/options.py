"""Flags that several commands share, made from the declarations of the settings."""

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from promptdeck.config import SETTINGS, Loaded, Setting, load

Command = Callable[..., Any]

config_file = click.option(
    "--config",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Configuration file; promptdeck.yaml is read without being named.",
)

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


class Share(click.ParamType[float]):
    """A share as people write it: `90%` or `0.9`."""

    name = "share"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """The share, 0 to 1."""
        if isinstance(value, float):
            return value
        number, percent, rest = str(value).partition("%")
        try:
            share = float(number) / (100 if percent else 1)
        except ValueError:
            share = -1.0
        if rest or not 0 <= share <= 1:
            self.fail(f"{value!r} is no share; write 90% or 0.9", param, ctx)
        return share


def settings(*paths: str) -> Callable[[Command], Command]:
    """Add --config to a command, and the flags of the settings at `paths`, or of all.

    `loaded` makes the configuration of what they are given.
    """
    chosen = [item for item in SETTINGS.values() if item.flag and (not paths or item.path in paths)]

    def decorate(command: Command) -> Command:
        for setting in reversed(chosen):
            command = _option(setting)(command)
        return config_file(command)

    return decorate


def _option(setting: Setting) -> Callable[[Command], Command]:
    """The flag of a setting, made from its declaration."""
    name = setting.path.rpartition(".")[2].upper()
    told = f"{setting.why[0].upper()}{setting.why[1:]}."
    return click.option(setting.flag, setting.parameter, metavar=name, help=told)


def loaded(flags: dict[str, Any]) -> Loaded:
    """The configuration, from a command's flags, the environment and the file. ConfigError.

    `flags` are all arguments that `settings` added; `file` is taken out of them.
    """
    file = flags.pop("file", None)
    return load(flags, os.environ, file, Path.cwd())


class _EventLines(logging.Formatter):
    """Sets off the lines of a traceback, in which others' text may stand, from those of events."""

    def formatException(self, ei: Any) -> str:  # noqa: N802  logging's own name
        return "\n".join(f"  | {line}" for line in super().formatException(ei).splitlines())


def log_to_stderr(level: str) -> None:
    """Print the log on stderr from `level` on, such as `info`, each line with its time."""
    handler = logging.StreamHandler()
    handler.setFormatter(_EventLines("%(asctime)s %(message)s", "%H:%M:%S"))
    logger = logging.getLogger("promptdeck")
    logger.addHandler(handler)
    logger.setLevel(level.upper())
    # Of a malformed request it would log a traceback, though its sender gets a 400. What goes
    # wrong in our own handlers, `server.errors` logs.
    logging.getLogger("aiohttp").setLevel(logging.CRITICAL)

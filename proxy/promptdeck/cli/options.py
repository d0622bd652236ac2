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


def settings(*paths: str) -> Callable[[Command], Command]:
    """`--config`, and the flags of the settings named, or of all that have one."""
    chosen = [item for item in SETTINGS.values() if item.flag and (not paths or item.path in paths)]

    def decorate(command: Command) -> Command:
        for setting in reversed(chosen):
            command = _option(setting)(command)
        return config_file(command)

    return decorate


def _option(setting: Setting) -> Callable[[Command], Command]:
    name = setting.path.rpartition(".")[2].upper()
    return click.option(
        setting.flag, setting.parameter, metavar=name, help=setting.why[0].upper() + setting.why[1:]
    )


def loaded(flags: dict[str, Any]) -> Loaded:
    """The configuration, from the flags of a command. ConfigError."""
    file = flags.pop("file", None)
    return load(flags, os.environ, file, Path.cwd())


def log_to_stderr(level: str) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    logger = logging.getLogger("promptdeck")
    logger.addHandler(handler)
    logger.setLevel(level.upper())
    # Of a malformed request it would print a traceback; its sender gets a 400, and ours are logged.
    logging.getLogger("aiohttp").setLevel(logging.CRITICAL)

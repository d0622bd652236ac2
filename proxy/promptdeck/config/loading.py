"""From file, environment and flags to one Config, each source over the one before it.

Nothing stops at the first problem: all are collected, so that one run shows them all.
"""

import re
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from promptdeck.errors import ConfigError

from .declaring import Given, fill
from .kinds import NOTHING
from .settings import SETTINGS, Config, assemble, nearest, unknown

FILE = "promptdeck.yaml"
"""Read from the working directory if it is there and no other file is named."""

FILE_VARIABLE = "PROMPTDECK_CONFIG"
"""Names another file, as the flag --config does."""

# What Kubernetes sets in every pod beside a service that is itself named promptdeck.
_SERVICE_LINK = r"PROMPTDECK_(SERVICE_(HOST|PORT\w*)|PORT_[0-9]+_\w+)=|PROMPTDECK_PORT=\w+://"


_CASSETTE = "cassette.name"


class Loaded(NamedTuple):
    """A configuration, and where each of its values comes from."""

    config: Config
    sources: Mapping[str, str]
    """By path: `promptdeck.yaml:3`, `PROMPTDECK_MODE`, `--mode`, or `default`."""


def load(
    flags: Mapping[str, object],
    environ: Mapping[str, str],
    file: Path | None = None,
    cwd: Path = Path(),
) -> Loaded:
    """Read every setting; ConfigError has one line for each thing that is wrong.

    `flags` are named as click names them (`log_level`); None is a flag that was not given.
    `file` must be there if it is named; `cwd` is the directory that it is looked for in.
    """
    problems: list[str] = []
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for path, setting in SETTINGS.items():
        values[path], sources[path] = setting.default_in(environ)
    cassette: tuple[Any, str] | None = None
    for setting, raw, source in chain(
        _from_file(file, environ, cwd, problems),
        _from_environment(environ, problems),
        _from_flags(flags),
    ):
        try:
            if setting is SETTINGS[_CASSETTE]:
                # It may be called by its file, which only the folder can tell.
                cassette = raw, source
                continue
            values[setting.path] = setting.read(raw, f"{source}: {setting.path}")
            sources[setting.path] = source
        except ValueError as error:
            problems.append(str(error))
    if cassette:
        try:
            values[_CASSETTE] = _cassette(*cassette, values["cassette.dir"], cwd)
            sources[_CASSETTE] = cassette[1]
        except ValueError as error:
            problems.append(str(error))
    if problems:
        raise ConfigError("\n".join(problems))
    return Loaded(assemble(values), sources)


def _cassette(raw: Any, source: str, folder: Path, cwd: Path) -> str | None:
    """The name of the cassette that is called so, by its name or its file. ValueError."""
    place = f"{source}: {_CASSETTE}"
    if isinstance(raw, str) and raw not in NOTHING:
        from promptdeck.stores.cassettes.called import called  # only where one is named

        try:
            raw = called(raw, folder, cwd)
        except ValueError as error:
            raise ValueError(f"{place}: {error}") from None
    name: str | None = SETTINGS[_CASSETTE].read(raw, place)
    return name


def _from_file(
    file: Path | None, environ: Mapping[str, str], cwd: Path, problems: list[str]
) -> Iterator[Given]:
    """The settings of the configuration file; what is wrong with it is added to `problems`."""
    named = str(file or environ.get(FILE_VARIABLE, ""))
    name = named or FILE
    try:
        data = (cwd / name).read_bytes()
    except FileNotFoundError:
        if named:
            by = "--config" if file else FILE_VARIABLE
            problems.append(f"{name}: there is no such file; {by} names it")
    except OSError as error:
        problems.append(f"{name}: cannot be read: {error.strerror}")
    else:
        from .document import Document  # only where there is a file

        yield from Document(name, problems, partial(fill, environ=environ)).settings(data)


def _from_environment(environ: Mapping[str, str], problems: list[str]) -> Iterator[Given]:
    """The settings of PROMPTDECK_ variables; names that are no settings are added to `problems`.

    An empty variable counts as one that is not set, as CI systems leave them.
    """
    by_variable = {setting.variable: setting for setting in SETTINGS.values()}
    for name, text in environ.items():
        if not text or not name.startswith("PROMPTDECK_") or name == FILE_VARIABLE:
            continue
        if setting := by_variable.get(name):
            if setting.many or setting.is_mapping:
                from .document import Document

                yield from Document(name, problems).value(text, setting)
            else:
                yield Given(setting, text, name)
        elif not re.match(_SERVICE_LINK, f"{name}={text}"):
            meant = nearest(name.removeprefix("PROMPTDECK_"))
            problems.append(unknown(name, SETTINGS[meant].variable if meant else ""))


def _from_flags(flags: Mapping[str, object]) -> Iterator[Given]:
    """The settings of the command line; `flags` may hold other arguments, too."""
    for setting in SETTINGS.values():
        value = flags.get(setting.parameter) if setting.flag else None
        if value is not None:
            yield Given(setting, str(value), setting.flag)

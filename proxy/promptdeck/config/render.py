"""Settings for people: `config show`, config.example.yaml, README's table."""

from collections.abc import Iterator
from operator import attrgetter
from typing import NamedTuple

from .declaring import NOT_SHOWN, Setting
from .loading import Loaded
from .settings import SECTIONS, SETTINGS

_HEAD = """\
# promptdeck.yaml: every setting with its default. Remove the # before what you change.
# A value may name variables of the environment: ${NAME} or ${NAME:-default}; $${ is a plain ${.
# What a file says yields to PROMPTDECK_ variables (PROMPTDECK_STORE_TTL=24h), and those to flags.
"""


class SettingRow(NamedTuple):
    """A line of `config show`."""

    path: str
    value: str
    source: str


def show(loaded: Loaded) -> list[SettingRow]:
    """A row for every setting: its value and where it comes from; of a secret, if it is set."""
    return [
        SettingRow(path, _shown(setting, attrgetter(path)(loaded.config)), loaded.sources[path])
        for path, setting in SETTINGS.items()
    ]


def _shown(setting: Setting, value: object) -> str:
    return NOT_SHOWN if setting.secret and value is not None else setting.write(value)


def example() -> str:
    """The text of config.example.yaml, in which every setting is a comment with its default."""
    return "\n".join([_HEAD, *_example_lines()]) + "\n"


def _example_lines() -> Iterator[str]:
    """A line for each section and each setting."""
    section = ""
    for path, setting in SETTINGS.items():
        name, _, key = path.rpartition(".")
        if name != section:
            section = name
            yield from ("", f"# {SECTIONS[name].__doc__}", f"{name}:")
        entry = f"{'  ' if name else ''}# {key}: {setting.default}"
        yield f"{entry:<{_ENTRY}}  # {setting.why}{_in_ci(setting)}"
        if setting.fields:
            yield "#   NAME:"
        for field, inner in setting.fields.items():
            entry = f"#     {field}: {inner.default}"
            yield f"{entry:<{_ENTRY}}  # {inner.why}"


_ENTRY = 36
"""Columns up to which nearly every entry reaches; a longer one pushes its comment on."""


def _in_ci(setting: Setting) -> str:
    """A remark on the default in CI, to follow a setting's line; empty if it is the same there."""
    return f"; {setting.default_in_ci} where CI=true" if setting.default_in_ci else ""


def settings_table() -> str:
    """README's table of settings, in Markdown: a line for each setting below the head."""
    head = ("Setting", "Default", "Environment", "Flag", "What for")
    rows = [head, ("---",) * len(head)]
    for setting in SETTINGS.values():
        rows.append(_cells(setting))
        rows += [_field_cells(setting, name) for name in setting.fields]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _field_cells(setting: Setting, name: str) -> tuple[str, ...]:
    """A row for a setting of the sections that a setting holds."""
    field = setting.fields[name]
    why = field.why.replace("|", "\\|")
    return f"`{setting.path}.NAME.{name}`", f"`{field.default}`", "", "", why


def _cells(setting: Setting) -> tuple[str, ...]:
    """A setting's row in README's table."""
    flag = f"`{setting.flag}`" if setting.flag else ""
    why = (setting.why + _in_ci(setting)).replace("|", "\\|")
    return f"`{setting.path}`", f"`{setting.default}`", f"`{setting.variable}`", flag, why

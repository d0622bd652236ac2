"""A cassette's own rules: its section `match`, which stands above its recordings.

They apply together with the user's rules to what this file holds and to what is looked up in
it, wherever the file is played. They are meant to be edited: no digest covers them.
"""

import os
import re
from pathlib import Path

from promptdeck.core.matching.rules import Rules
from promptdeck.core.text.jsontext import JSON
from promptdeck.errors import CassetteError

from .file import contents, decoded, locked, overwrite

_KEYS = ("preset", "ignore", "replace")
_HEAD = 64 * 1024
"""Bytes of a file in which a section begins, if it has one: nothing but comments stands before."""


def parsed_section(value: JSON) -> Rules:
    """The rules that a section says. ValueError or TypeError for a bad one."""
    if not isinstance(value, dict) or not value.keys() <= set(_KEYS):
        raise ValueError(f"`match` must be a mapping of {', '.join(_KEYS)}")
    lists = [_listed(key, value.get(key)) for key in _KEYS]
    for key, entries in zip(_KEYS, lists, strict=True):
        for entry in entries:
            if not (isinstance(entry, str) or (key == "replace" and isinstance(entry, dict))):
                raise ValueError(f"`match.{key}` cannot have {entry!r}")
    preset, ignore, replace = lists
    return Rules.build(ignore, replace, preset)


def _listed(key: str, value: JSON) -> list[JSON]:
    """The entries under a key: a list, none, or a preset by its name alone."""
    if value is None:
        return []
    if isinstance(value, str) and key == "preset":
        return [value]
    if not isinstance(value, list):
        raise TypeError(f"`match.{key}` must be a list")
    return value


def may_have_section(text: str) -> bool:
    """True if a text, or the beginning of one, may have a section: nearly none does."""
    at = text.find("match")
    return 0 <= at < text.find("interactions") or (at >= 0 and "interactions" not in text)


def own_rules(text: str, name: str) -> Rules | None:
    """The rules in a cassette's text; None without any. CassetteError with file, `name`, and line.

    Nothing behind the section is read.
    """
    if not may_have_section(text):
        return None
    from .reader import BadYAML, YAMLReader

    reader = YAMLReader(text)
    try:
        for key, line in reader.pairs():
            if key == "interactions":
                break
            value = reader.value()
            if key == "match":
                try:
                    rules = parsed_section(value)
                except (ValueError, TypeError) as error:
                    raise BadYAML(line, f"in `match`: {error}") from None
                return rules if rules.digest else None
    except BadYAML as error:
        raise CassetteError(f"{name}:{error.line}: {error}") from None
    return None


def own_rules_of(path: Path) -> Rules | None:
    """The rules in a cassette's file; None without any, or where they cannot be read.

    Who indexes the file says what is wrong with it.
    """
    try:
        with path.open("rb", buffering=0) as file:
            head = file.read(_HEAD)
        if b"match" not in head or not may_have_section(head.decode(errors="replace")):
            return None
        return own_rules(path.read_text(encoding="utf-8"), str(path))
    except (OSError, ValueError, CassetteError):
        return None


def section_in(path: Path) -> JSON:
    """The section of a file as it is written there; None without one. CassetteError."""
    from .reader import BadYAML

    text = decoded(contents(path), path)
    try:
        return section_of(text)
    except BadYAML as error:
        raise CassetteError(f"{path}:{error.line}: {error}") from None


def write_section(path: Path, section: dict[str, JSON]) -> None:
    """Put entries into a file's section, behind those that it has. CassetteError."""
    from .dump import section_text
    from .save import split

    real = Path(os.path.realpath(path))  # a link stays one
    with locked(real.parent):
        before = section_in(real)
        whole: dict[str, JSON] = dict(before) if isinstance(before, dict) else {}
        for key, entries in section.items():
            there = _listed(key, whole.get(key))
            whole[key] = [*there, *(one for one in _listed(key, entries) if one not in there)]
        parsed_section(whole)
        text = decoded(contents(real), real)
        header, items = split(text, real, as_is=True)
        header = re.sub(_SECTION, "", header).replace(
            "\ninteractions:", f"\n{section_text(whole)}interactions:"
        )
        overwrite(real, (header + "".join(item.text for item in items)).encode())


# As it stands in a header: its line and those that are indented below it.
_SECTION = r"(?m)^match:[^\n]*\n(?:(?:[ #][^\n]*)?\n)*(?=interactions:)"


def section_of(text: str) -> JSON:
    """The section of a cassette's text as it is written there; None without one. BadYAML."""
    if not may_have_section(text):
        return None
    from .reader import YAMLReader

    reader = YAMLReader(text)
    for key, _ in reader.pairs():
        if key == "interactions":
            break
        value = reader.value()
        if key == "match":
            return value
    return None

"""Cassettes as people call them: by a name, by the path of a file, nearly right."""

import os
from collections.abc import Iterable
from pathlib import Path

from promptdeck.core.names import validate_cassette_name

from .file import SUFFIX

_SUFFIXES = (SUFFIX, ".yml")
"""Endings that people write; none of them belongs to a name."""


def called(text: str, folder: Path, cwd: Path = Path()) -> str:
    """The name of the cassette of `folder` that a user means by `text`: that name, or its file.

    `cassettes/ok.yaml`, `./cassettes/ok` and `ok.yaml` all mean `ok` where `folder` is
    `cassettes`. What is there already by the very name that was written is meant, too. ValueError
    where both are there, for a file outside the folder, and for a name that no cassette can have.
    """
    bare = _without_suffix(text)
    inside = _inside(bare, cwd / folder, cwd)
    if inside == "." and _exists(text, cwd / folder):
        return text
    if inside == ".":
        raise ValueError(f"{text} is the folder of all cassettes; name one of those in it")
    if inside is None and _is_elsewhere(text, bare, cwd / folder, cwd):
        there = Path(bare)
        raise ValueError(
            f"{text} lies outside of {folder}, the folder of cassettes;"
            f" write --cassettes {there.parent} --cassette {there.name}"
        )
    meant = inside or bare
    if meant != text and _exists(text, cwd / folder):
        if _exists(meant, cwd / folder):
            raise ValueError(
                f"{text} may be {folder / meant}{SUFFIX} or {folder / text}{SUFFIX};"
                f" rename one of them, or write {meant} for the first"
            )
        return text
    return validate_cassette_name(meant)


def _without_suffix(text: str) -> str:
    """A text without the ending that cassettes' files have."""
    for suffix in _SUFFIXES:
        if text.endswith(suffix) and text != suffix:
            return text.removesuffix(suffix)
    return text


def _inside(text: str, folder: Path, cwd: Path) -> str | None:
    """The way from `folder` to the path `text`, `.` for itself; None where it leads elsewhere."""
    for resolved in (os.path.abspath, os.path.realpath):  # as it is written; behind links
        way = Path(os.path.relpath(resolved(cwd / text), resolved(folder)))
        if ".." not in way.parts:
            return way.as_posix()
    return None


def _is_elsewhere(text: str, bare: str, folder: Path, cwd: Path) -> bool:
    """True if `text` is the path of a file that cannot be, or is not, in the folder."""
    if Path(bare).is_absolute() or ".." in Path(bare).parts:
        return True
    if bare == text or "/" not in text or _exists(bare, folder):
        return False
    return (cwd / text).parent.is_dir() and not (folder / bare).parent.is_dir()


def _exists(name: str, folder: Path) -> bool:
    """True if a folder has a cassette of this very name."""
    try:
        return (folder / (validate_cassette_name(name) + SUFFIX)).is_file()
    except ValueError:
        return False


def likely(name: str, known: Iterable[str]) -> str:
    """The one of the `known` names that a misspelt one probably means; empty if none is near."""
    import difflib  # 10 ms, and only where something is misspelt

    by_form = {_form(one): one for one in known}
    close = difflib.get_close_matches(_form(name), by_form, 1)
    # `chat` for `plain-chat` is nearer to people than to letters.
    close = close or [form for form in by_form if _form(name) and _form(name) in form][:1]
    return by_form[close[0]] if close else ""


def _form(name: str) -> str:
    """A name as far as people keep it in mind: no case, one sign between words."""
    return name.lower().replace("_", "-").replace(" ", "-")

"""The ways in which texts write a value: as it is, for a shell, in JSON, in a URL.

And at a place of a text, the way that is right there: how many times what stands there is
escaped as JSON, and whether a shell will read it.
"""

import json  # noqa: TID251  a value as it stands in JSON within a text, with escapes and without
import re
from bisect import bisect_right
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote, quote_plus

_PLAIN, _SHELL = 0, 1


class Spelling(NamedTuple):
    """A way to write a value."""

    kind: int
    """As it is, for a shell, with slashes, in one of several forms of a URL."""
    depth: int = 0
    """How many times that is escaped as JSON."""
    ascii: bool = False
    """Whether JSON has it with escapes for all that is not ASCII."""


def _kinds(value: str) -> list[str]:
    """A value in each kind of writing, some of which may be the same."""
    shell = _FOR_SHELLS.sub(r"\\\g<0>", value) if value[:1] in ("/", "~") else value
    slashes = value.replace("\\", "/") if is_of_windows(value) else value
    # `file:///C:/work` has a slash before the drive.
    file = f"/{slashes}" if is_of_windows(value) else value
    urls = [quote(form, safe="/:") for form in (file, slashes)]
    urls += [quote(form, safe="") for form in (slashes, value)]
    return [value, shell, slashes, *urls, quote_plus(slashes)]


_FOR_SHELLS = re.compile(r"[ '\"()&;|<>$`*?!#\[\]{}\\]")
_DRIVE = re.compile(r"[A-Za-z]:\\").match

SPELLINGS = [
    *(Spelling(kind, *how) for kind in range(3) for how in ((0,), (1,), (1, True), (2, True))),
    *(Spelling(kind) for kind in range(3, 8)),
]


def is_of_windows(path: str) -> bool:
    """True for a path that begins with a drive."""
    return _DRIVE(path) is not None


def written_forms(value: str) -> dict[str, Spelling]:
    """A value in all forms in which a text may say it, each with the first way to write it so."""
    kinds = _kinds(value)
    forms: dict[str, Spelling] = {}
    for how in SPELLINGS:
        forms.setdefault(_in_json(kinds[how.kind], how), how)
    return forms


def written(value: str, how: Spelling) -> str:
    """A value as this way writes it."""
    return _in_json(_kinds(value)[how.kind], how)


def _in_json(text: str, how: Spelling) -> str:
    for _ in range(how.depth):
        text = json.dumps(text, ensure_ascii=how.ascii)[1:-1]
    return text


# What tools for commands call what a shell is to read.
_COMMANDS = frozenset("command cmd commands script shell_command bash_command".split())
_LITERAL = re.compile(r'"(?:[^"\\]|\\.)*"')
_KEY_WITHIN = 4000
"""Letters before a text in which its key, or that of its list, stands."""
_KEY_BEFORE = re.compile(r'"((?:[^"\\]|\\.){1,80})"\s{0,9}:\s{0,9}(\[[^\[\]]*)?\Z', re.DOTALL)


def fitting(how: Spelling, text: str, at: int, key: str | int = "") -> Spelling:
    """The way to write another value in the place of one that was written so.

    That stands in `text` from `at` on; `key` is what holds the text. A path that a command has
    bare may need escapes where it has blanks, and a quote or backslash does in JSON.
    """
    depth = 0
    listed = False
    while text[:1] in ("{", "["):
        literals = _literals(text)
        number = bisect_right(literals, (at,)) - 1
        start, end = literals[number] if number >= 0 else (at, at)
        if not start < at < end:
            break
        whole = text
        try:
            text, before = json.loads(text[start:end]), json.loads(f'{text[start:at]}"')
        except ValueError:
            break
        if found := _KEY_BEFORE.search(whole, max(0, start - _KEY_WITHIN), start):
            key, listed = found[1], found[2] is not None
        at, depth = len(before), depth + 1
    if depth:
        how = how._replace(depth=depth)
    command = key in _COMMANDS and not (listed and at == 0)
    return (
        how._replace(kind=_SHELL) if how.kind == _PLAIN and command and _is_bare(text[:at]) else how
    )


@lru_cache(4)
def _literals(text: str) -> list[tuple[int, int]]:
    """Where the strings of JSON text begin and end: the same text is asked for each value in it."""
    return [match.span() for match in _LITERAL.finditer(text)]


def _is_bare(before: str) -> bool:
    """True where a shell that has read this is within no quotes."""
    quote_ = ""
    letters = iter(before)
    for letter in letters:
        if letter == "\\" and quote_ != "'":
            next(letters, "")
        elif quote_:
            quote_ = "" if letter == quote_ else quote_
        elif letter in "'\"":
            quote_ = letter
    return not quote_

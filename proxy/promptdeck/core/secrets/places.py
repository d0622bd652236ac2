"""Secrets that are short, or stand in a place of their own: each has a sign to look for.

The sign is a character or two that hardly any text has, which `str.find` looks for at
memory speed; what is around it is then looked at.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from . import named
from .shapes import BASIC, TILDE, USERINFO


class Span(NamedTuple):
    """A secret in a text: its place, `text[start:end]`, and the name of its kind."""

    start: int
    end: int
    name: str


# Two expressions, as each begins with a literal, which `re` looks for at memory speed.
_W = re.compile("w(?<=[sSpP]w)(?=[oOdD])"), re.compile("W(?<=[sSpP]W)(?=[oOdD])")
"""The `w` of `password` and `pwd`."""


def anchored(text: str, begin: int, end: int) -> Iterator[Span]:
    """The secrets in `text[begin:end]` by fixed texts: the `@` of URLs, `~`, `Basic`, `w`s."""
    for at in each("@", text, begin, end):
        yield from _userinfo(text, at, begin, end)
    for at in each("~", text, begin, end):
        for kind in TILDE:
            if span := kind.span(text, at, end):
                yield Span(*span, kind.name)
    for at in each("Basic ", text, begin, end):
        if match := BASIC.match(text, at, end):
            yield Span(*match.span(1), "basic")
    for sign in _W:
        for found in sign.finditer(text, begin, end):
            yield from _password(text, found.start(), end)


def _password(text: str, at: int, end: int) -> Iterator[Span]:
    """The value of a name that has its `w` at a place."""
    found = named.PASSWORD.match(text, at, end)
    if found and named.is_password(found[1]):
        yield Span(*found.span(1), "password")


def each(anchor: str, text: str, begin: int, end: int) -> Iterator[int]:
    """Each place of a literal in a part of a text."""
    at = text.find(anchor, begin, end)
    while at >= 0:
        yield at
        at = text.find(anchor, at + 1, end)


def _userinfo(text: str, at: int, begin: int, end: int) -> Iterator[Span]:
    """The password, or the key alone, of an address that has its `@` at a place."""
    # No password holds a slash: the last one before it ends the `://`.
    slash = text.rfind("/", max(begin, at - 400), at)
    if slash >= 0 and text.endswith(("://", ":\\/\\/"), 0, slash + 1):
        match = USERINFO.match(text, slash + 1, end)
        if match and match.end() == at + 1:
            yield Span(*match.span(match.lastindex or 0), "url-password")

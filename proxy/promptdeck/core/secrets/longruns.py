"""The runs of characters in a text of which any may be a secret, found at memory speed.

A text is looked at a part at a time: who calls may be a thread, and between two calls of C
others get the interpreter; and what is made of a text here would take several times its size.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

_LEAST = 16
"""Characters that a run has at least: 96 bits of base64url; no issuer gives out keys of less."""
MOST = 1024
"""Characters of a run that are looked at.

What is longer is data: an image, reasoning that is encrypted. Every 32nd character of base64 is
a sign behind which a token might begin, and what stands there is any token's head by chance: in
48 MB nine "secrets" were found, and an answer with an image of 4 MB came to be another."""
_AT_ONCE = 1024 * 1024
"""Characters of a text that are looked at in one call: 2 ms."""
_RUN = b"r"
_MASK = bytes(
    ord(_RUN) if chr(code).isascii() and (chr(code).isalnum() or chr(code) in "_-+/") else 32
    for code in range(256)
)
_LONG = _RUN * _LEAST
_REST = re.compile("[A-Za-z0-9_+/-]*+")
_APART = ' ",\n'
"""Characters over which no secret reaches, nor what says that one follows but by its end."""
JSON_ESCAPE = re.compile("u[0-9a-fA-F]{4}|[nrtbf]")
_DIGIT = re.compile("[0-9]")
_FRACTION = re.compile(r"[\[,]\s{0,8}-?[0-9]{1,3}\.\Z")
"""What stands before the fraction of a number in a list: answers with embeddings have hundreds of
thousands, 16 digits each, and to look at one takes 30 us."""
_PLAIN = re.compile("(?:[A-Z]?[a-z]{2,}+|[A-Z]{2,12}(?![A-Za-z])|[A-Z]++(?=[A-Z][a-z])|[_/+-]++)++")
"""A run of words: `snake_case`, `CamelCase`, `HTTPServer`, `UPPER-CASE`, paths."""


class LongRun(NamedTuple):
    """A run that is not made of words: `text[start:stop]`."""

    start: int
    stop: int
    word: str
    """Its characters, `MOST` at most."""


class Combed(NamedTuple):
    """A stretch of a text in which long runs were looked for."""

    begin: int
    mask: bytes
    """A byte for each of its characters, a blank for what is in no run."""
    runs: list[LongRun]


def stretches(text: str, begin: int, end: int) -> Iterator[Combed]:
    """The stretches of `text[begin:end]` that hold long runs; none is in two of them."""
    at = begin
    while at < end:
        # One byte for each character: what is not Latin-1 becomes a question mark.
        piece = text if end - at == len(text) <= _AT_ONCE else text[at : min(at + _AT_ONCE, end)]
        mask = piece.encode("latin-1", "replace").translate(_MASK)
        to = at + len(mask)
        if to < end:
            if cut := _cut(text, at, mask):
                mask, to = mask[: cut - at], cut
            else:
                to = _end(text, to, end)
        if runs := _long_runs(text, at, mask, to):
            yield Combed(at, mask, runs)
        at = to


def _cut(text: str, begin: int, mask: bytes) -> int:
    """Where a part may end that begins at `begin`: near the end of its mask; 0 for nowhere."""
    to = begin + len(mask)
    if cut := max(text.rfind(sign, to - MOST, to) for sign in _APART) + 1:
        return cut
    blank = mask.rfind(b" ", len(mask) - MOST) + 1
    return begin + blank if blank else 0


def _end(text: str, at: int, end: int) -> int:
    """Where a run ends that goes on at a place."""
    while at < end:
        to = min(at + _AT_ONCE, end)
        rest = _REST.match(text, at, to)
        at = rest.end() if rest else at
        if at < to:
            break
    return at


def _long_runs(text: str, begin: int, mask: bytes, to: int) -> list[LongRun]:
    """The runs of a part whose characters the mask tells; where it ends with one, that ends at
    `to`."""
    find, has_digit, is_plain = mask.find, _DIGIT.search, _PLAIN.fullmatch
    runs: list[LongRun] = []
    at = find(_LONG)
    while at >= 0:
        after = find(b" ", at)
        stop = to if after < 0 else begin + after
        start = begin + at
        if text[start - 1 : start] == "\\" and (escape := JSON_ESCAPE.match(text, start)):
            start = escape.end()  # what ends an escape is no part of what follows
        word = text[start : min(stop, start + MOST)]
        # A secret that is random has a digit, or its case changes as that of no name does.
        if word.isdecimal() and _FRACTION.search(text, max(0, start - 12), start):
            pass
        elif has_digit(word) or not (word.islower() or is_plain(word)):
            runs.append(LongRun(start, stop, word))
        at = -1 if after < 0 else find(_LONG, after)
    return runs

"""JSON text in outline: long texts and long lists of numbers cut short, all else as it is.

To read an answer of 16 MB takes three times its size, six times where it is numbers: the parser
copies it, and what it makes of it is as large again. What an answer is told by stands between its
long texts. What is cut out of one has been read, a part at a time, so that the outline is JSON if,
and only if, the whole is.
"""

import re
from collections.abc import Iterator

import orjson

_LONG = 4096
"""Bytes of a text, and of a list of numbers, from which it is cut short."""
_KEPT = 1024
"""Bytes that are left of it at either end, or a few less."""
_PART = 64 * 1024
"""Bytes that are read at once."""
_ESCAPE = 12
"""Bytes of the longest escape of one character: `\\ud83d\\ude00`."""
_LOW_HALF = re.compile(rb"\\u[dD][c-fC-F]")
_BETWEEN_QUOTES = re.compile(rb'"[^"]{%d}' % _LONG)
_AT_ONCE = 1024 * 1024
"""Bytes that are searched in one call, in which no other thread runs."""
_NUMBERS = re.compile(rb"[-+0-9.eE, \t\r\n]{%d,}+" % _LONG)


def outlined(text: bytes) -> bytes:
    """The outline of JSON text, or of any text that holds some; itself where nothing is long."""
    kept: list[bytes] = []
    done = 0
    for begin, end in _cuts(text) if _has_long(text) else ():
        kept.append(text[done:begin])
        done = end
    return b"".join([*kept, text[done:]]) if done else text


def _has_long(text: bytes) -> bool:
    """True if anything between two quotes is long: to look at each string takes ten times as long.

    It says False of a long text as well that has a quote in each part of it.
    """
    steps = range(0, len(text), _AT_ONCE)
    return any(_BETWEEN_QUOTES.search(text, at, at + _AT_ONCE + _LONG + 1) for at in steps)


def _cuts(text: bytes) -> Iterator[tuple[int, int]]:
    """What can be left out of a text, in order, by begin and end."""
    at = 0
    for begin, end in _strings(text):
        yield from _numbers(text, at, begin - 1)
        if end - begin > _LONG:
            yield from _middle(text, begin, end)
        at = end + 1
    yield from _numbers(text, at, len(text))


def _strings(text: bytes) -> Iterator[tuple[int, int]]:
    """Where the strings of JSON text stand, keys too, by begin and end of what is in quotes."""
    at = text.find(b'"') + 1
    while at:
        end = _end(text, at)
        if end < 0:
            return
        yield at, end
        at = text.find(b'"', end + 1) + 1


def long_values(text: bytes, least: int) -> Iterator[tuple[int, int]]:
    """Where strings of `least` bytes or more stand that are no keys, by begin and end."""
    for begin, end in _strings(text):
        if end - begin >= least and not text[end + 1 : end + 9].lstrip().startswith(b":"):
            yield begin, end


def parts_of(text: bytes, begin: int, end: int) -> Iterator[bytes]:
    """The string `text[begin:end]` in parts, none of which cuts a character or an escape."""
    at = begin
    while at < end:
        to = _boundary(text, at, at + _PART) if end - at > _PART + _ESCAPE else end
        to = to if to > at else end
        yield text[at:to]
        at = to


def _end(text: bytes, begin: int) -> int:
    """Where the string ends whose text begins at `begin`: at its closing quote; -1 for nowhere."""
    quote = text.find(b'"', begin)
    while quote > begin and text[quote - 1] == ord("\\"):
        first = quote - 1
        while first > begin and text[first - 1] == ord("\\"):
            first -= 1
        if (quote - first) % 2 == 0:
            break
        quote = text.find(b'"', quote + 1)
    return quote


def _middle(text: bytes, begin: int, end: int) -> Iterator[tuple[int, int]]:
    """The middle of a string, `text[begin:end]`, if all of it is what JSON has in a string."""
    first = at = _boundary(text, begin, begin + _KEPT)
    stop = end - _KEPT
    while stop - at > _ESCAPE:
        to = _boundary(text, at, min(at + _PART, stop))
        if to == at or not _is_read(b'"%b"' % text[at:to]):
            return
        at = to
    yield first, at


def _boundary(text: bytes, begin: int, at: int) -> int:
    """A place in a string, `at` or a little before it, that cuts no character and no escape.

    None is cut at `begin`, which is the answer where there is no other.
    """
    last = text.rfind(b"\\", max(begin, at - _ESCAPE), at)
    slashes = 0
    if last >= 0:
        run = text[begin : last + 1]
        slashes = len(run) - len(run.rstrip(b"\\"))
    if slashes % 2:  # it begins an escape, which may reach to `at` or over it
        at = last - 6 if _LOW_HALF.match(text, last) else last
    while at > begin and text[at] & 0xC0 == 0x80:  # no first byte of a character in UTF-8
        at -= 1
    return max(begin, at)


def _numbers(text: bytes, begin: int, end: int) -> Iterator[tuple[int, int]]:
    """All but the first and last of many numbers in `text[begin:end]`, where no string is."""
    if end - begin < _LONG:
        return
    for run in _NUMBERS.finditer(text, begin, end):
        first = text.find(b",", *run.span()) + 1
        last = text.rfind(b",", *run.span()) + 1
        at = first
        while at < last:
            to = text.rfind(b",", at, min(at + _PART, last))
            if to < at or not _is_read(b"[%b]" % text[at:to]):
                break
            at = to + 1
        else:
            yield first, last


def _is_read(text: bytes) -> bool:
    """True if a text or a list is JSON, and holds anything."""
    try:
        return bool(orjson.loads(text))
    except orjson.JSONDecodeError:
        return False

"""Deflate with a dictionary: the words that come with promptdeck, or those of a store itself.

A recording alone is too short for its words to come twice. What the ones before it
said is what it will resemble most, so a store learns: it keeps the text of some
recordings as the dictionary of those to come, again whenever it has grown a few
times. That is a handful in the life of a store, so none is ever let go.
"""

import zlib
from collections.abc import Callable, Iterable, Iterator
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

WINDOW = 32768
"""Bytes that deflate looks back (RFC 1951); a dictionary beyond it is cut at its front."""
_LEVEL = 6
"""zlib's default: 9 is 0.4 % smaller for a third more CPU (measured on chats of 5 KB)."""
_RAW = -15
"""zlib's name for deflate with the largest window and no frame of zlib's around it."""
_MEMORY = 9
"""zlib's memLevel, its highest: 256 KB, for "optimal speed" in the words of its manual."""
_STEP = 1024 * 1024
"""Bytes that are compressed in one call."""
_CHECK = 5
"""Bytes before the deflated ones: the dictionary's number, a check sum."""

Query = Callable[..., list[tuple[Any, ...]]]
"""Gives all rows of a query, which is followed by its parameters."""


class Dictionary(NamedTuple):
    """A text that deflate looks back into as if it stood before what is packed."""

    number: int
    """At most 255: it is one byte of what is packed with it."""
    text: bytes


@cache
def shipped() -> Dictionary:
    """The dictionary that comes with promptdeck, number 1.

    Common words, and the envelopes of requests, answers and chunks, the commonest last.
    Files are written with it: never edit it.
    """
    return Dictionary(1, Path(__file__).with_name("dictionary.txt").read_bytes())


class Dictionaries:
    """The dictionaries of a store by number, read when asked for. Good for one state of it."""

    def __init__(self, query: Query) -> None:
        self._query = query
        self._known = {shipped().number: shipped().text}

    def __getitem__(self, number: int) -> bytes:
        """A dictionary's text. ValueError if it is not there or damaged."""
        if number not in self._known:
            found = self._query("SELECT data FROM dictionary WHERE id = ?", number)
            if not found:
                raise ValueError("a dictionary of it is lost")
            [(data,)] = found
            self._known[number] = _text(data)
        return self._known[number]

    def newest(self) -> Dictionary:
        """The dictionary to write with; where it is damaged, the one that cannot be."""
        [(number,)] = self._query("SELECT max(id) FROM dictionary")
        try:
            return Dictionary(number, self[number]) if number else shipped()
        except (ValueError, TypeError):
            return shipped()


@lru_cache(maxsize=4)
def _text(data: bytes) -> bytes:
    """A dictionary unpacked. The last few are kept: each commit makes readers forget theirs."""
    return inflate(data, {shipped().number: shipped().text})


def deflate(data: Iterable[bytes], dictionary: Dictionary, context: bytes = b"") -> bytes:
    """Compress what the parts of `data` are together as if it stood behind a dictionary and
    `context`."""
    return b"".join(deflated(data, dictionary, context))


def deflated(data: Iterable[bytes], dictionary: Dictionary, context: bytes = b"") -> list[bytes]:
    """What `deflate` compresses in parts, none of them larger than some of `data`.

    Without zlib's own frame, which would sum up the dictionary, too: a check sum of the
    data alone goes before it.
    """
    text = dictionary.text
    deflating = _primed(text + context) if context else _plain(text).copy()
    check = 0
    packed = []
    for some in _steps(data):
        check = zlib.crc32(some, check)
        packed.append(deflating.compress(some))
    checked = check.to_bytes(_CHECK - 1, "little")
    return [bytes([dictionary.number]), checked, *packed, deflating.flush()]


def _steps(data: Iterable[bytes]) -> Iterator[bytes | memoryview]:
    """The data in parts of `_STEP` bytes at most, as what each call makes is copied once more."""
    for part in data:
        if len(part) <= _STEP:
            yield part
        else:
            view = memoryview(part)
            yield from (view[at : at + _STEP] for at in range(0, len(part), _STEP))


def _primed(words: bytes) -> "zlib._Compress":
    """A compressor that has read the end of these words."""
    dictionary = words[-WINDOW:]
    return zlib.compressobj(
        _LEVEL, zlib.DEFLATED, _RAW, _MEMORY, zlib.Z_DEFAULT_STRATEGY, dictionary
    )


@lru_cache(maxsize=2)
def _plain(words: bytes) -> "zlib._Compress":
    """A compressor to be copied: to read a dictionary costs as much as to compress a recording."""
    return _primed(words)


def inflate(
    data: bytes, dictionaries: Dictionaries | dict[int, bytes], context: bytes = b""
) -> bytes:
    """The data that `deflate` compressed behind the same `context`. ValueError if damaged."""
    if len(data) < _CHECK:
        raise ValueError("compressed data is cut off")
    inflating = zlib.decompressobj(_RAW, (dictionaries[data[0]] + context)[-WINDOW:])
    try:
        text = inflating.decompress(data[_CHECK:])
    except zlib.error as error:
        raise ValueError(str(error)) from None
    if not inflating.eof or zlib.crc32(text) != int.from_bytes(data[1:_CHECK], "little"):
        raise ValueError("compressed data is damaged")
    return text

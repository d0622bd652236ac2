"""Recordings made small: long lists of a request as chains of pieces, the rest as one blob.

An agent sends its whole conversation again with every turn. What a request holds in
long lists and values (messages, tools, schemas) is cut into `Piece`s that are named by
all that stands before them, so that a store keeps each once and a recording names only
its last. Every text comes back byte for byte: a text that cannot be cut by plain search
is kept whole. The canonical form stands beside the body in each piece, as their strings
are the same.
"""

import zlib
from collections.abc import Iterator, Sequence
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import orjson

_SPLIT = 256
"""Bytes from which a value is worth a piece of its own: a piece costs about 60."""
_LONG = 1024
"""Bytes from which a string is copied by reference between the two forms of an element."""
_WINDOW = 32768
"""What deflate looks back; a dictionary beyond it is cut at its front."""
_CONTEXT = 8192
"""Of the text before, as a dictionary: with more, the common words would fall out of the window."""
_LEVEL = 6
_RAW = -15
_FORMAT = b"\x01"
"""A check sum, then deflate with our dictionary. Names the first of what may become several."""

Pair = tuple[bytes, bytes]
"""The same value as it stands in the request's body and in its canonical form."""


class Packed(NamedTuple):
    """A recording without its slots."""

    meta: Sequence[Any]
    body: bytes
    canonical: bytes
    answer: bytes


class Slot(NamedTuple):
    """A long value of a request, by its elements."""

    elements: list[Pair]
    body_at: int
    body_length: int
    canonical_at: int
    canonical_length: int


# Cutting


def slots_of(body: bytes, canonical: bytes) -> list[Slot]:
    """The long values of a request, where both texts hold them in plain sight."""
    _, _, text = canonical.partition(b"\n")
    try:
        value, other = orjson.loads(body), orjson.loads(text)
    except orjson.JSONDecodeError:
        return []
    if not isinstance(value, dict) or not isinstance(other, dict):
        return []
    found: list[Slot] = []
    for key in value.keys() & other.keys():
        slot = _slot(key, value[key], other[key], body, canonical)
        if slot and not any(_overlap(slot, before) for before in found):
            found.append(slot)
    return sorted(found, key=lambda slot: slot.body_at)


def _slot(key: str, value: Any, other: Any, body: bytes, canonical: bytes) -> Slot | None:
    listed = isinstance(value, list) and isinstance(other, list) and len(value) == len(other)
    try:
        ours = [orjson.dumps(item) for item in (value if listed else [value])]
        theirs = [orjson.dumps(item) for item in (other if listed else [other])]
    except orjson.JSONEncodeError:
        return None
    text, form = b",".join(ours), b",".join(theirs)
    if len(text) < _SPLIT:
        return None
    before = orjson.dumps(key) + (b":[" if listed else b":")
    at, place = body.find(before + text), canonical.find(before + form)
    if at < 0 or place < 0:
        return None
    elements = list(zip(ours, theirs, strict=True))
    return Slot(elements, at + len(before), len(text), place + len(before), len(form))


def _overlap(a: Slot, b: Slot) -> bool:
    return (a.body_at < b.body_at + b.body_length and b.body_at < a.body_at + a.body_length) or (
        a.canonical_at < b.canonical_at + b.canonical_length
        and b.canonical_at < a.canonical_at + a.canonical_length
    )


def digests(elements: Sequence[Pair]) -> list[bytes]:
    """Names of all beginnings of a slot, the shortest first.

    Cryptographic: who can choose a message must not be able to make it read as another.
    """
    digest = blake2b(digest_size=16)
    found = []
    for ours, theirs in elements:
        digest.update(b"%d %d:" % (len(ours), len(theirs)))
        digest.update(ours)
        digest.update(theirs)
        found.append(digest.copy().digest())
    return found


def cuts(elements: Sequence[Pair], known: int) -> list[int]:
    """Where to end pieces behind the first `known` elements.

    Behind the first element and before the last, where that leaves something: many
    conversations share a system prompt, or all but the question.
    """
    sizes = [len(ours) for ours, _ in elements]
    ends: list[int] = []
    last = known
    for end in (1, len(elements) - 1):
        if last < end < len(elements) and sum(sizes[last:end]) >= _SPLIT:
            ends.append(end)
            last = end
    return [*ends, len(elements)]


# Pieces


def pack_piece(elements: Sequence[Pair], context: bytes) -> bytes:
    """Elements that follow `context`, the text of those before."""
    entries, texts = [], []
    for ours, theirs in elements:
        if ours == theirs:
            entries.append([len(ours)])
            texts.append(ours)
        else:
            recipe, rest = _recipe(ours, theirs)
            entries.append([len(ours), *recipe])
            texts += (ours, rest)
    return _deflate(orjson.dumps(entries) + b"\n" + b"".join(texts), context)


def unpack_piece(data: bytes, context: bytes) -> list[Pair]:
    """ValueError if it is damaged."""
    head, rest = _lined(_inflate(data, context))
    elements, at = [], 0
    for length, *recipe in orjson.loads(head):
        ours = rest[at : at + length]
        at += length
        theirs, used = _follow(recipe, ours, rest, at) if recipe else (ours, 0)
        at += used
        elements.append((ours, theirs))
    if at != len(rest):
        raise ValueError("a piece does not add up")
    return elements


def _recipe(ours: bytes, theirs: bytes) -> tuple[list[int], bytes]:
    """`theirs` as lengths of new text, each but the last followed by a place in `ours` to copy.

    Short texts need none: deflate finds what is the same within its window.
    """
    numbers, rest, done = [], [], 0
    for text in _long_strings(ours) if len(theirs) > _LONG else ():
        place, source = theirs.find(text, done), ours.find(text)
        if place >= 0 and source >= 0:
            numbers += [place - done, source, len(text)]
            rest.append(theirs[done:place])
            done = place + len(text)
    return [*numbers, len(theirs) - done], b"".join([*rest, theirs[done:]])


def _follow(recipe: list[int], ours: bytes, rest: bytes, at: int) -> tuple[bytes, int]:
    parts: list[bytes] = []
    start = at
    for n in range(0, len(recipe) - 1, 3):
        new, place, length = recipe[n : n + 3]
        parts += (rest[at : at + new], ours[place : place + length])
        at += new
    end = at + recipe[-1]
    return b"".join([*parts, rest[at:end]]), end - start


def _long_strings(text: bytes) -> Iterator[bytes]:
    """The string literals of at least `_LONG` bytes in JSON that orjson wrote."""
    stack = [orjson.loads(text)]
    while stack:
        value = stack.pop()
        if isinstance(value, str):
            if len(value) >= _LONG // 4 and len(literal := orjson.dumps(value)) >= _LONG:
                yield literal
        elif isinstance(value, dict):
            stack += reversed(value.values())
        elif isinstance(value, list):
            stack += reversed(value)


# Recordings


def pack(
    meta: Sequence[Any], body: bytes, canonical: bytes, answer: bytes, slots: Sequence[Slot]
) -> bytes:
    """What is left of a recording without its slots, and how all fits together."""
    ours, mine = _without(body, [(s.body_at, s.body_length) for s in slots])
    order = sorted(range(len(slots)), key=lambda n: slots[n].canonical_at)
    places = [(slots[n].canonical_at, slots[n].canonical_length) for n in order]
    theirs, rest = _without(canonical, places)
    head = orjson.dumps([ours, order, theirs, *meta])
    return _deflate(b"".join((head, b"\n", *mine, *rest, answer)))


def unpack(data: bytes, slots: Sequence[Sequence[Pair]]) -> Packed:
    """`slots` are the elements of each. ValueError if it is damaged."""
    head, rest = _lined(_inflate(data))
    ours, order, theirs, *meta = orjson.loads(head)
    texts = [b",".join([mine for mine, _ in elements]) for elements in slots]
    forms = [b",".join([form for _, form in slots[n]]) for n in order]
    end = sum(ours)
    last = end + sum(theirs)
    if last > len(rest):
        raise ValueError("a recording is cut off")
    return Packed(
        meta, _with(rest[:end], ours, texts), _with(rest[end:last], theirs, forms), rest[last:]
    )


def _without(text: bytes, places: Sequence[tuple[int, int]]) -> tuple[list[int], list[bytes]]:
    """What lies around the places; its lengths, and itself."""
    parts, done = [], 0
    for at, length in places:
        parts.append(text[done:at])
        done = at + length
    parts.append(text[done:])
    return [len(part) for part in parts], parts


def _with(text: bytes, lengths: Sequence[int], values: Sequence[bytes]) -> bytes:
    parts: list[bytes] = []
    at = 0
    for length, value in zip(lengths, [*values, b""], strict=True):
        parts += (text[at : at + length], value)
        at += length
    return b"".join(parts)


def context_of(elements: Sequence[Pair]) -> bytes:
    """The last text of some elements: what comes behind them resembles it."""
    parts: list[bytes] = []
    size = 0
    for ours, _ in reversed(elements):
        parts.append(ours)
        size += len(ours)
        if size >= _CONTEXT:
            break
    return b",".join(reversed(parts))[-_CONTEXT:]


# Compressing


@cache
def _dictionary() -> bytes:
    """Common words, and the envelopes of requests, answers and chunks, the commonest last.

    Files are written with it: never edit it, add another and another `_FORMAT`.
    """
    return Path(__file__).with_name("dictionary.txt").read_bytes()


def _deflate(data: bytes, context: bytes = b"") -> bytes:
    """Without zlib's own frame, which would sum up the dictionary, too, at each opening."""
    deflate = _primed(context) if context else _plain().copy()
    check = zlib.crc32(data).to_bytes(4, "little")
    return b"".join((_FORMAT, check, deflate.compress(data), deflate.flush()))


def _primed(context: bytes) -> "zlib._Compress":
    words = (_dictionary() + context)[-_WINDOW:]
    return zlib.compressobj(_LEVEL, zlib.DEFLATED, _RAW, 9, zlib.Z_DEFAULT_STRATEGY, words)


@cache
def _plain() -> "zlib._Compress":
    """To be copied: to read the dictionary costs as much as to compress a recording."""
    return _primed(b"")


def _inflate(data: bytes, context: bytes = b"") -> bytes:
    if data[:1] != _FORMAT:
        raise ValueError("written by a newer promptdeck")
    inflate = zlib.decompressobj(_RAW, (_dictionary() + context)[-_WINDOW:])
    try:
        text = inflate.decompress(data[5:])
    except zlib.error as error:
        raise ValueError(str(error)) from None
    if not inflate.eof or zlib.crc32(text) != int.from_bytes(data[1:5], "little"):
        raise ValueError("compressed data is damaged")
    return text


def _lined(text: bytes) -> tuple[bytes, bytes]:
    end = text.find(b"\n")
    if end < 0:
        raise ValueError("there is no first line")
    return text[:end], text[end + 1 :]

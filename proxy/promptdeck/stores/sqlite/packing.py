"""Recordings made small: long lists of a request as chains of pieces, the rest as one blob.

An agent sends its whole conversation again with every turn. What a request holds in
long lists and values (messages, tools, schemas) is cut into `Piece`s that are named by
all that stands before them, so that a store keeps each once and a recording names only
its last. Every text comes back byte for byte: a text that cannot be cut by plain search
is kept whole. The canonical form stands beside the body in each piece, as their strings
are the same.
"""

from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from itertools import chain
from typing import Any, NamedTuple

import orjson

from .dictionaries import WINDOW, Dictionaries, Dictionary, deflate, deflated, inflate

_SPLIT = 256
"""Bytes from which a value is worth a piece of its own: a piece costs about 60."""
_LONG = 1024
"""Bytes from which a string is copied by reference between the two forms of an element.

Deflate sees a shorter one twice within its window, at less cost than the reference."""
_ASIDE = 4096
"""A first question of up to so many bytes is no piece: many a conversation has no second."""
_SAMPLE = 4096
"""Bytes at most of each text that a dictionary is made of: an eighth of it, for variety."""
_CONTEXT = 8192
"""Of the text before, as a dictionary: with more, the common words would fall out of the window."""

Pair = tuple[bytes, bytes]
"""The same value as it stands in the request's body and in its canonical form."""


class Packed(NamedTuple):
    """A recording as it was given to `pack`."""

    meta: Sequence[Any]
    """JSON values: whatever the caller keeps beside the three texts."""
    body: bytes
    canonical: bytes
    answer: bytes


class Slot(NamedTuple):
    """A long value of a request, by its elements, and where they stand in the two texts."""

    elements: list[Pair]
    """Those of a list, between whose elements there are commas alone; else the value itself."""
    body_at: int
    body_length: int
    canonical_at: int
    canonical_length: int


# Cutting


def slots_of(body: bytes, canonical: bytes) -> list[Slot]:
    """The long values of a request that stand in both its texts as orjson writes them.

    They come in the order of the body and never overlap. None for what is no JSON object
    in both, or is written otherwise.
    """
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
    """The slot of one member: `value` in the body, `other` in the canonical form.

    None if it is short or does not stand in plain sight.
    """
    listed = isinstance(value, list) and isinstance(other, list) and len(value) == len(other)
    try:
        if listed and _ends_alone(value):
            value, other = value[:-1], other[:-1]
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


def _ends_alone(messages: list[Any]) -> bool:
    """True if the last message is the first question of a conversation, and not long."""
    roles = [item.get("role") if isinstance(item, dict) else None for item in messages]
    return (
        roles[-1:] == ["user"]
        and "assistant" not in roles
        and len(orjson.dumps(messages[-1])) <= _ASIDE
    )


def _overlap(a: Slot, b: Slot) -> bool:
    """True if two slots share bytes, as the text of one may be found within the other's."""
    return (a.body_at < b.body_at + b.body_length and b.body_at < a.body_at + a.body_length) or (
        a.canonical_at < b.canonical_at + b.canonical_length
        and b.canonical_at < a.canonical_at + a.canonical_length
    )


def digests(elements: Sequence[Pair]) -> list[bytes]:
    """A name for each beginning of a slot's elements, the shortest first: 16 bytes each.

    Cryptographic: who can choose a message must not be able to make it read as another.
    """
    # 128 bits: a second text for a given name takes 2**128 tries, two texts of one 2**64.
    digest = blake2b(digest_size=16)
    found = []
    for ours, theirs in elements:
        digest.update(b"%d %d:" % (len(ours), len(theirs)))
        digest.update(ours)
        digest.update(theirs)
        found.append(digest.copy().digest())
    return found


def cuts(elements: Sequence[Pair], known: int) -> list[int]:
    """Where to end pieces behind the first `known` elements: counts of elements, rising.

    Behind the first element and before the last, where a piece is worth it: many
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


def pack_piece(elements: Sequence[Pair], context: bytes, dictionary: Dictionary) -> bytes:
    """Elements as one blob. `context` is the text of those before, as `context_of` gives it."""
    entries, texts = [], []
    for ours, theirs in elements:
        if ours == theirs:
            entries.append([len(ours)])
            texts.append(ours)
        else:
            recipe, rest = _recipe(ours, theirs, ours)
            entries.append([len(ours), *recipe])
            texts += (ours, rest)
    return deflate([orjson.dumps(entries), b"\n", *texts], dictionary, context)


def unpack_piece(data: bytes, context: bytes, dictionaries: Dictionaries) -> list[Pair]:
    """The elements that `pack_piece` made a blob of. ValueError if it is damaged."""
    head, rest = _lined(inflate(data, dictionaries, context))
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


def _recipe(ours: bytes, theirs: bytes, of: bytes) -> tuple[list[int], bytes]:
    """How to make `theirs` from `ours`, and the new text for it; `_follow` does it.

    A recipe is numbers: how much new text, then from where and how much of `ours`, by
    turns, and how much new text at the end. What is copied are long strings of the JSON
    `of` which `ours` is a part. Short texts need none: deflate finds what is the same
    within its window.
    """
    numbers, rest, done = [], [], 0
    for text in _long_strings(of) if len(theirs) > _LONG else ():
        place, source = theirs.find(text, done), ours.find(text)
        if place >= 0 and source >= 0:
            numbers += [place - done, source, len(text)]
            rest.append(theirs[done:place])
            done = place + len(text)
    return [*numbers, len(theirs) - done], b"".join([*rest, theirs[done:]])


def _follow(recipe: list[int], ours: bytes, rest: bytes, at: int) -> tuple[bytes, int]:
    """The text that a recipe makes of `ours` and of new text, which stands in `rest` from `at`.

    Also how much of `rest` it took.
    """
    parts: list[bytes] = []
    start = at
    for n in range(0, len(recipe) - 1, 3):
        new, place, length = recipe[n : n + 3]
        parts += (rest[at : at + new], ours[place : place + length])
        at += new
    end = at + recipe[-1]
    return b"".join([*parts, rest[at:end]]), end - start


def _long_strings(text: bytes) -> Iterator[bytes]:
    """The string literals of at least `_LONG` bytes in JSON, as orjson writes them."""
    try:
        stack = [orjson.loads(text)]
    except orjson.JSONDecodeError:
        return
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
    meta: Sequence[Any],
    body: bytes,
    canonical: bytes,
    answer: Iterable[bytes],
    slots: Sequence[Slot],
    dictionary: Dictionary,
) -> list[bytes]:
    """A recording without the elements of its slots, as one blob that says how all fits together.

    `answer` comes in any parts, and so does the blob. `meta` are JSON values to be kept with it.
    TypeError where they are none.
    """
    ours, mine = _without(body, [(s.body_at, s.body_length) for s in slots])
    order = sorted(range(len(slots)), key=lambda n: slots[n].canonical_at)
    places = [(slots[n].canonical_at, slots[n].canonical_length) for n in order]
    theirs, rest = _without(canonical, places)
    around, copied = b"".join(mine), b"".join(rest)
    recipe, left = _recipe(around, copied, body)
    head = orjson.dumps([ours, order, [theirs, recipe], *meta])
    return deflated(chain([head, b"\n", around, left], answer), dictionary)


def unpack(data: bytes, slots: Sequence[Sequence[Pair]], dictionaries: Dictionaries) -> Packed:
    """The recording that `pack` made a blob of, given the elements of each of its slots, in order.

    ValueError or TypeError if it is damaged.
    """
    (ours, order, theirs, meta), around, copied, answer = _opened(data, dictionaries)
    texts = [b",".join([mine for mine, _ in elements]) for elements in slots]
    forms = [b",".join([form for _, form in slots[n]]) for n in order]
    return Packed(meta, _with(around, ours, texts), _with(copied, theirs, forms), answer)


def _opened(data: bytes, dictionaries: Dictionaries) -> tuple[tuple[Any, ...], bytes, bytes, bytes]:
    """The parts of a blob by `pack`.

    Its head; what is around the slots in the body, and in the canonical form; the answer.
    The head says what of the body is around each slot, in which order the canonical form
    has the slots, what of it is around them, and `meta`.
    """
    head, rest = _lined(inflate(data, dictionaries))
    ours, order, theirs, *meta = orjson.loads(head)
    # Earlier versions copied nothing from the one to the other.
    lengths, recipe = theirs if isinstance(theirs[0], list) else (theirs, [sum(theirs)])
    end = sum(ours)
    copied, used = _follow(recipe, rest[:end], rest, end)
    if end + used > len(rest):
        raise ValueError("a recording is cut off")
    return (ours, order, lengths, meta), rest[:end], copied, rest[end + used :]


def dictionary_of(recordings: Sequence[bytes], dictionaries: Dictionaries) -> bytes:
    """A dictionary for recordings to come, made of packed ones: what they will resemble.

    Long texts of all, and the beginning of the last as a whole, for its envelope; what
    comes last is found nearest. ValueError or TypeError if one is damaged.
    """
    texts = []
    for data in recordings[:-1]:
        _, around, _, answer = _opened(data, dictionaries)
        strings = [*around.split(b'":"'), *answer.split(b'":"')]
        texts += [text[:_SAMPLE] for text in strings if len(text) >= _SPLIT]
    whole = inflate(recordings[-1], dictionaries)
    return b"".join([*texts, whole[: 2 * _SAMPLE]])[-WINDOW:]


def _without(text: bytes, places: Sequence[tuple[int, int]]) -> tuple[list[int], list[bytes]]:
    """A text without what is at some places, each a start and a length: lengths of the rest, it."""
    parts, done = [], 0
    for at, length in places:
        parts.append(text[done:at])
        done = at + length
    parts.append(text[done:])
    return [len(part) for part in parts], parts


def _with(text: bytes, lengths: Sequence[int], values: Sequence[bytes]) -> bytes:
    """The opposite of `_without`: `values` between parts of `text` that have these lengths."""
    parts: list[bytes] = []
    at = 0
    for length, value in zip(lengths, [*values, b""], strict=True):
        parts += (text[at : at + length], value)
        at += length
    return b"".join(parts)


def context_of(elements: Sequence[Pair]) -> bytes:
    """The end of some elements' text, up to `_CONTEXT`: what comes behind them resembles it."""
    parts: list[bytes] = []
    size = 0
    for ours, _ in reversed(elements):
        parts.append(ours)
        size += len(ours)
        if size >= _CONTEXT:
            break
    return b",".join(reversed(parts))[-_CONTEXT:]


def _lined(text: bytes) -> tuple[bytes, bytes]:
    """The first line and all behind it. ValueError if there is no end of a line."""
    end = text.find(b"\n")
    if end < 0:
        raise ValueError("there is no first line")
    return text[:end], text[end + 1 :]

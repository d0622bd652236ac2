"""A canonical form in a few hundred bytes, from which its likeness to another is estimated.

A miss has to find the nearest of thousands of recordings. To read and compare each takes
0.1 to 1 ms; a sketch, made when a recording is indexed, takes 10 us. It holds 32-bit hashes:

    fields   of each top-level member outside the conversation
    items    of each message, or of a prompt that is one text
    ends     of the words at both ends of the first and of the last message, where requests
             of one template differ
    words    the smallest of all words: as many of two texts are equal as the texts have in
             common (Broder, "On the resemblance and containment of documents", 1997)

It takes recordings of one template for equally near where only words amid long messages
differ: who asks for the nearest has some more than wanted compared with care.
"""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from heapq import nlargest, nsmallest
from typing import NamedTuple, TypeVar

import xxhash

from promptdeck.core.text.jsontext import JSON

from .differences import FormParts, dump

CONVERSATION = ("messages", "contents", "input", "prompt")
"""The keys that hold what was said, in one dialect or another."""
CONVERSATION_SHARE = 0.75
"""What they weigh against the rest: three quarters, so that the same prompt for another model
and temperature is nearer than another prompt for the same."""
OTHER_QUERY = 0.9
"""Another query is a small thing beside another body: of two that are alike otherwise it tells."""

_HASH = "I"
"""`array`'s name for numbers of 32 bits. Of two different texts one in 4e9 pairs is taken for
equal, which costs a place in a list of candidates."""
_LENGTHS = 4
_HEAD = 2 + _LENGTHS
"""Numbers before the hashes: those of endpoint and query, and the length of each section."""
_FIELDS = 32
"""More members than a request has; of others the smallest hashes."""
_FIRST_ITEMS, _LAST_ITEMS = 8, 56
"""Items of a long conversation that count: the first tell which it is, the last how far it is."""
_END = 256
"""Bytes of either end of a message whose words all count: a question behind a document."""
_WORDS = 48
"""With so many the estimate is right within 0.07 (one sigma); 100 KB in all for 500 recordings."""
_READ = 50_000
"""Bytes of either end of a conversation whose words are hashed: 10,000 words take 3 ms."""

Candidate = TypeVar("Candidate")


class Sketch(NamedTuple):
    """A canonical form in brief: enough to rate its likeness to another without reading it."""

    model: str | None
    """The `model` that its body names, if it names one."""
    data: bytes
    """For `shortlist`."""


class _Sections(NamedTuple):
    """The data of a sketch, read."""

    endpoint: int
    query: int
    fields: frozenset[int]
    items: frozenset[int]
    ends: frozenset[int]
    words: frozenset[int]


def sketch(form: bytes) -> Sketch:
    """The sketch of a canonical form; any bytes will do."""
    parts = FormParts.read(form)
    value = parts.value
    said = list(_said(parts))
    fields = {}
    if isinstance(value, dict):
        fields = {key: item for key, item in value.items() if key not in CONVERSATION}
    sections = (
        nsmallest(_FIELDS, {_hash(dump([key, item])) for key, item in fields.items()}),
        _sample([_hash(item) for item in said]),
        _hashes({word for end in _ends(said) for word in end.split()}),
        nsmallest(_WORDS, _hashes(_words(b" ".join(said)))),
    )
    numbers = array(_HASH, [_hash(parts.endpoint.encode()), _hash(parts.query.encode())])
    numbers.extend(map(len, sections))
    for section in sections:
        numbers.extend(section)
    return Sketch(_model(value), numbers.tobytes())


def _model(value: JSON) -> str | None:
    """The model that a body names; None if it names none."""
    model = value.get("model") if isinstance(value, dict) else None
    return model if isinstance(model, str) else None


def models_of(forms: Iterable[bytes]) -> set[str]:
    """The models that canonical forms name."""
    return set(filter(None, (_model(FormParts.read(form).value) for form in forms)))


def _said(parts: FormParts) -> Iterator[bytes]:
    """The messages of a body as JSON, one each; the whole body if it is no conversation."""
    value = parts.value
    known = [key for key in CONVERSATION if isinstance(value, dict) and value.get(key)]
    if not isinstance(value, dict) or not known:
        yield parts.body
        return
    for key in known:
        item = value[key]
        yield from map(dump, item if isinstance(item, list) else [item])


def _sample(items: Sequence[int]) -> Sequence[int]:
    """The first and the last of many."""
    if len(items) <= _FIRST_ITEMS + _LAST_ITEMS:
        return items
    return [*items[:_FIRST_ITEMS], *items[-_LAST_ITEMS:]]


def _ends(said: Sequence[bytes]) -> Iterator[bytes]:
    """Both ends of the first and of the last message."""
    for item in {said[0], said[-1]}:
        # A list of parts or an object: its quotes and braces belong to no word.
        yield _bare(item[:_END])
        yield _bare(item[-_END:])


def _words(text: bytes) -> set[bytes]:
    """The words of a text, of a long one those of its ends."""
    ends = text if len(text) <= 2 * _READ else text[:_READ] + b" " + text[-_READ:]
    return set(_bare(ends).split())


_MARKS = bytes.maketrans(b'"{}[]:,', b" " * 7)


def _bare(text: bytes) -> bytes:
    """Text with blanks for the marks of JSON and what else stands between words."""
    return text.replace(b"\\n", b" ").translate(_MARKS)


def _hashes(words: Iterable[bytes]) -> list[int]:
    return [_hash(word) for word in words]


def _hash(data: bytes) -> int:
    return xxhash.xxh32_intdigest(data)


def shortlist(
    asked: bytes, sketches: Iterable[tuple[Candidate, bytes]], most: int
) -> list[Candidate]:
    """At most `most` candidates, those most like the canonical form `asked` first.

    `sketches` pairs each candidate with its sketch's data. Those of other endpoints are given only
    if none is of the same, and then some of each endpoint, as a sketch does not tell their names.
    """
    ours = _read(sketch(asked).data)
    same: list[tuple[float, Candidate]] = []
    others: dict[int, list[tuple[float, Candidate]]] = {}
    for candidate, data in sketches:
        theirs = _read(data)
        rated = _likeness(ours, theirs), candidate
        if theirs.endpoint == ours.endpoint:
            same.append(rated)
        elif not same:
            others.setdefault(theirs.endpoint, []).append(rated)
    groups = [same] if same else [*others.values()]
    each = -(-most // max(1, len(groups)))
    best = [nlargest(each, group, key=_rating) for group in groups]
    return [candidate for group in best for _, candidate in group][:most]


def _rating(rated: tuple[float, Candidate]) -> float:
    return rated[0]


def _read(data: bytes) -> _Sections:
    """A sketch's data, read."""
    numbers = array(_HASH)
    numbers.frombytes(data)
    endpoint, query, *lengths = numbers[:_HEAD]
    sections = []
    start = _HEAD
    for length in lengths:
        sections.append(frozenset(numbers[start : start + length]))
        start += length
    return _Sections(endpoint, query, *sections)


def _likeness(ours: _Sections, theirs: _Sections) -> float:
    """How alike two requests are, 0 to 1: an estimate of what `nearest` measures."""
    rest = _share(ours.fields, theirs.fields)
    longer = max(len(ours.items), len(theirs.items), 1)
    shared = len(ours.items & theirs.items)
    said = shared / longer
    if changed := min(len(ours.items), len(theirs.items)) - shared:
        alike = _share(ours.ends, theirs.ends) + _share(ours.words, theirs.words)
        said += changed * alike / 2 / longer
    likeness = rest + CONVERSATION_SHARE * (said - rest)
    return likeness if ours.query == theirs.query else likeness * OTHER_QUERY


def _share(ours: frozenset[int], theirs: frozenset[int]) -> float:
    """How much two sets have in common, 0 to 1; 1 for two empty ones."""
    count = len(ours) + len(theirs)
    return 2 * len(ours & theirs) / count if count else 1.0

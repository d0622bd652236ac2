"""Where two requests differ: a list of places.

A request is given by its canonical form: `METHOD /path?query`, a line feed and
the body. *Asked* is what a request has now, *recorded* what a recording has.
"""

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice, zip_longest
from typing import Any, NamedTuple

import orjson

from promptdeck.core.text.jsontext import JSON, Unfaithful, canonical, parse
from promptdeck.core.text.paths import child_path
from promptdeck.core.text.wording import (
    Contrast,
    common_prefix,
    contrast,
    cut,
    edges,
    quoted,
    shared_words,
)

ENDPOINT = "endpoint"
"""The path of a difference in method or URL path."""

MOST_PLACES = 1000
"""Differences that are listed at most: nobody reads so many, and walking on costs time."""


class FormParts(NamedTuple):
    """A canonical form in its parts."""

    line: str
    """`METHOD /path?query`."""
    body: bytes
    value: JSON
    """The parsed body, or None where it is no JSON."""

    @classmethod
    def read(cls, form: bytes) -> "FormParts":
        """Take a canonical form apart; any bytes will do."""
        line, _, body = form.partition(b"\n")
        try:
            value = parse(body)
        except Unfaithful:
            value = None
        return cls(line.decode(errors="backslashreplace"), body, value)

    @property
    def endpoint(self) -> str:
        """Method and path."""
        return self.line.partition("?")[0]

    @property
    def query(self) -> str:
        """The query with its question mark, or the empty string."""
        return self.line.removeprefix(self.endpoint)

    @property
    def text(self) -> str | None:
        """The body as text, or None where it is not UTF-8."""
        try:
            return self.body.decode()
        except UnicodeDecodeError:
            return None


class DifferenceKind(StrEnum):
    """The way from the recording to the request at one place."""

    CHANGED = "changed"
    ADDED = "added"
    """Only the request has it."""
    REMOVED = "removed"
    """Only the recording has it."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One place where a request differs from a recording."""

    path: str
    """A JSON path, or `endpoint`, `query`, `line N`, `body`."""
    kind: DifferenceKind
    asked: JSON = None
    """The value in the request; None also where it has none."""
    recorded: JSON = None
    """The value in the recording; None also where it has none."""

    def __str__(self) -> str:
        """The place and both values in one line."""
        words = self.shown().words
        return f"{cut(self.path, 120)}: {', '.join(self.sides())}" + (
            f" ({words})" if words else ""
        )

    def sides(self, width: int = 0) -> tuple[str, str]:
        """Both values for people: `recorded "…three rivers…"` and `asked "…three lakes…"`.

        `not recorded` or `not asked` for one that there is not. `width` is that of the column
        in which the two first words stand.
        """
        recorded, asked, _ = self.shown()
        return (
            "not recorded"
            if self.kind is DifferenceKind.ADDED
            else f"{'recorded':{width}} {recorded}",
            "not asked" if self.kind is DifferenceKind.REMOVED else f"{'asked':{width}} {asked}",
        )

    def shown(self) -> Contrast:
        """Both values, cut short around what changed, and the words that changed."""
        if isinstance(self.recorded, str) and isinstance(self.asked, str):
            return contrast(self.recorded, self.asked)
        return Contrast(_shortened(self.recorded), _shortened(self.asked), "")

    def details(self) -> dict[str, Any]:
        """The difference as JSON, for an error body.

        Values stand in it as they are where they are short, and else cut as in `shown`.
        """
        recorded, asked, words = self.shown()
        found: dict[str, Any] = {"path": self.path, "kind": self.kind.value}
        if self.kind is not DifferenceKind.ADDED:
            found["recorded"] = _brief(self.recorded, recorded)
        if self.kind is not DifferenceKind.REMOVED:
            found["asked"] = _brief(self.asked, asked)
        return found | ({"words": words} if words else {})


def _shortened(value: JSON) -> str:
    """The beginning of a value as JSON text."""
    return quoted(cut(value)) if isinstance(value, str) else cut(dump(value).decode())


def _brief(value: JSON, shown: str, most: int = 200) -> JSON:
    """A value whose JSON takes at most `most` bytes, two lines or three; else `shown`."""
    return value if len(dump(value)) <= most else shown


def dump(value: JSON) -> bytes:
    """A value as JSON text by which it can be compared: its keys are sorted."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def between(asked: FormParts, recorded: FormParts) -> list[Difference]:
    """The differences between two requests, in document order; of other endpoints, only that."""
    if asked.endpoint != recorded.endpoint:
        return [Difference(ENDPOINT, DifferenceKind.CHANGED, asked.endpoint, recorded.endpoint)]
    found = []
    if asked.query != recorded.query:
        found.append(Difference("query", DifferenceKind.CHANGED, asked.query, recorded.query))
    return found + _in_body(asked, recorded)


def _in_body(asked: FormParts, recorded: FormParts) -> list[Difference]:
    """The differences between two bodies: by value where both are JSON, else by text."""
    found: list[Difference] = []
    if asked.value is not None and recorded.value is not None:
        found = list(islice(_walk(asked.value, recorded.value, "$", "$"), MOST_PLACES))
    # JSON that was not sent as JSON stands for itself byte for byte.
    return found if found or asked.body == recorded.body else _in_text(asked, recorded)


def _in_text(asked: FormParts, recorded: FormParts) -> list[Difference]:
    """The differences between two bodies line by line; of bytes, the place where they part."""
    ours, theirs = asked.text, recorded.text
    if ours is None or theirs is None:
        at = common_prefix(asked.body, recorded.body)
        return [
            Difference(
                "body", DifferenceKind.CHANGED, _hex(asked.body, at), _hex(recorded.body, at)
            )
        ]
    lines = differences(ours.splitlines(keepends=True), theirs.splitlines(keepends=True))
    return [
        Difference(f"line {int(item.path[2:-1]) + 1}", item.kind, item.asked, item.recorded)
        for item in lines
    ]


def _hex(data: bytes, at: int) -> str:
    """How long a body is, and its eight bytes from `at` on."""
    return f"{len(data)} bytes, from byte {at}: {data[at : at + 8].hex(' ') or 'nothing'}"


def differences(asked: JSON, recorded: JSON, most: int = MOST_PLACES) -> list[Difference]:
    """The places where two JSON values differ, in document order, at most `most` of them.

    None exactly if their canonical texts are equal.
    """
    ours, theirs = orjson.loads(canonical(asked)), orjson.loads(canonical(recorded))
    return list(islice(_walk(ours, theirs, "$", "$"), most))


_Pairs = Iterator[tuple[Any, Any]]


def _walk(asked: JSON, recorded: JSON, here: str, there: str) -> Iterator[Difference]:
    """The differences between two values.

    `here` is their place in the request, `there` in the recording: list items may have moved.
    """
    if dump(asked) == dump(recorded):
        return
    if isinstance(asked, dict) and isinstance(recorded, dict):
        pairs = _members(asked, recorded)
    elif isinstance(asked, list) and isinstance(recorded, list):
        pairs = _aligned(asked, recorded)
    else:
        yield Difference(here, DifferenceKind.CHANGED, asked, recorded)
        return
    for key, other in pairs:
        if other is None:
            yield Difference(child_path(here, key), DifferenceKind.ADDED, asked=asked[key])
        elif key is None:
            yield Difference(
                child_path(there, other), DifferenceKind.REMOVED, recorded=recorded[other]
            )
        else:
            places = child_path(here, key), child_path(there, other)
            yield from _walk(asked[key], recorded[other], *places)


def _members(asked: dict[str, JSON], recorded: dict[str, JSON]) -> _Pairs:
    """The names of both objects' members, in order; None for a member's absence."""
    for name in sorted(asked.keys() | recorded.keys()):
        yield name if name in asked else None, name if name in recorded else None


# Beyond these, items are paired by position: comparing long lists takes the cube of their length.
# 10,000 items are written out and cut at both ends in 30 ms; of 200 by 200 that are left difflib
# makes 14 ms at worst, where all are of a few kinds.
_MOST_ITEMS = 10_000
_MOST_ALIGNED = 200 * 200
# 8 by 8 items compared each with each take 0.25 ms.
_MOST_PAIRED = 8 * 8


def _aligned(asked: list[JSON], recorded: list[JSON]) -> _Pairs:
    """Index pairs of items that are not the same in both lists; None for an item's absence."""
    if len(asked) + len(recorded) > _MOST_ITEMS:
        yield from zip_longest(range(len(asked)), range(len(recorded)))
        return
    ours, theirs = list(map(dump, asked)), list(map(dump, recorded))
    start, end = edges(ours, theirs)
    ours, theirs = ours[start : len(ours) - end], theirs[start : len(theirs) - end]
    for i, i_end, j, j_end in _runs(ours, theirs):
        for key, other in _paired(ours[i:i_end], theirs[j:j_end]):
            yield _plus(key, start + i), _plus(other, start + j)


def _runs(asked: list[bytes], recorded: list[bytes]) -> list[tuple[int, int, int, int]]:
    """Runs of items that are not the same: `asked[i:i_end]` in place of `recorded[j:j_end]`."""
    if len(asked) * len(recorded) > _MOST_ALIGNED:
        return [(0, len(asked), 0, len(recorded))]
    matcher = difflib.SequenceMatcher(None, asked, recorded, autojunk=False)
    return [
        (i, i_end, j, j_end) for tag, i, i_end, j, j_end in matcher.get_opcodes() if tag != "equal"
    ]


def _plus(index: int | None, offset: int) -> int | None:
    """An index moved by an offset; None stays None."""
    return None if index is None else index + offset


def _paired(asked: list[bytes], recorded: list[bytes]) -> _Pairs:
    """Index pairs: which item became which, where a run of items was replaced by another.

    None for one that was added or removed. Both sides stay in order, and the pairs are those
    that have most in common together.
    """
    rows, columns = len(asked), len(recorded)
    if rows * columns in (0, 1) or rows * columns > _MOST_PAIRED:
        yield from zip_longest(range(rows), range(columns))
        return
    best = [[0.0] * (columns + 1) for _ in range(rows + 1)]
    for i in reversed(range(rows)):
        for j in reversed(range(columns)):
            # `best[i][j]` is for what is left from i and j on. One half for being a pair at all:
            # items with nothing in common were changed, too.
            pair = 0.5 + shared_words(asked[i], recorded[j]) + best[i + 1][j + 1]
            best[i][j] = max(pair, best[i + 1][j], best[i][j + 1])
    i = j = 0
    while i < rows or j < columns:
        if i < rows and best[i][j] == best[i + 1][j]:
            yield i, None
            i += 1
        elif j < columns and best[i][j] == best[i][j + 1]:
            yield None, j
            j += 1
        else:
            yield i, j
            i, j = i + 1, j + 1

"""How two texts differ: how much, in which words, and what to show of either.

difflib's time grows with the square of what differs, so the common beginning
and end are cut off first and only a few thousand characters ever reach it.
"""

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from functools import lru_cache
from itertools import accumulate, islice
from typing import Any, NamedTuple
from unicodedata import normalize

import orjson

# Dates, times, numbers, addresses and contractions stay whole; a CJK character is a word.
_CJK = "\u3040-\u9fff"
_TOKEN = re.compile(rf"[{_CJK}]|[^\W{_CJK}]+(?:[-:./'’@][^\W{_CJK}]+)*|\s+|.")
_SPACE = re.compile(r"\s")

# What difflib may cost: some 10 ms at worst.
_COMPARED = 400
_WHOLE = 70
_CONTEXT = 20
_CHANGED = 36
# A longer one is cut at its beginning, which keeps its first changed character in sight.
_WORD = 20
_NAMED = 3
_NAME = 60


def edges(a: Sequence[Any], b: Sequence[Any]) -> tuple[int, int]:
    """Lengths of the common prefix and, of what follows it, the common suffix."""
    start = common_prefix(a, b)
    return start, common_prefix(a[start:][::-1], b[start:][::-1])


def common_prefix(a: Sequence[Any], b: Sequence[Any]) -> int:
    """Its length, by halves: comparing slices is what Python does fast."""
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def shared_words(a: bytes, b: bytes) -> float:
    """0 to 1, fast: common words in any order, or common beginning and end."""
    words, others = _words(a), _words(b)
    count = len(words) + len(others)
    in_words = 2 * len(words & others) / count if count else 0.0
    return max(in_words, sum(edges(a, b)) / max(len(a), len(b), 1))


# One text meets thousands of others.
@lru_cache(maxsize=8)
def _words(text: bytes, most: int = 50_000) -> frozenset[bytes]:
    ends = text if len(text) <= 2 * most else text[:most] + text[-most:]
    return frozenset(ends.split())


def shared_text(a: bytes, b: bytes) -> float:
    """0 to 1, carefully: the part of both texts that is the same, in order."""
    start, end = edges(a, b)
    middles = (text[start : len(text) - end] for text in (a, b))
    ours, theirs = (
        _tokens(middle[: 20 * _COMPARED].decode(errors="replace")) for middle in middles
    )
    blocks = _matcher(ours, theirs).get_matching_blocks()
    same = sum(len("".join(ours[i : i + size]).encode()) for i, _, size in blocks)
    return min(1.0, 2 * (start + end + same) / max(len(a) + len(b), 1))


def _tokens(text: str) -> list[str]:
    return [match[0] for match in islice(_TOKEN.finditer(text), _COMPARED)]


def _matcher(a: list[str], b: list[str]) -> SequenceMatcher[str]:
    # Blanks as junk: they join a match but never make one, and they are what costs time.
    return SequenceMatcher(str.isspace, a, b, autojunk=False)


class Contrast(NamedTuple):
    """What to show of two texts, quoted, and the words that changed from one to the other."""

    old: str
    new: str
    words: str


def contrast(old: str, new: str) -> Contrast:
    """Cut both texts around their first difference: `"…three rivers in…"`, `rivers -> lakes`."""
    changes = _changes(old, new)
    first = changes[0] if changes else _Stretch(0, 0, 0, 0)
    if max(len(old), len(new)) > _WHOLE:
        shown = _around(old, first.start, first.end), _around(new, first.new_start, first.new_end)
    else:
        shown = old, new
    everything = first == (0, len(old), 0, len(new))
    words = "" if everything else _named(changes, old, new)
    if normalize("NFC", shown[0]) == normalize("NFC", shown[1]):
        return Contrast(*(_spelled(text) for text in (*map(quoted, shown), words)))
    return Contrast(quoted(shown[0]), quoted(shown[1]), words)


class _Stretch(NamedTuple):
    start: int
    end: int
    new_start: int
    new_end: int


def _changes(old: str, new: str) -> list[_Stretch]:
    """Runs of words that changed; all beyond the first `_COMPARED` words counts as one."""
    start, end = edges(old, new)
    start -= len(_SPACE.split(old[max(0, start - _WORD) : start])[-1])
    tail = len(old) - end
    end -= len(_SPACE.split(old[tail : min(tail + _WORD, len(old))], maxsplit=1)[0])
    middles = [text[start : len(text) - end] for text in (old, new)]
    ours, theirs = map(_tokens, middles)
    at, new_at = (list(accumulate(map(len, words), initial=start)) for words in (ours, theirs))
    found = [
        _Stretch(at[i], at[i_end], new_at[j], new_at[j_end])
        for tag, i, i_end, j, j_end in _matcher(ours, theirs).get_opcodes()
        if tag != "equal"
    ]
    rest = _Stretch(at[-1], len(old) - end, new_at[-1], len(new) - end)
    if rest.start < rest.end or rest.new_start < rest.new_end:
        # A last change that reaches the cut may come from cutting.
        if found and (found[-1].end == rest.start or found[-1].new_end == rest.new_start):
            last = found.pop()
            rest = rest._replace(start=last.start, new_start=last.new_start)
        found.append(rest)
    return found


def _around(text: str, start: int, end: int) -> str:
    end = min(end, start + _CHANGED)
    left, right = max(0, start - _CONTEXT), min(len(text), end + _CONTEXT)
    if left:
        left = max(left, text.find(" ", left, max(left, start - 1)) + 1)
    if right < len(text):
        right = max(text.rfind(" ", end + 1, right), 0) or right
    return "…" * (left > 0) + text[left:right] + "…" * (right < len(text))


def _named(changes: list[_Stretch], old: str, new: str) -> str:
    runs = [(old[c.start : c.end], new[c.new_start : c.new_end]) for c in changes]
    names = [_name(*run) for run in runs if max(map(len, run)) <= _NAME][:_NAMED]
    if len(runs) > len(names) > 0:
        names.append(f"{len(runs) - len(names)} more")
    return ", ".join(names)


def _name(old: str, new: str) -> str:
    old, new = old.strip() or old, new.strip() or new
    if not old:
        return f"{quoted(new)} added"
    if not new:
        return f"{quoted(old)} removed"
    plain = all(text.isprintable() and not text.isspace() for text in (old, new))
    return f"{old} -> {new}" if plain else f"{quoted(old)} -> {quoted(new)}"


def cut(text: str, most: int = _WHOLE) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def quoted(text: str) -> str:
    return visible(orjson.dumps(text).decode())


def visible(text: str) -> str:
    """`text` with what a terminal would not show, or would obey, as escapes."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _escaped(c) for c in text)


def _spelled(text: str) -> str:
    """`é` as one character and as two look the same."""
    return "".join(c if c.isascii() or c == "…" else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()

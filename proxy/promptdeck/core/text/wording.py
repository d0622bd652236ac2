"""How two texts differ: how much, in which words, and what to show of either.

difflib's time grows with the square of what differs, so the common beginning
and end are cut off first and only a few thousand characters ever reach it.
"""

import re
from collections import Counter
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

# Words and blanks of which difflib compares as many: half a millisecond for prose, 90 for the
# worst that was found, two words in turn.
_COMPARED = 400
# Equal words of both sides, each with each, in what is ranked: difflib looks at every such pair
# again for each match that it finds. 200 words of prose have 400 and take half a millisecond,
# two words in turn 80,000 and 90; twenty are ranked for one miss.
_MOST_PAIRS = 1_000
# In characters. Texts are shown side by side in sentences and below one another on a terminal:
# what is longer than `_WHOLE` is cut to the context before, the change, and the context behind,
# all together as long again, so that one line of 80 holds it and its label.
_WHOLE = 70
_CONTEXT = 20
_CHANGED = 36
# A longer word is cut at its beginning, which keeps its first changed character in sight.
_WORD = 20
# How many changes are named by their words, and how long those may be: more is read in the
# texts or in the diff.
_NAMED = 3
_NAME = 60


def edges(a: Sequence[Any], b: Sequence[Any]) -> tuple[int, int]:
    """Lengths of the common prefix of two sequences and, of what follows it, the common suffix.

    The two never overlap: `start + end` is at most the length of the shorter.
    """
    start = common_prefix(a, b)
    return start, common_prefix(a[start:][::-1], b[start:][::-1])


def common_prefix(a: Sequence[Any], b: Sequence[Any]) -> int:
    """The length of what two sequences begin with in common."""
    # By halves: comparing slices is what Python does fast.
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def shared_words(a: bytes, b: bytes) -> float:
    """How much two texts have in common, 0 to 1, by a fast measure.

    The share of words that both have, in any order, or that of a common beginning and end,
    whichever is more; 1 may be said of texts that differ in the order of their words.
    """
    words, others = _words(a), _words(b)
    count = len(words) + len(others)
    in_words = 2 * len(words & others) / count if count else 0.0
    return max(in_words, sum(edges(a, b)) / max(len(a), len(b), 1))


# One text meets thousands of others, so that the last few are remembered.
@lru_cache(maxsize=8)
def _words(text: bytes, most: int = 50_000) -> frozenset[bytes]:
    """The words of a text; of a long one those in its first and last `most` bytes.

    100 KB take a millisecond, and a miss looks at every recording.
    """
    ends = text if len(text) <= 2 * most else text[:most] + text[-most:]
    return frozenset(ends.split())


def shared_text(a: bytes, b: bytes) -> float:
    """How much two texts have in common, 0 to 1: the part of both that is the same, in order.

    Behind the common beginning and before the common end only the first 400 words are
    compared, so that it may be less than a patient comparison would find.
    """
    start, end = edges(a, b)
    # No more is decoded than has so many words: 20 bytes are a long one and the blank behind it.
    middles = (text[start : len(text) - end] for text in (a, b))
    ours, theirs = (
        _tokens(middle[: 20 * _COMPARED].decode(errors="replace")) for middle in middles
    )
    while _pairs(ours, theirs) > _MOST_PAIRS:
        ours, theirs = ours[: len(ours) // 2], theirs[: len(theirs) // 2]
    blocks = _matcher(ours, theirs).get_matching_blocks()
    same = sum(len("".join(ours[i : i + size]).encode()) for i, _, size in blocks)
    return min(1.0, 2 * (start + end + same) / max(len(a) + len(b), 1))


def _tokens(text: str) -> list[str]:
    """The first words, runs of blanks and signs of a text, `_COMPARED` of them at most."""
    return [match[0] for match in islice(_TOKEN.finditer(text), _COMPARED)]


def _pairs(a: list[str], b: list[str]) -> int:
    """How many pairs of one word of each side are equal; blanks, which match nothing, are none."""
    counts = Counter(word for word in b if not word.isspace())
    return sum(counts[word] for word in a)


def _matcher(a: list[str], b: list[str]) -> SequenceMatcher[str]:
    """difflib's matcher of two lists of tokens."""
    # Blanks as junk: they join a match but never make one, and they are what costs time.
    return SequenceMatcher(str.isspace, a, b, autojunk=False)


class Contrast(NamedTuple):
    """Two texts as they are shown, quoted, and the words that changed from one to the other."""

    old: str
    new: str
    words: str


def contrast(old: str, new: str) -> Contrast:
    """Cut both texts around their first difference: `"…three rivers in…"`, `rivers -> lakes`.

    Where they look the same all the same, as `é` in one character and in two does, letters
    beyond ASCII are spelled as escapes.
    """
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
    """A change: `old[start:end]` became `new[new_start:new_end]`."""

    start: int
    end: int
    new_start: int
    new_end: int


def _changes(old: str, new: str) -> list[_Stretch]:
    """Runs of words that changed; all beyond the first `_COMPARED` words counts as one."""
    start, end = edges(old, new)
    # Back to the beginning of the word in which they part, and on to the end of the last one.
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
    """`text[start:end]` with some of what is around it, cut at blanks, `…` for the rest."""
    end = min(end, start + _CHANGED)
    left, right = max(0, start - _CONTEXT), min(len(text), end + _CONTEXT)
    if left:
        left = max(left, text.find(" ", left, max(left, start - 1)) + 1)
    if right < len(text):
        right = max(text.rfind(" ", end + 1, right), 0) or right
    return "…" * (left > 0) + text[left:right] + "…" * (right < len(text))


def _named(changes: list[_Stretch], old: str, new: str) -> str:
    """The first changes in words, and how many more there are; empty if all are long."""
    runs = [(old[c.start : c.end], new[c.new_start : c.new_end]) for c in changes]
    names = [_name(*run) for run in runs if max(map(len, run)) <= _NAME][:_NAMED]
    if len(runs) > len(names) > 0:
        names.append(f"{len(runs) - len(names)} more")
    return ", ".join(names)


def _name(old: str, new: str) -> str:
    """One change in words: `rivers -> lakes`, `"not" added`, `"very" removed`."""
    old, new = old.strip() or old, new.strip() or new
    if not old:
        return f"{quoted(new)} added"
    if not new:
        return f"{quoted(old)} removed"
    plain = all(text.isprintable() and not text.isspace() for text in (old, new))
    return f"{old} -> {new}" if plain else f"{quoted(old)} -> {quoted(new)}"


def cut(text: str, most: int = _WHOLE) -> str:
    """The text, or its beginning and `…`, in at most `most` characters."""
    return text if len(text) <= most else text[: most - 1] + "…"


def quoted(text: str) -> str:
    """Text as a JSON string, with escapes for what a terminal would not show or would obey."""
    return visible(orjson.dumps(text).decode())


def visible(text: str) -> str:
    """`text` with what a terminal would not show, or would obey, as escapes."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _escaped(c) for c in text)


def _spelled(text: str) -> str:
    """Text with every character beyond ASCII as an escape, but for the `…` where it was cut."""
    return "".join(c if c.isascii() or c == "…" else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    """A character as Python's source has it: `\\xe9`, `\\u200b`."""
    return character.encode("unicode_escape").decode()

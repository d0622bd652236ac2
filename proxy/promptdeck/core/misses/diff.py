"""A unified diff of two requests, for people.

Requests are given by their canonical forms, as to `differences`.
"""

import difflib
import re

import orjson

from promptdeck.core.text.wording import common_prefix, visible

from .differences import FormParts

# What is shown: lines of a diff, as many as a person scrolls through, with two around each change
# (a brace and a key tell where one is); a line is broken at sentences, and cut at twice `_WIDE`.
_MOST_DIFF = 200
_CONTEXT = 2
_WIDE = 160
# What is compared: 3000 lines take difflib 30 ms at worst. A longer line than this is data.
_MOST_COMPARED = 3000
_MOST_BROKEN = 300_000


def unified_diff(asked: bytes, recorded: bytes) -> str:
    """A unified diff of two canonical forms, for people; empty if they are equal.

    `--- recorded`, `+++ asked`: JSON is indented, long texts are broken into their lines and
    sentences. What is left out is counted at its end.
    """
    old, new, unseen = _comparable(_lines(FormParts.read(recorded)), _lines(FormParts.read(asked)))
    old, new, more = _comparable(
        *([p for line in side for p in _broken(line)] for side in (old, new))
    )
    diff = list(difflib.unified_diff(old, new, "recorded", "asked", n=_CONTEXT, lineterm=""))
    lines = [_clipped(line) for line in diff[:_MOST_DIFF]]
    if len(diff) > _MOST_DIFF:
        lines.append(f"… cut: {len(diff) - _MOST_DIFF} more lines of diff")
    if unseen + more:
        lines.append(f"… cut: {unseen + more} more lines were not compared")
    return "\n".join(lines)


def _comparable(old: list[str], new: list[str]) -> tuple[list[str], list[str], int]:
    """Both sides cut to what difflib compares in time, and how many lines were left out.

    What is kept begins shortly before the first difference.
    """
    if max(len(old), len(new)) <= _MOST_COMPARED:
        return old, new, 0
    start = max(0, common_prefix(old, new) - _CONTEXT)
    end = start + _MOST_COMPARED
    return old[start:end], new[start:end], max(0, len(old) - end, len(new) - end)


def _lines(form: FormParts) -> list[str]:
    """A form line by line: its JSON indented, its text, or how many bytes it has."""
    if form.value is not None:
        indented = orjson.dumps(form.value, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2)
        return [form.line, *indented.decode().split("\n")]
    if form.text is None:
        return [form.line, f"{len(form.body)} bytes that are no text"]
    return [form.line, *form.text.split("\n")]


# A line end that JSON writes as \\n, but for one that ends the string.
_NEWLINE = re.compile(r'(?<!\\)((?:\\\\)*)\\n(?!",?$)')
_SENTENCE = re.compile(r"(?<=[.!?]) (?=\S)")


def _broken(line: str) -> list[str]:
    """A line of indented JSON with its string's lines, and long ones' sentences, on their own."""
    if len(line) > _MOST_BROKEN:
        return [line]
    margin = " " * (len(line) - len(line.lstrip()) + 2)
    broken = _NEWLINE.sub(r"\1\\n\n", line)
    if len(line) > _WIDE:
        broken = _SENTENCE.sub(" \n", broken)
    return broken.replace("\n", "\n" + margin).split("\n")


def _clipped(line: str) -> str:
    """A line that a terminal may show: its odd characters escaped, its end cut off and counted."""
    rest = len(line) - 2 * _WIDE
    return visible(line if rest <= 0 else f"{line[: 2 * _WIDE]}… and {rest} more characters")

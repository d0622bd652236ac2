"""JSON text with some members replaced, taken out or added, and every other byte as it was."""

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

import orjson

Trail = tuple[str | int, ...]
"""The way to a value: keys of objects, places in lists."""

_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_SCALAR = re.compile(rb"[^\s,\]}]+")
_SPACE = re.compile(rb"\s*")
# What matters of a value that is passed over.
_SIGNS = re.compile(rb'"(?:[^"\\]|\\.)*+"|[{}\[\]]', re.DOTALL)


class _Swap(NamedTuple):
    """Bytes of the text, and what stands there instead."""

    begin: int
    end: int
    text: bytes


def spliced(
    text: bytes, edits: Mapping[Trail, bytes | None], added: Mapping[str, bytes] | None = None
) -> bytes:
    """JSON text, which must be valid, with other values at some places; None takes one out.

    `added` are members put at the end of the object that the text is. What a place leads to and
    is not there is passed over; of a key that stands there twice both are meant. ValueError may
    come of text that is no JSON.
    """
    splicer = _Splicer(text, edits)
    end = splicer.value((), _after(text, 0))
    spans = sorted(splicer.spans)
    if added:
        last = text.rindex(b"}", 0, end)
        begin = _after(text, text.index(b"{") + 1)
        # What was taken out may have been all that there was.
        comma = b"" if text[begin : begin + 1] == b"}" or splicer.is_emptied else b","
        members = (b"%b:%b" % (orjson.dumps(key), value) for key, value in added.items())
        spans.append(_Swap(last, last, comma + b",".join(members)))
    pieces, at = [], 0
    for span in spans:
        pieces += [text[at : span.begin], span.text]
        at = span.end
    return b"".join([*pieces, text[at:]])


class _Splicer:
    """Goes through a text, along the ways that lead to an edit."""

    def __init__(self, text: bytes, edits: Mapping[Trail, bytes | None]) -> None:
        self.spans: list[_Swap] = []
        self.is_emptied = False
        """True if nothing is left of the outermost value."""
        self._text = text
        self._edits = edits
        self._ways = {place[:n] for place in edits for n in range(len(place) + 1)}

    def value(self, place: Trail, at: int) -> int:
        """The end of the value that begins here."""
        if place not in self._ways:
            return self._passed(at)
        if (new := self._edits.get(place)) is not None:
            end = self._passed(at)
            self.spans.append(_Swap(at, end, new))
            return end
        match self._text[at : at + 1]:
            case b"{":
                return self._members(place, at, self._key, b"}")
            case b"[":
                return self._members(place, at, lambda at, number: (number, at), b"]")
        return self._passed(at)

    def _key(self, at: int, number: int) -> tuple[str, int]:
        """The key that begins here, and where its value does."""
        del number
        found = _STRING.match(self._text, at)
        if found is None:
            raise ValueError("no JSON text")
        key: str = orjson.loads(found[0])
        return key, _after(self._text, _after(self._text, found.end()) + 1)

    def _members(
        self,
        place: Trail,
        at: int,
        named: Callable[[int, int], tuple[str | int, int]],
        closing: bytes,
    ) -> int:
        """The end of an object or a list; those of its members that go are taken out."""
        at = _after(self._text, at + 1)
        kept_end, number, taken = 0, 0, None
        while self._text[at : at + 1] != closing:
            if at >= len(self._text):
                raise ValueError("no JSON text")
            begin = at
            name, at = named(at, number)
            here = (*place, name)
            goes = here in self._edits and self._edits[here] is None
            end = self._passed(at) if goes else self.value(here, at)
            at = _after(self._text, end)
            if goes and kept_end:
                self.spans.append(_Swap(kept_end, end, b""))
                kept_end = end
            elif goes:
                taken = begin if taken is None else taken
            else:
                if taken is not None and not kept_end:
                    self.spans.append(_Swap(taken, begin, b""))
                kept_end = end
            if self._text[at : at + 1] == b",":
                at = _after(self._text, at + 1)
            number += 1
        if taken is not None and not kept_end:
            self.spans.append(_Swap(taken, at, b""))
            self.is_emptied |= not place
        return at + 1

    def _passed(self, at: int) -> int:
        """The end of a value that nothing is looked for in."""
        if self._text[at : at + 1] not in (b"{", b"["):
            found = _STRING.match(self._text, at) or _SCALAR.match(self._text, at)
            return found.end() if found else at
        depth = 0
        for sign in _SIGNS.finditer(self._text, at):
            if sign[0] in (b"{", b"["):
                depth += 1
            elif sign[0] in (b"}", b"]"):
                depth -= 1
                if not depth:
                    return sign.end()
        return len(self._text)


def _after(text: bytes, at: int) -> int:
    """The place behind the white space that begins here."""
    found = _SPACE.match(text, at)
    return found.end() if found else at

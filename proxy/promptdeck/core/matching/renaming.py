"""A request with its volatile texts renamed, by the presets that say where it names them.

A value is learnt where the agent tells it (`Working directory: /home/ann/proj`) and then
renamed wherever the request says it, in tool arguments and results, too: so a path in a
prompt counts by its place, and no other path is touched. Names stand in brackets, ⟨cwd⟩,
that nothing else of a canonical form has: the bracket itself is doubled where a text has it.
"""

import json  # noqa: TID251  a value as it stands in JSON within a text, with escapes and without
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

from promptdeck.core.dialects.base import Dropped
from promptdeck.core.text.jsontext import JSON

from .rules import RulePath, without_path
from .volatile import Preset, Spot, Token

Learnt = Mapping[str, str]
"""What the names of a request stand for in it: `⟨cwd⟩` and `/home/ann/proj`."""

_OPEN = "⟨"
# Letters before a hint in which a value that stands before it is looked for.
_BEFORE = 300

# What a model, or a tool that it called, has said: it teaches nothing of the machine.
_ROLES = frozenset(["assistant", "model", "tool", "function"])
_RESULTS = re.compile(r"(?:_call|_output|tool_result|tool_use|reasoning)\Z").search
_PARTS = frozenset(["functionCall", "functionResponse", "function_call", "function_response"])


class Renamed(NamedTuple):
    """A request's body by its names."""

    value: JSON
    learnt: Learnt


class _Placed(NamedTuple):
    """A string in a copy of the body, which can be replaced there."""

    holder: Any
    key: str | int
    text: str


def by_preset(body: JSON, preset: Preset, dropped: list[Dropped]) -> Renamed:
    """A copy of a body with what the preset names renamed, and what the names stand for.

    The one given is not changed. Two bodies have the same copy if they differ in named texts
    only, and each of these alike throughout. Keys of objects are not renamed. Appends to
    `dropped` the places that the preset leaves out.
    """
    for left in preset.left:
        places: list[str] = []
        body = without_path(body, left.path, "$", places)
        dropped += (Dropped(place, left.about) for place in places)
    names = _Names()
    told: list[_Placed] = []
    results: list[_Placed] = []
    root = [_copied(body, told, results, within=False)]
    if isinstance(body, str):
        told.append(_Placed(root, 0, body))
    ids = _identities(body, preset, names)
    texts = [*told, *results]
    for item in texts:
        if item.text in ids:
            item.holder[item.key] = ids[item.text]
    others = [item for item in texts if item.text not in ids]
    joint = _Joint.of([item.text for item in others], sum(item.text not in ids for item in told))
    for item, text in zip(others, joint.by_names(preset, names), strict=True):
        if text != item.text:
            item.holder[item.key] = text
    return Renamed(root[0], names.learnt)


def _copied(value: JSON, told: list[_Placed], results: list[_Placed], *, within: bool) -> JSON:
    """A copy of a value; appends its strings to `told`, or where they are `within` a result.

    In the order of keys, so that what is numbered by its first appearance has one number
    however an object is written.
    """
    if isinstance(value, dict):
        kind, role = value.get("type"), value.get("role")
        within = (
            within
            or (isinstance(role, str) and role in _ROLES)
            or (isinstance(kind, str) and _RESULTS(kind) is not None)
        )
        copy: dict[str, JSON] = dict(value)
        for key in sorted(value):
            item = value[key]
            if type(item) is str:
                (results if within else told).append(_Placed(copy, key, item))
            elif type(item) in _HOLDERS:
                copy[key] = _copied(item, told, results, within=within or key in _PARTS)
        return copy
    if isinstance(value, list):
        items: list[JSON] = list(value)
        for at, item in enumerate(value):
            if type(item) is str:
                (results if within else told).append(_Placed(items, at, item))
            elif type(item) in _HOLDERS:
                items[at] = _copied(item, told, results, within=within)
        return items
    return value


_HOLDERS = frozenset([dict, list])


class _Names:
    """The names that are given: one for each value of a kind, by first appearance."""

    def __init__(self) -> None:
        self.learnt: dict[str, str] = {}
        self._by_value: dict[tuple[str, str], str] = {}
        self._counts: dict[str, int] = {}

    def of(self, kind: str, value: str, *, numbered: bool = False, kept: bool = True) -> str:
        """The name of a value: `⟨cwd⟩`, the second `⟨cwd-2⟩`; `numbered` from `⟨call-1⟩` on.

        With `kept` it is among those learnt.
        """
        name = self._by_value.get((kind, value))
        if name is None:
            count = self._counts[kind] = self._counts.get(kind, 0) + 1
            name = f"⟨{kind}-{count}⟩" if numbered or count > 1 else f"⟨{kind}⟩"
            self._by_value[kind, value] = name
        if kept:
            self.learnt[name] = value
        return name


# Ids


def _identities(body: JSON, preset: Preset, names: _Names) -> dict[str, str]:
    """The names of all strings at the places of a preset's identities."""
    found: dict[str, str] = {}
    for identity in preset.identities:
        for path in identity.paths:
            for value in _at(body, path):
                if value and value not in found:
                    found[value] = names.of(identity.name, value, numbered=True)
    return found


def _at(value: JSON, path: RulePath) -> Iterator[str]:
    """The strings at a path without `..`, in their order."""
    if not path:
        if isinstance(value, str):
            yield value
        return
    at, rest = path[0].at, path[1:]
    if at is None and isinstance(value, list):
        for item in value:
            yield from _at(item, rest)
    elif isinstance(at, str) and isinstance(value, dict) and at in value:
        yield from _at(value[at], rest)


# Texts


class _Joint(NamedTuple):
    """Many texts as one, to be searched at once."""

    text: str
    between: str
    """What stands before, between and behind the texts."""
    told: int
    """Where what the agent wrote ends, and what tools and the model said begins."""

    @classmethod
    def of(cls, texts: list[str], told: int) -> "_Joint":
        """Join texts, of which the first `told` are the agent's own words."""
        zeros = "\0"
        whole = "".join(texts)
        while zeros in whole:
            zeros += "\0"
        between = f"\n{zeros}\n"
        first = between.join(["", *texts[:told], ""])
        return cls(first + "".join([text + between for text in texts[told:]]), between, len(first))

    def by_names(self, preset: Preset, names: _Names) -> list[str]:
        """Each text with what the preset names renamed."""
        if len(self.text) == len(self.between):
            return []
        cuts = self._cuts(preset, names)
        values = _forms(names, [cut for cut in cuts if cut.spreads])
        parts: list[str] = []
        done = 0
        for cut in cuts:
            # What spreads is renamed with all that says it: a longer value may hold this place.
            if not cut.spreads:
                parts += self.text[done : cut.begin].replace(_OPEN, _OPEN * 2), cut.name
                done = cut.end
        text = "".join([*parts, self.text[done:].replace(_OPEN, _OPEN * 2)])
        for value, name in values:
            text = _with_name(text, value.replace(_OPEN, _OPEN * 2), name)
        for token in preset.tokens:
            text = _numbered(text, token, names)
        return text.split(self.between)[1:-1]

    def _cuts(self, preset: Preset, names: _Names) -> "list[_NamedSpan]":
        """Where the text tells values at the spots of a preset."""
        # A byte for each letter, whatever that is: hints are ASCII.
        lower = self.text.encode("ascii", "replace").lower()
        found = [
            (*match.span(_told_group(match)), spot)
            for spot in preset.spots
            for match in self._matches(spot, lower)
        ]
        # Names by where a value stands first, whichever spot tells it.
        found.sort(key=lambda item: (item[0], -item[1]))
        cuts = []
        done = 0
        for begin, end, spot in found:
            if begin >= done:
                done = end
                value = self.text[begin:end]
                name = names.of(spot.name, value) if spot.spreads else f"⟨{spot.name}⟩"
                cuts.append(_NamedSpan(begin, end, name, spot.spreads and _is_telling(value)))
        return cuts

    def _matches(self, spot: Spot, lower: bytes) -> Iterator[re.Match[str]]:
        """The matches of a spot's pattern at its hints."""
        last = len(self.text) if spot.in_results else self.told
        for hint in spot.hints:
            word = hint.encode()
            at = lower.find(word, 0, last)
            while at >= 0:
                if spot.behind:
                    match = spot.pattern.search(self.text, max(0, at - _BEFORE), at)
                else:
                    match = spot.pattern.match(self.text, at, last)
                if match:
                    yield match
                at = lower.find(word, at + len(word), last)


def _told_group(match: re.Match[str]) -> int:
    """The first group that took part in a match."""
    return next(group for group in range(1, match.re.groups + 1) if match[group] is not None)


class _NamedSpan(NamedTuple):
    begin: int
    end: int
    name: str
    spreads: bool


def _is_telling(value: str) -> bool:
    """True for a value that means the same wherever it stands: not a mere `/`, `~` or word."""
    return len(value) >= 2 and not value.isalpha() and value != "~/"


def _forms(names: _Names, cuts: "Iterable[_NamedSpan]") -> list[tuple[str, str]]:
    """The values that spread, in all forms in which a text may say them, the longest first."""
    forms: dict[str, str] = {}
    for name in dict.fromkeys(cut.name for cut in cuts):
        value = names.learnt[name]
        for form in written_forms(value):
            forms.setdefault(form, name)
        if folder := _folder(value):
            forms.setdefault(folder, names.of(f"{name[1:-1]}:folder", folder))
    return sorted(forms.items(), key=lambda item: (-len(item[0]), item[1]))


def written_forms(value: str) -> list[str]:
    """A value as it stands in a text, in JSON within the text, in JSON within that, in a URL.

    Always as many forms and in this order, some of which may be the same.
    """
    within = json.dumps(value, ensure_ascii=False)[1:-1]
    plain = json.dumps(value)[1:-1]
    deep = json.dumps(plain)[1:-1]
    return [value, within, plain, deep, quote(value, safe="/:")]


def _folder(path: str) -> str:
    """The name that agents give to a folder for what they keep of a path: `-home-ann-proj`."""
    folder = re.sub(r"[^0-9A-Za-z]", "-", path)
    return folder if path[0] in "/\\" and folder.count("-") > 1 else ""


# What may not stand before or behind a value, as it would be part of another, longer one.
NOT_BEFORE, NOT_BEHIND = r"[\w.~-]", r"[\w-]|\.\w"
_before, _behind = re.compile(NOT_BEFORE).match, re.compile(NOT_BEHIND).match


def _with_name(text: str, value: str, name: str) -> str:
    """The text with a name for a value, where that stands by itself or leads a path."""
    at = text.find(value)
    if at < 0:
        return text
    parts: list[str] = []
    done = 0
    while at >= 0:
        end = at + len(value)
        if not (at and _before(text[at - 1])) and not _behind(text, end):
            parts += text[done:at], name
            done = end
        at = text.find(value, end)
    return "".join([*parts, text[done:]])


def _numbered(text: str, token: Token, names: _Names) -> str:
    """The text with a number for each value of a token."""
    parts: list[str] = []
    done = 0
    for hint in token.hint.finditer(text):
        if hint.start() < done:
            continue
        begin = max(done, text.rfind("\n", 0, hint.start()) + 1, hint.start() - _BEFORE)
        match = token.pattern.search(text, begin, hint.end() + _BEFORE)
        if match and match.start() < hint.end():
            parts += text[done : match.start()], names.of(token.name, match[0], numbered=True)
            done = match.end()
    return "".join([*parts, text[done:]]) if parts else text

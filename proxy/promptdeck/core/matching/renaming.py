"""A request with its volatile texts renamed, by the presets that say where it names them.

A value is learnt where the agent tells it (`Working directory: FOLDER`) and then
renamed wherever the request says it, in tool arguments and results, too: so a path in a
prompt counts by its place, and no other path is touched. Names stand in brackets, ⟨cwd⟩,
that nothing else of a canonical form has: the bracket itself is doubled where a text has it.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from promptdeck.core.dialects.base import Dropped
from promptdeck.core.text.jsontext import JSON

from .leaves import Leaves, Placed, body_pieces, copied, target_pieces
from .rules import RulePath, without_path
from .spellings import is_of_windows, written_forms
from .volatile import Preset, Spot, Token

Learnt = Mapping[str, str]
"""What the names of a request stand for in it: `⟨cwd⟩` and the folder that it was."""

_OPEN = "⟨"
# Letters before a hint in which a value that stands before it is looked for.
_BEFORE = 300


class Renamed(NamedTuple):
    """A request by its names."""

    value: JSON | bytes
    target: str
    learnt: Learnt


def by_preset(
    body: JSON | bytes, preset: Preset, dropped: list[Dropped], target: str = ""
) -> Renamed:
    """A copy of a body and its target with what the preset names renamed.

    The body given is not changed: JSON, or the bytes of one that is none. Two requests have the
    same copy if they differ in named texts only, and each of these alike throughout. Keys of
    objects and names of parameters are not renamed. Appends to `dropped` the places that the
    preset leaves out.
    """
    names = _Names()
    found = Leaves([], [])
    aimed = target_pieces(target)
    found.told.extend(aimed.leaves())
    pieces = None
    root: list[Any] = [body]
    if isinstance(body, bytes):
        pieces = body_pieces(body)
        found.told.extend(pieces.leaves() if pieces else ())
        ids: dict[str, str] = {}
    else:
        for left in preset.left:
            places: list[str] = []
            body = without_path(body, left.path, "$", places)
            dropped += (Dropped(place, left.about) for place in places)
        root[0] = copied(body, found)
        if isinstance(body, str):
            found.told.append(Placed(root, 0, body))
        ids = _identities(body, preset, names)
    _rename(found, ids, preset, names)
    if pieces:
        root[0] = pieces.whole().encode("utf-8", "surrogateescape")
    return Renamed(root[0], aimed.whole(), names.learnt)


def _rename(found: Leaves, ids: Mapping[str, str], preset: Preset, names: "_Names") -> None:
    """Put names into the places of texts: those of `ids`, and what the preset else finds there."""
    texts = [*found.told, *found.results]
    for item in texts:
        if item.text in ids:
            item.put(ids[item.text])
    fields = _field_values(found.told, preset, names)
    others = [item for item in texts if item.text not in ids]
    told = sum(item.text not in ids for item in found.told)
    joint = _Joint.of([item.text for item in others], told)
    for item, text in zip(others, joint.by_names(preset, names, fields), strict=True):
        if text != item.text:
            item.put(text)


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


def _field_values(told: Iterable[Placed], preset: Preset, names: "_Names") -> list[str]:
    """The names of what stands under a name that tells what it is: `?session_id=...`."""
    found: dict[str, None] = {}
    for item in told:
        field = preset.fields.get(item.name) if item.name else None
        if field and field.pattern.fullmatch(item.text):
            found[names.of(field.name, item.text)] = None
    return list(found)


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

    def by_names(self, preset: Preset, names: _Names, spreading: Iterable[str]) -> list[str]:
        """Each text with what the preset names renamed, and what `spreading` names stand for."""
        if len(self.text) == len(self.between):
            return []
        cuts = self._cuts(preset, names)
        values = _forms(names, [*spreading, *(cut.name for cut in cuts if cut.spreads)])
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
                match = None
                if spot.behind:
                    if spot.behind.match(self.text, at):
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


def _forms(names: _Names, spreading: Iterable[str]) -> list[tuple[str, str]]:
    """The values that spread, in all forms in which a text may say them, the longest first."""
    forms: dict[str, str] = {}
    for name in dict.fromkeys(spreading):
        value = names.learnt[name]
        for form in written_forms(value):
            forms.setdefault(form, name)
        if folder := _folder(value):
            forms.setdefault(folder, names.of(f"{name[1:-1]}:folder", folder))
    return sorted(forms.items(), key=lambda item: (-len(item[0]), item[1]))


def _folder(path: str) -> str:
    """The name that agents give to a folder for what they keep of a path: `-home-ann-proj`."""
    folder = re.sub(r"[^0-9A-Za-z]", "-", path)
    absolute = path[0] in "/\\" or is_of_windows(path)
    return folder if absolute and folder.count("-") > 1 else ""


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

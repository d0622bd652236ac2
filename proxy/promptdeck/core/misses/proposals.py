"""Which rule would make two requests equal that differ in volatile text only.

A preset where one does, else the least rules of the user's own: a path left out where a
whole value varies, a pattern anchored by its fixed neighbours where a text varies within.
What is proposed has been tried: under it the requests are equal. A request is given by its
canonical form.
"""

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from promptdeck.core.matching.presets import AGENT, PRESETS, merged_presets
from promptdeck.core.matching.renaming import by_preset
from promptdeck.core.matching.rules import Rules
from promptdeck.core.matching.volatile import Preset
from promptdeck.core.text.jsontext import JSON, canonical, render
from promptdeck.core.text.wording import edges

from .differences import Difference, DifferenceKind, FormParts, between


class Pattern(NamedTuple):
    """A rule of `match.replace`."""

    pattern: str
    replacement: str


@dataclass(frozen=True)
class Proposal:
    """Rules that make requests equal, and the texts that they unite."""

    presets: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    replace: tuple[Pattern, ...] = ()
    unites: tuple[tuple[str, str], ...] = ()
    """Texts that differ, each as the first and the second request has it."""

    @property
    def settings(self) -> dict[str, Any]:
        """The section `match` of a configuration, or of a session."""
        replace = [{"pattern": rule.pattern, "with": rule.replacement} for rule in self.replace]
        found = {"preset": [*self.presets], "ignore": [*self.ignore]}
        return {key: value for key, value in {**found, "replace": replace}.items() if value}

    @property
    def rules(self) -> Rules:
        """The rules, to be applied."""
        return Rules.build(**self.settings)

    def __str__(self) -> str:
        """The setting in one line, as it may be put into promptdeck.yaml."""
        return f"match: {render(self.settings, 'spaced')}"


class _Look(NamedTuple):
    """What a volatile text looks like."""

    name: str
    pattern: str


# In this order: the first that fits all values is taken, so that a rule says most of them.
_LOOKS = [
    _Look("uuid", r"(?i:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"),
    _Look(
        "time",
        r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:?\d{2})?",
    ),
    _Look("date", r"\d{4}-\d{2}-\d{2}"),
    _Look("clock", r"\d{1,2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?"),
    _Look("number", r"\d{6,}"),
    _Look("hex", r"(?=[a-f]*\d)[0-9a-f]{7,}"),
    _Look("tmp", r"(?:/private)?(?:/var)?/tmp/[\w.-]{4,}(?:/[\w.-]+)*"),
    _Look("id", r"(?=[\w-]*\d)(?=[\w-]*[A-Za-z])[A-Za-z]{2,12}[_-][\w-]{8,}"),
]
_ANY = [
    _Look("number", r"\d+(?:\.\d+)?"),
    _Look("path", r"(?:~|[A-Za-z]:)?[\\/][^\s\"'`<>()]+"),
    _Look("word", r"[^\s\"'`<>()]+"),
]
"""What may vary where it is known that two requests are of one run."""

# Lists that hold what is said: none of it is left out as a whole.
_SAID = frozenset("messages input contents system instructions prompt systemInstruction".split())
# Letters on each side of a text that varies that a pattern is anchored by.
_ANCHOR = 24
_MOST_CHANGES = 40


def propose(asked: bytes, recorded: bytes, *, one_run: bool = False) -> Proposal | None:
    """The least rules that make two forms equal; None where they differ in more than that.

    The rules by which the forms were made go on to hold. What differs must look volatile: a
    date, an id made at random. With `one_run` the two are known to be the same step of one
    run, and any word or path may vary.
    """
    ours, theirs = FormParts.read(asked), FormParts.read(recorded)
    if _shape(ours) != _shape(theirs):
        return None
    found = _between(ours, theirs)
    unites = tuple(_texts(found))
    # First what all presets together leave: where that is too much, no single one is tried.
    left = [_renamed(side, *PRESETS) for side in (ours, theirs)]
    if _same(*left):
        return Proposal(_least(ours, theirs), unites=unites)
    tries = (_LOOKS, [*_LOOKS, *_ANY]) if one_run else (_LOOKS,)
    if not _own(_between(*left), tries[-1], whole=one_run):
        return None
    for looks in tries:
        own = _own(found, looks, whole=one_run)
        if own and _unites(own, ours, theirs):
            return Proposal((), own.ignore, own.replace, unites)
        name = (_speaking(ours) or [AGENT.name])[0]
        sides = [_renamed(side, name) for side in (ours, theirs)]
        own = _own(_between(*sides), looks, whole=one_run)
        if own and _unites(own, *sides):
            return Proposal((name,), own.ignore, own.replace, unites)
    return None


def _shape(side: FormParts) -> tuple[str, int, bool]:
    """What no rule can make equal: method, depth of the path, and whether the body is JSON."""
    method, _, path = side.endpoint.partition(" ")
    return method, path.count("/"), side.value is None


def _between(ours: FormParts, theirs: FormParts) -> list[Difference]:
    """The differences of two requests, of targets and of bodies that are no JSON as one text."""
    found: list[Difference] = []
    if ours.line != theirs.line:
        targets = (side.line.partition(" ")[2] for side in (ours, theirs))
        found.append(Difference("target", DifferenceKind.CHANGED, *targets))
    if ours.value is not None and theirs.value is not None:
        return found + between(ours._replace(line=""), theirs._replace(line=""))
    if ours.body != theirs.body:
        found.append(Difference("body", DifferenceKind.CHANGED, ours.text, theirs.text))
    return found


def _same(one: FormParts, other: FormParts) -> bool:
    return (one.line, one.body) == (other.line, other.body)


def _least(ours: FormParts, theirs: FormParts) -> tuple[str, ...]:
    """The preset that makes two requests equal: the client's own where it has a say.

    All of them where it takes several.
    """
    for name in [*_speaking(ours), AGENT.name, *PRESETS]:
        if _same(_renamed(ours, name), _renamed(theirs, name)):
            return (name,)
    return tuple(PRESETS)


def _speaking(side: FormParts) -> list[str]:
    """The presets that rename more in a request than `agent` does: those of its client."""
    plain = _renamed(side, AGENT.name)
    others = (name for name in PRESETS if name != AGENT.name)
    return [name for name in others if not _same(_renamed(side, name), plain)]


def _renamed(side: FormParts, *names: str) -> FormParts:
    """A request by presets."""
    return by_rules(side, Rules(preset=_merged(*names)))


def by_rules(side: FormParts, rules: Rules) -> FormParts:
    """A request by further rules than those that it was brought to its form by."""
    method, _, target = side.line.partition(" ")
    body: JSON | bytes = side.body if side.value is None else side.value
    if rules.preset:
        body, target, _ = by_preset(body, rules.preset, [], target)
    body, target, _ = rules.applied(body, target)
    line = f"{method} {target}"
    if isinstance(body, bytes):
        return FormParts(line, body, None)
    return FormParts(line, canonical(body), body)


@cache
def _merged(*names: str) -> Preset:
    """Presets as one, with those that they include."""
    return merged_presets(names)


def _unites(proposal: Proposal, ours: FormParts, theirs: FormParts) -> bool:
    """True if two requests are equal under a proposal."""
    rules = proposal.rules
    return _same(by_rules(ours, rules), by_rules(theirs, rules))


def _texts(found: Sequence[Difference]) -> Iterator[tuple[str, str]]:
    """What differs, as the request and as the recording has it, each pair once."""
    seen = set()
    for item in found:
        ours, theirs = item.asked, item.recorded
        if isinstance(ours, str) and isinstance(theirs, str):
            pairs = [(mine, other) for _, mine, other, _ in _changes(ours, theirs)]
        else:
            pairs = [(_short(item.asked), _short(item.recorded))]
        for pair in pairs:
            if pair not in seen:
                seen.add(pair)
                yield pair


def _short(value: JSON) -> str:
    return "" if value is None else render(value, "spaced")[:200]


def _own(found: Sequence[Difference], looks: Sequence[_Look], *, whole: bool) -> Proposal | None:
    """Rules of the user's own for all differences; None where one of them is not volatile."""
    ignore: dict[str, None] = {}
    replace: dict[Pattern, None] = {}
    for item in found:
        rules = _for_one(item, looks, whole=whole)
        if rules is None:
            return None
        for rule in rules:
            (ignore if isinstance(rule, str) else replace)[rule] = None  # type: ignore[index]
    if not (ignore or replace) or len(replace) > _MOST_CHANGES:
        return None
    return Proposal(ignore=tuple(ignore), replace=tuple(replace))


def _for_one(
    item: Difference, looks: Sequence[_Look], *, whole: bool
) -> list[str | Pattern] | None:
    """Rules for one difference: a path to leave out, or patterns within its text."""
    top = re.match(r"\$\.(\w+)", item.path)
    said = top is None or top[1] in _SAID or top[1] in ("tools", "model")
    ours, theirs = item.asked, item.recorded
    if item.kind is not DifferenceKind.CHANGED or not (
        isinstance(ours, str) and isinstance(theirs, str)
    ):
        return [_path(item.path)] if whole and not said else None
    rules: list[str | Pattern] = []
    words = _IN_TARGET if item.path == "target" else _WORD
    for before, mine, other, behind in _changes(ours, theirs, words):
        kind = next((kind for kind in looks if _is(kind, mine) and _is(kind, other)), None)
        if kind is None:
            return None
        if not before and not behind and not said:
            return [_path(item.path)]
        rules.append(_anchored(before, kind, behind))
    return rules


def _path(path: str) -> str:
    """A path for every item of a list in it."""
    return re.sub(r"\[\d+\]", "[*]", path)


def _is(kind: _Look, text: str) -> bool:
    return re.fullmatch(kind.pattern, text) is not None


def _anchored(before: str, kind: _Look, behind: str) -> Pattern:
    """A pattern for what varies between two texts that do not; one is empty at an end of all."""
    start = before.rpartition("\n")[2][-_ANCHOR:]
    end = behind.partition("\n")[0][:_ANCHOR]
    lead = _escaped(start) or (r"\n" if before else r"\A")
    tail = _escaped(end) or (r"\n" if behind else r"\Z")
    return Pattern(f"({lead}){kind.pattern}(?={tail})", rf"\1<{kind.name}>")


def _escaped(text: str) -> str:
    """A text as a pattern that matches it, as people would write it."""
    return re.sub(r"[\\^$.|?*+()\[\]{}]", r"\\\g<0>", text)


# Letters of which a text that varies is made: up to a blank, a quote or a bracket.
_WORD = re.compile(r"[^\s\"'`<>(){}\[\],;=]+|.", re.DOTALL)


_IN_TARGET = re.compile(r"[^/?&=]+|.", re.DOTALL)


def _changes(
    ours: str, theirs: str, words: re.Pattern[str] = _WORD
) -> Iterator[tuple[str, str, str, str]]:
    """Where two texts differ, word by word: (what is before, ours, theirs, what is behind).

    What is before and behind is the same in both, up to the next place where they differ.
    """
    mine, other = words.findall(ours), words.findall(theirs)
    start, end = edges(mine, other)
    left, right = mine[start : len(mine) - end], other[start : len(other) - end]
    if len(left) * len(right) > 4_000_000:
        yield "", ours, theirs, ""
        return
    matcher = difflib.SequenceMatcher(None, left, right, autojunk=False)
    codes = matcher.get_opcodes()
    for at, (tag, i, i_end, j, j_end) in enumerate(codes):
        if tag == "equal":
            continue
        begin = codes[at - 1][1] + start if at else 0
        until = codes[at + 1][2] + start if at + 1 < len(codes) else len(mine)
        before, behind = "".join(mine[begin : start + i]), "".join(mine[start + i_end : until])
        one, two = "".join(left[i:i_end]), "".join(right[j:j_end])
        # A full stop that both end with is the sentence's.
        while one and two and one[-1] == two[-1] and one[-1] in ".,:;":
            behind, one, two = one[-1] + behind, one[:-1], two[:-1]
        yield before, one, two, behind

"""The least rules under which several recordings of one run are the same, learnt from them.

Runs are aligned step by step; of each pair `propose` says what varies. What is learnt is
tried on the whole: every pair must be equal under it, and no two different recordings of
one run may become equal. A recording is given by its id and canonical form.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, zip_longest
from typing import NamedTuple

from promptdeck.core.matching.renaming import by_preset
from promptdeck.core.matching.rules import Rules, without_path
from promptdeck.core.text.jsontext import JSON, strings

from .differences import FormParts, between
from .given import by_given
from .proposals import Proposal, by_rules, propose


class Taken(NamedTuple):
    """One recording of a run."""

    id: str
    form: bytes
    given: tuple[str, ...] = ()
    """The ids in its answer."""


class Varying(NamedTuple):
    """A rule that was learnt, and the texts that it unites."""

    rule: str
    """As it stands in `match`: `preset: claude-code`."""
    texts: tuple[str, ...]
    """Each that stood in one of the runs, in their order."""


@dataclass(frozen=True)
class Stabilised:
    """What was learnt of several runs."""

    proposal: Proposal
    varying: tuple[Varying, ...]
    pairs: int
    """How many pairs of recordings are the same step of two runs."""
    apart: tuple[str, ...] = ()
    """What no rule unites, in words: steps that differ in more than volatile text."""
    clashes: tuple[tuple[str, str], ...] = ()
    """Different recordings of one run that the rules would make equal: they must not be used."""


def under(form: bytes, rules: Rules) -> bytes:
    """A canonical form by further rules."""
    found = by_rules(FormParts.read(form), rules)
    return found.line.encode("utf-8", "surrogatepass") + b"\n" + found.body


def stabilise(runs: Sequence[Sequence[Taken]]) -> Stabilised:
    """Learn the rules under which all runs are the same; each is in the order of its steps."""
    runs = [_by_given(run) for run in runs]
    pairs = [pair for one, other in combinations(runs, 2) for pair in _aligned(one, other)]
    whole = [(one, other) for one, other in pairs if one and other]
    apart = [
        f"{item.id} has no counterpart" for pair in pairs for item in pair if item and None in pair
    ]
    learnt = Proposal()
    for one, other in whole:
        rules = learnt.rules
        ours, theirs = under(one.form, rules), under(other.form, rules)
        if ours == theirs:
            continue
        # As it was recorded, first: a preset reads what is not renamed yet.
        more = propose(one.form, other.form, one_run=True) or propose(ours, theirs, one_run=True)
        if more is None:
            first = next(iter(between(FormParts.read(ours), FormParts.read(theirs))), None)
            apart.append(f"{one.id} and {other.id} differ at {first or 'the endpoint'}")
            continue
        learnt = _joined(learnt, more)
    rules = learnt.rules
    clashes = [clash for run in runs for clash in united(run, rules)]
    forms = [pair for pair in whole if pair[0].form != pair[1].form]
    return Stabilised(
        learnt, tuple(_varying(learnt, forms)), len(whole), tuple(apart), tuple(clashes)
    )


def _by_given(run: Sequence[Taken]) -> list[Taken]:
    """A run with numbers for the ids that its own answers gave."""
    forms = by_given((item.form, item.given) for item in run)
    return [item._replace(form=form) for item, form in zip(run, forms, strict=True)]


def united(recorded: Sequence[Taken], rules: Rules) -> Iterator[tuple[str, str]]:
    """The ids of different recordings that rules make equal, each with the first of its kind."""
    first: dict[bytes, Taken] = {}
    for item in recorded:
        before = first.setdefault(under(item.form, rules), item)
        if before.form != item.form:
            yield before.id, item.id


def _aligned(
    one: Sequence[Taken], other: Sequence[Taken]
) -> Iterator[tuple[Taken | None, Taken | None]]:
    """The same steps of two runs: of one endpoint and as long a conversation, in their order."""
    kinds: dict[tuple[str, int], tuple[list[Taken], list[Taken]]] = {}
    for side, run in enumerate((one, other)):
        for item in run:
            parts = FormParts.read(item.form)
            kinds.setdefault((parts.endpoint, _turns(parts.value)), ([], []))[side].append(item)
    for ours, theirs in kinds.values():
        yield from zip_longest(ours, theirs)


def _turns(body: JSON) -> int:
    """How much was said before a request."""
    if isinstance(body, dict):
        for name in ("messages", "input", "contents"):
            if isinstance(said := body.get(name), list):
                return len(said)
    return 0


def _joined(one: Proposal, other: Proposal) -> Proposal:
    """Two proposals as one. A client's own preset includes the one for any agent."""
    names = [name for name in (*one.presets, *other.presets) if name]
    own = [name for name in names if name != "agent"]
    return Proposal(
        tuple(dict.fromkeys(own or names)),
        tuple(dict.fromkeys((*one.ignore, *other.ignore))),
        tuple(dict.fromkeys((*one.replace, *other.replace))),
    )


def _varying(learnt: Proposal, pairs: Sequence[tuple[Taken, Taken]]) -> Iterator[Varying]:
    """Each rule that was learnt, with the texts of the runs that it unites."""
    sides = [FormParts.read(item.form) for pair in pairs for item in pair]
    bodies = [side.body if side.value is None else side.value for side in sides]
    for name in learnt.presets:
        preset = Rules.build(preset=[name]).preset
        found = [
            by_preset(body, preset, [], side.line).learnt
            for body, side in zip(bodies, sides, strict=True)
            if preset
        ]
        names = dict.fromkeys(name for each in found for name in each if ":" not in name)
        texts = [f"{key} {' | '.join(_each(one.get(key, '') for one in found))}" for key in names]
        yield Varying(f"preset: {name}", tuple(texts))
    for path in learnt.ignore:
        places: list[str] = []
        [step] = Rules.build(ignore=[path]).ignore
        for body in bodies:
            if not isinstance(body, bytes):
                without_path(body, step, "$", places)
        yield Varying(f"ignore: {path}", tuple(_each(places)))
    for rule in learnt.replace:
        search = re.compile(rule.pattern).finditer
        texts = [match[0] for side in sides for text in _said(side) for match in search(text)]
        yield Varying(f"replace: {rule.pattern}", tuple(_each(texts)))


def _said(side: FormParts) -> Iterator[str]:
    """The texts of a request to which rules apply."""
    yield side.line.partition(" ")[2]
    if side.value is not None:
        yield from strings(side.value)
    elif side.text is not None:
        yield side.text


def _each(texts: "Iterator[str] | Sequence[str]") -> list[str]:
    """Texts, each once."""
    return list(dict.fromkeys(text for text in texts if text))

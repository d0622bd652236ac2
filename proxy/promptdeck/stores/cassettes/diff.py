"""How two cassettes differ: recordings that one of them lacks, answers that are not the same."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from difflib import unified_diff
from itertools import zip_longest
from typing import NamedTuple

from promptdeck.core.dialects.table import says
from promptdeck.core.interaction import Interaction, Request, Variant
from promptdeck.core.matching.normalize import Normalized
from promptdeck.core.matching.renaming import Learnt
from promptdeck.core.matching.retelling import retold
from promptdeck.core.misses.given import by_given, ids_given


class Answers(NamedTuple):
    """Two recordings of one request that do not say the same."""

    ours: Interaction
    theirs: Interaction
    diff: str
    """A unified diff of what they say."""


class Comparison(NamedTuple):
    """All recordings of two cassettes, each told of once."""

    only_ours: list[Interaction]
    only_theirs: list[Interaction]
    differing: list[Answers]
    same: int
    """The number of pairs that say the same."""

    @property
    def differs(self) -> bool:
        """True if any recording is missing on one side or says something else."""
        return bool(self.only_ours or self.only_theirs or self.differing)


def compare(
    ours: Iterable[Interaction],
    theirs: Iterable[Interaction],
    form: Callable[[Request], Normalized],
) -> Comparison:
    """Compare two cassettes: recordings of one request and variant pair by pair, in their order.

    `form` brings requests to the form by which they are one or two. Ids and times do not count,
    so that a cassette is the same as its rerecording; nor do ids that its answers give and the
    run goes on to say; nor does what the form has names for, in
    answers either: each of `theirs` is read as it would be played to who asks what `ours` did.
    """
    left, right = _by_request(ours, form), _by_request(theirs, form)
    found = Comparison([], [], [], 0)
    same = 0
    for key in {**left, **right}:
        for one, other in zip_longest(left.get(key, ()), right.get(key, ())):
            if other is None:
                found.only_ours.append(one.item)
            elif one is None:
                found.only_theirs.append(other.item)
            elif diff := _diff(one.item, _as_played(other, one)):
                found.differing.append(Answers(one.item, other.item, diff))
            else:
                same += 1
    return found._replace(same=same)


class _Formed(NamedTuple):
    item: Interaction
    learnt: Learnt
    """What the names in its request's form stand for."""


def _by_request(
    items: Iterable[Interaction], form: Callable[[Request], Normalized]
) -> dict[tuple[bytes, Variant], list[_Formed]]:
    """Interactions by what they answer, in their order."""
    run = sorted(items, key=lambda item: item.recorded_at)
    formed = [form(item.request) for item in run]
    said = ((one.canonical, ids_given(item)) for one, item in zip(formed, run, strict=True))
    found: dict[tuple[bytes, Variant], list[_Formed]] = defaultdict(list)
    for item, one, canonical in zip(run, formed, by_given(said), strict=True):
        found[canonical, item.variant].append(_Formed(item, one.learnt))
    return found


def _as_played(one: _Formed, asked: _Formed) -> Interaction:
    """A recording with its answer by the names of another run, as that would get it."""
    if one.learnt == asked.learnt:
        return one.item
    response, _ = retold(one.item.response, one.learnt, asked.learnt)
    return one.item._replace(response=response)


def _diff(ours: Interaction, theirs: Interaction) -> str:
    """A unified diff of what is said; the empty string if it is the same."""
    old, new = _told(ours), _told(theirs)
    return "\n".join(unified_diff(old, new, "a", "b", n=2, lineterm=""))


def _told(item: Interaction) -> list[str]:
    """A response as lines that a reader would compare: status, and text or else the body."""
    text = says(item) or item.response.body.decode(errors="backslashreplace")
    return [f"status {item.response.status}", *text.split("\n")]

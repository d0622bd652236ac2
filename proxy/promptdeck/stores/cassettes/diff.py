"""How two cassettes differ: recordings that one of them lacks, answers that are not the same."""

from collections import defaultdict
from collections.abc import Iterable
from difflib import unified_diff
from itertools import zip_longest
from typing import NamedTuple

from promptdeck.core.dialects.table import says
from promptdeck.core.interaction import Interaction, Variant


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


def compare(ours: Iterable[Interaction], theirs: Iterable[Interaction]) -> Comparison:
    """Compare two cassettes: recordings of one request and variant pair by pair, in their order.

    Ids and times do not count, so that a cassette is the same as its rerecording.
    """
    left, right = _by_request(ours), _by_request(theirs)
    found = Comparison([], [], [], 0)
    same = 0
    for key in {**left, **right}:
        for one, other in zip_longest(left.get(key, ()), right.get(key, ())):
            if other is None:
                found.only_ours.append(one)
            elif one is None:
                found.only_theirs.append(other)
            elif diff := _diff(one, other):
                found.differing.append(Answers(one, other, diff))
            else:
                same += 1
    return found._replace(same=same)


def _by_request(items: Iterable[Interaction]) -> dict[tuple[str, Variant], list[Interaction]]:
    """Interactions by what they answer, in their order."""
    found: dict[tuple[str, Variant], list[Interaction]] = defaultdict(list)
    for item in items:
        found[item.key, item.variant].append(item)
    return found


def _diff(ours: Interaction, theirs: Interaction) -> str:
    """A unified diff of what is said; the empty string if it is the same."""
    old, new = _told(ours), _told(theirs)
    return "\n".join(unified_diff(old, new, "a", "b", n=2, lineterm=""))


def _told(item: Interaction) -> list[str]:
    """A response as lines that a reader would compare: status, and text or else the body."""
    text = says(item) or item.response.body.decode(errors="backslashreplace")
    return [f"status {item.response.status}", *text.split("\n")]

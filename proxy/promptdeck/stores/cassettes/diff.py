"""How two cassettes differ: recordings that one of them lacks, answers that are not the same."""

from collections import defaultdict
from collections.abc import Iterable
from difflib import unified_diff
from itertools import zip_longest
from typing import NamedTuple

from promptdeck.core.dialects.chat.saying import says
from promptdeck.core.interaction import Interaction, Response, Variant


class Answers(NamedTuple):
    """Two recordings of one request that do not say the same."""

    ours: Interaction
    theirs: Interaction
    diff: str


class Comparison(NamedTuple):
    only_ours: list[Interaction]
    only_theirs: list[Interaction]
    differing: list[Answers]
    same: int

    @property
    def differs(self) -> bool:
        return bool(self.only_ours or self.only_theirs or self.differing)


def compare(ours: Iterable[Interaction], theirs: Iterable[Interaction]) -> Comparison:
    """Recordings of one request and variant are compared one by one, in their order."""
    left, right = _by_request(ours), _by_request(theirs)
    found = Comparison([], [], [], 0)
    same = 0
    for key in {**left, **right}:
        for one, other in zip_longest(left.get(key, ()), right.get(key, ())):
            if other is None:
                found.only_ours.append(one)
            elif one is None:
                found.only_theirs.append(other)
            elif diff := _diff(one.response, other.response):
                found.differing.append(Answers(one, other, diff))
            else:
                same += 1
    return found._replace(same=same)


def _by_request(items: Iterable[Interaction]) -> dict[tuple[str, Variant], list[Interaction]]:
    found: dict[tuple[str, Variant], list[Interaction]] = defaultdict(list)
    for item in items:
        found[item.key, item.variant].append(item)
    return found


def _diff(ours: Response, theirs: Response) -> str:
    """A unified diff of what is said; the empty string if it is the same."""
    old, new = _told(ours), _told(theirs)
    return "\n".join(unified_diff(old, new, "a", "b", n=2, lineterm=""))


def _told(response: Response) -> list[str]:
    """What a reader would compare: the status, and what was said or else the body."""
    text = says(response) or response.body.decode(errors="backslashreplace")
    return [f"status {response.status}", *text.split("\n")]

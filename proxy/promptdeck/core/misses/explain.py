"""Why a request missed: for a person in three seconds, and for a program.

`nearest` ranks what is recorded by likeness to what was asked. An `Explanation`
compares with the best of them and says it in a sentence, as JSON, or as text for
a terminal. Requests are given by their canonical forms.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from heapq import nlargest
from statistics import fmean
from typing import Any, NamedTuple

from promptdeck.core.text.jsontext import JSON
from promptdeck.core.text.wording import cut, shared_text, shared_words, visible

from .departure import Departure, departure
from .diff import unified_diff
from .differences import ENDPOINT, MOST_PLACES, Difference, FormParts, between, dump
from .proposals import Proposal, propose
from .sketch import CONVERSATION, CONVERSATION_SHARE, OTHER_QUERY


class Near(NamedTuple):
    """A recording that is like what was asked."""

    id: str
    similarity: float
    """0 to 1; 1 exactly if the canonical forms are equal."""
    canonical: bytes
    asked: bytes
    """The request by the rules that this form was made by."""


ByRules = tuple[bytes, Iterable[tuple[str, bytes]]]
"""A request's form by some rules; id and form of all that is recorded under these."""


# Recordings that are compared with care, in 0.6 ms each where the rough measure takes 0.03: many
# more than are shown, as that measure takes requests of one template for equally near.
_SHORTLIST = 20

# Of another endpoint a recording is named only where there is no other, and then as hardly alike;
# that of the endpoint whose name is most alike comes first.
_OTHER_ENDPOINT = 0.1
# What is not equal is never wholly alike, whatever a measure says: 1 is for the same request.
_NEARLY = 0.999
# Longer lists are measured as text: to count items each must be written out.
_MOST_ITEMS = 2000

_Measure = Callable[[bytes, bytes], float]
"""How much two texts have in common, 0 to 1: `shared_words` or `shared_text`."""


def nearest(asked: bytes, recorded: Iterable[tuple[str, bytes]], limit: int = 3) -> list[Near]:
    """The recordings most like the form `asked`, best first, at most `limit` of them.

    `recorded` are pairs of id and canonical form. Those of other endpoints are among them only
    if there is none of the same.
    """
    return nearest_of([(asked, recorded)], limit)


def nearest_of(searched: Iterable[ByRules], limit: int = 3) -> list[Near]:
    """Do as `nearest` does, where the request has a form for each of several sets of rules."""
    forms: dict[bytes, FormParts] = {}
    rough = []
    for asked, recorded in searched:
        form = forms[asked] = FormParts.read(asked)
        rated = (
            _ranked(form, Near(name, 0, other, asked), shared_words) for name, other in recorded
        )
        rough += nlargest(max(limit, _SHORTLIST), rated, key=_rank)
    shortlist = nlargest(max(limit, _SHORTLIST), rough, key=_rank)
    fine = [_ranked(forms[near.asked], near, shared_text) for _, near in shortlist]
    fine.sort(key=_rank, reverse=True)
    return [near for same_endpoint, near in fine if same_endpoint == fine[0][0]][:limit]


def _rank(item: tuple[bool, Near]) -> tuple[bool, float]:
    """A sort key for what `_ranked` gives: the same endpoint before any likeness."""
    return item[0], item[1].similarity


def _ranked(form: FormParts, near: Near, measure: _Measure) -> tuple[bool, Near]:
    """A recording rated: (same endpoint, the recording with its similarity, 0 to 1).

    `form` are the parts of what is asked.
    """
    if near.canonical == near.asked:
        return True, near._replace(similarity=1.0)
    other = FormParts.read(near.canonical)
    similarity = min(_similarity(form, other, measure), _NEARLY)
    if form.query != other.query:
        similarity *= OTHER_QUERY
    if form.endpoint != other.endpoint:
        similarity *= _OTHER_ENDPOINT * shared_words(
            form.endpoint.encode(), other.endpoint.encode()
        )
    return form.endpoint == other.endpoint, near._replace(similarity=similarity)


def _similarity(asked: FormParts, other: FormParts, measure: _Measure) -> float:
    """How alike two bodies are, 0 to 1: field by field, what was said and the rest weighed."""
    ours, theirs = asked.value, other.value
    if ours is None or theirs is None:
        return measure(asked.body, other.body)
    if not (isinstance(ours, dict) and isinstance(theirs, dict)):
        return _likeness(ours, theirs, measure)
    keys = ours.keys() | theirs.keys()
    parts = {key: _likeness(ours.get(key), theirs.get(key), measure) for key in keys}
    said = [parts.pop(key) for key in CONVERSATION if key in parts]
    rest = fmean(parts.values()) if parts else 1.0
    return rest + CONVERSATION_SHARE * (fmean(said) - rest) if said else rest


def _likeness(ours: JSON, theirs: JSON, measure: _Measure) -> float:
    """How alike two values are, 0 to 1.

    Lists by the items they share and the text of the others; anything else by its text.
    """
    if ours == theirs:
        return 1.0
    if ours is None or theirs is None:
        return 0.0
    if not (isinstance(ours, list) and isinstance(theirs, list)):
        return measure(dump(ours), dump(theirs))
    if max(len(ours), len(theirs)) > _MOST_ITEMS:
        return measure(dump(ours), dump(theirs))
    left, right = Counter(map(dump, ours)), Counter(map(dump, theirs))
    shared = (left & right).total()
    changed = min(len(ours), len(theirs)) - shared
    if changed:
        rest = (b" ".join(extra.elements()) for extra in (left - right, right - left))
        return (shared + changed * measure(*rest)) / max(len(ours), len(theirs))
    return shared / max(len(ours), len(theirs))


class Reason(StrEnum):
    """Why there is no answer for a request; the words are part of error bodies."""

    NOT_RECORDED = "not_recorded"
    CONSUMED = "consumed"
    """Each of its recordings has been played."""
    CASSETTE_MISSING = "cassette_missing"
    EXPIRED = "expired"
    OTHER_REPRESENTATION = "other_representation"
    """It was recorded with other values of the headers that its answer's `vary` names."""
    OTHER_IDS = "other_ids"
    """It has no body, and each recorded id in its path stands for another one of this run."""


_MEND = {
    Reason.NOT_RECORDED: "Record it with --mode record-missing",
    Reason.CONSUMED: "Record it once more with --mode record-missing, or ask it less often",
    Reason.CASSETTE_MISSING: "Record it with --mode record-missing",
    Reason.EXPIRED: "Record it again with --mode record",
    Reason.OTHER_REPRESENTATION: "Record it with --mode record-missing, or send what was sent then",
    Reason.OTHER_IDS: "Record it with --mode record-missing",
}

# Differences in an error body, and on a terminal, where the diff follows: enough to see which
# kind of change it is.
_MOST_DETAILS = 20
# Requests that differ in more places than these are two. Claude Code's of two machines differ in
# 9, codex's in 20.
_MOST_VOLATILE = 200
_MOST_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Explanation:
    """A miss, and all that is known of why: to be told as a sentence, as JSON or as text."""

    reason: Reason
    nearest: tuple[Near, ...] = ()
    """The recordings most like the request, best first."""
    differences: tuple[Difference, ...] = ()
    """Those to the first of `nearest`, `MOST_PLACES` at most."""
    diff: str = ""
    """The unified diff to the first of `nearest`, if that is of the same endpoint."""
    cassette: str = ""
    """The name of the cassette that was looked into, if it was one."""
    recorded: int = 0
    """How often this very request is recorded."""
    played: int = 0
    """How often it was answered from those recordings."""
    proposal: Proposal | None = None
    """Rules under which the first of `nearest` would match, if only volatile text differs."""
    departure: Departure | None = None
    """Where its run departs from a recorded one, if the turn before is recorded."""

    def message(self) -> str:
        """Two sentences in one line: what is wrong, and the mend."""
        return visible(f"{self._what()}{self._compared()}. {self._mend()}.")

    def details(self) -> dict[str, Any]:
        """The explanation as JSON, for a program: part of the body of an error."""
        found: dict[str, Any] = {"reason": self.reason.value}
        if self.cassette:
            found["cassette"] = self.cassette
        if self.reason is Reason.CONSUMED:
            found |= {"recorded": self.recorded, "played": self.played}
        return found | {
            "nearest": [{"id": n.id, "similarity": round(n.similarity, 3)} for n in self.nearest],
            "first_difference": str(self.differences[0]) if self.differences else None,
            "differences": [item.details() for item in self.differences[:_MOST_DETAILS]],
            "places": len(self.differences),
            "proposal": {"match": self.proposal.settings} if self.proposal else None,
            "departure": self.departure.details() if self.departure else None,
            "diff": self.diff,
        }

    def text(self) -> str:
        """The explanation in several lines, for a log or a terminal, with the diff."""
        lines = [f"{self._what()}{'' if self.differences else self._compared()}."]
        if self.nearest:
            ranked = (f"{near.id} ({int(near.similarity * 100)}% alike)" for near in self.nearest)
            lines.append(f"Nearest: {', '.join(ranked)}")
        for item in self.differences[:_MOST_SHOWN]:
            words = item.shown().words
            lines.append(f"  {cut(item.path, 120)}" + (f"  ({words})" if words else ""))
            lines += (f"    {side}" for side in item.sides(len("recorded")))
        if more := self._more_than(_MOST_SHOWN):
            lines.append(f"  and {more}")
        if self.departure:
            lines += self.departure.lines()
        return "\n".join([*map(visible, lines), *filter(None, [self.diff]), f"{self._mend()}."])

    def _what(self) -> str:
        """A sentence, without its full stop, that says what is wrong."""
        match self.reason:
            case Reason.NOT_RECORDED:
                return "No recording matches this request"
            case Reason.CONSUMED:
                recorded, played = _times(self.recorded), _times(self.played)
                return f"This request was recorded {recorded} and has been played {played}"
            case Reason.CASSETTE_MISSING:
                return f"There is no cassette {self.cassette}".rstrip()
            case Reason.EXPIRED:
                same = [near.id for near in self.nearest if near.similarity == 1]
                return f"The recording of this request{f', {same[0]},' if same else ''} has expired"
            case Reason.OTHER_REPRESENTATION:
                return (
                    "This request was recorded with other values of the headers that its answer's"
                    " vary names"
                )
            case Reason.OTHER_IDS:
                return (
                    "This request is recorded of other ids, each of which stands for one that was"
                    " asked for before"
                )

    def _compared(self) -> str:
        """How that sentence goes on: the nearest recording, and the first difference."""
        if self.reason is not Reason.NOT_RECORDED:
            return ""
        if not self.nearest:
            return ": there are no recordings" + f" in {self.cassette}" * bool(self.cassette)
        name = self.nearest[0].id
        if not self.differences:
            return f": {name} is of the same request, in another form perhaps (streamed or whole)"
        first = self.differences[0]
        if first.path == ENDPOINT:
            return f": {name}, the nearest, is of {first.shown().old}, not {first.shown().new}"
        more = self._more_than(1)
        return f"; the nearest, {name}, differs at {first}" + (f", and in {more}" if more else "")

    def _more_than(self, count: int) -> str:
        """How many differences there are beyond `count`, in words; empty if none."""
        count = len(self.differences) - count
        if count <= 0:
            return ""
        or_more = "+" if len(self.differences) >= MOST_PLACES else ""
        return f"{count}{or_more} more {'place' if count == 1 else 'places'}"

    def _mend(self) -> str:
        """A sentence, without its full stop, that says what to do about it."""
        if self.proposal:
            # The setting first: what differs is volatile, and would differ again.
            return f"Only volatile text differs: set {self.proposal}, or r{_MEND[self.reason][1:]}"
        undo = self.reason is Reason.NOT_RECORDED and self.differences
        return _MEND[self.reason] + (", or undo the change" if undo else "")


def _times(count: int) -> str:
    """A count in words: `once`, `twice`, `3 times`."""
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def explain(
    asked: bytes,
    recorded: Iterable[tuple[str, bytes]],
    reason: Reason = Reason.NOT_RECORDED,
    *,
    others: Iterable[ByRules] = (),
    written: Callable[[str], str] = str,
    cassette: str = "",
    times_recorded: int = 0,
    times_played: int = 0,
) -> Explanation:
    """Explain the miss of a request by what is recorded.

    `asked` is its canonical form, `recorded` are pairs of id and canonical form of all that it
    could have been answered with: each is looked at, so call it where 0.03 ms for each do no
    harm. `others` are the same by further rules, those of cassettes: with each recording the
    request is compared by its own. `written` gives a place as the client's own body has it.
    `cassette` is a name to be told, the counts are for
    Reason.CONSUMED.
    """
    searched: defaultdict[bytes, list[tuple[str, bytes]]] = defaultdict(list)
    for form, some in [(asked, recorded), *others]:
        searched[form] += some  # rules that find nothing in a request leave it the same form
    near = tuple(nearest_of(searched.items()))
    found: list[Difference] = []
    diff = ""
    if near:
        asked = near[0].asked
        ours, theirs = FormParts.read(asked), FormParts.read(near[0].canonical)
        found = between(ours, theirs)
        # Of another endpoint's body there is nothing to learn.
        if ours.endpoint == theirs.endpoint:
            diff = unified_diff(asked, near[0].canonical)
    proposal = left = None
    if reason is Reason.NOT_RECORDED and found:
        proposal = propose(asked, near[0].canonical) if len(found) <= _MOST_VOLATILE else None
        left = departure(asked, searched[asked]) if diff else None
    return Explanation(
        reason,
        near,
        tuple([replace(item, path=written(item.path)) for item in found]),
        diff,
        cassette,
        times_recorded,
        times_played,
        proposal,
        left,
    )

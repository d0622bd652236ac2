"""Recordings examined: for each turn which earlier one it goes on from, and what it kept of that.

The predecessor is the recording of the same upstream and dialect with which a turn shares the
longest beginning; of several that one whose turns come again in it, then the last. A turn that
repeats none of its turns begins a conversation of its own: it is held to tools and system alone,
and to nothing where those are others. Where two part in what was asked last, nothing broke.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

from promptdeck.core.dialects.streamed import Streamed
from promptdeck.core.dialects.table import TRANSLATED, answered_in, dialect_in
from promptdeck.core.dialects.translate.aim import Aim, Untranslatable
from promptdeck.core.dialects.translate.neutral import Prompt, Usage
from promptdeck.core.dialects.translate.translation import prompt_of, usage_in
from promptdeck.core.headers import served_in
from promptdeck.core.interaction import Interaction, is_good
from promptdeck.core.text.wording import contrast, cut, quoted, shared_words

from .blocks import KeptPrefix, PromptBlock, blocks_of, kept_of, size_of
from .causes import BY_RULE, Cause, cause_of
from .laws import CacheLaw, Reusable, ideal, law_of, reusable

_PER_TOKEN = 4.0
"""Characters of a token where a recording tells of no usage."""
_ALIKE = 0.5
"""How much of their words tools and system of two conversations share at least, if one is to be
held to the other."""
_MOST = 100
"""Recordings with an equally long beginning that are looked at for their turns, the last ones."""
_SOME = 0.5
"""Less of what could be reused than that is told of as the provider's doing."""


class Break(NamedTuple):
    """Where and why a prompt could not be reused any further."""

    path: str
    """The place in the request: `$.messages[3]`; empty where the prompt itself is unbroken."""
    part: int
    """Which part of that place, from 1; 0 where it has one only."""
    offset: int
    """Characters of the part that are still the same."""
    old: str
    """A short excerpt of what stood there, quoted."""
    new: str
    """The same of what stands there now."""
    cause: Cause


class Diagnosis(NamedTuple):
    """What one turn kept of its predecessor, in tokens."""

    id: str
    """The recording's own."""
    model: str
    after: str
    """The predecessor's id; empty for the first of its kind."""
    follows: bool
    """True where it goes on with the predecessor's conversation."""
    prompt: int
    """Tokens of the prompt: as the answer says, else estimated."""
    measured: bool
    """Whether the answer said so."""
    kept: float | None
    """The share of the predecessor's prompt that it kept, 0 to 1: of one conversation's the whole,
    of another's tools and system. None where nothing was to be kept."""
    could: int
    """Tokens that the provider could have reused, estimated."""
    reused: int | None
    """Tokens that it says it reused; None where it says nothing."""
    written: int | None
    """Tokens that it says it put into its cache."""
    lost: int
    """Tokens that it could have reused besides, but for the break."""
    problem: Break | None


class Unread(NamedTuple):
    """A recording that could not be examined."""

    id: str
    why: str


class Examination(NamedTuple):
    """What was found out about some recordings."""

    turns: tuple[Diagnosis, ...]
    """In the order in which they were recorded."""
    unread: tuple[Unread, ...]

    def below(self, least: float | None) -> list[Diagnosis]:
        """The turns that kept less than a share of the prompt before them; none by no share."""
        kept = [(turn, turn.kept) for turn in self.turns if turn.kept is not None]
        return [turn for turn, share in kept if least is not None and share < least]


def examine(recordings: Iterable[Interaction]) -> Examination:
    """Examine the calls of models among recordings; failed answers are left out."""
    found: list[Diagnosis] = []
    unread: list[Unread] = []
    before: defaultdict[tuple[str, str], _Earlier] = defaultdict(_Earlier)
    for item in sorted(recordings, key=lambda one: one.recorded_at):
        dialect = dialect_in(item.request)
        if TRANSLATED.get(dialect.name) is not dialect or not is_good(item.response.status):
            continue
        try:
            asked = _PromptSeen(item, prompt_of(item.request, dialect))
        except Untranslatable as error:
            unread.append(Unread(item.id, str(error)))
            continue
        earlier = before[item.upstream, dialect.name]
        found.append(_diagnosis(asked, earlier.nearest(asked)))
        earlier.add(asked)
    return Examination(tuple(found), tuple(unread))


class _PromptSeen:
    """A recorded request as the provider's cache sees it."""

    def __init__(self, item: Interaction, prompt: Prompt) -> None:
        self.item = item
        self.prompt = prompt
        self.blocks = blocks_of(prompt)
        self.turns = frozenset(one.essence for one in self.blocks if one.kind == "message")
        self.head = tuple(one for one in self.blocks if one.kind in ("tool", "system"))
        served = served_in(item.response.headers)
        self.model = served.model if served else prompt.model
        dialect = answered_in(item.request, item.response.headers)
        self.program = (prompt.model, frozenset(b.label for b in self.head if b.kind == "tool"))
        self.law: CacheLaw = law_of(prompt, self.model, dialect.name)
        name = served.upstream if served else ""
        aim = Aim(name, dialect.name, self.model, name)
        told = usage_in(item.response, dialect, aim) if isinstance(dialect, Streamed) else None
        self.usage: Usage | None = told if told and told.prompt else None

    @cached_property
    def size(self) -> int:
        """How long the prompt is, in characters."""
        return size_of(self.blocks)

    def tokens(self, size: int) -> int:
        """The tokens of so many characters of this prompt, by what its answer says of them all."""
        if self.usage is None or not self.size:
            return round(size / _PER_TOKEN)
        return round(size * self.usage.prompt / self.size)

    def prefixes(self) -> Iterator[int]:
        """A hash of each beginning of the prompt, from the longest to none."""
        hashes = [0]
        for block in self.blocks:
            hashes.append(hash((hashes[-1], block.essence)))
        return reversed(hashes)


class _Earlier:
    """Requests of one upstream and dialect, found by how they begin."""

    def __init__(self) -> None:
        self._by_prefix: defaultdict[int, list[_PromptSeen]] = defaultdict(list)

    def add(self, asked: _PromptSeen) -> None:
        for prefix in asked.prefixes():
            self._by_prefix[prefix].append(asked)

    def nearest(self, asked: _PromptSeen) -> _PromptSeen | None:
        """The one that a request goes on from; None where there is none yet."""
        for prefix in asked.prefixes():
            if found := self._by_prefix.get(prefix):
                some = found[-_MOST:]
                alike = [len(one.turns & asked.turns) for one in some]
                best = [n for n, count in enumerate(alike) if count == max(alike)]
                sizes = {n: kept_of(some[n].blocks, asked.blocks).size for n in best}
                return some[max(best, key=lambda n: (sizes[n], n))]
        return None


def _diagnosis(asked: _PromptSeen, old: _PromptSeen | None) -> Diagnosis:
    """What a request kept of its predecessor."""
    usage = asked.usage
    found = Diagnosis(
        asked.item.id,
        asked.model,
        "",
        follows=False,
        prompt=asked.tokens(asked.size),
        measured=usage is not None,
        kept=None,
        could=0,
        reused=usage.cached if usage else None,
        written=usage.cache_written if usage else None,
        lost=0,
        problem=None,
    )
    if old is None:
        return found
    kept = kept_of(old.blocks, asked.blocks)
    # One prompt asked of several models in turn is no conversation.
    goes_on = old.prompt.model == asked.prompt.model or asked.turns - old.turns
    follows = bool(old.turns & asked.turns and goes_on)
    age = asked.item.recorded_at - old.item.recorded_at
    could = reusable(asked.law, old.blocks, asked.blocks, kept, age, asked.tokens)
    found = found._replace(after=old.item.id, follows=follows, could=could.tokens)
    held = _held_to(old, asked, follows=follows)
    if held is None:
        return found
    broke = kept.broke and kept.blocks < len(held) and not _is_fork(old, asked, kept)
    share = min(1.0, kept.size / max(size_of(held), 1)) if broke else 1.0
    found = found._replace(kept=share)
    problem: Break | None
    if broke:
        problem = _break(old, asked, kept)
    else:
        cause = _by_rule(found, could, is_long=asked.tokens(kept.size) >= asked.law.least)
        problem = cause and Break("", 0, 0, "", "", cause)
    return found._replace(problem=problem, lost=_lost(found, problem, asked, held))


def _is_fork(old: _PromptSeen, new: _PromptSeen, kept: KeptPrefix) -> bool:
    """True where two requests part in what was asked last: neither goes on from the other."""
    rest = [*old.blocks[kept.blocks :], *new.blocks[kept.blocks :]]
    return all(one.kind == "message" and one.label != "assistant" for one in rest)


def _held_to(old: _PromptSeen, new: _PromptSeen, *, follows: bool) -> Sequence[PromptBlock] | None:
    """What of an earlier prompt a request should have kept; None where nothing is.

    Another conversation is of the same program where model and tools are the same, and the
    system's words much alike.
    """
    if follows:
        return old.blocks
    if old.program != new.program or not (old.head and new.head):
        return None
    texts = ("\n".join(one.said for one in side.head).encode() for side in (old, new))
    if shared_words(*texts) < _ALIKE:
        return None
    kinds = [one.kind for one in old.blocks]
    return old.blocks[: kinds.index("message")] if "message" in kinds else old.blocks


def _break(old: _PromptSeen, new: _PromptSeen, kept: KeptPrefix) -> Break:
    """The place where two prompts part."""
    one, other = old.blocks[kept.blocks], new.blocks[kept.blocks]
    cause = cause_of(old.blocks, new.blocks, kept)
    if one.essence[:2] == other.essence[:2]:
        shown = contrast(one.said, other.said)
        texts = shown.old, shown.new
    else:
        texts = _headed(one), _headed(other)
    return Break(other.path, other.part, kept.offset, *texts, cause)


def _headed(block: PromptBlock) -> str:
    """A block in a few words, quoted: who says it, or the tool's name, and how it begins."""
    return quoted(cut(f"{block.label}: {block.said}"))


def _by_rule(found: Diagnosis, could: Reusable, *, is_long: bool) -> Cause | None:
    """Why an unbroken prompt was not reused; None where it was, or was too short for that."""
    reused = found.reused
    if could.why and is_long and (reused or 0) <= could.tokens:
        return BY_RULE[could.why]
    if reused is not None and reused < could.tokens * _SOME:
        return BY_RULE["provider"]
    return None


def _lost(
    found: Diagnosis, problem: Break | None, asked: _PromptSeen, held: Sequence[PromptBlock]
) -> int:
    """Tokens that were not reused for the sake of a problem."""
    if problem is None:
        return 0
    if problem.cause is BY_RULE["provider"]:
        return found.could - (found.reused or 0)
    best = min(ideal(asked.law, held, asked.tokens), found.prompt)
    return max(0, best - max(found.could, found.reused or 0))

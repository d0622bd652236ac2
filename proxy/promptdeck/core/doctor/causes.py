"""Why a prompt is not what it was: the cause in words, and the mend.

What broke is known by its block; here it is told what became of it.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from promptdeck.core.dialects.pieces import as_object
from promptdeck.core.text.jsontext import JSON, Unfaithful, canonical, parse
from promptdeck.core.text.wording import common_prefix

from .blocks import KeptPrefix, PromptBlock


class Cause(NamedTuple):
    """Why a provider could not reuse what it had, and what can be done about it."""

    words: str
    """A sentence without its end: `the tools came in another order`."""
    mend: str
    """What to do, as a sentence of the same form."""


BY_RULE: Mapping[str, Cause] = {
    "expired": Cause(
        "more time had passed than the provider keeps a prompt",
        'ask sooner, or have it kept for longer (cache_control with "ttl": "1h",'
        ' prompt_cache_retention "24h")',
    ),
    "unmarked": Cause(
        "no breakpoint said what is to be cached",
        "put cache_control behind the last block that stays, or at the top of the request",
    ),
    "moved": Cause(
        "the breakpoint moved too far from where the last one stood, or there is none any more",
        "keep a breakpoint behind the system prompt and let one follow the conversation, no more"
        " than 20 blocks further at a time",
    ),
    "provider": Cause(
        "nothing in the prompt: the provider had it and did not reuse it",
        "send calls that share a prompt one after the other; with OpenAI give them one"
        " prompt_cache_key",
    ),
}
"""By what `Reusable.why` says, and `provider` where it says nothing."""


def cause_of(old: Sequence[PromptBlock], new: Sequence[PromptBlock], kept: KeptPrefix) -> Cause:
    """Why two prompts part where they do (`kept.broke`): `old` came first."""
    one, other = old[kept.blocks], new[kept.blocks]
    if one.kind == "model" or other.kind == "model":
        return Cause(
            f"the model was switched: {one.said} -> {other.said}",
            "stay with one model for a conversation: each has a cache of its own",
        )
    if "tool" in (one.kind, other.kind):
        return _of_tools(old, new, kept)
    if {"shape", "setting"} & {one.kind, other.kind}:
        name = (one if one.kind in ("shape", "setting") else other).label
        told = {"choice": "which tools may be called", "thinking": "how much is to be thought"}
        return Cause(
            f"another {name}" if name not in told else f"it was switched {told[name]}",
            "ask the same of all turns of a conversation",
        )
    return _of_turns(old, new, kept)


def _of_tools(old: Sequence[PromptBlock], new: Sequence[PromptBlock], kept: KeptPrefix) -> Cause:
    before, after = ([one.label for one in side if one.kind == "tool"] for side in (old, new))
    gone, come = Counter(before) - Counter(after), Counter(after) - Counter(before)
    if gone or come:
        told = [f"{_tools(gone)} removed"] * bool(gone) + [f"{_tools(come)} added"] * bool(come)
        return Cause(
            " and ".join(told),
            "offer the same tools in all turns, and say with tool_choice which may be called",
        )
    one, other = old[kept.blocks], new[kept.blocks]
    if one.label != other.label:
        return Cause("the tools came in another order", "sort the tools, by name for example")
    return _of_tool(one, other)


def _tools(names: Counter[str]) -> str:
    return f"the tool{'s' * (len(names) > 1)} {', '.join(names)}"


def _of_tool(one: PromptBlock, other: PromptBlock) -> Cause:
    """What became of one tool's definition."""
    if cause := _same_value(one.said, other.said, f"the definition of the tool {one.label}"):
        return cause
    ours, theirs = (as_object(_value(side.said)) for side in (one, other))
    changed = [key for key in {**ours, **theirs} if ours.get(key) != theirs.get(key)]
    if changed == ["description"]:
        what = f"the description of the tool {one.label}"
        before, after = (str(side.get("description", "")) for side in (ours, theirs))
        return _varying(before, after, what) or Cause(
            f"{what} changed", "keep what is said of tools the same for a whole conversation"
        )
    what = f"the {' and '.join(changed) or 'definition'} of the tool {one.label}"
    return Cause(f"{what} changed", "keep the tools the same for a whole conversation")


def _of_turns(old: Sequence[PromptBlock], new: Sequence[PromptBlock], kept: KeptPrefix) -> Cause:
    """What became of the system's words, or of an earlier turn."""
    one, other = old[kept.blocks], new[kept.blocks]
    what = "the system prompt" if one.kind == "system" else "an earlier turn"
    if one.is_media and other.is_media:
        return Cause(
            "the bytes of an image or a file changed",
            "send the same bytes again: encode a picture once and keep that",
        )
    if one.essence[:2] == other.essence[:2]:
        cause = _same_value(one.said, other.said, what) or _varying(one.said, other.said, what)
        if cause:
            return cause
    ours, theirs = ({block.essence for block in side[kept.blocks :]} for side in (old, new))
    if one.essence in theirs:
        return Cause(
            f"something was put in before {what}",
            "add what is new at the end, behind what was sent before",
        )
    if other.essence in ours:
        return Cause(
            f"{what} was taken out",
            "leave earlier turns as they were sent, or drop many at once and seldom",
        )
    mend = (
        "move what changes out of the system prompt, into the last turn"
        if one.kind == "system"
        else "send earlier turns again as they were sent, to the letter"
    )
    return Cause(f"{what} was rewritten", mend)


def _same_value(old: str, new: str, what: str) -> Cause | None:
    """A cause where two texts are one JSON value, written in two ways; else None."""
    heads = (side.removesuffix(_data(side)) for side in (old, new))
    if len({*heads}) > 1:
        return None
    one, other = (_value(_data(side)) for side in (old, new))
    if isinstance(one, dict | list) and canonical(one) == canonical(other):
        return Cause(
            f"the keys of JSON in {what} came in another order, or it was written otherwise",
            "write JSON with sorted keys, always by the same means",
        )
    return None


def _data(text: str) -> str:
    """What is data in a text: all of it, or of a call and its result what stands behind the name
    and the id."""
    head, _, rest = text.partition("\n")
    return text if head[:1] in ("{", "[") else rest


def _value(text: str) -> JSON:
    try:
        return parse(text)
    except Unfaithful:
        return None


_MONTHS = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"
_DATE = re.compile(
    rf"""\d{{4}}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?
    | \d\d?:\d\d(?::\d\d(?:\.\d+)?)?(?:\ ?[AaPp]\.?[Mm])?
    | \d{{1,4}}[./]\d\d?[./]\d{{1,4}}
    | (?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,?\ )?
      (?:(?:{_MONTHS})[a-z]*\.?\ \d{{1,2}}(?:st|nd|rd|th)?(?:,?\ \d{{4}})?
      | \d{{1,2}}\.?\ (?:{_MONTHS})[a-z]*\.?(?:\ \d{{4}})?)
    | \b(?:Mon|Tues?|Wednes|Thurs?|Fri|Satur|Sun)day\b
    | \b1[0-9]{{9}}(?:\.\d+|\d{{3}})?\b""",
    re.VERBOSE,
)
_ID = re.compile(
    r"""\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b
    | \b(?=[a-f]*\d)[0-9a-f]{7,}\b
    | \b(?=\w*\d)(?=\w*[A-Za-z])[A-Za-z]{2,12}[_-][\w-]{8,}
    | \b\d{6,}\b
    | /tmp/[\w./-]{4,}""",
    re.VERBOSE,
)


def _varying(old: str, new: str, what: str) -> Cause | None:
    """A cause where two texts first differ within a date or an id; else None."""
    if _within(_DATE, old, new):
        return Cause(
            f"a date or time in {what} changed",
            "tell the time in the last turn, or only the day, behind all that stays",
        )
    if _within(_ID, old, new):
        return Cause(
            f"an id in {what} changed",
            "leave ids of runs, sessions and requests out of the prompt, or put them at its end",
        )
    return None


def _within(pattern: re.Pattern[str], old: str, new: str) -> bool:
    """True where both texts have a match at one place, in which they first differ."""
    at = common_prefix(old, new)
    return bool(_starts(pattern, old, at) & _starts(pattern, new, at))


def _starts(pattern: re.Pattern[str], text: str, at: int) -> set[int]:
    """Where the matches begin that this place is in, or right behind."""
    found = pattern.finditer(text, max(0, at - _REACH), at + _REACH)
    return {match.start() for match in found if match.start() <= at <= match.end()}


_REACH = 80
"""Characters before and behind a difference in which a date or an id that has it begins or ends."""

"""What Google's models take and refuse: one table, whose longest prefix wins.

A model that is not in it has the rules of the newest, not of the oldest: new ones come every month.

Sources, as of November 2026:
- levels of thinking: "Thinking", docs.cloud.google.com/gemini-enterprise-agent-platform/models, and
  the developer's guides to 3.5 Flash, 3.8 Flash and Gemini 4 there. Gemma 4: livekit/agents#7080,
  Kilo-Org/kilocode#12063
- budgets: ai.google.dev/gemini-api/docs/thinking, "Thinking budgets"
- several candidates and penalties: googleapis/js-genai#1609 and firebase/firebase-js-sdk#10362
  ("will fail with a 400"). Vertex gives several of 3.1 Pro (googleapis/python-genai#1723), so these
  are Google's to refuse up to there
- the last turn is the model's: guide to 3.5 Flash-Lite, Zoo-Code-Org/Zoo-Code#1052
- sampling: what newer models ignore they are sent all the same. Gemini 4 Hydrogen refuses it
  (ironhive v0.78)
- signatures: ai.google.dev/gemini-api/docs/thought-signatures
- functions beside Google's own tools or a schema: ai.google.dev/gemini-api/docs/gemini-3
"""

from collections.abc import Mapping
from typing import NamedTuple

from promptdeck.core.dialects.translate.neutral import Thinking
from promptdeck.core.dialects.translate.reasoning import EFFORTS, effort_of

_ALL = ("MINIMAL", "LOW", "MEDIUM", "HIGH")
_NO_LEAST = _ALL[1:]
_MOST = (*_NO_LEAST, "XHIGH")


class GoogleFamily(NamedTuple):
    """What models whose names begin alike take."""

    levels: tuple[str, ...] = ()
    """The `thinkingLevel`s, least first; none where thinking is told otherwise, or not done."""
    budgets: tuple[int, int] | None = None
    """The least and the most `thinkingBudget`; None where there is none."""
    stops: bool = False
    """Whether budget 0 turns thinking off."""
    samples: bool = True
    """Whether temperature, topP and topK are taken."""
    penalises: bool = False
    """Whether the two penalties are taken."""
    counts: bool = False
    """Whether several candidates are."""
    prefills: bool = False
    """Whether the last turn may be the model's."""
    signs: bool = True
    """Whether a call of the current turn without its signature is refused."""
    mixes: bool = True
    """Whether functions go with Google's own tools, or with the schema of an answer."""
    validates: bool = True
    """Whether calls can be held to their schema (`VALIDATED`)."""


_GEMINI_1 = GoogleFamily(
    penalises=True, counts=True, prefills=True, signs=False, mixes=False, validates=False
)
_GEMINI_2_5 = _GEMINI_1._replace(validates=True)
_FLASH_2_5 = _GEMINI_2_5._replace(budgets=(1, 24_576), stops=True)
_GEMINI_3 = GoogleFamily(levels=_ALL, penalises=True, counts=True, prefills=True)
_GEMINI_3_6 = GoogleFamily(levels=_ALL, counts=True)
_GEMINI_4 = GoogleFamily(levels=_NO_LEAST)

_FAMILIES: Mapping[str, GoogleFamily] = {
    "gemini-1": _GEMINI_1,
    "gemini-2.0": _GEMINI_1,
    "gemini-2.5": _FLASH_2_5,
    "gemini-2.5-pro": _GEMINI_2_5._replace(budgets=(128, 32_768)),
    "gemini-2.5-flash-lite": _FLASH_2_5._replace(budgets=(512, 24_576)),
    "gemini-2.5-flash-image": _GEMINI_2_5,
    "gemini-2.5-flash-preview-tts": _GEMINI_2_5,
    "gemini-2.5-pro-preview-tts": _GEMINI_2_5,
    "gemini-3": _GEMINI_3,
    "gemini-3-pro": _GEMINI_3._replace(levels=("LOW", "HIGH")),
    "gemini-3.1-pro": _GEMINI_3._replace(levels=_NO_LEAST),
    "gemini-3.5-flash-lite": _GEMINI_3_6,
    "gemini-3.6": _GEMINI_3_6,
    "gemini-3.7": _GEMINI_3_6._replace(levels=_NO_LEAST),
    "gemini-3.8": _GEMINI_3_6._replace(levels=_NO_LEAST),
    "gemini-4": _GEMINI_4,
    "gemini-4-hydrogen": _GEMINI_4._replace(levels=_MOST, samples=False),
    "gemini-robotics-er-1": _FLASH_2_5,
    "gemma": _GEMINI_1,
    "gemma-4": _GEMINI_1._replace(levels=("MINIMAL", "HIGH")),
    "learnlm": _GEMINI_1,
}
_NEWEST = _GEMINI_4


def family_of(model: str) -> GoogleFamily:
    """What a model takes, by its name as Google has it, `models/` before it or not."""
    name = model.rpartition("/")[2].lower()
    fitting = [prefix for prefix in _FAMILIES if name.startswith(prefix)]
    return _FAMILIES[max(fitting, key=len)] if fitting else _NEWEST


_WANTED = ("enabled", "adaptive")

# As Google's own endpoint for OpenAI's SDK has it (ai.google.dev/gemini-api/docs/openai,
# "Thinking"); above that as much as the model takes.
_BUDGETS: Mapping[str, int] = {"minimal": 1024, "low": 1024, "medium": 8192, "high": 24_576}


class Musing(NamedTuple):
    """How a model is told to think, and what of that is not as it was asked for."""

    config: Mapping[str, str | int]
    """`thinkingLevel` or `thinkingBudget`, never both; neither where the model decides."""
    why: str = ""
    """What became of it, as a phrase; empty where it is as asked."""


def mused(thinking: Thinking, family: GoogleFamily) -> Musing:
    """How much to think, in the words of a family."""
    if thinking.mode == "between_tools" and not thinking.effort:
        thinking = thinking._replace(effort="minimal")
    effort = effort_of(thinking)
    if family.levels:
        return _in_level(effort, thinking, family.levels)
    if family.budgets:
        return _in_budget(effort, thinking, family)
    asks = effort not in ("", "none") or thinking.mode in _WANTED or bool(thinking.budget)
    return Musing({}, "the model does not reason" if asks else "")


def _in_level(effort: str, thinking: Thinking, levels: tuple[str, ...]) -> Musing:
    if not effort:
        return Musing({})  # dynamic is what it is without a word
    at = EFFORTS.index(effort if effort in EFFORTS else "medium")
    # Of two that are as near the higher, as Google's own has `medium` for one with two levels.
    level = min(reversed(levels), key=lambda one: abs(EFFORTS.index(one.lower()) - at))
    asked = thinking.effort or (f"{thinking.budget} tokens" if thinking.budget else effort)
    why = "" if level.lower() == asked else f"{asked} became {level.lower()}"
    return Musing({"thinkingLevel": level}, why)


def _in_budget(effort: str, thinking: Thinking, family: GoogleFamily) -> Musing:
    least, most = family.budgets or (0, 0)
    budget = thinking.budget
    if effort == "none":
        if family.stops:
            return Musing({"thinkingBudget": 0})
        return Musing({"thinkingBudget": least}, f"it cannot be turned off: {least} tokens")
    if budget is None and effort:
        budget = _BUDGETS.get(effort, most if effort in EFFORTS else _BUDGETS["medium"])
        why = f"{effort} became {min(budget, most)} tokens" if effort not in _BUDGETS else ""
        return Musing({"thinkingBudget": min(max(budget, least), most)}, why)
    if budget is None or budget < 0:
        dynamic = budget is not None or thinking.mode in _WANTED
        return Musing({"thinkingBudget": -1} if dynamic else {})
    fitting = min(max(budget, least), most)
    why = "" if fitting == budget else f"{budget} tokens became {fitting}"
    return Musing({"thinkingBudget": fitting}, why)

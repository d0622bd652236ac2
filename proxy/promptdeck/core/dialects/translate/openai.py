"""What OpenAI's models take and refuse, on either protocol: one table, whose longest prefix wins.

A model that is not in it has the rules of the newest, not of the oldest: new ones come every month.

Sources, as of November 2026:
- when a model reasons, and the efforts that it takes: pydantic-ai 2.68, profiles/openai.py, which
  says of each cell that it was tried on the live API (July to October 2026); minimal is gone from
  gpt-5.1 on, whose own 400 lists none, low, medium and high
- sampling is refused while a model reasons: "Unsupported parameter: 'temperature' is not supported
  with this model" (the API); gpt-oss is served by others, which take it
- encrypted reasoning is refused of models that do not reason: "Encrypted content is not supported
  with this model" (the API)
- verbosity: came with gpt-5; before it "Supported values are: 'medium'" (the API)
- phase: "Prompt guidance", developers.openai.com/api/docs/guides, and the same profiles
- explicit breakpoints of the prompt cache: `PromptCacheOptions` in openai 3.57, "Supported for
  `gpt-5.6` and later models"; and how long it keeps things: `prompt_cache_retention` there
- tools beside an effort on chat completions: OpenAI's 400 from gpt-5.4 on, "use /v1/responses"
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

from promptdeck.core.dialects.translate.neutral import Thinking
from promptdeck.core.dialects.translate.reasoning import BUDGETS, EFFORTS

_LOW_HIGH = EFFORTS[2:5]
_LOW_MAX = EFFORTS[2:]
_XHIGH = ("none", *EFFORTS[2:6])


class OpenAIFamily(NamedTuple):
    """What models whose names begin alike take."""

    reasons: Literal["always", "unless_none", "asked", "never"]
    """`unless_none`: also where no effort is asked for; `asked`: only where one is."""
    efforts: tuple[str, ...] = ()
    """Those that are taken, least first."""
    samples: bool = False
    """Whether temperature, top_p and log probabilities are taken while it reasons."""
    words: bool = True
    """Whether it can be asked for fewer words or more (`verbosity`)."""
    phases: bool = False
    """Whether it says of a message in which phase it was spoken, and wants that back."""
    marks: bool = False
    """Whether the prompt's parts may carry breakpoints of its cache."""
    keeps_long: bool = False
    """Whether what its cache holds is kept for 24 hours, and for no less."""
    chats: bool = True
    """Whether OpenAI's chat completions take function tools beside an effort that is not none."""


_NEVER = OpenAIFamily("never", words=False)
_O = OpenAIFamily("always", _LOW_HIGH, words=False)
_CODEX = _O._replace(words=True)
_5_1 = OpenAIFamily("asked", ("none", *_LOW_HIGH))
_5_2 = _5_1._replace(efforts=_XHIGH)
_CHAT = OpenAIFamily("always", ("medium",))
_PRO = OpenAIFamily("always", ("medium", "high", "xhigh"))
_5_4 = _5_2._replace(phases=True, chats=False)
_5_5 = _5_4._replace(reasons="unless_none", keeps_long=True)
_5_6 = _5_5._replace(marks=True)
_6_SOL = _5_6._replace(efforts=("none", *_LOW_MAX))
_6_ASTRA = _6_SOL._replace(reasons="always", efforts=_LOW_MAX)

_FAMILIES: Mapping[str, OpenAIFamily] = {
    "gpt-3.5": _NEVER,
    "gpt-4": _NEVER,
    "chatgpt": _NEVER,
    "gpt-audio": _NEVER,
    "gpt-oss": OpenAIFamily("always", _LOW_HIGH, samples=True, words=False),
    "o1": _O,
    "o3": _O,
    "o4": _O,
    "gpt-5": OpenAIFamily("always", EFFORTS[1:5]),
    "gpt-5-chat": _NEVER,
    "gpt-5-pro": OpenAIFamily("always", ("high",)),
    "gpt-5-codex": _CODEX,
    "gpt-5.1": _5_1,
    "gpt-5.1-chat": _CHAT,
    "gpt-5.1-codex": _CODEX,
    "gpt-5.1-codex-max": OpenAIFamily("always", EFFORTS[2:6]),
    "gpt-5.2": _5_2,
    "gpt-5.2-chat": _CHAT,
    "gpt-5.2-pro": _PRO,
    "gpt-5.3": _5_2,
    "gpt-5.3-chat": _CHAT,
    "gpt-5.3-codex": _5_2._replace(phases=True),
    "gpt-5.4": _5_4,
    "gpt-5.4-pro": _PRO._replace(phases=True, chats=False),
    "gpt-5.5": _5_5,
    "gpt-5.5-pro": _PRO._replace(phases=True, keeps_long=True, chats=False),
    "gpt-5.6": _5_6,
    "gpt-6": _6_ASTRA,
    "gpt-6-sol": _6_SOL,
    "gpt-6-luna": _6_SOL,
    "gpt-6.1-terra": _6_SOL,
}
_NEWEST = _6_ASTRA

# Other servers' models are their own business: nothing is known of what they refuse.
_OTHERS = OpenAIFamily("asked", EFFORTS, samples=True)
_OPENAI = ("", "openai", "azure")


def family_of(model: str, provider: str = "") -> OpenAIFamily:
    """What a model takes, by its name at its upstream: `openai/` or `ft:` may stand before it.

    `provider` is the upstream's, as `Aim` has it; of one that is not OpenAI nothing is refused.
    """
    name = model.rpartition("/")[2].lower().removeprefix("ft:")
    fitting = [prefix for prefix in _FAMILIES if name.startswith(prefix)]
    if fitting:
        return _FAMILIES[max(fitting, key=len)]
    return _NEWEST if provider in _OPENAI else _OTHERS


class Effort(NamedTuple):
    """How much a model is told to reason, and what of that is not as it was asked for."""

    value: str
    """As the API has it; empty where nothing is said of it."""
    reasons: bool
    """Whether the model reasons then."""
    why: str = ""
    """What became of it, as a phrase; empty where it is as asked."""


def effort_of(thinking: Thinking | None, family: OpenAIFamily) -> Effort:
    """How much to reason, in the words of a family."""
    asked, told = _asked(thinking)
    if family.reasons == "never":
        return Effort("", False, "" if asked in ("", "none") else "the model does not reason")
    if not asked and family.reasons == "asked" and _is_wanted(thinking):
        asked, told = "medium", "as much thinking as it takes"  # unasked it would not reason
    if not asked:
        return Effort("", family.reasons != "asked")
    effort = asked if asked in family.efforts else _nearest(asked, family.efforts)
    # Two words for the same are no change; that a budget became an effort is one.
    why = f"{told or asked} became {effort}" if told or effort != asked else ""
    return Effort(effort, effort != "none", why)


def _asked(thinking: Thinking | None) -> tuple[str, str]:
    """The effort that is asked for, and what it was if that is another thing than an effort."""
    if thinking is None:
        return "", ""
    if thinking.mode == "disabled" or thinking.budget == 0:
        return "none", ""
    if thinking.effort:
        return thinking.effort, ""
    if thinking.mode == "between_tools":
        return "low", "thinking between tools"
    if thinking.budget is not None and thinking.budget > 0:
        budget = thinking.budget
        effort = next((name for name, most in BUDGETS.items() if budget <= most), "max")
        return effort, f"a budget of {budget} tokens"
    return "", ""


def _is_wanted(thinking: Thinking | None) -> bool:
    """True where a model is to reason, and may itself decide how much."""
    return thinking is not None and (
        thinking.mode in ("enabled", "adaptive") or bool(thinking.budget)
    )


def _nearest(effort: str, efforts: tuple[str, ...]) -> str:
    """The effort next to one that is not taken; of two that are as near the lower, for it is paid.

    Never none for one that asks for some: that would turn off what was asked for.
    """
    at = EFFORTS.index(effort) if effort in EFFORTS else EFFORTS.index("medium")
    able = [one for one in efforts if one != "none"] or list(efforts)
    return min(able, key=lambda one: abs(EFFORTS.index(one) - at))

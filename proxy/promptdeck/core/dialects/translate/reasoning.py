"""How much a model is to reason, where one says it in words and another in tokens."""

from collections.abc import Mapping, Sequence

from .neutral import Thinking

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
"""From least to most."""

BUDGETS: Mapping[str, int] = {
    "minimal": 1024,
    "low": 2048,
    "medium": 8192,
    "high": 16384,
    "xhigh": 32768,
    "max": 32768,
}
"""Tokens for models that know budgets alone. Peers differ: LiteLLM has 128, 1024, 2048, 4096."""


def effort_of(thinking: Thinking) -> str:
    """The effort that is asked for; of a budget the least effort whose tokens it does not exceed.

    Empty where nothing is said, or the model is left to decide.
    """
    if thinking.effort:
        return thinking.effort
    if thinking.mode == "disabled" or thinking.budget == 0:
        return "none"
    if thinking.budget is None or thinking.budget < 0:
        return ""
    return next((one for one, most in BUDGETS.items() if thinking.budget <= most), "max")


def nearest(effort: str, known: Sequence[str]) -> str:
    """The effort of those known that is nearest to one: the next less, or else the least.

    Some is never none: that would turn off what was asked for. An effort that is none of ours is
    as it is.
    """
    if effort in known or effort not in EFFORTS:
        return effort
    some = [one for one in known if one != "none"] or [*known]
    below = [one for one in some if EFFORTS.index(one) <= EFFORTS.index(effort)]
    return below[-1] if below else some[0]

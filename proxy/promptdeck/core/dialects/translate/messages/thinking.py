"""How much a model is to think, in the words of its family: a mode, an effort, a budget.

What a client wants is an effort, a budget or a mode, of OpenAI's, Google's or Anthropic's words;
a family takes some of these. What it has not got becomes the nearest thing that it has, which is
said.
"""

from typing import NamedTuple

from promptdeck.core.dialects.translate.aim import Options
from promptdeck.core.dialects.translate.neutral import Prompt, Thinking
from promptdeck.core.dialects.translate.reasoning import BUDGETS, EFFORTS, effort_of, nearest
from promptdeck.core.text.jsontext import JSONObject

from .families import LEVELS, Family

LEAST = 1024
"""The smallest budget that is taken."""


class Deliberation(NamedTuple):
    """What a request says of thinking."""

    thinking: JSONObject | None = None
    """The value of `thinking`; None to leave it to the model."""
    effort: str = ""
    """The value of `output_config.effort`; empty to leave it to the model."""

    @property
    def has_budget(self) -> bool:
        """True where thinking is enabled with a budget, which rules out much else."""
        return self.thinking is not None and self.thinking["type"] == "enabled"

    @property
    def is_on(self) -> bool:
        """True where the request itself asks the model to think."""
        return self.thinking is not None and self.thinking["type"] in ("enabled", "adaptive")


def deliberation(prompt: Prompt, family: Family, room: int | None, say: Options) -> Deliberation:
    """What is to be said of thinking, for the client's wish; what becomes otherwise is lost in say.

    `room` is how many tokens the client lets the answer have, thinking included; None where it
    did not say.
    """
    wish = prompt.thinking
    if wish is None:
        return Deliberation()
    if wish.effort not in ("", *EFFORTS):
        say.lose("thinking", f"{wish.effort!r} is no effort")
        wish = wish._replace(effort="")
    if wish.mode in ("disabled", "between_tools") or wish.budget == 0 or wish.effort == "none":
        return _off(wish, family, say)
    if wish.budget is None and not wish.mode and not wish.effort:
        return Deliberation(_shown(wish, family) if family.thinks else None)
    if not family.thinking - {"disabled"}:
        say.lose("thinking", "this model does not think")
        return Deliberation()
    effort = _effort(wish, family, say)
    has_budget = wish.budget is not None and wish.budget > 0 and "enabled" in family.thinking
    if has_budget or "adaptive" not in family.thinking:
        return Deliberation(_enabled(wish, family, room, say), effort)
    return Deliberation(_shown(wish, family), effort)


def _off(wish: Thinking, family: Family, say: Options) -> Deliberation:
    """The nearest to no thinking that a family takes."""
    wanted = "between_tools" if wish.mode == "between_tools" else "disabled"
    effort = "" if wish.effort == "none" else _effort(wish, family, say)
    if wanted not in family.thinking:
        other = {"disabled": "between_tools", "between_tools": "disabled"}[wanted]
        if other not in family.thinking:
            say.lose("thinking", "this model always thinks, here as little as it may")
            return Deliberation(None, effort or next(iter(family.efforts), ""))
        say.lose("thinking", f"{wanted} became {other}")
        wanted = other
    if effort and family.quiet and LEVELS.index(effort) > LEVELS.index(family.quiet):
        say.lose("thinking", f"without thinking {effort} became {family.quiet}")
        effort = family.quiet
    return Deliberation({"type": wanted}, effort)


def _effort(wish: Thinking, family: Family, say: Options) -> str:
    """The family's effort for a wish; empty where it has none, or the wish says none."""
    effort = wish.effort
    if wish.budget is not None and wish.budget > 0 and "enabled" not in family.thinking:
        effort = effort_of(wish)
        say.lose("thinking", f"a budget of {wish.budget} tokens became effort {effort}")
    if not (family.efforts and effort):
        return ""
    fitting = nearest(effort, family.efforts)
    if fitting != effort:
        say.lose("thinking", f"effort {effort} became {fitting}")
    return fitting


def _shown(wish: Thinking, family: Family) -> JSONObject | None:
    """Thinking as the model finds it right, its text shown or not as was asked.

    Who asks for reasoning wants to read it, unless it says otherwise; where that is the default
    nothing is said. None where the model would do the same unasked.
    """
    asked = bool(wish.mode or wish.effort or wish.budget is not None)
    shown = wish.shown if wish.shown is not None else (asked and family.hides) or None
    thinking: JSONObject = {"type": "adaptive"}
    if shown is not None and shown is family.hides:
        thinking["display"] = "summarized" if shown else "omitted"
    return thinking if len(thinking) > 1 or asked else None


def _enabled(wish: Thinking, family: Family, room: int | None, say: Options) -> JSONObject | None:
    """Thinking by a budget that leaves room for an answer; None where there is too little.

    A budget of the client's may take all but one token, one that stands for an effort gives way
    to that of less.
    """
    room = family.output if room is None else room
    if room <= LEAST:
        say.lose("thinking", f"{LEAST} tokens to think leave no room in max_tokens {room}")
        return None
    if wish.budget is not None and wish.budget > 0:
        budget, most = wish.budget, room - 1
    else:
        budget = BUDGETS[wish.effort or "medium"]
        most = max(one for one in BUDGETS.values() if one < room)
        if not wish.effort:
            say.lose("thinking", f"as much as the model likes became {min(budget, most)} tokens")
    fitting = min(max(budget, LEAST), most)
    if fitting != budget and (wish.effort or wish.budget):
        say.lose("thinking", f"a budget of {budget} tokens became {fitting}")
    return {"type": "enabled", "budget_tokens": fitting}

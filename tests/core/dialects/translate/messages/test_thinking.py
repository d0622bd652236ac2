"""How much a model is made to think, by what a client wishes and a family takes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.dialects.translate.aim import Options
from promptdeck.core.dialects.translate.messages.families import LEVELS, family_of
from promptdeck.core.dialects.translate.messages.thinking import Deliberation, deliberation
from promptdeck.core.dialects.translate.neutral import Thinking
from tests.conformance.anthropic_rules import refusal

from .samples import MODELS, prompt


def decided(model: str, wish: Thinking, room: int | None = None) -> tuple[Deliberation, list[str]]:
    """What is said of thinking, and what became otherwise."""
    given = prompt(thinking=wish)
    say = Options(given)
    found = deliberation(given, family_of(model), room, say)
    assert {one.path for one in say.lost()} <= {"$.thinking"}
    return found, [one.why for one in say.lost()]


@pytest.mark.parametrize(
    ("model", "wish", "thinking", "effort", "named"),
    [
        # Efforts, where there are such.
        ("claude-opus-5-5", Thinking("xhigh"), {"type": "adaptive", "display": "summarized"},
         "xhigh", ""),
        ("claude-opus-5-5", Thinking("minimal"), {"type": "adaptive", "display": "summarized"},
         "low", "minimal became low"),
        ("claude-opus-4-6", Thinking("xhigh"), {"type": "adaptive"}, "high",
         "xhigh became high"),
        ("claude-opus-4-6", Thinking("max"), {"type": "adaptive"}, "max", ""),
        ("claude-opus-4-5", Thinking("max"), {"type": "enabled", "budget_tokens": 32768}, "high",
         "max became high"),
        # Budgets, where there are none.
        ("claude-sonnet-4-5", Thinking("minimal"), {"type": "enabled", "budget_tokens": 1024}, "",
         ""),
        ("claude-sonnet-4-5", Thinking("low"), {"type": "enabled", "budget_tokens": 2048}, "", ""),
        ("claude-haiku-4-5", Thinking("medium"), {"type": "enabled", "budget_tokens": 8192}, "",
         ""),
        ("claude-opus-4-1", Thinking("high"), {"type": "enabled", "budget_tokens": 16384}, "", ""),
        ("claude-3-7-sonnet", Thinking("xhigh"), {"type": "enabled", "budget_tokens": 32768}, "",
         ""),
        # A budget of the client's.
        ("claude-sonnet-4-5", Thinking(budget=3000, mode="enabled"),
         {"type": "enabled", "budget_tokens": 3000}, "", ""),
        ("claude-sonnet-4-5", Thinking(budget=10, mode="enabled"),
         {"type": "enabled", "budget_tokens": 1024}, "", "10 tokens became 1024"),
        ("claude-sonnet-4-5", Thinking(budget=-1), {"type": "enabled", "budget_tokens": 8192}, "",
         "as much as the model likes became 8192"),
        ("claude-opus-4-6", Thinking(budget=3000, mode="enabled"),
         {"type": "enabled", "budget_tokens": 3000}, "", ""),
        ("claude-opus-5", Thinking(budget=3000, mode="enabled"),
         {"type": "adaptive", "display": "summarized"}, "medium", "became effort medium"),
        ("claude-opus-5", Thinking(budget=64000),
         {"type": "adaptive", "display": "summarized"}, "max", "became effort max"),
        ("claude-opus-5", Thinking(budget=-1), {"type": "adaptive", "display": "summarized"}, "",
         ""),
        # Adaptive, where it is known, and where it is not.
        ("claude-opus-4-7", Thinking(mode="adaptive", shown=False), {"type": "adaptive"}, "", ""),
        ("claude-opus-4-6", Thinking(mode="adaptive", shown=False),
         {"type": "adaptive", "display": "omitted"}, "", ""),
        ("claude-haiku-4-5", Thinking(mode="adaptive"), {"type": "enabled", "budget_tokens": 8192},
         "", "as much as the model likes"),
        # None.
        ("claude-sonnet-4-5", Thinking("none"), {"type": "disabled"}, "", ""),
        ("claude-opus-5", Thinking("none"), {"type": "disabled"}, "", ""),
        ("claude-opus-5", Thinking("max", mode="disabled"), {"type": "disabled"}, "high",
         "without thinking max became high"),
        ("claude-sonnet-5-5", Thinking("none"), {"type": "between_tools"}, "",
         "disabled became between_tools"),
        ("claude-sonnet-5-5", Thinking(budget=0), {"type": "between_tools"}, "", "between_tools"),
        ("claude-opus-5", Thinking(mode="between_tools"), {"type": "disabled"}, "",
         "became disabled"),
        ("claude-opus-5-5", Thinking("none"), None, "low", "always thinks"),
        ("claude-nova-7", Thinking(mode="disabled"), None, "low", "always thinks"),
        # No thinking to be had, or no such effort.
        ("claude-3-5-sonnet", Thinking("high"), None, "", "does not think"),
        ("claude-opus-5-5", Thinking("reasoning_effort"), None, "", "no effort"),
        # Only what is to be seen.
        ("claude-opus-5-5", Thinking(shown=True), {"type": "adaptive", "display": "summarized"},
         "", ""),
        ("claude-opus-5-5", Thinking(shown=False), None, "", ""),
        ("claude-sonnet-4-5", Thinking(shown=True), None, "", ""),
    ],
)  # fmt: skip
def test_a_wish_is_granted_as_far_as_the_family_can(
    model: str, wish: Thinking, thinking: dict[str, Any] | None, effort: str, named: str
) -> None:
    found, lost = decided(model, wish)
    assert found == Deliberation(thinking, effort)
    assert any(named in why for why in lost) if named else not lost


@pytest.mark.parametrize(
    ("wish", "room", "budget", "named"),
    [
        (Thinking("high"), 4096, 2048, "16384 tokens became 2048"),
        (Thinking(budget=8000), 4096, 4095, "8000 tokens became 4095"),
        (Thinking(budget=1024), 1025, 1024, ""),
        (Thinking("low"), 1024, None, "leave no room in max_tokens 1024"),
        (Thinking(budget=2000), 1, None, "leave no room"),
    ],
)
def test_thinking_leaves_room_for_an_answer(
    wish: Thinking, room: int, budget: int | None, named: str
) -> None:
    found, lost = decided("claude-sonnet-4-5", wish, room)
    assert (found.thinking or {}).get("budget_tokens") == budget
    assert any(named in why for why in lost) if named else not lost


WISHES = st.builds(
    Thinking,
    st.sampled_from(["", "none", "minimal", *LEVELS, "odd"]),
    st.none() | st.integers(-1, 200_000),
    st.sampled_from(["", "enabled", "adaptive", "disabled", "between_tools"]),
    st.none() | st.booleans(),
)


@given(st.sampled_from(MODELS), WISHES, st.none() | st.integers(1, 4000))
def test_no_wish_leads_to_what_the_model_refuses(
    model: str, wish: Thinking, room: int | None
) -> None:
    found, _ = decided(model, wish, room)
    body: dict[str, Any] = {
        "model": model,
        "max_tokens": room or family_of(model).output,
        "messages": [{"role": "user", "content": "hi"}],
    }
    if found.thinking:
        body["thinking"] = found.thinking
    if found.effort:
        body["output_config"] = {"effort": found.effort}
    assert refusal(body, {"anthropic-version": "2023-06-01"}) is None


def test_nothing_is_said_where_nothing_is_wished() -> None:
    assert decided("claude-opus-5", Thinking()) == (Deliberation(), [])
    given = prompt()
    assert deliberation(given, family_of("claude-opus-5"), None, Options(given)) == Deliberation()

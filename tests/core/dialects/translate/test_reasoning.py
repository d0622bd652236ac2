"""Effort in words and in tokens."""

import pytest

from promptdeck.core.dialects.translate.neutral import Thinking
from promptdeck.core.dialects.translate.reasoning import BUDGETS, EFFORTS, effort_of, nearest


@pytest.mark.parametrize(
    ("thinking", "effort"),
    [
        (Thinking("high", 1024), "high"),
        (Thinking(budget=1024), "minimal"),
        (Thinking(budget=1025), "low"),
        (Thinking(budget=10_000), "high"),
        (Thinking(budget=10**6), "max"),
        (Thinking(budget=-1), ""),
        (Thinking(budget=0), "none"),
        (Thinking(mode="disabled"), "none"),
        (Thinking(mode="adaptive"), ""),
    ],
)
def test_a_budget_is_an_effort(thinking: Thinking, effort: str) -> None:
    assert effort_of(thinking) == effort


def test_every_effort_but_none_has_a_budget() -> None:
    assert {*BUDGETS} == {*EFFORTS} - {"none"}
    assert [*BUDGETS.values()] == sorted(BUDGETS.values())


@pytest.mark.parametrize(
    ("effort", "known", "there"),
    [
        ("minimal", ("low", "high"), "low"),
        ("medium", ("low", "high"), "low"),
        ("max", ("low", "high"), "high"),
        ("none", ("high", "max"), "high"),
        ("dynamic", ("high",), "dynamic"),
        ("minimal", ("none", "low", "high"), "low"),
    ],
)
def test_the_nearest_effort_is_the_next_less(
    effort: str, known: tuple[str, ...], there: str
) -> None:
    assert nearest(effort, known) == there

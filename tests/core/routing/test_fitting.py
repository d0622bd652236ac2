"""fitting: the documented rule, its aliases, and that nothing odd can upset it."""

import math
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.routing.fitting import Rated, fit, ranked


def score(agent: Any, model: Any) -> float | None:
    scores = fit([Rated(("p/m", "m"))], agent, {"m": model})
    return scores[0] if scores else None


@pytest.mark.parametrize(
    ("agent", "model", "expected"),
    [
        ({"accuracy": 1}, {"accuracy": 0.9}, 0.9),
        # Weighted by how much each is preferred.
        ({"accuracy": 0.9, "creativity": 0.3}, {"accuracy": 1, "creativity": 0}, 0.75),
        # Only what one preference is to another counts, not how large they are.
        ({"accuracy": 0.09, "creativity": 0.03}, {"accuracy": 1, "creativity": 0}, 0.75),
        ({"friendliness": 1}, {"accuracy": 1}, 0.5),
        ({"complexity": 1}, {"intelligence": 0.8}, 0.8),
        ({"intelligence": 1}, {"complexity": 0.8}, 0.8),
        ({"complexity": 1}, {"intelligence": 0.8, "complexity": 0.1}, 0.1),
        ({"efficiency": 1}, {"speed": 0.8, "cost": 0.4}, 0.7),
        ({"efficiency": 1}, {"speed": 0.8}, 0.65),
        ({"efficiency": 1}, {"speed": 0.8, "efficiency": 0.1}, 0.1),
        ({"cost": 1}, {"cost": 0.8}, 0.2),
        ({"cost": 1}, {}, 0.5),
        ({"speed": 1}, {"speed": 7}, 1.0),
        ({"speed": 1}, {"speed": -7}, 0.0),
        ({"speed": 1, "x": "much", "y": True}, {"speed": "fast"}, 0.5),
        ({}, {"speed": 1}, None),
        ({"speed": 0}, {"speed": 1}, None),
        (None, {"speed": 1}, None),
        ([], {"speed": 1}, None),
    ],
)
def test_the_rule(agent: Any, model: Any, expected: float | None) -> None:
    assert score(agent, model) == expected


def test_a_model_is_rated_by_its_fullest_name() -> None:
    rated = {"m": {"speed": 0.1}, "p/m": {"speed": 0.9}}
    both = [Rated(("p/m", "m")), Rated(("q/m", "m"))]
    assert fit(both, {"speed": 1}, rated) == (0.9, 0.1)


def test_ratings_of_the_request_win_over_those_of_the_model() -> None:
    own = Rated(("m",), {"speed": 0.2, "accuracy": 0.6})
    agent = {"speed": 1, "accuracy": 1}
    assert fit([own], agent, {"m": {"speed": 0.8}}) == (0.7,)
    assert fit([own], agent, None) == (0.4,)


VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)
ATTRIBUTES = st.dictionaries(
    st.sampled_from("accuracy complexity intelligence efficiency speed cost".split()), VALUES
)


@given(ATTRIBUTES | VALUES, st.dictionaries(st.sampled_from("ab"), ATTRIBUTES) | VALUES)
def test_scores_are_numbers_from_0_to_1_whatever_is_said(agent: Any, models: Any) -> None:
    scores = fit([Rated(("a",)), Rated(("b",), {"cost": 1})], agent, models)
    for one in scores or ():
        assert not math.isnan(one)
        assert 0 <= one <= 1


@given(st.lists(st.floats(0, 1)))
def test_the_best_come_first_and_ties_keep_their_order(scores: list[float]) -> None:
    order = ranked(scores)
    assert sorted(order) == [*range(len(scores))]
    for one, other in pairwise(order):
        assert (-scores[one], one) < (-scores[other], other)

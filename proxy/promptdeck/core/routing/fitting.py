"""How well a model fits what an agent is to be good at: `agent_attributes`, `model_attributes`.

Dedalus names the two fields and publishes no rule. This one is ours: the mean of what a model is
rated at in each attribute that the agent prefers, weighted by how much it prefers it,

    score = sum(preference[a] * rating[a] for a in preferences) / sum(preferences)

with numbers from 0 to 1. A rating that nobody has given is 0.5: what is not known speaks neither
for a model nor against it. The two vocabularies differ, so that some attributes are rated by
others: see `_rating`.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from promptdeck.core.text.jsontext import JSON

NEUTRAL = 0.5
"""What counts for an attribute in which nobody has rated a model."""

_DIGITS = 6
"""Scores that differ behind these are the same: what is left is how a machine adds."""


class Rated(NamedTuple):
    """A model that may be taken."""

    names: tuple[str, ...]
    """What it may be called in `model_attributes`, the fullest first: `openai/gpt-5`, `gpt-5`."""
    attributes: Mapping[str, JSON] = {}
    """Ratings that came with the model itself; those of `model_attributes` win."""


def fit(
    candidates: Sequence[Rated], agent_attributes: JSON, model_attributes: JSON
) -> tuple[float, ...] | None:
    """The score of each candidate; None where the agent prefers nothing.

    What is no number from 0 to 1 is brought there, or passed over where it is none at all.
    """
    preferences = _numbers(agent_attributes)
    total = sum(preferences.values())
    if not total:
        return None
    ratings = model_attributes if isinstance(model_attributes, dict) else {}
    return tuple(
        round(_score(preferences, _ratings_of(one, ratings)) / total, _DIGITS) for one in candidates
    )


def ranked(scores: Iterable[float]) -> list[int]:
    """The places of the scores, the best first; those that are equal in their order."""
    numbered = [*enumerate(scores)]
    return [place for place, _ in sorted(numbered, key=lambda item: -item[1])]


def _score(preferences: Mapping[str, float], ratings: Mapping[str, float]) -> float:
    return sum(wanted * _rating(name, ratings) for name, wanted in preferences.items())


def _ratings_of(candidate: Rated, rated: Mapping[str, JSON]) -> Mapping[str, float]:
    """What a candidate is rated at, by attribute."""
    found = next((rated[name] for name in candidate.names if name in rated), None)
    return {**_numbers(candidate.attributes), **_numbers(found)}


def _rating(name: str, ratings: Mapping[str, float]) -> float:
    """A model's rating in an attribute that an agent prefers.

    `complexity` is what a model's `intelligence` is for, and `efficiency` is to be fast and cheap.
    `cost` is a price: a model with 0.8 is dear, and to prefer it is to prefer what costs little.
    """
    cheap = 1 - ratings["cost"] if "cost" in ratings else NEUTRAL
    if name == "cost":
        return cheap
    if name in ratings:
        return ratings[name]
    if name == "complexity":
        return ratings.get("intelligence", NEUTRAL)
    if name == "intelligence":
        return ratings.get("complexity", NEUTRAL)
    if name == "efficiency":
        return (ratings.get("speed", NEUTRAL) + cheap) / 2
    return NEUTRAL


def _numbers(value: JSON) -> dict[str, float]:
    """The members of an object that are numbers, brought into 0 to 1."""
    if not isinstance(value, dict):
        return {}
    return {
        name: min(1.0, max(0.0, float(one)))
        for name, one in value.items()
        # A number that is none (NaN) is not equal to itself, and no JSON either.
        if isinstance(one, int | float) and not isinstance(one, bool) and one == one
    }

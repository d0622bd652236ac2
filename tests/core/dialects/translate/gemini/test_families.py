"""What Google's models take: by the longest prefix, the newest's for those that nobody knows."""

import pytest

from promptdeck.core.dialects.translate.gemini.families import family_of, mused
from promptdeck.core.dialects.translate.neutral import Thinking


def told(model, **thinking):
    return mused(Thinking(**thinking), family_of(model))


@pytest.mark.parametrize(
    ("model", "effort", "config"),
    [
        ("gemini-2.5-flash", "low", {"thinkingBudget": 1024}),
        ("gemini-2.5-flash", "high", {"thinkingBudget": 24_576}),
        ("models/gemini-2.5-pro-preview-06-05", "medium", {"thinkingBudget": 8192}),
        ("gemini-2.5-flash", "none", {"thinkingBudget": 0}),
        ("gemini-2.5-flash-lite", "none", {"thinkingBudget": 0}),
        ("gemini-3-pro-preview", "low", {"thinkingLevel": "LOW"}),
        ("gemini-3-flash-preview", "minimal", {"thinkingLevel": "MINIMAL"}),
        ("gemini-3.1-pro-preview", "medium", {"thinkingLevel": "MEDIUM"}),
        ("gemini-3.8-flash", "high", {"thinkingLevel": "HIGH"}),
        ("gemini-4-hydrogen", "xhigh", {"thinkingLevel": "XHIGH"}),
        ("gemini-flash-latest", "high", {"thinkingLevel": "HIGH"}),
        ("gemini-7-ultra", "low", {"thinkingLevel": "LOW"}),
        ("gemma-4-31b-it", "minimal", {"thinkingLevel": "MINIMAL"}),
    ],
)
def test_an_effort_is_told_in_the_words_of_the_family(model, effort, config):
    assert told(model, effort=effort) == (config, "")


@pytest.mark.parametrize(
    ("model", "thinking", "config", "why"),
    [
        ("gemini-2.5-pro", {"effort": "none"}, {"thinkingBudget": 128}, "turned off"),
        ("gemini-2.5-pro", {"mode": "disabled"}, {"thinkingBudget": 128}, "turned off"),
        ("gemini-2.5-pro", {"effort": "xhigh"}, {"thinkingBudget": 32_768}, "xhigh became"),
        ("gemini-2.5-flash", {"budget": 90_000}, {"thinkingBudget": 24_576}, "became 24576"),
        ("gemini-2.5-flash-lite", {"budget": 100}, {"thinkingBudget": 512}, "became 512"),
        ("gemini-3-pro", {"effort": "medium"}, {"thinkingLevel": "HIGH"}, "medium became high"),
        ("gemini-3-pro", {"effort": "none"}, {"thinkingLevel": "LOW"}, "none became low"),
        ("gemini-3-flash", {"effort": "none"}, {"thinkingLevel": "MINIMAL"}, "none became minimal"),
        ("gemini-3.8-flash", {"effort": "minimal"}, {"thinkingLevel": "LOW"}, "minimal became low"),
        ("gemini-4-argon", {"effort": "max"}, {"thinkingLevel": "HIGH"}, "max became high"),
        ("gemini-4-hydrogen", {"effort": "max"}, {"thinkingLevel": "XHIGH"}, "max became xhigh"),
        ("gemini-3.8-flash", {"budget": 5000}, {"thinkingLevel": "MEDIUM"}, "5000 tokens became"),
        ("gemini-3-flash", {"budget": 0}, {"thinkingLevel": "MINIMAL"}, "none became"),
        ("gemma-4", {"effort": "low"}, {"thinkingLevel": "MINIMAL"}, "low became minimal"),
        ("gemma-4", {"effort": "medium"}, {"thinkingLevel": "HIGH"}, "medium became high"),
        ("gemini-2.0-flash", {"effort": "high"}, {}, "does not reason"),
        ("gemini-2.5-flash-image", {"mode": "adaptive"}, {}, "does not reason"),
    ],
)
def test_what_it_does_not_take_becomes_the_next_and_says_so(model, thinking, config, why):
    made = told(model, **thinking)
    assert made.config == config
    assert why in made.why


@pytest.mark.parametrize(
    ("model", "thinking", "config"),
    [
        ("gemini-2.5-flash", {"budget": -1}, {"thinkingBudget": -1}),
        ("gemini-2.5-pro", {"mode": "adaptive"}, {"thinkingBudget": -1}),
        ("gemini-2.5-pro", {"mode": "enabled", "budget": 4000}, {"thinkingBudget": 4000}),
        ("gemini-2.5-pro", {"shown": True}, {}),
        ("gemini-3.8-flash", {"budget": -1}, {}),
        ("gemini-3.8-flash", {"mode": "adaptive"}, {}),
        ("gemini-2.0-flash", {"effort": "none"}, {}),
        ("gemini-2.0-flash", {"mode": "disabled"}, {}),
    ],
)
def test_as_much_as_the_model_likes_is_said_without_a_word(model, thinking, config):
    assert told(model, **thinking) == (config, "")


def test_never_both_a_level_and_a_budget():
    for model in ("gemini-1.5-pro", "gemini-2.5-pro", "gemini-3-pro", "gemini-9", "gemma-4"):
        family = family_of(model)
        assert not (family.levels and family.budgets)


@pytest.mark.parametrize(
    ("model", "field", "takes"),
    [
        ("gemini-2.5-flash", "signs", False),
        ("gemini-3-pro-preview", "signs", True),
        ("something-new", "signs", True),
        ("gemini-2.5-flash", "mixes", False),
        ("gemini-3-flash", "mixes", True),
        ("gemini-2.0-flash", "validates", False),
        ("gemini-2.5-flash", "validates", True),
        ("gemini-4-hydrogen", "samples", False),
        ("gemini-4-argon", "samples", True),
        ("gemini-3.5-flash", "prefills", True),
        ("gemini-3.5-flash-lite", "prefills", False),
        ("gemini-3.6-flash", "penalises", False),
        ("gemini-4-argon", "counts", False),
    ],
)
def test_the_longest_prefix_decides(model, field, takes):
    assert getattr(family_of(model), field) is takes

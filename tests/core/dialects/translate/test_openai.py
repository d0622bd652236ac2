"""What OpenAI's models take, as one table has it."""

import pytest

from promptdeck.core.dialects.translate.neutral import Thinking
from promptdeck.core.dialects.translate.openai import Effort, effort_of, family_of


@pytest.mark.parametrize(
    ("model", "reasons"),
    [
        ("gpt-4o-mini", "never"), ("gpt-4.1", "never"), ("chatgpt-4o-latest", "never"),
        ("gpt-5-chat-latest", "never"), ("ft:gpt-4o-mini:acme::x", "never"),
        ("o4-mini", "always"), ("o3-pro", "always"), ("gpt-5", "always"), ("gpt-5-nano", "always"),
        ("gpt-5-pro", "always"), ("gpt-5.1-chat-latest", "always"), ("gpt-5.2-pro", "always"),
        ("gpt-5.1-codex-mini", "always"), ("gpt-5.5-pro-2026-04-23", "always"),
        ("gpt-5.1", "asked"), ("gpt-5.2-2025-12-11", "asked"), ("gpt-5.3-codex", "asked"),
        ("gpt-5.4-mini", "asked"), ("openai/gpt-5.4", "asked"),
        ("gpt-5.5", "unless_none"), ("gpt-5.6-sol", "unless_none"), ("gpt-6-luna", "unless_none"),
        ("gpt-6-astra", "always"), ("gpt-6.2-sol", "always"), ("gpt-9", "always"), ("", "always"),
    ],
)  # fmt: skip
def test_when_a_model_reasons(model: str, reasons: str) -> None:
    assert family_of(model).reasons == reasons


def test_a_model_that_is_not_known_has_the_newest_s_rules() -> None:
    newest = family_of("gpt-6-astra")
    assert family_of("gpt-7-nova") == family_of("unheard-of") == newest
    assert newest.phases
    assert newest.marks
    assert not newest.chats
    assert "minimal" not in newest.efforts


def test_of_other_servers_models_nothing_is_refused() -> None:
    other = family_of("grok-5", "xai")
    assert other.samples
    assert effort_of(Thinking("xhigh"), other) == Effort("xhigh", True)
    assert family_of("gpt-5", "openrouter") == family_of("gpt-5")


@pytest.mark.parametrize(
    ("model", "thinking", "effort"),
    [
        ("gpt-5", None, Effort("", True)),
        ("gpt-5.4", None, Effort("", False)),
        ("gpt-5.6", None, Effort("", True)),
        ("gpt-4o", None, Effort("", False)),
        ("gpt-5.6", Thinking("high"), Effort("high", True)),
        ("gpt-5.6", Thinking("none"), Effort("none", False)),
        ("gpt-5", Thinking("none"), Effort("minimal", True, "none became minimal")),
        ("gpt-6-astra", Thinking("none"), Effort("low", True, "none became low")),
        ("gpt-5", Thinking("minimal"), Effort("minimal", True)),
        ("gpt-5.6", Thinking("minimal"), Effort("low", True, "minimal became low")),
        ("gpt-5.1", Thinking("xhigh"), Effort("high", True, "xhigh became high")),
        ("gpt-5.2", Thinking("max"), Effort("xhigh", True, "max became xhigh")),
        ("gpt-5-pro", Thinking("low"), Effort("high", True, "low became high")),
        ("gpt-5.6", Thinking("thorough"), Effort("medium", True, "thorough became medium")),
        ("gpt-4o", Thinking("low"), Effort("", False, "the model does not reason")),
        ("gpt-4o", Thinking("none"), Effort("", False)),
        ("gpt-5.6", Thinking(mode="disabled"), Effort("none", False)),
        ("gpt-5.6", Thinking(mode="adaptive"), Effort("", True)),
        ("gpt-5.6", Thinking("high", mode="adaptive"), Effort("high", True)),
        ("gpt-5.6", Thinking(budget=0), Effort("none", False)),
        ("gpt-5.6", Thinking(budget=-1), Effort("", True)),
        (
            "gpt-5.6",
            Thinking(budget=8000, mode="enabled"),
            Effort("medium", True, "a budget of 8000 tokens became medium"),
        ),
        (
            "gpt-5.4",
            Thinking(budget=-1),
            Effort("medium", True, "as much thinking as it takes became medium"),
        ),
        (
            "gpt-5.6",
            Thinking(mode="between_tools"),
            Effort("low", True, "thinking between tools became low"),
        ),
    ],
)
def test_how_much_it_is_told_to(model: str, thinking: Thinking | None, effort: Effort) -> None:
    assert effort_of(thinking, family_of(model)) == effort

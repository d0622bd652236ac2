"""What each provider could have reused, by its own rules."""

from typing import Any

import pytest

from promptdeck.core.dialects.translate.neutral import Prompt
from promptdeck.core.doctor.blocks import PromptBlock, kept_of, size_of
from promptdeck.core.doctor.laws import CacheLaw, Reusable, ideal, law_of, reusable

MARK = {"type": "ephemeral"}
HOUR = {"type": "ephemeral", "ttl": "1h"}
OPENAI = CacheLaw("openai", 1024, 128, 3600)
CLAUDE = CacheLaw("anthropic", 1024)


def said(*sizes: int, marks: dict[int, Any] | None = None) -> tuple[PromptBlock, ...]:
    """Blocks of so many characters, with breakpoints behind some."""
    return tuple(
        PromptBlock("message", "x" * size, mark=(marks or {}).get(n))
        for n, size in enumerate(sizes)
    )


def could(law: CacheLaw, old: Any, new: Any, age: float = 10) -> Reusable:
    return reusable(law, old, new, kept_of(old, new), age, lambda size: size)


@pytest.mark.parametrize(
    ("model", "dialect", "provider", "least"),
    [
        ("gpt-5", "chat", "openai", 1024),
        ("claude-sonnet-4-5-20250929", "messages", "anthropic", 1024),
        ("claude-opus-4-6", "messages", "anthropic", 4096),
        ("anthropic/claude-opus-4.7", "chat", "anthropic", 2048),
        ("claude-opus-5-5", "chat", "anthropic", 512),
        ("somebody", "messages", "anthropic", 1024),
        ("gemini-2.5-flash", "gemini", "google", 2048),
        ("google/gemini-3.8-flash", "chat", "google", 4096),
    ],
)
def test_the_rules_go_by_model_and_dialect(
    model: str, dialect: str, provider: str, least: int
) -> None:
    assert law_of(Prompt(dialect, model, ()))[:2] == (provider, least)
    # Who served counts, where it was chosen.
    assert law_of(Prompt("responses", "any", ()), model, dialect)[:2] == (provider, least)


def test_openai_reuses_from_1024_on_in_steps_of_128_for_an_hour() -> None:
    assert could(OPENAI, said(1000), said(1000, 500)) == Reusable(0)
    assert could(OPENAI, said(1500), said(1500, 500)) == Reusable(1408)
    assert could(OPENAI, said(1500), said(1500, 500), age=3601) == Reusable(0, "expired")
    long = law_of(Prompt("chat", "gpt-5", (), options={"prompt_cache_retention": "24h"}))
    assert could(long, said(1500), said(1500, 500), age=3601) == Reusable(1408)


def test_google_says_nothing_of_how_long() -> None:
    google = CacheLaw("google", 2048)
    assert could(google, said(3000), said(3000, 5), age=10**6) == Reusable(3000)


def test_anthropic_reuses_up_to_the_last_breakpoint_that_is_kept() -> None:
    old = said(2000, 10, 30, marks={0: MARK, 2: MARK})
    grown = said(2000, 10, 30, 40, 50, marks={0: MARK, 4: MARK})
    assert could(CLAUDE, old, grown) == Reusable(2040)
    broken = said(2000, 11, 30, 40, marks={0: MARK, 3: MARK})
    assert could(CLAUDE, old, broken) == Reusable(2000)
    assert could(CLAUDE._replace(least=4096), old, grown) == Reusable(0)


@pytest.mark.parametrize(("more", "expected"), [(19, Reusable(2000)), (20, Reusable(0, "moved"))])
def test_anthropic_looks_back_over_20_blocks(more: int, expected: Reusable) -> None:
    old = said(2000, marks={0: MARK})
    assert could(CLAUDE, old, said(2000, *[5] * more, marks={more: MARK})) == expected


def test_what_is_marked_by_nobody_is_not_kept() -> None:
    assert could(CLAUDE, said(2000), said(2000, 5, marks={1: MARK})) == Reusable(0, "unmarked")
    old = said(2000, marks={0: MARK})
    assert could(CLAUDE, old, said(2000, 5)) == Reusable(0, "moved")


def test_a_breakpoint_holds_for_five_minutes_or_an_hour() -> None:
    old, new = said(2000, 30, marks={0: HOUR, 1: MARK}), said(2000, 30, 5, marks={0: HOUR, 2: MARK})
    assert could(CLAUDE, old, new, age=299) == Reusable(2030)
    assert could(CLAUDE, old, new, age=301) == Reusable(2000, "expired")
    assert could(CLAUDE, old, new, age=3601) == Reusable(0, "expired")


def test_the_ideal_is_all_that_the_earlier_request_had_put_there() -> None:
    old = said(2000, 30, 7, marks={1: MARK})
    assert ideal(CLAUDE, old, lambda size: size) == 2030
    assert ideal(OPENAI, old, lambda size: size) == 1920
    assert size_of(old) == 2037

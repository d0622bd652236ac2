"""Tokens counted Anthropic's way and chat's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.dialects.translate.messages.counts import Metering, counted
from promptdeck.core.dialects.translate.neutral import Usage


def test_all_that_was_read_is_of_the_prompt() -> None:
    tally = Metering()
    tally.add({"input_tokens": 43, "output_tokens": 1, "cache_read_input_tokens": 5})
    tally.add({"input_tokens": 61, "cache_creation_input_tokens": 10, "output_tokens": 8})
    tally.add({"output_tokens": 9, "input_tokens": None,
                "output_tokens_details": {"thinking_tokens": 3}})  # fmt: skip
    assert tally.usage() == Usage(76, 9, 85, 5, 10, 3)


def test_models_that_went_on_are_counted_beside() -> None:
    tally = Metering()
    steps = [{"input_tokens": 3, "output_tokens": 2}, {"input_tokens": 4, "output_tokens": 1}]
    tally.add({"input_tokens": 3, "output_tokens": 2, "iterations": steps})
    usage = tally.usage()
    assert (usage.prompt, usage.completion) == (3, 2)
    assert usage.rest["all_iterations"] == {"input_tokens": 7, "output_tokens": 3}


@pytest.mark.parametrize("usage", [None, [], {"input_tokens": "3", "iterations": [1]}])
def test_what_is_no_count_counts_nothing(usage: object) -> None:
    tally = Metering()
    tally.add(usage)
    assert tally.usage().total == 0


TOKENS = st.integers(0, 999)


@given(TOKENS, TOKENS, TOKENS, TOKENS, st.none() | TOKENS)
def test_counts_go_there_and_back(
    fresh: int, held: int, taken: int, said: int, thought: int | None
) -> None:
    prompt = fresh + held + taken
    usage = Usage(prompt, said, prompt + said, held, taken, thought)
    tally = Metering()
    tally.add(counted(usage))
    assert tally.usage() == usage


def test_less_than_the_caches_had_is_no_less_than_nothing() -> None:
    assert counted(Usage(prompt=2, cached=5))["input_tokens"] == 0

"""Ids of calls go there and come back, whatever they are made of."""

import re

from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.dialects.translate.messages.ids import (
    own_id,
    safe_id,
)

IDS = st.text() | st.text("ab|:_-", max_size=6) | st.text("ab").map("toolu_pd_".__add__)


@given(IDS)
def test_an_id_is_taken_and_comes_back(own: str) -> None:
    assert re.fullmatch("[a-zA-Z0-9_-]+", safe_id(own))
    assert own_id(safe_id(own)) == own
    assert own_id(own) is not None


@given(IDS, IDS)
def test_two_ids_stay_two(one: str, other: str) -> None:
    assert (safe_id(one) == safe_id(other)) == (one == other)


def test_what_may_stay_as_it_is_does() -> None:
    assert safe_id("toolu_01A-b") == "toolu_01A-b"
    assert safe_id("a|b") != safe_id("a:b")

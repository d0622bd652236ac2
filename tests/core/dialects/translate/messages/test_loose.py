"""Signatures of calls and texts are told from those of reasoning, and from one another."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.dialects.translate.messages.loose import Signee, seal, unseal
from promptdeck.core.dialects.translate.neutral import Signed
from promptdeck.core.dialects.translate.signing import sealed

SIGNED = st.builds(Signed, st.just("google"), st.just("gemini-4"), st.text("aZ9+/=", min_size=1))


@given(SIGNED, st.sampled_from(["call", "text"]))
def test_what_was_sealed_tells_of_what_it_is(signed: Signed, of: Signee) -> None:
    assert unseal(seal(signed, of), "anthropic") == (signed, of)


@given(SIGNED)
def test_a_seal_of_reasoning_is_of_nothing_else(signed: Signed) -> None:
    assert unseal(sealed(signed), "anthropic") == (signed, None)


@pytest.mark.parametrize("text", ["EqQBCkYIBxgC", "", "AA"])
def test_a_signature_without_a_seal_is_the_provider_s(text: str) -> None:
    assert unseal(text, "anthropic") == (Signed("anthropic", "", text), None)

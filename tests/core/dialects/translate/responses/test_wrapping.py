"""Signatures in `encrypted_content`, with what they are of."""

from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.dialects.translate.neutral import Signed
from promptdeck.core.dialects.translate.responses.wrapping import Of, unwrapped, wrapped

_NAMES = st.text(st.characters(blacklist_characters="\0"), max_size=8)


@given(
    st.builds(Signed, _NAMES, _NAMES, st.text(min_size=1, max_size=8)),
    st.sampled_from(["thought", "call", "text"]),
)
def test_what_was_wrapped_is_unwrapped(signed: Signed, of: Of) -> None:
    assert unwrapped(wrapped(signed, of), "openai", "gpt-5") == (signed, of)


def test_openai_s_own_is_its_own() -> None:
    own = "gAAAAABpbm5lcg=="
    assert unwrapped(own, "openai", "gpt-5") == (Signed("openai", "gpt-5", own), "thought")

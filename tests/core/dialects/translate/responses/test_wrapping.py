"""Signatures in `encrypted_content`, with what they are of."""

from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.dialects.translate.neutral import Signed
from promptdeck.core.dialects.translate.responses.wrapping import (
    Of,
    SealOpened,
    unwrapped,
    wrapped,
)
from promptdeck.core.dialects.translate.signing import SEAL

_NAMES = st.text(st.characters(blacklist_characters="\0"), max_size=8)
_SIGNED = st.builds(Signed, _NAMES, _NAMES, st.text(min_size=1, max_size=8))
_OF = st.sampled_from(["thought", "hidden", "call", "text"])


@given(_SIGNED, _OF, st.text(max_size=8))
def test_what_was_wrapped_is_unwrapped(signed: Signed, of: Of, text: str) -> None:
    assert unwrapped(wrapped(signed, of, text), "openai", "gpt-5") == (signed, of, text)


def test_openai_s_own_is_its_own() -> None:
    own = "gAAAAABpbm5lcg==.x"
    assert unwrapped(own, "openai", "gpt-5") == SealOpened(Signed("openai", "gpt-5", own), None)


@given(_SIGNED, _OF, st.text(max_size=8), st.integers(1), st.text(max_size=2))
def test_what_was_cut_or_written_over_is_read_all_the_same(
    signed: Signed, of: Of, text: str, cut: int, more: str
) -> None:
    whole = wrapped(signed, of, text)
    found = unwrapped(whole[: -(cut % len(whole)) or None] + more, "openai", "gpt-5")
    assert found.signed.upstream in ("", signed.upstream, "openai")
    assert unwrapped(SEAL.decode() + "!" + more).signed == Signed("", "", "")

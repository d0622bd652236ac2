"""A signature tells who signed it, and goes back there alone."""

from base64 import b64encode
from binascii import a2b_base64

from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.dialects.translate.aim import Aim
from promptdeck.core.dialects.translate.neutral import Signed
from promptdeck.core.dialects.translate.signing import SEAL, goes_to, opened, sealed

_NAMES = st.text(st.characters(blacklist_characters="\0"), max_size=20)
_SIGNED = st.builds(Signed, _NAMES, _NAMES, st.text(min_size=1))


@given(_SIGNED)
def test_what_was_sealed_is_opened(signed: Signed) -> None:
    assert opened(sealed(signed), "google", "gemini-3") == signed


@given(_SIGNED)
def test_google_s_clients_can_decode_a_seal(signed: Signed) -> None:
    assert a2b_base64(sealed(signed), strict_mode=True)
    assert sealed(signed).encode().startswith(SEAL)


def test_a_signature_without_a_seal_is_its_client_s_provider_s() -> None:
    assert opened("EqQB", "anthropic", "claude-5") == Signed("anthropic", "claude-5", "EqQB")


@given(_SIGNED, st.integers(1))
def test_a_seal_that_was_cut_off_goes_nowhere(signed: Signed, cut: int) -> None:
    text = sealed(signed)
    text = text[: max(len(SEAL), len(text) - 1 - cut % len(text))]
    found = opened(text, "anthropic", "claude-5")
    assert not goes_to(found, Aim("anthropic", "messages", "claude-5", "anthropic")) or (
        found.upstream == signed.upstream
    )


def test_a_seal_of_nothing_goes_nowhere() -> None:
    assert opened(SEAL.decode()) == opened(SEAL.decode() + "!") == Signed("", "", "")
    assert opened(b64encode(b"promptdeck/1\0one").decode()) == Signed("", "", "")


def test_a_signature_goes_to_the_model_that_made_it() -> None:
    aim = Aim("mine", "messages", "claude-5", "anthropic")
    assert goes_to(Signed("mine", "claude-5", "s"), aim)
    assert goes_to(Signed("anthropic", "", "s"), aim)
    assert not goes_to(Signed("mine", "claude-4", "s"), aim)
    assert not goes_to(Signed("google", "claude-5", "s"), aim)
    assert not goes_to(Signed("mine", "claude-5", ""), aim)
    assert not goes_to(None, aim)


def test_what_nobody_is_known_to_have_signed_goes_nowhere() -> None:
    assert not goes_to(Signed("", "", "s"), Aim("local", "chat", "qwen"))

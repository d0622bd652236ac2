"""Signatures where this protocol has a place for them: in `encrypted_content` of reasoning alone.

What another provider signed is sealed there. Google signs calls and texts as well: such a signature
is a reasoning item of its own, without text, before the call or behind the text, and says so at its
end. Clients send all of them back as they are, for they cannot tell them from OpenAI's.
"""

from typing import Literal

from promptdeck.core.dialects.translate.neutral import Signed
from promptdeck.core.dialects.translate.signing import opened, sealed

Of = Literal["thought", "call", "text"]
# A dot is no letter of base64: no seal ends so.
_ENDS: tuple[tuple[Of, str], ...] = (("call", ".call"), ("text", ".text"))


def wrapped(signed: Signed, of: Of) -> str:
    """A signature as `encrypted_content`, with what it is the signature of."""
    return sealed(signed) + dict(_ENDS).get(of, "")


def unwrapped(text: str, upstream: str = "", model: str = "") -> tuple[Signed, Of]:
    """The signature in `encrypted_content`, and what it is the signature of.

    One that promptdeck has not sealed is reasoning of the upstream's and the model's given here.
    """
    for of, end in _ENDS:
        if text.endswith(end):
            return opened(text.removesuffix(end)), of
    return opened(text, upstream, model), "thought"

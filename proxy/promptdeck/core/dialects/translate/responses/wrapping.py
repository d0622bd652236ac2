"""Signatures where this protocol has a place for them: in `encrypted_content` of reasoning alone.

What another provider signed is sealed there, and behind the seal stands, after a dot each, what it
is a signature of and the text of the reasoning: OpenAI's own holds all of that, and so clients
keep it alone (langchain's streams lose the rest, codex the ids). Google signs calls and texts as
well: such a signature is a reasoning item of its own, before the call or behind the text.
"""

import base64
import binascii
from typing import Literal, NamedTuple

from promptdeck.core.dialects.translate.neutral import Signed
from promptdeck.core.dialects.translate.signing import SEAL, opened, sealed

Of = Literal["thought", "hidden", "call", "text"]
_KINDS: tuple[Of, ...] = ("thought", "hidden", "call", "text")


class SealOpened(NamedTuple):
    """What was in `encrypted_content`."""

    signed: Signed
    of: Of | None
    """What it is the signature of; None where its item tells, for it is the provider's own."""
    text: str = ""
    """The text of the reasoning, as it was signed."""


def wrapped(signed: Signed, of: Of, text: str = "") -> str:
    """A signature as `encrypted_content`, with what it is the signature of."""
    said = base64.b64encode(text.encode("utf-8", "surrogatepass")).decode()
    return f"{sealed(signed)}.{of}.{said}"


def unwrapped(content: str, upstream: str = "", model: str = "") -> SealOpened:
    """The signature in `encrypted_content`; one that promptdeck has not sealed is reasoning's.

    `upstream` and `model` are the names of who made that. Of a seal that somebody has cut the
    signature is empty, and goes nowhere.
    """
    if not content.startswith(SEAL.decode()):
        return SealOpened(opened(content, upstream, model), None)
    seal, _, rest = content.partition(".")
    kind, _, said = rest.partition(".")
    of = next((one for one in _KINDS if one == kind), None)
    try:
        text = base64.b64decode(said, validate=True).decode("utf-8", "surrogatepass")
    except (binascii.Error, ValueError):
        return SealOpened(Signed("", "", ""), of)
    return SealOpened(opened(seal), of, text)

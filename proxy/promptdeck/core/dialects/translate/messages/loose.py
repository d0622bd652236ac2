"""Signatures of calls and of texts, for which Messages have no place.

Google signs a call, or a text, where Anthropic signs reasoning alone. For a client of Messages such
a signature stands in a block of thinking without any text: before its call, or behind its text.
Clients send these back, for their own provider demands it; within the seal it says what it is of.
"""

from typing import Literal

from promptdeck.core.dialects.translate.neutral import Signed
from promptdeck.core.dialects.translate.signing import opened, sealed

Signee = Literal["call", "text"]

# No signature begins with NUL: all are base64.
_MARKS: dict[Signee, str] = {"call": "\0c", "text": "\0t"}


def seal(signed: Signed, of: Signee) -> str:
    """The signature of a call or a text as a client of Messages keeps it."""
    return sealed(signed._replace(text=_MARKS[of] + signed.text))


def unseal(text: str, provider: str) -> tuple[Signed, Signee | None]:
    """A signature as a client has sent it back, and of what: None for reasoning.

    `provider` is whose those are that nobody sealed.
    """
    signed = opened(text, provider)
    for of, mark in _MARKS.items():
        if signed.text.startswith(mark):
            return signed._replace(text=signed.text[len(mark) :]), of
    return signed, None

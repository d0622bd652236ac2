"""Which parts of a conversation must be signed, and what goes where nothing is left of it.

https://ai.google.dev/gemini-api/docs/thought-signatures: of the current turn, which is all since
the user last said something, the first call of each step must have its signature.
"""

from collections.abc import Iterator, Sequence

from promptdeck.core.dialects.translate.aim import Aim
from promptdeck.core.dialects.translate.neutral import Signed, Thought
from promptdeck.core.dialects.translate.signing import goes_to, opened, sealed
from promptdeck.core.text.jsontext import JSONObject

PLACEHOLDER = "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I="
"""`skip_thought_signature_validator`, for calls of other models: documented for both APIs."""

GOOGLE = "google"
"""The upstream that a client's own signatures come from, where it has them from there."""


def signed_by(part: JSONObject, upstream: str = GOOGLE, model: str = "") -> Signed | None:
    """What has signed a part; None where nothing has, or the placeholder."""
    text = part.get("thoughtSignature")
    if not isinstance(text, str) or not text or text == PLACEHOLDER:
        return None
    return opened(text, upstream, model)


def kept(signed: Signed) -> str:
    """A signature as a client of Google's keeps it: Google's own as it is, others sealed."""
    return signed.text if signed.upstream == GOOGLE else sealed(signed)


# Within our seal, of reasoning of which more is to be known than its text: a mark that no
# signature begins with, flags, the item's own id, and the signature.
_MORE = "\0"


def kept_thought(thought: Thought, signed: Signed) -> JSONObject:
    """The part that ends reasoning whose text went before, with what has signed it."""
    flags = "h" * thought.is_hidden + "s" * thought.is_summary
    if flags or thought.id:
        text = _MORE.join(["", flags, thought.id, signed.text])
        signature = sealed(signed._replace(text=text))
    else:
        signature = kept(signed)
    return {"text": "", "thought": True, "thoughtSignature": signature}


def thought_of(text: str, signed: Signed | None) -> Thought:
    """Reasoning with this text, as `kept_thought` had it signed, or Google."""
    if signed is None or not signed.text.startswith(_MORE):
        return Thought(text, signed)
    _, flags, name, own = [*signed.text.split(_MORE, 3), "", "", ""][:4]
    return Thought(text, signed._replace(text=own), "h" in flags, "s" in flags, name)


def sent(signed: Signed | None, aim: Aim) -> JSONObject:
    """The signature of a part as it is sent: none where it may not go there."""
    if signed is None or not goes_to(signed, aim):
        return {}
    return {"thoughtSignature": signed.text}


def sealed_part(part: JSONObject, signed: Signed) -> JSONObject:
    """A part that no other protocol has, whose signature tells who made it, for which model."""
    return {**part, "thoughtSignature": sealed(signed)}


def unsealed(part: JSONObject, aim: Aim) -> JSONObject:
    """Such a part as it goes back to Google: with its signature only where that came from."""
    if "thoughtSignature" not in part:
        return part
    bare = {key: value for key, value in part.items() if key != "thoughtSignature"}
    return bare | sent(signed_by(part), aim)


def complete(contents: Sequence[JSONObject]) -> Iterator[JSONObject]:
    """Put the placeholder on the calls of the current turn that must be signed and are not.

    Gives the parts that have got it.
    """
    for content in reversed(contents):
        parts = content["parts"]
        if content["role"] == "user" and not all("functionResponse" in part for part in parts):
            return
        first = next((part for part in parts if "functionCall" in part), None)
        if first is not None and "thoughtSignature" not in first:
            first["thoughtSignature"] = PLACEHOLDER
            yield first

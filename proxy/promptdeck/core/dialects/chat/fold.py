"""The chat completion that a stream of chunks adds up to, as it would have come without `stream`.

Nothing that a provider adds of its own is lost, known to us or not. How the
deltas inside a message add up is in `deltas`; here is which chunk's word
counts for the answer as a whole. `cut` goes the other way.
"""

from collections.abc import Iterable

from promptdeck.core.dialects.pieces import as_object, chunk, index_of, objects_in
from promptdeck.core.text.jsontext import JSON, JSONObject

from .deltas import gathered, joined, joined_calls

# Azure's first chunk has these empty: the first that says something counts.
_NAMING = ("id", "created", "model")
# Padding against traffic analysis: of each chunk, not of the answer.
_PADDING = ("obfuscation",)


def fold(frames: Iterable[bytes]) -> JSONObject:
    """The chat completion that a stream's frames add up to.

    Frames that hold no chunk are skipped; with none at all there are no choices. Unfaithful
    if a frame's data is not JSON, or is JSON that cannot be written again without loss.
    """
    folded = {
        key: _joined_top(key, values)
        for key, values in gathered(map(chunk, frames)).items()
        if key not in _PADDING
    }
    return {"object": "chat.completion", "choices": []} | folded


def _joined_top(key: str, values: list[JSON]) -> JSON:
    """The completion's value under `key`, of the values that its chunks have there, in order."""
    if key == "object":
        return "chat.completion"
    if key == "choices":
        return _choices(objects_in(values))
    if key in _NAMING:
        return next(filter(None, values), values[0])
    # Usage is null on all chunks but one; what servers count up is whole in the last.
    return next((value for value in reversed(values) if value is not None), None)


def _choices(pieces: Iterable[JSONObject]) -> list[JSONObject]:
    """A completion's choices, by index, of the choices of all chunks."""
    by_index: dict[int, list[JSONObject]] = {}
    for piece in pieces:
        by_index.setdefault(index_of(piece, 0), []).append(piece)
    return [_choice(index, by_index[index]) for index in sorted(by_index)]


def _choice(index: int, pieces: list[JSONObject]) -> JSONObject:
    """The one choice that the pieces of this index add up to."""
    # Perplexity sends the message so far beside each delta; some servers send it instead of one.
    deltas = [as_object(piece.get("delta", piece.get("message"))) for piece in pieces]
    rest = {
        key: joined(key, values, grows=False)
        for key, values in gathered(pieces).items()
        if key not in ("index", "delta", "message")
    }
    return {"index": index, "message": _message(deltas), "finish_reason": None} | rest


def _message(deltas: Iterable[JSONObject]) -> JSONObject:
    """The message that the deltas of one choice add up to."""
    # The SDKs' strict mode wants content and refusal, if only as null.
    message: JSONObject = {"role": None, "content": None, "refusal": None}
    for key, values in gathered(deltas).items():
        calls = key == "tool_calls" and any(isinstance(value, list) for value in values)
        message[key] = (
            joined_calls(objects_in(values)) if calls else joined(key, values, grows=True)
        )
    # A stream may name no role, or an empty one on every delta.
    return message | {"role": message["role"] or "assistant"}

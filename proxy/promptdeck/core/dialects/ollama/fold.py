"""The answer that the lines of a stream of Ollama's add up to.

Each line is an answer of its own, whose texts go on from line to line, and whose calls come one
after the other; the last has the counts.
"""

from collections.abc import Iterable

from promptdeck.core.dialects.pieces import as_object
from promptdeck.core.text.jsontext import JSONObject

# Texts that go on: of `/api/chat` in a message, of `/api/generate` at the top.
TEXTS = ("thinking", "content", "response")
# Lists that grow.
LISTS = ("tool_calls", "logprobs")


def fold(pieces: Iterable[JSONObject]) -> JSONObject:
    """The answer that the pieces of a stream add up to."""
    answer: JSONObject = {}
    for piece in pieces:
        message = piece.get("message")
        if isinstance(message, dict):
            whole = {**as_object(answer.get("message"))}
            _grow(whole, message)
            piece = piece | {"message": whole}
        _grow(answer, piece)
    return answer


def _grow(whole: JSONObject, told: JSONObject) -> None:
    """Add members to an object: texts go on, lists grow, of all else the last word counts."""
    for key, item in told.items():
        old = whole.get(key)
        if key in TEXTS and isinstance(old, str) and isinstance(item, str):
            whole[key] = old + item
        elif key in LISTS and isinstance(old, list) and isinstance(item, list):
            whole[key] = [*old, *item]
        elif item is not None or key not in whole:
            whole[key] = item

"""An answer of Ollama's dealt out as the lines of a stream, word by word; `fold` gives it back."""

from collections.abc import Iterator

from promptdeck.core.dialects.pieces import Deals, words
from promptdeck.core.text.jsontext import JSON, JSONObject

from .fold import TEXTS

_ON_EACH = ("model", "remote_model", "remote_host", "created_at")


def cut(answer: JSONObject, deal: Deals = words) -> list[JSONObject]:
    """The pieces of a stream that folds into `answer`, whose texts `deal` cuts.

    The last has all that is no text.
    """
    named = {key: answer[key] for key in _ON_EACH if key in answer}
    going_on: JSONObject = {"done": False} if "done" in answer else {}
    message = answer.get("message")
    pieces: list[JSONObject] = []
    last = {**answer}
    if isinstance(message, dict):
        role = {"role": message["role"]} if "role" in message else {}
        # A client that reads `message.content` of each line must find it there.
        empty = {"content": ""} if isinstance(message.get("content"), str) else {}
        rest = {**message}
        pieces += (
            {**named, "message": {**role, **empty, **one}, **going_on} for one in _dealt(rest, deal)
        )
        last["message"] = rest
    empty = {"response": ""} if isinstance(answer.get("response"), str) else {}
    pieces += ({**named, **empty, **one, **going_on} for one in _dealt(last, deal))
    return [*pieces, last]


def _dealt(holder: JSONObject, deal: Deals) -> Iterator[JSONObject]:
    """The texts of an object in pieces, and its calls one by one; it is left with none of them."""
    for key in TEXTS:
        text: JSON = holder.get(key)
        if isinstance(text, str):
            holder[key] = ""
            yield from ({key: word} for word in deal(text))
    calls = holder.get("tool_calls")
    if isinstance(calls, list) and calls:
        holder["tool_calls"] = []
        yield from ({"tool_calls": [call]} for call in calls)

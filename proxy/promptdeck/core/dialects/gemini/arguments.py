"""Arguments of calls that come piece by piece, as Vertex streams them where it is asked to.

https://cloud.google.com/vertex-ai/generative-ai/docs/multimodal/function-calling, "Streaming
function call arguments": each piece has a JSON path and a value; texts go on while they say so.
"""

import re
from collections.abc import Sequence

from promptdeck.core.dialects.pieces import as_list, as_object
from promptdeck.core.text.jsontext import JSON, JSONObject

_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]|\['((?:[^'\\]|\\.)*)'\]")
_VALUES = ("stringValue", "numberValue", "boolValue")
# More items than arguments have: an index is no reason to make a list of a billion.
_MOST = 10_000


def joined_arguments(parts: Sequence[JSON]) -> list[JSON]:
    """Parts in which a call with `partialArgs` has those of the parts that go on with it."""
    joined: list[JSON] = []
    under_way = False
    for part in parts:
        call = as_object(as_object(part).get("functionCall"))
        # What goes on has no name: `{}` ends it.
        if under_way and "functionCall" in as_object(part) and not call.get("name"):
            begun = joined[-1]["functionCall"]
            add(begun["args"], as_list(call.get("partialArgs")))
        elif "partialArgs" in call or call.get("willContinue"):
            kept = {k: v for k, v in call.items() if k not in ("partialArgs", "willContinue")}
            kept["args"] = {**as_object(call.get("args"))}
            add(kept["args"], as_list(call.get("partialArgs")))
            joined.append({**part, "functionCall": kept})
        else:
            joined.append(part)
            under_way = False
            continue
        under_way = call.get("willContinue") is True
    return joined


def add(arguments: JSONObject, pieces: Sequence[JSON]) -> None:
    """Put the values of pieces into arguments, each at its path; what has none is left out."""
    for piece in map(as_object, pieces):
        path = [name or quoted or int(at) for name, at, quoted in _STEP.findall(_path(piece))]
        value = next((piece[key] for key in _VALUES if key in piece), None)
        if path and isinstance(path[0], str):
            _put(arguments, path, value)


def _path(piece: JSONObject) -> str:
    path = piece.get("jsonPath")
    return path if isinstance(path, str) else ""


def _put(holder: JSON, path: Sequence[str | int], value: JSON) -> None:
    """Put a value at a path, making what is missing on the way; a text goes on with another."""
    step, rest = path[0], path[1:]
    if isinstance(holder, list) and isinstance(step, int) and step < _MOST:
        holder.extend([None] * (step + 1 - len(holder)))
        old = holder[step]
    elif isinstance(holder, dict) and isinstance(step, str):
        old = holder.get(step)
    else:
        return
    if rest:
        if not isinstance(old, dict | list):
            holder[step] = old = [] if isinstance(rest[0], int) else {}
        _put(old, rest, value)
    else:
        holder[step] = old + value if isinstance(old, str) and isinstance(value, str) else value

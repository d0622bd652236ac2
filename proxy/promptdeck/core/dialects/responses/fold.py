"""The response that a stream of events adds up to, as it would have come without `stream`.

The last event holds all of it; some servers leave out there what they have streamed, and a
stream may be read that has no last event. So items are put together as their events come.
"""

from collections.abc import Iterable, Mapping

from promptdeck.core.dialects.pieces import OTHER_EVENTS, as_list, as_object, index_of, typed
from promptdeck.core.text.jsontext import JSON, JSONObject

ENDS = ("response.completed", "response.incomplete", "response.failed")

# By the type of an event without its `response.` and its `.delta` or `.done`: the list in the
# item in which its text stands, with the name of the number that says where, and the text's key.
_TEXTS: Mapping[str, tuple[str, str, str]] = {
    "output_text": ("content", "content_index", "text"),
    "refusal": ("content", "content_index", "refusal"),
    "reasoning_text": ("content", "content_index", "text"),
    "reasoning_summary_text": ("summary", "summary_index", "text"),
    "function_call_arguments": ("", "", "arguments"),
    "mcp_call_arguments": ("", "", "arguments"),
    "custom_tool_call_input": ("", "", "input"),
    "code_interpreter_call_code": ("", "", "code"),
}
# The parts of an item's lists.
_PARTS: Mapping[str, tuple[str, str]] = {
    "content_part": ("content", "content_index"),
    "reasoning_summary_part": ("summary", "summary_index"),
}


def fold(frames: Iterable[bytes]) -> JSONObject:
    """The response that a stream's frames add up to; an empty object where they have none.

    Unfaithful if the data of an event is no JSON, or not without loss.
    """
    response: JSONObject = {}
    items: dict[int, JSONObject] = {}
    others: list[JSON] = []
    for kind, value in typed(frames):
        if isinstance(told := value.get("response"), dict):
            response = told
        elif kind.startswith("response.output_item."):
            # An item's id may be another when it is done: its place tells which it is.
            items[index_of(value, len(items), "output_index")] = {**as_object(value.get("item"))}
        elif (index := index_of(value, 0, "output_index")) in items:
            _grow(items[index], kind.removeprefix("response."), value)
        if not (isinstance(told, dict) or _is_known(kind)):
            others.append(value)
    output = [items[index] for index in sorted(items)]
    if output and not response.get("output"):
        response = {**response, "output": output}
    if others and response:
        before = as_list(response.get(OTHER_EVENTS))
        response = {**response, OTHER_EVENTS: [*before, *others]}
    return response


# Steps of an item that is under way, whose end tells all that there was to them.
_STEPS = frozenset(
    """in_progress searching generating interpreting completed failed incomplete queued added done
    partial_image""".split()
)
_BESIDE = frozenset(["error", "ping", "keepalive", "response.audio.delta"])


def _is_known(kind: str) -> bool:
    """True for the type of an event that tells nothing which is not in the response, too."""
    if not kind.startswith("response."):
        return kind in _BESIDE
    what, _, step = kind.removeprefix("response.").rpartition(".")
    return kind in _BESIDE or step in _STEPS or what in _TEXTS or what == "audio.transcript"


def place_of(kind: str) -> tuple[str, str, str] | None:
    """Where the text of an event stands in its item, as `_TEXTS` has it."""
    return _TEXTS.get(kind.removeprefix("response.").rpartition(".")[0])


def _grow(item: JSONObject, kind: str, value: JSONObject) -> None:
    """Add what an event tells of an item that is under way."""
    what, _, step = kind.rpartition(".")
    if what in _TEXTS:
        place, number, key = _TEXTS[what]
        holder = _part(item, place, value.get(number)) if place else item
        told, old = value.get("delta" if step == "delta" else key), holder.get(key)
        if isinstance(told, str):
            holder[key] = (old if isinstance(old, str) else "") + told if step == "delta" else told
        if step == "delta" and (tokens := as_list(value.get("logprobs"))):
            holder["logprobs"] = [*as_list(holder.get("logprobs")), *tokens]
    elif what in _PARTS and isinstance(part := value.get("part"), dict):
        place, number = _PARTS[what]
        holder = _part(item, place, value.get(number))
        holder.clear()
        holder.update(part)
    elif what == "output_text.annotation":
        holder = _part(item, "content", value.get("content_index"))
        holder["annotations"] = [*as_list(holder.get("annotations")), value.get("annotation")]


# More parts than any item has: an index is no reason to make a list of a billion.
_MOST = 10_000


def _part(item: JSONObject, place: str, index: object) -> JSONObject:
    """A part of an item by its number, made if it is not there; of none in vain."""
    if not isinstance(index, int) or not 0 <= index < _MOST:
        return {}
    parts = item[place] = as_list(item.get(place))
    parts.extend({} for _ in range(index + 1 - len(parts)))
    if not isinstance(parts[index], dict):
        parts[index] = {}
    part: JSONObject = parts[index]
    return part

"""The answer that a stream of Cohere's adds up to, as it would have come without `stream`.

By https://docs.cohere.com/reference/chat-stream: a message begins empty; its plan goes on at
once, its blocks, calls and citations one by one under a number each.
"""

from collections.abc import Iterable
from copy import deepcopy

from promptdeck.core.dialects.pieces import OTHER_EVENTS, as_list, as_object, index_of, typed
from promptdeck.core.text.jsontext import JSON, JSONObject

# What goes on from event to event, of a message, a block or a call's function.
_GROWING = frozenset(["tool_plan", "text", "thinking", "arguments"])
# What the events are called that begin or go on with one of a list, and where it stands.
_LISTED = {"content": "content", "tool-call": "tool_calls", "citation": "citations"}
_ENVELOPE = frozenset(["type", "delta", "index"])


def fold(frames: Iterable[bytes]) -> JSONObject:
    """The answer that a stream's frames add up to. Unfaithful if the data of one is no JSON."""
    answer = _Building()
    for kind, value in typed(frames):
        answer.add(kind, value)
    return answer.whole()


class _Building:
    """An answer whose events come one by one."""

    def __init__(self) -> None:
        self._told: JSONObject = {}
        self._message: JSONObject = {}
        self._listed: dict[str, dict[int, JSON]] = {key: {} for key in _LISTED.values()}
        self._others: list[JSON] = []

    def add(self, kind: str, value: JSONObject) -> None:
        """Add an event of this type."""
        delta = as_object(value.get("delta"))
        message = as_object(delta.get("message"))
        beside = {key: item for key, item in value.items() if key not in _ENVELOPE}
        what, _, step = kind.rpartition("-")
        if kind == "message-start":
            self._told = beside | self._told
            self._message = {**message}
            if isinstance(delta.get("message"), dict):
                self._told["message"] = self._message
        elif kind == "message-end":
            self._told = beside | self._told | delta
        elif kind == "tool-plan-delta":
            self._told["message"] = self._message
            _grow(self._message, {"tool_plan": message.get("tool_plan")})
        elif what in _LISTED:
            self._told["message"] = self._message
            self._add_item(_LISTED[what], step, value, message.get(_LISTED[what]))
        else:
            self._others.append(value)

    def _add_item(self, key: str, step: str, value: JSONObject, item: JSON) -> None:
        """Begin one of a list, or go on with it."""
        items = self._listed[key]
        index = index_of(value, max(items, default=0))
        if step == "start":
            items[index] = deepcopy(item)
        elif step == "delta":
            _grow_item(items, index, as_object(item))
        if "logprobs" in value:
            tokens = as_list(self._told.get("logprobs"))
            self._told["logprobs"] = [*tokens, value["logprobs"]]

    def whole(self) -> JSONObject:
        """All that the events add up to."""
        for key, items in self._listed.items():
            if items:
                self._message[key] = [items[index] for index in sorted(items)]
        return self._told | ({OTHER_EVENTS: self._others} if self._others else {})


def _grow_item(items: dict[int, JSON], index: int, told: JSONObject) -> None:
    """Add what an event tells of a block, or of a call and its function."""
    whole = items.get(index)
    if not isinstance(whole, dict):
        whole = items[index] = {}
    function = told.get("function")
    _grow(whole, {key: item for key, item in told.items() if key != "function"})
    if isinstance(function, dict):
        if not isinstance(whole.get("function"), dict):
            whole["function"] = {}
        _grow(whole["function"], function)


def _grow(whole: JSONObject, told: JSONObject) -> None:
    """Add members to an object: texts go on, of all else the last word counts."""
    for key, item in told.items():
        old = whole.get(key)
        if key in _GROWING and isinstance(old, str) and isinstance(item, str):
            whole[key] = old + item
        elif item is not None or key not in whole:
            whole[key] = item

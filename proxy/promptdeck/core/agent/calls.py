"""The calls of one turn: whose each is, what it is called with, and which waits for which."""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from promptdeck.core.dialects.base import value_of
from promptdeck.core.dialects.pieces import as_list, as_object
from promptdeck.core.text.jsontext import JSON, JSONObject

from .offering import Offered


class Called(NamedTuple):
    """A call as the model made it, of a server's tool or of nobody's."""

    id: str
    name: str
    """As the model called it."""
    tool: Offered | None
    """None for a name that was offered by nobody."""
    arguments: JSONObject
    wrong: str = ""
    """Why it cannot be called, in words for the model; empty where it can."""


class Divided(NamedTuple):
    """The calls of a turn by whose they are, as the model made them."""

    ours: tuple[Called, ...]
    """Those of servers' tools, and of no one's."""
    clients: tuple[JSONObject, ...]
    waiting: frozenset[str]
    """The ids of those of ours that wait for one of the client's."""
    before: Mapping[str, tuple[str, ...]]
    """The ids of the calls that each waits for."""


# After these what the model wrote is not all that it meant to.
_CUT = frozenset(["length", "content_filter"])


def calls_in(choice: JSONObject) -> list[JSONObject]:
    """The calls in an answer's choice: whole ones, whatever its finish reason; none if it was cut.

    Providers say `stop` or what they like beside calls (mastra#11182).
    """
    if choice.get("finish_reason") in _CUT:
        return []
    calls = as_list(as_object(choice.get("message")).get("tool_calls"))
    return [one for one in calls if isinstance(one, dict)]


def divided(
    calls: Sequence[JSONObject], tools: Mapping[str, Offered], clients: Collection[str]
) -> Divided:
    """The calls of a turn by whose they are. `clients` are the names of the client's own tools."""
    ours, others = [], []
    for one in calls:
        name = _name(one)
        if name in clients and name not in tools:
            others.append(one)
        else:
            ours.append(_called(one, tools.get(name)))
    before = _dependencies(calls)
    asked = {str(one.get("id")) for one in others}
    waiting: set[str] = set()
    while more := {
        one.id
        for one in ours
        if one.id not in waiting and not {*before[one.id]}.isdisjoint(asked | waiting)
    }:
        waiting |= more
    return Divided(tuple(ours), tuple(others), frozenset(waiting), before)


def _name(call: JSONObject) -> str:
    for kind in ("function", "custom"):
        if isinstance(name := as_object(call.get(kind)).get("name"), str):
            return name
    return ""


def _called(call: JSONObject, tool: Offered | None) -> Called:
    name, found = _name(call), str(call.get("id"))
    if tool is None:
        return Called(found, name, None, {}, f"there is no tool called {name}")
    text = as_object(call.get("function")).get("arguments")
    arguments = arguments_in(text)
    if arguments is None:
        return Called(found, name, tool, {}, f"the arguments of {name} are no JSON object: {text}")
    return Called(found, name, tool, arguments)


def arguments_in(text: JSON) -> JSONObject | None:
    """The arguments that a model wrote: an object, `{}` for nothing at all; None for no object."""
    if isinstance(text, dict):
        return text
    if text is None or not str(text).strip():
        return {}
    value = value_of(str(text).encode("utf-8", "surrogatepass"))
    return value if isinstance(value, dict) else None


def _dependencies(calls: Sequence[JSONObject]) -> dict[str, tuple[str, ...]]:
    """The calls that each waits for, as the model says; none at all where they go in a circle.

    Ids that no call has are passed over, as Dedalus's own scheduler does.
    """
    known = {str(one.get("id")) for one in calls}
    before = {
        str(one.get("id")): tuple(
            dict.fromkeys(
                name
                for name in as_list(one.get("dependencies"))
                if isinstance(name, str) and name in known and name != one.get("id")
            )
        )
        for one in calls
    }
    left = dict(before)
    while free := [name for name, those in left.items() if not any(one in left for one in those)]:
        for name in free:
            del left[name]
    return dict.fromkeys(before, ()) if left else before


def in_order(
    calls: Sequence[JSONObject], before: Mapping[str, tuple[str, ...]]
) -> list[JSONObject]:
    """Calls, each behind those that it waits for, else as the model made them."""
    done: list[JSONObject] = []
    left = list(calls)
    while left:
        names = {str(one.get("id")) for one in left}
        ready = [one for one in left if names.isdisjoint(before.get(str(one.get("id")), ()))]
        done += ready
        left = [one for one in left if one not in ready] if ready else []
    return done

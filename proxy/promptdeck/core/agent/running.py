"""A run from its request to its answer: what the model is asked next, which calls are made.

No step waits for anything. Whoever drives a run asks the model what `question` says, tells the
answer to `answered`, makes the calls that this returns, tells what they `gave`, and goes on so
until a turn brings no calls; then `ending` is what the last answer is given with.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import xxhash

from promptdeck.core.dialects.mcp.results import is_failure, text_in, value_in
from promptdeck.core.dialects.pieces import as_list, as_object, objects_in
from promptdeck.core.text.jsontext import JSON, JSONObject, compact

from . import history
from .asked import OWN_FIELDS, Wish
from .calls import Called, Divided, arguments_in, calls_in, divided, in_order
from .functions import as_function_call, as_tools, wants_functions
from .history import Issued
from .offering import Offered, choice_of


class Gave(NamedTuple):
    """What a call gave."""

    result: JSONObject
    """As MCP has it: `content`, maybe `structuredContent`, `isError`."""
    took_ms: int = 0


class HandedOver(NamedTuple):
    """A turn whose calls are left to the client: what has to be remembered until it comes back."""

    id: str
    """The handoff's, for a client that sends it back; empty where it is told of none."""
    message: JSONObject
    """The model's, with all its calls."""
    results: Mapping[str, str]
    """What calls of ours gave, by their ids."""


class Ending(NamedTuple):
    """What an answer is given with, beside what the model said."""

    extras: JSONObject
    """Members of the answer, or of the chunk with its finish reason."""
    calls: tuple[JSONObject, ...]
    """The calls that the client is to make."""
    finish_reason: str | None
    usage: JSONObject | None
    """The sum over all turns."""
    left: HandedOver | None
    cut_short: bool = False
    """True where no turn was left for what the model still wanted called."""
    function: JSONObject | None = None
    """The one call that the client is to make, where it knows functions alone."""


class Running:
    """One run. `key` is the request's fingerprint, of which a handoff's id is made.

    `tools` are those offered, by the names that the model gets; `errors` why servers offer none,
    as the answer has it. `issued` knows calls that were left to clients before.
    """

    def __init__(
        self,
        body: JSONObject,
        wish: Wish,
        tools: Mapping[str, Offered],
        errors: Mapping[str, JSONObject],
        issued: Issued,
        key: str,
    ) -> None:
        self._in_functions = wants_functions(body)
        body = as_tools(body)
        self._wish = wish
        self._tools = tools
        self._errors = errors
        self._key = key
        self._clients = names_of(body.get("tools"))
        self._base = _base_of(body, tools)
        self._messages = history.completed(as_list(body.get("messages")), issued)
        self._turns = 0
        self._usage: JSONObject | None = None
        self._message: JSONObject = {}
        self._choice: JSONObject = {}
        self._divided: Divided | None = None
        self._cut_short = False
        self._now: tuple[Called, ...] = ()
        self._given: dict[str, Gave] = {}
        self._executed: list[tuple[Called, Gave]] = []

    def deferred(self) -> tuple[Called, ...]:
        """The calls that were left for later and come first now; `late` takes what they gave."""
        found = []
        for one in self._wish.deferred:
            name = str(one.get("name"))
            tool = self._tools.get(name) or next(
                (offer for offer in self._tools.values() if offer.tool == name), None
            )
            wrong = "" if tool else f"there is no tool called {name}"
            arguments = arguments_in(one.get("arguments")) or {}
            found.append(Called(str(one.get("id")), name, tool, arguments, wrong))
        return tuple(found)

    def late(self, given: Sequence[Gave]) -> None:
        """Take what the calls that were left for later gave, in their order."""
        for called, told, gave in zip(self.deferred(), self._wish.deferred, given, strict=True):
            after = [one for one in as_list(told.get("dependencies")) if isinstance(one, str)]
            call = {
                "id": called.id,
                "type": "function",
                "function": {
                    "name": called.name,
                    "arguments": compact(called.arguments).decode(),
                },
            }
            self._messages = history.with_late(self._messages, call, after, text_in(gave.result))
            self._note(called, gave)

    @property
    def unanswered(self) -> list[str]:
        """The ids of calls in the history of which nobody says what they gave."""
        return history.unanswered(self._messages)

    def question(self) -> JSONObject:
        """The body of the next request to the model."""
        return {**self._base, "messages": self._messages}

    def answered(self, completion: JSONObject) -> tuple[Called, ...]:
        """Take the model's answer, whole; returns the calls to be made now, none at the end."""
        self._turns += 1
        self._usage = summed(self._usage, completion.get("usage"))
        self._choice = next(iter(objects_in([completion.get("choices")])), {})
        self._message = as_object(self._choice.get("message"))
        self._given, self._now, self._divided, self._cut_short = {}, (), None, False
        calls = calls_in(self._choice)
        if not (calls and self._wish.runs):
            return ()
        parts = self._divided = divided(calls, self._tools, self._clients)
        # Those that wait for the client's are for later, or for a turn in which it has been asked.
        ready = tuple(one for one in parts.ours if one.id not in parts.waiting)
        last = self._turns >= self._wish.turns
        handed = self._wish.structured and parts.clients
        if last and not handed and parts.ours:
            self._cut_short = True
            return ()
        self._now = ready if handed or not parts.clients else parts.ours
        return self._now

    @property
    def goes_on(self) -> bool:
        """True once the calls have given, if the model is to be asked again."""
        if not self._now or self._divided is None:
            return False
        return not (self._wish.structured and self._divided.clients)

    def gave(self, given: Sequence[Gave]) -> None:
        """Take what the calls gave, in the order of the calls whichever ended first."""
        for called, gave in zip(self._now, given, strict=True):
            self._given[called.id] = gave
            self._note(called, gave)
        if self.goes_on:
            ids = [one.id for one in self._now]
            message = history.with_calls_only(self._message, ids)
            texts = {name: text_in(gave.result) for name, gave in self._given.items()}
            self._messages = history.after(self._messages, message, texts)
            if _forces(self._base.get("tool_choice")):
                self._base = {**self._base, "tool_choice": "auto"}

    def _note(self, called: Called, gave: Gave) -> None:
        if called.tool:
            self._executed.append((called, gave))

    def ending(self) -> Ending:
        """What the last answer is given with."""
        parts, cut_short = self._divided, self._cut_short
        extras: JSONObject = {}
        if self._executed:
            extras["tools_executed"] = [one.tool.tool for one, _ in self._executed if one.tool]
            extras["mcp_tool_results"] = [_told(*pair) for pair in self._executed]
        if self._errors:
            extras["mcp_server_errors"] = dict(self._errors)
        left = None
        if parts is None or cut_short:
            calls = calls_in(self._choice)
            left = HandedOver("", self._message, {}) if calls and not cut_short else None
        else:
            calls = list(parts.clients)
            left = self._left(parts) if calls else None
            if left and left.id:
                extras |= self._handed(parts, left.id)
        extras["turns_consumed"] = self._turns
        reason = self._choice.get("finish_reason")
        bare = tuple(
            {key: item for key, item in one.items() if key != "dependencies"} for one in calls
        )
        function = as_function_call(bare[0]) if self._in_functions and bare else None
        if function:
            bare, reason = (), "function_call"
        return Ending(extras, bare, reason, self._usage, left, cut_short, function)

    def _left(self, parts: Divided) -> HandedOver:
        """What is remembered of a turn that ends with calls of the client's."""
        results = {name: text_in(gave.result) for name, gave in self._given.items()}
        if not (self._wish.structured and parts.ours):
            # All of it is the client's: an ordinary answer.
            return HandedOver("", self._message, results)
        ids = ",".join(str(one.get("id")) for one in calls_in(self._choice))
        digest = xxhash.xxh3_64_hexdigest(f"{self._key}\n{ids}".encode())
        return HandedOver(self._wish.correlation or f"hs_{digest}", self._message, results)

    def _handed(self, parts: Divided, correlation: str) -> JSONObject:
        """The members that tell a client what it is to do, what was done, and what waits for it."""
        before = parts.before
        pending = [
            {
                "id": one.get("id"),
                "name": _name_of(one),
                "arguments": arguments_in(as_object(one.get("function")).get("arguments")) or {},
                "dependencies": list(before[str(one.get("id"))]),
            }
            for one in in_order(parts.clients, before)
        ]
        asked = {str(one.get("id")) for one in parts.clients}
        deferred = [
            {
                "id": one.id,
                "name": one.name,
                "arguments": one.arguments,
                "venue": "server",
                "dependencies": list(before[one.id]),
                "blocked_by": [name for name in before[one.id] if name in asked | parts.waiting],
            }
            for one in parts.ours
            if one.id in parts.waiting
        ]
        results = {one.id: value_in(self._given[one.id].result) for one in self._now}
        return {
            "pending_tools": pending,
            **({"server_results": results} if results else {}),
            **({"deferred": deferred} if deferred else {}),
            "correlation_id": correlation,
        }


def _base_of(body: JSONObject, tools: Mapping[str, Offered]) -> JSONObject:
    """What is asked of the model in each turn, but for the messages."""
    base = {key: item for key, item in body.items() if key not in OWN_FIELDS and key != "messages"}
    offers = [*as_list(body.get("tools")), *(one.spec for one in tools.values())]
    if offers:
        base["tools"] = offers
    else:
        # Providers refuse a choice of tools without any.
        for key in ("tools", "tool_choice", "parallel_tool_calls"):
            base.pop(key, None)
    if "tool_choice" in base:
        base["tool_choice"] = choice_of(base["tool_choice"], tools)
    return base


def names_of(tools: JSON) -> set[str]:
    """The names of a request's own tools."""
    return {name for one in as_list(tools) if (name := _name_of(one))}


def _name_of(tool: JSON) -> str:
    """The name of a client's tool, or of a call of one, of either kind."""
    one = as_object(tool)
    for kind in ("function", "custom"):
        if isinstance(name := as_object(one.get(kind)).get("name"), str):
            return name
    return ""


def _forces(choice: JSON) -> bool:
    """True for a choice of tools that has some tool called: again and again, were it kept."""
    if isinstance(choice, dict):
        return choice.get("type") not in ("auto", "none", "allowed_tools")
    return choice in ("required", "any")


def _told(called: Called, gave: Gave) -> JSONObject:
    """A call and its result as the client gets it."""
    tool = called.tool
    return {
        "tool_name": tool.tool if tool else called.name,
        "server_name": tool.server if tool else "",
        "arguments": called.arguments,
        "is_error": is_failure(gave.result),
        "result": value_in(gave.result),
        "duration_ms": gave.took_ms,
    }


def summed(one: JSON, other: JSON) -> JSON:
    """Two counts of tokens as one: numbers added up, details too; what is no number, the last."""
    if isinstance(one, dict) and isinstance(other, dict):
        return {key: summed(one.get(key), other.get(key)) for key in {**one, **other}}
    if _is_number(one) and _is_number(other):
        return one + other
    return one if other is None else other


def _is_number(value: JSON) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)

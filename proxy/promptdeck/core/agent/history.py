"""What the model is told of the turns before: every call with its result, in the order of calls.

A provider refuses a history in which a call has no result, or a result no call.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from promptdeck.core.dialects.pieces import as_list, as_object
from promptdeck.core.text.jsontext import JSON, JSONObject


class Issued(Protocol):
    """What is remembered of turns whose calls were left to clients."""

    def turn_of(self, call: str) -> JSONObject | None:
        """The assistant's message, with all its calls, that has a call of this id."""

    def result_of(self, call: str) -> str | None:
        """What a call of ours gave, as the model is told."""


def after(messages: Sequence[JSON], message: JSONObject, results: Mapping[str, str]) -> list[JSON]:
    """A history that goes on: the model's message as it came, and the results of its calls.

    `message` has just the calls that there are results of. What only a run reads is left out.
    """
    calls = [one for one in as_list(message.get("tool_calls")) if isinstance(one, dict)]
    kept = [{key: item for key, item in one.items() if key != "dependencies"} for one in calls]
    told = [result(str(one.get("id")), results[str(one.get("id"))]) for one in calls]
    return [*messages, {**_without_nulls(message), "tool_calls": kept}, *told]


def _without_nulls(message: JSONObject) -> JSONObject:
    """A message that goes back: a null that its answer must have is none that a request may."""
    return {key: item for key, item in message.items() if item is not None or key == "content"}


def result(call: str, text: str) -> JSONObject:
    """The message that tells what a call gave."""
    return {"role": "tool", "tool_call_id": call, "content": text}


def with_calls_only(message: JSONObject, kept: Sequence[str]) -> JSONObject:
    """A message of the model's with none but these calls."""
    calls = as_list(message.get("tool_calls"))
    return {**message, "tool_calls": [one for one in calls if as_object(one).get("id") in kept]}


def completed(messages: Sequence[JSON], issued: Issued) -> list[JSON]:
    """A history that a client sends back, with the calls and results that it was not told of.

    An assistant's message gets all the calls that the model made, and each call its result: ours
    where the call was ours. Results without the message that they answer, as Dedalus's runner
    0.3.0 streams them, get that in front.
    """
    done: list[JSON] = []
    at = 0
    while at < len(messages):
        message = messages[at]
        end = at + 1
        if _role(message) == "tool":
            end = at
        elif not _calls(message):
            done.append(message)
            at = end
            continue
        while end < len(messages) and _role(messages[end]) == "tool":
            end += 1
        results = [as_object(one) for one in messages[at:end] if _role(one) == "tool"]
        head = None if _role(message) == "tool" else as_object(message)
        done += _turn(head, results, issued)
        at = end
    return done


def _turn(head: JSONObject | None, results: Sequence[JSONObject], issued: Issued) -> list[JSON]:
    """One turn with calls and the results that the client sends of it."""
    given = {str(one.get("tool_call_id")): one for one in results}
    ids = [*_calls(head), *given] if head else [*given]
    whole = next((turn for one in ids if (turn := issued.turn_of(one))), None)
    if whole is None:
        return [*([head] if head else []), *results]
    calls = [one for one in as_list(whole.get("tool_calls")) if isinstance(one, dict)]
    told: list[JSON] = []
    kept = []
    for call in calls:
        name = str(call.get("id"))
        ours = issued.result_of(name)
        if ours is not None:
            told.append(result(name, ours))
        elif name in given:
            told.append(given[name])
        else:
            continue
        kept.append({key: item for key, item in call.items() if key != "dependencies"})
    known = {str(call.get("id")) for call in calls}
    others = [one for name, one in given.items() if name not in known]
    base = {**_without_nulls(whole), **({} if head is None else head)}
    return [{**base, "tool_calls": kept}, *told, *others]


def unanswered(messages: Sequence[JSON]) -> list[str]:
    """The ids of calls whose results are not behind them."""
    waiting: list[str] = []
    for one in messages:
        waiting += _calls(one)
        if (answered := as_object(one).get("tool_call_id")) in waiting:
            waiting.remove(str(answered))
    return waiting


def ids_in(messages: JSON) -> frozenset[str]:
    """The ids of all calls that a history has, or has results of."""
    found = []
    for one in as_list(messages):
        found += [*_calls(one), str(as_object(one).get("tool_call_id"))]
    return frozenset(found)


def _role(message: JSON) -> JSON:
    return as_object(message).get("role")


def _calls(message: JSON) -> list[str]:
    """The ids of the calls in a message."""
    return [str(as_object(one).get("id")) for one in as_list(as_object(message).get("tool_calls"))]


def with_late(
    messages: Sequence[JSON], call: JSONObject, after: Sequence[str], text: str
) -> list[JSON]:
    """A history with a call that was left for later, in the turn in which the model made it.

    That is the turn of the calls that it waited for; where none is there it comes last.
    """
    done = list(messages)
    for at, message in enumerate(done):
        names = _calls(message)
        if call["id"] in names or not set(after).isdisjoint(names):
            calls = as_list(as_object(message).get("tool_calls"))
            if call["id"] not in names:
                done[at] = {**as_object(message), "tool_calls": [*calls, call]}
            end = at + 1
            while end < len(done) and _role(done[end]) == "tool":
                end += 1
            return [*done[:end], result(call["id"], text), *done[end:]]
    head = {"role": "assistant", "content": None, "tool_calls": [call]}
    return [*done, head, result(call["id"], text)]

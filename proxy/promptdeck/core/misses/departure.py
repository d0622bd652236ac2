"""Where a run departs from a recorded one: at which step, what led there, what came next there.

An agent sends all that was said with each request, so that the turn before a request is the
recording whose conversation is the beginning of the request's own. Requests are given by
their canonical forms.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from promptdeck.core.text.jsontext import JSON, render
from promptdeck.core.text.wording import cut

from .differences import FormParts

_LISTS = ("messages", "input", "contents")
"""What protocols call the list of what was said."""
_SHOWN = 160


@dataclass(frozen=True, slots=True)
class Departure:
    """A request inside a known run that is not recorded, although the turn before it is."""

    step: int
    """The number of the request in its run, from 1."""
    parent: str
    """The recording of the turn before."""
    asked: str
    """The first that was said otherwise since, as this run has it."""
    recorded: str
    """What the recorded run has in its place; empty where it ended there."""
    then: str
    """What the recorded run said after that; empty where nothing more is recorded."""

    def details(self) -> dict[str, Any]:
        """The departure as JSON, for a program."""
        return {
            "step": self.step,
            "parent": self.parent,
            "asked": self.asked,
            "recorded": self.recorded,
            "then": self.then,
        }

    def lines(self) -> list[str]:
        """The departure for people."""
        found = [f"Departs from a recorded run at step {self.step}, after {self.parent}:"]
        found.append(f"  this run       {self.asked}")
        found.append(f"  recorded run   {self.recorded or 'ends there'}")
        return [*found, f"  and then       {self.then}"] if self.then else found


def departure(asked: bytes, recorded: Iterable[tuple[str, bytes]]) -> Departure | None:
    """The place where a request departs from a recorded run; None where it is in none.

    `recorded` are pairs of id and canonical form. A request that begins a run departs from
    none.
    """
    form = FormParts.read(asked)
    mine = _conversation(form.value)
    others: list[tuple[str, list[JSON]]] = []
    for name, other in recorded:
        parts = FormParts.read(other)
        said = _conversation(parts.value)
        if parts.endpoint == form.endpoint and said:
            others.append((name, said))
    before = [(name, said) for name, said in others if _is_turn_before(said, mine)]
    if not before:
        return None
    parent, said = max(before, key=lambda item: len(item[1]))
    further = [other for _, other in others if len(other) > len(said) and _begins(said, other)]
    best = max(further, key=lambda other: (_shared(mine, other), len(other)), default=said)
    at = _shared(mine, best)
    if at == len(mine):
        return None  # it says what was recorded, and differs elsewhere
    # Recordings of one turn, asked twice, are one step.
    step = len({len(item[1]) for item in before}) + 1
    return Departure(
        step,
        parent,
        told(mine[at]),
        told(best[at]) if at < len(best) else "",
        told(best[at + 1]) if at + 1 < len(best) else "",
    )


def _conversation(body: JSON) -> list[JSON]:
    """What was said in a request so far, in its order; nothing where it has no such list."""
    if isinstance(body, dict):
        for name in _LISTS:
            if isinstance(said := body.get(name), list):
                return said
    return []


def _is_turn_before(said: list[JSON], other: list[JSON]) -> bool:
    """True where a conversation goes on, in another, with the model's answer to it."""
    return len(said) < len(other) and _is_models(other[len(said)]) and _begins(said, other)


def _is_models(item: JSON) -> bool:
    """True for what a model said or called."""
    if not isinstance(item, dict):
        return False
    kind = item.get("type")
    calls = isinstance(kind, str) and (kind == "reasoning" or kind.endswith("_call"))
    return calls or item.get("role") in ("assistant", "model")


def _begins(said: list[JSON], other: list[JSON]) -> bool:
    return other[: len(said)] == said


def _shared(one: list[JSON], other: list[JSON]) -> int:
    """How many items two conversations have in common at their beginning."""
    count = 0
    for mine, theirs in zip(one, other, strict=False):
        if mine != theirs:
            break
        count += 1
    return count


def told(item: JSON) -> str:
    """One item of a conversation in a line: who, and what was said, called or answered."""
    if not isinstance(item, dict):
        return cut(_words(item), _SHOWN)
    who = item.get("role") or item.get("type") or "item"
    parts = [*_parts(item)]
    return cut(f"{who}: {' '.join(parts) or _words(item)}", _SHOWN)


def _parts(item: dict[str, JSON]) -> Iterable[str]:
    """What an item says, calls and answers, in whichever protocol."""
    content = item.get("content", item.get("parts", item.get("output")))
    for part in content if isinstance(content, list) else [content]:
        if isinstance(part, str):
            yield part
        elif isinstance(part, dict):
            yield from _part(part)
    calls = item.get("tool_calls")
    for call in calls if isinstance(calls, list) else ():
        if isinstance(call, dict) and isinstance(call.get("function"), dict):
            yield _call(call["function"], "arguments")
    if isinstance(item.get("name"), str) and "arguments" in item:
        yield _call(item, "arguments")


def _part(part: dict[str, JSON]) -> Iterable[str]:
    """What one part of a content says."""
    if isinstance(part.get("text"), str):
        yield part["text"]
    elif part.get("type") == "tool_use":
        yield _call(part, "input")
    elif isinstance(part.get("functionCall"), dict):
        yield _call(part["functionCall"], "args")
    elif "content" in part:
        yield from _parts(part)
    elif isinstance(part.get("functionResponse"), dict):
        yield _words(part["functionResponse"].get("response"))


def _call(call: dict[str, JSON], key: str) -> str:
    """A call as people write one: `read({"path": "a.txt"})`."""
    return f"{call.get('name')}({_words(call.get(key, {}))})"


def _words(value: JSON) -> str:
    return value if isinstance(value, str) else render(value, "spaced")

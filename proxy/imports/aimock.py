"""Fixtures of aimock: what a request must resemble and what to answer, not what was asked.

aimock keeps the last user message (matched as a part of the text), a model and
a turn; of the request's system message and tools it keeps digests, of all else
nothing, and the provider's answer only as its text. No recording can be made
of that without inventing a request. So each fixture is named, with what it
knows, for somebody who wants to record it anew.
"""

from collections.abc import Iterator

from proxy.core.jsontext import JSON

from .exchange import Imported, NotCarried, listed

_ANSWERS = ("content", "toolCalls", "blocks", "error", "embedding")


def read(text: str) -> Iterator[Imported | NotCarried]:
    """A reason for every fixture, in order. Unreadable for what is no fixture file."""
    for place, fixture in listed(text, "fixtures"):
        yield NotCarried(place, _reason(fixture))


def _reason(fixture: JSON) -> str:
    if not isinstance(fixture, dict):
        return "it is not laid out as expected: no JSON object"
    match, answer = fixture.get("match") or {}, fixture.get("response") or {}
    conditions = ", ".join(match) or "anything"
    kinds = ", ".join(key for key in _ANSWERS if key in answer) or "an answer"
    return (
        f"it holds a matcher ({conditions}) and {kinds}, not the request:"
        " record this call again with promptdeck"
    )

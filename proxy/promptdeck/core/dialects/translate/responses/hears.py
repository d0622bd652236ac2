"""A stream of `/v1/responses`, and its errors, as signals.

An item is known by its place in the output: some servers give it another id when it is done
(Copilot). Whatever is told again when a part or an item is done counts for what has not been told
before: some send a call's arguments only then (LM Studio), some send no deltas at all.
"""

from collections.abc import Iterable, Iterator

from promptdeck.core.dialects.base import value_of
from promptdeck.core.dialects.pieces import as_list, as_object
from promptdeck.core.dialects.translate.aim import Aim
from promptdeck.core.dialects.translate.broken import broken_of, cut_off, unreadable
from promptdeck.core.dialects.translate.neutral import (
    Finished,
    Metered,
    Opened,
    Signal,
    Usage,
)
from promptdeck.core.text import sse
from promptdeck.core.text.jsontext import JSON, JSONObject, Unfaithful, load

from .failing import broken_by
from .heard import HeardItems

_REASONS = {
    "max_output_tokens": "length",
    "max_messages": "length",
    "content_filter": "content_filter",
    "steered": "stop",
}


__all__ = ["ResponsesHearing", "broken_of"]


class ResponsesHearing:
    """One answer's events, heard in their order."""

    def __init__(self, aim: Aim) -> None:
        self._aim = aim
        self._items = HeardItems(aim)
        self._is_open = False
        self._is_over = False

    def hear(self, event: sse.Event) -> Iterable[Signal]:
        """The signals of an event; none of one that is not known, or comes after the end."""
        if self._is_over or event.data is None or event.data.strip() in ("", sse.DONE):
            return []
        try:
            value = load(event.data)
        except Unfaithful as error:
            # Half an emoji, whose other half comes with the next event, is read by another reader.
            value = value_of(event.data.encode())
            if not isinstance(value, dict):
                return self._over([unreadable(f"an event is no JSON ({error})")])
        if not isinstance(value, dict):
            return []
        kind = value.get("type")
        return list(self._heard(kind if isinstance(kind, str) else event.event, value))

    def end(self) -> Iterable[Signal]:
        """What is to be said of a body that has ended: that it was cut off, if it was."""
        return [] if self._is_over else self._over([cut_off("response.completed")])

    def _heard(self, kind: str, value: JSONObject) -> Iterator[Signal]:
        response = as_object(value.get("response"))
        if kind in ("error", "response.error"):
            yield from self._over([broken_by(as_object(value.get("error")) or value)])
            return
        if kind == "response.failed":
            yield from self._over([broken_by(as_object(response.get("error")))])
            return
        if not self._is_open and kind.startswith("response."):
            self._is_open = True
            yield self._opened(response)
        if kind in ("response.completed", "response.incomplete"):
            yield from self._over(self._finished(kind, response))
        else:
            yield from self._items.heard(kind, value)

    def _opened(self, response: JSONObject) -> Opened:
        name, model, created = (response.get(key) for key in ("id", "model", "created_at"))
        return Opened(
            name if isinstance(name, str) else "",
            model if isinstance(model, str) and model else self._aim.model,
            int(created) if isinstance(created, int | float) else None,
        )

    def _finished(self, kind: str, response: JSONObject) -> Iterator[Signal]:
        """The end: what of the output was not told before, the usage, the reason."""
        yield from self._items.rest(as_list(response.get("output")))
        if isinstance(usage := response.get("usage"), dict):
            yield Metered(_usage(usage))
        if kind == "response.completed":
            yield Finished("tool_calls" if self._items.calls else "stop", "completed")
            return
        why = as_object(response.get("incomplete_details")).get("reason")
        native = why if isinstance(why, str) else "incomplete"
        # An answer that is not complete for a reason that is not known is a part of one.
        yield Finished(_REASONS.get(native, "length"), native)  # type: ignore[arg-type]

    def _over(self, signals: Iterable[Signal]) -> Iterable[Signal]:
        told = list(signals)
        self._is_over = True
        return told


def _usage(usage: JSONObject) -> Usage:
    """The tokens that an answer cost: what the cache took is part of the input's here, too."""
    read = as_object(usage.get("input_tokens_details"))
    made = as_object(usage.get("output_tokens_details"))
    known = ("input_tokens", "output_tokens", "total_tokens")
    details = ("input_tokens_details", "output_tokens_details")
    prompt, completion, total = (_count(usage.get(name)) or 0 for name in known)
    return Usage(
        prompt,
        completion,
        total or prompt + completion,
        _count(read.get("cached_tokens")),
        _count(read.get("cache_write_tokens")),
        _count(made.get("reasoning_tokens")),
        {name: value for name, value in usage.items() if name not in (*known, *details)},
    )


def _count(value: JSON) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None

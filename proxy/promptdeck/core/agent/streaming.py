"""A run's answer as one stream, made of the streams of its turns; folded, as one message.

Text goes on as it comes. From a turn's first piece of a call on, what comes is held until the turn
has ended: only then is it known whose calls these are. There is one id, one role and one finish
reason, however many turns there were: clients end at the first (litellm#31910).
"""

from collections.abc import Iterable, Iterator

from promptdeck.core.dialects.chat.cut import cut
from promptdeck.core.dialects.chat.fold import fold
from promptdeck.core.dialects.pieces import as_object, chunk, objects_in
from promptdeck.core.text import sse
from promptdeck.core.text.jsontext import JSON, JSONObject, compact

from .running import Ending

_NAMING = ("id", "created", "model", "system_fingerprint", "service_tier")


class RunStream:
    """The chunks of a run. `usage` has the sum sent at the end, in a chunk of its own."""

    def __init__(self, *, usage: bool) -> None:
        self._usage = usage
        self._named: JSONObject = {}
        self._has_role = False
        self._held: list[JSONObject] | None = None

    def take(self, frame: bytes) -> Iterator[bytes]:
        """A frame of the turn's stream: the frames that the client gets of it, maybe none."""
        data = chunk(frame)
        if not data:
            return
        for key in _NAMING:
            if data.get(key) is not None:
                self._named.setdefault(key, data[key])
        for choice in objects_in([data.get("choices")]):
            yield from self._passed(data, choice)

    def _passed(self, data: JSONObject, choice: JSONObject) -> Iterator[bytes]:
        delta = {
            key: item
            for key, item in as_object(choice.get("delta")).items()
            if not (key == "role" and self._has_role)
        }
        if "tool_calls" in delta or self._held is not None:
            self._held = self._held or []
            delta.pop("tool_calls", None)
        self._has_role = self._has_role or "role" in delta
        kept = {key: item for key, item in choice.items() if key not in ("delta", "finish_reason")}
        says = any(item not in (None, "", []) for item in delta.values()) or kept.get("logprobs")
        if not says:
            return
        made = self._chunk({**kept, "delta": delta, "finish_reason": None}, _beside(data))
        if self._held is None:
            yield _frame(made)
        else:
            self._held.append(made)

    def turned(self) -> Iterator[bytes]:
        """A turn has ended: what was held of what it said."""
        held, self._held = self._held or [], None
        for made in held:
            yield _frame(made)

    def end(self, ending: Ending) -> Iterator[bytes]:
        """The run has ended: calls of the client's, numbered from 0, and how it ended."""
        deltas: list[JSONObject] = [
            {"tool_calls": [{"index": index, **call}]} for index, call in enumerate(ending.calls)
        ]
        if ending.function:
            deltas.append({"function_call": ending.function})
        for delta in deltas:
            if not self._has_role:
                delta, self._has_role = {"role": "assistant", **delta}, True
            yield _frame(self._chunk({"index": 0, "delta": delta, "finish_reason": None}))
        # No call is left of those that the model ended with: all were ours.
        last = {"index": 0, "delta": {}, "finish_reason": ending.finish_reason}
        yield _frame(self._chunk(last, ending.extras))
        if self._usage and ending.usage is not None:
            yield _frame({**self._head(), "choices": [], "usage": ending.usage})
        yield sse.encode(sse.DONE.encode())

    def _head(self) -> JSONObject:
        named = {"id": "", "created": 0, "model": "", **self._named}
        return {"id": named.pop("id"), "object": "chat.completion.chunk", **named}

    def _chunk(self, choice: JSONObject, beside: JSONObject | None = None) -> JSONObject:
        return {**self._head(), "choices": [{"index": 0, **choice}], **(beside or {})}


_OWN = frozenset(["object", "choices", "usage", "obfuscation", *_NAMING])


def _beside(data: JSONObject) -> JSONObject:
    """What a provider adds to a chunk of its own."""
    return {key: item for key, item in data.items() if key not in _OWN}


def _frame(value: JSONObject) -> bytes:
    return sse.encode(compact(value))


def as_message(turns: Iterable[JSONObject], ending: Ending) -> JSONObject:
    """A run's answer whole, of the completions of its turns: what its stream adds up to."""
    stream = RunStream(usage=False)
    frames: list[bytes] = []
    for completion in turns:
        for frame in cut(completion, include_usage=False):
            frames += stream.take(frame)
        frames += stream.turned()
    frames += stream.end(ending)
    message: JSON = fold(frames)
    if ending.usage is not None:
        message["usage"] = ending.usage
    return dict(message)

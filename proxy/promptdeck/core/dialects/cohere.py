"""Cohere's own protocol: `/v2/chat`.

https://docs.cohere.com/reference/chat and .../reference/chat-stream
"""

from collections.abc import Iterator
from itertools import groupby

from promptdeck.core.interaction import Response
from promptdeck.core.text import sse
from promptdeck.core.text.jsontext import JSON, JSONObject, Unfaithful, compact
from promptdeck.errors import HTTPError

from .base import Model, names_failure, value_of
from .pieces import (
    as_object,
    called,
    labelled,
    objects_in,
    typed,
    whole_characters,
)


class CohereDialect(Model):
    """A stream ends with `message-end`, which has the finish reason; so has a whole answer."""

    whole = "`message-end`; in JSON there is a finish reason that names no failure"
    lists = ("messages", "tools")

    def says(self, response: Response) -> str:
        try:
            if response.is_stream:
                lines = _streamed(typed(frame.data for frame in response.frames))
            else:
                lines = _lines(as_object(as_object(value_of(response.body)).get("message")))
            return whole_characters("\n".join(lines))
        except Unfaithful:
            return ""

    def turns(self, body: JSON) -> list[tuple[str, str]]:
        messages = objects_in([as_object(body).get("messages")])
        return [(str(one.get("role", "?")), "\n".join(_lines(one))) for one in messages]

    def error(self, error: HTTPError, request_id: str = "") -> JSONObject:
        told = super().error(error, request_id)
        return {"id": request_id, **told}

    def error_event(self, error: HTTPError) -> bytes:
        end = {"finish_reason": "ERROR", "error": error.message}
        return sse.encode(compact({"type": "message-end", "delta": end}), event="message-end")

    def is_end(self, event: sse.Event) -> bool:
        if event.event:
            return event.event == "message-end"
        value = value_of((event.data or "").encode()) if "message-end" in (event.data or "") else 0
        return isinstance(value, dict) and value.get("type") == "message-end"

    def _problem_with_value(self, value: JSON) -> str | None:
        reason = value.get("finish_reason") if isinstance(value, dict) else None
        if names_failure(reason):
            return "its finish reason names a failure"
        return None if reason else "there is no finish_reason"

    def _problem_with_events(self, values: list[JSON], *, ended: bool) -> str | None:
        if not ended:
            return "the stream ends without message-end"
        last = values[-1] if values else None
        delta = last.get("delta") if isinstance(last, dict) else None
        return self._problem_with_value(delta)


def _lines(message: JSONObject) -> Iterator[str]:
    """All that a message says, a line or more for each thing."""
    yield from labelled("plan", message.get("tool_plan"))
    content = message.get("content")
    yield from labelled("", content)
    for part in objects_in([content]):
        yield from labelled("reasoning", part.get("thinking"))
        text = part.get("text", "" if "thinking" in part else f"[{part.get('type', '?')}]")
        yield from labelled("", text)
    for call in objects_in([message.get("tool_calls")]):
        function = as_object(call.get("function"))
        yield called(function.get("name"), function.get("arguments", ""))


def _streamed(events: Iterator[tuple[str, JSONObject]]) -> Iterator[str]:
    """The same of a stream: what one thing is told of by several events is one line."""
    told = [
        item
        for _, event in events
        for item in _told(
            event.get("index"), as_object(as_object(event.get("delta")).get("message"))
        )
    ]
    for (label, _), pieces in groupby(told, key=lambda item: item[:2]):
        text = "".join([text for *_, text in pieces])
        yield from [f"{text})"] if label == "call" else labelled(label, text)


def _told(index: JSON, message: JSONObject) -> Iterator[tuple[str, JSON, str]]:
    """Each text in a content delta: `reasoning` or nothing, the block's number, the piece."""
    for key, label in (("thinking", "reasoning"), ("text", "")):
        if isinstance(text := as_object(message.get("content")).get(key), str):
            yield label, index, text
    if isinstance(plan := message.get("tool_plan"), str):
        yield "plan", None, plan
    if function := as_object(as_object(message.get("tool_calls")).get("function")):
        name, arguments = function.get("name"), function.get("arguments")
        begun = f"{name}(" if isinstance(name, str) else ""
        yield "call", index, begun + (arguments if isinstance(arguments, str) else "")


COHERE = CohereDialect("cohere")

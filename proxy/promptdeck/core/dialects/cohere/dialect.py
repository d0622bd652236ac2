"""Cohere's own protocol: `/v2/chat`.

https://docs.cohere.com/reference/chat and .../reference/chat-stream
"""

from collections.abc import Iterable, Mapping

from promptdeck.core.dialects.base import names_failure, value_of
from promptdeck.core.dialects.pieces import Deals, words
from promptdeck.core.dialects.streamed import Streamed
from promptdeck.core.text import sse
from promptdeck.core.text.jsontext import JSON, JSONObject, compact
from promptdeck.errors import HTTPError

from . import saying
from .cut import cut
from .fold import fold


class CohereDialect(Streamed):
    """A stream ends with `message-end`, which has the finish reason; so has a whole answer."""

    whole = "`message-end`; in JSON there is a finish reason that names no failure"
    lists = ("messages", "tools")
    speech = saying

    def fold(self, frames: Iterable[bytes]) -> JSONObject:
        return fold(frames)

    def cut(self, message: JSONObject, deal: Deals = words) -> list[bytes]:
        return cut(message, deal)

    def labels(self, message: JSONObject) -> Mapping[str, JSON]:
        return {"finish_reason": message.get("finish_reason")}

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


COHERE = CohereDialect("cohere")

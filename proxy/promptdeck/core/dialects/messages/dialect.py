"""Anthropic's Messages: `/v1/messages`.

https://docs.anthropic.com/en/api/messages and .../messages-streaming
"""

from collections.abc import Iterable, Mapping

from promptdeck.core.dialects.base import Dropped, value_of
from promptdeck.core.dialects.pieces import Deals, words
from promptdeck.core.dialects.streamed import Streamed
from promptdeck.core.text import sse
from promptdeck.core.text.jsontext import JSON, JSONObject
from promptdeck.errors import HTTPError

from . import saying
from .counting import counting
from .cut import cut
from .fold import fold

# https://docs.anthropic.com/en/api/errors
_ERRORS: Mapping[int, str] = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}


class MessagesDialect(Streamed):
    """A stream ends with `message_stop`, an answer has a stop reason."""

    whole = "`message_stop`; in JSON there is a stop reason"
    state = "with a container that has an id"
    lists = ("messages", "tools")
    speech = saying

    def is_stateful(self, body: JSON) -> bool:
        """True for calls that go on in a container of the provider's."""
        container = body.get("container") if isinstance(body, dict) else None
        return isinstance(container, str) or (
            isinstance(container, dict) and container.get("id") is not None
        )

    def counting(self, body: dict[str, JSON], dropped: list[Dropped]) -> dict[str, JSON]:
        return counting(super().counting(body, dropped))

    def fold(self, frames: Iterable[bytes]) -> JSONObject:
        return fold(frames)

    def cut(self, message: JSONObject, deal: Deals = words) -> list[bytes]:
        return cut(message, deal)

    def labels(self, message: JSONObject) -> Mapping[str, JSON]:
        return {name: message.get(name) for name in ("model", "stop_reason")}

    def error(self, error: HTTPError, request_id: str = "") -> JSONObject:
        kind = _ERRORS.get(
            error.status, "invalid_request_error" if error.status < 500 else "api_error"
        )
        told = {"type": kind, "message": error.message, "code": error.code, "param": error.param}
        details = {"details": error.details} if error.details else {}
        return {"type": "error", "error": told | details, "request_id": request_id or None}

    def is_end(self, event: sse.Event) -> bool:
        if event.event:
            return event.event == "message_stop"
        value = value_of((event.data or "").encode()) if "message_stop" in (event.data or "") else 0
        return isinstance(value, dict) and value.get("type") == "message_stop"

    def _problem_with_value(self, value: JSON) -> str | None:
        if not isinstance(value, dict):
            return "the body is no JSON object"
        return None if value.get("stop_reason") else "there is no stop_reason"

    def _problem_with_events(self, values: list[JSON], *, ended: bool) -> str | None:
        del values
        return None if ended else "the stream ends without message_stop"


MESSAGES = MessagesDialect("messages")

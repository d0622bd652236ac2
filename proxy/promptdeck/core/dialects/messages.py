"""Anthropic's Messages: `/v1/messages`.

https://docs.anthropic.com/en/api/messages and .../messages-streaming
"""

from promptdeck.core.text import sse
from promptdeck.core.text.jsontext import JSON

from .base import Dropped, Model, value_of
from .marks import one_text, parts_without_marks


class MessagesDialect(Model):
    """A stream ends with `message_stop`, an answer has a stop reason."""

    whole = "`message_stop`; in JSON there is a stop reason"
    state = "with a container that has an id"

    def is_stateful(self, body: JSON) -> bool:
        """True for calls that go on in a container of the provider's."""
        container = body.get("container") if isinstance(body, dict) else None
        return isinstance(container, str) or (
            isinstance(container, dict) and container.get("id") is not None
        )

    def counting(self, body: dict[str, JSON], dropped: list[Dropped]) -> dict[str, JSON]:
        counted = super().counting(body, dropped)
        if "system" in counted:
            counted["system"] = one_text(counted["system"])
        for place in ("messages", "tools"):
            if isinstance(items := counted.get(place), list):
                counted[place] = [parts_without_marks(item) for item in items]
        return counted

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

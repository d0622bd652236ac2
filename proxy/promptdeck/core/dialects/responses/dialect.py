"""OpenAI's Responses: `/v1/responses`.

https://platform.openai.com/docs/api-reference/responses
"""

from collections.abc import Iterable, Mapping

from promptdeck.core.dialects.base import Dropped
from promptdeck.core.dialects.pieces import Deals, words
from promptdeck.core.dialects.streamed import Streamed
from promptdeck.core.text import sse
from promptdeck.core.text.jsontext import JSON, JSONObject, compact
from promptdeck.errors import HTTPError

from . import saying
from .counting import counting
from .cut import cut
from .fold import ENDS, fold

_STATE = ("previous_response_id", "conversation")


class ResponsesDialect(Streamed):
    """A stream ends with an event that holds the whole response, whatever became of it."""

    whole = "`response.completed` or `response.incomplete`; in JSON its status says so"
    state = "with `background`, `previous_response_id`, a conversation or an item reference"
    lists = ("input", "tools")
    speech = saying

    def is_stateful(self, body: JSON) -> bool:
        """True for calls that name what the provider keeps, or whose answer is fetched later."""
        if not isinstance(body, dict):
            return False
        if body.get("background") is True or any(body.get(name) is not None for name in _STATE):
            return True
        items = body.get("input")
        return isinstance(items, list) and any(
            isinstance(item, dict) and item.get("type") == "item_reference" for item in items
        )

    def counting(self, body: dict[str, JSON], dropped: list[Dropped]) -> dict[str, JSON]:
        return counting(super().counting(body, dropped), dropped)

    def fold(self, frames: Iterable[bytes]) -> JSONObject:
        return fold(frames)

    def cut(self, message: JSONObject, deal: Deals = words) -> list[bytes]:
        return cut(message, deal)

    def labels(self, message: JSONObject) -> Mapping[str, JSON]:
        return {name: message.get(name) for name in ("model", "status")}

    def error_event(self, error: HTTPError) -> bytes:
        """As the API has it; openai's own readers raise at the `error` in it."""
        told = {**self.error(error), "type": "error", "sequence_number": 0}
        return sse.encode(compact(told), event="error")

    def is_end(self, event: sse.Event) -> bool:
        # The event's name is the type within its data; some proxies leave the name out.
        if event.event:
            return event.event in ENDS
        return any(f'"{name}"' in (event.data or "")[:200] for name in ENDS)

    def _problem_with_value(self, value: JSON) -> str | None:
        status = value.get("status") if isinstance(value, dict) else None
        # Without a status it may be another server's: the body is whole, and no error.
        return None if status in (None, "completed", "incomplete") else f"its status is {status}"

    def _problem_with_events(self, values: list[JSON], *, ended: bool) -> str | None:
        del values
        return None if ended else "the stream ends without response.completed"


RESPONSES = ResponsesDialect("responses")

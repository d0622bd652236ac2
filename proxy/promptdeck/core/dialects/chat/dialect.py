"""OpenAI's chat completions: `/v1/chat/completions`.

https://platform.openai.com/docs/api-reference/chat
"""

from collections.abc import Iterable, Mapping

from promptdeck.core.dialects.base import Dropped
from promptdeck.core.dialects.choices import problem_with_choices
from promptdeck.core.dialects.pieces import Deals, objects_in, words
from promptdeck.core.dialects.streamed import Streamed
from promptdeck.core.interaction import Response, Variant
from promptdeck.core.text import sse
from promptdeck.core.text.jsontext import JSON, JSONObject

from . import saying, variants
from .counting import NAMING, ONCE, counting, variant_asked
from .cut import cut
from .fold import fold
from .rendering import PlainStream


class ChatDialect(Streamed):
    """Choices that each have a finish reason; a stream ends with `[DONE]`."""

    whole = "each choice has a finish reason that names no failure; a stream may end with `[DONE]`"
    # Of `EXCLUDED` those that change from call to call and have no effect anywhere.
    naming = NAMING
    # Those who look for them look at the text, in which they may be written otherwise.
    effects = frozenset(["store", "deferred", "mcp_servers"])
    lists = ("messages", "tools")
    speech = saying

    def variant(self, body: JSON, target: str = "") -> Variant:
        del target
        return variant_asked(body)

    def fold(self, frames: Iterable[bytes]) -> JSONObject:
        return fold(frames)

    def cut(self, message: JSONObject, deal: Deals = words) -> list[bytes]:
        return cut(message, include_usage=True, deal=deal)

    def in_variant(self, response: Response, variant: Variant) -> Response | None:
        return variants.in_variant(response, variant)

    def labels(self, message: JSONObject) -> Mapping[str, JSON]:
        choices = objects_in([message.get("choices")])
        ends = [str(one["finish_reason"]) for one in choices if "finish_reason" in one]
        return {"model": message.get("model"), "finish_reason": ", ".join(ends)}

    def stream_filter(self) -> PlainStream:
        return PlainStream()

    def counting(self, body: dict[str, JSON], dropped: list[Dropped]) -> dict[str, JSON]:
        return counting(body, dropped)

    def is_naming(self, value: JSON) -> bool:
        # What else stands there the contract has something to say of.
        return type(value) is str and len(value) <= 64 and value.isascii()

    def counting_once(self, body: dict[str, JSON]) -> dict[str, JSON]:
        return counting(body, [], ONCE)

    def is_end(self, event: sse.Event) -> bool:
        return (event.data or "").strip() == sse.DONE

    def _problem_with_value(self, value: JSON) -> str | None:
        return problem_with_choices([value])

    def _problem_with_events(self, values: list[JSON], *, ended: bool) -> str | None:
        problem = problem_with_choices(values)
        # Without its end it is whole where every choice says so: Hugging Face's router sends no
        # [DONE]. But where usage is announced, by null in each chunk, it comes last.
        if problem or ended:
            return problem
        usages = [value["usage"] for value in values if "usage" in value]
        return "the stream ends before its usage" if usages and not any(usages) else None


CHAT = ChatDialect("chat")

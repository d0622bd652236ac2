"""OpenAI's chat completions: `/v1/chat/completions`.

https://platform.openai.com/docs/api-reference/chat
"""

from promptdeck.core.dialects.base import Dropped, Model
from promptdeck.core.dialects.choices import problem_with_choices
from promptdeck.core.interaction import Variant
from promptdeck.core.text import sse
from promptdeck.core.text.jsontext import JSON

from .counting import ONCE, counting, variant_asked


class ChatDialect(Model):
    """Choices that each have a finish reason; a stream ends with `[DONE]`."""

    converts = True
    whole = "each choice has a finish reason that names no failure; a stream may end with `[DONE]`"

    def variant(self, body: JSON) -> Variant:
        return variant_asked(body)

    def counting(self, body: dict[str, JSON], dropped: list[Dropped]) -> dict[str, JSON]:
        return counting(body, dropped)

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

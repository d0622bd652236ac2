"""Legacy completions, and those with a suffix: `/v1/completions`, `/v1/fim/completions`."""

from promptdeck.core.text import sse
from promptdeck.core.text.jsontext import JSON

from .base import Model
from .choices import problem_with_choices


class CompletionsDialect(Model):
    """Choices that end with a finish reason, as a chat's; a stream ends with `[DONE]`."""

    whole = "as a chat completion"

    def is_end(self, event: sse.Event) -> bool:
        return (event.data or "").strip() == sse.DONE

    def _problem_with_value(self, value: JSON) -> str | None:
        return problem_with_choices([value])

    def _problem_with_events(self, values: list[JSON], *, ended: bool) -> str | None:
        # Without its end it is whole where every choice says so: some servers send no [DONE].
        del ended
        return problem_with_choices(values)


COMPLETIONS = CompletionsDialect("completions")

"""Endpoints of models that answer with one value: embeddings, moderations, images, audio, ...

What a request says decides on it; its answer is JSON, or the picture or sound itself.
"""

from promptdeck.core.text import sse
from promptdeck.core.text.jsontext import JSON

from .base import Model, value_of


class PlainDialect(Model):
    """Streams, where there are any, end with an event of a type that says so.

    Such as `speech.audio.done`, `transcript.text.done`, `image_generation.completed`.
    """

    whole = "JSON that parses, or any other body; a stream ends with its `.done` or `.completed`"

    def is_end(self, event: sse.Event) -> bool:
        data = event.data or ""
        if data.strip() == sse.DONE:
            return True
        value = value_of(data.encode()) if data else None
        kind = value.get("type") if isinstance(value, dict) else None
        return isinstance(kind, str) and kind.endswith((".done", ".completed"))

    def _problem_with_events(self, values: list[JSON], *, ended: bool) -> str | None:
        del values
        return None if ended else "the stream ends without its last event"

    def _problem_with_text(self, kind: str, body: bytes) -> str | None:
        del kind, body
        return None  # a sound, a picture, subtitles


PLAIN_MODEL = PlainDialect("plain")

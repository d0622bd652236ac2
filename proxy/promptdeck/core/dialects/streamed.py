"""Model endpoints whose answers come whole or as a stream: either answers for the other.

A protocol of this kind says how its streams add up (`fold`), how its messages are dealt out
(`cut`), and what they say to people (`speech`); all else follows.
"""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

from promptdeck.core.codings import readable
from promptdeck.core.interaction import Response, Variant
from promptdeck.core.text import rawjson
from promptdeck.core.text.jsontext import JSON, JSONObject, Unfaithful, parse

from .base import Dropped, Model
from .pieces import Deals, whole_characters, words
from .variants import as_stream, as_whole


class Impossible(ValueError):
    """A stream cannot be made to say a text; the message says why."""


class TextLeaf(NamedTuple):
    """The place of a text that a model spoke, or of a part of it, in a message or an event."""

    slot: Hashable
    """Which text of the answer it is."""
    holder: JSONObject
    """The object in which it stands, under `key`."""
    key: str
    deals: bool = True
    """True where an event has a part of it, False where one tells all of it again."""
    alone: bool = False
    """True where the event has nothing else, so that there may be more or fewer of its kind."""
    logprobs: JSON = None
    """The object that has the log probabilities of its tokens, where there are any."""

    @property
    def text(self) -> str:
        """The text at this place; empty where something else stands there."""
        text = self.holder.get(self.key)
        return text if isinstance(text, str) else ""


class Speech(Protocol):
    """What a protocol's `saying` module has: what is asked and answered in it, for people."""

    def text_of(self, message: JSONObject, /) -> str:
        """The text that a message says, for people."""

    def turns(self, body: JSONObject, /) -> Iterator[tuple[str, str]]:
        """Who says what in a request: role and text of each turn."""

    def texts(self, message: JSONObject, /) -> Iterator[TextLeaf]:
        """The texts of a message that a person may edit: no arguments of calls."""

    def dealt(self, values: Sequence[JSONObject], /) -> Iterator[tuple[int, TextLeaf]]:
        """The same texts in a stream: each part with the number of the event that has it.

        `values` are the objects in its frames, an empty one where there is none. Impossible
        where an event has something between a part and the whole.
        """


class Streamed(Model):
    """Base of the dialects that have both forms, the stream asked for by `stream: true`."""

    converts = True
    speech: Speech
    """What it says for people; none where a dialect answers these questions itself."""

    def fold(self, frames: Iterable[bytes]) -> JSONObject:
        """The message that a stream's frames add up to. Unfaithful if they cannot be read."""
        raise NotImplementedError

    def cut(self, message: JSONObject, deal: Deals = words) -> list[bytes]:
        """The frames of a stream that folds into this message; `deal` cuts its texts."""
        raise NotImplementedError

    def text_of(self, message: JSONObject) -> str:
        """The text that a message says, for people."""
        return self.speech.text_of(message)

    def asked_by(self, body: JSONObject) -> Iterator[tuple[str, str]]:
        """Who says what in a request: role and text of each turn."""
        return self.speech.turns(body)

    def texts(self, message: JSONObject) -> Iterator[TextLeaf]:
        """The texts of a message that a person may edit: no arguments of calls."""
        return self.speech.texts(message)

    def dealt(self, values: Sequence[JSONObject]) -> Iterator[tuple[int, TextLeaf]]:
        """The same texts in a stream, as `Speech.dealt` has them."""
        return self.speech.dealt(values)

    def variant(self, body: JSON, target: str = "") -> Variant:
        del target
        if isinstance(body, bytes):
            asked = b'"stream"' in body and rawjson.is_true(body, rawjson.STREAM)
            return Variant.SSE if asked else Variant.JSON
        asked = isinstance(body, dict) and body.get("stream") is True
        return Variant.SSE if asked else Variant.JSON

    def counting(self, body: dict[str, JSON], dropped: list[Dropped]) -> dict[str, JSON]:
        counted = super().counting(body, dropped)
        if isinstance(counted.get("stream"), bool):
            del counted["stream"]
            dropped.append(Dropped("$.stream", "chooses the variant, JSON or SSE"))
        return counted

    def message(self, response: Response) -> JSONObject:
        if response.is_stream:
            return self.fold(frame.data for frame in response.frames)
        value = parse(readable(response.body, response.content_type))
        if not isinstance(value, dict):
            raise Unfaithful("the answer is no JSON object")
        return value

    def in_variant(self, response: Response, variant: Variant) -> Response | None:
        if variant is Variant.JSON:
            return as_whole(response, self.message(response)) if response.is_stream else response
        return response if response.is_stream else as_stream(response, self._cut(response))

    def _cut(self, response: Response) -> list[bytes]:
        return self.cut(self.message(response))

    def says(self, response: Response) -> str:
        try:
            return whole_characters(self.text_of(self.message(response)))
        except Unfaithful:
            return ""

    def turns(self, body: JSON) -> list[tuple[str, str]]:
        return list(self.asked_by(body)) if isinstance(body, dict) else []

"""Ollama's own protocol: `/api/chat`, `/api/generate`.

https://github.com/ollama/ollama/blob/main/docs/api.md
"""

from collections.abc import Iterable, Iterator, Mapping

from promptdeck.core.dialects.base import names_failure, value_of, values_of
from promptdeck.core.dialects.pieces import Deals, as_object, words
from promptdeck.core.dialects.streamed import Streamed
from promptdeck.core.dialects.variants import as_stream, as_whole
from promptdeck.core.interaction import Response, Variant
from promptdeck.core.text import lines, rawjson
from promptdeck.core.text.jsontext import JSON, JSONObject, compact, parse
from promptdeck.errors import HTTPError

from . import saying
from .cut import cut
from .fold import fold

_LINES = "application/x-ndjson"


class OllamaDialect(Streamed):
    """An answer, or a stream's last line, says `done`. A stream has a line of JSON for each piece.

    It is what comes where nobody says `stream: false`.
    """

    whole = "its last line says `done`"
    lists = ("messages", "tools")
    speech = saying
    takes_comments = False

    def variant(self, body: JSON, target: str = "") -> Variant:
        del target
        if isinstance(body, bytes):
            whole = b'"stream"' in body and rawjson.is_false(body, rawjson.STREAM)
        else:
            whole = isinstance(body, dict) and body.get("stream") is False
        return Variant.JSON if whole else Variant.LINES

    def fold(self, frames: Iterable[bytes]) -> JSONObject:
        return fold(_values(frames))

    def cut(self, message: JSONObject, deal: Deals = words) -> list[bytes]:
        return [compact(piece) + b"\n" for piece in cut(message, deal)]

    def message(self, response: Response) -> JSONObject:
        return self.fold(_frames(response))

    def in_variant(self, response: Response, variant: Variant) -> Response | None:
        # A recording of a version that knew no lines has all of them in one frame.
        is_lines = response.in_lines or len(_frames(response)) > 1
        if variant is Variant.JSON:
            return as_whole(response, self.message(response)) if is_lines else response
        if is_lines:
            return response
        return as_stream(response, self.cut(self.message(response)), _LINES)

    def labels(self, message: JSONObject) -> Mapping[str, JSON]:
        return {name: message.get(name) for name in ("model", "done_reason")}

    def error(self, error: HTTPError, request_id: str = "") -> JSONObject:
        told = super().error(error, request_id)
        return {**told, "error": error.message}

    def error_event(self, error: HTTPError) -> bytes:
        return compact(self.error(error)) + b"\n"

    def has_ended(self, data: bytes) -> bool:
        whole, _, _ = data.rpartition(b"\n")
        return _is_done(value_of(whole.rpartition(b"\n")[2]))

    def _problem_with_body(self, kind: str, body: bytes) -> str | None:
        problem = super()._problem_with_body(kind, body)
        last = values_of(body)[-1:]
        if problem or not last:
            return problem
        if not _is_done(last[0]):
            return "its last line does not say `done`"
        failed = isinstance(last[0], dict) and names_failure(last[0].get("done_reason"))
        return "its done_reason names a failure" if failed else None


def _is_done(value: JSON) -> bool:
    return isinstance(value, dict) and value.get("done") is True


def _frames(response: Response) -> list[bytes]:
    """The lines of an answer, or all of it where it is one value, in however many lines."""
    body = response.body
    return [body] if len(values_of(body)) == 1 else lines.frames(body)


def _values(frames: Iterable[bytes]) -> Iterator[JSONObject]:
    """The objects in lines. Unfaithful where one is no JSON, or not without loss."""
    return (as_object(parse(frame)) for frame in frames if frame.strip())


OLLAMA = OllamaDialect("ollama")

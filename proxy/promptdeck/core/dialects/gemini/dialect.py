"""Google's generateContent: `/v1beta/models/NAME:generateContent`, and as a stream.

https://ai.google.dev/api/generate-content
"""

from collections.abc import Iterable, Iterator, Mapping

from promptdeck.core.dialects.base import Dropped, names_failure
from promptdeck.core.dialects.pieces import Deals, as_list, as_object, chunk, words
from promptdeck.core.dialects.streamed import Streamed
from promptdeck.core.dialects.variants import JSON_TYPE, as_one, as_stream, as_whole
from promptdeck.core.interaction import Response, Variant
from promptdeck.core.text.jsontext import JSON, JSONObject, Unfaithful, compact, parse
from promptdeck.errors import HTTPError

from . import saying
from .counting import counted_target, counting, path_written, wants_events
from .cut import cut
from .fold import fold

# https://cloud.google.com/apis/design/errors, "Handling errors"
_STATUSES: Mapping[int, str] = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_DETAIL = "type.googleapis.com/google.rpc.ErrorInfo"
_WAIT = "type.googleapis.com/google.rpc.RetryInfo"


class GeminiDialect(Streamed):
    """A stream has no end of its own: its last frame has a finish reason for each candidate.

    It comes as events, or as a list of JSON where `alt=sse` is not asked for.
    """

    whole = "each candidate has a finish reason that names no failure, or the prompt is blocked"
    # google-genai 3.6 takes a comment for the beginning of an error that fills many lines.
    takes_comments = False
    lists = ("contents", "tools")
    speech = saying

    def counted_target(self, target: str) -> str:
        return counted_target(target)

    def variant(self, body: JSON, target: str = "") -> Variant:
        del body
        path, _, query = target.partition("?")
        if not path.endswith(":streamGenerateContent"):
            return Variant.JSON
        return Variant.SSE if wants_events(query) else Variant.LIST

    def counting(self, body: dict[str, JSON], dropped: list[Dropped]) -> dict[str, JSON]:
        return counting(super().counting(body, dropped))

    def path_written(self, path: str, body: JSON) -> str:
        return path_written(path, body)

    def fold(self, frames: Iterable[bytes]) -> JSONObject:
        return fold(map(chunk, frames))

    def cut(self, message: JSONObject, deal: Deals = words) -> list[bytes]:
        return [*map(_frame, cut(message, deal))]

    def message(self, response: Response) -> JSONObject:
        return fold(_pieces(response))

    def in_variant(self, response: Response, variant: Variant) -> Response | None:
        if variant is _form(response):
            return response
        pieces = _pieces(response)
        if variant is Variant.JSON:
            return as_whole(response, fold(pieces))
        if len(pieces) == 1 and _form(response) is Variant.JSON:
            pieces = cut(pieces[0])
        if variant is Variant.LIST:
            body = b"[" + b"\n,\r\n".join(map(compact, pieces)) + b"\n]"
            return as_one(response, body, JSON_TYPE)
        return as_stream(response, [*map(_frame, pieces)])

    def labels(self, message: JSONObject) -> Mapping[str, JSON]:
        candidates = map(as_object, as_list(message.get("candidates")))
        ends = [str(one["finishReason"]) for one in candidates if "finishReason" in one]
        return {"model": message.get("modelVersion"), "finishReason": ", ".join(ends)}

    def error(self, error: HTTPError, request_id: str = "") -> JSONObject:
        metadata = {"param": error.param, "request_id": request_id or None}
        info = {
            "@type": _DETAIL,
            "reason": error.code.upper(),
            "domain": "promptdeck",
            "metadata": {key: value for key, value in metadata.items() if value},
        }
        details = [info, *_wait(error.headers), *([error.details] if error.details else ())]
        other = "INVALID_ARGUMENT" if error.status < 500 else "UNAVAILABLE"
        status = _STATUSES.get(error.status, other)
        told = {"code": error.status, "message": error.message, "status": status}
        return {"error": {**told, "details": details}}

    def error_event(self, error: HTTPError) -> bytes:
        """Data alone, with `error` at its begin: so google-genai 3.6 knows it."""
        return _frame(self.error(error))

    def _problem_with_value(self, value: JSON) -> str | None:
        return _problem_with_candidates(value if isinstance(value, list) else [value])

    def _problem_with_events(self, values: list[JSON], *, ended: bool) -> str | None:
        del ended
        return _problem_with_candidates(values)


def _wait(headers: Mapping[str, str]) -> Iterator[JSONObject]:
    """How long to wait before another attempt, as Google's clients read it from the body."""
    if wait := headers.get("retry-after-ms"):
        yield {"@type": _WAIT, "retryDelay": f"{int(wait) / 1000:g}s"}
    elif wait := headers.get("retry-after"):
        yield {"@type": _WAIT, "retryDelay": f"{wait}s"}


def _frame(value: JSONObject) -> bytes:
    """A piece as an event, with the line ends that Google's servers send."""
    return b"data: %b\r\n\r\n" % compact(value)


def _form(response: Response) -> Variant:
    """The form that an answer has, whatever was asked for."""
    if response.is_stream:
        return Variant.SSE
    return Variant.LIST if response.body.lstrip()[:1] == b"[" else Variant.JSON


def _pieces(response: Response) -> list[JSONObject]:
    """The pieces of an answer: of a stream as many as it has. Unfaithful if they can't be read."""
    if response.is_stream:
        return [piece for frame in response.frames if (piece := chunk(frame.data))]
    value = parse(response.body)
    pieces = value if isinstance(value, list) else [value]
    if not all(isinstance(piece, dict) for piece in pieces):
        raise Unfaithful("the answer is no JSON object, nor a list of them")
    return pieces


def _problem_with_candidates(values: list[JSON]) -> str | None:
    """Why frames do not make a whole answer: a candidate is not finished, or has failed."""
    begun: set[int] = set()
    finished: set[int] = set()
    for value in values:
        if not isinstance(value, dict):
            return "a frame is no JSON object"
        feedback = value.get("promptFeedback")
        if isinstance(feedback, dict) and feedback.get("blockReason"):
            return None  # there are no candidates then
        candidates = value.get("candidates")
        for at, candidate in enumerate(candidates if isinstance(candidates, list) else ()):
            if not isinstance(candidate, dict):
                continue
            # Zero is left out, as Google's JSON leaves out all that is empty.
            index = candidate.get("index")
            number = index if isinstance(index, int) else at
            begun.add(number)
            if names_failure(reason := candidate.get("finishReason")):
                return f"candidate {number} reports a failure"
            if reason:
                finished.add(number)
    if not begun:
        return "there are no candidates"
    unfinished = begun - finished
    return f"candidate {min(unfinished)} has no finishReason" if unfinished else None


GEMINI = GeminiDialect("gemini")

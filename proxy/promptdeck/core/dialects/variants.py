"""A recorded answer in another variant: whole where it came in pieces, and the reverse.

What a stream adds up to and how a message is dealt out is for each protocol's `fold` and
`cut`; here is what becomes of head and time.
"""

from collections.abc import Iterator, Sequence

from promptdeck.core.interaction import Frame, Headers, Response
from promptdeck.core.text.jsontext import JSON

from .pieces import written

JSON_TYPE = "application/json"
STREAM_TYPE = "text/event-stream; charset=utf-8"

# Milliseconds from the request to the first word. A guess at a hosted model's, which nobody
# measured: it only makes a stream that was never one look like one.
_FIRST_WORD = 500


def as_whole(response: Response, value: JSON) -> Response:
    """A response with this value as its body, at the moment of its last frame."""
    return as_one(response, written(value), JSON_TYPE)


def as_one(response: Response, body: bytes, content_type: str) -> Response:
    """A response with these bytes as its body, at the moment of its last frame."""
    headers = _retyped(response.headers, content_type)
    return Response(response.status, headers, (Frame(response.took_ms, body),))


def as_stream(
    response: Response, frames: Sequence[bytes], content_type: str = STREAM_TYPE
) -> Response:
    """A response with these frames as its body, which take as long as its own."""
    headers = _retyped(response.headers, content_type)
    pace = _pace(response.took_ms, len(frames))
    return Response(response.status, headers, tuple(map(Frame, pace, frames)))


def _retyped(headers: Headers, content_type: str) -> Headers:
    """The headers with this content type in place of their own, at the front."""
    kept = (item for item in headers if item[0].lower() != "content-type")
    return (("content-type", content_type), *kept)


def _pace(total: int, count: int) -> Iterator[int]:
    """When each of `count` frames comes, in milliseconds: evenly up to `total`.

    The first comes after a model's usual time to its first word, or half-way in a short answer.
    """
    first = min(_FIRST_WORD, total // 2) if count > 1 else total
    return (first + (total - first) * step // max(1, count - 1) for step in range(count))

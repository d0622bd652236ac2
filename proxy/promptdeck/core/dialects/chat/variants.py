"""A recorded chat answer in another variant: as JSON, as a stream, with or without its usage."""

import json  # noqa: TID251  orjson refuses half an emoji
import re
from collections.abc import Iterable, Iterator

import orjson

from promptdeck.core.interaction import Frame, Headers, Response
from promptdeck.core.text.jsontext import Unfaithful, compact, parse

from .cut import cut
from .deltas import JSONObject
from .fold import chunk, fold

# Cheaper than to parse each frame: nearly all of a stream's have choices.
_NO_CHOICES = re.compile(rb'"choices"\s*:\s*\[\s*\]')

# Milliseconds from the request to the first word. A guess at a hosted model's, which nobody
# measured: it only makes a stream that was never one look like one.
_FIRST_WORD = 500


def to_json(response: Response) -> Response:
    """A recorded stream as the answer to the same request without `stream`; Unfaithful as `fold`.

    It comes at the moment of the stream's last frame.
    """
    body = _written(fold(frame.data for frame in response.frames))
    headers = _retyped(response.headers, "application/json")
    return Response(response.status, headers, (Frame(_duration(response), body),))


def _written(completion: JSONObject) -> bytes:
    """A completion as JSON: with escapes where halves of an emoji came apart, which then meet."""
    try:
        return compact(completion)
    except orjson.JSONEncodeError:
        return json.dumps(completion, separators=(",", ":")).encode()


def to_stream(response: Response, include_usage: bool) -> Response:
    """A recorded JSON answer as a stream that takes as long, and tells the usage if asked to.

    Unfaithful if its body is no JSON object, or JSON that cannot be written without loss.
    """
    completion = parse(response.body)
    if not isinstance(completion, dict):
        raise Unfaithful("a chat completion is a JSON object")
    frames = cut(completion, include_usage)
    headers = _retyped(response.headers, "text/event-stream; charset=utf-8")
    pace = _pace(_duration(response), len(frames))
    return Response(response.status, headers, tuple(map(Frame, pace, frames)))


def has_usage(frames: Iterable[bytes]) -> bool:
    """True if any chunk of a stream tells the usage."""
    return any(b'"usage"' in frame and _told(frame).get("usage") is not None for frame in frames)


def without_usage(frames: Iterable[Frame]) -> tuple[Frame, ...]:
    """A stream's frames for a client that did not ask for the usage.

    Left out are those whose chunk has a usage and no choices.
    """
    return tuple(frame for frame in frames if not _is_usage_only(frame.data))


def _is_usage_only(frame: bytes) -> bool:
    """True if a frame's chunk has a usage and an empty list of choices."""
    if not _NO_CHOICES.search(frame):
        return False
    value = _told(frame)
    return value.get("choices") == [] and value.get("usage") is not None


def _told(frame: bytes) -> JSONObject:
    """The chunk in a frame; an empty one where it cannot be read without loss."""
    try:
        return chunk(frame)
    except Unfaithful:
        return {}


def _retyped(headers: Headers, content_type: str) -> Headers:
    """The headers with this content type in place of their own, at the front."""
    kept = (item for item in headers if item[0].lower() != "content-type")
    return (("content-type", content_type), *kept)


def _duration(response: Response) -> int:
    """Milliseconds from the request to the answer's end."""
    return response.frames[-1].offset_ms if response.frames else 0


def _pace(total: int, count: int) -> Iterator[int]:
    """When each of `count` frames (two at least) comes, in milliseconds: evenly up to `total`.

    The first comes after a model's usual time to its first word, or half-way in a short answer.
    """
    first = min(_FIRST_WORD, total // 2)
    return (first + (total - first) * step // (count - 1) for step in range(count))

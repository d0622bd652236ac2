"""A recorded chat answer in another variant: as JSON, as a stream, with or without its usage."""

import re
from collections.abc import Callable, Iterable

from promptdeck.core.dialects.pieces import chunk
from promptdeck.core.dialects.variants import as_stream, as_whole
from promptdeck.core.interaction import Frame, Response, Variant
from promptdeck.core.text.jsontext import JSONObject, Unfaithful, parse

from .cut import cut
from .fold import fold

PutsTogether = Callable[[Iterable[bytes]], JSONObject]
"""Puts a stream's frames together."""
DealsOut = Callable[[JSONObject, bool], list[bytes]]
"""Deals a completion out, with its usage or without."""

# Cheaper than to parse each frame: nearly all of a stream's have choices.
_NO_CHOICES = re.compile(rb'"choices"\s*:\s*\[\s*\]')


def in_variant(
    response: Response, variant: Variant, fold: PutsTogether = fold, cut: DealsOut = cut
) -> Response | None:
    """A completion in another variant; None if it lacks what that holds.

    `fold` and `cut` are a chat's, or another protocol's of the same variants. Unfaithful where
    it cannot be read without loss.
    """
    if variant is Variant.JSON:
        return to_json(response, fold) if response.is_stream else response
    usage = variant is Variant.SSE_USAGE
    stream = response if response.is_stream else to_stream(response, usage, cut)
    if usage:
        # Usage that was not recorded cannot be made up.
        known = has_usage(frame.data for frame in stream.frames)
        return stream if known else None
    return Response(stream.status, stream.headers, without_usage(stream.frames))


def to_json(response: Response, fold: PutsTogether = fold) -> Response:
    """A recorded stream as the answer to the same request without `stream`; Unfaithful as `fold`.

    It comes at the moment of the stream's last frame.
    """
    return as_whole(response, fold(frame.data for frame in response.frames))


def to_stream(response: Response, include_usage: bool, cut: DealsOut = cut) -> Response:
    """A recorded JSON answer as a stream that takes as long, and tells the usage if asked to.

    Unfaithful if its body is no JSON object, or JSON that cannot be written without loss.
    """
    completion = parse(response.body)
    if not isinstance(completion, dict):
        raise Unfaithful("a chat completion is a JSON object")
    return as_stream(response, cut(completion, include_usage))


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

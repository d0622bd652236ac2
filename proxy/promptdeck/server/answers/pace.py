"""How fast recordings are played: what is written when."""

import math
from collections.abc import Iterator
from itertools import groupby
from typing import NamedTuple

from promptdeck.core.dialects.chat.rendering import PlainStream
from promptdeck.core.interaction import Response


class Pace(NamedTuple):
    """A server's or session's pace."""

    factor: float
    """Recorded delays are divided by this; infinity is at once."""
    keep_alive: float | None
    """After so many seconds of silence a stream gets a comment; None is never."""

    @property
    def at_once(self) -> bool:
        return math.isinf(self.factor)


class Beat(NamedTuple):
    """A piece of a body, and how many seconds after the request it is written."""

    after: float
    data: bytes


def beats_of(response: Response, factor: float, *, chat: bool) -> Iterator[Beat]:
    """Cut a recorded body where time passed, its delays divided by `factor`.

    A chat's stream is given as clients read it. The last beat may be empty.
    """
    plain = PlainStream() if chat else None
    after = 0.0
    for offset_ms, frames in groupby(response.frames, key=lambda frame: frame.offset_ms):
        after = offset_ms / 1000 / factor
        data = b"".join(frame.data for frame in frames)
        yield Beat(after, plain.feed(data) if plain else data)
    yield Beat(after, plain.rest() if plain else b"")

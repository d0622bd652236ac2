"""How fast recordings are played: what is written when."""

import math
from collections.abc import Iterator
from itertools import groupby
from typing import NamedTuple

from promptdeck.core.interaction import Response

from .rendering import Rendering


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


def beats_of(response: Response, factor: float, rendering: Rendering) -> Iterator[Beat]:
    """Cut a recorded body where time passed, its delays divided by `factor`.

    It is given as its `rendering` has it. The last beat may be empty.
    """
    after = 0.0
    for offset_ms, frames in groupby(response.frames, key=lambda frame: frame.offset_ms):
        after = offset_ms / 1000 / factor
        data = b"".join(frame.data for frame in frames)
        yield Beat(after, rendering.feed(data))
    yield Beat(after, rendering.rest())

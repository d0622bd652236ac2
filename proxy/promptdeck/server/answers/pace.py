"""How fast recordings are played."""

import math
from typing import NamedTuple


class Pace(NamedTuple):
    factor: float
    """Recorded delays are divided by this; infinity is at once."""
    keep_alive: float | None
    """After so many seconds of silence a stream gets a comment."""

    @property
    def at_once(self) -> bool:
        return math.isinf(self.factor)

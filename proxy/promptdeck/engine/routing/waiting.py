"""How long a request may wait for another try, and how long it does: one budget for all its models.

Waits have full jitter: any time up to a bound that doubles, so that many who failed at once do not
come back at once. What an upstream asks for is waited for, or the request has no more tries.
"""

from collections.abc import Callable
from typing import NamedTuple

_FIRST, _LONGEST = 0.5, 8.0
"""Seconds up to which the first wait lasts, and any: those of the openai SDK (3.57)."""


class Patience(NamedTuple):
    """What all retries of one request may take."""

    retries: int
    budget: float
    """Seconds of waiting, of all retries together."""


class Waiting:
    """One request's retries. `random` gives numbers from 0 to 1."""

    def __init__(self, patience: Patience, deadline: float, random: Callable[[], float]) -> None:
        self._left = patience.budget
        self._deadline = deadline
        """When the client gives up, on the caller's clock."""
        self._random = random
        self._tries = 0

    def before_retry(self, now: float, asked_for: float) -> float | None:
        """The seconds to wait before another try; None where there may be none.

        They are what the upstream has `asked_for` at least, and count as waited.
        """
        bound = min(_LONGEST, _FIRST * float(2**self._tries))
        wait: float = max(self._random() * bound, asked_for)
        if wait > self._left or now + wait >= self._deadline:
            return None
        self._tries += 1
        self._left -= wait
        return wait

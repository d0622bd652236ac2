"""The log of the fast path's hits, summed: a line for each would cost more than the hits do."""

import asyncio
import logging
from typing import Protocol

from promptdeck.core.counts import Counts
from promptdeck.server.logged import shown

log = logging.getLogger("promptdeck")

_EVERY = 1.0
"""Seconds: soon enough for who watches the log, and one timer for thousands of hits."""


class Logged(Protocol):
    """An answer that is sent again and again."""

    outcome: str
    """Its status and Cache-Status, as the log shows them."""
    unlogged: int
    """How often it was sent since that was last logged."""


class HitLog:
    """`note` each hit; a second later there is one line for each answer that was sent."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._unlogged: list[tuple[Counts, Logged]] = []

    def note(self, counts: Counts, answer: Logged) -> None:
        """Note that an answer was sent to a request of these counts."""
        if not log.isEnabledFor(logging.INFO):
            return
        if not self._unlogged:
            self._loop.call_later(_EVERY, self.write)
        if not answer.unlogged:
            self._unlogged.append((counts, answer))
        answer.unlogged += 1

    def write(self) -> None:
        """Log what was sent since the last time."""
        unlogged, self._unlogged = self._unlogged, []
        for counts, answer in unlogged:
            times = f" {answer.unlogged} times" if answer.unlogged > 1 else ""
            log.info("%s %s %s%s", counts.method, shown(counts.target), answer.outcome, times)
            answer.unlogged = 0

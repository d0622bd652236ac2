"""The log of the fast path's hits, summed: a line for each would cost more than the hits do."""

import asyncio
import logging

from promptdeck.core.counts import Counts
from promptdeck.server.logged import shown

log = logging.getLogger("promptdeck")

_EVERY = 1.0
"""Seconds: soon enough for who watches the log, and one timer for thousands of hits."""
# Some 4,000 lines of usual targets: as many different answers as a second brings. Whoever
# sends longer targets has them logged sooner.
_MOST_BYTES = 1024 * 1024
# Bytes of a pending line beside its target: two objects, their texts, a place in a list.
_OVERHEAD = 250


class HitLine:
    """What the log says of an answer that is sent again and again."""

    __slots__ = ("outcome", "unlogged")

    def __init__(self, outcome: str) -> None:
        self.outcome = outcome
        """Its status and Cache-Status."""
        self.unlogged = 0
        """How often it was sent since that was last logged."""


class HitLog:
    """`note` each hit; a second later there is one line for each answer that was sent."""

    def __init__(self, loop: asyncio.AbstractEventLoop, most_bytes: int = _MOST_BYTES) -> None:
        self._loop = loop
        self._most_bytes = most_bytes
        self._bytes = 0
        self._unlogged: list[tuple[Counts, HitLine]] = []

    def note(self, counts: Counts, line: HitLine) -> None:
        """Note that an answer was sent to a request of these counts."""
        if not log.isEnabledFor(logging.INFO):
            return
        if not line.unlogged:
            self._add(counts, line)
        line.unlogged += 1

    def _add(self, counts: Counts, line: HitLine) -> None:
        """Have a line written, together with others: in a second, or when they are too many."""
        if self._bytes > self._most_bytes:
            self.write()
        if not self._unlogged:
            self._loop.call_later(_EVERY, self.write)
        self._unlogged.append((counts, line))
        self._bytes += len(counts.target) + _OVERHEAD

    def write(self) -> None:
        """Log what was sent since the last time."""
        unlogged, self._unlogged, self._bytes = self._unlogged, [], 0
        for counts, line in unlogged:
            times = f" {line.unlogged} times" if line.unlogged > 1 else ""
            log.info("%s %s %s%s", counts.method, shown(counts.target), line.outcome, times)
            line.unlogged = 0

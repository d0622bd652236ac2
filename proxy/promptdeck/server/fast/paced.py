"""Recordings at their recorded pace, on a connection of ours.

There a stream takes one timer and no task: a thousand of them under way cost
little more than their writes (11 KB a stream, where a task each took 30).
"""

import asyncio
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import NamedTuple

from promptdeck.core.counts import Counts
from promptdeck.server.answers.pace import Beat
from promptdeck.server.answers.rendering import LAST_CHUNK, chunk
from promptdeck.server.logged import log_left

from .outlet import Outlet

# Seconds that a timer may be early: the loop's clock is coarser than a beat is exact.
_EARLY = 0.0005


class Script(NamedTuple):
    """An answer to be played: its head, and the body in the framing that the head announces."""

    head: bytes
    beats: Sequence[Beat]


def chunked(beats: Iterable[Beat]) -> list[Beat]:
    """The same body in chunks, with the one that ends it; one beat for each moment."""
    found = []
    for after, together in groupby(beats, key=lambda beat: beat.after):
        found.append(Beat(after, b"".join(chunk(beat.data) for beat in together if beat.data)))
    return [*found[:-1], Beat(found[-1].after, found[-1].data + LAST_CHUNK)]


class Paced:
    """One answer being played. `begin` it; tell it when the client has `resumed`, or `leave`."""

    __slots__ = ("_loop", "_next", "_outlet", "_request", "_script", "_start", "_timer")

    def __init__(
        self, outlet: Outlet, script: Script, request: Counts, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._outlet = outlet
        self._script = script
        self._request = request
        self._loop = loop
        self._start = loop.time()
        self._next = 0
        """Index of the beat to be written next."""
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        self._go_on()

    def resumed(self) -> None:
        """The client reads again."""
        if self._timer is None:
            self._go_on()

    def leave(self) -> None:
        """Nobody reads it any more."""
        if self._timer:
            self._timer.cancel()
        log_left(self._request.method, self._request.target)

    def _go_on(self) -> None:
        """Write what is due; then wait for the next moment, for the client, or end."""
        self._timer = None
        transport = self._outlet.transport
        if transport is None or transport.is_closing():
            return  # it will be told to leave
        head, beats = self._script
        first, now = self._next, self._loop.time() - self._start + _EARLY
        while self._next < len(beats) and beats[self._next].after <= now:
            self._next += 1
        if self._next > first:
            data = [beat.data for beat in beats[first : self._next]]
            transport.write(b"".join(data if first else (head, *data)))
        if self._next == len(beats):
            self._outlet.answered()
        elif not self._outlet.writing_paused:
            when = self._start + beats[self._next].after
            self._timer = self._loop.call_at(when, self._go_on)

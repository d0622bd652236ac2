"""Recordings at their recorded pace: what is written when, and on a connection of ours.

There a stream takes one timer and no task: a thousand of them under way cost
little more than their writes.
"""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from promptdeck.core.counts import Counts
from promptdeck.core.dialects.chat.rendering import PlainStream
from promptdeck.core.interaction import Response
from promptdeck.server.logged import log_left

from .outlet import LAST_CHUNK, Outlet, chunk

_EARLY = 0.0005
"""Seconds that a timer may be early."""


class Beat(NamedTuple):
    """A piece of a body, and how many seconds after the request it is written."""

    after: float
    data: bytes


class Script(NamedTuple):
    """An answer: its head, and the body in the framing that this announces."""

    head: bytes
    steps: Sequence[Beat]


def steps_of(response: Response, factor: float, *, chat: bool) -> Iterator[Beat]:
    """The body of a recording, its delays divided by `factor`. The last may be empty."""
    plain = PlainStream() if chat else None
    after = 0.0
    for offset_ms, frames in groupby(response.frames, key=lambda frame: frame.offset_ms):
        after = offset_ms / 1000 / factor
        data = b"".join(frame.data for frame in frames)
        yield Beat(after, plain.feed(data) if plain else data)
    yield Beat(after, plain.rest() if plain else b"")


def chunked(steps: Iterable[Beat]) -> list[Beat]:
    """The same in chunks, with the one that ends them; what is written at once in one piece."""
    found = []
    for after, together in groupby(steps, key=lambda step: step.after):
        found.append(Beat(after, b"".join(chunk(step.data) for step in together if step.data)))
    return [*found[:-1], Beat(found[-1].after, found[-1].data + LAST_CHUNK)]


class Paced:
    """One answer on its way. `begin` it, tell it when the client reads again, or to `leave`."""

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
        """Index of the step to be written next."""
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
        head, steps = self._script
        first, now = self._next, self._loop.time() - self._start + _EARLY
        while self._next < len(steps) and steps[self._next].after <= now:
            self._next += 1
        if self._next > first:
            data = [step.data for step in steps[first : self._next]]
            transport.write(b"".join(data if first else (head, *data)))
        if self._next == len(steps):
            self._outlet.answered()
        elif not self._outlet.writing_paused:
            when = self._start + steps[self._next].after
            self._timer = self._loop.call_at(when, self._go_on)

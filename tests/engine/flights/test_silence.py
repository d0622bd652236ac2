"""Notice of silence: when it is told, on a loop whose time a test lets pass."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.engine.flights.silence import Silence


class Loop:
    """As much of an event loop as a timer needs. It is also what may fall silent."""

    def __init__(self) -> None:
        self.now = 0.0
        self.last = 0.0
        self.timers: list[tuple[float, Callable[[], None]]] = []

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, callback: Callable[[], None]) -> "Timer":
        assert delay > 0, "a timer that is due at once would spin"
        entry = (self.now + delay, callback)
        self.timers.append(entry)
        return Timer(self, entry)

    def run_until(self, moment: float) -> None:
        while due := [entry for entry in self.timers if entry[0] <= moment]:
            entry = min(due, key=lambda entry: entry[0])
            self.timers.remove(entry)
            self.now = entry[0]
            entry[1]()
        self.now = moment


class Timer:
    def __init__(self, loop: Loop, entry: tuple[float, Callable[[], None]]) -> None:
        self.loop, self.entry = loop, entry

    def cancel(self) -> None:
        if self.entry in self.loop.timers:
            self.loop.timers.remove(self.entry)


def begin(seconds: float) -> tuple[Loop, Silence, list[float]]:
    """A loop, silence on it, and the moments at which that was told."""
    loop, told = Loop(), list[float]()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncio, "get_running_loop", lambda: loop)
        silence = Silence(loop, seconds)
    silence.tell = lambda: told.append(loop.now)
    return loop, silence, told


def expected(pieces: list[float], seconds: float, end: float) -> list[float]:
    """Each time that so many seconds have passed since the last piece, or the last telling."""
    told, since = [], 0.0
    for moment in [*pieces, end]:
        while since + seconds < moment or (since + seconds == moment == end):
            since += seconds
            told.append(since)
        since = max(since, moment)
    return told


@given(
    steps=st.lists(st.integers(1, 40), max_size=20),
    seconds=st.integers(1, 12),
    rest=st.integers(1, 40),
)
def test_it_is_told_after_each_span_without_a_piece(
    steps: list[int], seconds: int, rest: int
) -> None:
    # Pieces come at quarters, so that none comes in the very moment in which silence is told.
    pieces = [sum(steps[: n + 1]) + 0.25 * (n % 3 + 1) for n in range(len(steps))]
    end = (pieces[-1] if pieces else 0.0) + rest
    loop, _, told = begin(seconds)
    for moment in pieces:
        loop.run_until(moment)
        loop.last = moment
    loop.run_until(end)
    assert told == expected(pieces, seconds, end)


def test_one_timer_does_for_all_pieces() -> None:
    loop, _, _ = begin(5)
    for moment in range(1, 50):
        loop.run_until(moment)
        loop.last = moment
        assert len(loop.timers) == 1


def test_what_is_stopped_tells_no_more() -> None:
    loop, silence, told = begin(5)
    loop.run_until(11)
    silence.stop()
    loop.run_until(100)
    assert told == [5, 10]
    assert loop.timers == []


def test_silence_that_nobody_hears_is_told_to_who_comes_later() -> None:
    loop, silence, told = begin(5)
    tell: Any = silence.tell
    silence.tell = None
    loop.run_until(7)
    silence.tell = tell
    loop.run_until(10)
    assert told == [10]

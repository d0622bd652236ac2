"""What a deck's report tells: what was played, what was asked in vain, what was recorded."""

from collections import deque
from collections.abc import Iterable
from typing import Any

import orjson

from promptdeck.core.interaction import Variant

_MISSES_KEPT = 1000
"""The latest misses that a report holds, with a few KB of text each: more than anybody reads."""
_MISSES_BYTES = 4 * 1024 * 1024
"""What they may weigh as JSON: that many of the usual size. Of a conversation of 60 KB that differs
all over, the text of a miss may be as large."""
_CACHE_KEPT = 10_000
"""Recordings of a cache of which a report tells that they were played, or made: some 3 MB. A
cassette's are all told, as a test wants to know of each; they are as many as its file holds."""


class Tally:
    """How often something was played, for who counts it and for who asks."""

    __slots__ = ("times",)

    def __init__(self) -> None:
        self.times = 0


class Ledger:
    """What a deck has played, missed and recorded since it was last rewound.

    With `cached` it is a cache's: nothing has turns, and only the latest is told.
    """

    def __init__(self, cached: bool) -> None:
        self._cached = cached
        self._turns: dict[tuple[str, Variant], Tally] = {}
        """How often each request was answered, by fingerprint and variant; none of a cache."""
        self._played: dict[str, Tally] = {}
        """How often each recording was played, by its id."""
        self._recorded: deque[str] = deque(maxlen=_CACHE_KEPT if cached else None)
        self._missed: deque[bytes] = deque()
        """What was asked in vain, as JSON: so it weighs what it is long."""
        self._missed_bytes = 0
        self._missed_earlier = 0
        """How many of the first are no longer among them."""
        self._refused: dict[str, None] = {}
        """Fingerprints of what is refused again and again, the latest last."""

    def turn(self, place: tuple[str, Variant]) -> Tally:
        """The tally of a request's turns, to count on; of a cache one that nobody asks for."""
        return Tally() if self._cached else self._turns.setdefault(place, Tally())

    def turns(self, place: tuple[str, Variant]) -> int:
        """How often a request was answered."""
        turn = self._turns.get(place)
        return turn.times if turn else 0

    def play(self, name: str) -> Tally:
        """The tally of a recording's plays, by its id, to count on."""
        play = self._played.get(name)
        if play is None:
            play = self._played[name] = Tally()
            if self._cached and len(self._played) > _CACHE_KEPT:
                del self._played[next(iter(self._played))]
        return play

    def missed(self, miss: dict[str, Any]) -> None:
        """Note what was asked in vain and why."""
        told = orjson.dumps(miss)
        self._missed.append(told)
        self._missed_bytes += len(told)
        while self._missed_bytes > _MISSES_BYTES or len(self._missed) > _MISSES_KEPT:
            self._missed_bytes -= len(self._missed.popleft())
            self._missed_earlier += 1

    def is_first_refusal(self, key: str) -> bool:
        """True the first time that this fingerprint is refused, and is to be noted as missed."""
        first = key not in self._refused
        self._refused[key] = None
        if len(self._refused) > _MISSES_KEPT:
            del self._refused[next(iter(self._refused))]
        return first

    def recorded(self, name: str) -> None:
        """Note a new recording, by its id."""
        self._recorded.append(name)

    def report(self, everything: Iterable[str]) -> dict[str, Any]:
        """The counts as JSON, with the recordings among `everything` that were not played."""
        played = {name: count.times for name, count in self._played.items() if count.times}
        return {
            "played": played,
            "unplayed": [name for name in everything if name not in played],
            # Where there were more than are kept, who counts them has to know of the others.
            **({"missed_earlier": self._missed_earlier} if self._missed_earlier else {}),
            "missed": [orjson.loads(miss) for miss in self._missed],
            "recorded": list(self._recorded),
        }

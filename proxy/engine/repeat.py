"""A hit that comes out the same when it is asked for again.

Whoever holds one may serve it without asking the exchange, as long as `again`
says so: it counts and plays like any other hit.
"""

from collections.abc import Callable
from typing import NamedTuple

from proxy.core.interaction import Request, Variant

from .asking import Asked, Known
from .deck import Deck, Search
from .outcome import Stats

Name = tuple[str, Variant]


class Repeat:
    """Good while the deck's state is the same, and until a recording's time has come."""

    __slots__ = ("_deck", "_known", "_state", "_stats", "_stored", "_until", "by_name", "place")

    def __init__(
        self, deck: Deck, stats: Stats, asked: Asked, search: Search, *, by_name: bool
    ) -> None:
        if (stored := search.stored) is None:
            raise ValueError("only a hit can be repeated")
        self.place = asked.place
        """What a request to which this is the answer, too, has for a place."""
        self.by_name = by_name
        """Whether it answers every body of the same name: see `core.shallow`."""
        self._deck = deck
        self._stats = stats
        self._known = asked.known
        self._stored = stored
        self._until = search.until
        self._state = search.state

    def again(self, now: float) -> bool:
        """Play it once more, unless anything that it depends on has changed.

        `now` is in seconds since the epoch.
        """
        deck = self._deck
        if now >= self._until or deck.state() != self._state:
            return False
        deck.played(self.place, self._stored)
        self._stats.hits += 1
        return True

    def answers(self, known: Known) -> bool:
        """Whether it is the answer to what is asked in these words."""
        mine = self._known
        return known.form.canonical == mine.form.canonical and known.warning == mine.warning

    def age(self, now: float) -> int:
        """Whole seconds since it was recorded."""
        return max(0, int(now - self._stored.interaction.recorded_at))


class Alike(NamedTuple):
    """Reads bodies as parts of requests that differ in nothing else."""

    request: Request
    read: Callable[[Request], Known | None]

    def known(self, body: bytes) -> Known | None:
        """The canonical form with this body; None if more than an answer is asked for."""
        if has_effects(body):
            return None
        request = self.request
        return self.read(Request(request.method, request.target, request.content_type, body))


_EFFECTS = (b'"store"', b'"deferred"')


def has_effects(body: bytes) -> bool:
    """Whether more than an answer may be asked for."""
    return any(effect in body for effect in _EFFECTS)

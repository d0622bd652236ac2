"""A hit that comes out the same when it is asked for again.

Whoever holds one may serve it without asking the exchange, as long as `again`
says so: it counts and plays like any other hit.
"""

import time

from proxy.core.interaction import Variant

from .deck import Deck, Search
from .outcome import Stats


class Repeat:
    """Good while the deck's state is the same, and until a recording's time has come."""

    __slots__ = ("_deck", "_key", "_state", "_stats", "_stored", "_until", "_variant", "by_name")

    def __init__(
        self,
        deck: Deck,
        stats: Stats,
        place: tuple[str, Variant],
        search: Search,
        *,
        by_name: bool,
    ) -> None:
        if (stored := search.stored) is None:
            raise ValueError("only a hit can be repeated")
        self.by_name = by_name
        """Whether it answers every body of the same name, too: see `core.shallow`."""
        self._deck = deck
        self._stats = stats
        self._key, self._variant = place
        self._stored = stored
        self._until = search.until
        self._state = search.state

    def again(self) -> bool:
        """Play it once more, unless anything that it depends on has changed."""
        if self._deck.state() != self._state or time.time() >= self._until:
            return False
        self._deck.played(self._key, self._variant, self._stored)
        self._stats.hits += 1
        return True

    @property
    def age(self) -> int:
        """Whole seconds since it was recorded."""
        return max(0, int(time.time() - self._stored.interaction.recorded_at))

"""A hit that comes out the same when it is asked for again.

Whoever holds one may serve it without asking the exchange, as long as `again`
says so: it counts and plays like any other hit.
"""

from proxy.core.interaction import Variant

from .deck import Deck, Search
from .outcome import Stats


class Repeat:
    """Good while the deck's state is the same, and until a recording's time has come."""

    __slots__ = ("_deck", "_place", "_state", "_stats", "_stored", "_until", "by_name")

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
        self._place = place
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
        deck.played(self._place, self._stored)
        self._stats.hits += 1
        return True

    def age(self, now: float) -> int:
        """Whole seconds since it was recorded."""
        return max(0, int(now - self._stored.interaction.recorded_at))

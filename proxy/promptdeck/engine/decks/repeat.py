"""A hit that comes out the same when it is asked for again.

Whoever holds one may serve it without asking the exchange, as long as `again`
says so: it counts and plays like any other hit.
"""

from promptdeck.core.matching.body import BodyName
from promptdeck.engine.asking import Asked, Known
from promptdeck.engine.stats import Stats

from .deck import Deck, Search


class Repeat:
    """Good while the deck's state is the same, and until a recording's time has come."""

    __slots__ = (
        "_known", "_now", "_play", "_state", "_stats", "_stored", "_turn", "_until", "place",
    )  # fmt: skip

    def __init__(self, deck: Deck, stats: Stats, asked: Asked, search: Search) -> None:
        if (stored := search.stored) is None:
            raise ValueError("only a hit can be repeated")
        self.place = asked.place
        """What a request to which this is the answer, too, has for a place."""
        # What is asked and counted for each hit is held here, so that one costs no calls.
        self._now = deck.state
        self._turn, self._play = deck.counts(asked.place, stored)
        self._stats = stats
        self._known = asked.known
        self._stored = stored
        self._until = search.until
        self._state = search.state

    @property
    def names(self) -> tuple[BodyName, ...]:
        """It answers every body of one of these names: see `core.body`."""
        return self._known.names

    def again(self, now: float) -> bool:
        """Play it once more, unless anything that it depends on has changed.

        `now` is in seconds since the epoch.
        """
        if now >= self._until or self._now() != self._state:
            return False
        self._turn.times += 1
        self._play.times += 1
        self._stats.hits += 1
        return True

    def answers(self, known: Known) -> bool:
        """Whether it is the answer to what is asked in these words."""
        mine = self._known
        return known.form.canonical == mine.form.canonical and known.warning == mine.warning

    def age(self, now: float) -> int:
        """Whole seconds since it was recorded."""
        return max(0, int(now - self._stored.interaction.recorded_at))

"""A hit that comes out the same when it is asked for again.

Whoever holds one may serve it without asking the exchange, as long as `again`
says so: it counts and plays like any other hit.
"""

from promptdeck.core.matching.body import BodyName
from promptdeck.engine.asking import Asked, Known
from promptdeck.engine.stats import Stats

from .deck import Deck, Search


class Repeat:
    """A hit, good while deck and files are the same, and until a recording's time has come.

    ValueError if the search found none.
    """

    __slots__ = (
        "_glance",
        "_known",
        "_now",
        "_play",
        "_recorded_at",
        "_state",
        "_stats",
        "_turn",
        "_until",
        "place",
    )  # fmt: skip

    def __init__(self, deck: Deck, stats: Stats, asked: Asked, search: Search) -> None:
        if (stored := search.stored) is None:
            raise ValueError("only a hit can be repeated")
        self.place = asked.place
        """Fingerprint and variant of every request to which this is the answer."""
        # What is asked and counted for each hit is held here, so that one costs no calls.
        self._now = deck.state
        self._glance = deck.glance(search.key)
        self._turn, self._play = deck.counts((search.key, asked.form.variant), stored)
        self._stats = stats
        self._known = asked.known
        # Not the recording: what is remembered long must not keep its bodies alive.
        self._recorded_at = stored.interaction.recorded_at
        self._until = search.until
        self._state = search.state

    @property
    def names(self) -> tuple[BodyName, ...]:
        """The names of the bodies that it answers, all those of each: see `core.matching.body`."""
        return self._known.names

    @property
    def size(self) -> int:
        """Bytes that it keeps alive, about: those of the canonical form."""
        return len(self._known.form.canonical)

    def again(self, now: float) -> bool:
        """Play the recording once more: True, and it is counted as any hit.

        False if anything that it depends on has changed: then the exchange is to be asked.
        `now` is in seconds since the epoch.
        """
        if now >= self._until or self._now() != self._state:
            return False
        glance = self._glance
        # The bounds are compared here, too, as that takes less than a call.
        if not glance.since <= now < glance.until and glance.changed(now):
            return False
        self._turn.times += 1
        self._play.times += 1
        self._stats.hits += 1
        return True

    def answers(self, known: Known) -> bool:
        """True if this is the answer to a request, known by its canonical form, too."""
        mine = self._known
        return known.form.exact == mine.form.exact and known.warning == mine.warning

    def age(self, now: float) -> int:
        """Whole seconds since the recording was made, never negative."""
        return max(0, int(now - self._recorded_at))

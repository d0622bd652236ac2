"""A hit that comes out the same when it is asked for again.

Whoever holds one may serve it without asking the exchange, as long as `again`
says so: it counts and plays like any other hit.
"""

from collections.abc import Callable
from typing import NamedTuple

from proxy.core.body import Body, Name
from proxy.core.interaction import Request
from proxy.core.repeated import Repeated

from .asking import Asked, Canonicals, Known
from .deck import Deck, Search
from .outcome import Served, Stats


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
    def names(self) -> tuple[Name, ...]:
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


class Alike(NamedTuple):
    """Reads bodies as parts of requests that differ in nothing else."""

    request: Request
    canonicals: Canonicals
    repeated: Repeated | None
    find: Callable[[Request, Known], Served | None] | None
    """Where what is asked is most likely recorded: the answer that is, if no more is to be done."""

    def body(self, data: bytes) -> Body:
        return Body(data, self.repeated)

    def known(self, body: Body) -> Known | None:
        """The canonical form with this body; None if more than an answer is asked for."""
        known = self.canonicals.at_once(self._with(body.data), body)
        return None if known is None or known.wants_more else known

    def said(self, body: Body) -> None:
        """Note that it says, in other words, what another did in which nothing was odd."""
        if body.is_news:
            self.canonicals.learn(body)

    def served(self, body: Body, known: Known) -> Served | None:
        """The recorded answer to that, which has yet to be played."""
        return self.find(self._with(body.data), known) if self.find else None

    def _with(self, data: bytes) -> Request:
        mine = self.request
        return Request(mine.method, mine.target, mine.content_type, data)

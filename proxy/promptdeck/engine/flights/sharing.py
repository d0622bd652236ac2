"""Identical requests under way share one upstream call.

Within a process the later ones join the flight; between processes that share a
store they wait for the recording of the one that has claimed the request.
"""

import asyncio

from promptdeck.core.interaction import Variant
from promptdeck.engine.decks.deck import Deck
from promptdeck.stores.base import Claims

from .flight import Flight

Question = tuple[Deck, str, Variant]

_FIRST_WAIT, _LONGEST_WAIT = 0.01, 0.2
"""Seconds. The other's answer takes longer than that, and its end is not told."""


class Sharing:
    def __init__(self, claims: Claims | None) -> None:
        self._claims = claims
        self._flights: dict[Question, tuple[Flight, bytes]] = {}

    def flight(self, place: Question, canonical: bytes) -> Flight | None:
        """One that brings the answer to just this request, from its beginning."""
        flight, asked = self._flights.get(place, (None, b""))
        if flight and asked == canonical and flight.whole and not flight.failed:
            return flight
        return None

    def add(self, place: Question, flight: Flight, canonical: bytes) -> None:
        self._flights[place] = flight, canonical

    def landed(self, place: Question, flight: Flight) -> None:
        """Its answer has been recorded, or will not be."""
        if self._flights.get(place, (None,))[0] is flight:
            del self._flights[place]
            self.unclaim(place)

    async def claim(self, place: Question) -> bool:
        """Wait until no other process asks for this; whether one did."""
        pause = 0.0
        while not self.claim_at_once(place):
            pause = min(_LONGEST_WAIT, pause * 1.5 or _FIRST_WAIT)
            await asyncio.sleep(pause)
        return pause > 0

    def claim_at_once(self, place: Question) -> bool:
        """Whether no other process asks for this."""
        return self._claims is None or self._claims.take(_name(place))

    def unclaim(self, place: Question) -> None:
        """Let others ask, unless a flight of this process does."""
        if self._claims and place not in self._flights:
            self._claims.drop(_name(place))


def _name(place: Question) -> str:
    _, key, variant = place
    return f"{key} {variant}"

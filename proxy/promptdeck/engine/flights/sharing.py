"""Identical requests under way share one upstream call.

Within a process the later ones join the flight; between processes that share a
store they wait for the recording of the one that has claimed the request.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress

from promptdeck.core.interaction import Headers, Variant
from promptdeck.core.varying import agree, varies
from promptdeck.engine.decks.deck import Deck
from promptdeck.errors import UpstreamError
from promptdeck.stores.base import Claims

from .flight import Flight

Question = tuple[Deck, str, Variant]
"""Who asks the same: deck, fingerprint and variant of a request. Bodies are compared as well."""

Exact = tuple[bytes, Mapping[str, str]]
"""`Normalized.exact` of a request: an answer to one is word for word an answer to another."""

_FIRST_WAIT, _LONGEST_WAIT = 0.01, 0.2
"""Seconds between two looks at another process's claim, whose end is not told.

A model answers in hundreds of milliseconds at best: the first look comes early for those that are
quicker, as upstreams in tests are; later ones cost a system call each, and at most a fifth of a
second is lost.
"""


class Sharing:
    """Which flights of this process may be joined, and what other processes are asking.

    `claims` is None where no other process shares the store.
    """

    def __init__(self, claims: Claims | None) -> None:
        self._claims = claims
        self._flights: dict[Question, tuple[Flight, Exact, Headers]] = {}
        """Each with the exact form and the headers of the request that it answers."""

    def flight(self, question: Question, exact: Exact, sent: Headers = ()) -> Flight | None:
        """A flight that brings the answer to just this request, still whole from its start.

        `sent` are the request's headers, as answers may hang on them.
        """
        flight, asked, first = self._flights.get(question, (None, None, ()))
        if not flight or asked != exact or not flight.whole or flight.failed:
            return None
        if sent == first:
            return flight
        head = flight.known_head
        return flight if head and agree(varies(head.headers), first, sent) else None

    def has_yet_to_tell(self, question: Question, sent: Headers) -> bool:
        """True while only a flight's head can tell whether it is for these headers, too."""
        flight, _, first = self._flights.get(question, (None, None, ()))
        return bool(flight and sent != first and flight.known_head is None and not flight.landed)

    async def told(self, question: Question, sent: Headers) -> None:
        """Wait until it is known whether what is under way is for these headers, too."""
        while self.has_yet_to_tell(question, sent):
            flight, _, _ = self._flights[question]
            with suppress(UpstreamError):
                await flight.head()

    def add(self, question: Question, flight: Flight, exact: Exact, sent: Headers = ()) -> None:
        """Let others that ask the same join a flight, until it is `recorded`."""
        self._flights[question] = flight, exact, sent

    def recorded(self, question: Question, flight: Flight) -> None:
        """What a flight brought has been recorded, or will not be: let others ask."""
        if self._flights.get(question, (None,))[0] is flight:
            del self._flights[question]
            self.unclaim(question)

    async def claim(self, question: Question) -> bool:
        """Wait until no other process asks, and claim the question; True if one did ask."""
        pause = 0.0
        while not self.claim_at_once(question):
            pause = min(_LONGEST_WAIT, pause * 1.5 or _FIRST_WAIT)
            await asyncio.sleep(pause)
        return pause > 0

    def claim_at_once(self, question: Question) -> bool:
        """Claim the question; False if another process has."""
        return self._claims is None or self._claims.take(_name(question))

    def unclaim(self, question: Question) -> None:
        """Let other processes ask, unless a flight of this one still does."""
        if self._claims and question not in self._flights:
            self._claims.drop(_name(question))


def _name(question: Question) -> str:
    """What processes call a question among them; decks of one store may share it."""
    _, key, variant = question
    return f"{key} {variant}"

"""What is done with a request: looked up in a deck, and decided by what was found.

Nothing here serves, refuses or asks upstream.
"""

import logging
import time

from promptdeck.core.policy import Action, Found, Mode, decide
from promptdeck.engine.decks.deck import Deck, Search
from promptdeck.errors import StoreUnavailable

from .asking import Asked, Canonicals
from .rulings import Rulings, sought
from .settings import Settings

log = logging.getLogger("promptdeck")

# More answers than anybody asks for.
_EACH = 2**63


class Planning:
    """The look for a recording, and the decision, of all requests of one exchange."""

    def __init__(self, settings: Settings, canonicals: Canonicals, rulings: Rulings) -> None:
        self._settings = settings
        self._canonicals = canonicals
        self._rulings = rulings
        self._warned = False

    def plan(self, asked: Asked, deck: Deck) -> tuple[Action, Search]:
        """Look a request up and decide what is done: the same on both ways, nothing awaited.

        StoreUnavailable only in replay; elsewhere what cannot be read is a miss.
        """
        mode = self._settings.mode
        if mode is Mode.RECORD:
            search = Search(Found.HIT)  # it replaces what is there, whatever that is
        else:
            try:
                search = self._found(asked, deck)
            except StoreUnavailable as error:
                self._go_on_without(error)
                search = Search(Found.MISS)
        return decide(mode, search.found, asked.wants, stateful=self.is_stateful(asked)), search

    def _found(self, asked: Asked, deck: Deck) -> Search:
        """Look a request up in a deck. StoreUnavailable."""
        route = asked.incoming.route
        return deck.find(
            asked.key,
            asked.form,
            asked.wants,
            self.draws(asked),
            upstream=route.url if route else self._settings.upstream,
            # A provider that could not be written into the model counts by its URL.
            only=route is not None and not route.in_model,
            sent=asked.incoming.headers,
            also=lambda: (*self._canonicals.also(asked), *sought(asked)),
        )

    async def plan_afresh(self, asked: Asked, deck: Deck) -> tuple[Asked, Action, Search]:
        """`plan` of the cassette's file as it is now, by the rules that it has.

        It is followed before, if it is seen to have changed, or else where there is a miss.
        """
        asked = await self._rulings.asked(asked, deck)
        followed = self.has_changed(deck, asked)
        if followed:
            await self._follow(asked, deck)
            asked = await self._rulings.asked(asked, deck)
        action, search = self.plan(asked, deck)
        if search.found is Found.MISS and not followed and await self._follow(asked, deck):
            asked = await self._rulings.asked(asked, deck)
            action, search = self.plan(asked, deck)
        return asked, action, search

    def has_changed(self, deck: Deck, asked: Asked) -> bool:
        """True if a file is to be followed before what is found of a request is believed."""
        # What says nothing of headers is found by another key, where any header selects.
        also = self._canonicals.also(asked) if asked.incoming.request.selecting else ()
        keys = [asked.key, *(one.key for one in also if one.untold)]
        keys += [own.known.key for own in asked.own]
        now = time.time()
        return any(deck.glance(key).changed(now) for key in keys)

    async def _follow(self, asked: Asked, deck: Deck) -> bool:
        """Follow a cassette's file; True if it has changed. StoreUnavailable in replay only."""
        try:
            return await deck.refresh(asked.key)
        except StoreUnavailable as error:
            self._go_on_without(error)
            return False

    def is_stateful(self, asked: Asked) -> bool:
        """True where a call is no function of its request."""
        return self._settings.is_stateful(asked.incoming.request, asked.form.stateful)

    def draws(self, asked: Asked) -> int:
        """How many answers are to be recorded before any is repeated; 0 for as many as the deck's.

        Draws are recorded where what is missing is; elsewhere a wish for them means nothing.
        What is stateful is recorded as often as it is asked, in its order: a job that is polled
        comes to its end.
        """
        if self._settings.mode is not Mode.RECORD_MISSING:
            return 0
        return _EACH if self.is_stateful(asked) else asked.incoming.draws

    def _go_on_without(self, error: StoreUnavailable) -> None:
        """Warn, once, that the store cannot be read. In replay, raise: it has nothing else."""
        if self._settings.mode is Mode.REPLAY:
            raise error
        if not self._warned:
            self._warned = True
            log.warning("%s; going on without it", error)

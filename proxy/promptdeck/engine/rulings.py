"""A request by the rules of the cassettes that it is looked up in, where these have their own.

A deck of one file or of a folder may have several sets of rules, each of them joined to the
user's: a recording is found by the rules of its own file. Nearly every deck has none, and then
nothing is done here.
"""

from collections.abc import Iterator

from promptdeck.core.counts import Counts
from promptdeck.core.matching.rules import Rules
from promptdeck.core.policy import Mode
from promptdeck.engine.decks.deck import Deck
from promptdeck.stores.base import Sought

from .asking import Asked, Canonicals, Own
from .settings import Settings

_MOST = 32
"""Sets of rules of which is remembered what requests are by them; a folder has one, if any."""
_MOST_BYTES = 4 * 1024 * 1024
"""Of what is remembered by one set: some 70 chats of 60 KB, and 128 MB for all sets at most."""


class Rulings:
    """Gives requests their forms by the rules of a deck's cassettes, once for the same bytes."""

    def __init__(self, settings: Settings) -> None:
        self._redactor = settings.redactor
        self._caches = settings.mode is Mode.CACHE
        self._known: dict[str, Canonicals] = {}
        """By the digest of rules, the latest last."""

    async def asked(self, asked: Asked, deck: Deck) -> Asked:
        """The request with its forms by the rules that the deck has now. PatternError."""
        found = []
        for rules in deck.rules():
            canonicals = self._canonicals(rules)
            found.append(Own(canonicals, await canonicals.known(asked.incoming.request)))
        return self._with(asked, found, deck) if found or asked.own else asked

    def at_once(self, asked: Asked, deck: Deck) -> Asked | None:
        """The same without waiting; None where it takes that."""
        found = []
        for rules in deck.rules():
            canonicals, request = self._canonicals(rules), asked.incoming.request
            body = canonicals.reader(Counts.of(request))(request.body)
            known = canonicals.at_once(request, body)
            if known is None:
                return None
            found.append(Own(canonicals, known))
        return self._with(asked, found, deck) if found else asked

    def _with(self, asked: Asked, found: list[Own], deck: Deck) -> Asked:
        """The request with these forms; who records into a cassette counts it by its rules.

        A folder is not written to, and the cache has no rules of its own.
        """
        one = found and deck.name and not self._caches
        return asked._replace(own=tuple(found), counted=found[0].known if one else None)

    def _canonicals(self, rules: Rules) -> Canonicals:
        """What gives requests their form by these rules."""
        found = self._known.pop(rules.digest, None)
        if found is None:
            found = Canonicals(rules, self._redactor, None, _MOST_BYTES)
            if len(self._known) >= _MOST:
                del self._known[next(iter(self._known))]
        self._known[rules.digest] = found
        return found


def sought(asked: Asked) -> Iterator[Sought]:
    """The forms by which a deck's cassettes with rules of their own may have a request."""
    for one in asked.own:
        yield Sought(one.known.key, one.known.form.canonical, aimed=one.known.form.aimed)
        yield from one.canonicals.also(asked._replace(known=one.known))

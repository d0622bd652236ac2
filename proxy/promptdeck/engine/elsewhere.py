"""What was recorded of a client of one dialect, found for one of another who asks the same.

Only where upstream must not be asked, and nothing else was found: there a miss is a failure, and
the look is what its explanation would take as well.
"""

import asyncio
from collections.abc import Collection, Hashable, Iterable, Sequence
from weakref import WeakKeyDictionary

from promptdeck.core.dialects.base import Dialect
from promptdeck.core.dialects.meaning import elsewhere, meaning
from promptdeck.core.dialects.table import TRANSLATED, dialect_in
from promptdeck.core.interaction import Request
from promptdeck.core.matching.fingerprint import fingerprint

from .asking import Asked
from .decks.deck import Deck, Search

_CANDIDATES = 20
"""Recordings of each other dialect that are read: the nearest, of which the same one is first."""


class Elsewhere:
    """Finds recordings by what they ask. `law` is the digest of the user's rules."""

    def __init__(self, law: str) -> None:
        self._law = law
        self._absent: WeakKeyDictionary[Deck, tuple[Hashable, set[Dialect]]] = WeakKeyDictionary()
        """By deck its state, and the dialects in which nothing was asked then: a cassette has one
        mostly, and to look through thousands of recordings for others takes as long as a miss."""

    async def found(self, asked: Asked, deck: Deck) -> Search | None:
        """A deck's recording of a request that asks the same in another dialect; None for none.

        StoreUnavailable.
        """
        form = asked.form.canonical
        state, absent = self._absent.get(deck, (None, set()))
        if state != deck.state():
            state, absent = self._absent[deck] = deck.state(), set()
        others = {one for one in TRANSLATED.values() if one is not asked.form.dialect}
        if asked.form.stateful or others <= absent:
            return None
        for dialect, there in await asyncio.to_thread(_forms, form, frozenset(absent)):
            [(_, nearest)] = await deck.nearest([("", there)], _CANDIDATES)
            some = [one for _, one in nearest if dialect_in(_request(one)) is dialect]
            if not some:
                absent.add(dialect)  # those that are asked alike come first
            for one in await asyncio.to_thread(asking_the_same, form, some):
                search = deck.find(
                    fingerprint(one, self._law),
                    asked.form._replace(canonical=one),
                    asked.wants,
                    sent=asked.incoming.headers,
                    client=asked.incoming.request,
                )
                if search.stored:
                    return search
        return None


def _request(form: bytes) -> Request:
    """The request of which this is the canonical form."""
    head, _, body = form.partition(b"\n")
    method, target, *_ = [*head.decode("utf-8", "surrogatepass").split(" "), ""]
    return Request(method, target, "application/json", body)


def _meant(form: bytes) -> bytes | None:
    return meaning(_request(form))


def _forms(form: bytes, absent: Collection[Dialect]) -> Sequence[tuple[Dialect, bytes]]:
    """The forms of a request in the other dialects, about, but for those that are absent."""
    return [
        (dialect, f"POST {one.target}\n".encode("utf-8", "surrogatepass") + one.body)
        for dialect, one in elsewhere(_request(form), absent)
    ]


def asking_the_same(form: bytes, some: Iterable[bytes]) -> Sequence[bytes]:
    """Those of some canonical forms that ask the same as this one does, in another dialect."""
    mine = _meant(form)
    if mine is None:
        return []
    dialect = dialect_in(_request(form))
    others = (one for one in some if dialect_in(_request(one)) is not dialect)
    return [one for one in others if _meant(one) == mine]

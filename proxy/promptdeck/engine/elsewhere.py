"""What was recorded of a client of one dialect, found for one of another who asks the same.

Only where upstream must not be asked, and nothing else was found: there a miss is a failure, and
the look is what its explanation would take as well.
"""

import asyncio
from collections.abc import Iterable, Sequence

from promptdeck.core.dialects.meaning import elsewhere, meaning
from promptdeck.core.dialects.table import dialect_in
from promptdeck.core.interaction import Request
from promptdeck.core.matching.fingerprint import fingerprint

from .asking import Asked
from .decks.deck import Deck, Search

_CANDIDATES = 20
"""Recordings of each other dialect that are read: the nearest, of which the same one is first."""


async def found_elsewhere(asked: Asked, deck: Deck, law: str) -> Search | None:
    """A deck's recording of a request that asks the same in another dialect; None for none.

    `law` is the digest of the user's rules. StoreUnavailable.
    """
    if asked.form.stateful:
        return None
    forms = await asyncio.to_thread(_forms, asked.form.canonical)
    nearest = await deck.nearest([("", form) for form in forms], _CANDIDATES)
    some = dict.fromkeys(form for _, found in nearest for _, form in found)
    same = await asyncio.to_thread(asking_the_same, asked.form.canonical, [*some])
    for form in same:
        search = deck.find(
            fingerprint(form, law),
            asked.form._replace(canonical=form),
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


def _forms(form: bytes) -> Sequence[bytes]:
    """The forms of a request in the other dialects, about."""
    return [
        f"{one.method} {one.target}\n".encode("utf-8", "surrogatepass") + one.body
        for one in elsewhere(_request(form))
    ]


def asking_the_same(form: bytes, some: Iterable[bytes]) -> Sequence[bytes]:
    """Those of some canonical forms that ask the same as this one does, in another dialect."""
    mine = _meant(form)
    if mine is None:
        return []
    dialect = dialect_in(_request(form))
    others = (one for one in some if dialect_in(_request(one)) is not dialect)
    return [one for one in others if _meant(one) == mine]

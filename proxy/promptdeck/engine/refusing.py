"""What a request gets that no recording answers where upstream must not be asked: the reason.

Listing what the recordings imply is the one answer that can be given instead.
"""

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from promptdeck.core import headers as http
from promptdeck.core.dialects.base import value_of
from promptdeck.core.dialects.sockets import MESSAGE, OPENING
from promptdeck.core.dialects.table import spoken_at
from promptdeck.core.headers import NO_UPGRADE, UPGRADE_REQUIRED
from promptdeck.core.interaction import Frame, Response
from promptdeck.core.policy import Mode
from promptdeck.errors import CassetteMiss, HTTPError
from promptdeck.stores.base import Sought

from .asking import Asked
from .decks.deck import Deck, Search
from .listing import implied
from .outcome import Listed, Served
from .settings import Settings
from .stats import Stats

if TYPE_CHECKING:
    from promptdeck.core.misses.explain import Explanation

log = logging.getLogger("promptdeck")

_CANDIDATES = 60
"""Recordings that a store is to give for a miss at most, where it has a cheap measure of its own:
three times those that `explain` compares with care, as a sketch takes many of one template for
equally near. 60 of 18 KB are read and measured roughly in 30 ms."""


class Refusals:
    """`refuse` requests, and count those that were refused."""

    def __init__(self, settings: Settings, stats: Stats) -> None:
        self._settings = settings
        self._stats = stats
        # One at a time: each thread that computes lets the loop wait 5 ms for its turn
        # (sys.getswitchinterval), and a run of misses would have several of them.
        self._explaining = asyncio.Lock()

    async def refuse(self, asked: Asked, deck: Deck, search: Search) -> Listed | Served:
        """Refuse a request. CassetteMiss says what is nearest to it and how it differs.

        HTTPError 504 where it is the request that forbids to ask upstream. What is implied is
        returned: the list of recordings' models, the answer to what has nothing generated.
        """
        request = asked.incoming.request
        if models := await implied(request, deck):
            status = http.cache_status(key=asked.key, detail="listed from recordings")
            return Listed(models, status)
        if told := _implied_over_socket(asked):
            return told
        if request.method == OPENING and self._settings.mode is Mode.REPLAY:
            raise await self._unopened(asked, deck, search)
        self._stats.misses += 1
        if self._settings.mode is not Mode.REPLAY:
            stale = HTTPError(
                "the request says only-if-cached, and there is no recording that it accepts",
                code="only_if_cached",
                status=504,
            )
            stale.cache_status = http.cache_status(key=asked.key, detail="only-if-cached")
            raise stale
        raise await self._miss(asked, deck, search)

    async def _unopened(self, asked: Asked, deck: Deck, search: Search) -> CassetteMiss:
        """What refuses to open a WebSocket that no recording opens, by name.

        426 has codex ask by HTTP at once. Clients try again and again to open one: for each
        target that is one miss, and none at all where the same is recorded by HTTP.
        """
        target = asked.incoming.request.target
        by_http = await _recorded_by_http(asked, deck)
        if not by_http and deck.is_first_refusal(asked.key):
            self._stats.misses += 1
            miss = await self._miss(asked, deck, search)
        else:
            miss = CassetteMiss("")
            miss.cache_status = http.cache_status(key=asked.key, detail=search.reason)
        hint = "what is asked of it by HTTP is" if by_http else "record it, or ask by HTTP"
        path = target.partition("?")[0]
        miss.message = f"no WebSocket to {path} is recorded; {hint}"
        miss.status, miss.headers = UPGRADE_REQUIRED, NO_UPGRADE
        return miss

    async def _miss(self, asked: Asked, deck: Deck, search: Search) -> CassetteMiss:
        """Log a miss, note it in the deck's report, and put it into words for the client."""
        request = asked.incoming.request
        explanation = await self._explain(asked, deck, search)
        told = {"message": explanation.message(), "text": explanation.text()}
        target = await self._shown(request.target)
        deck.missed({"key": asked.key, "target": target, **told, **explanation.details()})
        log.warning("miss %s %s", request.method, target, extra={"below": told["text"]})
        miss = CassetteMiss(
            told["message"],
            param=explanation.differences[0].path if explanation.differences else None,
            # Of all statuses 400 alone is shown at once by Claude Code, codex and opencode: the
            # first hides 404, and 404, 409 and 422 are tried again by the others.
            status=400 if asked.form.dialect.is_model else 404,
            details={"key": asked.key, **explanation.details()},
        )
        miss.cache_status = http.cache_status(key=asked.key, detail=search.reason)
        return miss

    async def _shown(self, target: str) -> str:
        """A request's target without secrets. PatternError."""
        redactor = self._settings.redactor
        if redactor.waits:
            return await asyncio.to_thread(redactor.query, target)
        return redactor.query(target)

    async def _explain(self, asked: Asked, deck: Deck, search: Search) -> "Explanation":
        async with self._explaining:
            known = asked.forms
            forms = [(law, one.form.canonical) for law, one in known]
            sought = [Sought(one.key, one.form.canonical) for _, one in known]
            dialect, body = asked.form.dialect, asked.incoming.request.body
            return await asyncio.to_thread(
                _explained,
                await deck.nearest(forms, _CANDIDATES),
                search.reason,
                written=lambda path: dialect.path_written(path, value_of(body)),
                cassette=deck.name,
                times_recorded=deck.times_recorded(sought),
                times_played=sum(deck.times_played(*one.place) for _, one in known),
            )


def _implied_over_socket(asked: Asked) -> Served | None:
    """The answer to a message that can have but one; None for any other."""
    request = asked.incoming.request
    spoken = spoken_at(request.target) if request.method == MESSAGE else None
    events = spoken.implied(request.body, asked.key.rpartition(":")[2]) if spoken else []
    if not events:
        return None
    frames = tuple(Frame(0, event) for event in events)
    response = Response(200, (("content-type", "text/event-stream"),), frames)
    status = http.cache_status(key=asked.key, detail="implied by the message")
    return Served(response, status, age=0, key=asked.key)


async def _recorded_by_http(asked: Asked, deck: Deck) -> bool:
    """True if the deck has what a client would ask in place of the WebSocket that it asks for."""
    head = f"POST {asked.incoming.request.target}\n".encode("utf-8", "surrogatepass")
    nearest = await deck.nearest([(law, head + b"{}") for law, _ in asked.forms], _CANDIDATES)
    return any(form.startswith(head) for _, found in nearest for _, form in found)


def _explained(
    searched: "list[tuple[bytes, list[tuple[str, bytes]]]]", reason: str, **more: Any
) -> "Explanation":
    """`explain`, off the loop: it is imported by the first miss, which takes 20 ms."""
    from promptdeck.core.misses.explain import Reason, explain

    (form, recorded), *others = searched
    return explain(form, recorded, Reason(reason), others=others, **more)

"""One request from fingerprint to answer: find, decide, then serve, refuse or fly.

The exchange keeps what is under way (`_sharing`) and what was counted
(`stats`); the deck it is given knows recordings. In replay there is no way
upstream: `_flights` is None, and no branch below could reach it.
"""

import asyncio
import logging
import time
from typing import TYPE_CHECKING, assert_never

from promptdeck.core import headers as http
from promptdeck.core.interaction import Request, Response, header
from promptdeck.core.matching.body import Body
from promptdeck.core.matching.repeated import Repeated
from promptdeck.core.matching.rules import Rules
from promptdeck.core.policy import ANYTHING, Action, Found, Mode, decide
from promptdeck.engine.decks.deck import Deck, Search
from promptdeck.engine.decks.repeat import Repeat
from promptdeck.engine.flights.flight import Flight
from promptdeck.engine.flights.landing import Answered, Landing, Record
from promptdeck.engine.flights.launch import Flights, Way
from promptdeck.engine.flights.sharing import Sharing
from promptdeck.errors import CassetteMiss, HTTPError, StoreUnavailable
from promptdeck.stores.base import Claims, Stored

from .asking import Asked, Canonicals, Check, Incoming, Known
from .idempotency import Idempotency
from .listing import implied
from .outcome import Flown, Listed, Served
from .settings import Settings
from .stats import Stats

if TYPE_CHECKING:
    from promptdeck.core.misses.explain import Explanation

log = logging.getLogger("promptdeck")

NO_RULES = Rules()
_BYPASS = http.cache_status("fwd=bypass")


class Exchange:
    def __init__(
        self,
        settings: Settings,
        way: Way | None,
        tasks: asyncio.TaskGroup,
        *,
        check: Check | None = None,
        answered: Answered | None = None,
        claims: Claims | None = None,
    ) -> None:
        self.stats = Stats()
        self._canonicals = Canonicals(settings.rules, settings.redactor, check)
        self._sharing = Sharing(claims)
        self._first_answers: Idempotency[Served | Flight] = Idempotency(_weight)
        self._settings = settings
        self._flights = Flights(way, tasks) if way else None
        self._landing = Landing(settings, self.stats, self._canonicals, self._sharing, answered)
        self._warned = False

    async def answer(self, incoming: Incoming, deck: Deck) -> Served | Flown | Listed:
        """Answer one request. HTTPError says why there is none."""
        mode = self._settings.mode
        if mode is Mode.PASSTHROUGH:
            return self._fly(incoming, _BYPASS, keep_bytes=0)
        idempotency_key = header(incoming.headers, "idempotency-key")
        if idempotency_key:
            # What one cassette answered is none of another's answers. No header holds a line end.
            idempotency_key = f"{deck.name}\n{idempotency_key}"
        if idempotency_key and (again := self._again(idempotency_key, incoming)):
            return again
        answer = await self._new_answer(incoming, deck)
        if idempotency_key and not isinstance(answer, Listed):
            first = answer.flight if isinstance(answer, Flown) else answer
            self._first_answers.remember(idempotency_key, incoming.request, first)
        return answer

    # What is told or begun at once, where nothing has to be awaited: what a request can have
    # that asks for an answer and nothing else, with no header that has a say in it

    def repeated(self, request: Request) -> Repeated | None:
        """Where such a request's body says again what was read before: what that was."""
        return self._canonicals.repeated(request)

    def said(self, body: Body) -> None:
        """Note that it says, in other words, what another did in which nothing was odd."""
        if body.is_news:
            self._canonicals.learn(body)

    def known_at_once(self, request: Request, body: Body) -> Known | None:
        """Its canonical form, where that has a say and no more than an answer is asked for.

        ClientError where the contract forbids it.
        """
        if self._settings.mode in (Mode.PASSTHROUGH, Mode.RECORD):
            return None
        known = self._canonicals.at_once(request, body)
        return None if known is None or known.wants_more else known

    def at_once(self, incoming: Incoming, deck: Deck, known: Known | None) -> Served | Flown | None:
        """What `answer` would give without waiting. What is recorded has yet to be played.

        None where there is more to it, or it would not be the same the next time.
        """
        mode = self._settings.mode
        if mode is Mode.PASSTHROUGH:
            return self._fly(incoming, _BYPASS, keep_bytes=0)
        if known is None:
            return None
        asked = Asked(incoming, known, ANYTHING)
        try:
            search = deck.find(asked.key, asked.form, ANYTHING)
        except StoreUnavailable:
            return None
        action = decide(mode, search.found, ANYTHING)
        if action is Action.SERVE and search.until and search.stored and search.response:
            served = _served(asked, search.stored, search.response, converted=search.converted)
            return served._replace(repeat=Repeat(deck, self.stats, asked, search))
        # A cassette's file may have changed, and to look takes waiting.
        new = action is Action.STORE and mode is Mode.CACHE and not deck.follows
        if new and self._claims_at_once(asked, deck, search):
            return self._forward(asked, deck, search, store=True)
        return None

    def _claims_at_once(self, asked: Asked, deck: Deck, search: Search) -> bool:
        if not self._shares(asked, deck, search):
            return True
        return self._sharing.claim_at_once((deck, *asked.place))

    def _again(self, key: str, incoming: Incoming) -> Served | Flown | None:
        """The answer that this key's first request got or is getting, if it can be given again."""
        first = self._first_answers.first(key, incoming.request)
        status = http.cache_status("hit", detail="idempotency-key")
        if isinstance(first, Served):
            dealt = incoming.deal(first.key) if incoming.deal else None
            return first._replace(cache_status=status, dealt=dealt, repeat=None)
        if first and first.whole and not first.failed and not first.refused:
            return Flown(first, first.join(), status)
        return None

    async def _new_answer(self, incoming: Incoming, deck: Deck) -> Served | Flown | Listed:
        mode = self._settings.mode
        asked = await self._canonicals.asked(incoming)
        search = await self._search(asked, deck)
        action = decide(mode, search.found, asked.wants)
        match action:
            case Action.SERVE:
                return await self._serve(asked, deck, search)
            case Action.REFUSE:
                return await self._refuse(asked, deck, search)
            case Action.FORWARD:
                return self._forward(asked, deck, search, store=False)
            case Action.STORE:
                if self._shares(asked, deck, search):
                    return await self._claimed(asked, deck, search)
                return self._forward(asked, deck, search, store=True)
            case _:
                assert_never(action)

    @property
    def under_way(self) -> int:
        """Answers that are still coming, or being recorded."""
        return self._flights.under_way if self._flights else 0

    async def finish(self, timeout: float) -> None:
        """Wait for recordings that are under way, `timeout` seconds at most, then end them."""
        if self._flights:
            await self._flights.finish(timeout)

    async def _search(self, asked: Asked, deck: Deck) -> Search:
        if self._settings.mode is Mode.RECORD:
            return Search(Found.HIT)
        draws = self._draws(asked)
        try:
            search = deck.find(asked.key, asked.form, asked.wants, draws)
            if search.found is Found.MISS and await deck.refresh():
                search = deck.find(asked.key, asked.form, asked.wants, draws)
        except StoreUnavailable as error:
            if self._settings.mode is Mode.REPLAY:
                raise
            self._warn_once(error)
            return Search(Found.MISS)
        return search

    def _draws(self, asked: Asked) -> int:
        """Draws are recorded where what is missing is; elsewhere a wish for them means nothing."""
        return asked.incoming.draws if self._settings.mode is Mode.RECORD_MISSING else 0

    def _warn_once(self, error: StoreUnavailable) -> None:
        if not self._warned:
            self._warned = True
            log.warning("%s; going on without it", error)

    async def _serve(self, asked: Asked, deck: Deck, search: Search) -> Served:
        if search.stored is None or search.response is None:
            raise AssertionError("a hit without a recording")
        deal = asked.incoming.deal
        dealt = deal(asked.key) if deal else None
        # An answer that no client can get whole takes no turn: the retry is to get it.
        turns = not (dealt and dealt.fault.harms)
        deck.played(asked.place, search.stored, turns=turns)
        self.stats.hits += 1
        to_be_stored = self._landing.stores(asked.incoming)
        if to_be_stored:
            await self._landing.store(asked.incoming, search.response)
        served = _served(asked, search.stored, search.response, converted=search.converted)
        repeat = None
        if search.until and asked.wants is ANYTHING and not (deal or to_be_stored):
            repeat = Repeat(deck, self.stats, asked, search)
        return served._replace(dealt=dealt, repeat=repeat)

    # Misses

    async def _refuse(self, asked: Asked, deck: Deck, search: Search) -> Listed:
        request = asked.incoming.request
        if models := implied(request, deck):
            status = http.cache_status(key=asked.key, detail="listed from recordings")
            return Listed(models, status)
        self.stats.misses += 1
        if self._settings.mode is not Mode.REPLAY:
            stale = HTTPError(
                "the request says only-if-cached, and there is no recording that it accepts",
                code="only_if_cached",
                status=504,
            )
            stale.cache_status = http.cache_status(key=asked.key, detail="only-if-cached")
            raise stale
        explanation = await self._explain(asked, deck, search)
        told = {"message": explanation.message(), "text": explanation.text()}
        target = self._settings.redactor.query(request.target)
        deck.missed({"key": asked.key, "target": target, **told, **explanation.details()})
        log.warning("miss %s %s\n%s", request.method, target, told["text"])
        miss = CassetteMiss(
            told["message"],
            param=explanation.differences[0].path if explanation.differences else None,
            details={"key": asked.key, **explanation.details()},
        )
        miss.cache_status = http.cache_status(key=asked.key, detail=search.reason)
        raise miss

    async def _explain(self, asked: Asked, deck: Deck, search: Search) -> "Explanation":
        from promptdeck.core.misses.explain import (  # only for a miss
            Reason,
            explain,
        )

        recorded = list(deck.canonicals())
        return await asyncio.to_thread(
            explain,
            asked.form.canonical,
            recorded,
            Reason(search.reason),
            cassette=deck.name,
            times_recorded=deck.times_recorded(asked.key, asked.form),
            times_played=deck.times_played(*asked.place),
        )

    # Upstream

    def _forward(self, asked: Asked, deck: Deck, search: Search, *, store: bool) -> Flown:
        why = http.FORWARDED[search.found]
        if search.requested:
            why = "request"
        words = [f"fwd={why}", *(["stored"] if store else [])]
        if not store:
            keep = self._settings.keep_bytes if self._landing.stores(asked.incoming) else 0
            return self._fly(
                asked.incoming, http.cache_status(*words, key=asked.key), keep_bytes=keep
            )
        place = (deck, *asked.place)
        draws = self._draws(asked)
        deck.drawn(*asked.place, draws)
        if self._shares(asked, deck, search) and (
            flight := self._sharing.flight(place, asked.form.canonical)
        ):
            self.stats.collapsed += 1
            status = http.cache_status(f"fwd={why}", "collapsed", key=asked.key)
            return Flown(flight, flight.join(), status, asked.warning)
        flown = self._fly(
            asked.incoming,
            http.cache_status(*words, key=asked.key),
            keep_bytes=self._settings.keep_bytes,
            record=(asked, deck),
        )
        if self._settings.mode.shares_flights and not deck.samples(draws):
            self._sharing.add(place, flown.flight, asked.form.canonical)
        return flown._replace(warning=asked.warning)

    def _shares(self, asked: Asked, deck: Deck, search: Search) -> bool:
        """Whether another's answer under way will do."""
        fresh = asked.wants.no_cache or search.requested
        alike = not deck.samples(self._draws(asked))
        return self._settings.mode.shares_flights and alike and not fresh

    async def _claimed(self, asked: Asked, deck: Deck, search: Search) -> Served | Flown:
        """Ask upstream, unless another process does: then take what that one has recorded."""
        place = (deck, *asked.place)
        if await self._sharing.claim(place):
            try:
                search = await self._search(asked, deck)
                if decide(self._settings.mode, search.found, asked.wants) is Action.SERVE:
                    served = await self._serve(asked, deck, search)
                    self._sharing.unclaim(place)
                    return served
            except BaseException:
                self._sharing.unclaim(place)
                raise
        return self._forward(asked, deck, search, store=True)

    def _fly(
        self,
        incoming: Incoming,
        cache_status: str,
        *,
        keep_bytes: int,
        record: Record | None = None,
    ) -> Flown:
        if self._flights is None:
            raise AssertionError("replay never goes upstream")
        self.stats.upstream_calls += 1
        outlives = self._settings.outlives_client and record is not None
        flight = Flight(keep_bytes=keep_bytes, outlives_readers=outlives)
        place = flight.join()
        ended = self._landing.of(flight, incoming, record, self._flights.start)
        self._flights.launch(incoming, flight, ended)
        stored = self._landing.stores(incoming)
        return Flown(flight, place, cache_status, end_counts=stored)


def _served(asked: Asked, stored: Stored, response: Response, *, converted: bool) -> Served:
    interaction = stored.interaction
    detail = interaction.id
    if converted:
        detail += f" converted-from={interaction.variant}"
    status = http.cache_status("hit", key=asked.key, detail=detail)
    age = max(0, int(time.time() - interaction.recorded_at))
    return Served(response, status, age, asked.key, asked.warning)


def _weight(answer: Served | Flight) -> int:
    """What remembering an answer costs: a recording is kept elsewhere anyway."""
    return answer.size if isinstance(answer, Flight) else 0

"""One request from fingerprint to answer: planned, then served, refused or flown.

The exchange keeps what is under way (`_sharing`) and what was counted
(`stats`); the deck it is given knows recordings. In replay there is no way
upstream: `_flights` is None, and no branch below could reach it.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, assert_never
from weakref import WeakSet

from promptdeck.core import headers as http
from promptdeck.core.counts import Counts
from promptdeck.core.dialects.interpreted import Remembering
from promptdeck.core.dialects.table import TRANSLATED, dialect_in
from promptdeck.core.interaction import Request, header
from promptdeck.core.matching.body import Body
from promptdeck.core.matching.fingerprint import fingerprint, turn_of
from promptdeck.core.policy import ANYTHING, Action, Mode
from promptdeck.engine.decks.deck import Deck, Search
from promptdeck.engine.decks.repeat import Repeat
from promptdeck.engine.flights.budget import Budget
from promptdeck.engine.flights.flight import Flight
from promptdeck.engine.flights.landing import Answered, Landing, Record
from promptdeck.engine.flights.launch import Flights, Way
from promptdeck.engine.flights.sharing import Sharing
from promptdeck.errors import ClientError, StoreUnavailable
from promptdeck.stores.base import Claims

from .asking import Asked, Canonicals, Check, Known
from .firsts import FirstAnswers
from .incoming import Incoming
from .outcome import Flown, Listed, Served
from .planning import Planning
from .refusing import Refusals
from .rulings import Rulings
from .settings import Settings
from .sides import Line
from .stats import Stats

if TYPE_CHECKING:
    from .elsewhere import Elsewhere

log = logging.getLogger("promptdeck")

DECISIVE = frozenset(["idempotency-key"])
"""Headers read here with which a request is decided on by itself."""

Reply = Served | Flown | Listed

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
        budget: Budget | None = None,
        memory: Remembering | None = None,
    ) -> None:
        self.stats = Stats()
        self.lines: WeakSet[Line] = WeakSet()
        """Those of the WebSockets that are open."""
        self._canonicals = Canonicals(settings.rules, settings.redactor, check)
        self._rulings = Rulings(settings)
        self._planning = Planning(settings, self._canonicals, self._rulings)
        self._sharing = Sharing(claims)
        self._firsts = FirstAnswers(settings.keep_bytes)
        self._settings = settings
        self._memory = memory
        self._elsewhere: Elsewhere | None = None
        self._flights = Flights(way, tasks) if way else None
        self._budget = budget or Budget(settings.keep_bytes)
        self._landing = Landing(
            settings, self.stats, self._canonicals, self._sharing, answered, self._budget
        )
        self._refusals = Refusals(settings, self.stats)

    async def answer(self, incoming: Incoming, deck: Deck) -> Reply:
        """Answer one request. HTTPError says why there is none."""
        if self._settings.mode is Mode.PASSTHROUGH:
            return self._fly(incoming, _BYPASS, keep_bytes=0)
        if incoming.packed and incoming.packed.unreadable:
            return self._unread(incoming, incoming.packed.unreadable)
        return await self.once(incoming, deck, partial(self._new_answer, incoming, deck))

    async def once(
        self, incoming: Incoming, deck: Deck, ask: Callable[[], Awaitable[Reply]]
    ) -> Reply:
        """What `ask` brings; for an `Idempotency-Key` that came before, what that brought then.

        HTTPError as `ask`.
        """
        key = header(incoming.headers, "idempotency-key")
        if not key:
            return await ask()
        # What one cassette answered is none of another's answers. No header holds a line end.
        return await self._firsts.answer(f"{deck.name}\n{key}", incoming, ask)

    async def recorded(self, incoming: Incoming, deck: Deck) -> tuple[str, Served | None]:
        """A request's fingerprint, and its recorded answer where that is to be served.

        Nothing is asked upstream, and where nothing is recorded no miss is counted. HTTPError
        where the contract forbids the request.
        """
        asked = await self._canonicals.asked(incoming)
        action, search = Action.FORWARD, None
        if self.matches:
            asked, action, search = await self._planning.plan_afresh(asked, deck)
        if search and action is Action.SERVE:
            return asked.key, await self._serve(asked, deck, search)
        if asked.known.refused:
            raise asked.known.refused.with_traceback(None)
        return asked.key, None

    async def turn(self, incoming: Incoming) -> tuple[str, str]:
        """The fingerprint of a request's canonical form, and the turn that follows it.

        By these what the answer asks for is known. The rules are not in them: one more that says
        nothing of the request changes nothing.
        """
        canonical = (await self._canonicals.known(incoming.request)).form.canonical
        return fingerprint(canonical), turn_of(canonical, 1)

    def _unread(self, incoming: Incoming, why: str) -> Flown:
        """Pass on a request that cannot be read here, and record nothing. ClientError 415.

        The last where upstream must not be asked. Who cannot be read has secrets, too.
        """
        if self._flights is None:
            raise ClientError(
                why, code="unreadable_encoding", status=415, param="Content-Encoding", retry=False
            )
        log.warning("not recorded: %s", why)
        status = http.cache_status("fwd=bypass", detail="content-encoding")
        return self._fly(incoming, status, keep_bytes=0)

    def reader(self, counts: Counts) -> Callable[[bytes], Body]:
        """Makes `Body` values, for `known_at_once`, of the bodies that come with these counts."""
        return self._canonicals.reader(counts)

    def known_at_once(self, request: Request, body: Body) -> Known | None:
        """Find a request's canonical form without waiting.

        None where that has no say, takes too long, or the request asks for more than an
        answer.
        """
        if self._settings.mode in (Mode.PASSTHROUGH, Mode.RECORD):
            return None
        known = self._canonicals.at_once(request, body)
        return None if known is None or known.wants_more else known

    def at_once(self, incoming: Incoming, deck: Deck, known: Known | None) -> Served | Flown | None:
        """Begin what `answer` would give, for a request in which no header has a say.

        `known` is what `known_at_once` found. A recorded answer has yet to be played, by its
        `repeat`. None where something has to be awaited, or the answer would not be the same
        the next time: `answer` then gives it.
        """
        if self._settings.mode is Mode.PASSTHROUGH and not self._settings.may_run(incoming.request):
            return self._fly(incoming, _BYPASS, keep_bytes=0)
        if known is None:
            return None
        asked = self._rulings.at_once(Asked(incoming, known, ANYTHING), deck)
        if asked is None or self._planning.has_changed(deck, asked):
            return None
        try:
            action, search = self._planning.plan(asked, deck)
        except StoreUnavailable:
            return None
        if known.refused and action is not Action.SERVE:
            return None
        if action is Action.SERVE and search.until and not self._planning.draws(asked):
            return self._hit(asked, deck, search)
        if action is Action.FORWARD and not deck.follows:
            return self._forward(asked, deck, search, store=False)
        # A cassette's file may have changed, and to look takes waiting.
        new = action is Action.STORE and self._settings.mode is Mode.CACHE and not deck.follows
        if new and self._sharing.has_yet_to_tell((deck, *known.place), incoming.headers):
            return None
        if new and self._may_ask(asked, deck, search):
            return self._forward(asked, deck, search, store=True)
        return None

    def _may_ask(self, asked: Asked, deck: Deck, search: Search) -> bool:
        """Claim a request, if it shares its answer; False while another process asks the same."""
        if not self._shares(asked, deck, search):
            return True
        return self._sharing.claim_at_once((deck, *asked.place))

    async def _new_answer(self, incoming: Incoming, deck: Deck) -> Reply:
        asked = await self._canonicals.asked(incoming)
        asked, action, search = await self._planning.plan_afresh(asked, deck)
        if asked.known.refused and action is not Action.SERVE:
            # The contract speaks where nothing is recorded.
            raise asked.known.refused.with_traceback(None)
        match action:
            case Action.SERVE:
                return await self._serve(asked, deck, search)
            case Action.REFUSE:
                if found := await self._found_elsewhere(asked, deck, search):
                    return await self._serve(asked, deck, found)
                return await self._refusals.refuse(asked, deck, search)
            case Action.FORWARD:
                return self._forward(asked, deck, search, store=False)
            case Action.STORE:
                if self._shares(asked, deck, search):
                    await self._sharing.told((deck, *asked.place), incoming.headers)
                    return await self._claimed(asked, deck, search)
                return self._forward(asked, deck, search, store=True)
            case _:
                assert_never(action)

    async def _found_elsewhere(self, asked: Asked, deck: Deck, search: Search) -> Search | None:
        """The answer to who asked the same in another dialect, where nothing else is recorded."""
        # What has been played, or is too old, is refused for that.
        missing = search.reason == "not_recorded" and self._settings.mode is Mode.REPLAY
        if not missing or asked.form.dialect.name not in TRANSLATED:
            return None
        if self._elsewhere is None:
            from .elsewhere import Elsewhere  # only a miss needs it

            self._elsewhere = Elsewhere(self._settings.rules.digest)
        return await self._elsewhere.found(asked, deck)

    def may_run(self, request: Request) -> bool:
        """True for a request that may be answered by a run of tools."""
        return self._settings.may_run(request)

    @property
    def mode(self) -> Mode:
        """The mode of all requests of this exchange."""
        return self._settings.mode

    @property
    def matches(self) -> bool:
        """False where it is no matter what a request says: nothing is recorded or played."""
        return self._settings.mode is not Mode.PASSTHROUGH

    @property
    def asks_upstream(self) -> bool:
        """False in replay, where there is no way."""
        return self._flights is not None

    @property
    def under_way(self) -> int:
        """Answers that are still coming, or being recorded."""
        return self._flights.under_way if self._flights else 0

    async def finish(self, timeout: float) -> None:
        """Wait for recordings that are under way, `timeout` seconds at most, then end them.

        What comes over open sockets without an end of its own ends now.
        """
        for line in self.lines:
            line.pause()
        if self._flights:
            late = await self._flights.finish(timeout)
            # Not in one with the waiting, during which others are counted.
            self.stats.unrecorded += late

    # Hits

    async def _serve(self, asked: Asked, deck: Deck, search: Search) -> Served:
        """Play a recording: it counts, takes its turn, and is stored for a client that asks so."""
        served = self._hit(asked, deck, search)
        deal = asked.incoming.deal
        dealt = deal(asked.key) if deal else None
        if search.stored:
            # An answer that no client can get whole takes no turn: the retry is to get it.
            turns = not (dealt and dealt.fault.harms)
            deck.played((search.key, asked.form.variant), search.stored, turns=turns)
        self.stats.hits += 1
        to_be_stored = self._landing.stores(asked.incoming)
        if to_be_stored:
            await self._landing.store(asked.incoming, served.response)
        if deal or to_be_stored or asked.wants is not ANYTHING:
            return served._replace(dealt=dealt, repeat=None)
        return served

    def _hit(self, asked: Asked, deck: Deck, search: Search) -> Served:
        """The recorded answer that was found, not yet played."""
        stored, response = search.stored, search.response
        if stored is None or response is None:
            raise AssertionError("a hit without a recording")
        canonicals, told = self._canonicals, asked.known
        if own := next((one for one in asked.own if one.known.key == search.key), None):
            canonicals, told = own
        # Under rules of both, what is the same by the one may be told otherwise by the other.
        both = own is not None and self._settings.rules.digest
        repeats = search.until and not self._planning.draws(asked) and not both
        interaction = stored.interaction
        detail = interaction.id
        if search.converted:
            detail += f" converted-from={interaction.variant}"
        if (other := dialect_in(interaction.request)) is not asked.form.dialect:
            detail += f" asked-in={other.name}"
        response, names = canonicals.retold(response, interaction.request, told)
        if names:
            detail += f" renamed={','.join(names)}"
        return Served(
            response,
            cache_status=http.cache_status("hit", key=asked.key, detail=detail),
            age=max(0, int(time.time() - interaction.recorded_at)),
            key=asked.key,
            warning=asked.warning,
            repeat=Repeat(deck, self.stats, asked, search) if repeats else None,
        )

    # Upstream

    def _forward(self, asked: Asked, deck: Deck, search: Search, *, store: bool) -> Flown:
        why = http.FORWARDED[search.found]
        if self._planning.is_stateful(asked) and not store:
            why = "bypass"
        elif search.requested:
            why = "request"
        words = [f"fwd={why}", *(["stored"] if store else [])]
        if not store:
            keep = self._settings.keep_bytes if self._landing.stores(asked.incoming) else 0
            return self._fly(
                asked.incoming, http.cache_status(*words, key=asked.key), keep_bytes=keep
            )
        place = (deck, *asked.place)
        draws = self._planning.draws(asked)
        deck.drawn(*asked.mine.place, draws)
        shared = self._shares(asked, deck, search)
        sent = asked.incoming.headers
        if shared and (flight := self._sharing.flight(place, asked.form.exact, sent)):
            self.stats.collapsed += 1
            status = http.cache_status(f"fwd={why}", "collapsed", key=asked.key)
            return Flown(
                flight,
                flight.join(),
                status,
                asked.incoming.request,
                asked.warning,
                memory=self._memory,
                most=self._settings.keep_bytes,
            )
        flown = self._fly(
            # What a client has already is to be recorded whole.
            asked.incoming._replace(headers=http.unconditional(asked.incoming.headers)),
            http.cache_status(*words, key=asked.key),
            keep_bytes=self._settings.keep_bytes,
            record=(asked, deck),
        )
        if self._settings.mode.shares_flights and not deck.samples(draws):
            self._sharing.add(place, flown.flight, asked.form.exact, sent)
        return flown._replace(warning=asked.warning)

    def _shares(self, asked: Asked, deck: Deck, search: Search) -> bool:
        """True if another's answer under way will do."""
        fresh = asked.wants.no_cache or search.requested
        alike = not deck.samples(self._planning.draws(asked))
        shares = self._settings.mode.shares_flights and not self._planning.is_stateful(asked)
        return shares and alike and not fresh

    async def _claimed(self, asked: Asked, deck: Deck, search: Search) -> Served | Flown:
        """Ask upstream, unless another process does: then take what that one has recorded."""
        place = (deck, *asked.place)
        if await self._sharing.claim(place):
            try:
                asked, action, search = await self._planning.plan_afresh(asked, deck)
                if action is Action.SERVE:
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
        flight = Flight(
            keep_bytes=keep_bytes,
            outlives_readers=outlives,
            budget=self._budget,
        )
        place = flight.join()
        ended = self._landing.of(flight, incoming, record, self._flights.start)
        self._flights.launch(incoming, flight, ended)
        stored = self._landing.stores(incoming)
        return Flown(
            flight,
            place,
            cache_status,
            incoming.request,
            end_counts=stored,
            memory=self._memory,
            most=self._settings.keep_bytes,
        )

"""One request from fingerprint to answer: find, decide, then serve, refuse or fly.

The exchange keeps what is under way (`_sharing`) and what was counted
(`stats`); the deck it is given knows recordings. In replay there is no way to
call upstream: `call` is None, and no branch below could reach it.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import TYPE_CHECKING, Any, assert_never

import orjson

from proxy.core import headers as http
from proxy.core.interaction import Request, Response, header
from proxy.core.policy import ANYTHING, Action, Found, Mode, decide
from proxy.core.rules import Rules
from proxy.errors import CassetteMiss, HTTPError, StoreUnavailable, UpstreamError
from proxy.stores.base import Stored

from .asking import Asked, Canonicals, Check, Incoming, Known
from .deck import Deck, Search
from .flight import Answer, Flight
from .idempotency import Idempotency
from .listing import implied
from .outcome import Flown, Listed, Served, Settings, Stats
from .recorder import NotKept, Recorder, Take, response_of
from .repeat import Alike, Repeat
from .sharing import Claims, Sharing

if TYPE_CHECKING:
    from proxy.core.explain import Explanation

log = logging.getLogger("promptdeck")

NO_RULES = Rules()
_DAY = 24 * 60 * 60
_LARGE = 64 * 1024


Call = Callable[[Incoming], AbstractAsyncContextManager[Answer]]


Answered = Callable[[Incoming, Response], Awaitable[None]]
"""Told of each whole answer to a request that says `store: true`."""


class Exchange:
    def __init__(
        self,
        settings: Settings,
        call: Call | None,
        tasks: asyncio.TaskGroup,
        *,
        check: Check | None = None,
        answered: Answered | None = None,
        claims: Claims | None = None,
    ) -> None:
        self.stats = Stats()
        self._canonicals = Canonicals(settings.rules, settings.redactor, check)
        self._answered = answered
        self._sharing = Sharing(claims)
        self._first_answers: Idempotency[Served | Flight] = Idempotency(_weight)
        self._settings = settings
        self._call = call
        self._tasks = tasks
        self._recorder = Recorder(settings.redactor, settings.keep_errors)
        self._under_way: set[asyncio.Task[None]] = set()
        self._warned = False

    async def answer(self, incoming: Incoming, deck: Deck) -> Served | Flown | Listed:
        """Answer one request. HTTPError says why there is none."""
        mode = self._settings.mode
        if mode is Mode.PASSTHROUGH:
            return self._fly(incoming, http.cache_status("fwd=bypass"), keep_bytes=0)
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
        return len(self._under_way)

    async def finish(self, timeout: float) -> None:
        """Wait for recordings that are under way, `timeout` seconds at most, then end them."""
        if not self._under_way:
            return
        _, late = await asyncio.wait(self._under_way, timeout=timeout)
        for task in late:
            task.cancel()
        if late:
            log.warning("%d answers were still coming at shutdown and are not recorded", len(late))
            await asyncio.wait(late)

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
        to_be_stored = self._is_to_be_stored(asked.incoming)
        if to_be_stored:
            await self._tell(asked.incoming, search.response)
        served = _served(asked, search.stored, search.response, converted=search.converted)
        repeat = None
        if search.until and asked.wants is ANYTHING and not (deal or to_be_stored):
            repeat = Repeat(deck, self.stats, asked, search)
        return served._replace(dealt=dealt, repeat=repeat)

    def alike(self, request: Request, deck: Deck) -> Alike:
        """What knows requests that differ from this one in the body alone."""
        # Elsewhere what is asked for the first time is most likely not recorded.
        replays = self._settings.mode is Mode.REPLAY
        find = partial(self._found_at_once, deck) if replays else None
        return Alike(request, self._canonicals, self._canonicals.repeated(request), find)

    def _found_at_once(self, deck: Deck, request: Request, known: Known) -> Served | None:
        """What `answer` would serve, and again, but not yet played; None if it is not that simple.

        The request asks for nothing but an answer.
        """
        asked = Asked(Incoming(request, ()), known, ANYTHING)
        try:
            search = deck.find(asked.key, asked.form, ANYTHING)
        except StoreUnavailable:
            return None
        if search.found is not Found.HIT or not (search.until and search.stored):
            return None
        if search.response is None:
            return None
        served = _served(asked, search.stored, search.response, converted=search.converted)
        return served._replace(repeat=Repeat(deck, self.stats, asked, search))

    def _is_to_be_stored(self, incoming: Incoming) -> bool:
        return self._answered is not None and b'"store"' in incoming.request.body

    async def _tell(self, incoming: Incoming, response: Response) -> None:
        """Have an answer stored before its client can ask for it. Failing at that harms nobody."""
        if self._answered is None:
            return
        try:
            await self._answered(incoming, response)
        except StoreUnavailable as error:
            log.error("not stored: %s", error)  # noqa: TRY400  the message says it all

    async def _tell_of_flight(self, flight: Flight, incoming: Incoming) -> None:
        if not flight.whole:
            return
        try:
            response = response_of(await flight.head(), flight.chunks)
        except NotKept as reason:
            log.info("not stored: %s", reason)
        else:
            await self._tell(incoming, response)

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
        from proxy.core.explain import Reason, explain  # only for a miss

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
            keep = self._settings.keep_bytes if self._is_to_be_stored(asked.incoming) else 0
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
        record: tuple[Asked, Deck] | None = None,
    ) -> Flown:
        if self._call is None:
            raise AssertionError("replay never goes upstream")
        self.stats.upstream_calls += 1
        outlives = self._settings.outlives_client and record is not None
        flight = Flight(keep_bytes=keep_bytes, outlives_readers=outlives)
        place = flight.join()
        flight.task = self._start(self._run(flight, self._call(incoming), incoming, record))
        # A task that is cancelled before its first step never runs: its readers must not hang.
        flight.task.add_done_callback(lambda _: flight.end(UpstreamError("dropped")))
        return Flown(flight, place, cache_status, end_counts=self._is_to_be_stored(incoming))

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self._tasks.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return task

    async def _run(
        self,
        flight: Flight,
        call: AbstractAsyncContextManager[Answer],
        incoming: Incoming,
        record: tuple[Asked, Deck] | None,
    ) -> None:
        started = time.time()
        try:
            stored = self._is_to_be_stored(incoming)
            await flight.pump(
                call, partial(self._tell_of_flight, flight, incoming) if stored else None
            )
            if record and not flight.failed:
                await self._keep(flight, *record, started)
        except NotKept as reason:
            log.info("not recorded: %s", reason)
        except StoreUnavailable as error:
            log.error("not recorded: %s", error)  # noqa: TRY400  the message says it all
        except Exception:
            # One answer's trouble, even of our own making, must not end the server.
            log.exception("not recorded: unexpected error")
        finally:
            if record:
                asked, deck = record
                self._sharing.landed((deck, *asked.place), flight)

    async def _keep(self, flight: Flight, asked: Asked, deck: Deck, started: float) -> None:
        settings, incoming = self._settings, asked.incoming
        head = await flight.head()
        request = incoming.request
        take = Take(
            request=request,
            variant=asked.form.variant,
            key=self._canonicals.base_key(asked),
            recorded_at=started,
            upstream=incoming.route.url if incoming.route else settings.upstream,
            secrets=(*http.secrets(incoming.headers), *settings.secrets),
        )
        large = sum(len(chunk.data) for chunk in flight.chunks) + len(request.body) > _LARGE
        make = self._recorder.interaction
        interaction = (
            await asyncio.to_thread(make, head, flight, take) if large else make(head, flight, take)
        )
        stored = Stored(interaction, asked.form.canonical, self._expiry(request, started))
        kept = await deck.keep(asked.key, stored, overwrite=settings.mode is Mode.RECORD)
        self.stats.recorded += 1
        self.stats.redacted += interaction.redacted
        hidden = f", {interaction.redacted} secrets redacted" if interaction.redacted else ""
        log.info("recorded %s%s", kept.id, hidden)

    def _expiry(self, request: Request, now: float) -> float | None:
        if self._settings.mode is not Mode.CACHE:
            return None
        ttl = _DAY if _wants_a_day(request.body) else self._settings.ttl
        return None if ttl is None else now + ttl


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


def _wants_a_day(body: bytes) -> bool:
    if b"prompt_cache_retention" not in body:
        return False
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    return isinstance(value, dict) and value.get("prompt_cache_retention") == "24h"

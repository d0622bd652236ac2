"""What becomes of an answer that has ended: stored for its client, landed, recorded."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any

import orjson

from promptdeck.core import headers as http
from promptdeck.core.dialects.interpreted import (
    failure_told,
    interpreter_for,
    interpreter_of,
    marked,
)
from promptdeck.core.interaction import Interaction, Request, Response, is_good
from promptdeck.core.policy import Mode
from promptdeck.engine.asking import Asked, Canonicals
from promptdeck.engine.decks.deck import Deck
from promptdeck.engine.incoming import Incoming
from promptdeck.engine.settings import Settings
from promptdeck.engine.sides import Ended
from promptdeck.engine.stats import Stats
from promptdeck.errors import PatternError, StoreUnavailable, UpstreamError
from promptdeck.heap import LARGE, give_back, keep_large_apart
from promptdeck.stores.base import Stored

from .budget import Budget
from .flight import Flight
from .lull import Lull
from .recorder import NotKept, Recorder, Take, encoding_of
from .sharing import Sharing

log = logging.getLogger("promptdeck")

Record = tuple[Asked, Deck]
"""What to record an answer as: to which request, and in which deck."""

Answered = Callable[[Incoming, Response], Awaitable[None]]
"""Told of each whole answer to a request that says `store: true`."""

Start = Callable[[Coroutine[Any, Any, None], Callable[[], None]], None]
"""Does work in a task that the server's shutdown waits for, and then calls a function, which it
does also where the work is cancelled or could not begin."""

_DAY = 24 * 60 * 60
"""Seconds for which a request with `prompt_cache_retention: "24h"` has its answer kept."""
_LARGE = 64 * 1024
"""Bytes of request and answer from which a recording is made in a thread.

To cut, judge and search a stream of 100 frames, 26 KB, takes 250 us (benchmarks/README.md, row 9);
from 64 KB on other clients would wait for longer than half a millisecond.
"""


class Landing:
    """Lands and records flights when their answers have ended: `of` gives the callback for one.

    `answered` is told of answers that a client wants stored; None where nothing is stored.
    `budget` is what the flights take their memory from, whose answers end here.
    """

    def __init__(
        self,
        settings: Settings,
        stats: Stats,
        canonicals: Canonicals,
        sharing: Sharing,
        answered: Answered | None,
        budget: Budget,
    ) -> None:
        self._settings = settings
        self._stats = stats
        self._canonicals = canonicals
        self._sharing = sharing
        self._answered = answered
        self._turn = budget.turn
        # Where no two answers to one request are recorded: who asks the same joins the flight.
        self._lull = Lull() if settings.mode is Mode.CACHE else None
        self._recorder = Recorder(
            settings.redactor,
            settings.keep_errors,
            settings.keep_bytes,
            shared=settings.mode is Mode.CACHE,
        )

    def of(
        self, flight: Flight, incoming: Incoming, record: Record | None, start: Start
    ) -> Ended[UpstreamError]:
        """The callback for the end of an answer, by which its flight lands and is recorded.

        `record` is None where the answer is only passed on. What follows the landing is done
        by `start`.
        """
        if record and self._lull:
            self._lull.begun(flight)
        if record:
            flight.refusal = partial(self._recorder.refusal, incoming.request.method)
        if record or self.stores(incoming):
            return partial(self._ended, flight, incoming, record, start)
        return flight.land

    def stores(self, incoming: Incoming) -> bool:
        """True if the client may want the answer stored; `Answered` looks more closely."""
        return self._answered is not None and b'"store"' in incoming.request.body

    async def store(self, incoming: Incoming, response: Response) -> None:
        """Have an answer stored, before its client can ask for it. A failure is only logged."""
        if self._answered is None:
            return
        try:
            await self._answered(incoming, response)
        except (StoreUnavailable, PatternError) as error:
            log.error("not stored: %s", error)  # noqa: TRY400  the message says it all

    def _ended(
        self,
        flight: Flight,
        incoming: Incoming,
        record: Record | None,
        start: Start,
        error: UpstreamError | None,
    ) -> None:
        """Land a flight whose answer has ended, at once or when that is stored, and record it."""
        if self._lull:
            self._lull.ended(flight)
        if error or not self.stores(incoming):
            # Its readers need not wait for the recorder.
            flight.land(error)
        start(self._record(flight, incoming, record), partial(self._recorded, flight, record))

    async def _record(self, flight: Flight, incoming: Incoming, record: Record | None) -> None:
        """Store and land what has not landed, then keep it, or log why not. Raises nothing."""
        try:
            if not flight.landed:
                await self._store_flight(flight, incoming)
            flight.land()
            if record and (flight.unkept or not flight.failed):
                await self._keep(flight, *record)
        except NotKept as reason:
            # Else it is the answer's own fault: an error, or one that was cut off.
            lost = _came_well(flight) and bool(flight.unkept)
            self._stats.unrecorded += lost
            severe = lost and self._settings.mode.fills_cassettes
            log.log(logging.ERROR if severe else logging.INFO, "not recorded: %s", reason)
        except (StoreUnavailable, PatternError) as error:
            log.error("not recorded: %s", error)  # noqa: TRY400  the message says it all
            self._stats.unrecorded += 1
        except Exception:
            # One answer's trouble, even of our own making, must not end the server.
            log.exception("not recorded: unexpected error")
            self._stats.unrecorded += 1

    def _recorded(self, flight: Flight, record: Record | None) -> None:
        """Let go of a flight, recorded or not: nobody may wait for it, or its claim, for ever."""
        flight.land()
        flight.settle()
        if record:
            asked, deck = record
            self._sharing.recorded((deck, *asked.place), flight)

    async def _store_flight(self, flight: Flight, incoming: Incoming) -> None:
        """Have the answer of a flight stored that has ended, but not landed."""
        try:
            response = self._recorder.response(await flight.head(), flight)
        except NotKept as reason:
            log.info("not stored: %s", reason)
        else:
            interpreter = interpreter_of(incoming.request, response.headers, flight.moment)
            await self.store(incoming, interpreter.whole(response) if interpreter else response)

    async def _keep(self, flight: Flight, asked: Asked, deck: Deck) -> None:
        """Record a flight that has landed. NotKept says why not; StoreUnavailable."""
        settings, incoming = self._settings, asked.incoming
        if flight.unkept:
            raise NotKept(flight.unkept)
        head = await flight.head()
        request = incoming.request
        take = Take(
            request=request,
            variant=asked.form.variant,
            key=await self._base_key(asked),
            recorded_at=flight.moment,
            upstream=incoming.route.url if incoming.route else settings.upstream,
            secrets=(*http.secrets(incoming.headers), *incoming.secrets, *settings.secrets),
            headers=incoming.headers,
        )
        large = flight.size + len(request.body) > _LARGE or settings.redactor.waits
        recorder = self._recorder
        if large:
            async with self._turn:
                if flight.size > LARGE:
                    await asyncio.to_thread(keep_large_apart)
                response = await asyncio.to_thread(recorder.accepted, head, flight, request.method)
                if not encoding_of(head.headers):
                    # The same bytes: who still joins can read those of the recording.
                    flight.rewrite(response.frames)
                if flight.size > LARGE:
                    await asyncio.to_thread(give_back)  # the pieces, which nobody holds any more
                interaction = await asyncio.to_thread(recorder.judged, response, take)
                del response
        else:
            # What is stored for one client is stored for no other that joins its flight.
            if self._lull and not self.stores(incoming):
                await self._lull.come()
            interaction = recorder.interaction(head, flight, take)
        if interpreter_for(interaction):
            marks = settings.mode.fills_cassettes
            interaction = await asyncio.to_thread(_translatable, interaction, marks=marks)
        mine = asked.mine
        stored = Stored(interaction, mine.form.canonical, self._expiry(request, flight.moment))
        kept = await deck.keep(mine.key, stored, overwrite=settings.mode is Mode.RECORD)
        self._stats.recorded += 1
        self._stats.redacted += interaction.redacted
        hidden = f", {interaction.redacted} secrets redacted" if interaction.redacted else ""
        log.info("recorded %s%s", kept.id, hidden)
        if flight.size > LARGE:
            del interaction, stored, kept
            await asyncio.to_thread(give_back)

    async def _base_key(self, asked: Asked) -> str:
        """The fingerprint of a request as recordings have it. PatternError."""
        if self._settings.redactor.waits:
            return await asyncio.to_thread(self._canonicals.base_key, asked)
        return self._canonicals.base_key(asked)

    def _expiry(self, request: Request, now: float) -> float | None:
        """Until when a cache may serve the answer, in seconds since the epoch; None: for ever."""
        if self._settings.mode is not Mode.CACHE:
            return None
        ttl = _DAY if _wants_a_day(request.body) else self._settings.ttl
        return None if ttl is None else now + ttl


def _translatable(interaction: Interaction, *, marks: bool) -> Interaction:
    """A recording of a translated answer, which may tell what its client was told.

    NotKept for one whose client was told of a failure.
    """
    if why := failure_told(interaction):
        raise NotKept(f"its client was told of a failure: {why}")
    return marked(interaction) if marks else interaction


def _came_well(flight: Flight) -> bool:
    """True if upstream's answer has come and is no error."""
    head = flight.known_head
    return head is not None and is_good(head.status)


def _wants_a_day(body: bytes) -> bool:
    """True if a request asks that its prompt be cached for a day; its answer then is, too."""
    # Nearly no body names the field, so nearly none is parsed once more.
    if b"prompt_cache_retention" not in body:
        return False
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    return isinstance(value, dict) and value.get("prompt_cache_retention") == "24h"

"""What becomes of an answer when all of it has come: stored for the client, ended, recorded."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any

import orjson

from promptdeck.core import headers as http
from promptdeck.core.interaction import Request, Response
from promptdeck.core.policy import Mode
from promptdeck.engine.asking import Asked, Canonicals, Incoming
from promptdeck.engine.decks.deck import Deck
from promptdeck.engine.outcome import Settings, Stats
from promptdeck.errors import StoreUnavailable, UpstreamError
from promptdeck.stores.base import Stored

from .flight import Flight, Landed
from .recorder import NotKept, Recorder, Take, response_of
from .sharing import Sharing

log = logging.getLogger("promptdeck")

Record = tuple[Asked, Deck]
"""What to record an answer as."""

Answered = Callable[[Incoming, Response], Awaitable[None]]
"""Told of each whole answer to a request that says `store: true`."""

Start = Callable[[Coroutine[Any, Any, None]], None]

_DAY = 24 * 60 * 60
_LARGE = 64 * 1024


class Landing:
    """`of` a flight is what its end sets off."""

    def __init__(
        self,
        settings: Settings,
        stats: Stats,
        canonicals: Canonicals,
        sharing: Sharing,
        answered: Answered | None,
    ) -> None:
        self._settings = settings
        self._stats = stats
        self._canonicals = canonicals
        self._sharing = sharing
        self._answered = answered
        self._recorder = Recorder(settings.redactor, settings.keep_errors)

    def of(self, flight: Flight, incoming: Incoming, record: Record | None, start: Start) -> Landed:
        if record or self.stores(incoming):
            return partial(self._landed, flight, incoming, record, start, time.time())
        return flight.end

    def stores(self, incoming: Incoming) -> bool:
        """Whether its client wants the answer to be stored."""
        return self._answered is not None and b'"store"' in incoming.request.body

    async def store(self, incoming: Incoming, response: Response) -> None:
        """Have an answer stored before its client can ask for it. Failing at that harms nobody."""
        if self._answered is None:
            return
        try:
            await self._answered(incoming, response)
        except StoreUnavailable as error:
            log.error("not stored: %s", error)  # noqa: TRY400  the message says it all

    def _landed(
        self,
        flight: Flight,
        incoming: Incoming,
        record: Record | None,
        start: Start,
        started: float,
        error: UpstreamError | None,
    ) -> None:
        if error or not self.stores(incoming):
            # Its readers need not wait for the recorder.
            flight.end(error)
        start(self._arrived(flight, incoming, record, started))

    async def _arrived(
        self, flight: Flight, incoming: Incoming, record: Record | None, started: float
    ) -> None:
        try:
            if not flight.ended and flight.whole:
                await self._store_flight(flight, incoming)
            flight.end()
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
            flight.end()
            if record:
                asked, deck = record
                self._sharing.landed((deck, *asked.place), flight)

    async def _store_flight(self, flight: Flight, incoming: Incoming) -> None:
        try:
            response = response_of(await flight.head(), flight.chunks)
        except NotKept as reason:
            log.info("not stored: %s", reason)
        else:
            await self.store(incoming, response)

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
        large = flight.size + len(request.body) > _LARGE
        make = self._recorder.interaction
        interaction = (
            await asyncio.to_thread(make, head, flight, take) if large else make(head, flight, take)
        )
        stored = Stored(interaction, asked.form.canonical, self._expiry(request, started))
        kept = await deck.keep(asked.key, stored, overwrite=settings.mode is Mode.RECORD)
        self._stats.recorded += 1
        self._stats.redacted += interaction.redacted
        hidden = f", {interaction.redacted} secrets redacted" if interaction.redacted else ""
        log.info("recorded %s%s", kept.id, hidden)

    def _expiry(self, request: Request, now: float) -> float | None:
        if self._settings.mode is not Mode.CACHE:
            return None
        ttl = _DAY if _wants_a_day(request.body) else self._settings.ttl
        return None if ttl is None else now + ttl


def _wants_a_day(body: bytes) -> bool:
    if b"prompt_cache_retention" not in body:
        return False
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    return isinstance(value, dict) and value.get("prompt_cache_retention") == "24h"

"""Deferred completions on any upstream: an exchange that runs without its client.

The flag is xAI's. promptdeck answers at once with a request id, asks upstream
without the flag, and keeps the answer until it is collected.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Protocol
from uuid import uuid4

import orjson

from promptdeck.core import headers
from promptdeck.core.dialects.table import is_chat
from promptdeck.core.interaction import Request
from promptdeck.core.secrets.redact import Redactor
from promptdeck.core.text.jsontext import Unfaithful, compact, parse
from promptdeck.engine.decks.deck import Deck
from promptdeck.errors import StoreUnavailable, UpstreamError

from .exchange import Exchange
from .incoming import Incoming
from .outcome import Flown, Gathered, Listed, Served

_LOST = {"error": {"message": "promptdeck lost this answer; its log says how", "code": "lost"}}
"""What is collected where the answer could not be kept."""

log = logging.getLogger("promptdeck")


class SlipStore(Protocol):
    """Keeps slips: answers by request id, until they are collected. StoreUnavailable."""

    async def open(self, name: str) -> None:
        """Note that an answer will come by this id: until then it is collected in vain."""

    async def fill(self, name: str, status: int, body: bytes) -> None:
        """Keep the answer: status and body."""


class Deferred:
    """`accept` a request that says `deferred: true`; `finish` before the slips are closed.

    `secrets` are known ones, such as the upstream's key: they are taken out of what waits. An
    answer of more than `most` bytes is given up: what is collected instead says so.
    """

    def __init__(
        self,
        slips: SlipStore,
        tasks: asyncio.TaskGroup,
        redactor: Redactor,
        secrets: Sequence[str] = (),
        *,
        most: int,
    ) -> None:
        self._most = most
        self._slips = slips
        self._tasks = tasks
        self._redactor = redactor
        self._secrets = secrets
        self._under_way: set[asyncio.Task[None]] = set()

    async def accept(
        self, exchange: Exchange, incoming: Incoming, body: dict[str, Any], deck: Deck
    ) -> dict[str, Any]:
        """Ask the exchange without the flag; returns the receipt, with the id to collect by.

        `body` is the request's, parsed, as `deferral` gives it. HTTPError where there will be no
        answer; StoreUnavailable where none could be kept.
        """
        answer = await exchange.answer(_without_flag(incoming, body), deck)
        name = str(uuid4())
        try:
            await self._slips.open(name)
        except BaseException:
            # Also where the client has left: a reader that never reads would hold upstream up.
            if isinstance(answer, Flown):
                answer.flight.leave(answer.place)
            raise
        secrets = (*headers.secrets(incoming.headers), *self._secrets)
        task = self._tasks.create_task(self._fill(name, answer, secrets))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        model = body.get("model")
        # More than xAI sends: both SDKs parse it as a completion.
        return {
            "id": name,
            "object": "chat.completion",
            "created": int(time.time()),
            "model": model if isinstance(model, str) else "",
            "choices": [],
            "request_id": name,
        }

    async def _fill(
        self, name: str, answer: Served | Flown | Listed, secrets: Sequence[str]
    ) -> None:
        """Wait for the answer and keep it for whoever collects it. Raises nothing."""
        try:
            status, body = await _whole(answer, self._most)
            # It waits on disk for whoever collects it.
            redactor = self._redactor
            work = asyncio.to_thread(redactor.body, body, secrets) if redactor.waits else None
            clean, _ = await work if work else redactor.body(body, secrets)
            await self._slips.fill(name, status, clean)
        except Exception:
            # One answer's trouble must not end the server, and whoever collects it must hear of it.
            log.exception("the deferred completion %s is lost", name)
            with suppress(StoreUnavailable):
                await self._slips.fill(name, 500, orjson.dumps(_LOST))

    async def finish(self) -> None:
        """Wait until all answers are kept; the exchange is to have finished its flights before."""
        if self._under_way:
            await asyncio.wait(self._under_way)


async def _whole(answer: Served | Flown | Listed, most: int) -> tuple[int, bytes]:
    """Status and body of an answer, when all of it has come; trouble upstream is JSON as well.

    One of more than `most` bytes is such trouble.
    """
    match answer:
        case Served(response):
            return response.status, response.body
        case Listed(body):
            return 200, orjson.dumps(body)
        case Flown(flight, place):
            try:
                head = await flight.head()
                parts, size = [], 0
                async for data in flight.read(place):
                    size += len(data)
                    if size > most:
                        return _told(_too_large(most))
                    parts.append(data)
                if answer.interpreter() is None:
                    return head.status, b"".join(parts)
                gathered = Gathered(answer)
                gathered.write(b"".join(parts))
                told, _ = gathered.told()
            except UpstreamError as error:
                return _told(error)
            else:
                return told.status, told.body
            finally:
                flight.leave(place)


def _told(error: UpstreamError) -> tuple[int, bytes]:
    """Status and body of what is collected where upstream failed."""
    return error.status, orjson.dumps({"error": {"message": error.message, "code": error.code}})


def _too_large(most: int) -> UpstreamError:
    return UpstreamError(
        f"the answer is larger than record.max_bytes ({most} bytes), more than is kept until it is"
        " collected: ask without `deferred`",
        code="too_large",
    )


def deferral(request: Request) -> dict[str, Any] | None:
    """The parsed body of a request that asks for a deferred completion; None for any other.

    A request that says `stream`, too, is none: its client waits for the stream.
    """
    if b'"deferred"' not in request.body or not is_chat(request.method, request.target):
        return None
    try:
        body = parse(request.body)
    except Unfaithful:
        return None
    wanted = isinstance(body, dict) and body.get("deferred") is True and not body.get("stream")
    return body if wanted else None


def _without_flag(incoming: Incoming, body: dict[str, Any]) -> Incoming:
    """The request as it is asked and recorded: as if its client waited."""
    bare = compact({key: value for key, value in body.items() if key != "deferred"})
    request = incoming.request
    route = incoming.route
    if route:
        sent = parse(route.body)
        sent.pop("deferred", None)
        route = route._replace(body=compact(sent))
    kept = request._replace(body=bare)
    return Incoming(kept, incoming.headers, route)

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
from promptdeck.core.interaction import Request
from promptdeck.core.matching.chat import is_chat
from promptdeck.core.secrets.redact import Redactor
from promptdeck.core.text.jsontext import Unfaithful, compact, parse
from promptdeck.engine.decks.deck import Deck
from promptdeck.errors import StoreUnavailable, UpstreamError

from .asking import Incoming
from .exchange import Exchange
from .outcome import Flown, Listed, Served

_LOST = {"error": {"message": "promptdeck lost this answer; its log says how", "code": "lost"}}

log = logging.getLogger("promptdeck")


class SlipStore(Protocol):
    async def open(self, name: str) -> None: ...

    async def fill(self, name: str, status: int, body: bytes) -> None: ...


class Deferred:
    def __init__(
        self,
        slips: SlipStore,
        tasks: asyncio.TaskGroup,
        redactor: Redactor,
        secrets: Sequence[str] = (),
    ) -> None:
        self._slips = slips
        self._tasks = tasks
        self._redactor = redactor
        self._secrets = secrets
        self._under_way: set[asyncio.Task[None]] = set()

    async def accept(
        self, exchange: Exchange, incoming: Incoming, body: dict[str, Any], deck: Deck
    ) -> dict[str, Any]:
        """Begin, and say by which id to collect. HTTPError where there will be no answer."""
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
        try:
            status, body = await _whole(answer)
            # It waits on disk for whoever collects it.
            await self._slips.fill(name, status, self._redactor.body(body, secrets)[0])
        except Exception:
            # One answer's trouble must not end the server, and whoever collects it must hear of it.
            log.exception("the deferred completion %s is lost", name)
            with suppress(StoreUnavailable):
                await self._slips.fill(name, 500, orjson.dumps(_LOST))

    async def finish(self) -> None:
        """Wait for what is under way; its flights have been ended before."""
        if self._under_way:
            await asyncio.wait(self._under_way)


async def _whole(answer: Served | Flown | Listed) -> tuple[int, bytes]:
    """Status and body of an answer when all of it has come."""
    match answer:
        case Served(response):
            return response.status, response.body
        case Listed(body):
            return 200, orjson.dumps(body)
        case Flown(flight, place):
            try:
                head = await flight.head()
                return head.status, b"".join([data async for data in flight.read(place)])
            except UpstreamError as error:
                told = {"error": {"message": error.message, "code": error.code}}
                return error.status, orjson.dumps(told)
            finally:
                flight.leave(place)


def deferral(request: Request) -> dict[str, Any] | None:
    """The body of a request that asks for a deferred completion; `stream` overrides that."""
    if b'"deferred"' not in request.body or not is_chat(request.method, request.target):
        return None
    try:
        body = parse(request.body)
    except Unfaithful:
        return None
    wanted = isinstance(body, dict) and body.get("deferred") is True and not body.get("stream")
    return body if wanted else None


def _without_flag(incoming: Incoming, body: dict[str, Any]) -> Incoming:
    bare = compact({key: value for key, value in body.items() if key != "deferred"})
    request = incoming.request
    route = incoming.route
    if route:
        sent = parse(route.body)
        sent.pop("deferred", None)
        route = route._replace(body=compact(sent))
    kept = Request(request.method, request.target, request.content_type, bare)
    return Incoming(kept, incoming.headers, route)

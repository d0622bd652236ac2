"""Deferred completions on any upstream: an exchange that runs without its client.

The flag is xAI's. promptdeck answers at once with a request id, asks upstream
without the flag, and keeps the answer until it is collected.
"""

import asyncio
import time
from typing import Any, Protocol
from uuid import uuid4

import orjson

from proxy.core.interaction import Request
from proxy.core.jsontext import Unfaithful, compact, parse
from proxy.core.normalize import is_chat
from proxy.errors import StoreUnavailable, UpstreamError

from .asking import Incoming
from .deck import Deck
from .exchange import Exchange, Flown, Listed, Served


class SlipStore(Protocol):
    async def open(self, name: str) -> None: ...

    async def fill(self, name: str, status: int, body: bytes) -> None: ...


class Deferred:
    def __init__(self, slips: SlipStore, tasks: asyncio.TaskGroup) -> None:
        self._slips = slips
        self._tasks = tasks
        self._under_way: set[asyncio.Task[None]] = set()

    async def accept(
        self, exchange: Exchange, incoming: Incoming, body: dict[str, Any], deck: Deck
    ) -> dict[str, Any]:
        """Begin, and say by which id to collect. HTTPError where there will be no answer."""
        answer = await exchange.answer(_without_flag(incoming, body), deck)
        name = str(uuid4())
        try:
            await self._slips.open(name)
        except StoreUnavailable:
            if isinstance(answer, Flown):
                answer.flight.leave(answer.place)
            raise
        task = self._tasks.create_task(self._fill(name, answer))
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

    async def _fill(self, name: str, answer: Served | Flown | Listed) -> None:
        match answer:
            case Served(response):
                await self._slips.fill(name, response.status, response.body)
            case Flown(flight, place):
                try:
                    head = await flight.head()
                    body = b"".join([data async for data in flight.read(place)])
                except UpstreamError as error:
                    told = {"error": {"message": error.message, "code": error.code}}
                    await self._slips.fill(name, error.status, orjson.dumps(told))
                else:
                    await self._slips.fill(name, head.status, body)
                finally:
                    flight.leave(place)

    async def finish(self) -> None:
        """Wait for what is under way; its flights have been ended before."""
        if self._under_way:
            await asyncio.wait(self._under_way)


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

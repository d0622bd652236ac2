"""HTTP at the edge: routes, the writing of answers, and the one place where an error becomes JSON.

Served answers are written whole, or frame by frame at their recorded pace.
Answers under way are passed on as they come. Errors have the body that both
the openai and the dedalus SDK read (fields under `error` and at the top).
"""

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable
from itertools import groupby
from typing import Any, NamedTuple, Protocol
from uuid import uuid4

import orjson
from aiohttp import web
from multidict import CIMultiDict

from proxy import __version__
from proxy.core import sse
from proxy.core.headers import to_client
from proxy.core.interaction import CHAT_COMPLETIONS, Request, Response, header
from proxy.engine.deck import Deck
from proxy.engine.exchange import Exchange, Flown, Incoming, Listed, Served
from proxy.errors import ClientError, HTTPError, UpstreamError, UsageError

log = logging.getLogger("promptdeck")

_JSON = "application/json"
_ID = web.RequestKey("id", str)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Decks(Protocol):
    """Where a request's deck comes from."""

    async def deck(self, name: str) -> Deck:
        """The deck of cassette `name`, or the default one for the empty name. HTTPError."""


class Edge(NamedTuple):
    """What the handlers work with."""

    exchange: Exchange
    decks: Decks
    pace: float
    """Recorded delays are divided by this; infinity is at once."""
    max_body: int
    describe: Callable[[], dict[str, Any]]
    """What `/_deck/health` tells beside the version."""


def application(edge: Edge) -> web.Application:
    app = web.Application(client_max_size=edge.max_body, middlewares=[_errors])
    handlers = _Handlers(edge)
    app.router.add_get("/_deck/health", handlers.health)
    app.router.add_get("/_deck/cassettes/{name:.+}/report", handlers.report)
    app.router.add_post("/_deck/cassettes/{name:.+}/rewind", handlers.rewind)
    # A cassette's name may hold slashes; the first /v1/ ends it.
    app.router.add_route("*", "/cassette/{name:.+?}/v1/{rest:.*}", handlers.api)
    app.router.add_route("*", "/v1/{rest:.*}", handlers.api)
    app.router.add_route("*", "/{rest:.*}", handlers.unknown)
    return app


class _Handlers:
    def __init__(self, edge: Edge) -> None:
        self._edge = edge

    async def api(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info.get("name", "")
        deck = await self._edge.decks.deck(name)
        incoming = await _incoming(request)
        answer = await self._edge.exchange.answer(incoming, deck)
        match answer:
            case Served():
                return await self._serve(request, answer)
            case Flown():
                return await _pass_on(request, answer)
            case Listed():
                return _json(answer.body, headers={"Cache-Status": answer.cache_status})

    async def _serve(self, request: web.Request, served: Served) -> web.StreamResponse:
        response = served.response
        headers = CIMultiDict(response.headers)
        headers["Cache-Status"] = served.cache_status
        headers["Age"] = str(served.age)
        headers.setdefault("X-Request-Id", request[_ID])
        if response.is_stream and not math.isinf(self._edge.pace):
            return await _paced(request, response, headers, self._edge.pace)
        if not math.isinf(self._edge.pace):
            await asyncio.sleep(response.took_ms / 1000 / self._edge.pace)
        return web.Response(status=response.status, headers=headers, body=response.body)

    async def health(self, request: web.Request) -> web.Response:
        del request
        return _json({"status": "ok", "version": __version__, **self._edge.describe()})

    async def report(self, request: web.Request) -> web.Response:
        deck = await self._edge.decks.deck(request.match_info["name"])
        return _json(deck.report())

    async def rewind(self, request: web.Request) -> web.Response:
        deck = await self._edge.decks.deck(request.match_info["name"])
        await deck.refresh()
        deck.rewind()
        return _json(deck.report())

    async def unknown(self, request: web.Request) -> web.Response:
        hint = "paths start with /v1/, /cassette/NAME/v1/ or /_deck/"
        if request.path.endswith(CHAT_COMPLETIONS.removeprefix("/v1")):
            hint = "the base_url must end in /v1"
        raise ClientError(f"no such path: {request.path}; {hint}", code="not_found", status=404)


async def _incoming(request: web.Request) -> Incoming:
    try:
        body = await request.read()
    except web.HTTPRequestEntityTooLarge:
        limit = request.client_max_size
        raise ClientError(
            f"the request body is larger than server.max_body ({limit} bytes)",
            code="too_large",
            status=413,
        ) from None
    return Incoming(
        Request(
            request.method,
            request.raw_path[request.raw_path.index("/v1/") :],
            request.headers.get("Content-Type", ""),
            body,
        ),
        tuple(request.headers.items()),
    )


async def _paced(
    request: web.Request, response: Response, headers: CIMultiDict[str], pace: float
) -> web.StreamResponse:
    """Write each frame when its recorded moment has come."""
    stream = web.StreamResponse(status=response.status, headers=headers)
    loop = asyncio.get_running_loop()
    start = loop.time()
    for offset_ms, frames in groupby(response.frames, key=lambda frame: frame.offset_ms):
        await asyncio.sleep(start + offset_ms / 1000 / pace - loop.time())
        if not stream.prepared:
            await stream.prepare(request)
        await stream.write(b"".join(frame.data for frame in frames))
    if not stream.prepared:
        await stream.prepare(request)
    await stream.write_eof()
    return stream


async def _pass_on(request: web.Request, flown: Flown) -> web.StreamResponse:
    """Write what comes from upstream as it comes."""
    flight, place = flown.flight, flown.place
    try:
        try:
            head = await flight.head()
        except UpstreamError as error:
            error.cache_status = flown.cache_status.replace("; stored", "")
            raise
        headers = CIMultiDict(to_client(head.headers))
        headers["Cache-Status"] = flown.cache_status
        headers.setdefault("X-Request-Id", request[_ID])
        stream = web.StreamResponse(status=head.status, headers=headers)
        await stream.prepare(request)
        try:
            async for data in flight.read(place):
                await stream.write(data)
        except UpstreamError as error:
            log.warning("%s", error)
            await _cut_off(request, stream, error, header(head.headers, "content-type"))
            return stream
        await stream.write_eof()
        return stream
    finally:
        flight.leave(place)


async def _cut_off(
    request: web.Request, stream: web.StreamResponse, error: HTTPError, content_type: str
) -> None:
    """Tell a client that its answer is not whole: an error event, or else a broken connection."""
    if content_type.startswith("text/event-stream") and "Content-Length" not in stream.headers:
        # The blank line ends whatever frame was cut in two.
        await stream.write(b"\n\n" + sse.encode(orjson.dumps(error_body(error)), event="error"))
        await stream.write_eof()
    elif request.transport:
        request.transport.abort()


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give each request an id, log its outcome, turn whatever goes wrong into JSON."""
    started = time.perf_counter()
    request[_ID] = request.headers.get("X-Request-Id") or f"req_{uuid4().hex}"
    try:
        response = await handler(request)
    except HTTPError as error:
        response = _error_response(error)
    except UsageError as error:
        # A cassette that has become unreadable while the server runs.
        response = _error_response(HTTPError(str(error), code="unusable"))
    except web.HTTPException as error:
        response = _error_response(ClientError(error.reason, status=error.status))
    except (ConnectionError, asyncio.CancelledError):
        log.info("%s %s closed by the client", request.method, request.path)
        raise
    except Exception:
        log.exception("%s %s failed", request.method, request.path)
        response = _error_response(HTTPError("promptdeck failed; its log says how"))
    if not response.prepared:
        response.headers.setdefault("X-Request-Id", request[_ID])
    took = (time.perf_counter() - started) * 1000
    outcome = response.headers.get("Cache-Status", "")
    log.info("%s %s %d %.1f ms %s", request.method, request.path, response.status, took, outcome)
    return response


def error_body(error: HTTPError) -> dict[str, Any]:
    """The error in the one form that both SDKs read: openai under `error`, dedalus at the top."""
    fields = {
        "message": error.message,
        "type": error.type,
        "param": error.param,
        "code": error.code,
    }
    details = {"details": error.details} if error.details else {}
    return {"error": {**fields, **details}, **fields, **details}


def _error_response(error: HTTPError) -> web.Response:
    headers = {}
    if error.retry is not None:
        headers["x-should-retry"] = "true" if error.retry else "false"
    if error.cache_status:
        headers["Cache-Status"] = error.cache_status
    return _json(error_body(error), status=error.status, headers=headers)


def _json(body: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(body), content_type=_JSON, headers=headers)

"""Answers: whole, at their recorded pace, or as they come from upstream."""

import asyncio
import logging
import math
from itertools import groupby
from typing import Any, NamedTuple

import orjson
from aiohttp import web
from multidict import CIMultiDict

from proxy.core import sse
from proxy.core.headers import to_client
from proxy.core.interaction import CHAT_COMPLETIONS, Response, header
from proxy.core.plainstream import PlainStream
from proxy.engine.outcome import Flown, Served
from proxy.errors import HTTPError, UpstreamError

from .fastpath import REPEAT

log = logging.getLogger("promptdeck")

REQUEST_ID = web.RequestKey("id", str)
_KEEP_ALIVE = b": keep-alive\n\n"


class Pace(NamedTuple):
    factor: float
    """Recorded delays are divided by this; infinity is at once."""
    keep_alive: float | None
    """After so many seconds of silence a stream gets a comment."""


async def serve(request: web.Request, served: Served, pace: Pace) -> web.StreamResponse:
    """Write a recorded answer."""
    response = served.response
    headers = CIMultiDict(response.headers)
    headers["Cache-Status"] = served.cache_status
    headers["Age"] = str(served.age)
    add_common(headers, request, served.warning)
    at_once = math.isinf(pace.factor)
    plain = PlainStream() if response.is_stream and is_chat(request) else None
    if response.is_stream and not at_once:
        return await _paced(request, response, headers, pace.factor, plain)
    if not at_once:
        await asyncio.sleep(response.took_ms / 1000 / pace.factor)
    elif served.repeat:
        request[REPEAT] = served.repeat
    body = response.body
    if plain:
        body = plain.feed(body) + plain.rest()
    return web.Response(status=response.status, headers=headers, body=body)


def add_common(headers: "CIMultiDict[str]", request: web.Request, warning: str) -> None:
    headers.setdefault("X-Request-Id", request[REQUEST_ID])
    if warning:
        # 299, miscellaneous persistent warning; a header holds ASCII, a quoted string no quotes.
        text = warning.replace("\\", "/").replace('"', "'").encode("ascii", "replace").decode()
        headers["Warning"] = f'299 promptdeck "{text}"'


def is_chat(request: web.Request) -> bool:
    return request.path.endswith(CHAT_COMPLETIONS)


async def _paced(
    request: web.Request,
    response: Response,
    headers: "CIMultiDict[str]",
    factor: float,
    plain: PlainStream | None,
) -> web.StreamResponse:
    """Write each frame when its recorded moment has come."""
    stream = web.StreamResponse(status=response.status, headers=headers)
    loop = asyncio.get_running_loop()
    start = loop.time()
    for offset_ms, frames in groupby(response.frames, key=lambda frame: frame.offset_ms):
        await asyncio.sleep(start + offset_ms / 1000 / factor - loop.time())
        if not stream.prepared:
            await stream.prepare(request)
        data = b"".join(frame.data for frame in frames)
        await stream.write(plain.feed(data) if plain else data)
    if not stream.prepared:
        await stream.prepare(request)
    await stream.write_eof(plain.rest() if plain else b"")
    return stream


async def pass_on(
    request: web.Request, flown: Flown, keep_alive: float | None
) -> web.StreamResponse:
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
        if flown.end_counts:
            # A client that knows the length would not wait for the end.
            headers.popall("Content-Length", None)
        add_common(headers, request, flown.warning)
        stream = web.StreamResponse(status=head.status, headers=headers)
        await stream.prepare(request)
        if not header(head.headers, "content-type").lower().startswith("text/event-stream"):
            await _copy(request, stream, flown)
        else:
            await _copy_events(request, stream, flown, keep_alive)
        return stream
    finally:
        flight.leave(place)


async def _copy(request: web.Request, stream: web.StreamResponse, flown: Flown) -> None:
    """Bytes as they come; a cut one breaks the connection, for want of a better way to say so."""
    try:
        async for data in flown.flight.read(flown.place):
            await stream.write(data)
    except UpstreamError as error:
        log.warning("%s", error)
        if request.transport:
            request.transport.abort()
    else:
        await stream.write_eof()


async def _copy_events(
    request: web.Request, stream: web.StreamResponse, flown: Flown, keep_alive: float | None
) -> None:
    """Events as they come; comments where upstream is silent, an error event where it is cut."""
    # With a length given, upstream's bytes are all that may be sent.
    free = "Content-Length" not in stream.headers
    plain = PlainStream() if free and is_chat(request) else None
    between_frames = True
    try:
        async for data in flown.flight.read(flown.place, keep_alive if free else None):
            if not data:
                if between_frames:
                    await stream.write(_KEEP_ALIVE)
                continue
            if plain:
                data = plain.feed(data)
            if data:
                await stream.write(data)
            between_frames = data.endswith((b"\n\n", b"\r\n\r\n"))
        await stream.write_eof(plain.rest() if plain else b"")
    except UpstreamError as error:
        log.warning("%s", error)
        if free:
            # The blank line ends whatever frame was cut in two.
            event = sse.encode(orjson.dumps(error_body(error)), event="error")
            await stream.write_eof(b"\n\n" + event)
        elif request.transport:
            request.transport.abort()


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


def json_response(
    body: Any, *, status: int = 200, headers: dict[str, str] | None = None
) -> web.Response:
    return web.Response(
        status=status,
        body=orjson.dumps(body),
        content_type="application/json",
        headers=headers,
    )

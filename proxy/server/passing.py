"""Answers as they come from upstream."""

import logging

import orjson
from aiohttp import web
from multidict import CIMultiDict

from proxy.core import sse
from proxy.core.headers import to_client
from proxy.core.interaction import header
from proxy.core.plainstream import PlainStream
from proxy.engine.exchange import Flown
from proxy.errors import UpstreamError

from .writing import add_common, error_body, is_chat

log = logging.getLogger("promptdeck")

_KEEP_ALIVE = b": keep-alive\n\n"


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

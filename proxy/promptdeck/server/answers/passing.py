"""Answers as they come from upstream, over aiohttp's request and response.

Upstream's bytes go to the client's transport in the call in which they come;
aiohttp's response writes the head, the first bytes and the end.
"""

import logging

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from multidict import CIMultiDict

from promptdeck.core.interaction import Request
from promptdeck.engine.flights.flight import Head
from promptdeck.engine.outcome import Flown, Gathered
from promptdeck.errors import UpstreamError
from promptdeck.server.heading import Answer, StreamAnswer
from promptdeck.server.noted import REQUEST_ID

from .rendering import Rendering, chunk, flown_headers, head_of, rendering_of

log = logging.getLogger("promptdeck")


async def pass_on(
    request: web.Request, flown: Flown, keep_alive: float | None, asked: Request
) -> web.StreamResponse:
    """Answer with what comes from upstream, as it comes. UpstreamError if nothing does.

    `asked` is the request as the engine takes it. An answer that is cut off ends with what its
    rendering has for that, or is broken off.
    """
    flight, place = flown.flight, flown.place
    try:
        try:
            head = await flight.head()
        except UpstreamError as error:
            error.cache_status = flown.error_status
            raise
        interpreter = flown.interpreter()
        if interpreter and not interpreter.streams(*head):
            return await _translated(request, flown)
        head = head_of(head, interpreter)
        headers = CIMultiDict(flown_headers(head, flown, request[REQUEST_ID], request.raw_path))
        answer = StreamAnswer(status=head.status, headers=headers)
        writer = await answer.prepare(request)
        if writer is None:
            raise AssertionError("an answer is written once")
        rendering = rendering_of(
            asked,
            headers.get("Content-Type", ""),
            interpreter,
            has_length="Content-Length" in answer.headers,
        )
        client = _WebClient(request, answer, writer, rendering)
        await _copy(client, flown, keep_alive if rendering.takes_comments else None)
        return answer
    finally:
        flight.leave(place)


async def _translated(request: web.Request, flown: Flown) -> web.StreamResponse:
    """All of an answer that is translated as a whole, once it is there. UpstreamError."""
    gathered = Gathered(flown)
    try:
        async for data in flown.flight.read(flown.place):
            gathered.write(data)
        told, flown = gathered.told()
    except UpstreamError as error:
        error.cache_status = flown.error_status
        raise
    head = Head(told.status, told.headers)
    headers = CIMultiDict(flown_headers(head, flown, request[REQUEST_ID], request.raw_path))
    return Answer(status=told.status, headers=headers, body=told.body)


async def _copy(client: "_WebClient", flown: Flown, keep_alive: float | None) -> None:
    flight, place = flown.flight, flown.place
    try:
        data = flight.take(place)
        if not flight.landed_well:
            await client.begin(data)
            data = b""
            await flight.follow(place, client, keep_alive)
        await client.end(data)
    except UpstreamError as error:
        log.warning("%s", error)
        await client.cut(error)
    except ConnectionError:
        raise
    except Exception:
        # The head is out: what the middleware would say of it is none of this answer's bytes.
        log.exception("an answer was broken off: unexpected error")
        client.abort()


class _WebClient:
    """The client of an answer that is under way: its flight's follower.

    Pieces are written to the transport itself, in the framing that the head announced.
    """

    def __init__(
        self,
        request: web.Request,
        answer: web.StreamResponse,
        writer: AbstractStreamWriter,
        rendering: Rendering,
    ) -> None:
        self._protocol = request.protocol
        self._transport = request.transport
        self._answer = answer
        self._writer = writer
        self._rendering = rendering
        self._chunked = answer.headers.get("Transfer-Encoding") == "chunked"

    async def begin(self, data: bytes) -> None:
        """Write the head, and what there is of the body."""
        await self._answer.write(self._rendering.feed(data))

    def write(self, data: bytes) -> bool:
        """Write a piece; whether there is room for more. ConnectionResetError: the client left."""
        shown = self._rendering.feed(data)
        return self._send(shown) if shown else True

    def _send(self, data: bytes) -> bool:
        transport = self._transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the client has left")
        transport.write(chunk(data) if self._chunked else data)
        return not self._protocol.writing_paused

    async def drain(self) -> None:
        await self._writer.drain()

    def company(self) -> None:
        if comment := self._rendering.company():
            self._send(comment)

    async def end(self, data: bytes) -> None:
        await self._answer.write_eof(self._rendering.whole(data))

    async def cut(self, error: UpstreamError) -> None:
        if said := self._rendering.cut(error):
            await self._answer.write_eof(said)
        else:
            # For want of a better way to say so.
            self.abort()

    def abort(self) -> None:
        """Break the connection off."""
        if self._transport:
            self._transport.abort()

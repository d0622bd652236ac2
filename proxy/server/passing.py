"""Answers as they come from upstream.

Upstream's bytes go to the client's transport in the call in which they come;
aiohttp's response writes the head, the first bytes and the end.
"""

import logging

import orjson
from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from multidict import CIMultiDict

from proxy.core import sse
from proxy.core.plainstream import PlainStream
from proxy.engine.outcome import Flown
from proxy.errors import UpstreamError

from .writing import add_common, error_body, is_chat

log = logging.getLogger("promptdeck")

_KEEP_ALIVE = b": keep-alive\n\n"


class _Answer(web.StreamResponse):
    """Its head goes out together with the first bytes."""

    _send_headers_immediately = False


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
        headers = CIMultiDict(head.headers)
        headers["Cache-Status"] = flown.cache_status
        if flown.end_counts:
            # A client that knows the length would not wait for the end.
            headers.popall("Content-Length", None)
        add_common(headers, request, flown.warning)
        answer = _Answer(status=head.status, headers=headers)
        writer = await answer.prepare(request)
        if writer is None:
            raise AssertionError("an answer is written once")
        events = headers.get("Content-Type", "").lower().startswith("text/event-stream")
        # With a length given, upstream's bytes are all that may be sent.
        if events and "Content-Length" not in answer.headers:
            plain = PlainStream() if is_chat(request) else None
            await _copy(_Events(request, answer, writer, plain), flown, keep_alive)
        else:
            await _copy(_Bytes(request, answer, writer), flown)
        return answer
    finally:
        flight.leave(place)


async def _copy(client: "_Bytes", flown: Flown, keep_alive: float | None = None) -> None:
    flight, place = flown.flight, flown.place
    try:
        data = flight.take(place)
        if not flight.ended_well:
            await client.begin(data)
            data = b""
            await flight.follow(place, client, keep_alive)
        await client.end(data)
    except UpstreamError as error:
        log.warning("%s", error)
        await client.cut(error)


class _Bytes:
    """A client, written to in the framing that its answer's head announced."""

    def __init__(
        self, request: web.Request, answer: web.StreamResponse, writer: AbstractStreamWriter
    ) -> None:
        self._protocol = request.protocol
        self._transport = request.transport
        self._answer = answer
        self._writer = writer
        self._chunked = answer.headers.get("Transfer-Encoding") == "chunked"

    async def begin(self, data: bytes) -> None:
        """Write the head, and what there is of the body."""
        await self._answer.write(data)

    def write(self, data: bytes) -> bool:
        """Write a piece; whether there is room for more. ConnectionResetError: the client left."""
        transport = self._transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the client has left")
        transport.write(b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data)
        return not self._protocol.writing_paused

    async def drain(self) -> None:
        await self._writer.drain()

    def company(self) -> None:
        """Nothing may be put between bytes."""

    async def end(self, data: bytes) -> None:
        await self._answer.write_eof(data)

    async def cut(self, error: UpstreamError) -> None:
        """Break the connection, for want of a better way to say so."""
        del error
        if self._transport:
            self._transport.abort()


class _Events(_Bytes):
    """A stream's client: comments where upstream is silent, an error event where it is cut."""

    def __init__(
        self,
        request: web.Request,
        answer: web.StreamResponse,
        writer: AbstractStreamWriter,
        plain: PlainStream | None,
    ) -> None:
        super().__init__(request, answer, writer)
        self._plain = plain
        self._between_frames = True

    def _shown(self, data: bytes) -> bytes:
        if self._plain and data:
            data = self._plain.feed(data)
        self._between_frames = data.endswith((b"\n\n", b"\r\n\r\n"))
        return data

    async def begin(self, data: bytes) -> None:
        await super().begin(self._shown(data))
        self._between_frames |= not data

    def write(self, data: bytes) -> bool:
        shown = self._shown(data)
        return super().write(shown) if shown else True

    def company(self) -> None:
        if self._between_frames:
            super().write(_KEEP_ALIVE)

    async def end(self, data: bytes) -> None:
        shown = self._shown(data)
        await super().end(shown + self._plain.rest() if self._plain else shown)

    async def cut(self, error: UpstreamError) -> None:
        # The blank line ends whatever frame was cut in two.
        event = sse.encode(orjson.dumps(error_body(error)), event="error")
        await super().end(b"\n\n" + event)

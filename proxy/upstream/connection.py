"""One connection to an upstream, and the answer that is coming on it.

aiohttp's parser reads the answer; each read of the socket ends in one call of
whoever takes the body.
"""

import asyncio
from typing import NamedTuple

from aiohttp import ClientPayloadError, StreamReader
from aiohttp.http import HttpProcessingError, HttpResponseParser, RawResponseMessage

from proxy.core.interaction import Headers
from proxy.engine.flight import Take

_BUFFER = 64 * 1024


class Query(NamedTuple):
    """A request, ready to be sent."""

    method: str
    data: bytes
    read_timeout: float | None


def receiving() -> memoryview:
    """What the connections of one event loop receive into.

    asyncio's own buffer of 256 KiB for each read comes from the kernel and goes back to it every
    time, which takes several times as long as the read. One will do for all of a loop: a read is
    over before the next begins. Loops in other threads read at the same time.
    """
    return memoryview(bytearray(256 * 1024))


class Connection(asyncio.BufferedProtocol):
    """One connection, and the answer that is coming on it."""

    __slots__ = (
        *("_body", "_error", "_full", "_heard", "_heard_anything", "_loop", "_message", "_odd"),
        *("_parser", "_parser_paused", "_read_timeout", "_refilled", "_take", "_taking", "_timer"),
        *("_received", "_transport", "_unsent", "_waiter", "idle_since"),
    )

    def __init__(self, received: memoryview) -> None:
        self._received = received
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._parser: HttpResponseParser | None = None
        self._message: RawResponseMessage | None = None
        self._body: StreamReader | None = None
        self._take: Take | None = None
        self._full: asyncio.Future[None] | None = None
        self._error: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._read_timeout: float | None = None
        self._heard = 0.0
        self._unsent = 0
        """Bytes of the request that were still here at the last look."""
        self._heard_anything = False
        self._odd = False
        """Whether more came than was asked for."""
        self._parser_paused = False
        self._taking = self._refilled = False
        self.idle_since = 0.0

    # One request

    async def ask(self, query: Query) -> None:
        """Send a request and wait for the answer's head. TimeoutError, OSError."""
        if self._transport is None:
            raise ConnectionResetError("the connection was closed")
        self._message = self._body = self._error = None
        self._heard_anything = self._odd = self._parser_paused = False
        self._parser = HttpResponseParser(
            self,  # type: ignore[arg-type]  # all that it uses of its protocol is here
            self._loop,
            _BUFFER,
            payload_exception=ClientPayloadError,
            response_with_body=query.method != "HEAD",
            read_until_eof=True,
            auto_decompress=False,
        )
        self._transport.write(query.data)
        self._heard = self._loop.time()
        self._read_timeout = query.read_timeout
        self._unsent = self._transport.get_write_buffer_size()
        if query.read_timeout:
            self._timer = self._loop.call_later(query.read_timeout, self._look_at_clock)
        while self._message is None:
            await self._change()

    @property
    def status(self) -> int:
        return self._message.code if self._message else 0

    @property
    def headers(self) -> Headers:
        return tuple(self._message.headers.items()) if self._message else ()

    @property
    def untouched(self) -> bool:
        """Whether nothing came in answer to the request."""
        return not self._heard_anything

    @property
    def open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    async def pour(self, take: Take) -> None:
        """Give `take` the body as it comes. TimeoutError, OSError, HttpProcessingError."""
        self._take = take
        self._flow()
        while not self._is_whole():
            await self._change()

    def release(self) -> bool:
        """Whether another request may be sent; else the connection is closed."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        message, transport = self._message, self._transport
        usable = (
            message is not None
            and not message.should_close
            and not self._odd
            and self._is_whole()
            and transport is not None
            and transport.get_write_buffer_size() == 0
        )
        self._parser = self._body = self._take = self._full = None
        self.idle_since = self._loop.time()
        if not usable:
            self.abort()
        self._resume_transport()
        return usable and self.open

    def abort(self) -> None:
        if self._transport:
            self._transport.abort()

    def _is_whole(self) -> bool:
        """Whether all has come and has been handed on."""
        return self._body is not None and self._body.at_eof() and self._error is None

    async def _change(self) -> None:
        if self._error is None:
            self._waiter = self._loop.create_future()
            await self._waiter
        if self._error:
            raise self._error

    def _wake(self) -> None:
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)

    def _fail(self, error: Exception) -> None:
        self._error = self._error or error
        self._wake()

    def _look_at_clock(self) -> None:
        """One timer for the whole answer: moving it with each piece would cost more than that."""
        if not self._read_timeout or not self._transport:
            return
        now = self._loop.time()
        unsent = self._transport.get_write_buffer_size()
        if self._full or unsent < self._unsent:
            self._heard = now  # our client is the slow one, or the request is on its way
        self._unsent = unsent
        left = self._heard + self._read_timeout - now
        if left <= 0:
            self._fail(TimeoutError())
            return
        self._timer = self._loop.call_later(left, self._look_at_clock)

    # From the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # a stream's transport

    def get_buffer(self, sizehint: int) -> memoryview:
        del sizehint
        return self._received

    def buffer_updated(self, nbytes: int) -> None:
        self._parse(bytes(self._received[:nbytes]))

    def _parse(self, data: bytes) -> None:
        if self._parser is None:
            # Nobody has asked: whatever it is, it must not answer the next request.
            self.abort()
            return
        if self._body is not None and self._body.is_eof() and data:
            self._odd = True
            return
        if data:
            self._heard, self._heard_anything = self._loop.time(), True
        try:
            messages, upgraded, _ = self._parser.feed_data(data)
        except HttpProcessingError as error:
            self._fail(error)
            self.abort()
            return
        for message, body in messages:
            if message.code >= 200 and self._message is None:
                self._message, self._body = message, body
                self._wake()
            # 100 to 199 come before the answer (RFC 9110, section 15.2).
            elif message.code >= 200:
                self._odd = True
        if upgraded:
            self._fail(ConnectionResetError("it switched protocols, which nobody had asked for"))
        if self._take:
            self._flow()

    def eof_received(self) -> None:
        """The transport closes itself."""

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._timer:
            self._timer.cancel()
        if self._parser is None:
            return
        if exc is None:
            try:
                # An answer without a length ends with the connection.
                self._parser.feed_eof()
            except HttpProcessingError as error:
                exc = ConnectionResetError(error.message)
        if self._body is None or not self._body.is_eof():
            self._fail(exc or ConnectionResetError("it closed the connection"))
        self._flow()

    def _flow(self) -> None:
        """Hand on what has been parsed, unless that is what is going on already."""
        body = self._body
        self._refilled = True
        if body is None or self._take is None or self._taking:
            return
        self._taking = True
        try:
            # Reading may make the parser go on where it had been stopped.
            while self._refilled and not self._full:
                self._refilled = False
                data = body.read_nowait()
                if data and (full := self._take(data)):
                    self._full = full
                    full.add_done_callback(self._go_on)
                    self._pause_transport()
        except ClientPayloadError as error:
            self._fail(error)
        finally:
            self._taking = False
        if body.at_eof():
            self._wake()

    def _go_on(self, full: "asyncio.Future[None]") -> None:
        if full is not self._full:
            return
        self._full = None
        self._heard = self._loop.time()
        self._flow()
        self._resume_transport()

    def _pause_transport(self) -> None:
        if self.open and self._transport:
            self._transport.pause_reading()

    def _resume_transport(self) -> None:
        if self.open and self._transport and not self._full and not self._parser_paused:
            self._transport.resume_reading()

    # What the parser's stream expects of its protocol

    @property
    def connected(self) -> bool:
        return self._transport is not None

    def pause_reading(self) -> None:
        if self._parser:
            self._parser.pause_reading()
        self._parser_paused = True
        self._pause_transport()

    def resume_reading(self, resume_parser: bool = True) -> None:
        if not self._parser_paused:
            return
        self._parser_paused = False
        if resume_parser:
            self._parse(b"")
        self._resume_transport()

"""The plain case of a call: one HTTP/1.1 request on a pooled connection, answered by push.

aiohttp's parser reads the answer; what is left out are a session's URL,
cookie, redirect and proxy machinery and its tasks. Each read of the socket
ends in one call of whoever takes the body. A pooled connection that the peer
has closed in the meantime is found out only by writing to it: an idempotent
request is then sent once more (RFC 9110, section 9.2.2), any other fails, as
with aiohttp's own client.
"""

import asyncio
import re
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import aiohappyeyeballs
from aiohttp import ClientPayloadError, StreamReader
from aiohttp.http import HttpProcessingError, HttpResponseParser, RawResponseMessage

from proxy.core.interaction import Headers
from proxy.engine.flight import Take

_IDLE = 15.0
"""Seconds after which an unused connection is closed: aiohttp's number, under most servers' own."""
_BUFFER = 64 * 1024
_HAPPY_EYEBALLS = 0.25
"""Seconds until the next address is tried beside the first (RFC 8305, section 5)."""

# RFC 9110, section 5.5: no line break, or other control character but tab, in a value.
_FORBIDDEN = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_FORBIDDEN_IN_LINE = re.compile(r"[\x00-\x20\x7f]")
_SAFE_METHODS = frozenset(["GET", "HEAD", "OPTIONS", "TRACE"])
_IDEMPOTENT = _SAFE_METHODS | {"PUT", "DELETE"}


class Origin(NamedTuple):
    host: str
    port: int
    tls: bool


class Query(NamedTuple):
    """A request, ready to be sent."""

    method: str
    data: bytes
    read_timeout: float | None


def head_of(method: str, path: str, host: str, headers: Headers) -> bytes:
    """A request's head up to its length. ValueError where something would break out of its line."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}"]
    lines += [f"{name}: {value}" for name, value in headers]
    if _FORBIDDEN_IN_LINE.search(method + path) or any(map(_FORBIDDEN.search, lines)):
        raise ValueError("a control character in the request's head: it would be another request")
    return "\r\n".join([*lines, ""]).encode("utf-8", "surrogateescape")


def query(method: str, head: bytes, body: bytes, read_timeout: float | None) -> Query:
    if body or method not in _SAFE_METHODS:
        return Query(
            method, b"%bContent-Length: %d\r\n\r\n%b" % (head, len(body), body), read_timeout
        )
    return Query(method, head + b"\r\n", read_timeout)


# asyncio's own buffer of 256 KiB for each read comes from the kernel and goes back to it every
# time, which takes several times as long as the read. One for all will do: a read is over
# before the next begins.
_received = memoryview(bytearray(256 * 1024))


class Connection(asyncio.BufferedProtocol):
    """One connection, and the answer that is coming on it."""

    __slots__ = (
        *("_body", "_error", "_full", "_heard", "_heard_anything", "_loop", "_message", "_odd"),
        *("_parser", "_parser_paused", "_read_timeout", "_refilled", "_take", "_taking", "_timer"),
        *("_transport", "_waiter", "idle_since"),
    )

    def __init__(self) -> None:
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
        if self._full or self._transport.get_write_buffer_size():
            self._heard = now  # it is not upstream that we wait for
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
        return _received

    def buffer_updated(self, nbytes: int) -> None:
        self._parse(bytes(_received[:nbytes]))

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


class Pool:
    """Connections that wait for a request. `ask` on one of them, or on a new one."""

    def __init__(self, connect_timeout: float | None) -> None:
        self._connect_timeout = connect_timeout
        self._idle: dict[Origin, list[Connection]] = {}
        self._tls: ssl.SSLContext | None = None
        self._sweeping: asyncio.TimerHandle | None = None

    @asynccontextmanager
    async def ask(self, origin: Origin, query: Query) -> AsyncIterator[Connection]:
        """The connection on which the answer is coming. TimeoutError, OSError."""
        connection = self._waiting(origin) or await self._connect(origin)
        try:
            try:
                await connection.ask(query)
            except ConnectionError:
                if not (connection.untouched and query.method in _IDEMPOTENT):
                    raise
                connection.abort()
                connection = await self._connect(origin)
                await connection.ask(query)
            del query  # a long answer need not hold a long request in memory
            yield connection
        finally:
            if connection.release():
                self._keep(origin, connection)

    def close(self) -> None:
        if self._sweeping:
            self._sweeping.cancel()
        for connections in self._idle.values():
            for connection in connections:
                connection.abort()
        self._idle.clear()

    def _waiting(self, origin: Origin) -> Connection | None:
        idle = self._idle.get(origin)
        oldest = asyncio.get_running_loop().time() - _IDLE
        while idle:
            # The one used last: the others grow old and are closed.
            connection = idle.pop()
            if connection.open and connection.idle_since > oldest:
                return connection
            connection.abort()
        return None

    def _keep(self, origin: Origin, connection: Connection) -> None:
        self._idle.setdefault(origin, []).append(connection)
        if self._sweeping is None:
            self._sweeping = asyncio.get_running_loop().call_later(_IDLE, self._sweep)

    def _sweep(self) -> None:
        """Close what is too old; one timer does for all."""
        loop = asyncio.get_running_loop()
        for origin, connections in list(self._idle.items()):
            kept = [one for one in connections if one.open and one.idle_since + _IDLE > loop.time()]
            for connection in connections:
                if connection not in kept:
                    connection.abort()
            if kept:
                self._idle[origin] = kept
            else:
                del self._idle[origin]
        self._sweeping = loop.call_later(_IDLE, self._sweep) if self._idle else None

    async def _connect(self, origin: Origin) -> Connection:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(self._connect_timeout):
            if origin.tls and self._tls is None:
                # The system's certificates take tens of milliseconds to load.
                self._tls = await asyncio.to_thread(_tls)
            try:
                found = await loop.getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM)
            except UnicodeError as error:
                raise OSError(f"{origin.host!r} is no host's name: {error}") from None
            sock = await aiohappyeyeballs.start_connection(
                found, happy_eyeballs_delay=_HAPPY_EYEBALLS, loop=loop
            )
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            tls = self._tls if origin.tls else None
            name = origin.host.rstrip(".") if origin.tls else None
            _, connection = await loop.create_connection(
                Connection, sock=sock, ssl=tls, server_hostname=name
            )
            return connection


def _tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context

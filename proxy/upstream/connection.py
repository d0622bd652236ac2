"""One connection to an upstream, and the answer that is coming on it.

aiohttp's parser reads the head; the body goes to its receiver in the very call in
which the socket is read.
"""

import asyncio
import re
from collections.abc import Callable
from typing import NamedTuple, Protocol

from aiohttp import ClientPayloadError
from aiohttp.http import HttpProcessingError, HttpResponseParser, RawResponseMessage

from proxy.core.interaction import Headers
from proxy.engine.flight import Full

from .framing import Body, Chunked, Counted, FramingError, UntilClosed

_MOST_HEAD = 256 * 1024
_HEAD_END = re.compile(rb"\n\r?\n")
_BEGINNING = b"HTTP/"

Ended = Callable[[Exception | None], None]
"""Told once that there is no more: all has come, or TimeoutError, OSError, HttpProcessingError or
FramingError says why not."""


class Query(NamedTuple):
    """A request, ready to be sent."""

    method: str
    data: bytes
    read_timeout: float | None


class Receiver(Protocol):
    """Whom an answer goes to."""

    def headed(self, status: int, headers: Headers, data: bytes) -> Full:
        """Its head has come, and what there is of its body. As `came`."""

    def came(self, data: bytes) -> Full:
        """A piece of its body has come. No more is read before a future that comes back is done."""


def receiving() -> memoryview:
    """What the connections of one event loop receive into.

    asyncio's own buffer of 256 KiB for each read comes from the kernel and goes back to it every
    time, which takes several times as long as the read. One will do for all of a loop: a read is
    over before the next begins. Loops in other threads read at the same time.
    """
    return memoryview(bytearray(256 * 1024))


class Connection(asyncio.BufferedProtocol):
    """`begin` a request and, when its receiver has been told the end, `release`."""

    __slots__ = (
        *("_body", "_ended", "_full", "_head", "_heard", "_loop", "_method", "_read_timeout"),
        *("_receiver", "_received", "_should_close", "_timer", "_transport", "_unsent"),
        *("idle_since", "untouched"),
    )

    def __init__(self, received: memoryview) -> None:
        self._received = received
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._receiver: Receiver | None = None
        """None while nobody waits for anything."""
        self._ended: Ended | None = None
        self._method = ""
        self._head = b""
        """What there is of the answer's head."""
        self._body: Body | None = None
        """None before the head is whole."""
        self._should_close = False
        self._full: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._read_timeout: float | None = None
        self._heard = 0.0
        self._unsent = 0
        """Bytes of the request that were still here at the last look."""
        self.untouched = True
        """Whether nothing came in answer to the last request."""
        self.idle_since = 0.0

    # One request

    def begin(self, query: Query, receiver: Receiver, ended: Ended) -> None:
        """Send a request. ConnectionResetError if the connection has been closed."""
        if self._transport is None:
            raise ConnectionResetError("the connection was closed")
        self._method = query.method
        self._head, self._body = b"", None
        self.untouched, self._should_close = True, False
        self._receiver, self._ended = receiver, ended
        self._transport.write(query.data)
        self._heard = self._loop.time()
        self._read_timeout = query.read_timeout
        self._unsent = self._transport.get_write_buffer_size()
        self._set_timer()

    @property
    def open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def release(self) -> bool:
        """Whether another request may be sent; else the connection is closed.

        An answer that is still coming is given up, and nobody is told.
        """
        body, transport = self._body, self._transport
        usable = (
            body is not None
            and body.ended
            and not (body.beyond or self._should_close)
            and transport is not None
            and transport.get_write_buffer_size() == 0
        )
        self._receiver = self._ended = self._body = None
        self.idle_since = self._loop.time()
        if not usable:
            self.abort()
        elif self._full:
            self._go_on(self._full)
        return usable and self.open

    def abort(self) -> None:
        if self._transport:
            self._transport.abort()

    def _end(self, error: Exception | None) -> None:
        ended, self._receiver, self._ended = self._ended, None, None
        if ended:
            ended(error)

    def _set_timer(self) -> None:
        """One for all requests: to move it with each of them, or each piece, would cost more."""
        if self._read_timeout:
            end = self._heard + self._read_timeout
            if self._timer and self._timer.when() > end:
                self._timer.cancel()
                self._timer = None
            if self._timer is None:
                self._timer = self._loop.call_at(end, self._look_at_clock)

    def _look_at_clock(self) -> None:
        self._timer = None
        if not self._read_timeout or not self._transport or not self._receiver:
            return
        now = self._loop.time()
        unsent = self._transport.get_write_buffer_size()
        if self._full or unsent < self._unsent:
            self._heard = now  # our client is the slow one, or the request is on its way
        self._unsent = unsent
        if self._heard + self._read_timeout <= now:
            self._end(TimeoutError())
        else:
            self._set_timer()

    # From the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # a stream's transport

    def get_buffer(self, sizehint: int) -> memoryview:
        del sizehint
        return self._received

    def buffer_updated(self, nbytes: int) -> None:
        data = bytes(self._received[:nbytes])
        if self._receiver is None:
            # Nobody has asked: whatever it is, it must not answer the next request.
            self.abort()
            return
        self._heard = self._loop.time()
        try:
            if self._body is None:
                self._read_head(data)
            else:
                piece = self._body.feed(data)
                self._handed_on(self._receiver.came(piece) if piece else None, self._body)
        except (HttpProcessingError, FramingError) as error:
            self._end(error)
            self.abort()

    def eof_received(self) -> None:
        """The transport closes itself."""

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._timer:
            self._timer.cancel()
            self._timer = None
        if exc is None and isinstance(self._body, UntilClosed):
            self._end(None)
        else:
            self._end(exc or ConnectionResetError("it closed the connection"))

    # What comes

    def _read_head(self, data: bytes) -> None:
        self.untouched = False
        # An empty line before it is to be read over (RFC 9112, section 2.2).
        head = self._head = (self._head + data).lstrip(b"\r\n")
        while end := _HEAD_END.search(head):
            message = _parsed(self._loop, head[: end.end()])
            head = self._head = head[end.end() :]
            if message.code >= 200:
                self._answer(message, head)
                return
            # 100 to 199 come before the answer (RFC 9110, section 15.2).
            if message.code == 101:
                raise FramingError("it switched protocols, which nobody had asked for")
        if len(head) > _MOST_HEAD or head[: len(_BEGINNING)] != _BEGINNING[: len(head)]:
            raise FramingError("what came is no HTTP")

    def _answer(self, message: RawResponseMessage, rest: bytes) -> None:
        self._head = b""
        receiver, body = self._receiver, _body_of(message, self._method)
        self._body = body
        # Whoever sends both lengths may have been led astray (RFC 9112, section 6.3).
        both = message.chunked and "Content-Length" in message.headers
        self._should_close = message.should_close or both or isinstance(body, UntilClosed)
        if receiver is None:
            return
        data = body.feed(rest)
        headers = tuple(message.headers.items())
        self._handed_on(receiver.headed(message.code, headers, data), body)

    def _handed_on(self, full: Full, body: Body) -> None:
        if full and full is not self._full:
            self._full = full
            full.add_done_callback(self._go_on)
            if self.open and self._transport:
                self._transport.pause_reading()
        if body.ended:
            self._end(None)

    def _go_on(self, full: "asyncio.Future[None]") -> None:
        if full is not self._full:
            return
        self._full = None
        self._heard = self._loop.time()
        if self.open and self._transport:
            self._transport.resume_reading()


class _NoFlow:
    """For a parser that sees no body."""

    connected = True

    def resume_reading(self, resume_parser: bool = True) -> None:
        """Nothing was paused."""


_NO_FLOW = _NoFlow()


def _parsed(loop: asyncio.AbstractEventLoop, head: bytes) -> RawResponseMessage:
    """HttpProcessingError or FramingError if it is none."""
    parser = HttpResponseParser(
        _NO_FLOW,  # type: ignore[arg-type]  # all that a head uses of a protocol
        loop,
        0,
        payload_exception=ClientPayloadError,
        read_until_eof=True,
        auto_decompress=False,
    )
    messages, _, _ = parser.feed_data(head)
    if len(messages) != 1:
        raise FramingError("what came is no HTTP")
    return messages[0][0]


def _body_of(message: RawResponseMessage, method: str) -> Body:
    """RFC 9112, section 6.3."""
    if method == "HEAD" or message.code in (204, 304):
        return Counted(0)
    if message.chunked:
        return Chunked()
    length = message.headers.get("Content-Length")
    if length is None or "Transfer-Encoding" in message.headers:
        return UntilClosed()
    return Counted(int(length))

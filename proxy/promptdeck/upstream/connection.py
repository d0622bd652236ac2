"""One connection to an upstream, and the answer that is coming on it.

Head and body go to their receiver in the very call in which the socket is read.
"""

import asyncio
from collections.abc import Callable
from typing import NamedTuple, Protocol

from aiohttp.http import HttpProcessingError

from promptdeck.core.interaction import Headers
from promptdeck.engine.flights.flight import Full

from .framing import BodyFraming, FramingError, UntilClosed
from .head import answer_of, end_of

_MOST_HEAD = 256 * 1024
_BEGINNING = b"HTTP/"

Ended = Callable[[Exception | None], None]
"""Told once that there is no more: all has come, or TimeoutError, OSError, HttpProcessingError or
FramingError says why not."""


class Call(NamedTuple):
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
        *("_receiver", "_received", "_is_last", "_timer", "_transport", "_unsent"),
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
        self._body: BodyFraming | None = None
        """None before the head is whole."""
        self._is_last = False
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

    def begin(self, query: Call, receiver: Receiver, ended: Ended) -> None:
        """Send a request. ConnectionResetError if the connection has been closed."""
        if self._transport is None:
            raise ConnectionResetError("the connection was closed")
        self._method = query.method
        self._head, self._body = b"", None
        self.untouched, self._is_last = True, False
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
            and not (body.beyond or self._is_last)
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
                self._read_head(self._receiver, data)
            else:
                piece = self._body.feed(data)
                full = self._receiver.came(piece) if piece else None
                if full or self._body.ended:
                    self._handed_on(full, self._body)
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

    def _read_head(self, receiver: Receiver, data: bytes) -> None:
        self.untouched = False
        # An empty line before it is to be read over (RFC 9112, section 2.2).
        head = self._head = (self._head + data).lstrip(b"\r\n")
        while end := end_of(head):
            answer = answer_of(head[:end], self._method, self._loop)
            head = self._head = head[end:]
            if answer:
                self._head = b""
                body = self._body = answer.body
                self._is_last = answer.last
                piece = body.feed(head)
                self._handed_on(receiver.headed(answer.status, answer.headers, piece), body)
                return
        if len(head) > _MOST_HEAD or head[: len(_BEGINNING)] != _BEGINNING[: len(head)]:
            raise FramingError("what came is no HTTP")

    def _handed_on(self, full: Full, body: BodyFraming) -> None:
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

"""One connection to an upstream, and the answer that is coming on it.

Head and body go to their sink in the very call in which the socket is read.

    begin          the request is written; from now on there are a sink and an `Ended`
    buffer_updated bytes have come:
      _read_head     until the head is whole: sink.headed(status, headers, what came of the body)
      body.feed      then what of them is body: sink.came(piece)
      _handed_on     the sink is full: no reading before its future is done (`_go_on`)
    _tell_ended    once: the body is whole, or the connection was lost, silent, no HTTP
    release        whoever began is done with it: back to the pool, or closed
"""

import asyncio
from typing import NamedTuple

from aiohttp.http import HttpProcessingError

from promptdeck.engine.sides import Ended, Full, Sink

from .framing import BodyFraming, FramingError, UntilClosed
from .head import answer_of, end_of

_RECEIVED_AT_ONCE = 256 * 1024
"""Bytes of one read: asyncio's own number (`max_size` of its socket transports)."""
_MOST_HEAD = 256 * 1024
"""Bytes of a head that is not whole yet, past which there will be none. Servers and clients allow 8
to 64 KB; what is far beyond that is an endless line, which must not fill the memory."""
_BEGINNING = b"HTTP/"


class Call(NamedTuple):
    """A request, ready to be sent."""

    method: str
    data: bytes
    """Head and body, as they go onto the wire."""
    read_timeout: float | None
    """Seconds of silence after which the answer is given up; None: never."""


def receiving() -> memoryview:
    """A buffer for the connections of one event loop to receive into.

    asyncio's own buffer of 256 KiB for each read comes from the kernel and goes back to it every
    time, which takes several times as long as the read. One will do for all of a loop: a read is
    over before the next begins. Loops in other threads read at the same time.
    """
    return memoryview(bytearray(_RECEIVED_AT_ONCE))


class Connection(asyncio.BufferedProtocol):
    """Carries one request after the other: `begin` it and, when its answer has ended, `release`.

    An answer ends well, or with TimeoutError, OSError, HttpProcessingError or FramingError.
    """

    __slots__ = (
        *("_body", "_ended", "_full", "_head", "_heard", "_loop", "_method", "_read_timeout"),
        *("_sink", "_received", "_is_last", "_timer", "_transport", "_unsent"),
        *("idle_since", "untouched"),
    )

    def __init__(self, received: memoryview) -> None:
        self._received = received
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._sink: Sink | None = None
        """Where the answer goes. None while nobody waits for anything."""
        self._ended: Ended[Exception] | None = None
        self._method = ""
        self._head = b""
        """What has come of the answer's head, while that is not whole."""
        self._body: BodyFraming | None = None
        """None before the head is whole."""
        self._is_last = False
        """Whether the answer's head says that no other follows on this connection."""
        self._full: asyncio.Future[None] | None = None
        """While this is not done, nothing is read: the sink has more than its readers take."""
        self._timer: asyncio.TimerHandle | None = None
        self._read_timeout: float | None = None
        self._heard = 0.0
        """When something last came or moved, by the loop's clock."""
        self._unsent = 0
        """Bytes of the request that were still here at the last look."""
        self.untouched = True
        """Whether nothing has come in answer to the last request: it may be sent again."""
        self.idle_since = 0.0
        """When it was last released, by the loop's clock."""

    # One request

    def begin(self, call: Call, sink: Sink, ended: Ended[Exception]) -> None:
        """Send a request; its answer goes to the sink, and then `ended` is called.

        ConnectionResetError if the connection has been closed: then nobody is told.
        """
        if self._transport is None:
            raise ConnectionResetError("the connection was closed")
        self._method = call.method
        self._head, self._body = b"", None
        self.untouched, self._is_last = True, False
        self._sink, self._ended = sink, ended
        self._transport.write(call.data)
        self._heard = self._loop.time()
        self._read_timeout = call.read_timeout
        self._unsent = self._transport.get_write_buffer_size()
        self._set_timer()

    @property
    def open(self) -> bool:
        """True if a request can be sent, for all that is known here."""
        return self._transport is not None and not self._transport.is_closing()

    def release(self) -> bool:
        """Be done with the last request; True if another may be sent, else it is closed.

        An answer that is still coming is given up, and its `Ended` is not called.
        """
        body, transport = self._body, self._transport
        usable = (
            body is not None
            and body.ended
            and not (body.beyond or self._is_last)
            and transport is not None
            and transport.get_write_buffer_size() == 0
        )
        self._sink = self._ended = self._body = None
        self.idle_since = self._loop.time()
        if not usable:
            self.abort()
        if self._full:
            # It may never be done: then it would hold this connection, which holds it.
            self._full.remove_done_callback(self._go_on)
            self._go_on(self._full)
        return usable and self.open

    def abort(self) -> None:
        """Close the connection at once, whatever is under way on it."""
        if self._transport:
            self._transport.abort()

    def _tell_ended(self, error: Exception | None) -> None:
        """Tell that the answer has ended, unless that was told or nobody waits for it."""
        ended, self._sink, self._ended = self._ended, None, None
        if ended:
            ended(error)

    def _set_timer(self) -> None:
        """See that silence is noticed.

        One timer for all requests, which looks at `_heard` when it is due: to move it with each
        of them, or each piece, would cost more.
        """
        if self._read_timeout:
            end = self._heard + self._read_timeout
            if self._timer and self._timer.when() > end:
                self._timer.cancel()
                self._timer = None
            if self._timer is None:
                self._timer = self._loop.call_at(end, self._look_at_clock)

    def _look_at_clock(self) -> None:
        """End the answer with TimeoutError if upstream is silent and it is nobody else's doing."""
        self._timer = None
        if not self._read_timeout or not self._transport or not self._sink:
            return
        now = self._loop.time()
        unsent = self._transport.get_write_buffer_size()
        if self._full or unsent < self._unsent:
            self._heard = now  # our client is the slow one, or the request is on its way
        self._unsent = unsent
        if self._heard + self._read_timeout <= now:
            self._tell_ended(TimeoutError())
        else:
            self._set_timer()

    # From the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # a stream's transport

    def get_buffer(self, sizehint: int) -> memoryview:
        del sizehint  # a wish of asyncio's, -1 for none
        return self._received

    def buffer_updated(self, nbytes: int) -> None:
        """Hand on what of the bytes received is head or body. Whatever is no HTTP closes it."""
        data = bytes(self._received[:nbytes])
        if self._sink is None:
            # Nobody has asked: whatever it is, it must not answer the next request.
            self.abort()
            return
        self._heard = self._loop.time()
        try:
            if self._body is None:
                self._read_head(self._sink, data)
            else:
                body = self._body
                piece = body.feed(data)
                # A sink may give the answer up: then there is no `_body` any more.
                full = self._sink.came(piece) if piece else None
                if full or body.ended:
                    self._handed_on(full, body)
        except (HttpProcessingError, FramingError) as error:
            self._tell_ended(error)
            self.abort()

    def eof_received(self) -> None:
        """Have the transport close itself, as None says; `connection_lost` follows."""

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell that the answer has ended: well if its body ends with the connection, else not."""
        self._transport = None
        if self._timer:
            self._timer.cancel()
            self._timer = None
        if exc is None and isinstance(self._body, UntilClosed):
            self._tell_ended(None)
        else:
            self._tell_ended(exc or ConnectionResetError("it closed the connection"))

    # What comes

    def _read_head(self, sink: Sink, data: bytes) -> None:
        """Read on in the head; when it is whole, hand it on with what came of the body.

        HttpProcessingError or FramingError if it is none.
        """
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
                self._handed_on(sink.headed(answer.status, answer.headers, piece), body)
                return
        if len(head) > _MOST_HEAD or head[: len(_BEGINNING)] != _BEGINNING[: len(head)]:
            raise FramingError("what came is no HTTP")

    def _handed_on(self, full: Full, body: BodyFraming) -> None:
        """After the sink took something: stop reading if it is full, tell if that was all."""
        if full and full is not self._full:
            self._full = full
            full.add_done_callback(self._go_on)
            if self.open and self._transport:
                self._transport.pause_reading()
        if body.ended:
            self._tell_ended(None)

    def _go_on(self, full: "asyncio.Future[None]") -> None:
        """Read again: the sink has room. Nothing happens if it is another answer's sink."""
        if full is not self._full:
            return
        self._full = None
        self._heard = self._loop.time()
        if self.open and self._transport:
            self._transport.resume_reading()

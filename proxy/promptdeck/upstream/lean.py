"""The plain case of a call: one HTTP/1.1 request on a pooled connection, answered by push.

What is left out are a session's URL, cookie, redirect and proxy machinery and
its tasks. A pooled connection that the peer has closed in the meantime may be
found out only by writing to it: where not a byte of an answer came, the request is
sent once more on a new one, as browsers, curl and Go's client do.
"""

import asyncio
import re
import socket
import ssl
from functools import partial
from typing import NamedTuple

import aiohappyeyeballs

from promptdeck.core.interaction import Headers
from promptdeck.engine.sides import Sink

from .connection import Call, Connection, receiving

_IDLE = 15.0
"""Seconds after which an unused connection is closed: aiohttp's number, under most servers' own."""
_HAPPY_EYEBALLS = 0.25
"""Seconds until the next address is tried beside the first (RFC 8305, section 5)."""

# RFC 9110, section 5.5: no line break, or other control character but tab, in a value.
_FORBIDDEN = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_FORBIDDEN_IN_LINE = re.compile(r"[\x00-\x20\x7f]")
# RFC 9110, sections 9.2.1 and 9.2.2.
_SAFE_METHODS = frozenset(["GET", "HEAD", "OPTIONS", "TRACE"])
IDEMPOTENT = _SAFE_METHODS | {"PUT", "DELETE"}
"""Methods whose request may be sent once more where nobody knows whether it arrived."""


class Origin(NamedTuple):
    """Whom a connection leads to."""

    host: str
    port: int
    tls: bool


def head_of(method: str, path: str, host: str, headers: Headers) -> bytes:
    """A request's head up to its length, as `call_of` takes it.

    ValueError where a control character would break out of its line.
    """
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}"]
    lines += [f"{name}: {value}" for name, value in headers]
    if _FORBIDDEN_IN_LINE.search(method + path) or any(map(_FORBIDDEN.search, lines)):
        raise ValueError("a control character in the request's head: it would be another request")
    return "\r\n".join([*lines, ""]).encode("utf-8", "surrogateescape")


def call_of(method: str, head: bytes, body: bytes, read_timeout: float | None) -> Call:
    """A request ready to be sent: `head_of` it, its length and its body."""
    # RFC 9110, section 8.6: a length of 0 is told where the method expects a body.
    if body or method not in _SAFE_METHODS:
        return Call(
            method, b"%bContent-Length: %d\r\n\r\n%b" % (head, len(body), body), read_timeout
        )
    return Call(method, head + b"\r\n", read_timeout)


class Pool:
    """Connections to any origin that wait for a request.

    `fly` does it all; or take one that is `waiting` and `give_back` it, whatever came of it.
    """

    def __init__(self, connect_timeout: float | None) -> None:
        self._connect_timeout = connect_timeout
        self._idle: dict[Origin, list[Connection]] = {}
        """Open connections without a request, of each origin the one released last at the end."""
        self._tls: ssl.SSLContext | None = None
        self._sweeping: asyncio.TimerHandle | None = None
        self._made: partial[Connection] | None = None
        """Makes a connection; all of this pool's receive into the same buffer."""

    async def fly(self, origin: Origin, call: Call, sink: Sink) -> None:
        """Ask on a waiting connection, or a new one; return when the answer has ended.

        Raises what an answer may end with, see `Connection`; TimeoutError and OSError also where
        no connection can be had.
        """
        waiting = self.waiting(origin)
        connection = waiting or await self._connect(origin)
        try:
            await self._ask(origin, connection, call, sink)
        except ConnectionError:
            # RFC 9110, 9.2.2: on a connection of its own a request may have arrived, and only what
            # is idempotent may be sent again.
            if not (connection.untouched and (waiting or call.method in IDEMPOTENT)):
                raise
            await self._ask(origin, await self._connect(origin), call, sink)

    async def _ask(self, origin: Origin, connection: Connection, call: Call, sink: Sink) -> None:
        """Ask on a connection, and give it back when the answer has ended or the task is cancelled.

        Raises what the answer ended with, if not well.
        """
        end: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()

        def ended(error: Exception | None) -> None:
            if not end.cancelled():
                end.set_result(error)

        try:
            connection.begin(call, sink, ended)
            del call  # a long answer need not hold a long request in memory
            if error := await end:
                raise error
        finally:
            self.give_back(origin, connection)

    def waiting(self, origin: Origin) -> Connection | None:
        """Take a connection on which `begin` can send at once; None if there is none."""
        idle = self._idle.get(origin)
        oldest = asyncio.get_running_loop().time() - _IDLE
        while idle:
            # The one used last: the others grow old and are closed when load has gone down.
            connection = idle.pop()
            if connection.open and connection.idle_since > oldest:
                return connection
            connection.abort()
        return None

    def give_back(self, origin: Origin, connection: Connection) -> None:
        """Keep a connection whose answer is whole for the next request; any other is closed."""
        if connection.release():
            self._idle.setdefault(origin, []).append(connection)
            if self._sweeping is None:
                self._sweeping = asyncio.get_running_loop().call_later(_IDLE, self._sweep)

    def close(self) -> None:
        """Close the waiting connections; those that carry an answer are for their users to end."""
        if self._sweeping:
            self._sweeping.cancel()
        for connections in self._idle.values():
            for connection in connections:
                connection.abort()
        self._idle.clear()

    def _sweep(self) -> None:
        """Close the connections that have waited too long; one timer does for all."""
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
        """A new connection. OSError (ssl.SSLError too), TimeoutError past the connect timeout."""
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
            # A request is one write: to hold the end of it back for an ACK would only cost time.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            tls = self._tls if origin.tls else None
            # A certificate's names are without the dot of a fully qualified one.
            name = origin.host.rstrip(".") if origin.tls else None
            self._made = self._made or partial(Connection, receiving())
            _, connection = await loop.create_connection(
                self._made, sock=sock, ssl=tls, server_hostname=name
            )
            return connection


def _tls() -> ssl.SSLContext:
    """Verifies with the system's certificates; HTTP/1.1 is all that is spoken here."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context

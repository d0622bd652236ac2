"""WebSockets of clients: each message asks the exchange, each answer is played in its turn.

To the engine a socket is a series of requests (`core.dialects.sockets`): the opening, then one for
each message of the client. Their answers are written one after the other, whether they come from
a recording or from upstream; what goes upstream takes the line that belongs to this socket alone.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from functools import partial
from typing import NamedTuple
from weakref import WeakSet

from aiohttp import WSMsgType, web
from multidict import CIMultiDict

from promptdeck.core.dialects.sockets import (
    BINARY,
    MESSAGE,
    OPENING,
    SWITCHED,
    UNREADABLE,
    Close,
    said_in,
)
from promptdeck.core.dialects.table import dialect_of, spoken_at
from promptdeck.core.headers import HANDSHAKE, PROTOCOL
from promptdeck.core.interaction import Headers, Request, header
from promptdeck.core.secrets.redact import without_keys
from promptdeck.core.text import sse
from promptdeck.engine.decks.deck import Deck
from promptdeck.engine.exchange import Exchange
from promptdeck.engine.flights.flight import Head
from promptdeck.engine.incoming import Incoming
from promptdeck.engine.outcome import Flown, Listed, Served
from promptdeck.engine.sides import Line, Stray
from promptdeck.errors import HTTPError, UpstreamError

from .answers.pace import Pace
from .answers.passing import pass_on
from .answers.rendering import flown_headers, served_headers
from .answers.writing import serve
from .noted import REQUEST_ID
from .reading import refuse_many_values
from .upgrades import refusal

log = logging.getLogger("promptdeck")

# aiohttp logs the protocols that a client offers where none is chosen: keys may be in them.
logging.getLogger("aiohttp.websocket").setLevel(logging.CRITICAL)

_ENDS = 2.0
"""Seconds that a client has to answer a close frame."""
_LANDS = 0.1
"""Seconds in which an answer lands that the socket's end has ended: some turns of the loop."""
_WAITING = 100
"""Answers that may wait to be written; then no more messages are read."""
_POLICY, _FAILED = 1008, 1011
"""Codes with which a socket is closed for an error of the client's, and of ours or upstream's."""
_OF_ONE_CALL = frozenset(["idempotency-key"])
"""Headers that would have all of a socket answered as its first request was."""

OPEN = web.AppKey("sockets", WeakSet[web.WebSocketResponse])
"""An application's sockets, which are closed when it shuts down."""

MakeLine = Callable[[Incoming, Stray], Line]
"""Makes a socket's line upstream, by its opening."""


class SocketWays(NamedTuple):
    """What the messages of a socket go through."""

    exchange: Exchange
    deck: Deck
    pace: Pace
    line: MakeLine | None
    """None where there is no way upstream."""
    in_use: Callable[[], bool] | None
    """Notes that its session is used; False once that is closed. None without one."""
    max_body: int
    max_values: int


async def answer(request: web.Request, opening: Incoming, ways: SocketWays) -> web.StreamResponse:
    """Open a client's socket and answer its messages until it is closed.

    `opening` is its request, as the engine takes any. Where upstream, or a recording, has not
    opened it, the answer is that one, in HTTP. ClientError 426 for a client whose handshake is
    not one; HTTPError as the exchange says it.
    """
    if request.method != "GET" or not web.WebSocketResponse().can_prepare(request):
        raise refusal()
    asked = opening.request._replace(method=OPENING, body=b"")
    waiting: asyncio.Queue[_Due] = asyncio.Queue(_WAITING)
    line = ways.line(opening, waiting.put) if ways.line else None
    if line:
        ways.exchange.lines.add(line)
    headers = tuple(item for item in opening.headers if item[0].lower() not in _OF_ONE_CALL)
    opening = opening._replace(request=asked, headers=headers, fly=line.open if line else None)
    found = await ways.exchange.answer(opening, ways.deck)
    try:
        match found:
            case Served():
                if found.response.status != SWITCHED:
                    return await serve(request, found, ways.pace, asked)
                shown = served_headers(found, request.raw_path)
                shown = (*shown, ("Cache-Status", found.cache_status))
            case Flown():
                head = await _head(found)
                if head.status != SWITCHED:
                    return await pass_on(request, found, ways.pace.keep_alive, asked)
                shown = tuple(flown_headers(head, found, request[REQUEST_ID], request.raw_path))
            case Listed():
                raise AssertionError("no list is asked for by opening a socket")
        waiting.put_nowait(_Owed(found, b""))
        socket = _socket(shown, ways.max_body)
        await socket.prepare(request)
        request.app[OPEN].add(socket)
        await _Conversation(socket, opening, ways, line, waiting).hold()
        return socket
    finally:
        if line:
            line.hang_up(Close(1001))
        if isinstance(found, Flown):
            _leave(found)


async def close_all(app: web.Application) -> None:
    """Close the sockets of an application that shuts down."""
    for socket in [*app[OPEN]]:
        await socket.close(code=1001, message=b"promptdeck stops")


async def _head(flown: Flown) -> Head:
    try:
        return await flown.flight.head()
    except UpstreamError as error:
        error.cache_status = flown.error_status
        raise


def _socket(headers: Headers, max_body: int) -> web.WebSocketResponse:
    """The answer to a client whose socket is opened, with the protocol that was chosen."""
    chosen = header(headers, PROTOCOL)
    socket = web.WebSocketResponse(
        protocols=[chosen] if chosen else (), timeout=_ENDS, max_msg_size=max_body
    )
    left_out = HANDSHAKE | {"content-type", "content-length", "connection", "upgrade"}
    shown = [item for item in headers if item[0].lower() not in left_out]
    socket.headers.update(CIMultiDict(shown))
    return socket


class _Owed(NamedTuple):
    """An answer, and the body of the request that it answers."""

    found: Served | Flown
    body: bytes


_Due = _Owed | bytes | HTTPError
"""What is to be written next: an answer, an event that came unasked, or an error and the end."""


class _Conversation:
    """One open socket: messages are read, and answers written, by two tasks.

    Answers are written in the order of what they answer; each message is asked about when the one
    before it has been, so that recordings are played, and upstream is told, in their order.
    """

    def __init__(
        self,
        socket: web.WebSocketResponse,
        opening: Incoming,
        ways: SocketWays,
        line: Line | None,
        waiting: "asyncio.Queue[_Due]",
    ) -> None:
        self._socket = socket
        self._opening = opening
        self._ways = ways
        self._line = line
        self._waiting = waiting
        spoken = spoken_at(opening.request.target) if ways.exchange.matches else None
        self._thread = spoken.thread() if spoken else None

    async def hold(self) -> None:
        """Read and write until either side has closed the socket."""
        try:
            async with asyncio.TaskGroup() as tasks:
                writing = tasks.create_task(self._write())
                close = await self._read()
                if self._line:
                    # At once: when the client's connection is lost this task is cancelled.
                    self._line.hang_up(close)
                writing.cancel()
        finally:
            while not self._waiting.empty():
                match self._waiting.get_nowait():
                    case _Owed(Flown() as flown):
                        _leave(flown)

    # What comes

    async def _read(self) -> Close:
        """Ask about each message; returns how the client has closed the socket, or we have."""
        while True:
            came = await self._socket.receive()
            match came.type:
                case WSMsgType.TEXT | WSMsgType.BINARY:
                    if self._ways.in_use and not self._ways.in_use():
                        await self._socket.close(code=1001, message=b"its session is closed")
                        return Close(1001)
                    await self._waiting.put(await self._asked(came.data))
                case WSMsgType.CLOSE:
                    return Close(came.data or Close().code, came.extra or "")
                case _:
                    return Close(self._socket.close_code or 1006)

    async def _asked(self, said: str | bytes) -> _Due:
        """What a message is answered with. After an error nothing more is read."""
        opening, line, ways = self._opening, self._line, self._ways
        try:
            whole = self._whole(said)
            request = _request(whole, opening)
            fly = partial(line.say, said, whole) if line else None
            incoming = opening._replace(request=request, fly=fly)
            answer = await ways.exchange.answer(incoming, ways.deck)
        except HTTPError as error:
            return error
        match answer:
            case Listed():
                raise AssertionError("no list is asked for over a socket")
            case Served() if line:
                line.rest()
                line.behind = True
        return _Owed(answer, request.body)

    def _whole(self, said: str | bytes) -> str | bytes:
        """A message as it counts: with all that it goes on from. ClientError for too much."""
        data = said.encode() if isinstance(said, str) else said
        refuse_many_values(data, "", self._ways.max_values)
        if self._thread is None or isinstance(said, bytes):
            return said
        whole = self._thread.whole(data)
        return said if whole is data else whole.decode()

    # What goes

    async def _write(self) -> None:
        """Write one answer after the other, until one ends the socket."""
        try:
            while await self._written(await self._waiting.get()):
                pass
        except ConnectionError:
            pass  # the client has left, which reading tells, too
        except Exception:
            log.exception("a socket was closed: unexpected error")
            await self._socket.close(code=_FAILED)

    async def _written(self, due: _Due) -> bool:
        """Write one answer; False if it has ended the socket."""
        if isinstance(due, HTTPError):
            return await self._fail(due)
        try:
            match due:
                case bytes():
                    return await self._said([due])
                case _Owed(found, body):
                    if self._thread:
                        self._thread.answering(body)
                    return await self._answered(found)
        except HTTPError as error:
            log.warning("%s", error)
            return await self._fail(error)

    async def _answered(self, found: Served | Flown) -> bool:
        """Write an answer; False if it has ended the socket."""
        if isinstance(found, Served):
            return await self._played(found)
        async for frames in _followed(found):
            if not await self._said(frames):
                return False
        return True

    async def _played(self, served: Served) -> bool:
        """Write what was recorded, at its pace."""
        loop, factor = asyncio.get_running_loop(), self._ways.pace.factor
        start = loop.time()
        for offset_ms, data in served.response.frames:
            if (left := start + offset_ms / 1000 / factor - loop.time()) > 0:
                await asyncio.sleep(left)
            if not await self._said([data]):
                return False
        return True

    async def _said(self, frames: Iterable[bytes]) -> bool:
        """Write what events say; False if one of them is the socket's end."""
        for frame in frames:
            if self._thread:
                self._thread.heard(frame)
            try:
                said = said_in(frame)
            except UNREADABLE as error:
                why = f"a recorded message cannot be sent over a socket: {error}"
                raise HTTPError(why, code="bad_recording", retry=False) from None
            match said:
                case str():
                    await self._socket.send_str(said)
                case bytes():
                    await self._socket.send_bytes(said)
                case Close():
                    await self._end(said)
                    return False
        return True

    async def _fail(self, error: HTTPError) -> bool:
        """Tell of an error as this protocol's clients read it, and end the socket. False."""
        dialect = dialect_of(MESSAGE, self._opening.request.target)
        told = sse.parse(dialect.error_event(error)).data
        await self._socket.send_str(told or "")
        code = _POLICY if error.status < 500 else _FAILED
        await self._end(Close(code, error.code))
        return False

    async def _end(self, close: Close) -> None:
        await self._socket.close(code=close.code_to_send, message=close.reason_to_send)


async def _followed(flown: Flown) -> AsyncIterator[list[bytes]]:
    """The events of an answer as they come. UpstreamError; for a message that is refused, too."""
    try:
        async for data in flown.flight.read(flown.place):
            yield sse.frames(data)
    finally:
        _leave(flown)


def _leave(flown: Flown) -> None:
    """Read no more of an answer, and let it land before, if the line's end has ended it."""
    if flown.flight.landed:
        flown.flight.leave(flown.place)
    else:
        asyncio.get_running_loop().call_later(_LANDS, flown.flight.leave, flown.place)


def _request(said: str | bytes, opening: Incoming) -> Request:
    """A message as a request of its own, without the keys that came with the opening."""
    if isinstance(said, bytes):
        method, body = BINARY, said
        kind = "application/octet-stream"
    else:
        method, body = MESSAGE, said.encode()
        kind = "application/json" if body.lstrip()[:1] in (b"{", b"[") else "text/plain"
    body = without_keys(body, opening.keys)
    return opening.request._replace(method=method, content_type=kind, body=body)

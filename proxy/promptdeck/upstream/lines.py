"""WebSockets to upstream, by aiohttp's client: one line for each client's socket.

A line gives each answer to the sink of what asked for it: what comes goes to the answer that is
under way, which ends with its protocol's own end, with the client's next message, or with the
socket. An answer in HTTP's words, where upstream will not open the socket, is passed on as it came.
"""

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable, Coroutine
from types import SimpleNamespace
from typing import Any

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from promptdeck.core.dialects.sockets import SWITCHED, Close, Said, Socket, frame_of
from promptdeck.core.interaction import Headers
from promptdeck.engine.sides import Full, Sink, Stray
from promptdeck.errors import UpstreamError

log = logging.getLogger("promptdeck")

EVENTS: Headers = (("Content-Type", "text/event-stream"),)
"""The head of an answer to a message, as recordings have it."""

_MOST_MESSAGE = 64 * 1024 * 1024
"""Bytes of a message from upstream: four times what OpenAI allows one of a client's to have."""
_COMPRESSES = 15
"""The window that is offered for compression (RFC 7692, section 7.1.2.1): the largest."""
_ENDS = aiohttp.ClientWSTimeout(ws_close=2.0)
"""Seconds that upstream has to answer a close frame."""

_Open = Callable[[Sink], Awaitable[aiohttp.ClientWebSocketResponse]]
"""Opens a socket, and tells the sink its head. Refused, or UpstreamError."""


class Refused(Exception):
    """Upstream has not opened the socket; the sink has its answer."""


class _Noted:
    """Goes with an opening, to bring back how that was answered."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: Headers = ()
        self.body = b""

    async def note(self, response: aiohttp.ClientResponse) -> None:
        """Keep an answer's head, and the body where it is no opening."""
        self.status, self.headers = response.status, tuple(response.headers.items())
        if self.status != SWITCHED:
            self.body = await response.read()


class WebSocketLines:
    """The WebSockets to upstream that are open. `close` at the end."""

    def __init__(self, connect_timeout: float | None) -> None:
        self._connect_timeout = connect_timeout
        self._connector: aiohttp.TCPConnector | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def do(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Do in a task what is ended at the latest when the sockets are closed."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def close(self) -> None:
        """Close what is still open, without more words."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        if self._connector:
            await self._connector.close()

    async def open(
        self,
        url: URL,
        headers: Headers,
        protocols: tuple[str, ...],
        sink: Sink,
        *,
        compress: bool,
        read_timeout: float | None,
        proxy: str | None,
    ) -> aiohttp.ClientWebSocketResponse:
        """Open a socket, and tell the sink the head that upstream answered with.

        Refused where that is another one than 101; the sink has the whole answer then. Raises
        what else the call ended with: TimeoutError, OSError, aiohttp.ClientError.
        """
        noted = _Noted()
        session = self._session(noted, read_timeout)
        try:
            socket = await session.ws_connect(
                url,
                protocols=protocols,
                headers=CIMultiDict(headers),
                timeout=_ENDS,
                proxy=proxy,
                compress=_COMPRESSES if compress else 0,
                max_msg_size=_MOST_MESSAGE,
            )
        except (aiohttp.WSServerHandshakeError, _Redirected):
            if noted.status == SWITCHED:
                raise  # it opens what is no WebSocket
            sink.headed(noted.status, noted.headers, noted.body)
            raise Refused from None
        finally:
            session.detach()
        sink.headed(SWITCHED, (*noted.headers, *EVENTS), b"")
        return socket

    def _session(self, noted: _Noted, read_timeout: float | None) -> aiohttp.ClientSession:
        """A session for one opening, on the connector of all."""
        if self._connector is None:
            self._connector = aiohttp.TCPConnector(limit=0, ssl=ssl.create_default_context())
        return aiohttp.ClientSession(
            connector=self._connector,
            connector_owner=False,
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=self._connect_timeout, sock_read=read_timeout
            ),
            raise_for_status=noted.note,
            trace_configs=[_stopping(noted)],
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("User-Agent", "Accept", "Content-Type"),
        )


class _Redirected(Exception):
    """Upstream answers with another place: not to be gone to, with a key."""


def _stopping(noted: _Noted) -> aiohttp.TraceConfig:
    """What has a session follow no redirect: the answer goes to the client as it came."""

    async def stop(
        session: aiohttp.ClientSession,
        context: SimpleNamespace,
        told: aiohttp.TraceRequestRedirectParams,
    ) -> None:
        del session, context
        await noted.note(told.response)
        raise _Redirected

    config = aiohttp.TraceConfig()
    config.on_request_redirect.append(stop)
    return config


class _Unheard:
    """The sink of a head that nobody asked for."""

    def __init__(self) -> None:
        self.status = 0

    def headed(self, status: int, headers: Headers, data: bytes) -> Full:
        del headers, data
        self.status = status
        return None

    def came(self, data: bytes) -> Full:
        del data
        return None


class _Turn:
    """An answer under way: where it goes, and how it ended."""

    def __init__(self, sink: Sink) -> None:
        loop = asyncio.get_running_loop()
        self.sink = sink
        self.ended: asyncio.Future[None] = loop.create_future()
        self.last = loop.time()
        """When something came last, by the loop's clock."""

    def end(self, error: UpstreamError | None = None) -> None:
        """Tell who waits for the end. Only the first call counts."""
        if self.ended.done():
            return
        if error:
            self.ended.set_exception(error)
        else:
            self.ended.set_result(None)


class WebSocketLine:
    """A client's `Line`: opened by `open`, or by the first message."""

    def __init__(
        self, lines: WebSocketLines, opened: _Open, stray: Stray, spoken: Socket, silence: float
    ) -> None:
        self._lines = lines
        self._opened = opened
        self._stray = stray
        self._spoken = spoken
        self._silence = silence
        """Seconds without a message after which an answer that has an end will not come to it."""
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._listening: asyncio.Task[None] | None = None
        self._turn: _Turn | None = None
        self._hung_up = False
        self.behind = False

    async def open(self, sink: Sink) -> None:
        """Open the socket; return when what comes unasked has come. UpstreamError."""
        try:
            await self._connect(sink)
        except Refused:
            return
        await self._ended(self._begin(sink))

    async def say(self, said: str | bytes, whole: str | bytes, sink: Sink) -> None:
        """Send a message; return when its answer has come. UpstreamError.

        409 for one that hangs on messages which a recording answered.
        """
        said = whole if self.behind else said
        if self.behind and self._spoken.hangs_on(said):
            raise UpstreamError(
                "earlier messages of this socket were answered from the recording, so that"
                " upstream does not know them: record it anew, with --mode record",
                code="socket_behind",
                status=409,
                retry=False,
            )
        socket = self._socket or await self._connect_unheard()
        self.rest()
        turn = self._begin(sink)
        sink.headed(200, EVENTS, b"")
        try:
            await (socket.send_str(said) if isinstance(said, str) else socket.send_bytes(said))
        except (ConnectionError, aiohttp.ClientError):
            turn.end(_cut("it is closed"))
        await self._ended(turn)

    def rest(self) -> None:
        """Have the answer under way end here: the client's next message has come."""
        if self._turn:
            self._turn.end()
            self._turn = None

    def pause(self) -> None:
        """Have the answer under way end here, unless it will come to an end of its own."""
        if not self._spoken.ends_itself:
            self.rest()

    def hang_up(self, close: Close) -> None:
        """Close the socket, as the client did: no answer is under way any more."""
        hung_up, self._hung_up = self._hung_up, True
        turn, self._turn = self._turn, None
        if turn and self._spoken.ends_itself:
            turn.end(UpstreamError("the client has left", code="dropped"))
        elif turn:
            turn.end()
        if self._socket and not hung_up:
            self._lines.do(self._closed(self._socket, close))

    async def _closed(self, socket: aiohttp.ClientWebSocketResponse, close: Close) -> None:
        await socket.close(code=close.code_to_send, message=close.reason_to_send)
        if self._listening:
            self._listening.cancel()  # nobody takes any more what it has got

    def _begin(self, sink: Sink) -> _Turn:
        self._turn = _Turn(sink)
        return self._turn

    async def _ended(self, turn: _Turn) -> None:
        """Wait for the end of an answer. UpstreamError where it is one too early."""
        loop = asyncio.get_running_loop()
        try:
            # To look now and then costs less than a timer for each message.
            while not turn.ended.done():
                await asyncio.wait([turn.ended], timeout=self._silence)
                silent = self._spoken.ends_itself and loop.time() - turn.last >= self._silence
                if silent and not turn.ended.done():
                    why = "upstream fell silent in mid-answer"
                    raise UpstreamError(why, code="upstream_timeout", status=504)
            turn.ended.result()
        finally:
            if self._turn is turn:
                self._turn = None

    async def _connect_unheard(self) -> aiohttp.ClientWebSocketResponse:
        """Open the socket, though the client has been answered without. UpstreamError."""
        unheard = _Unheard()
        try:
            return await self._connect(unheard)
        except Refused:
            raise UpstreamError(
                f"upstream does not open the socket: status {unheard.status}"
            ) from None

    async def _connect(self, sink: Sink) -> aiohttp.ClientWebSocketResponse:
        socket = self._socket = await self._opened(sink)
        self._listening = self._lines.do(self._listen(socket))
        return socket

    async def _listen(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Give what comes to the answer under way, until the socket is closed. Raises nothing."""
        try:
            await self._heard(socket)
        except Exception as error:
            # One socket's trouble, even of our own making, must not hold up its client.
            log.exception("a socket was closed: unexpected error")
            await self._lost(_cut(type(error).__name__))

    async def _heard(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        while True:
            came = await socket.receive()
            match came.type:
                case aiohttp.WSMsgType.TEXT | aiohttp.WSMsgType.BINARY:
                    await self._give(came.data)
                case aiohttp.WSMsgType.CLOSE:
                    await self._give(Close(came.data or Close().code, came.extra or ""))
                    self.rest()
                    return
                case _:
                    if not self._hung_up:
                        why = socket.exception() or "the connection was lost"
                        await self._lost(_cut(str(why)))
                    return

    async def _give(self, said: Said) -> None:
        frame = frame_of(said)
        turn = self._turn
        if turn is None:
            await self._stray(frame)
            return
        turn.last = asyncio.get_running_loop().time()
        full = turn.sink.came(frame)
        if self._spoken.ends_itself and self._spoken.has_ended(frame):
            self.rest()
        if full:
            await full

    async def _lost(self, error: UpstreamError) -> None:
        """End the answer under way too early; without one, tell the client by the close alone."""
        turn, self._turn = self._turn, None
        if turn:
            turn.end(error)
        else:
            await self._stray(frame_of(Close(1011, error.message)))


def _cut(why: str) -> UpstreamError:
    return UpstreamError(f"upstream's socket has broken off: {why}", code="upstream_cut")

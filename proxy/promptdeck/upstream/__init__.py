"""The way upstream: where a call goes and with whose key, its errors in our words.

keys         the headers that a call has, our key among them
destination  where a base URL leads
lean         the plain case, on a pool of connections of our own
lines        WebSockets
connection   one of them
head         what an answer's head says
framing      where its body ends
session      the rest, by aiohttp's client session
trouble      why it cannot be reached
location     where an answer leads its client next

A call from its beginning to its last byte. `begin` can be had for a plain POST when a connection
waits; it takes no task. `fly` can be had always; its caller's task waits for the end.

    Upstream.begin(incoming, sink, ended)      Upstream.fly(incoming, sink)
      _destination: where to                     plain: Pool.fly          else: LazyClient.fly
      Pool.waiting: a connection                   waiting or _connect      ClientSession.request
      _call: head and body, ready to be sent       _ask                     |
      |                                            |                        |
      `-> Connection.begin(call, errand, ended) <--'                        |
            every read of the socket                                        each piece
            |  answer_of(head)       head.py                                |
            |  BodyFraming.feed      framing.py                             |
            v                                                               v
          _Errand.headed, then _Errand.came for each piece: to the sink, headers as clients get them
            |
            v  the body is whole, or the connection is lost, silent, no HTTP
          ended(error): Pool.give_back, and the error in our words:
            begun: the caller's `ended` is called      flown: `fly` returns, or raises UpstreamError

To give up, call what `begin` returned, or cancel the task of `fly`: the connection is closed by
`give_back`, as its answer is not whole, and `ended` is not called.
"""

import logging
import math
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import aiohttp
from aiohttp.http import HttpProcessingError
from yarl import URL

from promptdeck.core.dialects.sockets import SOCKET
from promptdeck.core.dialects.table import spoken_at
from promptdeck.core.headers import EXTENSIONS, to_client
from promptdeck.core.interaction import Headers, header
from promptdeck.core.targets import below
from promptdeck.engine.incoming import Incoming
from promptdeck.engine.sides import Ended, Full, GiveUp, Line, Sink, Stray, Unanswered
from promptdeck.errors import UpstreamError

from .connection import Call
from .destination import ENVIRONMENT, Destination, leaves_base
from .framing import FramingError
from .keys import Keys, offered
from .lean import IDEMPOTENT, Pool, call_of, head_of
from .lines import WebSocketLine, WebSocketLines
from .location import leads, led_here
from .session import LazyClient
from .trouble import unreachable

if TYPE_CHECKING:
    from aiohttp import ClientWebSocketResponse

log = logging.getLogger("promptdeck")


_UNAUTHORIZED = 401
"""The status of an answer to who sent no key, or a wrong one (RFC 9110, section 15.5.2)."""
_HEADS_KEPT = 256
"""Heads of requests that are remembered, some KB each. A program has a few sets of headers; what is
kept of clients that put an id into theirs must stay small."""
_TROUBLE = (TimeoutError, aiohttp.ClientError, HttpProcessingError, OSError, FramingError)
"""What a call may end with that is upstream's fault, or the network's; all else is our own."""


class _Errand:
    """One call to a base URL: its answer is passed to a sink, its trouble put in our words."""

    __slots__ = ("_answered", "_base", "_keyless", "_proxy", "_setting", "_sink", "_target", "came")

    def __init__(
        self,
        sink: Sink,
        base: str,
        target: str,
        keyless: Callable[[], str],
        proxy: str | None = None,
        setting: str = "",
    ) -> None:
        self._sink = sink
        self._base = base
        self._keyless = keyless
        """Tells how to set a key, where the request was sent without one."""
        self._target = target
        self._proxy, self._setting = proxy, setting
        self._answered = False
        self.came = sink.came  # as it is: a method of ours would cost a call for each piece

    def headed(self, status: int, headers: Headers, data: bytes) -> Full:
        """Pass on a head, with the headers that clients get."""
        self._answered = True
        if status == _UNAUTHORIZED and (mend := self._keyless()):
            log.warning("%s wants a key and none was sent: set %s", self._base, mend)
        if leads(headers):
            asked = URL(below(self._base, self._target), encoded=True)
            headers = led_here(headers, asked, URL(self._base, encoded=True))
        return self._sink.headed(status, to_client(headers), data)

    def error(self, error: Exception) -> UpstreamError:
        """What the client is told: 504 too slow, 502 cut off or, before any answer, unreachable."""
        base = self._base
        if isinstance(error, TimeoutError):
            why = "fell silent in mid-answer" if self._answered else "did not answer in time"
            return UpstreamError(f"{base} {why}", code="upstream_timeout", status=504)
        if self._answered:
            return UpstreamError(f"{base} cut its answer off: {error}", code="upstream_cut")
        told = unreachable(base, error, self._proxy, self._setting)
        log.warning(told)  # its client may swallow it
        return UpstreamError(told)


class _SharedHead(NamedTuple):
    """What requests with the same method, target and headers have in common."""

    data: bytes
    read_timeout: float | None


class Upstream:
    """The engine's `Way` to a base URL, and to those that requests bring; `close` at the end.

    `keys` are sent where a client brings none. Timeouts are in seconds, None for none: until
    connected, and without a byte from upstream. `proxy` is a proxy's URL, None for none, or what
    `destination.ENVIRONMENT` says; `mend` tells how to set a key that is missing, `setting` is what
    names the URL.
    """

    lean = True
    """Whether the plain case has a client of its own; tests try both."""

    def __init__(
        self,
        url: str,
        keys: Keys,
        connect_timeout: float | None,
        read_timeout: float | None,
        *,
        proxy: str | None = ENVIRONMENT,
        setting: str = "--upstream",
        mend: str = "OPENAI_API_KEY where your program runs, or upstream.api_key for promptdeck",
    ) -> None:
        self.url = url
        self.calls = 0
        """How many requests were sent, or were tried to send."""
        self._keys = keys
        self._proxy = proxy
        self._mend, self._setting = mend, setting
        self._read_timeout = read_timeout
        self._pool = Pool(connect_timeout)
        self._session = LazyClient(connect_timeout)
        self._lines = WebSocketLines(connect_timeout)
        self._destinations: dict[str, Destination] = {}
        self._heads: dict[object, _SharedHead] = {}

    async def close(self) -> None:
        """Close all connections. What is under way is to have been given up before."""
        self._pool.close()
        await self._session.close()
        await self._lines.close()

    def begin(self, incoming: Incoming, sink: Sink, ended: Ended[UpstreamError]) -> GiveUp | None:
        """Send a request at once, its answer to the sink; then `ended` is told what `fly` raises.

        Returns what gives the request up. None where only `fly` can send it, or say why not: no
        connection waits, the lean client can't reach it, it may have to be sent twice, or its
        target is refused.
        """
        base = incoming.route.url if incoming.route else self.url
        if not base:
            return None
        destination = self._destination(base)
        if not (destination.plain and self.lean) or incoming.request.method in IDEMPOTENT:
            return None
        if leaves_base(incoming.request.target):
            return None
        connection = self._pool.waiting(destination.origin)
        if connection is None:
            return None
        errand = self._errand(sink, incoming, base)

        def tell(error: Exception | None) -> None:
            # It had waited for a request, and was closed when this one came or just before.
            unread = isinstance(error, ConnectionError) and connection.untouched
            # First: what follows the end may ask again, and finds the connection waiting.
            self._pool.give_back(destination.origin, connection)
            if unread:
                ended(Unanswered(f"{base} closed the connection"))
            else:
                ended(errand.error(error) if error else None)

        connection.begin(self._call(incoming, destination, base), errand, tell)
        self.calls += 1
        return partial(self._pool.give_back, destination.origin, connection)

    async def fly(self, incoming: Incoming, sink: Sink) -> None:
        """Send a request, and return when its whole answer has gone to the sink.

        UpstreamError: 502 unreachable or cut, 504 too slow; 400 where the target leaves the base
        URL's path, or nobody knows where it is. ValueError as `head_of`.
        """
        base = self._base(incoming)
        self.calls += 1
        errand = self._errand(sink, incoming, base)
        try:
            await self._asked(incoming, base, errand)
        except _TROUBLE as error:
            raise errand.error(error) from None

    def line(self, incoming: Incoming, stray: Stray) -> Line:
        """The line to upstream of a client's WebSocket, not yet opened; `incoming` opens it.

        `stray` is given what comes when no answer is under way. What asks over the line raises
        as `fly`.
        """

        async def opened(sink: Sink) -> "ClientWebSocketResponse":
            base = self._base(incoming)
            self.calls += 1
            errand = self._errand(sink, incoming, base)
            try:
                return await self._lines.open(
                    URL(below(base, incoming.request.target), encoded=True),
                    self._keys.headers(incoming),
                    offered(incoming.headers),
                    errand,
                    compress="permessage-deflate" in header(incoming.headers, EXTENSIONS),
                    read_timeout=self._timeout_for(incoming.headers),
                    proxy=self._destination(base).proxy,
                )
            except _TROUBLE as error:
                raise errand.error(error) from None

        spoken = spoken_at(incoming.request.target) or SOCKET
        silence = self._timeout_for(incoming.headers) or math.inf
        return WebSocketLine(self._lines, opened, stray, spoken, silence)

    def _base(self, incoming: Incoming) -> str:
        """The base URL that a request goes to. UpstreamError where it leads out of that."""
        base = incoming.route.url if incoming.route else self.url
        if not base:
            raise UpstreamError(
                "each of Azure's customers has an endpoint of his own: set upstream.azure to"
                " yours, such as https://NAME.openai.azure.com",
                code="no_upstream",
                status=400,
                retry=False,
            )
        if leaves_base(incoming.request.target):
            raise UpstreamError(
                "the path has a segment of dots, or does not begin with /v1/: it could lead out of"
                " the upstream's base URL",
                code="bad_path",
                status=400,
                retry=False,
            )
        return base

    def _asked(self, incoming: Incoming, base: str, errand: _Errand) -> Awaitable[None]:
        """Ask with the client that can reach the base URL. Raises what is _TROUBLE."""
        request = incoming.request
        destination = self._destination(base)
        if destination.plain and self.lean:
            return self._pool.fly(
                destination.origin, self._call(incoming, destination, base), errand
            )
        return self._session.fly(
            request.method,
            URL(below(base, request.target), encoded=True),
            self._keys.headers(incoming),
            incoming.sent[0],
            errand,
            read_timeout=self._timeout_for(incoming.headers),
            proxy=destination.proxy,
        )

    def _call(self, incoming: Incoming, destination: Destination, base: str) -> Call:
        """A request as the lean client sends it. ValueError as `head_of`."""
        head = self._head(incoming, destination, base)
        return call_of(incoming.request.method, head.data, incoming.sent[0], head.read_timeout)

    def _head(self, incoming: Incoming, destination: Destination, base: str) -> "_SharedHead":
        """The head of a request, made once for the same headers: clients repeat theirs."""
        request, route = incoming.request, incoming.route
        coding = incoming.sent[1]
        key = request.method, request.target, incoming.headers, base, route and route.key, coding
        head = self._heads.get(key)
        if head is None:
            path = below(destination.path, request.target).partition("#")[0]
            host = destination.url.host_port_subcomponent or ""
            data = head_of(request.method, path, host, self._keys.headers(incoming))
            head = _SharedHead(data, self._timeout_for(incoming.headers))
            if len(self._heads) >= _HEADS_KEPT:
                self._heads.clear()
            self._heads[key] = head
        return head

    def _destination(self, base: str) -> Destination:
        """Where a base URL leads. Looked up once: neither URL nor environment change."""
        destination = self._destinations.get(base)
        if destination is None:
            destination = self._destinations[base] = Destination.of(base, self._proxy)
        return destination

    def _errand(self, sink: Sink, incoming: Incoming, base: str) -> _Errand:
        """The errand of a request, whose answer goes to a sink."""

        def keyless() -> str:
            return self._mend if self._keys.is_missing(incoming) else ""

        target, proxy = incoming.request.target, self._destination(base).proxy
        return _Errand(sink, base, target, keyless, proxy, self._setting)

    def _timeout_for(self, headers: Headers) -> float | None:
        """Seconds of silence: ours, or the client's where shorter, as nobody listens longer.

        The openai SDK tells its own in a header.
        """
        told = header(headers, "x-stainless-read-timeout")
        try:
            seconds = float(told)
        except ValueError:
            return self._read_timeout
        ours = self._read_timeout
        return seconds if 0 < seconds < (ours or math.inf) else ours

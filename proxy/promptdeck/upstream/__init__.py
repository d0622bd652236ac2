"""The way upstream: where a call goes and with whose key, its errors in our words.

lean         the plain case, on a pool of connections of our own
connection   one of them
head         what an answer's head says
framing      where its body ends
session      the rest, by aiohttp's client session
"""

import math
import re
from collections.abc import Awaitable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import aiohttp
from aiohttp.http import HttpProcessingError
from yarl import URL

from promptdeck.core.dialects.providers import BYOK_HEADERS
from promptdeck.core.headers import CREDENTIALS, to_client, to_upstream
from promptdeck.core.interaction import Headers, header
from promptdeck.engine.asking import Incoming
from promptdeck.engine.flights.flight import Full, GiveUp, Landed, Sink
from promptdeck.errors import UpstreamError

from .connection import Call
from .framing import FramingError
from .lean import IDEMPOTENT, Origin, Pool, head_of, query
from .session import LazyClient

PLACEHOLDER_KEY = "promptdeck-placeholder-key"
"""What `promptdeck run` sets where a program has no key; never sent upstream."""

_PREFIX = "/v1"
_HEADS_KEPT = 256
_TROUBLE = (TimeoutError, aiohttp.ClientError, HttpProcessingError, OSError, FramingError)
_USERINFO = re.compile(r"//[^/@\s']*@")


class _Errand:
    """One request on its way, and what becomes of it in our words."""

    __slots__ = ("_answered", "_base", "_sink", "came")

    def __init__(self, sink: Sink, base: str) -> None:
        self._sink = sink
        self._base = base
        self._answered = False
        self.came = sink.came

    def headed(self, status: int, headers: Headers, data: bytes) -> Full:
        self._answered = True
        return self._sink.headed(status, to_client(headers), data)

    def error(self, error: Exception) -> UpstreamError:
        base = self._base
        if isinstance(error, TimeoutError):
            why = "fell silent in mid-answer" if self._answered else "did not answer in time"
            return UpstreamError(f"{base} {why}", code="upstream_timeout", status=504)
        if self._answered:
            return UpstreamError(f"{base} cut its answer off: {error}", code="upstream_cut")
        # A proxy's refusal names it as it is set, with its password.
        return UpstreamError(f"cannot reach {base}: {_USERINFO.sub('//', str(error))}")


@dataclass(frozen=True, slots=True)
class _Base:
    """How a base URL is reached."""

    url: URL
    path: str
    origin: Origin
    proxy: str | None
    plain: bool
    """Whether the lean client can go it."""


class _SharedHead(NamedTuple):
    """What requests with the same headers have in common."""

    data: bytes
    read_timeout: float | None


class Upstream:
    """`begin` and `fly` are what the engine asks with; `close` at the end."""

    lean = True
    """Whether the plain case has a client of its own."""

    def __init__(
        self,
        url: str,
        api_key: str | None,
        connect_timeout: float | None,
        read_timeout: float | None,
    ) -> None:
        self.url = url
        self.calls = 0
        """Requests sent, or tried to send."""
        self._api_key = api_key
        self._read_timeout = read_timeout
        self._pool = Pool(connect_timeout)
        self._session = LazyClient(connect_timeout)
        self._ways: dict[str, _Base] = {}
        self._heads: dict[object, _SharedHead] = {}

    async def close(self) -> None:
        self._pool.close()
        await self._session.close()

    def begin(self, incoming: Incoming, sink: Sink, landed: Landed) -> GiveUp | None:
        """Send a request at once; None if there is no connection that waits for one.

        `landed` is told what `fly` would raise, or that it would return.
        """
        base = incoming.route.url if incoming.route else self.url
        way = self._way(base)
        if not (way.plain and self.lean) or incoming.request.method in IDEMPOTENT:
            return None
        connection = self._pool.waiting(way.origin)
        if connection is None:
            return None
        errand = _Errand(sink, base)

        def ended(error: Exception | None) -> None:
            self._pool.give_back(way.origin, connection)
            landed(errand.error(error) if error else None)

        connection.begin(self._query(incoming, way, base), errand, ended)
        self.calls += 1
        return partial(self._pool.give_back, way.origin, connection)

    async def fly(self, incoming: Incoming, sink: Sink) -> None:
        """Send a request on, and its answer to the sink.

        UpstreamError: 502 unreachable or cut, 504 too slow.
        """
        base = incoming.route.url if incoming.route else self.url
        self.calls += 1
        errand = _Errand(sink, base)
        try:
            await self._asked(incoming, base, errand)
        except _TROUBLE as error:
            raise errand.error(error) from None

    def _asked(self, incoming: Incoming, base: str, errand: _Errand) -> Awaitable[None]:
        request, route = incoming.request, incoming.route
        way = self._way(base)
        if way.plain and self.lean:
            return self._pool.fly(way.origin, self._query(incoming, way, base), errand)
        return self._session.fly(
            request.method,
            URL(base + request.target.removeprefix(_PREFIX), encoded=True),
            self._headers(incoming),
            route.body if route else request.body,
            errand,
            read_timeout=self._timeout_for(incoming.headers),
            proxy=way.proxy,
        )

    def _query(self, incoming: Incoming, way: _Base, base: str) -> Call:
        request, route = incoming.request, incoming.route
        head = self._head(incoming, way, base)
        body = route.body if route else request.body
        return query(request.method, head.data, body, head.read_timeout)

    def _head(self, incoming: Incoming, way: _Base, base: str) -> "_SharedHead":
        """A client sends the same headers again and again."""
        request, route = incoming.request, incoming.route
        key = request.method, request.target, incoming.headers, base, route and route.key
        head = self._heads.get(key)
        if head is None:
            path = way.path + request.target.removeprefix(_PREFIX).partition("#")[0]
            host = way.url.host_port_subcomponent or ""
            data = head_of(request.method, path, host, self._headers(incoming))
            head = _SharedHead(data, self._timeout_for(incoming.headers))
            if len(self._heads) >= _HEADS_KEPT:
                self._heads.clear()
            self._heads[key] = head
        return head

    def _way(self, base: str) -> _Base:
        """Looked up once: environment and URL are the same for every call."""
        if known := self._ways.get(base):
            return known
        url, proxy = URL(base, encoded=True), _proxy_for(base)
        plain = url.scheme in ("http", "https") and bool(url.raw_host) and not url.raw_query_string
        origin = Origin(url.raw_host or "", url.port or 0, url.scheme == "https")
        way = _Base(
            url, url.raw_path.rstrip("/"), origin, proxy, plain and not proxy and not url.raw_user
        )
        self._ways[base] = way
        return way

    def _headers(self, incoming: Incoming) -> Headers:
        """The client's headers, with our key where it has none of its own."""
        passed = (item for item in to_upstream(incoming.headers) if PLACEHOLDER_KEY not in item[1])
        route = incoming.route
        if route is None:
            bare = tuple(passed)
            own = any(name.lower() in CREDENTIALS for name, _ in bare)
            key = "" if own else self._api_key
        else:
            # The client's other credentials are ours or another provider's: they stay here.
            left_out = CREDENTIALS | BYOK_HEADERS if route.key else BYOK_HEADERS
            bare = tuple(item for item in passed if item[0].lower() not in left_out)
            key = route.key
        return (*bare, ("Authorization", f"Bearer {key}")) if key else bare

    def _timeout_for(self, headers: Headers) -> float | None:
        """Ours, or that of the client where it is shorter: longer than it waits nobody listens."""
        told = header(headers, "x-stainless-read-timeout")
        try:
            seconds = float(told)
        except ValueError:
            return self._read_timeout
        ours = self._read_timeout
        return seconds if 0 < seconds < (ours or math.inf) else ours


def _proxy_for(base: str) -> str | None:
    """The proxy that HTTP_PROXY, HTTPS_PROXY and NO_PROXY name for a base URL.

    aiohttp's own `trust_env` would look on each call, and take credentials from ~/.netrc.
    """
    from urllib.request import getproxies, proxy_bypass  # 10 ms, at the first call

    url = URL(base)
    bypassed = proxy_bypass(f"{url.host}:{url.port}")
    return None if bypassed else getproxies().get(url.scheme)

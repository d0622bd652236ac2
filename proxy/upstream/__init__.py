"""The way upstream: where a call goes and with whose key, its errors in our words.

lean         the plain case, on a pool of connections of our own
connection   one of them
session      the rest, by aiohttp's client session
"""

import math
import re
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import NamedTuple

import aiohttp
from aiohttp.http import HttpProcessingError
from yarl import URL

from proxy.core.headers import CREDENTIALS, to_client, to_upstream
from proxy.core.interaction import Headers, header
from proxy.core.providers import BYOK_HEADERS
from proxy.engine.asking import Incoming
from proxy.engine.flight import Answer, Take
from proxy.errors import UpstreamError

from .lean import Origin, Pool, head_of, query
from .session import Session

PLACEHOLDER_KEY = "promptdeck-placeholder-key"
"""What `promptdeck run` sets where a program has no key; never sent upstream."""

_PREFIX = "/v1"
_HEADS_KEPT = 256
_USERINFO = re.compile(r"//[^/@\s']*@")


@dataclass(frozen=True, slots=True)
class UpstreamAnswer:
    status: int
    headers: Headers
    _answer: Answer
    _url: str

    async def pour(self, take: Take) -> None:
        try:
            await self._answer.pour(take)
        except TimeoutError:
            raise UpstreamError(
                f"{self._url} fell silent in mid-answer", code="upstream_timeout", status=504
            ) from None
        except (aiohttp.ClientError, HttpProcessingError, OSError) as error:
            raise UpstreamError(
                f"{self._url} cut its answer off: {error}", code="upstream_cut"
            ) from None


@dataclass(frozen=True, slots=True)
class _Way:
    """How a base URL is reached."""

    url: URL
    path: str
    origin: Origin
    proxy: str | None
    plain: bool
    """Whether the lean client can go it."""


class _Head(NamedTuple):
    """What requests with the same headers have in common."""

    data: bytes
    read_timeout: float | None


class Upstream:
    """`call` is what the engine asks with; `close` at the end."""

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
        self._session = Session(connect_timeout)
        self._ways: dict[str, _Way] = {}
        self._heads: dict[object, _Head] = {}

    async def close(self) -> None:
        self._pool.close()
        await self._session.close()

    @asynccontextmanager
    async def call(self, incoming: Incoming) -> AsyncIterator[UpstreamAnswer]:
        """Send a request on. UpstreamError: 502 unreachable or cut, 504 too slow."""
        base = incoming.route.url if incoming.route else self.url
        self.calls += 1
        asked = self._asked(incoming, base)
        try:
            answer = await asked.__aenter__()
        except TimeoutError:
            raise UpstreamError(
                f"{base} did not answer in time", code="upstream_timeout", status=504
            ) from None
        except (aiohttp.ClientError, HttpProcessingError, OSError) as error:
            # A proxy's refusal names it as it is set, with its password.
            why = _USERINFO.sub("//", str(error))
            raise UpstreamError(f"cannot reach {base}: {why}") from None
        try:
            yield UpstreamAnswer(answer.status, to_client(answer.headers), answer, base)
        finally:
            await asked.__aexit__(None, None, None)

    def _asked(self, incoming: Incoming, base: str) -> AbstractAsyncContextManager[Answer]:
        request, route = incoming.request, incoming.route
        way = self._ways.get(base) or self._way(base)
        body = route.body if route else request.body
        if way.plain and self.lean:
            known = self._head(incoming, way, base)
            asked = query(request.method, known.data, body, known.read_timeout)
            return self._pool.ask(way.origin, asked)
        return self._session.ask(
            request.method,
            URL(base + request.target.removeprefix(_PREFIX), encoded=True),
            self._headers(incoming),
            body,
            read_timeout=self._timeout_for(incoming.headers),
            proxy=way.proxy,
        )

    def _head(self, incoming: Incoming, way: _Way, base: str) -> "_Head":
        """A client sends the same headers again and again, but for the length."""
        request = incoming.request
        varied = tuple([item for item in incoming.headers if item[0] != "Content-Length"])
        key = request.method, request.target, varied, base, incoming.route and incoming.route.key
        head = self._heads.get(key)
        if head is None:
            path = way.path + request.target.removeprefix(_PREFIX).partition("#")[0]
            host = way.url.host_port_subcomponent or ""
            data = head_of(request.method, path, host, self._headers(incoming))
            head = _Head(data, self._timeout_for(incoming.headers))
            if len(self._heads) >= _HEADS_KEPT:
                self._heads.clear()
            self._heads[key] = head
        return head

    def _way(self, base: str) -> _Way:
        """Looked up once: environment and URL are the same for every call."""
        url, proxy = URL(base, encoded=True), _proxy_for(base)
        plain = url.scheme in ("http", "https") and bool(url.raw_host) and not url.raw_query_string
        origin = Origin(url.raw_host or "", url.port or 0, url.scheme == "https")
        way = _Way(
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

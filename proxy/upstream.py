"""The way upstream: one pooled aiohttp client, its errors in our words, and the count of calls."""

import asyncio
import math
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from proxy.core.headers import CREDENTIALS, to_client, to_upstream
from proxy.core.interaction import Headers, header
from proxy.core.providers import BYOK_HEADERS
from proxy.engine.asking import Incoming
from proxy.errors import UpstreamError

PLACEHOLDER_KEY = "promptdeck-placeholder-key"
"""What `promptdeck run` sets where a program has no key; never sent upstream."""

_PREFIX = "/v1"


@dataclass(slots=True)
class UpstreamAnswer:
    status: int
    headers: Headers
    _content: aiohttp.StreamReader
    _url: str

    async def chunks(self) -> AsyncIterator[bytes]:
        try:
            async for data in self._content.iter_any():
                yield data
        except TimeoutError:
            raise UpstreamError(
                f"{self._url} fell silent in mid-answer", code="upstream_timeout", status=504
            ) from None
        except (aiohttp.ClientError, ConnectionError) as error:
            raise UpstreamError(
                f"{self._url} cut its answer off: {error}", code="upstream_cut"
            ) from None


class Upstream:
    """Use as an async context manager; `call` is what the engine asks with."""

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
        self._timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=connect_timeout, sock_read=read_timeout
        )
        self._session: aiohttp.ClientSession | None = None
        self._tls: ssl.SSLContext | None = None
        self._proxies: dict[str, str | None] = {}

    async def close(self) -> None:
        if self._session:
            await self._session.close()

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=self._timeout,
                connector=aiohttp.TCPConnector(limit=0),
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                skip_auto_headers=("User-Agent", "Accept", "Content-Type"),
            )
        return self._session

    @asynccontextmanager
    async def call(self, incoming: Incoming) -> AsyncIterator[UpstreamAnswer]:
        """Send a request on. UpstreamError: 502 unreachable or cut, 504 too slow."""
        request, route = incoming.request, incoming.route
        base = route.url if route else self.url
        self.calls += 1
        proxy = self._proxy_for(base)
        try:
            response = await self._client().request(
                request.method,
                URL(base + request.target.removeprefix(_PREFIX), encoded=True),
                data=(route.body if route else request.body) or None,
                headers=CIMultiDict(self._headers(incoming)),
                timeout=self._timeout_for(incoming.headers),
                proxy=proxy,
                ssl=await self._context(base, proxy),
                allow_redirects=False,
            )
        except TimeoutError:
            raise UpstreamError(
                f"{base} did not answer in time", code="upstream_timeout", status=504
            ) from None
        except (aiohttp.ClientError, OSError) as error:
            raise UpstreamError(f"cannot reach {base}: {error}") from None
        try:
            headers = tuple((name, value) for name, value in response.headers.items())
            yield UpstreamAnswer(response.status, to_client(headers), response.content, base)
        finally:
            # Closing gives an exhausted connection back to the pool and drops any other.
            if response.content.at_eof():
                response.release()
            else:
                response.close()

    async def _context(self, *urls: str | None) -> ssl.SSLContext | bool:
        """A TLS context of our own where one is needed.

        aiohttp's default is made when it is imported, and in our own process without
        certificates, which take 20 ms to read.
        """
        if not any(url and url.startswith("https:") for url in urls):
            return True
        if self._tls is None:
            self._tls = await asyncio.to_thread(_tls_context)
        return self._tls

    def _proxy_for(self, base: str) -> str | None:
        """The proxy that HTTP_PROXY, HTTPS_PROXY and NO_PROXY name for a base URL, looked up once.

        aiohttp's own `trust_env` would look on each call, and take credentials from ~/.netrc.
        """
        if base not in self._proxies:
            from urllib.request import getproxies, proxy_bypass  # 10 ms, at the first call

            url = URL(base)
            bypassed = proxy_bypass(f"{url.host}:{url.port}")
            self._proxies[base] = None if bypassed else getproxies().get(url.scheme)
        return self._proxies[base]

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

    def _timeout_for(self, headers: Headers) -> aiohttp.ClientTimeout:
        """Ours, or that of the client where it is shorter: longer than it waits nobody listens."""
        told = header(headers, "x-stainless-read-timeout")
        try:
            seconds = float(told)
        except ValueError:
            return self._timeout
        ours = self._timeout.sock_read
        if not 0 < seconds < (ours or math.inf):
            return self._timeout
        return aiohttp.ClientTimeout(
            total=None, sock_connect=self._timeout.sock_connect, sock_read=seconds
        )


def _tls_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context

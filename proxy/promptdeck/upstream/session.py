"""Every other case of a call: through a proxy, or with a URL that holds credentials.

aiohttp's own client session, with all that it does by itself switched off.
"""

import ssl

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from promptdeck.core.interaction import Headers

from .connection import Receiver


class LazyClient:
    """A client that is made at the first call."""

    def __init__(self, connect_timeout: float | None) -> None:
        self._connect_timeout = connect_timeout
        self._client: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        if self._client:
            await self._client.close()

    async def fly(
        self,
        method: str,
        url: URL,
        headers: Headers,
        body: bytes,
        receiver: Receiver,
        *,
        read_timeout: float | None,
        proxy: str | None,
    ) -> None:
        """Ask, to the answer's end. TimeoutError, OSError, aiohttp.ClientError."""
        response = await self._made().request(
            method,
            url,
            data=body or None,
            headers=CIMultiDict(headers),
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=self._connect_timeout, sock_read=read_timeout
            ),
            proxy=proxy,
            allow_redirects=False,
        )
        try:
            receiver.headed(response.status, tuple(response.headers.items()), b"")
            async for data in response.content.iter_any():
                if full := receiver.came(data):
                    await full
        finally:
            # Closing gives an exhausted connection back to the pool and drops any other.
            if response.content.at_eof():
                response.release()
            else:
                response.close()

    def _made(self) -> aiohttp.ClientSession:
        if self._client is None:
            self._client = aiohttp.ClientSession(
                # aiohttp's default context, made at import, may be one without certificates.
                connector=aiohttp.TCPConnector(limit=0, ssl=ssl.create_default_context()),
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                skip_auto_headers=("User-Agent", "Accept", "Content-Type"),
            )
        return self._client

"""Every other case of a call: through a proxy, or with a URL that holds credentials.

aiohttp's own client session, with all that it does by itself switched off.
"""

import ssl
from functools import partial
from types import SimpleNamespace

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from promptdeck.core.interaction import Headers
from promptdeck.engine.sides import Sink


class _Reused:
    """Whether a request went out on a connection that had carried another one before."""

    so = False


def _noting_reuse() -> aiohttp.TraceConfig:
    """What has aiohttp's session tell a request's `_Reused`."""

    async def note(_: aiohttp.ClientSession, context: SimpleNamespace, __: object) -> None:
        if reused := context.trace_request_ctx:
            reused.so = True

    config = aiohttp.TraceConfig()
    config.on_connection_reuseconn.append(note)
    return config


class LazyClient:
    """aiohttp's client session, made at the first call. `close` at the end."""

    def __init__(self, connect_timeout: float | None) -> None:
        self._connect_timeout = connect_timeout
        self._client: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close the session, if there was a call."""
        if self._client:
            await self._client.close()

    async def fly(
        self,
        method: str,
        url: URL,
        headers: Headers,
        body: bytes,
        sink: Sink,
        *,
        read_timeout: float | None,
        proxy: str | None,
    ) -> None:
        """Ask, and return when the whole answer has gone to the sink.

        Raises what it ended with, if not well: TimeoutError, OSError, aiohttp.ClientError.
        """
        timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=self._connect_timeout, sock_read=read_timeout
        )
        ask = partial(
            self._made().request,
            method,
            url,
            data=body or None,
            headers=CIMultiDict(headers),
            timeout=timeout,
            proxy=proxy,
            allow_redirects=False,
        )
        reused = _Reused()
        try:
            response = await ask(trace_request_ctx=reused)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
            # aiohttp sends again only what is idempotent, see `lean.Pool.fly`. What had come of an
            # answer stands in place of the error's text.
            if not reused.so or not isinstance(getattr(error, "message", ""), str):
                raise
            response = await ask()
        try:
            sink.headed(response.status, tuple(response.headers.items()), b"")
            async for data in response.content.iter_any():
                if full := sink.came(data):
                    await full
        finally:
            # Closing gives an exhausted connection back to the pool and drops any other.
            if response.content.at_eof():
                response.release()
            else:
                response.close()

    def _made(self) -> aiohttp.ClientSession:
        """The session, which is made if there is none: a connector needs a running loop."""
        if self._client is None:
            self._client = aiohttp.ClientSession(
                # No limit of connections: a flight is to wait for no other flight.
                # aiohttp's default context, made at import, may be one without certificates.
                connector=aiohttp.TCPConnector(limit=0, ssl=ssl.create_default_context()),
                auto_decompress=False,
                trace_configs=[_noting_reuse()],
                cookie_jar=aiohttp.DummyCookieJar(),
                skip_auto_headers=("User-Agent", "Accept", "Content-Type"),
            )
        return self._client

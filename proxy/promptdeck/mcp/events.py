"""The transport of MCP's first revision (2024-11-05): a GET gives all answers, as events.

Its first event says where messages are POSTed: at the same origin, or nowhere.
"""

import asyncio
from collections.abc import Mapping
from urllib.parse import urljoin, urlsplit

import aiohttp

from promptdeck.core.text import sse
from promptdeck.core.text.jsontext import JSONObject, compact
from promptdeck.engine.agent.sides import MCPTrouble

from .addresses import Whereabouts, without_secrets
from .duplex import Duplex
from .http import client_to, frames_in, unreachable

_PATIENCE = 10.0
"""Seconds until the first event has to be there."""


class EventsCourier:
    """The open stream of a server, and where it is written to; `open` makes it, `close` ends it."""

    def __init__(self, client: aiohttp.ClientSession, url: str) -> None:
        self._client = client
        self._url = url
        self._duplex = Duplex(self._send)
        self._endpoint: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._task = asyncio.get_running_loop().create_task(self._read())

    @classmethod
    async def open(
        cls, url: str, headers: Mapping[str, str], place: Whereabouts | None = None
    ) -> "EventsCourier":
        """Open the stream, and wait until it has said where to write. MCPTrouble."""
        courier = cls(client_to(place, headers), url)
        try:
            async with asyncio.timeout(_PATIENCE):
                await asyncio.shield(courier._endpoint)
        except TimeoutError:
            await courier.close()
            told = without_secrets(url)
            raise MCPTrouble("protocol_error", f"{told} does not say where to write") from None
        except BaseException:
            await courier.close()
            raise
        return courier

    async def ask(
        self, message: JSONObject, headers: Mapping[str, str], timeout: float
    ) -> JSONObject:
        """As `Duplex.ask`; the headers of Streamable HTTP mean nothing here."""
        del headers
        return await self._duplex.ask(message, timeout)

    async def tell(self, message: JSONObject, headers: Mapping[str, str]) -> None:
        """Send a message that nobody answers. MCPTrouble."""
        del headers
        await self._send(message)

    async def close(self) -> None:
        """End the stream."""
        self._task.cancel()
        await asyncio.wait([self._task])
        if self._endpoint.done() and not self._endpoint.cancelled():
            self._endpoint.exception()  # looked at: nobody else may have
        await self._client.close()

    async def _send(self, message: JSONObject) -> None:
        url = await asyncio.shield(self._endpoint)
        try:
            async with self._client.post(
                url,
                data=compact(message),
                headers={"Content-Type": "application/json"},
                allow_redirects=False,
            ) as response:
                if response.status >= 300:
                    told = without_secrets(self._url)
                    raise MCPTrouble("protocol_error", f"{told} answered {response.status}")
        except aiohttp.ClientError as error:
            raise unreachable(self._url, error) from None

    async def _read(self) -> None:
        """Take what comes, until nothing more does."""
        told = without_secrets(self._url)
        why = MCPTrouble("connection_failed", f"{told} closed its stream")
        try:
            headers = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
            async with self._client.get(
                self._url, headers=headers, allow_redirects=False
            ) as response:
                if response.status in (401, 403):
                    why = MCPTrouble("auth_failed", f"{told} answered {response.status}")
                elif response.status != 200:
                    why = MCPTrouble("protocol_error", f"{told} answered {response.status}")
                else:
                    async for frame in frames_in(response.content):
                        await self._take(sse.parse(frame))
        except aiohttp.ClientError as error:
            why = unreachable(self._url, error)
        except MCPTrouble as trouble:
            why = trouble
        finally:
            if not self._endpoint.done():
                self._endpoint.set_exception(why)
            self._duplex.ended(why)

    async def _take(self, event: sse.Event) -> None:
        if event.event == "endpoint" and not self._endpoint.done():
            endpoint = urljoin(self._url, event.data or "")
            own, there = urlsplit(self._url), urlsplit(endpoint)
            if (own.scheme, own.netloc) != (there.scheme, there.netloc):
                raise MCPTrouble(
                    "protocol_error",
                    f"{without_secrets(self._url)} would have messages sent elsewhere",
                )
            self._endpoint.set_result(endpoint)
        elif event.event in ("", "message") and event.data:
            await self._duplex.came(event.data.encode())

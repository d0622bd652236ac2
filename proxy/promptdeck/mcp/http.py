"""Messages to an MCP server by Streamable HTTP: each is a POST, its answer JSON or a stream.

The same for both eras: the older one has a session beside, in a header. Redirects are not followed,
as a credential would follow them.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from promptdeck.core.dialects.base import essence, is_json, value_of
from promptdeck.core.text import sse
from promptdeck.core.text.jsontext import JSONObject, compact
from promptdeck.engine.agent.sides import MCPTrouble

from . import wire
from .addresses import Whereabouts, without_secrets
from .trouble import NoSuchTransport, SessionLost

_SESSION = "Mcp-Session-Id"
_LARGEST = 64 * 1024 * 1024
"""Bytes of one answer: an image in base64 is some megabytes."""
_RESUMED = 2
"""How often a stream that broke off is taken up again before it counts as lost."""
_EVENT_ID = re.compile(rb"(?m)^id: ?(.+)$")


class HTTPCourier:
    """A server behind a URL; `place` are the addresses that were looked at, None for any.

    `headers` go with every message, credentials among them.
    """

    def __init__(
        self, url: str, headers: Mapping[str, str], place: Whereabouts | None = None
    ) -> None:
        self._url = url
        self._session_id = ""
        self._version: dict[str, str] = {}
        self._client = client_to(place, headers)

    async def ask(
        self, message: JSONObject, headers: Mapping[str, str], timeout: float
    ) -> JSONObject:
        """Send a request; its answer, with `result` or `error`.

        MCPTrouble; TimeoutError; SessionLost; NoSuchTransport where the URL takes no such POST.
        """
        self._version = {"MCP-Protocol-Version": headers.get("MCP-Protocol-Version", "")}
        try:
            async with asyncio.timeout(timeout), self._post(message, headers) as response:
                if error := await self._judged(response):
                    return error
                if session := response.headers.get(_SESSION):
                    self._session_id = session
                return await self._answer(response, message)
        except aiohttp.ClientError as error:
            raise unreachable(self._url, error) from None

    async def tell(self, message: JSONObject, headers: Mapping[str, str]) -> None:
        """Send a message that nobody answers. MCPTrouble."""
        try:
            async with self._post(message, headers):
                pass
        except aiohttp.ClientError as error:
            raise unreachable(self._url, error) from None

    async def close(self) -> None:
        """End the session, if there is one, and all connections."""
        if self._session_id:
            try:
                async with asyncio.timeout(2), self._client.delete(self._url, headers=self._own()):
                    pass
            except (aiohttp.ClientError, TimeoutError):
                pass  # a server that has gone has no session to end
        await self._client.close()

    def _own(self) -> dict[str, str]:
        session = {_SESSION: self._session_id} if self._session_id else {}
        return {**session, **self._version}

    def _post(
        self, message: JSONObject, headers: Mapping[str, str]
    ) -> "aiohttp.client._RequestContextManager":
        session = {_SESSION: self._session_id} if self._session_id else {}
        fixed = {"Accept": "application/json, text/event-stream", "Content-Type": _JSON}
        return self._client.post(
            self._url,
            data=compact(message),
            headers={**fixed, **session, **headers},
            allow_redirects=False,
        )

    async def _judged(self, response: aiohttp.ClientResponse) -> JSONObject | None:
        """None for an answer; an error of JSON-RPC if that came under a status that is none.

        Raises for all else.
        """
        status = response.status
        if status < 300 and status != 202:
            return None
        told = without_secrets(self._url)
        if status in (401, 403):
            raise MCPTrouble(
                "auth_failed",
                f"{told} answered {status}: it wants a credential, or another one",
                "give it one by `credentials`, or by headers in agent.servers",
            )
        if status == 202:
            raise MCPTrouble("protocol_error", f"{told} took a request and answers nothing")
        if status < 400:
            place = without_secrets(response.headers.get("Location", ""))
            raise MCPTrouble(
                "protocol_error",
                f"{told} redirects to {place}, which is not followed",
                "use that URL if it is the server's",
            )
        if is_json(essence(response.content_type)):
            error = value_of(await _all_of(response))
            if isinstance(error, dict) and isinstance(error.get("error"), dict):
                return error
        if status == 404 and self._session_id:
            self._session_id = ""
            raise SessionLost
        if status >= 500:
            raise MCPTrouble("connection_failed", f"{told} answered {status}")
        raise NoSuchTransport(status)

    async def _answer(self, response: aiohttp.ClientResponse, message: JSONObject) -> JSONObject:
        """What a response answers to a message."""
        number = message["id"]
        if essence(response.content_type) != "text/event-stream":
            value = value_of(await _all_of(response))
            found = _found(value, number) if isinstance(value, list) else value
            # An error may have no number: it was told before that was read.
            if isinstance(found, dict) and wire.is_answer(found):
                return found
            raise MCPTrouble("protocol_error", f"{without_secrets(self._url)} answers no JSON-RPC")
        last = b""
        for attempt in range(_RESUMED + 1):
            async for frame in frames_in(response.content):
                if id_of := _EVENT_ID.search(frame):
                    last = id_of[1].strip()
                value = value_of((sse.parse(frame).data or "").encode())
                if not isinstance(value, dict):
                    continue
                if wire.is_request(value):
                    await self.tell(wire.answer_to(value), self._version)
                elif wire.is_answer(value) and value.get("id") == number:
                    return value
            if not last or attempt == _RESUMED:
                break
            response = await self._resumed(last)
        raise MCPTrouble("connection_failed", f"{without_secrets(self._url)} cut its answer off")

    async def _resumed(self, last: bytes) -> aiohttp.ClientResponse:
        """The rest of a stream that broke off behind an event. MCPTrouble."""
        headers = {"Accept": "text/event-stream", "Last-Event-ID": last.decode("latin-1")}
        response = await self._client.get(
            self._url, headers={**headers, **self._own()}, allow_redirects=False
        )
        if response.status != 200:
            response.close()
            raise MCPTrouble(
                "connection_failed", f"{without_secrets(self._url)} cut its answer off"
            )
        return response


_JSON = "application/json"


class _Pinned(AbstractResolver):
    """Knows the addresses that were looked at, and no others."""

    def __init__(self, place: Whereabouts) -> None:
        self._place = place

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        del family
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=10 if ":" in address else 2,
                proto=0,
                flags=0,
            )
            for address in (self._place.addresses if host == self._place.host else ())
        ]

    async def close(self) -> None:
        """Nothing is held."""


def client_to(place: Whereabouts | None, headers: Mapping[str, str]) -> aiohttp.ClientSession:
    """A client session to one server; of the environment's proxies it knows nothing."""
    resolver = _Pinned(place) if place else None
    # No limit: a call that is slow must not hold up those of other runs.
    connector = aiohttp.TCPConnector(limit=0, resolver=resolver)
    return aiohttp.ClientSession(
        connector=connector,
        headers=dict(headers),
        timeout=aiohttp.ClientTimeout(total=None, connect=10),
        cookie_jar=aiohttp.DummyCookieJar(),
        max_line_size=64 * 1024,
        max_field_size=64 * 1024,
    )


async def frames_in(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """The frames of a stream of events as they come. MCPTrouble for one larger than an answer."""
    rest = b""
    async for data in content.iter_any():
        *whole, rest = [*sse.frames(rest + data), b""]
        if whole and not (sse.is_whole(whole[-1]) and not whole[-1].endswith(b"\r")):
            rest = whole.pop()
        if len(rest) > _LARGEST:
            raise MCPTrouble("protocol_error", f"an event of more than {_LARGEST} bytes")
        for frame in whole:
            yield frame
    if rest:
        yield rest


async def _all_of(response: aiohttp.ClientResponse) -> bytes:
    """A response's body. MCPTrouble for one that is too large."""
    pieces, size = [], 0
    async for data in response.content.iter_any():
        pieces.append(data)
        size += len(data)
        if size > _LARGEST:
            raise MCPTrouble("protocol_error", f"an answer of more than {_LARGEST} bytes")
    return b"".join(pieces)


def _found(values: list[object], number: object) -> object:
    """The answer with this number in a batch."""
    return next((one for one in values if isinstance(one, dict) and one.get("id") == number), None)


def unreachable(url: str, error: Exception) -> MCPTrouble:
    """Why a URL cannot be reached, without what is secret in it."""
    told = without_secrets(url)
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientSSLError):
        return MCPTrouble(
            "connection_failed",
            f"{told} has no certificate that is trusted here",
            "name its authority's file in SSL_CERT_FILE",
        )
    if isinstance(error, aiohttp.ClientConnectorError):
        return MCPTrouble(
            "connection_failed",
            f"cannot connect to {told}",
            "start the server or take it out of mcp_servers",
        )
    return MCPTrouble("connection_failed", f"{told} broke the connection")

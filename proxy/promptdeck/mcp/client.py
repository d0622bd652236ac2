"""One MCP server, in whichever era and over whatever transport it speaks: its tools, and a call.

What it speaks is found out by asking: first in the newer era, then by the older one's handshake,
and a URL that takes neither may be one of the oldest transport.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from promptdeck.core.dialects.mcp.revisions import MODERN, OLD, SERVER_INFO
from promptdeck.core.dialects.pieces import as_list, as_object
from promptdeck.core.text.jsontext import JSON, JSONObject
from promptdeck.engine.agent.sides import MCPRefusal, MCPTrouble

from . import wire
from .addresses import Whereabouts
from .events import EventsCourier
from .http import HTTPCourier
from .stdio import StdioCourier
from .trouble import NoSuchTransport, SessionLost

_PROBE = 10.0
"""Seconds to answer what is asked first: a server that is started by npx or uvx takes some."""
_OF_ITSELF = ("capabilities", "serverInfo", "instructions")
_MOST_PAGES = 1000
"""A list that goes on longer never ends."""


class Courier(Protocol):
    """What takes messages to a server and brings its answers."""

    async def ask(
        self, message: JSONObject, headers: Mapping[str, str], timeout: float
    ) -> JSONObject:
        """The answer to a request. MCPTrouble, TimeoutError, SessionLost, NoSuchTransport."""

    async def tell(self, message: JSONObject, headers: Mapping[str, str]) -> None:
        """Send what nobody answers. MCPTrouble."""

    async def close(self) -> None:
        """End what is under way, and let the server go."""


class Remote(NamedTuple):
    """A server behind a URL. `place` are the addresses that it was allowed at, None for any."""

    url: str
    headers: Mapping[str, str] = {}
    place: Whereabouts | None = None

    async def courier(self) -> Courier:
        """What takes messages there; the first one connects."""
        return HTTPCourier(self.url, self.headers, self.place)

    async def older(self) -> Courier:
        """The same by the oldest transport. MCPTrouble."""
        return await EventsCourier.open(self.url, self.headers, self.place)


class Local(NamedTuple):
    """A server that is a command."""

    command: Sequence[str]
    env: Mapping[str, str] = {}
    folder: str | None = None

    async def courier(self) -> Courier:
        """Start it. MCPTrouble."""
        return await StdioCourier.start(self.command, self.env, self.folder)


class _Acquaintance(NamedTuple):
    courier: Courier
    era: wire.Era
    told: JSONObject
    """What the server said of itself when it was met."""


class ToolServer:
    """A server, connected to when it is first asked; `close` at the end.

    `name` is what it is called in what people are told.
    """

    def __init__(self, name: str, at: Remote | Local) -> None:
        self._name = name
        self._at = at
        self._connection: _Acquaintance | None = None
        self._connecting = asyncio.Lock()
        self._schemas: dict[str, JSON] = {}
        self._number = 0

    async def tools(self, timeout: float) -> list[JSONObject]:
        """All tools that it offers, of all pages, in its order. MCPTrouble, also as it is slow."""
        tools: list[JSONObject] = []
        params: JSONObject = {}
        for _ in range(_MOST_PAGES):
            result = await self.ask("tools/list", params, timeout)
            tools += (one for one in as_list(result.get("tools")) if isinstance(one, dict))
            cursor = result.get("nextCursor")
            if not isinstance(cursor, str):  # an empty one is a cursor
                break
            params = {"cursor": cursor}
        return tools

    async def call(self, tool: str, arguments: JSONObject, timeout: float) -> JSONObject:
        """What a tool gives: `content`, maybe `structuredContent`, and `isError`.

        MCPRefusal where the server says no to the call itself; MCPTrouble.
        """
        params = {"name": tool, "arguments": arguments}
        result = await self.ask("tools/call", params, timeout)
        if result.get("resultType") == "input_required":
            raise MCPRefusal(
                wire.UNKNOWN_METHOD, f"{tool} wants to be told more, which is not offered here"
            )
        return result

    async def info(self, timeout: float) -> JSONObject:
        """What it says of itself: `capabilities`, `serverInfo`, `instructions`. MCPTrouble."""
        try:
            async with asyncio.timeout(timeout):
                told = (await self._connected()).told
        except TimeoutError:
            raise MCPTrouble("timeout", f"{self._name} did not greet us in time") from None
        except NoSuchTransport as why:
            raise self._trouble(f"answered {why}") from None
        name = as_object(told.get("_meta")).get(SERVER_INFO)
        known = {"serverInfo": name} | told if name else told
        return {key: known[key] for key in _OF_ITSELF if known.get(key) is not None}

    async def ask(self, method: str, params: JSONObject, timeout: float) -> JSONObject:
        """The result of any other request. MCPTrouble, MCPRefusal."""
        schema = self._schemas.get(str(params.get("name"))) if method == "tools/call" else None
        result = await self._asked(method, params, timeout, schema)
        if method == "tools/list":
            self._learn(result)
        return result

    def _learn(self, listed: JSONObject) -> None:
        """Remember the schemas of tools, which say what of a call stands in headers, too."""
        for tool in as_list(listed.get("tools")):
            self._schemas[str(as_object(tool).get("name"))] = as_object(tool).get("inputSchema")

    async def close(self) -> None:
        """Let the server go; one that is a process ends."""
        connection, self._connection = self._connection, None
        if connection:
            await connection.courier.close()

    async def _asked(
        self, method: str, params: JSONObject, timeout: float, schema: JSON = None
    ) -> JSONObject:
        """The result of a request. MCPTrouble, MCPRefusal."""
        try:
            async with asyncio.timeout(timeout):
                # A session that the server has forgotten has done nothing: it is begun anew, once.
                for attempt in range(2):
                    connection = await self._connected()
                    try:
                        return await self._result(connection, method, params, timeout, schema)
                    except SessionLost:
                        await self._forget(connection)
                        if attempt:
                            raise self._trouble("loses its sessions") from None
        except TimeoutError:
            raise MCPTrouble(
                "timeout", f"{self._name} did not answer {method} within {timeout:g} s"
            ) from None
        except NoSuchTransport as why:
            raise self._trouble(f"answered {why}") from None
        raise AssertionError("neither answered nor failed")

    async def _result(
        self,
        connection: _Acquaintance,
        method: str,
        params: JSONObject,
        timeout: float,
        schema: JSON = None,
    ) -> JSONObject:
        self._number += 1
        courier, era, _ = connection
        sent = wire.request(self._number, method, era.params(params))
        try:
            answer = await courier.ask(sent, era.headers(method, params, schema), timeout)
        except MCPTrouble:
            await self._forget(connection)
            raise
        if isinstance(error := answer.get("error"), dict):
            code = error.get("code")
            raise MCPRefusal(
                code if isinstance(code, int) else 0, str(error.get("message")), error.get("data")
            )
        return as_object(answer.get("result"))

    async def _connected(self) -> _Acquaintance:
        """The connection, made if there is none. MCPTrouble, NoSuchTransport, TimeoutError."""
        async with self._connecting:
            if self._connection is None:
                courier = await self._at.courier()
                try:
                    self._connection = await self._negotiated(courier)
                except BaseException:
                    await courier.close()
                    raise
            return self._connection

    async def _negotiated(self, courier: Courier) -> _Acquaintance:
        """Find out in which era a server speaks, and greet it so."""
        era = wire.Era(MODERN)
        try:
            found = await self._result(
                _Acquaintance(courier, era, {}), "server/discover", {}, _PROBE
            )
            if MODERN in wire.modern_versions(found):
                return _Acquaintance(courier, era, found)
        except MCPRefusal as why:
            named = wire.modern_versions(as_object(why.data))
            if why.code == wire.UNKNOWN_VERSION and named and not {*named} & {*OLD}:
                raise self._trouble(f"speaks {', '.join(named)} only") from None
        except (NoSuchTransport, TimeoutError):
            pass
        try:
            return await self._greeted(courier)
        except NoSuchTransport:
            if isinstance(self._at, Local):
                raise
        older = await self._at.older()
        try:
            connection = await self._greeted(older)
        except BaseException:
            await older.close()
            raise
        await courier.close()
        return connection

    async def _greeted(self, courier: Courier) -> _Acquaintance:
        """The older era's handshake."""
        # Without the header, which the answer has yet to settle.
        asked = wire.request(0, "initialize", wire.HANDSHAKE)
        answer = await courier.ask(asked, {}, _PROBE)
        if isinstance(error := answer.get("error"), dict):
            raise self._trouble(f"refuses the handshake: {error.get('message')}")
        greeting = as_object(answer.get("result"))
        version = greeting.get("protocolVersion")
        if version not in OLD:
            raise self._trouble(f"speaks {version}, which is not known here")
        era = wire.Era(version)
        told = wire.notification("notifications/initialized")
        await courier.tell(told, era.headers(told["method"], {}))
        return _Acquaintance(courier, era, greeting)

    async def _forget(self, connection: _Acquaintance) -> None:
        """Connect anew the next time."""
        if self._connection is connection:
            self._connection = None
            await connection.courier.close()

    def _trouble(self, what: str) -> MCPTrouble:
        return MCPTrouble("protocol_error", f"{self._name} {what}")

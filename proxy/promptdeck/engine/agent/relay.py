"""An MCP server as a client of its own sees it: asked through the exchange, or played from it.

A client that runs its own loop speaks MCP to us as to its server, in either era. What it asks is
passed on, without what is about its messages alone: ids, `_meta`, the session; calls of one kind
replay in their order. What a server would ask of its client is offered to neither.
"""

from collections.abc import Callable

from promptdeck.core.agent.asked import Named
from promptdeck.core.agent.credentials import Matched
from promptdeck.core.dialects.mcp import dialect as mcp
from promptdeck.core.dialects.mcp.revisions import MODERN, OLD, SERVER_INFO, VERSION
from promptdeck.core.dialects.pieces import as_object
from promptdeck.core.policy import Mode
from promptdeck.core.text.jsontext import JSON, JSONObject
from promptdeck.engine.decks.deck import Deck
from promptdeck.engine.exchange import Exchange
from promptdeck.errors import HTTPError

from .sides import ToolWay
from .tooling import RunLimits, Tooling

# JSON-RPC 2.0, section 5.1, and the range that it leaves to servers.
_INVALID, _FAILED, _MISSED = -32600, -32000, -32001


class Relay:
    """One server's stand-in: `answer` takes a client's messages."""

    def __init__(
        self,
        server: Named,
        exchange: Exchange,
        deck: Deck,
        way: Callable[[], ToolWay] | None,
    ) -> None:
        asks = way() if way and exchange.asks_upstream else None
        self._server = server
        self._live = exchange.mode in (Mode.PASSTHROUGH, Mode.CACHE)
        self._way = asks
        self._tooling = Tooling(exchange, deck, asks, Matched({}, {}, ()), RunLimits())

    async def answer(self, message: JSON) -> JSONObject | None:
        """The answer to a message of JSON-RPC; None for one that wants none. Raises nothing."""
        if not isinstance(message, dict) or not isinstance(message.get("method"), str):
            if isinstance(message, dict) and "id" in message:
                return None  # an answer to what nobody asked
            return _error(None, _INVALID, "this is no request of JSON-RPC")
        if message.get("id") is None:
            return None
        method, params = message["method"], as_object(message.get("params"))
        modern = as_object(params.get("_meta")).get(VERSION) == MODERN
        try:
            return await self._answered(message["id"], method, params, modern=modern)
        except HTTPError as error:
            code = _MISSED if error.code == "cassette_miss" else _FAILED
            return _error(message["id"], code, error.message, error.details)

    async def _answered(
        self, number: JSON, method: str, params: JSONObject, *, modern: bool
    ) -> JSONObject:
        if method == "ping":
            return _result(number, {})
        greets = method in ("initialize", "server/discover")
        outcome = await (self._info() if greets else self._asked(method, params))
        if not isinstance(result := outcome.get("result"), dict):
            refused = as_object(outcome.get("error", outcome.get("trouble")))
            code = refused.get("code")
            told, data = str(refused.get("message")), refused.get("data")
            return _error(number, code if isinstance(code, int) else _FAILED, told, data)
        if method == "initialize":
            offered = params.get("protocolVersion")
            version = offered if offered in OLD else OLD[0]
            result = {"protocolVersion": version, "capabilities": {}, "serverInfo": {}, **result}
        elif method == "server/discover":
            named = result.get("serverInfo")
            meta = {"_meta": {SERVER_INFO: named}} if named else {}
            rest = {key: item for key, item in result.items() if key != "serverInfo"}
            result = {"supportedVersions": [MODERN], "capabilities": {}, **rest, **meta}
        return _result(number, _as_modern(method, result) if modern else result)

    async def _info(self) -> JSONObject:
        async def ask() -> JSON:
            return await self._asks().info(self._server)

        request = mcp.asking(self._server.name, mcp.INFO, {})
        return await self._tooling.outcome(request, ask, live=self._live)

    async def _asked(self, method: str, params: JSONObject) -> JSONObject:
        request = mcp.asking(self._server.name, method, params)
        said = {key: item for key, item in params.items() if key != "_meta"}

        async def ask() -> JSON:
            return await self._asks().ask(self._server, method, said)

        return await self._tooling.outcome(request, ask, live=self._live)

    def _asks(self) -> ToolWay:
        if self._way is None:
            raise AssertionError("replay asks no server")
        return self._way


def _as_modern(method: str, result: JSONObject) -> JSONObject:
    """A result of a server of the older era as the newer one's clients read it.

    What may be cached says for how long: of a server that does not say, not at all.
    """
    cacheable = method.endswith("/list") or method in ("resources/read", "server/discover")
    fresh = {"ttlMs": 0, "cacheScope": "private"} if cacheable else {}
    return {"resultType": "complete", **fresh, **result}


def _result(number: JSON, result: JSONObject) -> JSONObject:
    return {"jsonrpc": "2.0", "id": number, "result": result}


def _error(number: JSON, code: int, message: str, data: object = None) -> JSONObject:
    told = {"code": code, "message": message, **({"data": data} if data else {})}
    return {"jsonrpc": "2.0", "id": number, "error": told}

"""MCP servers asked through the exchange: each question is looked up, recorded and refused there.

In cache mode and in passthrough they are asked themselves: a call may change the world, and what it
gives changes the next request to the model by itself.
"""

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import NamedTuple, TypeVar

from promptdeck.core.agent.asked import Named
from promptdeck.core.agent.calls import Called
from promptdeck.core.agent.credentials import Matched
from promptdeck.core.agent.running import Gave
from promptdeck.core.dialects.base import value_of
from promptdeck.core.dialects.mcp import dialect as mcp
from promptdeck.core.dialects.mcp.dialect import CalledBy
from promptdeck.core.dialects.mcp.results import failure
from promptdeck.core.dialects.pieces import as_list, as_object
from promptdeck.core.dialects.providers import Route
from promptdeck.core.interaction import Request
from promptdeck.core.policy import Mode
from promptdeck.core.secrets.redact import own_keys, without_keys
from promptdeck.core.text.jsontext import JSON, JSONObject
from promptdeck.engine.decks.deck import Deck
from promptdeck.engine.exchange import Exchange
from promptdeck.engine.incoming import Incoming
from promptdeck.engine.sides import Sink

from .reading import heard, whole
from .sides import MCPRefusal, MCPTrouble, ToolWay

log = logging.getLogger("promptdeck")

_T = TypeVar("_T")
_Ask = Callable[[], Awaitable[JSON]]

_AT_ONCE = 8
"""Calls of one run that are made together."""


class RunLimits(NamedTuple):
    """What a run may take: `agent` in the configuration."""

    live: bool = False
    """True where tools are called though the model is recorded."""
    cached_reads: bool = False
    """True where calls that change nothing are answered from the cache, as their server says."""
    most_turns: int = 10
    """Calls of the model in a run that does not say."""
    most_calls: int = 128
    """Calls of tools in any run."""
    run_timeout: float | None = None
    """Seconds for a whole run."""
    pace: float = math.inf
    """Delays of recorded steps are divided by this."""


async def together(asked: Iterable[Awaitable[_T]]) -> list[_T]:
    """Wait for several at once; what they gave, in their order.

    Where one fails that is raised when all have ended: none goes on behind an answer.
    """
    found = await asyncio.gather(*asked, return_exceptions=True)
    for one in found:
        if isinstance(one, BaseException):
            raise one
    return [one for one in found if not isinstance(one, BaseException)]


class Tooling:
    """The servers of one run. `way` is None in replay, where nothing could be asked by mistake."""

    def __init__(
        self,
        exchange: Exchange,
        deck: Deck,
        way: ToolWay | None,
        credentials: Matched,
        limits: RunLimits,
    ) -> None:
        self._exchange = exchange
        self._deck = deck
        self._way = way
        self._credentials = credentials
        self._limits = limits
        self._places = asyncio.Semaphore(_AT_ONCE)

    async def listed(
        self, servers: Sequence[Named]
    ) -> tuple[list[tuple[str, list[JSONObject]]], dict[str, JSONObject]]:
        """The tools of each server, and why there are none of others, both by its name.

        HTTPError where nothing is recorded in replay.
        """
        outcomes = await together(map(self._tools, servers))
        tools, errors = [], dict(self._credentials.errors)
        for server, outcome in zip(servers, outcomes, strict=True):
            if (result := outcome.get("result")) is not None:
                those = as_list(as_object(result).get("tools"))
                tools.append((server.name, [one for one in those if isinstance(one, dict)]))
            else:
                errors[server.name] = _told(outcome)
        return tools, errors

    async def called(self, server: Named | None, one: Called, asker: CalledBy) -> Gave:
        """What a call gives; a failure, in words for the model, where it gives nothing."""
        if server is None or one.tool is None or one.wrong:
            return Gave(failure(one.wrong or f"there is no tool called {one.name}"))
        request = mcp.calling(server.name, one.tool.tool, one.arguments, asker)
        tool, mode = one.tool, self._exchange.mode

        async def ask() -> JSON:
            header = self._header(server)
            return await self._asked().call(server, header, tool.tool, one.arguments)

        cached = tool.reads_only and self._limits.cached_reads
        live = self._limits.live or mode is Mode.PASSTHROUGH or (mode is Mode.CACHE and not cached)
        async with self._places:
            outcome = await self.outcome(request, ask, live=live)
        took = outcome.get("took_ms")
        took_ms = took if isinstance(took, int) else 0
        if isinstance(result := outcome.get("result"), dict):
            return Gave(result, took_ms)
        return Gave(failure(str(_told(outcome)["message"])), took_ms)

    async def _tools(self, server: Named) -> JSONObject:
        async def ask() -> JSON:
            return {"tools": await self._asked().tools(server, self._header(server))}

        mode = self._exchange.mode
        live = mode in (Mode.PASSTHROUGH, Mode.CACHE)
        return await self.outcome(mcp.listing(server.name), ask, live=live)

    async def outcome(self, request: Request, ask: _Ask, *, live: bool) -> JSONObject:
        """What comes of a question: `result`, `error` or `trouble`. HTTPError.

        With `live` the server is asked, and nothing is recorded.
        """
        if live:
            return as_object(value_of(await _settled(ask)))

        async def fly(sink: Sink) -> None:
            body = await _settled(ask)
            sink.headed(200, (("Content-Type", "application/json"),), body)

        secrets = self._credentials.secrets
        keys = own_keys(secrets)
        hidden = request._replace(body=without_keys(request.body, keys))
        # No provider's: by this name the recording says who answered.
        route = Route(f"mcp:{mcp.server_in(request.target)}", "", hidden.body)
        incoming = Incoming(hidden, (), route, keys=keys, secrets=secrets, fly=fly)
        answer = await self._exchange.answer(incoming, self._deck)
        return as_object(value_of(await whole(await heard(answer, self._limits.pace))))

    def _asked(self) -> ToolWay:
        if self._way is None:
            raise AssertionError("replay asks no server")
        return self._way

    def _header(self, server: Named) -> tuple[str, str] | None:
        return self._credentials.headers.get(server.name)


async def _settled(ask: _Ask) -> bytes:
    """The body that tells what came of asking a server. Raises nothing of the server's."""
    began = time.monotonic()
    try:
        result = await ask()
    except MCPRefusal as no:
        data = {"data": no.data} if no.data is not None else {}
        told = {"code": no.code, "message": no.message, **data}
        return mcp.outcome(error=told, took_ms=_since(began))
    except MCPTrouble as why:
        log.warning("MCP: %s", why.message)
        mend = {"recommendation": why.recommendation} if why.recommendation else {}
        told = {"message": why.message, "code": why.code, **mend}
        return mcp.outcome(trouble=told, took_ms=_since(began))
    return mcp.outcome(result=result, took_ms=_since(began))


def _since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)


def _told(outcome: JSONObject) -> JSONObject:
    """Why a server gave nothing, as an answer tells it."""
    if isinstance(trouble := outcome.get("trouble"), dict):
        return trouble
    refused = as_object(outcome.get("error"))
    return {"message": str(refused.get("message")), "code": "protocol_error"}

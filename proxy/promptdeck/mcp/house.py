"""The servers that runs ask: found by what a request names, kept open while they are in use.

A URL comes with the request, and is judged by where it leads; a slug means what the configuration
says, a command among it: no request starts a program of its own choice.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol
from urllib.parse import urlsplit

from promptdeck.core.agent.asked import Named
from promptdeck.core.hosts import is_loopback
from promptdeck.core.text.jsontext import JSONObject
from promptdeck.engine.agent.sides import MCPTrouble

from .addresses import Allowance, place_of
from .client import Local, Remote, ToolServer

_IDLE = 60.0
"""Seconds after which a server that nobody asks is let go: one turn of a slow model later it is
still there, and a process does not stay for ever."""


class ServerEntry(Protocol):
    """A server of the configuration's: `agent.servers`."""

    @property
    def url(self) -> str | None:
        """Where it is; None for a command."""

    @property
    def command(self) -> tuple[str, ...]:
        """The command that it is, empty for a URL."""

    @property
    def env(self) -> Mapping[str, str]:
        """Variables that the command gets."""

    @property
    def folder(self) -> str | None:
        """Where the command runs."""

    @property
    def headers(self) -> Mapping[str, str]:
        """What goes with each message to the URL."""


class _OpenServer(NamedTuple):
    server: ToolServer
    used: list[float]
    """When it was last asked; one item."""
    asking: set[object]
    """What is under way."""


class ToolHouse:
    """The engine's `ToolWay`; `close` at the end.

    `entries` are the configuration's servers, by slug. `allowance` is what URLs of requests may
    lead to, asked each time: promptdeck's own port is known once it listens. `timeout` is the
    longest wait for an answer, in seconds; None for none.
    """

    def __init__(
        self,
        entries: Mapping[str, ServerEntry],
        allowance: Callable[[], Allowance],
        timeout: float | None,
    ) -> None:
        self._entries = entries
        self._allowance = allowance
        self._timeout = timeout or _NEVER
        self._open: dict[object, _OpenServer] = {}
        self._sweep: asyncio.TimerHandle | None = None
        self._closing: set[asyncio.Task[None]] = set()

    async def tools(self, server: Named, header: tuple[str, str] | None) -> list[JSONObject]:
        """All tools of a server. MCPTrouble, MCPRefusal."""
        found = await self._found(server, header)
        with _Using(found):
            return await found.server.tools(self._timeout)

    async def call(
        self, server: Named, header: tuple[str, str] | None, tool: str, arguments: JSONObject
    ) -> JSONObject:
        """What a call gives. MCPTrouble, MCPRefusal."""
        found = await self._found(server, header)
        with _Using(found):
            return await found.server.call(tool, arguments, self._timeout)

    async def ask(self, server: Named, method: str, params: JSONObject) -> JSONObject:
        """The result of any request to a server. MCPTrouble, MCPRefusal."""
        found = await self._found(server, None)
        with _Using(found):
            return await found.server.ask(method, params, self._timeout)

    async def info(self, server: Named) -> JSONObject:
        """What a server says of itself. MCPTrouble."""
        found = await self._found(server, None)
        with _Using(found):
            return await found.server.info(self._timeout)

    async def close(self) -> None:
        """Let all servers go."""
        if self._sweep:
            self._sweep.cancel()
        opened, self._open = list(self._open.values()), {}
        await asyncio.gather(*(one.server.close() for one in opened), *self._closing)

    async def _found(self, server: Named, header: tuple[str, str] | None) -> _OpenServer:
        """The server that is meant, open or to be opened. MCPTrouble."""
        if server.sealed:
            raise MCPTrouble(
                "credential_unmatched",
                f"the credentials of {server.name} are encrypted for Dedalus, and can be read"
                " there alone",
                'make the client with as_base_url="", so that it sends them as they are',
            )
        key = (server.url or server.slug, header)
        found = self._open.get(key)
        if found is None:
            at = await self._remote(server, header) if server.url else self._known(server, header)
            # Somebody else may have come meanwhile.
            found = self._open.setdefault(
                key, _OpenServer(ToolServer(server.name, at), [0.0], set())
            )
        found.used[0] = time.monotonic()
        if self._sweep is None:
            self._sweep = asyncio.get_running_loop().call_later(_IDLE, self._let_go)
        return found

    async def _remote(self, server: Named, header: tuple[str, str] | None) -> Remote:
        """A server behind a request's URL. MCPTrouble where that may not be asked."""
        place = await place_of(server.url, self._allowance())
        return Remote(server.url, dict([header] if header else []), place)

    def _known(self, server: Named, header: tuple[str, str] | None) -> Remote | Local:
        """A server of the configuration's. MCPTrouble where it has none of that slug."""
        entry = self._entries.get(server.slug)
        if entry is None:
            known = ", ".join(self._entries) or "none"
            raise MCPTrouble(
                "unknown_server",
                f"no MCP server is called {server.slug} (known: {known})",
                f"add it to agent.servers: {{{server.slug}: {{url: https://...}}}}",
            )
        if entry.command:
            return Local(entry.command, entry.env, entry.folder)
        if not entry.url:
            raise MCPTrouble(
                "unknown_server",
                f"agent.servers.{server.slug} has neither a url nor a command",
                "give it one of them",
            )
        if (
            header
            and urlsplit(entry.url).scheme != "https"
            and not is_loopback(urlsplit(entry.url).hostname or "")
        ):
            raise MCPTrouble(
                "credential_unmatched",
                f"{server.slug} is asked over http://, where anybody could read a credential",
                f"use https:// in agent.servers.{server.slug}.url",
            )
        return Remote(entry.url, {**dict([header] if header else []), **entry.headers})

    def _let_go(self) -> None:
        """Let those go that nobody has asked for a while, and look again."""
        self._sweep, loop = None, asyncio.get_running_loop()
        now = time.monotonic()
        for key, one in [*self._open.items()]:
            if not one.asking and now - one.used[0] >= _IDLE:
                del self._open[key]
                task = loop.create_task(one.server.close())
                self._closing.add(task)
                task.add_done_callback(self._closing.discard)
        if self._open:
            self._sweep = loop.call_later(_IDLE, self._let_go)


class _Using:
    """Holds a server open while it is asked."""

    def __init__(self, one: _OpenServer) -> None:
        self._one = one

    def __enter__(self) -> None:
        self._one.asking.add(self)

    def __exit__(self, *_: object) -> None:
        self._one.asking.discard(self)
        self._one.used[0] = time.monotonic()


_NEVER = 10 * 365 * 24 * 60 * 60.0

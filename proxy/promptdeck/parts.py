"""The parts that the bare base_url and every session of a server have in common.

`opened` opens what a configuration makes use of and leaves with an exit stack how it is
closed; from the `Parts` each session is given an exchange and a library of its own.
"""

import asyncio
import logging
import os
import tempfile
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from .config import Config
from .core.dialects.interpreted import Remembering, remembering
from .core.hosts import is_loopback
from .core.policy import Mode
from .engine.deferred import Deferred
from .engine.exchange import Exchange
from .engine.flights.budget import Budget
from .engine.storing import Storing
from .errors import ClientError, StoreError
from .library import Library, check_of, redactor_of, runs_tools, settings_of
from .server import Keeps
from .stores.kept.completions import Completions
from .stores.kept.slips import Slips
from .stores.sqlite.database import Database
from .stores.sqlite.tape import cache_tape

if TYPE_CHECKING:
    from .engine.agent.agent import Agents
    from .mcp.house import ToolHouse
    from .stores.base import Claims
    from .ways import Ways

log = logging.getLogger("promptdeck")


class Parts(NamedTuple):
    """The parts that the bare base_url and every session of a server have in common.

    A session's configuration is the server's with some changes; `exchange` and `library` make
    what each has of its own. Only what its mode makes use of is there.
    """

    tasks: asyncio.TaskGroup
    database: Database | None
    ways: "Ways | None"
    keeps: Keeps | None
    claims: "Claims | None"
    budget: Budget
    tools: "Callable[[], ToolHouse] | None"
    """Asks MCP servers; None in replay."""
    agents: "Callable[[], Agents] | None"
    """None where the upstream runs tools itself."""
    ports: list[int]
    """Those that the server listens on, once it does: no tool is asked there."""
    memory: Remembering

    def exchange(self, config: Config) -> Exchange:
        """The way of requests under `config`, with counts of its own."""
        # A session may replay on a server that has a way upstream: it must not take it.
        ways = self.ways if config.mode is not Mode.REPLAY else None
        storing = self.keeps and Storing(
            self.keeps.completions, redactor_of(config), settings_of(config).secrets
        )
        return Exchange(
            settings_of(config),
            ways.routing if ways else None,
            self.tasks,
            check=check_of(config),
            answered=storing.keep if storing else None,
            # Only there does another process find what was asked meanwhile.
            claims=self.claims if config.mode is Mode.CACHE else None,
            budget=self.budget,
            memory=self.memory,
        )

    async def library(self, config: Config, hold: bool = False) -> Library:
        """The recordings that `config` plays; with `hold`, new ones are kept back until asked for.

        ClientError if they are to be kept and this server keeps nothing.
        """
        if self.database is None and config.mode is not Mode.PASSTHROUGH:
            raise ClientError("this server passes through and keeps nothing", param="mode")
        cached = self.database and config.mode is Mode.CACHE
        cache = await cache_tape(self.database) if self.database and cached else None
        return Library(config, self.database, cache, hold=hold, memory=self.memory)


async def opened(
    config: Config, name: str, tasks: asyncio.TaskGroup, ends: AsyncExitStack
) -> Parts:
    """Open what `config` makes use of, and leave with `ends` how it is closed.

    `name` is the server's own, which goes with what it asks upstream.
    """
    database = await _open_database(config, ends)
    memory = remembering()
    ways = _ways(config, name, memory)
    if ways:
        ends.push_async_callback(ways.close)
    keeps = _keeps(config, database, tasks, ends) if database else None
    budget = Budget(config.record.max_pending)
    ports: list[int] = []
    live = config.agent.tools == "live" or config.mode is not Mode.REPLAY
    tools = _tools(config, ends, ports) if live else None
    agents = _agents(config, tools, database, tasks, ends) if runs_tools(config) else None
    claims = _claims(config, ends)
    return Parts(tasks, database, ways, keeps, claims, budget, tools, agents, ports, memory)


async def _open_database(config: Config, ends: AsyncExitStack) -> Database | None:
    """The store's file; none in passthrough mode, which keeps nothing. StoreError.

    Outside cache mode it only indexes cassettes: if it cannot be used, a temporary one will do.
    """
    if config.mode is Mode.PASSTHROUGH:
        return None
    try:
        store = config.store
        index_only = config.mode is Mode.REPLAY
        return await ends.enter_async_context(
            Database(store.path, store.max_bytes, index_only=index_only)
        )
    except StoreError as error:
        if config.mode is Mode.CACHE:
            raise
        log.warning("%s; the index of cassettes is made anew for this run", error)
    folder = ends.enter_context(tempfile.TemporaryDirectory(prefix="promptdeck-"))
    path = Path(folder) / "index.db"
    return await ends.enter_async_context(Database(path, config.store.max_bytes))


def _ways(config: Config, name: str, memory: Remembering) -> "Ways | None":
    """The ways upstream. In replay there are none: nothing could call them by mistake."""
    if config.mode is Mode.REPLAY:
        return None
    from .ways import Ways  # 3 ms, which a start in replay does not wait for

    return Ways(config, os.environ, name, memory)


def _keeps(
    config: Config, database: Database, tasks: asyncio.TaskGroup, ends: AsyncExitStack
) -> Keeps:
    """The keepers of completions that a client had stored or deferred."""
    slips, redactor = Slips(database), redactor_of(config)
    settings = settings_of(config)
    deferred = Deferred(slips, tasks, redactor, settings.secrets, most=settings.keep_bytes)
    completions = Completions(database, lasting=config.mode is not Mode.REPLAY, redactor=redactor)
    ends.push_async_callback(completions.close)
    ends.push_async_callback(deferred.finish)
    return Keeps(completions, slips, deferred)


def _tools(config: Config, ends: AsyncExitStack, ports: list[int]) -> "Callable[[], ToolHouse]":
    """What asks MCP servers. Nothing of MCP is imported before the first is asked."""
    settings = config.agent

    houses: list[ToolHouse] = []

    def house() -> "ToolHouse":
        from .mcp import addresses
        from .mcp.house import ToolHouse as House

        def allowance() -> addresses.Allowance:
            return addresses.Allowance(is_loopback(config.server.host), settings.allow, ports)

        if not houses:
            houses.append(House(settings.servers, allowance, settings.tool_timeout))
        return houses[0]

    async def close() -> None:
        for one in houses:
            await one.close()

    # Now, and not with the first: who asks them is closed before.
    ends.push_async_callback(close)
    return house


def _agents(
    config: Config,
    tools: "Callable[[], ToolHouse] | None",
    database: Database | None,
    tasks: asyncio.TaskGroup,
    ends: AsyncExitStack,
) -> "Callable[[], Agents]":
    """Gives those who run tools for clients, whose imports wait for the first such request."""
    settings = config.agent
    made: list[Agents] = []

    def agents() -> "Agents":
        from .engine.agent.agent import Agents as Made
        from .engine.agent.tooling import RunLimits
        from .stores.kept.handoffs import Handoffs, NothingKept

        if not made:
            limits = RunLimits(
                settings.tools == "live",
                settings.cache_tools == "read-only",
                settings.max_turns,
                settings.max_tool_calls,
                settings.run_timeout,
                config.replay.pace,
            )
            handoffs = Handoffs(database, redactor_of(config)) if database else NothingKept()
            most = config.record.max_bytes
            made.append(Made(tools, tasks, handoffs, limits, keep_bytes=most))
        return made[0]

    async def finish() -> None:
        for one in made:
            await one.finish(config.server.shutdown_timeout or 0)

    # Now, and not with the first: the servers that runs ask are closed after them.
    ends.push_async_callback(finish)
    return agents


def _claims(config: Config, ends: AsyncExitStack) -> "Claims | None":
    """The locks by which processes that share a cache do not ask the same at once.

    None in other modes, and with a warning where the file for it cannot be had.
    """
    if config.mode is not Mode.CACHE:
        return None
    from .stores.claims import FileClaims

    path = config.store.path.with_name(f"{config.store.path.name}-claims")
    try:
        claims = FileClaims(path)
    except OSError as error:
        why = error.strerror or error
        log.warning("cannot use %s: %s; other processes may ask the same at once", path, why)
        return None
    ends.callback(claims.close)
    return claims

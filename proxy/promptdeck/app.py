"""The composition root: the one module that knows all the parts, and the order of their ends.

`serving` starts what is used before its users, and ends it after them:

    starts, downwards                            ends, upwards
      task group   work that outlives a request    waits for what is still running
      database     the store's file                writes what was put, closes the file
      upstream     the way to the provider         closes its connections
      keeps        answers stored or deferred      has the deferred ones written down
      agents       those who run tools             let runs finish, tool servers go
      claims       locks between processes         lets go of them
      exchange     behind the bare base_url        lets recordings under way finish
      sessions     those that clients open         let recordings under way finish
      listener     the port                        takes nobody new, lets answers finish

So an answer that is under way still finds upstream, and its recording the store. The last
three wait for `server.shutdown_timeout` at most, all together. An error while starting ends
what has been started, in the same order.
"""

import asyncio
import logging
import os
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

from aiohttp import web

from .apart.process import PROCESS
from .config import Config
from .core.policy import Mode
from .engine.decks.deck import Deck
from .engine.exchange import Exchange
from .engine.stats import Stats
from .library import Library
from .listeners import cannot_listen
from .outlook import outlook
from .parts import opened
from .reach import check_reach
from .routes import homes_of, keys_of, providers_of
from .server import Edge, application
from .server.answers.faulty import Faults
from .server.answers.pace import Pace
from .server.crowded import crowd_told
from .server.fast.connection import connections
from .server.fast.hitlog import HitLog
from .server.fast.lanes import Lanes
from .server.guard import Guard
from .server.reading import Ground
from .server.receiving import receivers
from .sessions import Sessions
from .stores.cassettes.file import SIZE, path_of, signature, signatures

if TYPE_CHECKING:
    from .mcp.house import ToolHouse

log = logging.getLogger("promptdeck")

_PROCESS = secrets.token_hex(6)
"""Names this process and the workers that are forked from it, which are one server."""
_servers = count()
"""Number the servers of a process."""


class Totals(NamedTuple):
    """Counts of a server so far: the bare base_url and all sessions, open and closed."""

    hits: int
    misses: int
    recorded: int
    unrecorded: int
    collapsed: int
    redacted: int
    under_way: int
    """Answers that are still coming, or being recorded."""
    upstream_calls: int

    @classmethod
    def of(cls, *stats: Stats, under_way: int) -> "Totals":
        """The sum of at least one `Stats`."""
        names = asdict(stats[0])
        return cls(
            **{name: sum(getattr(one, name) for one in stats) for name in names},
            under_way=under_way,
        )


class Serving(NamedTuple):
    """A running server, as `serving` yields it."""

    host: str
    port: int
    """The one it listens on, also where the configuration says 0."""
    counts: Callable[[], Totals]
    """May be called after the server's end, too."""
    asked: Callable[[], bool]
    """Whether any request has come at all. May be called after the server's end, too."""
    report: Callable[[], dict[str, Any]]
    """What was played, left unplayed, missed and recorded behind the bare base_url.

    To be called when it is `ready`."""
    ready: Callable[[], Awaitable[None]]
    """Waits until the cassettes behind the bare base_url are indexed. Requests need not: they
    wait by themselves for what may hold their answer."""
    sessions: Sessions

    @property
    def root(self) -> str:
        """`http://127.0.0.1:4141`: what the Dedalus SDK takes for a base_url."""
        # Of all addresses, the one that a client on this machine can ask.
        near = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104
        host = f"[{near}]" if ":" in near else near
        return f"http://{host}:{self.port}"

    @property
    def base_url(self) -> str:
        """`http://127.0.0.1:4141/v1`: what the openai SDK takes for one."""
        return f"{self.root}/v1"


@asynccontextmanager
async def serving(config: Config, *, fast: bool = True, workers: int = 1) -> AsyncIterator[Serving]:
    """Serve until the block ends. UsageError, of a kind that says why, if it cannot start.

    Without `fast` each request takes the ordinary way: what the fast path is tested against.
    `workers` is how many processes serve on the same port, this one included.
    """
    check_reach(config)
    server, name = config.server, f"{_PROCESS}-{next(_servers)}"
    async with _task_group() as tasks, AsyncExitStack() as ends:
        ends.enter_context(crowd_told(asyncio.get_running_loop()))
        ends.callback(PROCESS.close)
        for line in outlook(config):
            log.warning(line)
        parts = await opened(config, name, tasks, ends)
        exchange, library = parts.exchange(config), await parts.library(config)
        opening = await _opening(library, config, tasks)
        ends.callback(opening.cancel)
        lanes = Lanes(HitLog(asyncio.get_running_loop()))
        sessions = Sessions(config, parts.exchange, parts.library, lanes.close_session)
        left = _counting_down(config.server.shutdown_timeout)
        ends.push_async_callback(lambda: exchange.finish(left()))
        ends.push_async_callback(lambda: sessions.finish(left()))

        def counts() -> Totals:
            under_way = exchange.under_way + sessions.under_way
            return Totals.of(exchange.stats, sessions.stats(), under_way=under_way)

        worker = {"worker": os.getpid(), "workers": workers} if workers > 1 else {}
        edge = Edge(
            exchange,
            library,
            sessions,
            pace=Pace(config.replay.pace, config.server.keep_alive),
            max_body=config.server.max_body,
            ground=_ground(config),
            plan=config.replay.faults,
            faults=Faults(),
            keeps=parts.keeps,
            agents=parts.agents,
            tools=parts.tools,
            line=parts.ways.default.line if parts.ways else None,
            guard=Guard.of(server.host, server.hosts, server.origins, server.token),
            name=name,
            describe=lambda: {"mode": str(config.mode), **counts()._asdict(), **worker},
            alone=workers == 1,
        )
        listening, port = await _listen(edge, config, ends, lanes if fast else None)
        parts.ports.append(port)
        ends.callback(left)

        def asked() -> bool:
            # aiohttp counts its own; the fast path makes no request of a hit, or of a miss.
            now = counts()
            return bool(listening.requests_count or now.hits or now.misses or now.upstream_calls)

        def report() -> dict[str, Any]:
            return opening.result().report()

        async def ready() -> None:
            await asyncio.wait([opening])

        yield Serving(config.server.host, port, counts, asked, report, ready, sessions)


class Portless(NamedTuple):
    """What answers requests of this process alone, as `portless` yields it."""

    exchange: Exchange
    deck: Deck
    tools: "Callable[[], ToolHouse] | None"
    """Asks MCP servers; None in replay."""
    counts: Callable[[], Totals]


@asynccontextmanager
async def portless(config: Config) -> AsyncIterator[Portless]:
    """What answers requests as a server would, until the block ends. UsageError as `serving`."""
    async with _task_group() as tasks, AsyncExitStack() as ends:
        ends.callback(PROCESS.close)
        parts = await opened(config, f"{_PROCESS}-{next(_servers)}", tasks, ends)
        exchange, library = parts.exchange(config), await parts.library(config)
        deck = await library.deck("")
        await deck.refresh()

        def counts() -> Totals:
            return Totals.of(exchange.stats, under_way=exchange.under_way)

        ends.push_async_callback(exchange.finish, config.server.shutdown_timeout)
        yield Portless(exchange, deck, parts.tools, counts)


def _counting_down(seconds: float) -> Callable[[], float]:
    """A function that says how many of the seconds are left, which pass from its first call on.

    What ends one after the other, while the rest goes on, shares one time.
    """
    end: float | None = None

    def left() -> float:
        nonlocal end
        now = time.monotonic()
        end = now + seconds if end is None else end
        return max(0.0, end - now)

    return left


def _ground(config: Config) -> Ground:
    """What requests are read by."""
    return Ground(
        providers=providers_of(config),
        homes=homes_of(config),
        keys=keys_of(config, os.environ),
        max_values=config.server.max_values,
    )


_LITTLE = 2 * 1024 * 1024
"""Bytes of cassettes that are indexed before a start is over, in 0.2 s: of so few, one that cannot
be read stops the start. With more of them the server listens first, and stops when it comes to
that one."""


async def _opening(
    library: Library, config: Config, tasks: asyncio.TaskGroup
) -> asyncio.Future[Deck]:
    """The deck of the bare base_url, which is there at once or while the server listens.

    CassetteError for a cassette that cannot be read, from here or from the task group.
    """

    async def opened() -> Deck:
        deck = await library.deck("")
        await deck.refresh()
        return deck

    if await asyncio.to_thread(_size, config) > _LITTLE:
        return tasks.create_task(opened())
    ready: asyncio.Future[Deck] = asyncio.get_running_loop().create_future()
    ready.set_result(await opened())
    return ready


def _size(config: Config) -> int:
    """Bytes of the cassettes behind the bare base_url."""
    if config.mode is Mode.PASSTHROUGH:
        return 0
    if config.cassette.name:
        mark = signature(path_of(config.cassette.dir, config.cassette.name))
        return mark[SIZE] if mark else 0
    if config.mode is not Mode.REPLAY:
        return 0
    return sum(mark[SIZE] for mark in signatures(config.cassette.dir).values())


async def _listen(
    edge: Edge, config: Config, ends: AsyncExitStack, lanes: Lanes | None
) -> tuple[web.Server, int]:
    """Listen until `ends` is closed; aiohttp's server, and the port. BindError if that cannot be.

    Without `lanes` there is no fast path.
    """
    host, port = config.server.host, config.server.port
    runner = web.AppRunner(
        application(edge),
        handler_cancellation=True,
        access_log=None,
        shutdown_timeout=config.server.shutdown_timeout,
    )
    await runner.setup()
    ends.push_async_callback(runner.cleanup)
    if runner.server is None:
        raise AssertionError("a runner that is set up has a server")
    loop = asyncio.get_running_loop()
    connect = connections(runner.server, loop, lanes) if lanes else receivers(runner.server, loop)
    try:
        # Not to be shared is the default on some systems and not to be had on others.
        shared = None if edge.alone else True
        # Of 1,000 connections opened at once, with aiohttp's backlog of 128 some 300 were not
        # accepted 20 s later; with this one, all in 0.1 s.
        server = await loop.create_server(connect, host, port, backlog=1024, reuse_port=shared)
    except OSError as error:
        raise cannot_listen(host, port, error) from None
    ends.callback(server.close)
    return runner.server, int(server.sockets[0].getsockname()[1])


@asynccontextmanager
async def _task_group() -> AsyncIterator[asyncio.TaskGroup]:
    """A task group whose block's own error comes out as itself, not in a group of one."""
    try:
        async with asyncio.TaskGroup() as tasks:
            yield tasks
    except BaseExceptionGroup as group:
        if len(group.exceptions) == 1:
            raise group.exceptions[0] from None
        raise

"""The composition root: the only place that knows all the parts, and the order of their ends.

`serving` starts a server and yields what there is to know of it. At the end
it stops listening, lets answers and recordings under way finish within
`server.shutdown_timeout`, and closes store and upstream.
"""

import asyncio
import errno
import logging
import os
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from aiohttp import web

from .config import Config
from .core.dialects.providers import PROVIDERS
from .core.policy import Mode
from .engine.deferred import Deferred
from .engine.exchange import Exchange
from .engine.stats import Stats
from .engine.storing import Storing
from .errors import BindError, ClientError, StoreError
from .library import Library, check_of, redactor_of, settings_of
from .server import Edge, Keeps, application
from .server.answers.faulty import Faults
from .server.answers.pace import Pace
from .server.fast.connection import connections
from .sessions import Sessions
from .stores.kept.completions import Completions
from .stores.kept.slips import Slips
from .stores.sqlite.database import Database
from .stores.sqlite.tape import cache_tape

if TYPE_CHECKING:
    from .stores.base import Claims
    from .upstream import Upstream

log = logging.getLogger("promptdeck")


class Totals(NamedTuple):
    """What a server has done so far."""

    hits: int
    misses: int
    recorded: int
    collapsed: int
    redacted: int
    under_way: int
    """Answers that are still coming, or being recorded."""
    upstream_calls: int

    @classmethod
    def of(cls, *stats: Stats, under_way: int) -> "Totals":
        names = asdict(stats[0])
        return cls(
            **{name: sum(getattr(one, name) for one in stats) for name in names},
            under_way=under_way,
        )


class Serving(NamedTuple):
    """A running server."""

    host: str
    port: int
    counts: Callable[[], Totals]
    report: Callable[[], dict[str, Any]]
    """What was played and what was missed behind the bare base_url."""
    sessions: Sessions

    @property
    def root(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @property
    def base_url(self) -> str:
        return f"{self.root}/v1"


class _House:
    """What the default deck and every session are made with."""

    def __init__(
        self,
        database: Database | None,
        upstream: "Upstream | None",
        completions: Completions | None,
        claims: "Claims | None",
        tasks: asyncio.TaskGroup,
    ) -> None:
        self._claims = claims
        self._database = database
        self._upstream = upstream
        self._completions = completions
        self._tasks = tasks

    def exchange(self, config: Config) -> Exchange:
        # In replay there is no way upstream: nothing could take it by mistake.
        way = self._upstream if config.mode is not Mode.REPLAY else None
        kept = self._completions
        return Exchange(
            settings_of(config),
            way,
            self._tasks,
            check=check_of(config),
            answered=_storing(config, kept).keep if kept else None,
            claims=self._claims if config.mode is Mode.CACHE else None,
        )

    async def library(self, config: Config, hold: bool = False) -> Library:
        if self._database is None and config.mode is not Mode.PASSTHROUGH:
            raise ClientError("this server passes through and keeps nothing", param="mode")
        cached = self._database and config.mode is Mode.CACHE
        cache = await cache_tape(self._database) if self._database and cached else None
        return Library(config, self._database, cache, hold=hold)


@asynccontextmanager
async def serving(config: Config, *, fast: bool = True, workers: int = 1) -> AsyncIterator[Serving]:
    """Serve until the block ends. UsageError if it cannot start.

    Without `fast` each request takes the ordinary way: what the fast path is tested against.
    With `workers`, others serve on the same port.
    """
    async with _task_group() as tasks, AsyncExitStack() as parts:
        database = await _open_database(config, parts)
        upstream = _upstream(config)
        if upstream:
            parts.push_async_callback(upstream.close)
        keeps = _keeps(config, database, tasks, parts) if database else None
        claims = _claims(config, parts)
        house = _House(database, upstream, keeps.completions if keeps else None, claims, tasks)
        exchange, library = house.exchange(config), await house.library(config)
        deck = await library.deck("")
        sessions = Sessions(config, house.exchange, house.library)
        timeout = config.server.shutdown_timeout
        parts.push_async_callback(exchange.finish, timeout)
        parts.push_async_callback(sessions.finish, timeout)

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
            plan=config.replay.faults,
            faults=Faults(),
            providers={**PROVIDERS, **{item.name: item.url for item in config.upstream.providers}},
            keeps=keeps,
            describe=lambda: {"mode": str(config.mode), **counts()._asdict(), **worker},
            alone=workers == 1,
        )
        port = await _listen(edge, config, parts, fast=fast)
        yield Serving(config.server.host, port, counts, deck.report, sessions)


def _keeps(
    config: Config, database: Database, tasks: asyncio.TaskGroup, parts: AsyncExitStack
) -> Keeps:
    slips, redactor = Slips(database), redactor_of(config)
    deferred = Deferred(slips, tasks, redactor, settings_of(config).secrets)
    kept = Completions(database, lasting=config.mode is not Mode.REPLAY, redactor=redactor)
    parts.push_async_callback(kept.close)
    parts.push_async_callback(deferred.finish)
    return Keeps(kept, slips, deferred)


def _claims(config: Config, parts: AsyncExitStack) -> "Claims | None":
    """What keeps the processes that share a cache from asking the same at once."""
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
    parts.callback(claims.close)
    return claims


def _storing(config: Config, completions: Completions) -> Storing:
    return Storing(completions, redactor_of(config), settings_of(config).secrets)


def _upstream(config: Config) -> "Upstream | None":
    """The way upstream. In replay there is none: nothing could call it by mistake."""
    if config.mode is Mode.REPLAY:
        return None
    from .upstream import Upstream  # 3 ms, which a start in replay does not wait for

    settings = config.upstream
    return Upstream(settings.url, settings.api_key, settings.connect_timeout, settings.read_timeout)


@asynccontextmanager
async def _task_group() -> AsyncIterator[asyncio.TaskGroup]:
    """A task group whose block's own error comes out as itself."""
    try:
        async with asyncio.TaskGroup() as tasks:
            yield tasks
    except BaseExceptionGroup as group:
        if len(group.exceptions) == 1:
            raise group.exceptions[0] from None
        raise


async def _open_database(config: Config, parts: AsyncExitStack) -> Database | None:
    """The store's file. Where it only indexes cassettes, a temporary one will do."""
    if config.mode is Mode.PASSTHROUGH:
        return None
    try:
        return await parts.enter_async_context(Database(config.store.path, config.store.max_bytes))
    except StoreError as error:
        if config.mode is Mode.CACHE:
            raise
        log.warning("%s; the index of cassettes is made anew for this run", error)
    folder = parts.enter_context(tempfile.TemporaryDirectory(prefix="promptdeck-"))
    path = Path(folder) / "index.db"
    return await parts.enter_async_context(Database(path, config.store.max_bytes))


async def _listen(edge: Edge, config: Config, parts: AsyncExitStack, *, fast: bool) -> int:
    """Listen until `parts` are closed; the port. BindError."""
    host, port = config.server.host, config.server.port
    runner = web.AppRunner(
        application(edge),
        handler_cancellation=True,
        access_log=None,
        shutdown_timeout=config.server.shutdown_timeout,
    )
    await runner.setup()
    parts.push_async_callback(runner.cleanup)
    if runner.server is None:
        raise AssertionError("a runner that is set up has a server")
    loop = asyncio.get_running_loop()
    connect = connections(runner.server, loop, edge.sessions.is_open) if fast else runner.server
    try:
        # Not to be shared is the default on some systems and not to be had on others.
        shared = None if edge.alone else True
        server = await loop.create_server(connect, host, port, backlog=1024, reuse_port=shared)
    except OSError as error:
        why = "the port is taken" if error.errno == errno.EADDRINUSE else (error.strerror or error)
        raise BindError(f"cannot listen on {host}:{port}: {why}; choose another --port") from None
    parts.callback(server.close)
    return int(server.sockets[0].getsockname()[1])

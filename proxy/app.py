"""The composition root: the only place that knows all the parts, and the order of their ends.

`serving` starts a server and yields what there is to know of it. At the end
it stops listening, lets answers and recordings under way finish within
`server.shutdown_timeout`, and closes store and upstream.
"""

import asyncio
import errno
import logging
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from aiohttp import web

from .config import Config
from .core.interaction import Request
from .core.normalize import normalize
from .core.policy import Mode
from .core.providers import PROVIDERS
from .core.redact import Redactor
from .engine.asking import Check
from .engine.checking import Contract
from .engine.deck import AfterLast, Deck
from .engine.deferred import Deferred
from .engine.exchange import NO_RULES, Exchange, Settings
from .engine.stored import Storing
from .errors import BindError, ClientError, StoreError
from .server import Edge, Keeps, application
from .server.writing import Pace
from .stores.base import Store
from .stores.cassette import Canon, Cassette, Shelf
from .stores.cassette_file import path_of
from .stores.completions import Completions
from .stores.slips import Slips
from .stores.sqlite import Database, Tape
from .upstream import Upstream

log = logging.getLogger("promptdeck")

DEFAULT_CASSETTE = "default"
"""Where the record modes write when no cassette is named."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What a server has done so far."""

    hits: int
    misses: int
    recorded: int
    collapsed: int
    redacted: int
    under_way: int
    """Answers that are still coming, or being recorded."""
    upstream_calls: int


@dataclass(frozen=True, slots=True)
class Serving:
    """A running server."""

    host: str
    port: int
    counts: Callable[[], Counts]

    @property
    def root(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @property
    def base_url(self) -> str:
        return f"{self.root}/v1"


def redactor_of(config: Config) -> Redactor:
    shapes = config.redact.patterns
    return Redactor.build(
        {"name": shape.name, "pattern": shape.pattern.pattern} for shape in shapes
    )


def canon_of(config: Config) -> Canon:
    """How this configuration brings a recorded request to its canonical form."""
    rules, redactor = config.match.rules, redactor_of(config)

    def canonical(request: Request) -> bytes:
        return normalize(request, rules, redactor).canonical

    def base(request: Request) -> bytes:
        return normalize(request, NO_RULES, redactor).canonical

    return Canon(canonical, base, rules.digest, f"{rules.digest}|{redactor.digest}")


class Library:
    """The decks of one server, made when first asked for."""

    def __init__(self, config: Config, database: Database | None, cache: Tape | None) -> None:
        self._config = config
        self._database = database
        self._cache = cache
        self._canon = canon_of(config)
        self._decks: dict[str, Deck] = {}
        self._opening = asyncio.Lock()

    async def deck(self, name: str) -> Deck:
        """The deck of a cassette, or with an empty name what a bare base_url plays."""
        name = name or self._config.cassette.name or self._default_name
        deck = self._decks.get(name)
        if deck is None:
            async with self._opening:
                if name not in self._decks:
                    self._decks[name] = await self._open(name)
                deck = self._decks[name]
        return deck

    @property
    def _default_name(self) -> str:
        recording = self._config.mode in (Mode.RECORD, Mode.RECORD_MISSING)
        return DEFAULT_CASSETTE if recording else ""

    async def _open(self, name: str) -> Deck:
        if self._database is None:
            return Deck(name, ())
        stores: list[Store] = []
        tape: Cassette | Shelf | None = None
        if name:
            tape = await self._cassette(name, self._database)
            stores.append(tape)
        elif self._config.mode is Mode.REPLAY:
            tape = Shelf(self._config.cassette.dir, self._database, self._canon)
            await tape.refresh()
            stores.append(tape)
        if self._cache:
            stores.append(self._cache)
        return Deck(
            name,
            stores,
            writer=stores[-1],
            newest=self._cache is not None,
            after_last=AfterLast(self._config.replay.after_last),
            exists=(lambda: tape.exists) if tape else (lambda: True),
            refresh=tape.refresh if tape else None,
        )

    async def _cassette(self, name: str, database: Database) -> Cassette:
        try:
            path = path_of(self._config.cassette.dir, name)
        except ValueError as error:
            raise ClientError(f"no cassette can have this name: {error}", code="bad_name") from None
        return await Cassette.open(name, path, database, self._canon)


@asynccontextmanager
async def serving(config: Config) -> AsyncIterator[Serving]:
    """Serve until the block ends. UsageError if it cannot start."""
    async with _task_group() as tasks, AsyncExitStack() as parts:
        database = await _open_database(config, tasks, parts)
        cache = await database.cache_tape() if database and config.mode is Mode.CACHE else None
        library = Library(config, database, cache)
        await library.deck("")
        upstream = _upstream(config)
        if upstream:
            parts.push_async_callback(upstream.close)
        completions = None
        if database:
            completions = Completions(database, lasting=config.mode is not Mode.REPLAY)
            parts.push_async_callback(completions.close)
        exchange = Exchange(
            _settings(config),
            upstream.call if upstream else None,
            tasks,
            check=_check(config),
            answered=Storing(completions, redactor_of(config)).keep if completions else None,
        )
        keeps = None
        if database and completions:
            slips = Slips(database)
            deferred = Deferred(exchange, slips, tasks)
            parts.push_async_callback(deferred.finish)
            keeps = Keeps(completions, slips, deferred)

        def counts() -> Counts:
            return Counts(
                **asdict(exchange.stats),
                under_way=exchange.under_way,
                upstream_calls=upstream.calls if upstream else 0,
            )

        edge = Edge(
            exchange,
            library,
            pace=Pace(config.replay.pace, config.server.keep_alive),
            max_body=config.server.max_body,
            providers={**PROVIDERS, **{item.name: item.url for item in config.upstream.providers}},
            keeps=keeps,
            describe=lambda: {"mode": str(config.mode), **asdict(counts())},
        )
        runner = web.AppRunner(
            application(edge),
            handler_cancellation=True,
            access_log=None,
            shutdown_timeout=config.server.shutdown_timeout,
        )
        await runner.setup()
        parts.push_async_callback(exchange.finish, config.server.shutdown_timeout)
        parts.push_async_callback(runner.cleanup)
        port = await _listen(runner, config)
        yield Serving(config.server.host, port, counts)


def _check(config: Config) -> Check | None:
    """The contract's judgement. In passthrough mode upstream judges, and we say nothing."""
    passing = config.mode is Mode.PASSTHROUGH
    return None if passing else Contract(strict=config.contract.strict).check


def _upstream(config: Config) -> Upstream | None:
    """The way upstream. In replay there is none: nothing could call it by mistake."""
    if config.mode is Mode.REPLAY:
        return None
    settings = config.upstream
    return Upstream(settings.url, settings.api_key, settings.connect_timeout, settings.read_timeout)


def _settings(config: Config) -> Settings:
    return Settings(
        mode=config.mode,
        rules=config.match.rules,
        redactor=redactor_of(config),
        upstream=config.upstream.url,
        secrets=tuple(filter(None, [config.upstream.api_key])),
        keep_bytes=config.record.max_bytes,
        keep_errors=config.record.errors and config.mode in (Mode.RECORD, Mode.RECORD_MISSING),
        outlives_client=config.record.finish_after_disconnect,
        ttl=config.store.ttl,
    )


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


async def _open_database(
    config: Config, tasks: asyncio.TaskGroup, parts: AsyncExitStack
) -> Database | None:
    """The store's file. Where it only indexes cassettes, a temporary one will do."""
    if config.mode is Mode.PASSTHROUGH:
        return None
    try:
        return await parts.enter_async_context(
            Database(config.store.path, tasks, config.store.max_bytes)
        )
    except StoreError as error:
        if config.mode is Mode.CACHE:
            raise
        log.warning("%s; the index of cassettes is made anew for this run", error)
    folder = parts.enter_context(tempfile.TemporaryDirectory(prefix="promptdeck-"))
    path = Path(folder) / "index.db"
    return await parts.enter_async_context(Database(path, tasks, config.store.max_bytes))


async def _listen(runner: web.AppRunner, config: Config) -> int:
    host, port = config.server.host, config.server.port
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        why = "the port is taken" if error.errno == errno.EADDRINUSE else (error.strerror or error)
        raise BindError(f"cannot listen on {host}:{port}: {why}; choose another --port") from None
    return int(runner.addresses[0][1])

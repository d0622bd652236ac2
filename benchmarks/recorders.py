"""Ways to keep 5 KB interactions in SQLite: promptdeck's store, and what one would write first."""

import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import aiosqlite
import bodies
import prose

from promptdeck.core.interaction import (
    CHAT_COMPLETIONS,
    Frame,
    Interaction,
    Request,
    Response,
    Variant,
)
from promptdeck.stores.base import Stored
from promptdeck.stores.sqlite.database import Database
from promptdeck.stores.sqlite.tape import cache_tape

LIMIT = 1 << 40
"""Bytes that a store may have here: nothing is evicted."""

PER_SECOND = 500
"""Interactions that are recorded beside something else."""
_AT_ONCE = 64
_TABLE = (
    "CREATE TABLE answer (id INTEGER PRIMARY KEY, key BLOB UNIQUE, request BLOB, response BLOB)"
)
_INSERT = "INSERT INTO answer (key, request, response) VALUES (?, ?, ?)"
_PRAGMAS = ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = NORMAL")


@dataclass(frozen=True)
class Item:
    """An interaction to be kept, under its key."""

    key: str
    stored: Stored

    @property
    def row(self) -> tuple[bytes, bytes, bytes]:
        """Key, request and answer, for who keeps nothing else."""
        interaction = self.stored.interaction
        return self.key.encode(), interaction.request.body, interaction.response.body


Keep = Callable[[Item], Awaitable[object]]


def item(number: int) -> Item:
    """Built by hand: a recording whose canonical form is its request."""
    request = bodies.conversation(number)
    return made(number, request, bodies.completion(prose.piece(1180, request)))


def made(number: int, request: bytes, answer: bytes) -> Item:
    """An item with a key of its own for each number."""
    key = f"p1:{number:032x}"
    interaction = Interaction(
        id=f"{number:06x}-002-{number:08x}-1",
        key=key,
        variant=Variant.JSON,
        recorded_at=1_790_000_000.0,
        upstream="http://127.0.0.1/v1",
        request=Request("POST", CHAT_COMPLETIONS, "application/json", request),
        response=Response(200, (("content-type", "application/json"),), (Frame(1, answer),)),
    )
    return Item(key, Stored(interaction, request))


@asynccontextmanager
async def _store(path: Path) -> AsyncIterator[Keep]:
    async with Database(path, LIMIT) as database:
        tape = await cache_tape(database)
        yield lambda one: tape.put(one.key, one.stored, replace=False)


def _autocommit(path: Path) -> AbstractAsyncContextManager[Keep]:
    return _aiosqlite(path, None)


def _shared(path: Path) -> AbstractAsyncContextManager[Keep]:
    """As one writes it first. Tasks that share the connection then share commits by accident."""
    return _aiosqlite(path, "DEFERRED")


@asynccontextmanager
async def _aiosqlite(path: Path, isolation: Literal["DEFERRED"] | None) -> AsyncIterator[Keep]:
    async with aiosqlite.connect(path, isolation_level=isolation) as db:
        for statement in (*_PRAGMAS, _TABLE):
            await db.execute(statement)

        async def keep(one: Item) -> None:
            await db.execute(_INSERT, one.row)
            if isolation:
                await db.commit()

        yield keep


def _in_the_loop(synchronous: str) -> Callable[[Path], AbstractAsyncContextManager[Keep]]:
    @asynccontextmanager
    async def opened(path: Path) -> AsyncIterator[Keep]:
        with closing(raw(path)) as db:
            db.execute(f"PRAGMA synchronous = {synchronous}")

            async def keep(one: Item) -> None:
                db.execute(_INSERT, one.row)
                db.commit()

            yield keep

    return opened


@asynccontextmanager
async def _direct(path: Path) -> AsyncIterator[Keep]:
    """The least that it takes: no thread, nobody who waits, 64 in a transaction."""
    rows: list[tuple[bytes, bytes, bytes]] = []
    with closing(raw(path)) as db:

        def write() -> None:
            with db:
                db.executemany(_INSERT, rows)
            rows.clear()

        async def keep(one: Item) -> None:
            rows.append(one.row)
            if len(rows) == _AT_ONCE:
                write()

        yield keep
        write()


@asynccontextmanager
async def _nothing(path: Path) -> AsyncIterator[Keep]:
    del path

    async def keep(one: Item) -> None:
        del one

    yield keep


def raw(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path)
    for statement in (*_PRAGMAS, _TABLE):
        db.execute(statement)
    return db


def write_raw(path: Path, items: list[Item]) -> None:
    with closing(raw(path)) as db, db:
        db.executemany(_INSERT, [one.row for one in items])


STORE, EACH, SHARED = (
    "promptdeck's store",
    "aiosqlite, a commit each",
    "aiosqlite, as first written",
)
NORMAL, FULL = "a commit in the loop, NORMAL", "a commit in the loop, FULL"
DIRECT, NOTHING = "sqlite3 itself, 64 a commit", "nothing recorded"
RECORDERS: dict[str, Callable[[Path], AbstractAsyncContextManager[Keep]]] = {
    STORE: _store,
    EACH: _autocommit,
    SHARED: _shared,
    NORMAL: _in_the_loop("NORMAL"),
    FULL: _in_the_loop("FULL"),
    DIRECT: _direct,
    NOTHING: _nothing,
}

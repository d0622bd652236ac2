"""The SQLite file: how it is opened, what its tables are, and how a recording is a row.

A *tape* is one ordered collection of recordings: the local cache, or the index
of a cassette file in one state. A tape's name says all that its rows depend on.
"""

import math
import re
import sqlite3
import time
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from promptdeck.core.interaction import Frame, Interaction, Request, Response, Variant
from promptdeck.errors import StoreError
from promptdeck.stores.base import Stored

from .dictionaries import Dictionaries, Dictionary
from .packing import Pair, Slot, pack, unpack

MIGRATIONS = (
    """
    CREATE TABLE tape (
        id INTEGER PRIMARY KEY AUTOINCREMENT,  -- never used twice: another process may hold it
        name TEXT NOT NULL UNIQUE,
        source TEXT NOT NULL,              -- the cassette file, or '' for the cache
        bytes INTEGER NOT NULL DEFAULT 0   -- what its recordings weigh together
    );
    CREATE TABLE recording (
        n INTEGER PRIMARY KEY,             -- recorded order within a tape
        tape INTEGER NOT NULL REFERENCES tape(id) ON DELETE CASCADE,
        key TEXT NOT NULL,                 -- fingerprint under the rules in force
        id TEXT NOT NULL,
        base_key TEXT NOT NULL,            -- fingerprint without user rules
        variant TEXT NOT NULL,
        recorded_at REAL NOT NULL,         -- seconds since the epoch, as below
        expires_at REAL,
        used_at REAL NOT NULL,
        bytes INTEGER NOT NULL,
        upstream TEXT NOT NULL,
        redacted INTEGER NOT NULL,
        canonical BLOB NOT NULL,
        request TEXT NOT NULL,             -- JSON: method, target, content type
        request_body BLOB NOT NULL,
        status INTEGER NOT NULL,
        headers TEXT NOT NULL,             -- JSON: [[name, value], ...]
        frames TEXT NOT NULL,              -- JSON: [[offset in ms, length], ...]
        body BLOB NOT NULL
    );
    CREATE INDEX recording_by_key ON recording (key, n);
    CREATE INDEX recording_by_id ON recording (id);
    CREATE INDEX recording_by_use ON recording (tape, used_at);
    """,
    """
    CREATE TABLE completion (              -- what clients asked to have stored
        n INTEGER PRIMARY KEY,
        scope TEXT NOT NULL,               -- '' for good, else as long as one server runs
        id TEXT NOT NULL,
        created INTEGER NOT NULL,          -- seconds since the epoch
        model TEXT NOT NULL,
        metadata TEXT NOT NULL,            -- JSON, as the two below
        messages TEXT NOT NULL,
        body TEXT NOT NULL,
        UNIQUE (scope, id)
    );
    CREATE TABLE slip (                    -- deferred completions, until they are collected
        id TEXT PRIMARY KEY,
        created_at REAL NOT NULL,
        owner INTEGER NOT NULL,            -- the process that works at it
        status INTEGER,                    -- null while it does
        body BLOB
    );
    """,
    """
    CREATE TABLE packed (                  -- recordings made small, from `recording`
        n INTEGER PRIMARY KEY,             -- as it was there
        tape INTEGER NOT NULL REFERENCES tape(id) ON DELETE CASCADE,
        key BLOB NOT NULL,
        id TEXT NOT NULL,
        base_key BLOB,                     -- null where it is the key
        variant TEXT NOT NULL,
        recorded_at REAL NOT NULL,
        expires_at REAL,
        used_at REAL NOT NULL,
        bytes INTEGER NOT NULL,            -- without its pieces
        pieces TEXT,                       -- ids of the last piece of each slot
        data BLOB NOT NULL
    );
    CREATE INDEX packed_by_key ON packed (substr(key, 1, 6));
    CREATE INDEX packed_by_use ON packed (tape, used_at);
    CREATE TABLE piece (                   -- what requests of a tape have in common
        id INTEGER PRIMARY KEY,
        tape INTEGER NOT NULL REFERENCES tape(id) ON DELETE CASCADE,
        digest BLOB NOT NULL,              -- of all elements up to its last
        parent INTEGER,                    -- the piece before it, whose id is lower
        uses INTEGER NOT NULL,             -- recordings and pieces that name it
        data BLOB NOT NULL
    );
    CREATE INDEX piece_by_digest ON piece (tape, substr(digest, 1, 6));
    DROP INDEX IF EXISTS recording_by_id;  -- what is fresh is few, and faster without
    DROP INDEX IF EXISTS recording_by_use;
    UPDATE tape SET bytes = 0;             -- from now on what is packed of it weighs
    """,
    """
    CREATE TABLE dictionary (              -- learnt from recordings, for those to come
        id INTEGER PRIMARY KEY,            -- the first byte of what is packed with it
        learnt INTEGER NOT NULL,           -- number of the last recording that it knows
        data BLOB NOT NULL
    );
    """,
)
"""Append, never edit: `PRAGMA user_version` counts them."""

_COLUMNS = """tape, key, id, base_key, variant, recorded_at, expires_at, used_at, bytes, upstream,
    redacted, canonical, request, request_body, status, headers, frames, body"""
_NEXT = (
    "(SELECT 1 + max(coalesce((SELECT max(n) FROM recording), 0),"
    " coalesce((SELECT max(n) FROM packed), 0)))"
)
INSERT = f"INSERT INTO recording (n, {_COLUMNS}) VALUES ({_NEXT}{', ?' * 18})"
SELECT = f"SELECT n, {_COLUMNS} FROM recording"


class Row(NamedTuple):
    n: int
    tape: int
    stored: Stored
    weight: int
    """Bytes of memory."""


_PRAGMAS = (
    "PRAGMA synchronous = NORMAL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA busy_timeout = 5000",
)


def connect(path: Path) -> sqlite3.Connection:
    """Open the file, making and migrating it as needed. StoreError says what is wrong with it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, isolation_level=None)
    except (sqlite3.Error, OSError) as error:
        raise unusable(path, error) from error
    try:
        _refuse_foreign(connection, path)
        if connection.execute("PRAGMA page_count").fetchone() == (0,):
            # 8 KB pages waste least on rows of about 1 KB, and little on tables that are empty.
            connection.execute("PRAGMA page_size = 8192")
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        _use_wal(connection)
        for pragma in _PRAGMAS:
            connection.execute(pragma)
        _migrate(connection, path)
    except BaseException as error:
        connection.close()
        # A damaged schema's text need not be text, not even in the error's message.
        if isinstance(error, sqlite3.Error | UnicodeDecodeError):
            raise unusable(path, error) from error
        raise
    return connection


def _refuse_foreign(connection: sqlite3.Connection, path: Path) -> None:
    """Before anything about the file is changed, as its journal is, for good."""
    # One statement: between two, another process might make the tables.
    query = "SELECT user_version, (SELECT count(*) FROM sqlite_master) FROM pragma_user_version"
    version, tables = connection.execute(query).fetchone()
    if version == 0 and tables:
        raise StoreError(f"{path} belongs to another program; name another file with --store")


def _use_wal(connection: sqlite3.Connection) -> None:
    """Where processes make a file at the same moment, SQLite refuses at once instead of waiting."""
    for pause in (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0):
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if not pause or not is_locked(error):
                raise
            time.sleep(pause)
        else:
            return


def is_locked(error: Exception) -> bool:
    # The low byte: there are several kinds, such as of recovery after a crash.
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    if _version(connection) == len(MIGRATIONS):
        return
    connection.execute("BEGIN IMMEDIATE")
    version = _version(connection)
    if version > len(MIGRATIONS):
        raise StoreError(
            f"{path} was written by a newer promptdeck (schema {version}); update promptdeck,"
            " or name another file with --store"
        )
    for number, script in enumerate(MIGRATIONS[version:], version + 1):
        for statement in script.split(";"):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {number}")
    connection.execute("COMMIT")


def _version(connection: sqlite3.Connection) -> int:
    [version] = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def unusable(path: Path, error: Exception) -> StoreError:
    return StoreError(f"cannot use the store {path}: {error}; name another file with --store")


def values_of(tape: int, key: str, stored: Stored, now: float) -> tuple[Any, ...]:
    interaction = stored.interaction
    request, response = interaction.request, interaction.response
    body = response.body
    frames = orjson.dumps([(ms, len(data)) for ms, data in response.frames]).decode()
    weight = len(stored.canonical) + len(request.body) + len(body) + len(frames) + 500
    return (
        tape, key, interaction.id, interaction.key, str(interaction.variant),
        interaction.recorded_at, stored.expires_at, now, weight, interaction.upstream,
        interaction.redacted, stored.canonical,
        orjson.dumps((request.method, request.target, request.content_type)).decode(),
        request.body, response.status, orjson.dumps(response.headers).decode(), frames, body,
    )  # fmt: skip


def row_of(values: tuple[Any, ...]) -> Row:
    (
        n, tape, _, name, base_key, variant, recorded_at, expires_at, _, _, upstream,
        redacted, canonical, request, body, status, headers, frames, answer,
    ) = values  # fmt: skip
    loads = orjson.loads
    meta = (upstream, redacted, loads(request), status, loads(headers), loads(frames))
    interaction = _interaction(name, base_key, variant, recorded_at, meta, body, answer)
    return _row(n, tape, Stored(interaction, canonical, expires_at))


def _interaction(
    name: str,
    key: str,
    variant: str,
    recorded_at: float,
    meta: Sequence[Any],
    body: bytes,
    answer: bytes,
) -> Interaction:
    upstream, redacted, request, status, headers, frames = meta
    upstream, method, target, content_type = _alike(upstream, *request)
    named = _alike(*[(key, value) for key, value in headers])
    return Interaction(
        id=name,
        key=key,
        variant=Variant(variant),
        recorded_at=recorded_at,
        upstream=upstream,
        request=Request(method, target, content_type, body),
        response=Response(status, named, tuple(_cut(answer, frames))),
        redacted=redacted,
    )


@lru_cache(maxsize=256)
def _alike(*values: Any) -> tuple[Any, ...]:
    """The same objects for equal values: nearly all recordings have these in common."""
    return values


_OBJECTS, _FRAME = 1000, 130
"""Bytes that a recording takes in memory beside its texts, and each of its frames."""


def _row(n: int, tape: int, stored: Stored) -> Row:
    request, response = stored.interaction.request, stored.interaction.response
    texts = len(stored.canonical) + len(request.body) + sum([len(f.data) for f in response.frames])
    return Row(n, tape, stored, _OBJECTS + _FRAME * len(response.frames) + texts)


def _cut(body: bytes, frames: list[list[int]]) -> Iterator[Frame]:
    start = 0
    for ms, length in frames:
        yield Frame(ms, body[start : start + length])
        start += length


# Packed


_PACKED = (
    "n, tape, key, id, base_key, variant, recorded_at, expires_at, used_at, bytes, pieces, data"
)
INSERT_PACKED = f"INSERT INTO packed ({_PACKED}) VALUES ({', '.join('?' * 12)})"
OF_KEY = "substr(key, 1, 6) = substr(?1, 1, 6) AND key = ?1"
"""Finds packed recordings by key: an index of its beginning takes half the room."""
SELECT_PACKED = f"SELECT {_PACKED} FROM packed"
ROW_BYTES = 130
"""What a packed recording takes beside its blob: the rest of its row, its entries in indexes."""
PIECE_BYTES = 70

_KEY = re.compile(r"p1:([0-9a-f]{32})")


def key_of(name: str) -> bytes | str:
    """A fingerprint as `packed` has it: those of the usual form in half their length."""
    usual = _KEY.fullmatch(name)
    return bytes.fromhex(usual[1]) if usual else name


def name_of(key: bytes | str) -> str:
    return key if isinstance(key, str) else f"p1:{key.hex()}"


_ID = re.compile(r"([0-9a-f]{6})-([0-9]{3}-)([0-9a-f]{8})(-[0-9]+)")


def id_of(name: str, key: str) -> bytes | str:
    """An id as `packed` has it: those of the usual form without what `key`, its own, says."""
    usual = _ID.fullmatch(name)
    if usual and key.startswith(f"p1:{usual[3]}"):
        return bytes.fromhex(usual[1]) + f"{usual[2]}{usual[4][1:]}".encode()
    return name


def full_id(short: bytes | str, key: bytes | str, base_key: bytes | str | None) -> str:
    """The id of a row of `packed`."""
    if isinstance(short, str):
        return short
    start = name_of(key if base_key is None else base_key)[3:11]
    turns, _, ordinal = short[3:].decode().partition("-")
    return f"{short[:3].hex()}-{turns}-{start}-{ordinal}"


def ordinal_of(name: bytes | str) -> int:
    """Which of the recordings of one request it is, by its id in whatever form."""
    return int(name.rpartition("-")[2] if isinstance(name, str) else name[3:].rpartition(b"-")[2])


def packed_values(
    row: tuple[Any, ...], slots: Sequence[Slot], dictionary: Dictionary
) -> tuple[Any, ...]:
    """The row in `packed` of a row in `recording`, but for its pieces, the last column but one."""
    (
        n, tape, name, identity, base_key, variant, recorded_at, expires_at, used_at, _, upstream,
        redacted, canonical, request, request_body, status, headers, frames, body,
    ) = row  # fmt: skip
    meta = (
        upstream, redacted, orjson.Fragment(request), status,
        orjson.Fragment(headers), orjson.Fragment(frames),
    )  # fmt: skip
    data = pack(meta, request_body, canonical, body, slots, dictionary)
    key, base, short = key_of(name), key_of(base_key), id_of(identity, base_key)
    # SQLite writes whole seconds in half the room; what was recorded in one lies in order.
    used_at = math.floor(used_at)
    return (
        n, tape, key, short, None if base == key else base, variant, recorded_at, expires_at,
        used_at, len(data) + ROW_BYTES, data,
    )  # fmt: skip


def packed_row(
    values: tuple[Any, ...], slots: Sequence[Sequence[Pair]], dictionaries: Dictionaries
) -> Row:
    """ValueError if it is damaged."""
    (
        n, tape, key, name, base_key, variant, recorded_at, expires_at, _, _, _, data,
    ) = values  # fmt: skip
    meta, body, canonical, answer = unpack(data, slots, dictionaries)
    own = name_of(key if base_key is None else base_key)
    name = full_id(name, key, base_key)
    interaction = _interaction(name, own, variant, recorded_at, meta, body, answer)
    return _row(n, tape, Stored(interaction, canonical, expires_at))

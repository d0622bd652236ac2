"""The SQLite file: what its tables are, how it is opened, and brought up to date.

A *tape* is one ordered collection of recordings: the local cache, or the index
of a cassette file in one state. A tape's name says all that its rows depend on.
"""

import contextlib
import os
import sqlite3
import sys
import time
from pathlib import Path

from promptdeck.errors import StoreError

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
    """
    CREATE TABLE sketch (                  -- of recordings of cassettes, for misses
        n INTEGER PRIMARY KEY,             -- the recording's
        tape INTEGER NOT NULL REFERENCES tape(id) ON DELETE CASCADE,
        model TEXT,                        -- that its request names
        data BLOB NOT NULL                 -- for the nearest to be found
    );
    CREATE INDEX sketch_by_tape ON sketch (tape);
    """,
    "SELECT 1  -- no table changes: see `_STATEFUL_DROPPED`",
    """
    ALTER TABLE recording ADD COLUMN digest BLOB;  -- of what a client gets, and what finds it
    ALTER TABLE packed ADD COLUMN digest BLOB;     -- null in rows of earlier versions
    """,
    """
    CREATE TABLE handed (                  -- calls that were left to clients, for an hour
        call TEXT PRIMARY KEY,             -- as the model named it
        handoff TEXT,                      -- the id that its client was told, if any
        created_at REAL NOT NULL,
        body BLOB NOT NULL                 -- JSON: the model's message, what our calls gave
    );
    CREATE INDEX handed_by_handoff ON handed (handoff);
    """,
)
"""Append, never edit: `PRAGMA user_version` counts them."""

_STATEFUL_DROPPED = 6
"""From this version on a cache holds no stateful calls."""

_PRAGMAS = (
    # A power cut may cost the last commits, never the file (sqlite.org/wal.html#performance):
    # a lost answer is asked again, while a sync for each commit would cost milliseconds.
    "PRAGMA synchronous = NORMAL",
    "PRAGMA foreign_keys = ON",  # off by default; a tape that is dropped takes its rows along
    # Milliseconds to wait for another process: longer than any transaction of ours, which pack
    # at most 4 MiB; below what a client waits for an answer.
    "PRAGMA busy_timeout = 5000",
)

_WAL_PAUSES = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32)
"""Seconds between attempts to switch to WAL: 0.6 together, while a switch takes milliseconds."""


def connect(path: Path) -> sqlite3.Connection:
    """Open a store's file, made and migrated as needed; its folder is made, too.

    The connection commits each statement by itself unless `BEGIN` was said. StoreError,
    with a way out, for a file that cannot be opened, is no store, or is a newer one.
    """
    try:
        _make_folder(path.parent)
        _make_private(path)
        connection = sqlite3.connect(path, isolation_level=None)
    except (sqlite3.Error, OSError) as error:
        raise unusable(path, error) from error
    try:
        _refuse_foreign(connection, path)
        _keep_private(path)
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


def _make_folder(folder: Path) -> None:
    """Make a folder for this user alone, and those above it. OSError.

    It may be there for the store alone; one that is there already is somebody's choice.
    """
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)


def _make_private(path: Path) -> None:
    """Make a store's file for this user alone, unless it is there: it holds whole prompts.

    SQLite gives the files beside it, `-wal` and `-shm`, the same permissions.
    """
    if str(path) != ":memory:":
        # Never a file that is there: to close it would drop the locks that SQLite has on it.
        with contextlib.suppress(OSError):  # SQLite says what is wrong
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def _keep_private(path: Path) -> None:
    """Take from others the right to read a store's file and its companions.

    Those of 0.1.0 had it by accident of the umask (0644). Where others may write as well, as
    a store needs that several users share, somebody meant it.
    """
    if sys.platform == "win32":
        return
    for name in (path, *(path.with_name(path.name + end) for end in ("-wal", "-shm"))):
        with contextlib.suppress(OSError):  # of one that is not there
            found = name.stat()
            if found.st_uid == os.getuid() and found.st_mode & 0o044 and not found.st_mode & 0o022:
                name.chmod(0o600)


def _refuse_foreign(connection: sqlite3.Connection, path: Path) -> None:
    """Raise StoreError for another program's database, before anything about it is changed.

    Opening it our way would change its journal mode, which lasts.
    """
    # One statement: between two, another process might make the tables.
    query = "SELECT user_version, (SELECT count(*) FROM sqlite_master) FROM pragma_user_version"
    version, tables = connection.execute(query).fetchone()
    if version == 0 and tables:
        raise StoreError(f"{path} belongs to another program; name another file with --store")


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch the file to a write-ahead log, so that readers and a writer never wait for each other.

    Where processes make a file at the same moment, SQLite refuses at once instead of
    waiting `busy_timeout`: hence the attempts.
    """
    for pause in (*_WAL_PAUSES, 0):
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if not pause or not is_locked(error):
                raise
            time.sleep(pause)
        else:
            return


def is_locked(error: Exception) -> bool:
    """True if `error` is SQLite's for a file that another connection has locked."""
    # The low byte: there are several kinds, such as of recovery after a crash.
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Run the migrations that the file has not had, in one transaction. StoreError if newer."""
    if _version(connection) == len(MIGRATIONS):
        return
    connection.execute("BEGIN IMMEDIATE")
    version = _version(connection)  # again: another process may have migrated meanwhile
    if version > len(MIGRATIONS):
        raise StoreError(
            f"{path} was written by a newer promptdeck (schema {version}); update promptdeck,"
            " or name another file with --store"
        )
    for number, script in enumerate(MIGRATIONS[version:], version + 1):
        for statement in script.split(";"):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {number}")
    if 0 < version < _STATEFUL_DROPPED:
        from .upgrade import drop_stateful  # which nobody else needs

        drop_stateful(connection)
    connection.execute("COMMIT")


def _version(connection: sqlite3.Connection) -> int:
    [version] = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def unusable(path: Path, error: Exception) -> StoreError:
    """The error to raise where `error` keeps a command from using the store at `path`."""
    return StoreError(f"cannot use the store {path}: {error}; name another file with --store")

"""The SQLite schema as numbered migrations: append, never edit; `PRAGMA user_version` counts them.

A *tape* is one ordered collection of recordings: the local cache, or the index
of a cassette file in one state. A tape's name says all that its rows depend on.
"""

MIGRATIONS = (
    """
    CREATE TABLE tape (
        id INTEGER PRIMARY KEY,
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
    CREATE INDEX recording_by_use ON recording (tape, used_at);
    """,
)

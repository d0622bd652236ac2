"""What an older version kept is brought up to date: stateful calls leave the cache, none else."""

import sqlite3
from contextlib import closing

import orjson
import pytest

from promptdeck.core.interaction import Request
from promptdeck.stores.sqlite.migrations import connect
from promptdeck.stores.sqlite.tape import cache_tape
from promptdeck.stores.sqlite.tapes import insert, tape_of
from promptdeck.stores.sqlite.writer import CACHE
from tests.recordings import chat_request, of, opened, stored, whole
from tests.stores.sqlite.test_pieces import check, words

JSON = "application/json"


def asked(method, path, body=None):
    return Request(method, path, JSON if body is not None else "", orjson.dumps(body or {}))


PURE = [
    *(chat_request(words(n), messages=[{"role": "user", "content": words(n)}]) for n in range(20)),
    asked("POST", "/v1/embeddings", {"model": "e", "input": "a"}),
    asked("POST", "/v1/responses", {"model": "m", "input": words("r")}),
    asked("POST", "/v1/messages", {"model": "m", "messages": [], "max_tokens": 1}),
    Request("POST", "/v1/audio/transcriptions", "multipart/form-data; boundary=x", b"\xff\x00"),
]
STATEFUL = [
    asked("GET", "/v1/files"),
    asked("DELETE", "/v1/files/f1"),
    asked("POST", "/v1/threads", {"metadata": {"text": words("thread")}}),
    asked("POST", "/v1/responses", {"model": "m", "input": "b", "previous_response_id": "r1"}),
    asked("POST", "/v1/responses", {"model": "m", "input": "b", "background": True}),
    Request("GET", "/v1/files/f1?caf\udce9", "", b""),
]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store.db"


def as_version_5(db):
    """Make of a file of today one of before: no calls handed over, no digests, stateful ones."""
    for table in ("recording", "packed"):
        db.execute(f"ALTER TABLE {table} DROP COLUMN digest")
    db.execute("DROP TABLE handed")
    db.execute("PRAGMA user_version = 5")


@pytest.mark.parametrize("packed", [True, False])
async def test_stateful_calls_leave_an_old_cache_and_nothing_else_does(path, packed):
    recordings = [of(request, whole("answer")) for request in (*STATEFUL, *PURE, *STATEFUL)]
    async with opened(path) as database:
        tape = await cache_tape(database)
        for recording in recordings:
            await tape.put(*stored(recording), replace=False)
    # Closing has packed them.
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        if not packed:
            db.execute("DELETE FROM packed")
            db.execute("DELETE FROM piece")
            db.execute("UPDATE tape SET bytes = 0")
            insert(db, tape_of(db, CACHE, ""), map(stored, recordings))
        as_version_5(db)
    connect(path).close()
    async with opened(path) as database:
        tape = await cache_tape(database)
        for request in PURE:
            assert tape.find(stored(of(request, whole("answer")))[0])
        for request in STATEFUL:
            assert not tape.find(stored(of(request, whole("answer")))[0])
        check(database)


def test_an_index_of_cassettes_keeps_them(path):
    connect(path).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        recording = of(STATEFUL[0], whole("answer"))
        insert(db, tape_of(db, "x", "/some/file.yaml"), [stored(recording)])
        as_version_5(db)
    with closing(connect(path)) as db:
        assert db.execute("SELECT count(*) FROM recording").fetchone() == (1,)

"""A recording that says nothing of the headers that select answers as it did in 0.1.0."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner

from promptdeck.cli.transfer import import_command
from promptdeck.core.matching.normalize import normalize
from promptdeck.core.matching.rules import Rules
from promptdeck.stores.base import Stored
from promptdeck.stores.cassettes.dump import HEADER, dump
from promptdeck.stores.cassettes.file import path_of, read
from promptdeck.stores.cassettes.verify import verify
from promptdeck.stores.sqlite.database import Database
from promptdeck.stores.sqlite.tape import cache_tape
from tests.conftest import Deck, Got, Start
from tests.recordings import REDACTOR
from tests.scripted_upstream import Upstream, raw

SPEECH = "POST", "/v1/audio/speech", b'{"model":"t","input":"hi","voice":"v"}'
FILE = "GET", "/v1/files/f1/content", b""
CALLS = pytest.mark.parametrize("call", [SPEECH, FILE], ids=["speech", "file"])
ASKED = [
    {},
    {"Accept": "application/octet-stream"},
    {"Accept": "audio/mpeg"},
    {"Accept": "text/csv;q=0.9, text/*"},
    {"Range": "bytes=0-3"},
    {"Range": "bytes=0-3", "If-Range": '"a"', "Accept": "audio/mpeg"},
]
SOUND = raw(b"0123456789", headers={"Content-Type": "audio/mpeg"})


async def ask(deck: Deck, call: tuple[str, str, bytes], headers: dict[str, str]) -> Got:
    method, path, body = call
    return await deck.request(method, path, body or None, **headers)


def as_0_1_0(path: Path) -> None:
    """Write a cassette as 0.1.0 did: without digests and selecting headers."""
    kept = [one._replace(request=one.request._replace(selecting=())) for one in read(path)]
    text = HEADER + "\n".join(map(dump, kept))
    path.write_text(re.sub(r"(?m)^ +digest: .*\n", "", text))


@CALLS
@pytest.mark.parametrize("fast", [True, False])
async def test_a_cassette_of_then_answers_whatever_selecting_headers_say(
    start: Start, provider: Upstream, fast: bool, call: tuple[str, str, bytes]
) -> None:
    provider.answers = [SOUND] * 2
    deck = await start(mode="record", cassette="x")
    for _ in range(2):
        await ask(deck, call, {})
    path = path_of(start.folder / "cassettes", "x")
    as_0_1_0(path)
    assert verify(path, REDACTOR) == []
    for cassette in ("x", None):  # the cassette, and the folder
        replay = await start(mode="replay", cassette=cassette, fast=fast)
        for headers in ASKED:
            for _ in range(2):
                assert (await ask(replay, call, headers)).body == b"0123456789", headers
        missing = await start(mode="record-missing", cassette="x", fast=fast)
    for headers in ASKED[1:2] * 2:
        assert "hit" in (await ask(missing, call, headers)).cache_status


async def test_each_of_a_sequence_of_then_has_its_turn(start: Start, provider: Upstream) -> None:
    provider.answers = [raw(b"%d" % n, headers={"Content-Type": "audio/mpeg"}) for n in range(3)]
    deck = await start(mode="record", cassette="x")
    for _ in range(3):
        await ask(deck, SPEECH, {})
    as_0_1_0(path_of(start.folder / "cassettes", "x"))
    replay = await start(mode="replay", cassette="x")
    said = [(await ask(replay, SPEECH, {"Accept": "audio/mpeg"})).body for _ in range(4)]
    assert said == [b"0", b"1", b"2", b"2"]


async def test_a_recording_made_since_then_counts_them(start: Start, provider: Upstream) -> None:
    provider.answers = [SOUND, raw(b"wave", headers={"Content-Type": "audio/wav"})]
    deck = await start(mode="record", cassette="x")
    await ask(deck, SPEECH, {})
    replay = await start(mode="replay", cassette="x")
    assert (await ask(replay, SPEECH, {"Accept": "audio/wav"})).status == 400
    # One of then gives way to one that was made for just such a request.
    as_0_1_0(path_of(start.folder / "cassettes", "x"))
    deck = await start(mode="record", cassette="x")
    await ask(deck, SPEECH, {"Accept": "audio/wav"})
    for fast in (True, False):
        replay = await start(mode="replay", cassette="x", fast=fast)
        for headers in ({"Accept": "audio/wav"}, {}, {"Accept": "audio/ogg"}) * 2:
            wanted = b"wave" if headers.get("Accept") == "audio/wav" else b"0123456789"
            assert (await ask(replay, SPEECH, headers)).body == wanted
    one, other = read(path_of(start.folder / "cassettes", "x"))
    assert {one.request.selecting, other.request.selecting} == {
        (("*", "unknown"),),
        (("accept", "audio/wav"),),
    }


@pytest.mark.parametrize("fast", [True, False])
async def test_a_cache_of_then_answers_whatever_selecting_headers_say(
    start: Start, provider: Upstream, fast: bool
) -> None:
    provider.answers = [SOUND]
    deck = await start(mode="record", cassette="x")
    await ask(deck, SPEECH, {})
    [one] = read(path_of(start.folder / "cassettes", "x"))
    store = start.folder / "old.db"
    async with Database(store, 2**30) as database:
        tape = await cache_tape(database)
        canonical = normalize(one.request, Rules(), REDACTOR).canonical
        await tape.put(one.key, Stored(one, canonical), replace=True)
    with closing(sqlite3.connect(store, isolation_level=None)) as db:
        # Rows of then have no digest.
        tables = ("recording", "packed")
        counts = [db.execute(f"UPDATE {one} SET digest = NULL").rowcount for one in tables]
        assert sum(counts) == 1
    deck = await start(mode="cache", store=store, fast=fast)
    for headers in ASKED * 2:
        assert "hit" in (await ask(deck, SPEECH, headers)).cache_status
    assert len(provider.seen) == 1


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, False),
        ({"Range": "bytes=0-3"}, True),
        ({"Range": "bytes=0-4"}, False),
        ({"Range": "bytes=4-7"}, False),
        ({"Range": "bytes=0-3", "Accept": "audio/mpeg"}, True),
    ],
)
async def test_a_part_of_then_answers_who_asks_for_it(
    start: Start, provider: Upstream, asked: dict[str, str], found: bool
) -> None:
    head = {"Content-Type": "audio/mpeg", "Content-Range": "bytes 0-3/10"}
    provider.answers = [raw(b"0123", status=206, headers=head)]
    deck = await start(mode="record", cassette="x")
    await ask(deck, FILE, {"Range": "bytes=0-3"})
    path = path_of(start.folder / "cassettes", "x")
    as_0_1_0(path)
    [one] = read(path)
    assert one.request.selecting == (("*", "unknown"),)
    for fast in (True, False):
        replay = await start(mode="replay", cassette="x", fast=fast)
        assert ((await ask(replay, FILE, asked)).status == 206) is found


@CALLS
@pytest.mark.parametrize("kept", [{}, {"content-type": "application/json"}, {"accept": "*/*"}])
async def test_an_import_that_lost_its_headers_answers_whoever_asks(
    start: Start, tmp_path: Path, call: tuple[str, str, bytes], kept: dict[str, str]
) -> None:
    method, target, body = call
    request = {
        "method": method,
        "url": f"https://api.example.com{target}",
        "httpVersion": "HTTP/1.1",
        "headers": [{"name": name, "value": value} for name, value in kept.items()],
        "queryString": [],
        "cookies": [],
        "postData": {"mimeType": "application/json", "text": body.decode()},
    }
    response = {
        "status": 200,
        "headers": [{"name": "content-type", "value": "text/csv"}],
        "content": {"mimeType": "text/csv", "text": "a,b"},
    }
    entry = {"startedDateTime": "2024-01-02T03:04:05Z", "request": request, "response": response}
    har = tmp_path / "old.har"
    har.write_bytes(orjson.dumps({"log": {"version": "1.2", "entries": [entry]}}))
    folder = start.folder / "cassettes"
    ran = CliRunner().invoke(import_command, [str(har), "--to", "x", "--cassettes", str(folder)])
    assert ran.exit_code == 0, ran.output
    replay = await start(mode="replay", cassette="x")
    headers = {"Content-Type": "application/json"} if body else {}
    assert (await ask(replay, call, headers)).body == b"a,b"
    got = await ask(replay, call, {**headers, "Accept": "audio/mpeg"})
    # A file that says what was accepted is taken at its word.
    assert (got.body == b"a,b") is ("accept" not in kept)

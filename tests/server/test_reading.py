"""A client's request as the engine takes it: the target that counts."""

import asyncio
import socket
import time
from urllib.parse import quote

import orjson
import pytest
from aiohttp import StreamReader
from aiohttp.base_protocol import BaseProtocol
from aiohttp.test_utils import make_mocked_request
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.dialects.homes import Homes
from promptdeck.core.targets import prefix_of, target_of
from promptdeck.server.reading import Ground, incoming_of
from tests.conftest import Start

SEGMENTS = st.text("abv1%/.é-", min_size=1, max_size=5).map(lambda text: quote(text, safe=""))
RESTS = st.lists(SEGMENTS | st.sampled_from(["v1", "session", "cassette", ""]), max_size=4)
VERSIONS = st.sampled_from(["v1", "%76%31", "%761", "v%31"])
NAMES = SEGMENTS | st.just("v1")
PREFIXES = st.one_of(
    st.just(""),
    NAMES.map(lambda name: f"/session/{name}"),
    NAMES.map(lambda name: f"/%63assette/{name}"),
    st.tuples(NAMES, SEGMENTS.filter(lambda name: name != "v1")).map(
        lambda names: f"/cassette/{'/'.join(names)}"
    ),
)


@given(PREFIXES, VERSIONS, RESTS, st.sampled_from(["", "?", "?a=/v1/b", "?/cassette/x/v1/"]))
def test_what_counts_is_what_follows_v1_whatever_stands_before_it(
    prefix: str, version: str, rest: list[str], query: str
) -> None:
    # What is appended to a base_url twice is another test's (test_paths).
    tail = "/".join(part for part in rest if part not in ("v1", "openai", "")) + query
    assert target_of(f"{prefix}/{version}/{tail}") == f"/v1/{tail}"
    assert target_of(f"http://a.example:80{prefix}/{version}/{tail}") == f"/v1/{tail}"


@pytest.mark.parametrize("name", ["v1", "v1/x", "v1/v1x", "session", "x/v2"])
async def test_a_cassette_of_any_name_is_reached(start: Start, name: str) -> None:
    recording = await start(mode="record", cassette=name)
    recorded = await recording.chat("hi")
    deck = await start(mode="replay")
    for _ in range(3):
        got = await deck.chat("hi", at=f"/cassette/{name}")
        assert (got.status, got.body) == (200, recorded.body)
    assert deck.server.counts().hits == 3
    opened = await deck.request("POST", "/_deck/sessions", b'{"cassette":"%b"}' % name.encode())
    assert (await deck.chat("hi", at=f"/session/{opened.json['id']}")).body == recorded.body


@pytest.mark.parametrize("path", ["/%76%31/models", "/v%31/models", "/cassette/c/%76%31/models"])
async def test_v1_is_the_same_however_it_is_written(start: Start, path: str) -> None:
    deck = await start(mode="passthrough")
    assert (await deck.request("GET", path)).status == 200
    assert deck.upstream.seen[-1].path == "/v1/models"


@pytest.mark.parametrize("mode", ["passthrough", "cache", "record"])
async def test_a_server_that_leads_to_itself_says_so_at_once(start: Start, mode: str) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # By a name, which is not looked up at the start.
    url = f"http://{socket.gethostname()}:{port}/v1"
    anyone = {"PROMPTDECK_SERVER_ALLOW_ANYONE": "true", "PROMPTDECK_SERVER_HOSTS": "['*']"}
    deck = await start(mode=mode, port=port, host="0.0.0.0", upstream=url, environ=anyone)
    got = await asyncio.wait_for(deck.chat(), 20)
    assert (got.status, got.json["code"]) == (508, "loop")
    assert "--upstream" in got.json["message"]


async def test_one_deck_behind_another_is_no_loop(start: Start) -> None:
    last = await start(mode="cache", store=start.folder / "a.db")
    first = await start(mode="passthrough", upstream=last.server.base_url)
    for _ in range(3):
        assert (await first.chat(headers={"X_Promptdeck_Hop": "else-1"})).status == 200
        await last.idle()
    assert last.server.counts().hits == 2
    [seen] = last.upstream.seen
    hops = seen.headers["X-Promptdeck-Hop"].split(",")
    assert hops[0] == "else-1"
    assert len({*hops}) == 3


@given(PREFIXES, VERSIONS, RESTS)
def test_a_prefix_is_what_stands_before(prefix: str, version: str, rest: list[str]) -> None:
    tail = "/".join(part for part in rest if part not in ("v1", "openai", ""))
    assert prefix_of(f"{prefix}/{version}/{tail}?a=/v1/") == prefix


MANY = {
    "objects": b'{"a":1,"b":"hi"},',
    "numbers": b"1,",
    "lists": b"[],",
    "nested": b'{"a":{"b":[',
    "texts": b'"x",',
}


LARGE = pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")


@LARGE
@pytest.mark.parametrize("mode", ["cache", "passthrough", "replay"])
@pytest.mark.parametrize("item", MANY.values(), ids=MANY)
async def test_json_of_too_many_values_is_refused_before_it_is_read(
    start: Start, mode: str, item: bytes
) -> None:
    deck = await start(mode=mode)
    many = b' {"model":"m","deferred":1,"messages":[' + item * (12_000_000 // len(item))
    begun = time.monotonic()
    got = await deck.request("POST", "/v1/chat/completions", many, X_Provider="openai")
    assert got.status == 413
    assert got.json["error"]["code"] == "too_many_values"
    assert "server.max_values (500000)" in got.json["error"]["message"]
    assert time.monotonic() - begun < 3
    assert deck.upstream.seen == []


@LARGE
async def test_large_texts_and_files_are_none_of_many_values(start: Start) -> None:
    deck = await start(mode="replay")
    text = orjson.dumps("What a text, of some words. " * 400_000).decode()
    body = f'{{"model":"m","messages":[{{"role":"user","content":{text}}}]}}'.encode()
    got = await deck.request("POST", "/v1/chat/completions", body)
    assert got.json["error"]["code"] == "cassette_miss"
    form = b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\n' + b"[1,2]\n" * 400_000
    got = await deck.request(
        "POST", "/v1/files", form, Content_Type="multipart/form-data; boundary=x"
    )
    assert got.json["error"]["code"] == "cassette_miss"


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("mode", ["cache", "record"])
async def test_a_key_of_no_known_shape_is_hidden_where_a_prompt_says_it(
    start: Start, fast: bool, mode: str
) -> None:
    ours, theirs = "opensesame-of-ours", 'open sesame of "theirs"'
    environ = {"PROMPTDECK_UPSTREAM_API_KEY": ours}
    cassette = "x" if mode == "record" else None
    deck = await start(environ, mode=mode, cassette=cassette, fast=fast)
    for number in range(2):
        await deck.chat(f"say {ours} {number}")
        await deck.chat(f"tell {theirs} {number}", headers={"Authorization": f"Bearer {theirs}"})
        await deck.idle()
    sent = [seen.json["messages"][0]["content"] for seen in deck.upstream.seen]
    assert sent == [f"{text} {n}" for n in range(2) for text in (f"say {ours}", f"tell {theirs}")]
    hits = deck.server.counts().hits
    for word, key in (("say", ours), ("tell", theirs), ("tell", "another-key-of-theirs")):
        got = await deck.chat(f"{word} {key} 0", headers={"Authorization": f"Bearer {key}"})
        assert got.status == 200
    assert deck.server.counts().hits - hits == (3 if mode == "cache" else 0)
    await deck.idle()
    kept = b"".join(file.read_bytes() for file in start.folder.rglob("*") if file.is_file())
    assert len(kept) > 1000
    for key in (ours, theirs, "sesame"):
        assert key.encode() not in kept


@pytest.mark.parametrize(("size", "least"), [(1000, 0), (2_000_000, 3)])
async def test_others_get_their_turn_between_the_looks_at_a_large_body(
    size: int, least: int
) -> None:
    """Each look at all of 32 MB takes milliseconds: several in a row would hold others up."""
    ground = Ground({}, Homes("http://u.example/v1", {}), (), 10**6)
    payload = StreamReader(BaseProtocol(asyncio.get_running_loop()), limit=2**22)
    payload.feed_data(b'{"a":"%b"}' % (b"x" * size))
    payload.feed_eof()
    headers = {"Content-Type": "application/json"}
    request = make_mocked_request(
        "POST", "/v1/chat/completions", headers, payload=payload, client_max_size=10**7
    )
    turns = 0

    async def another() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as tasks:
        other = tasks.create_task(another())
        await asyncio.sleep(0)
        turns = 0
        incoming = await incoming_of(request, ground)
        assert turns >= least
        other.cancel()
    assert len(incoming.request.body) == size + 8

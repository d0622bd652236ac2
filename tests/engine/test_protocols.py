"""Each protocol over a real socket: either form answers for the other, by whatever way."""

import asyncio
import itertools
import re

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.dialects.table import dialect_of
from promptdeck.core.text import sse
from promptdeck.engine.flights.flight import Head
from promptdeck.engine.flights.log import Chunk
from promptdeck.engine.flights.recorder import response_of
from tests.conftest import Start
from tests.dialects import PROTOCOLS, response
from tests.scripted_upstream import Upstream, raw, stream

ALL = pytest.mark.parametrize("name", PROTOCOLS)
FAST = pytest.mark.parametrize("fast", [True, False], ids=["fast", "ordinary"])


def asking(name: str, *, streamed: bool, **more: object) -> tuple[str, bytes]:
    """Path and body of a request."""
    sample = PROTOCOLS[name]
    if streamed and sample.stream_path:
        return sample.stream_path, orjson.dumps(sample.body | more)
    return sample.path, orjson.dumps(sample.body | more | ({"stream": True} if streamed else {}))


@ALL
@FAST
@pytest.mark.parametrize("mode", ["cache", "replay"])
async def test_a_stream_answers_the_same_prompt_asked_for_json(
    start: Start, provider: Upstream, name: str, fast: bool, mode: str
) -> None:
    provider.answers = [stream(PROTOCOLS[name].stream)]
    cassette = {} if mode == "cache" else {"cassette": "a"}
    deck = await start(mode="cache" if mode == "cache" else "record", fast=fast, **cassette)
    first = await deck.request("POST", *asking(name, streamed=True))
    if mode == "replay":
        deck = await start(mode="replay", fast=fast, **cassette)
    for label in ("one", "two"):
        got = await deck.request("POST", *asking(name, streamed=False, user=label))
        assert "converted-from=sse" in got.cache_status
        assert got.headers["Content-Type"] == "application/json"
        assert got.json == PROTOCOLS[name].whole
        again = await deck.request("POST", *asking(name, streamed=True, user=label))
        assert "hit" in again.cache_status
        assert again.body == first.body
    assert len(provider.seen) == 1


@ALL
@FAST
async def test_an_answer_in_json_answers_the_same_prompt_asked_for_a_stream(
    start: Start, provider: Upstream, name: str, fast: bool
) -> None:
    provider.answers = [raw(orjson.dumps(PROTOCOLS[name].whole))]
    deck = await start(mode="record", cassette="a", fast=fast)
    await deck.request("POST", *asking(name, streamed=False))
    deck = await start(mode="replay", cassette="a", fast=fast)
    for _ in range(2):
        got = await deck.request("POST", *asking(name, streamed=True))
        assert "converted-from=json" in got.cache_status
        assert got.headers["Content-Type"].startswith("text/event-stream")
        dialect = dialect_of("POST", PROTOCOLS[name].path)
        assert got.body == b"".join(dialect.cut(PROTOCOLS[name].whole))  # type: ignore[attr-defined]


@ALL
@FAST
async def test_a_stream_that_0_1_0_kept_as_json_is_one(
    start: Start, provider: Upstream, name: str, fast: bool
) -> None:
    provider.answers = [stream(PROTOCOLS[name].stream)]
    deck = await start(mode="record", cassette="a")
    recorded = await deck.request("POST", *asking(name, streamed=True))
    if name == "chat":  # whose variants it knew
        return
    file = start.folder / "cassettes" / "a.yaml"
    kept = re.sub(r"(?m)^  digest: .*\n", "", file.read_text())
    file.write_text(kept.replace("variant: sse", "variant: json"))
    deck = await start(mode="replay", cassette="a", fast=fast)
    for _ in range(2):
        got = await deck.request("POST", *asking(name, streamed=True))
        assert got.body == recorded.body
        assert "converted" not in got.cache_status
        whole = await deck.request("POST", *asking(name, streamed=False))
        assert whole.json == PROTOCOLS[name].whole


@ALL
@FAST
async def test_a_miss_is_400_in_the_shape_of_the_protocol(
    start: Start, provider: Upstream, name: str, fast: bool
) -> None:
    provider.answers = [raw(orjson.dumps(PROTOCOLS[name].whole))]
    await (await start(mode="record", cassette="a")).request("POST", *asking(name, streamed=False))
    deck = await start(mode="replay", cassette="a", fast=fast)
    for streamed in (False, True):
        miss = await deck.request("POST", *asking(name, streamed=streamed, novel=1))
        assert (miss.status, miss.headers["x-should-retry"]) == (400, "false")
        assert "$.novel" in miss.json["error"]["message"]
        assert miss.headers["Content-Type"].startswith("application/json")
    elsewhere = await deck.request("POST", "/v1/threads", b"{}")
    assert (elsewhere.status, elsewhere.json["code"]) == (404, "cassette_miss")


@ALL
@FAST
async def test_a_stream_that_breaks_off_ends_with_what_its_readers_raise_on(
    start: Start, provider: Upstream, name: str, fast: bool
) -> None:
    sample = PROTOCOLS[name]
    provider.answers = [stream(sample.stream[:2], cut=True)]
    deck = await start(mode="cache", fast=fast)
    for _ in range(2):
        got = await deck.request("POST", *asking(name, streamed=True))
        begun = b"".join(sample.stream[:2])
        assert got.body.startswith(begun)
        [told] = [frame for frame in sse.frames(got.body[len(begun) :]) if frame.strip()]
        dialect = dialect_of("POST", sample.path)
        assert dialect.problem_with(response([*sample.stream[:2], told]))
        assert b'"error":' in told
    assert len(provider.seen) == 2


@ALL
@FAST
async def test_silence_is_bridged_where_all_clients_of_the_protocol_survive_it(
    start: Start, provider: Upstream, name: str, fast: bool
) -> None:
    deck = await start(mode="cache", environ={"PROMPTDECK_SERVER_KEEP_ALIVE": "20ms"}, fast=fast)
    gate, frames = asyncio.Event(), PROTOCOLS[name].stream
    provider.answers = [stream(frames, gate=gate, before_gate=2)]
    asked = asyncio.create_task(deck.request("POST", *asking(name, streamed=True)))  # noqa: TID251
    await asyncio.sleep(0.2)
    gate.set()
    body = (await asked).body
    assert (b": keep-alive\n\n" in body) == (name != "gemini")
    assert body.replace(b": keep-alive\n\n", b"") == b"".join(frames)


@ALL
@given(data=st.data(), end=st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_any_cut_of_the_bytes_is_recorded_as_the_same_events(
    name: str, data: st.DataObject, end: bytes
) -> None:
    sample, head = PROTOCOLS[name], Head(200, (("content-type", "text/event-stream"),))
    text = b"".join(sample.stream).replace(b"\r\n", b"\n").replace(b"\n", end)
    places = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    cuts = itertools.pairwise([0, *places, len(text)])
    chunks = [Chunk(n, text[a:b]) for n, (a, b) in enumerate(cuts) if a < b]
    recorded = response_of(head, chunks, 10**9)
    dialect = dialect_of("POST", sample.path)
    assert recorded.body == text
    assert len(recorded.frames) == len(sample.stream)
    assert dialect.message(recorded) == sample.whole
    assert dialect.problem_with(recorded) is None

"""Each protocol over a real socket: either form answers for the other, by whatever way."""

import asyncio
import itertools
import re
from collections.abc import Sequence
from typing import Any

import orjson
import pytest
from aiohttp import ClientPayloadError
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.dialects.table import dialect_of
from promptdeck.core.secrets.answers import cleared_body
from promptdeck.core.text import sse
from promptdeck.engine.flights.flight import Head
from promptdeck.engine.flights.log import Chunk
from promptdeck.engine.flights.recorder import response_of
from promptdeck.stores.cassettes.verify import verify
from tests.conftest import Start
from tests.dialects import PROTOCOLS, response
from tests.recordings import REDACTOR
from tests.scripted_upstream import Upstream, raw, stream

ALL = pytest.mark.parametrize("name", PROTOCOLS)
FAST = pytest.mark.parametrize("fast", [True, False], ids=["fast", "ordinary"])


def asking(name: str, *, streamed: bool, **more: object) -> tuple[str, bytes]:
    """Path and body of a request."""
    sample = PROTOCOLS[name]
    if streamed and sample.stream_path:
        return sample.stream_path, orjson.dumps(sample.body | more)
    return sample.path, orjson.dumps(sample.body | more | ({"stream": True} if streamed else {}))


def streaming(name: str, frames: Sequence[bytes], **more: Any) -> object:
    """What the provider sends of a stream."""
    kind = PROTOCOLS[name].streamed(()).content_type
    return stream(frames, content_type=kind, **more)


@ALL
@FAST
@pytest.mark.parametrize("mode", ["cache", "replay"])
async def test_a_stream_answers_the_same_prompt_asked_for_json(
    start: Start, provider: Upstream, name: str, fast: bool, mode: str
) -> None:
    provider.answers = [streaming(name, PROTOCOLS[name].stream)]
    cassette = {} if mode == "cache" else {"cassette": "a"}
    deck = await start(mode="cache" if mode == "cache" else "record", fast=fast, **cassette)
    first = await deck.request("POST", *asking(name, streamed=True))
    if mode == "replay":
        deck = await start(mode="replay", fast=fast, **cassette)
    for label in ("one", "two"):
        got = await deck.request("POST", *asking(name, streamed=False, user=label))
        assert f"converted-from={PROTOCOLS[name].variant}" in got.cache_status
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
        assert got.headers["Content-Type"].startswith(PROTOCOLS[name].streamed(()).content_type)
        dialect = dialect_of("POST", PROTOCOLS[name].path)
        assert got.body == b"".join(dialect.cut(PROTOCOLS[name].whole))  # type: ignore[attr-defined]


@ALL
@FAST
async def test_a_stream_that_0_1_0_kept_as_json_is_one(
    start: Start, provider: Upstream, name: str, fast: bool
) -> None:
    provider.answers = [streaming(name, PROTOCOLS[name].stream)]
    deck = await start(mode="record", cassette="a")
    recorded = await deck.request("POST", *asking(name, streamed=True))
    if name == "chat":  # whose variants it knew
        return
    file = start.folder / "cassettes" / "a.yaml"
    kept = re.sub(r"(?m)^  digest: .*\n", "", file.read_text())
    assert "variant: json" not in kept
    file.write_text(re.sub("variant: (sse|lines)", "variant: json", kept))
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
        error = miss.json["error"]
        assert "$.novel" in (error if PROTOCOLS[name].in_lines else error["message"])
        assert miss.headers["Content-Type"].startswith("application/json")
    elsewhere = await deck.request("POST", "/v1/threads", b"{}")
    assert (elsewhere.status, elsewhere.json["code"]) == (404, "cassette_miss")


@ALL
@FAST
async def test_a_stream_that_breaks_off_ends_with_what_its_readers_raise_on(
    start: Start, provider: Upstream, name: str, fast: bool
) -> None:
    sample = PROTOCOLS[name]
    provider.answers = [streaming(name, sample.stream[:2], cut=True)]
    deck = await start(mode="cache", fast=fast)
    if sample.in_lines:  # whose readers see by the connection that it broke
        with pytest.raises(ClientPayloadError):
            await deck.request("POST", *asking(name, streamed=True))
        return
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
    provider.answers = [streaming(name, frames, gate=gate, before_gate=2)]
    asked = asyncio.create_task(deck.request("POST", *asking(name, streamed=True)))  # noqa: TID251
    await asyncio.sleep(0.2)
    gate.set()
    body = (await asked).body
    survive = name != "gemini" and not PROTOCOLS[name].in_lines
    assert (b": keep-alive\n\n" in body) == survive
    assert body.replace(b": keep-alive\n\n", b"") == b"".join(frames)


@ALL
@given(data=st.data(), end=st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_any_cut_of_the_bytes_is_recorded_as_the_same_events(
    name: str, data: st.DataObject, end: bytes
) -> None:
    sample = PROTOCOLS[name]
    head = Head(200, (("content-type", sample.streamed(()).content_type),))
    if sample.in_lines:
        end = end if end != b"\r" else b"\n"
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


KEPT_BEFORE = r"""# promptdeck cassette: model calls recorded once, replayed for ever.
promptdeck: 1
interactions:

- id: 471d68-001-34ae8ec7-1
  key: p1:34ae8ec7cf37b3d702ef10518bac7cce
  recorded: "2026-11-28T14:05:44.570Z"
  upstream: http://127.0.0.1:35699/v1
  variant: json
  request:
    method: POST
    target: /api/chat
    json:
      model: m
      messages:
      - role: user
        content: hi
      options: null
  response:
    status: 200
    headers:
      content-type: application/x-ndjson
    took: 13
    text: |
      {"model":"m","message":{"role":"assistant","content":"It is"},"done":false}
      {"model":"m","message":{"role":"assistant","content":" blue"},"done":false}
      {"model":"m","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop"}
  digest: d1:65699a1a405535e6-bf3a0c0ba0e7a449

- id: 471d68-001-e7100aea-1
  key: p1:e7100aea1874c49a1d082c928c10998d
  recorded: "2026-11-28T14:05:45.024Z"
  upstream: http://127.0.0.1:35699/v1
  variant: json
  request:
    method: POST
    target: /v2/chat
    json:
      model: m
      messages:
      - role: user
        content: hi
      stream: true
  response:
    status: 200
    headers:
      content-type: text/event-stream
    says: It is
    frames:
    - [1, "event: message-start\ndata: {\"type\":\"message-start\",\"id\":\"c\",\"delta\":{\"message\":{\"role\":\"assistant\"}}}"]
    - [1, "event: content-start\ndata: {\"type\":\"content-start\",\"index\":0,\"delta\":{\"message\":{\"content\":{\"type\":\"text\",\"text\":\"\"}}}}"]
    - [1, "event: content-delta\ndata: {\"type\":\"content-delta\",\"index\":0,\"delta\":{\"message\":{\"content\":{\"text\":\"It is\"}}}}"]
    - [1, "event: content-end\ndata: {\"type\":\"content-end\",\"index\":0}"]
    - [1, "event: message-end\ndata: {\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"COMPLETE\"}}"]
  digest: d1:0b555c47e5332346-0a48d515286b93fd-32a34f70ab1c8990
"""  # noqa: E501  as it was written


async def test_ollamas_and_coheres_streams_that_were_kept_before_they_converted_go_on_hitting(
    start: Start,
) -> None:
    """As an older version wrote them: `stream` counted, and all lines were one text."""
    file = start.folder / "cassettes" / "a.yaml"
    file.parent.mkdir()
    file.write_text(KEPT_BEFORE)
    assert verify(file, REDACTOR) == []
    deck = await start(mode="replay", cassette="a")
    messages = [{"role": "user", "content": "hi"}]
    for path, asked, said in (
        ("/v1/api/chat", {"options": None}, "It is blue"),
        ("/v1/v2/chat", {"stream": True}, "It is"),
    ):
        body = orjson.dumps({"model": "m", "messages": messages, **asked})
        got = await deck.request("POST", path, body)
        assert "hit" in got.cache_status
        assert "converted" not in got.cache_status
        body = orjson.dumps({"model": "m", "messages": messages, "stream": False})
        whole = (await deck.request("POST", path, body)).json["message"]["content"]
        assert said in (whole, whole[0].get("text") if isinstance(whole, list) else "")


@pytest.mark.parametrize("charset", ["iso-8859-1", '"ISO-8859-1"', "windows-1252", "utf-16"])
async def test_json_in_another_charset_is_kept_as_it_came(
    start: Start, provider: Upstream, charset: str
) -> None:
    whole = {"choices": [{"message": {"content": "café"}, "finish_reason": "stop", "index": 0}]}
    body = orjson.dumps(whole).decode().encode(charset.strip('"'))
    kind = {"Content-Type": f"application/json; charset={charset}"}
    provider.answers = [raw(body, headers=kind)]
    for mode in ("record", "replay"):
        deck = await start(mode=mode, cassette="a")
        got = await deck.request("POST", *asking("chat", streamed=False))
        assert (got.status, got.body) == (200, body)
        assert ("stored" in got.cache_status) == (mode == "record")
    assert "hit" in got.cache_status


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32-be", "iso-8859-1"])
def test_a_key_in_an_answer_in_another_charset_is_taken_out(encoding: str) -> None:
    key = "sk-proj-" + "Ab1" * 16
    told = f'{{"text": "caf\u00e9 {key} x"}}'
    data, counts = cleared_body(REDACTOR, told.encode(encoding))
    assert counts
    assert key not in data.decode(encoding)
    assert data.decode(encoding).startswith('{"text": "café ')


async def test_a_miss_names_places_as_the_client_wrote_them(
    start: Start, provider: Upstream
) -> None:
    provider.answers = [raw(orjson.dumps(PROTOCOLS["gemini"].whole))]

    def asked(tokens: int) -> tuple[str, bytes]:
        path, body = asking(
            "gemini", streamed=False, generation_config={"max_output_tokens": tokens}
        )
        return path, body

    await (await start(mode="record", cassette="a")).request("POST", *asked(1))
    miss = await (await start(mode="replay", cassette="a")).request("POST", *asked(2))
    assert (
        "$.generation_config.max_output_tokens: recorded 1, asked 2"
        in miss.json["error"]["message"]
    )

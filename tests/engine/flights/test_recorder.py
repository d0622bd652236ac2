"""From a landed flight to an interaction: what is kept of an answer, and in which form."""

import gzip
import tracemalloc
import zlib
from itertools import accumulate, pairwise

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.interaction import Request, Variant
from promptdeck.core.secrets.redact import Redactor
from promptdeck.core.text import sse
from promptdeck.engine.flights.flight import Flight, Head
from promptdeck.engine.flights.log import Chunk
from promptdeck.engine.flights.recorder import NotKept, Recorder, Take, response_of
from tests.conftest import Start
from tests.dialects import PROTOCOLS
from tests.scripted_upstream import DONE, chunk, chunks, completion, raw
from tests.translations import PAIRS, asked_by, served_by

BODY = orjson.dumps(completion("x"))
JSON_HEAD = Head(200, (("Content-Type", "application/json"),))
SSE_HEAD = Head(200, (("Content-Type", "text/event-stream"),))
PIECE = st.sampled_from(
    [b"data: a\n\n", b"event: x\n", b"data: b", b"\n", b"\r", b"\r\n", b": c\n\n"]
)
CHAT = Request("POST", "/v1/chat/completions", "application/json", b'{"model":"m"}')

MOST = 1 << 20


class Landed(Flight):
    """A flight that has landed with these chunks."""

    def __init__(self, *landed: Chunk) -> None:
        super().__init__(keep_bytes=MOST, outlives_readers=True)
        self._chunks.extend(landed)
        self._size = sum(len(chunk.data) for chunk in landed)
        self.land()


def take(request: Request = CHAT, secrets: tuple[str, ...] = ()) -> Take:
    return Take(request, Variant.JSON, "p1:" + "0" * 32, 1.0, "http://u/v1", secrets)


def recorder(*, errors: bool = False) -> Recorder:
    return Recorder(Redactor.build(), errors, MOST)


async def test_frames_have_the_time_of_their_last_byte_however_the_network_cut_them() -> None:
    whole = b"".join(chunks("one two"))
    pieces = [Chunk(n, whole[n : n + 1]) for n in range(len(whole))]
    response = recorder().interaction(SSE_HEAD, Landed(*pieces), take()).response
    assert [frame.data for frame in response.frames] == chunks("one two")
    ends = [len(b"".join(chunks("one two")[: n + 1])) - 1 for n in range(len(response.frames))]
    assert [frame.offset_ms for frame in response.frames] == ends


@pytest.mark.parametrize("at_once", [1, 5, 1 << 20])
@given(parts=st.lists(PIECE, max_size=12), cuts=st.lists(st.integers(0, 99)))
def test_every_cut_of_a_stream_gives_the_same_frames(
    parts: list[bytes], cuts: list[int], at_once: int
) -> None:
    whole = b"".join(parts)
    borders = [0, *sorted(cut for cut in cuts if cut < len(whole)), len(whole)]
    pieces = [whole[a:b] for a, b in pairwise(borders) if a < b]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("promptdeck.engine.flights.recorder._AT_ONCE", at_once)
        landed = [Chunk(n, piece) for n, piece in enumerate(pieces)]
        found = response_of(SSE_HEAD, landed, MOST).frames
    assert [frame.data for frame in found] == sse.frames(whole)
    ends = [0, *accumulate(map(len, pieces))]
    for end, (ms, _) in zip(accumulate(len(frame.data) for frame in found), found, strict=True):
        assert ends[ms] < end <= ends[ms + 1]


async def test_headers_of_one_day_or_one_account_are_not_kept() -> None:
    head = Head(
        200,
        (
            ("Content-Type", "application/json"),
            ("Set-Cookie", "session=1"),
            ("Date", "today"),
            ("X-RateLimit-Remaining-Tokens", "5"),
            ("OpenAI-Organization", "acme"),
            ("X-Model-Version", "7"),
        ),
    )
    response = recorder().interaction(head, Landed(Chunk(1, BODY)), take()).response
    assert dict(response.headers) == {"content-type": "application/json", "x-model-version": "7"}


async def test_the_clients_own_key_is_taken_out_of_an_answer_whatever_its_shape() -> None:
    body = orjson.dumps(completion("you sent plain-house-key-77"))
    flight = Landed(Chunk(1, body))
    kept = recorder().interaction(JSON_HEAD, flight, take(secrets=("plain-house-key-77",)))
    assert b"plain-house-key-77" not in kept.response.body
    assert kept.redacted == 1


async def test_an_error_is_a_fact_only_where_it_is_asked_for() -> None:
    flight = Landed(Chunk(1, b'{"error": {"message": "slow down"}}'))
    head = Head(429, JSON_HEAD.headers)
    with pytest.raises(NotKept, match="429"):
        recorder().interaction(head, flight, take())
    assert recorder(errors=True).interaction(head, flight, take()).response.status == 429


async def test_a_compressed_answer_is_kept_as_text_although_it_was_not_asked_for(
    start: Start,
) -> None:
    deck = await start(mode="cache")
    deck.upstream.answers = [raw(gzip.compress(BODY), headers={"Content-Encoding": "gzip"})]
    first = await deck.chat()
    again = await deck.chat()
    assert first.body == again.body == BODY
    assert "hit" in again.cache_status
    assert "Content-Encoding" not in again.headers


async def test_a_large_stream_is_recorded_in_three_times_its_size() -> None:
    """What is joined, cut, searched and read of it is let go before the next is made."""
    size = 8 << 20
    text = "a word or two " * 100
    frame = chunk({"content": text})
    whole = b"".join([frame] * (size // len(frame)) + [chunk({}, "stop"), DONE])
    pieces = cut(whole, 256 * 1024)
    took = take()
    tracemalloc.start()
    try:
        flight = Flight(keep_bytes=2 * size, outlives_readers=True)
        for piece in pieces:
            flight.came(bytes(bytearray(piece.data)))
        flight.land()
        large = Recorder(Redactor.build(), errors=False, most=2 * size)
        response = large.accepted(SSE_HEAD, flight, "POST")
        flight.rewrite(response.frames)
        _, accepted = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        assert large.judged(response, took).response.body == whole
    finally:
        tracemalloc.stop()
    assert accepted < 3 * size
    late = flight.join()
    assert flight.take(late) == whole


def squeezed(data: bytes, wbits: int) -> bytes:
    deflate = zlib.compressobj(9, zlib.DEFLATED, wbits)
    return deflate.compress(data) + deflate.flush()


FORMS = {"gzip": 31, "x-gzip": 31, "GZip": 31, "identity, gzip": 31, "deflate": 15}
COMPRESSED = pytest.mark.parametrize(
    ("encoding", "wbits"), [*FORMS.items(), ("deflate", -15)], ids=[*FORMS, "bare deflate"]
)


def encoded(encoding: str) -> Head:
    return Head(200, (*JSON_HEAD.headers, ("Content-Encoding", encoding)))


def cut(data: bytes, size: int) -> list[Chunk]:
    return [Chunk(at, data[at : at + size]) for at in range(0, len(data), size)]


@COMPRESSED
@pytest.mark.parametrize("beyond", [0, 1])
def test_compressed_answers_have_one_limit_for_all_their_pieces(
    encoding: str, wbits: int, beyond: int
) -> None:
    data = squeezed(b"a" * (MOST + beyond), wbits)
    for size in (1, 100, len(data)):
        if beyond:
            with pytest.raises(NotKept, match=r"record\.max_bytes"):
                response_of(encoded(encoding), cut(data, size), MOST)
        else:
            assert response_of(encoded(encoding), cut(data, size), MOST).body == b"a" * MOST


@COMPRESSED
def test_no_more_of_a_compressed_answer_is_unfolded_than_may_be_kept(
    encoding: str, wbits: int
) -> None:
    data = squeezed(bytes(64 * MOST), wbits)
    tracemalloc.start()
    try:
        with pytest.raises(NotKept):
            response_of(encoded(encoding), cut(data, 1000), MOST)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 3 * MOST


@given(
    st.lists(st.binary(max_size=50), min_size=1, max_size=4),
    st.integers(1, 40),
    st.sampled_from([15, 31, -15]),
)
def test_what_was_compressed_comes_out_whole_however_it_was_cut(
    parts: list[bytes], size: int, wbits: int
) -> None:
    """Several members, too, as gzip's files may have them (RFC 1952, section 2.2)."""
    if wbits != 31:
        parts = [b"".join(parts)]
    data = b"".join([squeezed(part, wbits) for part in parts])
    name = "gzip" if wbits == 31 else "deflate"
    assert response_of(encoded(name), cut(data, size), MOST).body == b"".join(parts)


async def test_what_a_client_wants_stored_has_the_same_limit(start: Start) -> None:
    deck = await start({"PROMPTDECK_RECORD_MAX_BYTES": "1MB"}, mode="cache")
    body = orjson.dumps(completion("x" * 2_000_000))
    deck.upstream.answers = [raw(gzip.compress(body), headers={"Content-Encoding": "gzip"})]
    first = await deck.chat(store=True)
    assert first.body == body
    assert (await deck.request("GET", "/v1/chat/completions")).json["data"] == []
    assert deck.server.counts().recorded == 0


@pytest.mark.parametrize(
    ("status", "headers", "stored"),
    [
        (200, {}, True),
        (500, {}, False),
        (404, {"Content-Type": "text/plain"}, False),
        (200, {"Content-Encoding": "br"}, False),
        (200, {"Content-Encoding": "gzip"}, True),
    ],
)
@pytest.mark.parametrize("fast", [True, False])
async def test_stored_is_not_said_where_the_head_speaks_against_it(
    start: Start, status: int, headers: dict[str, str], stored: bool, fast: bool
) -> None:
    deck = await start(mode="cache", fast=fast)
    await deck.chat("to show the head")
    deck.session._auto_decompress = False
    deck.upstream.answers = [raw(BODY, status=status, headers=headers)]
    assert ("stored" in (await deck.chat()).cache_status) == stored


@pytest.mark.parametrize("fast", [True, False])
async def test_stored_is_not_said_of_an_answer_that_is_longer_than_is_kept(
    start: Start, fast: bool
) -> None:
    deck = await start({"PROMPTDECK_RECORD_MAX_BYTES": "1000"}, mode="cache", fast=fast)
    assert "stored" in (await deck.chat("to show the head")).cache_status
    deck.upstream.answers = [raw(orjson.dumps(completion("x" * 1000)))]
    assert "stored" not in (await deck.chat()).cache_status


@pytest.mark.parametrize(
    ("encoding", "data"), [("br", b"\x0b\x02\x80{}\x03"), ("gzip", gzip.compress(BODY)[:-9])]
)
async def test_a_compression_that_cannot_be_undone_is_not_kept(encoding: str, data: bytes) -> None:
    head = Head(200, (*JSON_HEAD.headers, ("Content-Encoding", encoding)))
    with pytest.raises(NotKept, match="compress"):
        recorder().interaction(head, Landed(Chunk(1, data)), take())


def landed(upstream: str, count: int | None = None, extra: bytes = b"") -> tuple[Head, Landed]:
    """An answer of an upstream's dialect: its head, and the first `count` frames of its stream."""
    frames = [*PROTOCOLS[upstream].stream[:count], *filter(None, [extra])]
    head = Head(200, (("Content-Type", "text/event-stream"), served_by(upstream)))
    return head, Landed(*(Chunk(n, data) for n, data in enumerate(frames)))


@pytest.mark.parametrize(("client", "upstream"), PAIRS)
async def test_an_answer_is_judged_by_the_dialect_of_who_served_it(
    client: str, upstream: str
) -> None:
    asked = take(asked_by(client))
    kept = recorder().interaction(*landed(upstream), asked)
    assert [frame.data for frame in kept.response.frames] == PROTOCOLS[upstream].stream
    for count in range(1, PROTOCOLS[upstream].end):
        with pytest.raises(NotKept):
            recorder().interaction(*landed(upstream, count), asked)


@pytest.mark.parametrize(("client", "upstream"), PAIRS)
async def test_a_secret_is_taken_out_of_an_answer_in_any_dialect(
    client: str, upstream: str
) -> None:
    key = "sk-proj-" + "aB3dE6gH9jK2mN5pQ8sT" * 2
    head = Head(200, (("Content-Type", "text/event-stream"), served_by(upstream)))
    spoken = b"".join(PROTOCOLS[upstream].stream)
    # Each dialect's samples say one of these in several frames.
    for said in (b"blue", b"Hello,"):
        if said in spoken:
            spoken = spoken.replace(said, key.encode())
    kept = recorder().interaction(head, Landed(Chunk(0, spoken)), take(asked_by(client)))
    assert kept.redacted
    assert key.encode() not in kept.response.body

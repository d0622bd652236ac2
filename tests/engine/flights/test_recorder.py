"""From a landed flight to an interaction: what is kept of an answer, and in which form."""

import gzip
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
from tests.scripted_upstream import chunks, completion, raw

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


@given(st.lists(PIECE, max_size=12), st.lists(st.integers(0, 99)))
def test_every_cut_of_a_stream_gives_the_same_frames(parts: list[bytes], cuts: list[int]) -> None:
    whole = b"".join(parts)
    borders = [0, *sorted(cut for cut in cuts if cut < len(whole)), len(whole)]
    pieces = [whole[a:b] for a, b in pairwise(borders) if a < b]
    found = response_of(SSE_HEAD, [Chunk(n, piece) for n, piece in enumerate(pieces)], MOST).frames
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


@pytest.mark.parametrize(
    ("encoding", "data"), [("br", b"\x0b\x02\x80{}\x03"), ("gzip", gzip.compress(BODY)[:-9])]
)
async def test_a_compression_that_cannot_be_undone_is_not_kept(encoding: str, data: bytes) -> None:
    head = Head(200, (*JSON_HEAD.headers, ("Content-Encoding", encoding)))
    with pytest.raises(NotKept, match="compress"):
        recorder().interaction(head, Landed(Chunk(1, data)), take())

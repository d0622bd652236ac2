"""The values that recordings are made of."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.interaction import Frame, Response, frames_of, header, measures

PAIRS = st.lists(st.tuples(st.integers(0, 10**6), st.binary(max_size=9)), max_size=5)
NAMES = st.text("abXY-", min_size=1, max_size=5)


@given(PAIRS)
def test_frames_made_at_once_are_frames(pairs: list[tuple[int, bytes]]) -> None:
    frames = frames_of(pairs)
    assert frames == tuple(Frame(*pair) for pair in pairs)
    assert all(type(frame) is Frame for frame in frames)


@given(PAIRS)
def test_a_body_is_its_frames_joined_and_took_as_long_as_the_last(
    pairs: list[tuple[int, bytes]],
) -> None:
    response = Response(200, (), frames_of(pairs))
    assert response.body == b"".join(data for _, data in pairs)
    assert response.took_ms == (pairs[-1][0] if pairs else 0)


@given(st.lists(st.tuples(NAMES, st.text(max_size=5)), max_size=5), NAMES)
def test_a_header_is_found_however_its_name_is_written(
    headers: list[tuple[str, str]], name: str
) -> None:
    expected = [value for key, value in headers if key.lower() == name.lower()]
    assert header(tuple(headers), name.lower()) == (expected[0] if expected else "")


def test_a_stream_is_known_by_its_content_type() -> None:
    for content_type, stream in (
        ("text/event-stream", True),
        ("Text/Event-Stream; charset=utf-8", True),
        ("application/json", False),
        ("", False),
    ):
        response = Response(200, (("Content-Type", content_type),), ())
        assert response.is_stream is stream


@pytest.mark.parametrize("count", [0, 1, 1023, 1024, 1025, 3000])
def test_frames_are_measured_by_time_and_length(count):
    frames = [Frame(n, b"x" * (n % 7)) for n in range(count)]
    assert orjson.loads(measures(frames)) == [[ms, len(data)] for ms, data in frames]
    assert measures(frames) == orjson.dumps([(ms, len(data)) for ms, data in frames])

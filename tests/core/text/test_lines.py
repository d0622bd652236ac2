"""Streams of JSON a line: cut as they came, and read."""

import itertools

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.text import sse
from promptdeck.core.text.lines import data_of, frames, in_frames, is_line

LINES = st.lists(st.dictionaries(st.text(max_size=3), st.text(max_size=5)).map(orjson.dumps))


@given(st.binary(max_size=60), st.lists(st.integers(0, 60), max_size=5))
def test_a_stream_is_its_lines_however_it_came(data: bytes, places: list[int]) -> None:
    cuts = itertools.pairwise(sorted([0, *(at for at in places if at < len(data)), len(data)]))
    found = in_frames(data[a:b] for a, b in cuts)
    assert found == frames(data)
    assert b"".join(found) == data
    assert all(line.endswith(b"\n") for line in found[:-1])
    assert b"" not in found


@given(LINES, st.sampled_from([b"\n", b"\r\n", b"\n\n"]))
def test_each_line_says_what_it_holds(lines: list[bytes], end: bytes) -> None:
    found = [frame for frame in frames(end.join([*lines, b""])) if frame.strip()]
    assert [data_of(frame).encode() for frame in found] == lines
    assert all(map(is_line, found))


@pytest.mark.parametrize(
    "frame", [b": comment\n\n", b"data: {}\n\n", b"event: x\ndata: [1]\n\n", b""]
)
def test_events_are_no_lines(frame: bytes) -> None:
    assert not is_line(frame)
    assert data_of(frame) == (sse.parse(frame).data or "")

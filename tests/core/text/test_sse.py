"""Frames: found wherever a blank line ends one, and read as the standard says."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from promptdeck.core.text import sse

LINE_ENDS = st.sampled_from([b"\n", b"\r", b"\r\n"])
LINES = st.sampled_from(
    [b"", b"", b"data: a", b"data:b", b"data", b": note", b"event: error", "data: ü 🙂".encode()]
)
STREAMS = st.one_of(
    st.binary(max_size=60),
    st.lists(st.sampled_from([b"x", b"\r", b"\n"]), max_size=12).map(b"".join),
    st.lists(st.tuples(LINES, LINE_ENDS).map(b"".join), max_size=12).map(b"".join),
)


@given(STREAMS)
def test_joined_frames_are_the_stream(data):
    frames = sse.frames(data)
    assert b"".join(frames) == data
    assert all(frames)


@given(STREAMS)
def test_every_frame_but_the_last_is_whole(data):
    assert all(map(sse.is_whole, sse.frames(data)[:-1]))


@given(STREAMS)
def test_a_frame_ends_with_its_first_blank_line(data):
    assert not any(sse.is_whole(frame[:-2]) for frame in sse.frames(data))


@given(STREAMS)
def test_cutting_a_frame_again_leaves_it_in_one_piece(data):
    assert all(sse.frames(frame) == [frame] for frame in sse.frames(data))


@given(st.lists(st.tuples(LINES.filter(bool), LINE_ENDS), min_size=1), LINE_ENDS)
def test_line_ends_do_not_change_the_meaning(lines, blank):
    # Between CR and a blank line of LF there is no telling two line ends from CR LF.
    mixed = b"".join(line + end for line, end in lines) + (b"\r\n" if blank == b"\n" else blank)
    plain = b"".join(line + b"\n" for line, _ in lines) + b"\n"
    assert sse.parse(mixed) == sse.parse(plain)
    assert sse.is_whole(mixed)


def test_a_stream_that_ends_in_carriage_returns_has_no_tail():
    assert sse.frames(b"data: a\r\rdata: b\r\r") == [b"data: a\r\r", b"data: b\r\r"]


def test_a_cut_off_tail_is_a_frame_that_is_not_whole():
    assert sse.frames(b"data: a\n\ndata: b\n") == [b"data: a\n\n", b"data: b\n"]
    assert sse.is_whole(b"data: a\n\n")
    assert not sse.is_whole(b"data: b\n")
    assert not sse.is_whole(b"data: b\r\n")
    assert not sse.is_whole(b"\n\n")


def test_blank_lines_too_many_go_with_what_follows():
    assert sse.frames(b"\n\ndata: a\n\n\n\ndata: b\n\n") == [
        b"\n\ndata: a\n\n",
        b"\n\ndata: b\n\n",
    ]


@pytest.mark.parametrize(
    ("frame", "event", "data"),
    [
        (b"data: a\n\n", "", "a"),
        (b"data:a\n\n", "", "a"),
        (b"data:  a\n\n", "", " a"),
        (b"data: a: b\n\n", "", "a: b"),
        (b"data\n\n", "", ""),
        (b"data: a\ndata: b\n\n", "", "a\nb"),
        (b"data: a\r\ndata:\r\n\r\n", "", "a\n"),
        (b"event: error\ndata: {}\n\n", "error", "{}"),
        (b"event: a\nevent: b\n\n", "b", None),
        (b": keep-alive\n\n", "", None),
        (b": data: a\n\n", "", None),
        (b"id: 1\nretry: 5\ndata: a\n\n", "", "a"),
        (b"Data: a\n data: b\n\n", "", None),
        (b"\xef\xbb\xbfdata: a\n\n", "", "a"),
        (b"data: \xef\xbb\xbfa\n\n", "", "\ufeffa"),
        (b"data: \xff\n\n", "", "\ufffd"),
        ("data: a\u2028b\x0bc\x85d\n\n".encode(), "", "a\u2028b\x0bc\x85d"),
        (b"\n\n", "", None),
        (b"", "", None),
    ],
)
def test_a_frame_is_read_as_the_standard_says(frame, event, data):
    assert sse.parse(frame) == (event, data)


TEXT = st.text(st.characters(exclude_characters="\r", codec="utf-8"))


@given(TEXT, st.sampled_from(["", "error"]))
@example("a\nb\n", "")
def test_what_is_encoded_is_one_whole_frame_that_reads_the_same(text, event):
    frame = sse.encode(text.encode(), event)
    assert sse.frames(frame) == [frame]
    assert sse.is_whole(frame)
    assert sse.parse(frame) == (event, text)


def test_encoded_frames_are_bare_data_lines():
    assert sse.encode(b"{}") == b"data: {}\n\n"
    assert sse.encode(b"{}", "error") == b"event: error\ndata: {}\n\n"


@given(STREAMS | TEXT.map(lambda text: sse.encode(text.encode(), "delta")))
def test_what_is_known_of_a_frame_at_a_glance_is_what_reading_it_says(data):
    for frame in filter(sse.is_whole, sse.frames(data)):
        read = sse.parse(frame)
        if sse.is_one_line(frame):
            assert read == ("", frame[6:-2].decode(errors="replace"))
        if (at := sse.data_at(frame)) and b"\r" not in frame:
            assert read.data == frame[at:-2].decode(errors="replace")


@given(st.lists(st.tuples(st.sampled_from(["", "e"]), TEXT), max_size=6))
def test_encoded_frames_in_a_row_are_cut_where_they_were_joined(events):
    encoded = [sse.encode(text.encode(), name) for name, text in events]
    assert sse.frames(b"".join(encoded)) == encoded


@given(
    st.lists(
        st.sampled_from([b"data: ", b"a", b"\n", b"\n\n", b"\r\n\r\n", b"event: x\n"]), max_size=9
    )
)
def test_a_long_frame_is_cut_as_a_short_one(parts):
    data = b"".join(parts)
    # No other part has the letter.
    marked = [frame.replace(b"data", b"DATA") for frame in sse.frames(data)]
    long = b"x" * 200_000
    found = sse.frames(data.replace(b"data", b"DATA").replace(b"a", long))
    assert found == [frame.replace(b"a", long) for frame in marked]

"""entry: bodies unpacked, text, bytes and times out of JSON, and what cannot be."""

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.interaction import Frame
from promptdeck.core.text import sse
from promptdeck.imports.entry import (
    Elided,
    Imported,
    NotCarried,
    Unreadable,
    each,
    framed,
    listed,
    moment,
    unbase64,
    unpacked,
    utf8,
)
from tests.core.test_codings import packed as packed_as
from tests.other_tools import answer, packed, plain_entry

SSE = (("content-type", "text/event-stream"),)


@pytest.mark.parametrize("wbits", [15, -15])
def test_both_kinds_of_deflate_are_undone(wbits):
    deflate = zlib.compressobj(wbits=wbits)
    data = deflate.compress(answer("é" * 50).encode()) + deflate.flush()
    assert unpacked(data, "deflate") == answer("é" * 50).encode()


@given(st.binary())
def test_what_is_packed_with_gzip_is_unpacked(data):
    assert unpacked(gzip.compress(data), "GZIP ") == data


@pytest.mark.parametrize("names", ["br", "zstd", "gzip, br", "x-gzip"])
@given(data=st.binary(min_size=1))
def test_what_is_packed_otherwise_is_unpacked_as_requests_are(names, data):
    assert unpacked(packed_as(data, names.split(", ")), names) == data


@given(st.text(st.characters(codec="utf-8", min_codepoint=32)).map(str.encode))
def test_text_is_never_taken_for_packed(data):
    for encoding in ("gzip", "deflate", "br", "zstd", ""):
        assert unpacked(data, encoding) == data


@pytest.mark.parametrize(
    ("body", "encoding", "reason"),
    [
        (b"\x8b\xff\x00", "compress", "'compress' is not known"),
        (packed("x")[:-1], "gzip", "cut off"),
        (b"\x1f\x8b\x00\x00", "gzip", "broken"),
        (packed("x").decode("latin-1").encode(), "gzip", "kept as text"),
    ],
)
def test_what_cannot_be_unpacked_says_why(body, encoding, reason):
    with pytest.raises(Elided, match=reason):
        unpacked(body, encoding)


def test_a_small_body_that_unfolds_beyond_the_limit_is_refused():
    with pytest.raises(Elided, match="more than 32 MiB"):
        unpacked(packed("0" * (33 * 1024 * 1024)), "gzip")


def test_text_and_base64_that_hold_no_bytes_say_so():
    with pytest.raises(Elided, match="surrogate"):
        utf8("\ud800")
    with pytest.raises(Elided, match="base64 is broken"):
        unbase64("a")
    assert unbase64("/w\n A=") == b"\xff\x00"


def test_a_time_without_a_zone_is_utc_and_nonsense_is_none():
    assert moment("2023-11-14T22:13:20") == moment("2023-11-14T23:13:20+01:00") == 1_700_000_000
    assert moment("yesterday") is None


@given(st.lists(st.text(st.sampled_from("ab: "), max_size=4)), st.integers(0, 9), st.integers(0, 9))
def test_a_stream_is_cut_into_its_frames_over_the_time_that_it_took(texts, first, took):
    body = b"".join(map(sse.encode, map(str.encode, texts)))
    frames = framed(SSE, body, first, first + took)
    assert b"".join(frame.data for frame in frames) == body
    times = [frame.offset_ms for frame in frames]
    assert times == sorted(times)
    if times:
        assert times[0] == first
    if len(times) > 1:
        assert times[-1] == first + took


def test_a_body_that_is_no_stream_is_one_frame_that_came_at_the_end():
    assert framed((), b'{"data": 1}', 1, 5) == (Frame(5, b'{"data": 1}'),)


def test_a_stream_is_known_by_how_it_begins_where_its_type_says_something_else():
    for kind in ((), (("content-type", "text/plain"),)):
        assert len(framed(kind, b"data: x\n\ndata: y\n\n")) == 2


def test_a_list_is_found_by_its_keys_with_the_place_of_each_entry():
    assert listed('{"log": {"entries": [1, 2]}}', "log", "entries") == [
        ("$.log.entries[0]", 1),
        ("$.log.entries[1]", 2),
    ]
    for text, why in (("{", "broken JSON"), ('{"a": 1}', r"no \$\.log"), ('{"log": 1}', "no list")):
        with pytest.raises(Unreadable, match=why):
            listed(text, "log")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"url": "wss://a.b/v1/realtime"}, "WebSocket"),
        ({"status": 101}, "WebSocket"),
        ({"url": "ftp://a.b/x"}, "not HTTP but ftp"),
        ({"method": "CONNECT"}, "not HTTP"),
        ({"url": "http:///v1"}, "names no host"),
        ({"status": 600}, "status is 600"),
        ({"frames": (Frame(-1, b""),)}, "times are not those of an answer"),
        ({"headers": (("x", 1),)}, "no text but int"),
        ({"body": b"", "request_headers": (("Content-Length", "7"),)}, "request had a body"),
    ],
)
def test_an_entry_that_is_no_request_with_its_answer_is_left_with_the_reason(changes, reason):
    [found] = each([("3", None)], lambda place, _: plain_entry(**changes)._replace(place=place))
    assert isinstance(found, NotCarried)
    assert found.place == "3"
    assert reason in found.reason


@pytest.mark.parametrize("error", [KeyError("url"), TypeError("x"), AttributeError("get")])
def test_an_entry_of_another_layout_does_not_stop_the_others(error):
    def imported(place, entry):
        if entry is None:
            raise error
        return plain_entry()

    left, found = each([("1", None), ("2", {})], imported)
    assert left == NotCarried("1", f"it is not laid out as expected: {error!r}")
    assert isinstance(found, Imported)

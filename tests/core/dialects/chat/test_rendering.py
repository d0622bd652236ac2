"""A chat stream without event names and ids, however it is cut."""

import itertools

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from promptdeck.core.dialects.chat.rendering import PlainStream
from tests.scripted_upstream import chunks

LINES = st.sampled_from(
    [
        *(
            b"data: {}",
            b"data: id: event:",
            b'data: {"choices":1}',
            b"event: message",
            b"event:error",
            b"event: error",
        ),
        *(b"id: 7", b"id", b": ping", b"", b"eventual: x", b"idea: y", b"retry: 1"),
    ]
)
STREAMS = st.lists(st.tuples(LINES, st.sampled_from([b"\n", b"\r\n", b"\r"]))).map(
    lambda lines: b"".join(line + end for line, end in lines)
)


def passed(*pieces: bytes) -> bytes:
    plain = PlainStream()
    return b"".join([*map(plain.feed, pieces), plain.rest()])


def test_an_ordinary_chat_stream_passes_byte_for_byte() -> None:
    stream = b"".join(chunks("the id: event: of it"))
    assert passed(stream) == stream


CHUNK = b'data: {"choices": []}\n'


def test_names_of_chunks_and_ids_go_and_errors_stay() -> None:
    stream = b"event: chunk\nid: 1\n%b\nid: 2\n: hm\n\nevent: error\ndata: {}\n\n" % CHUNK
    assert passed(stream) == CHUNK + b"\n: hm\n\nevent: error\ndata: {}\n\n"
    assert passed(b"event: end\ndata: [DONE]\n\n") == b"data: [DONE]\n\n"


def test_an_event_that_is_no_chunk_keeps_its_name() -> None:
    progress = b'event: hermes.tool.progress\ndata: {"tool":"terminal","status":"running"}\n\n'
    assert passed(progress, b"event: x\n" + CHUNK + b"\n") == progress + CHUNK + b"\n"


def test_a_name_without_data_is_no_event() -> None:
    assert passed(b"event: ping\n\n", CHUNK) == b"\n" + CHUNK


@pytest.mark.parametrize("tail", [b"event: x", b"id: 1", b"eve", b"event: error", b"data"])
def test_what_no_line_end_has_ended_is_judged_all_the_same(tail: bytes) -> None:
    kept = tail if not tail.startswith((b"event: x", b"id:")) else b""
    assert passed(b"data: {}\n\n", tail) == b"data: {}\n\n" + kept


def test_nothing_of_an_ordinary_chunk_is_held_back() -> None:
    plain = PlainStream()
    assert all(plain.feed(frame) == frame for frame in chunks("word by word"))


@given(STREAMS, st.lists(st.integers(0, 200)))
def test_the_cuts_make_no_difference(stream: bytes, cuts: list[int]) -> None:
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    pieces = [stream[a:b] for a, b in itertools.pairwise(places)]
    assert passed(*pieces) == passed(stream)


@given(STREAMS)
@example(b"event: message\nid\r\ndata: {}\n")
@example(b"event: message\n: ping\r\ndata: {}\n")
def test_a_stream_that_comes_byte_by_byte_is_the_same(stream: bytes) -> None:
    assert passed(*(stream[at : at + 1] for at in range(len(stream)))) == passed(stream)


@given(STREAMS)
def test_only_lines_that_are_names_go(stream: bytes) -> None:
    kept, name = [], b""
    for line in stream.splitlines(keepends=True):
        if line.startswith(b"id:"):
            continue
        if line.startswith(b"event:"):
            error = line.split() in ([b"event:error"], [b"event:", b"error"])
            kept += [line] if error else []
            name = b"" if error else line
            continue
        if line.startswith(b"data:"):
            kept += [name] if b"choices" not in line else []
            name = b""
        elif not line.strip(b"\r\n"):
            name = b""
        kept.append(line)
    assert passed(stream) == b"".join(kept)

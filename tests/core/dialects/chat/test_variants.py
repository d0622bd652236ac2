"""Recorded chat answers in another variant: without usage, and in their other form."""

from itertools import pairwise

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.dialects.chat.cut import cut
from promptdeck.core.dialects.chat.variants import has_usage, to_json, to_stream, without_usage
from promptdeck.core.interaction import Frame, Response
from promptdeck.core.text.jsontext import Unfaithful, compact, same
from tests.chats import COMPLETIONS, HELLO, frames_of


def answer(completion, offset=0):
    headers = (("x-request-id", "r"), ("Content-Type", "application/json; charset=utf-8"))
    return Response(200, headers, (Frame(offset, compact(completion)),))


# Usage


@given(COMPLETIONS)
def test_a_stream_without_its_usage_is_one_that_was_cut_for_nobody_who_asked(completion):
    told = completion | {"usage": {"total_tokens": 1}}
    frames = tuple(map(Frame, range(10_000), cut(told, include_usage=True)))
    left = without_usage(frames)
    assert has_usage(frame.data for frame in frames)
    assert not has_usage(frame.data for frame in left)
    assert [frame for frame in frames if frame in left] == list(left)
    assert len(frames) - len(left) == 1
    assert without_usage(left) == left


def test_only_chunks_with_usage_and_no_choices_are_dropped():
    kept = [
        b": comment\n\n",
        *frames_of(
            {"choices": []},
            {"choices": [], "usage": None},
            {"choices": [{"index": 0, "delta": {"content": '"choices":[],"usage":{}'}}]},
            {"choices": [{"index": 0, "delta": {}}], "usage": {"total_tokens": 1}},
            {"usage": {"total_tokens": 1}, "x": {"choices": []}},
        ),
        b'data: {"choices":[],"usage":{\n\n',
        b'data: "choices":[]\n\n',
        b"data: [DONE]\n\n",
    ]
    dropped = [b'data: { "usage": {"total_tokens": 1}, "choices": [ ] }\r\n\r\n']
    frames = tuple(Frame(0, data) for data in (*kept, *dropped))
    assert [frame.data for frame in without_usage(frames)] == kept


def test_usage_of_null_is_not_known():
    assert not has_usage(frames_of({"choices": [], "usage": None}))
    assert not has_usage([b'data: {"usage":{\n\n', b'data: "usage"\n\n', b"\n"])
    assert has_usage(frames_of({"choices": [{"index": 0}], "usage": {"total_tokens": 1}}))


# Whole responses


@given(COMPLETIONS, st.integers(0, 60_000))
def test_an_answer_that_became_a_stream_can_become_an_answer_again(completion, offset):
    recorded = answer(completion, offset)
    streamed = to_stream(recorded, include_usage=True)
    again = to_json(streamed)
    assert streamed.is_stream
    assert same(orjson.loads(again.body), completion)
    assert [frame.offset_ms for frame in again.frames] == [offset]


@given(COMPLETIONS, st.integers(0, 60_000))
def test_a_stream_made_of_an_answer_takes_as_long_as_the_answer(completion, offset):
    offsets = [frame.offset_ms for frame in to_stream(answer(completion, offset), True).frames]
    steps = {later - earlier for earlier, later in pairwise(offsets)}
    assert offsets[-1] == offset
    assert 0 <= offsets[0] <= 500
    assert min(steps) >= 0
    assert max(steps) - min(steps) <= 1


def test_a_converted_response_keeps_status_and_headers_but_for_the_type():
    streamed = to_stream(answer(HELLO), include_usage=False)
    assert streamed.headers == (
        ("content-type", "text/event-stream; charset=utf-8"),
        ("x-request-id", "r"),
    )
    assert to_json(streamed).headers == (
        ("content-type", "application/json"),
        ("x-request-id", "r"),
    )
    assert streamed.status == to_json(streamed).status == 200


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"%d" % 2**70])
def test_what_is_no_json_object_cannot_become_a_stream(body):
    with pytest.raises(Unfaithful):
        to_stream(Response(200, (), (Frame(0, body),)), include_usage=False)

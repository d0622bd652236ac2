"""Which answers are whole, and what is said of those that are not."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.dialects.chat.dialect import CHAT
from promptdeck.core.dialects.table import HTTP
from promptdeck.core.interaction import Frame, Response
from promptdeck.core.text import sse


def problem_with(response, chat, in_runs=None):
    return (CHAT if chat else HTTP).problem_with(response, in_runs)


DONE = sse.encode(b"[DONE]")


def chunk(*choices, **more):
    return sse.encode(orjson.dumps({"id": "c", "choices": list(choices), **more}))


def piece(content, finish_reason=None, index=0):
    return {"index": index, "delta": {"content": content}, "finish_reason": finish_reason}


WHOLE = [chunk(piece("Hi")), chunk(piece("", "stop")), chunk(usage={"total_tokens": 2}), DONE]


def stream(*frames, content_type="text/event-stream; charset=utf-8"):
    headers = (("content-type", content_type),)
    return Response(200, headers, tuple(Frame(0, frame) for frame in frames))


def body(data, content_type="application/json"):
    return Response(200, (("content-type", content_type),), (Frame(0, data),))


def chat_problem(*frames):
    return problem_with(stream(*frames), chat=True)


def test_a_chat_stream_that_says_all_is_whole():
    assert chat_problem(*WHOLE) is None


@given(st.integers(0, len(b"".join(WHOLE)) - 1))
def test_a_chat_stream_cut_off_anywhere_is_not_whole(length):
    whole = b"".join(WHOLE)
    cut_off = sse.frames(whole[:length])
    problem = chat_problem(*cut_off)
    only_its_blank_line_is_missing = whole[:length].endswith((b"[DONE]", b"[DONE]\n"))
    finished = length in (len(b"".join(WHOLE[:2])), len(b"".join(WHOLE[:3])))
    assert (problem is None) == (only_its_blank_line_is_missing or finished)


def test_a_stream_without_a_frame_is_empty():
    assert chat_problem() == "the stream is empty"
    assert problem_with(stream(), chat=False) == "the stream is empty"


def test_a_stream_that_stops_inside_an_event_broke_off():
    assert chat_problem(*WHOLE[:1], b'data: {"id"') == "the stream breaks off inside an event"
    assert chat_problem(*WHOLE[:1], b"data: {}\n") == "the stream breaks off inside an event"


def test_odd_line_ends_behind_the_end_are_no_matter():
    assert chat_problem(*WHOLE, b"\n") is None
    assert chat_problem(*WHOLE[:-1], b"data: [DONE]") is None
    assert chat_problem(*WHOLE[:-1], b"data:[DONE]\r\n") is None


def test_comments_and_empty_data_are_no_chunks():
    assert chat_problem(b": keep-alive\n\n", *WHOLE[:-1], b"data:\n\n", DONE) is None


@pytest.mark.parametrize(
    "frame",
    [
        sse.encode(b'{"error":{"message":"overloaded"}}'),
        sse.encode(b'{"error":"overloaded"}'),
        sse.encode(b'{"message":"overloaded"}', event="error"),
        sse.encode(b"overloaded", event="error"),
        sse.encode(b'{"type":"error","message":"overloaded"}'),
        b"event: error\n\n",
    ],
)
@pytest.mark.parametrize("chat", [True, False])
def test_an_error_in_a_stream_is_seen_though_the_stream_goes_on(frame, chat):
    problem = problem_with(stream(WHOLE[0], frame, *WHOLE[1:]), chat)
    assert problem == "the stream reports an error"


def test_an_error_of_null_is_none():
    assert chat_problem(chunk(piece("Hi", "stop"), error=None), DONE) is None


@pytest.mark.parametrize("data", [b"{", b"hello", b"[1]", b"5", b"null", b'"x"'])
def test_a_chunk_that_is_no_json_object_spoils_a_chat_stream(data):
    problem = chat_problem(*WHOLE[:-1], sse.encode(data), DONE)
    assert problem == "a chunk of the stream is no JSON object"


def test_a_chat_stream_is_done_when_every_choice_says_so():
    assert chat_problem(*WHOLE[:-1]) is None
    assert chat_problem(*WHOLE[:1], DONE) == "choice 0 has no finish_reason"


def test_without_its_end_a_chat_stream_lacks_the_usage_that_it_announced():
    frames = [chunk(piece("Hi", "stop"), usage=None)]
    assert chat_problem(*frames) == "the stream ends before its usage"
    assert chat_problem(*frames, chunk(usage={"total_tokens": 2})) is None
    assert chat_problem(*frames, DONE) is None


def test_done_inside_a_text_is_not_the_end():
    frames = [chunk(piece("data: [DONE]"))]
    assert chat_problem(*frames) == "choice 0 has no finish_reason"


def test_a_chat_stream_without_choices_says_nothing():
    assert chat_problem(chunk(usage={"total_tokens": 2}), DONE) == "there are no choices"
    assert chat_problem(DONE) == "there are no choices"


def test_every_choice_must_be_finished():
    first, second = chunk(piece("a", "stop", 0)), chunk(piece("b", None, 1))
    assert chat_problem(first, second, DONE) == "choice 1 has no finish_reason"
    assert chat_problem(first, second, chunk(piece("", "length", 1)), DONE) is None
    assert chat_problem(chunk(piece("a", "")), DONE) == "choice 0 has no finish_reason"


def test_what_comes_of_a_choice_after_its_end_does_not_open_it_again():
    late = chunk({"index": 0, "finish_reason": None, "content_filter_results": {}})
    assert chat_problem(*WHOLE[:-1], late, DONE) is None


def test_numbers_of_any_size_are_fine():
    assert chat_problem(chunk(piece("a", "stop")), sse.encode(b'{"n":%d}' % 2**70), DONE) is None
    assert problem_with(body(b'{"n":%d}' % 2**70), chat=False) is None


@given(st.lists(st.binary(max_size=30) | st.sampled_from(WHOLE), max_size=6), st.booleans())
def test_any_frames_are_judged_without_a_fuss(frames, chat):
    problem = problem_with(stream(*frames), chat)
    assert problem is None or problem.isascii()


def test_other_streams_need_no_end_mark():
    frames = [b'event: response.completed\ndata: {"type":"response.completed"}\n\n']
    assert problem_with(stream(*frames), chat=False) is None
    assert problem_with(stream(b"data: not JSON\n\n"), chat=False) is None


def test_other_streams_may_fail_too():
    failed = sse.encode(b'{"type":"response.failed"}', event="response.failed")
    assert problem_with(stream(failed), chat=False) == "the stream reports an error"
    assert problem_with(stream(b"data: a"), chat=False) == "the stream breaks off inside an event"


@pytest.mark.parametrize(
    "kind", ["application/json", "Application/JSON; charset=utf-8", "a/b+json"]
)
@pytest.mark.parametrize("data", [b'{"a":', b"<html>"])
def test_json_must_parse(kind, data):
    assert problem_with(body(data, kind), chat=False) == "the body is not JSON"
    assert problem_with(body(data, kind), chat=True) == "the body is not JSON"


def test_nothing_is_an_answer_where_the_status_says_so():
    nothing = Response(202, (("content-type", "application/json"),), (Frame(0, b""),))
    assert problem_with(nothing, chat=True) is None
    assert problem_with(body(b""), chat=False) is None
    assert problem_with(body(b""), chat=True) == "the body is empty"


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({"choices": [{"finish_reason": "stop"}]}, None),
        ({"choices": [{"finish_reason": "stop"}], "error": None}, None),
        ({"request_id": "r", "choices": []}, "there are no choices"),
        ({"request_id": "r"}, "there are no choices"),
        ({"error": {"message": "no"}}, "the body reports an error"),
        ({"error": "no", "choices": []}, "the body reports an error"),
        ({"choices": [{"finish_reason": None}]}, "choice 0 has no finish_reason"),
        (
            {"choices": [{"finish_reason": "stop"}, {"index": 1, "message": {}}]},
            "choice 1 has no finish_reason",
        ),
        ([], "the body is no JSON object"),
        (None, "the body is no JSON object"),
    ],
)
def test_a_chat_answer_in_json_must_be_finished_and_without_error(value, problem):
    data = orjson.dumps(value)
    assert problem_with(body(data), chat=True) == problem
    assert problem_with(body(data), chat=False) is None


@pytest.mark.parametrize("kind", ["audio/mpeg", "text/plain", "application/octet-stream", ""])
def test_other_bodies_are_whole(kind):
    assert problem_with(body(b"{", kind), chat=False) is None


@pytest.mark.parametrize("kind", ["text/html", "text/plain", ""])
def test_a_chat_answer_is_json_or_a_stream_whatever_its_type(kind):
    finished = b'{"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":"stop"}]}'
    for whole in (finished, b"data: %b\n\ndata: [DONE]\n\n" % finished):
        assert problem_with(body(whole, kind), chat=True) is None
    page = body(b"<html>log in</html>", kind)
    assert problem_with(page, chat=True) == "a web page came in place of an answer"
    if kind != "text/html":
        other = problem_with(body(b"choose: data: no\n\n", kind), chat=True)
        assert other == "the body is neither JSON nor a stream of events"
    assert problem_with(body(finished[:-1], kind), chat=True) == "the body is not JSON"
    cut = b"data: %b\n\n" % finished.replace(b'"stop"', b"null")
    assert problem_with(body(cut, kind), chat=True) == "choice 0 has no finish_reason"

"""What is said over sockets, kept as events and given back; what is whole."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from promptdeck.core.dialects.responses.dialect import RESPONSES
from promptdeck.core.dialects.sockets import (
    BINARY,
    MESSAGE,
    OPENING,
    UNREADABLE,
    Close,
    frame_of,
    said_in,
)
from promptdeck.core.dialects.table import dialect_of, spoken_at
from promptdeck.core.interaction import Frame, Interaction, Request, Response, Variant
from promptdeck.core.text import sse
from promptdeck.errors import ClientError
from promptdeck.stores.cassettes.dump import HEADER, dump
from promptdeck.stores.cassettes.load import load
from tests.scripted_socket import response, text

TEXTS = st.text(st.characters(exclude_categories=["Cs"])) | st.text('\r\n: {}"\\ud\ufeff\x00ä')
CLOSES = st.builds(Close, st.integers(1000, 4999), TEXTS)
SAID = TEXTS | st.binary() | CLOSES


def answer(*said, status=200):
    frames = tuple(Frame(10 * n, frame_of(one)) for n, one in enumerate(said))
    return Response(status, (("content-type", "text/event-stream"),), frames)


@given(st.lists(SAID, max_size=5))
@example(["", b"", " a", "a\r", "data: x\n\n"])
def test_what_is_said_comes_back_however_it_is_cut_and_kept(said):
    frames = [frame_of(one) for one in said]
    assert [said_in(frame) for frame in frames] == said
    assert sse.frames(b"".join(frames)) == frames
    assert all(map(sse.is_whole, frames))
    kept = Interaction(
        "000000-000-00000000-1",
        "p1:0",
        Variant.SSE,
        1.0,
        "http://u/v1",
        Request(BINARY, "/v1/realtime?model=m", "application/octet-stream", b"\xff\x00"),
        answer(*said),
    )
    [again] = load(HEADER + dump(kept))
    assert again == kept


@given(st.binary(max_size=60) | st.text(max_size=30).map(str.encode))
@example(b"event: close\ndata: []\n\n")
@example(b'event: close\ndata: {"code": []}\n\n')
@example(b"event: text\ndata: 7\n\n")
@example(b"event: binary\ndata: \xff\n\n")
@example(b"event: binary\ndata: a\n\n")
def test_an_event_that_was_edited_is_read_or_refused(frame):
    for one in (frame, b"event: close\ndata: " + frame, b"event: text\ndata: " + frame):
        try:
            said = said_in(one)
        except UNREADABLE:
            continue
        assert said is None or isinstance(said, str | bytes | Close)


@given(st.integers(0, 70_000), TEXTS)
def test_what_ends_a_socket_can_be_sent(code, reason):
    close = Close(code, reason)
    assert 1000 <= close.code_to_send < 5000
    assert close.code_to_send not in (1004, 1005, 1006, 1015)
    assert len(close.reason_to_send) <= 123
    assert reason.startswith(close.reason_to_send.decode())


def test_sockets_are_where_models_are():
    for path in ("/v1/responses", "/v1/realtime?model=m", "/v1/realtime/translations"):
        assert spoken_at(path) is not None
        assert dialect_of(OPENING, path).name == "websocket"
    for path in ("/v1/chat/completions", "/v1/models", "/v1/responses/x", "/", ""):
        assert spoken_at(path) is None
        assert dialect_of(MESSAGE, path).name == "websocket"
    assert dialect_of("GET", "/v1/responses").name == "http"
    assert dialect_of(MESSAGE, "/v1/responses").variant({}) is Variant.SSE
    assert dialect_of(MESSAGE, "/v1/responses").is_stateful({"stream": True})


WHOLE = response("r", "hi")


@pytest.mark.parametrize("status", ["completed", "incomplete", "failed"])
def test_an_answer_ends_with_its_last_event_whatever_its_name_and_order(status):
    spoken = spoken_at("/v1/responses")
    *rest, last = response("r", "hi", status)
    assert not any(spoken.has_ended(frame_of(event)) for event in rest)
    assert spoken.has_ended(frame_of(last))
    assert spoken.has_ended(
        frame_of(text({"sequence_number": 1, "response": {}, "type": f"response.{status}"}))
    )
    assert not spoken.has_ended(frame_of(text({"type": "x", "delta": f'"response.{status}"'})))
    assert spoken.has_ended(frame_of(text({"type": "error"})))


@pytest.mark.parametrize(
    ("path", "said", "problem"),
    [
        ("/v1/responses", WHOLE, None),
        ("/v1/responses", [], None),
        ("/v1/responses", WHOLE[:2], None),
        ("/v1/responses", [*WHOLE, Close(1000)], None),
        ("/v1/responses", [*WHOLE[:2], Close(1000)], "before response.completed"),
        ("/v1/responses", response("r", "hi", "failed"), "reports an error"),
        ("/v1/responses", [text({"type": "error", "error": {}})], "reports an error"),
        ("/v1/realtime", [], None),
        ("/v1/realtime", [text({"type": "error", "error": {}}), b"\x00"], None),
        ("/v1/realtime", [Close(1000)], None),
        ("/v1/realtime", [Close(1001)], None),
        ("/v1/realtime", [Close()], None),
        ("/v1/realtime", [Close(4000, "quota")], None),
        ("/v1/realtime", ["a", Close(1011)], "closed the socket with 1011"),
    ],
)
def test_what_is_kept(path, said, problem):
    found = dialect_of(MESSAGE, path).problem_with(answer(*said))
    assert found is None if problem is None else problem in found


def test_a_response_reads_as_by_http():
    spoken = dialect_of(MESSAGE, "/v1/responses")
    assert spoken.says(answer(*WHOLE)) == "hi"
    assert spoken.message(answer(*WHOLE)) == RESPONSES.message(answer(*WHOLE))
    deltas = [text({"type": "response.output_text.delta", "delta": one}) for one in ("a", "b")]
    assert dialect_of(MESSAGE, "/v1/realtime").says(answer(*deltas, b"\x00")) == "ab"


def test_what_is_asked_is_shown():
    spoken = dialect_of(MESSAGE, "/v1/realtime")
    part = {"type": "input_text", "text": "Say hello"}
    item = {"type": "message", "role": "user", "content": [part]}
    assert spoken.turns({"type": "conversation.item.create", "item": item}) == [
        ("user", "Say hello")
    ]
    assert spoken.turns({"type": "response.create"}) == [("response.create", "")]
    for odd in (b"x", [], {"item": 7}, {"item": {"content": [7, {"text": 7}], "role": 7}}):
        assert isinstance(spoken.turns(odd), list)


def test_errors_are_in_the_shape_of_each():
    error = ClientError("no", code="cassette_miss")
    for path in ("/v1/responses", "/v1/realtime"):
        told = sse.parse(dialect_of(MESSAGE, path).error_event(error)).data
        assert '"type":"error"' in told
        assert '"cassette_miss"' in told

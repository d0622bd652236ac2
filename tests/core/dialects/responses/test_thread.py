"""A message over a WebSocket in its whole form: the same however much of it was said before."""

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from promptdeck.core.dialects.responses.dialect import RESPONSES
from promptdeck.core.dialects.responses.thread import ResponsesThread, warmed_up
from promptdeck.core.dialects.sockets import MESSAGE, frame_of
from promptdeck.core.interaction import Request
from promptdeck.core.matching.normalize import normalize
from promptdeck.core.matching.rules import Rules
from promptdeck.core.secrets.redact import Redactor
from tests.chats import TEXT
from tests.scripted_socket import response, text

USERS = TEXT.map(lambda said: {"role": "user", "content": said})
TURNS = st.lists(st.tuples(st.lists(USERS, max_size=3) | TEXT, TEXT), min_size=1, max_size=5)


def form(body):
    request = Request(MESSAGE, "/v1/responses", "application/json", body)
    return normalize(request, Rules(), Redactor()).canonical


@given(TURNS, st.data())
def test_what_was_said_before_is_the_same_as_what_is_said_again(turns, data):
    thread, everything, previous = ResponsesThread(), [], None
    for number, (asked, answered) in enumerate(turns):
        items = [{"role": "user", "content": asked}] if isinstance(asked, str) else asked
        whole = {"type": "response.create", "model": "m", "input": [*everything, *items]}
        said = whole
        if previous and data.draw(st.booleans()):
            said = {**whole, "input": asked, "previous_response_id": previous}
        body = thread.whole(orjson.dumps(said))
        assert form(body) == form(orjson.dumps(whole))
        thread.answering(body)
        previous = f"resp_{number}"
        for event in response(previous, answered):
            thread.heard(frame_of(event))
        everything = [*whole["input"], *orjson.loads(event)["response"]["output"]]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'{"input": "a"}',
        b'{"previous_response_id": "unheard", "input": "a"}',
        b'{"previous_response_id": 7}',
        b'{"previous_response_id": null, "input": "a"}',
        b'["previous_response_id"]',
    ],
)
def test_what_goes_on_from_nothing_heard_is_as_it_is(body):
    assert ResponsesThread().whole(body) is body


@given(st.lists(st.text(max_size=20) | st.binary(max_size=9) | st.sampled_from(response("r", "x"))))
@example([text({"type": "response.completed"})])
@example([text({"type": "response.completed", "response": {"id": 7, "output": 7}})])
def test_odd_answers_do_no_harm(said):
    thread = ResponsesThread()
    thread.answering(b"odd")
    for one in said:
        thread.heard(frame_of(one))
    thread.whole(b'{"previous_response_id": "r"}')


def test_only_the_latest_answers_are_known():
    thread = ResponsesThread()
    for number in range(50):
        thread.answering(b'{"input": "a"}')
        for event in response(f"r{number}", "x"):
            thread.heard(frame_of(event))
    for number in (0, 49):
        body = orjson.dumps({"previous_response_id": f"r{number}", "input": "b"})
        assert (thread.whole(body) is body) == (number == 0)


def test_what_has_nothing_generated_has_one_answer():
    body = orjson.dumps({"type": "response.create", "model": "m", "generate": False})
    told = RESPONSES.fold(warmed_up(body, "resp_1"))
    assert (told["id"], told["status"], told["model"], told["output"]) == (
        ("resp_1", "completed", "m", [])
    )
    for other in (b"", b'{"generate": false}', body.replace(b"false", b"true"), b'["generate"]'):
        assert warmed_up(other, "resp_1") == []

"""What a chat answer says, as people read it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.dialects.chat.dialect import CHAT
from promptdeck.core.dialects.chat.variants import to_stream
from promptdeck.core.interaction import Frame, Response
from promptdeck.core.text.jsontext import compact
from tests.chats import COMPLETIONS, HELLO, HOSTILE_CHUNKS, WEATHER, hostile_frame, message


def answer(completion):
    return Response(200, (("content-type", "application/json"),), (Frame(0, compact(completion)),))


@given(COMPLETIONS)
def test_an_answer_says_the_same_in_both_forms(completion):
    recorded = answer(completion)
    assert CHAT.says(recorded) == CHAT.says(to_stream(recorded, include_usage=False))


@pytest.mark.parametrize(
    ("completion", "text"),
    [
        (HELLO, "Hello, wide world!"),
        (WEATHER, 'weather({"city":"Paris"})\ntime({})'),
        (message(content="a", reasoning_content="b"), "[reasoning] b\na"),
        (message(content="a", reasoning="b", reasoning_content="b"), "[reasoning] b\na"),
        (message(content=None, refusal="No."), "[refusal] No."),
        (message(content=None, audio={"transcript": "Hey", "data": "AA"}), "[audio] Hey"),
        (message(content="a", function_call={"name": "f", "arguments": "{}"}), "a\nf({})"),
        (message(tool_calls=[{"custom": {"name": "sql", "input": "x"}}]), "sql(x)"),
        (
            message(
                content=[
                    {"type": "thinking", "thinking": [{"type": "text", "text": "b"}]},
                    {"type": "text", "text": "a"},
                ]
            ),
            "[reasoning] b\na",
        ),
        (message(content=""), ""),
        (HELLO | {"choices": []}, ""),
    ],
)
def test_what_was_said_can_be_read(completion, text):
    assert CHAT.says(answer(completion)) == text


def test_several_choices_are_told_apart():
    choices = [
        {"index": 0, "message": {"content": "a"}},
        {"index": 1, "message": {"content": "b"}},
    ]
    assert CHAT.says(answer(HELLO | {"choices": choices})) == "[choice 0]\na\n\n[choice 1]\nb"


@given(st.binary(max_size=40) | HOSTILE_CHUNKS.map(hostile_frame), st.booleans())
def test_anything_says_something_or_nothing(data, streamed):
    kind = "text/event-stream" if streamed else "application/json"
    body = data if streamed else data.removeprefix(b"data: ")
    assert isinstance(CHAT.says(Response(200, (("content-type", kind),), (Frame(0, body),))), str)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b'{"data":[{"embedding":[0.5]}]}'),
        ("application/json", b'{"choices":[{"text":"legacy"}]}'),
        ("application/json", b'["choices"]'),
        ("audio/mpeg", b"\xff\xfb"),
        ("text/event-stream", b'data: {"type":"response.created"}\n\n'),
        ("text/event-stream", b"data: not JSON\n\n"),
    ],
)
def test_what_is_no_chat_answer_says_nothing(kind, body):
    assert CHAT.says(Response(200, (("content-type", kind),), (Frame(0, body),))) == ""

"""Ollama's answers and requests, told to people."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.dialects.ollama import OLLAMA
from tests.chats import ANY_JSON
from tests.dialects import response

CALL = {"function": {"name": "paint", "arguments": {"colour": "blue"}}}
CHAT = [
    {"model": "m", "message": {"role": "assistant", "thinking": "Let me"}, "done": False},
    {"model": "m", "message": {"role": "assistant", "thinking": " look."}, "done": False},
    {"model": "m", "message": {"role": "assistant", "content": "It is"}, "done": False},
    {"model": "m", "message": {"role": "assistant", "content": " blue"}, "done": False},
    {"model": "m", "message": {"content": "", "tool_calls": [CALL]}, "done": True},
]
WHOLE = {"role": "assistant", "thinking": "Let me look.", "content": "It is blue"}
SAID = '[reasoning] Let me look.\nIt is blue\npaint({"colour":"blue"})'


def lines(*values):
    data = b"".join(orjson.dumps(value) + b"\n" for value in values)
    return response([data], "application/x-ndjson")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (CHAT, SAID),
        ([{"message": {**WHOLE, "tool_calls": [CALL]}, "done": True}], SAID),
        ([{"response": "It"}, {"response": " is."}, {"response": "", "done": True}], "It is."),
        ([{"error": "no such model"}], ""),
    ],
)
def test_an_answer_says_the_same_in_lines_and_whole(answer, said):
    assert OLLAMA.says(lines(*answer)) == said


def test_a_request_tells_who_says_what():
    messages = [
        {"role": "user", "content": "hi", "images": ["AAAA"]},
        {**WHOLE, "tool_calls": [CALL]},
    ]
    assert OLLAMA.turns({"messages": messages}) == [("user", "hi\n[image]"), ("assistant", SAID)]
    assert OLLAMA.turns({"system": "Be brief.", "prompt": "hi"}) == [
        ("system", "Be brief."),
        ("user", "hi"),
    ]


@given(st.lists(ANY_JSON, max_size=3))
def test_nothing_is_too_odd_to_be_told(values):
    assert isinstance(OLLAMA.says(lines(*values)), str)
    for value in (*values, {"messages": values}):
        assert isinstance(OLLAMA.turns(value), list)

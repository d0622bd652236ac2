"""Ollama's answers and requests, told to people."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.dialects.ollama.dialect import OLLAMA
from promptdeck.core.interaction import Variant
from promptdeck.core.matching.retelling import retold
from promptdeck.core.secrets.answers import cleared_response
from promptdeck.core.secrets.redact import Redactor
from tests.chats import ANY_JSON
from tests.dialects import PROTOCOLS, response

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


def pieces(*texts):
    """A stream that says these, a line each."""
    sample = PROTOCOLS["ollama"]
    lines = [{"message": {"role": "assistant", "content": text}, "done": False} for text in texts]
    return sample.streamed([*map(sample.framed, lines), sample.stream[-1]])


@pytest.mark.parametrize(
    ("body", "variant"),
    [
        ({}, Variant.LINES),
        ({"stream": None}, Variant.LINES),
        ({"stream": True}, Variant.LINES),
        ({"stream": False}, Variant.JSON),
        (b'{"n":1e999}', Variant.LINES),
        (b'{"n":1e999, "stream": false}', Variant.JSON),
        (b'{"n":1e999, "options": {"stream": false}}', Variant.LINES),
    ],
)
def test_a_stream_comes_where_nobody_says_otherwise(body, variant):
    assert OLLAMA.variant(body) is variant


def test_a_secret_that_is_spread_over_lines_is_taken_out():
    key = "sk-proj-" + "Ab1" * 16
    recorded = pieces("The key is ", key[:10], key[10:30], key[30:], " and so on.")
    kept, counts = cleared_response(Redactor(()), recorded)
    assert counts
    assert len(kept.frames) == len(recorded.frames)
    assert OLLAMA.says(kept).startswith("The key is ")
    assert OLLAMA.says(kept).endswith(" and so on.")
    assert key not in OLLAMA.says(kept)
    assert key[10:30].encode() not in kept.body


def test_a_path_in_pieces_becomes_that_of_who_asks():
    recorded = pieces("See /home/a", "nn/pro", "j/notes.txt")
    found = retold(recorded, {"⟨cwd⟩": "/home/ann/proj"}, {"⟨cwd⟩": "/srv/bob"}).response
    assert OLLAMA.says(found) == "See /srv/bob/notes.txt"


def test_the_end_is_in_the_last_whole_line():
    last = PROTOCOLS["ollama"].stream[-1]
    assert OLLAMA.has_ended(b'{"a": 1}\n' + last)
    assert not OLLAMA.has_ended(last[:-1])
    assert not OLLAMA.has_ended(last + b'{"done": false}\n')

"""Cohere's answers and requests, told to people."""

from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.dialects.cohere.dialect import COHERE
from tests.chats import ANY_JSON
from tests.dialects import answer, response, typed


def event(kind, index=None, **message):
    return typed(kind, index=index, delta={"message": message})


def calls(**function):
    return {"tool_calls": {"id": "c", "type": "function", "function": function}}


STREAM = [
    event("message-start", role="assistant", content=[], tool_plan="", tool_calls=[]),
    event("content-start", 0, content={"type": "thinking", "thinking": ""}),
    event("content-delta", 0, content={"thinking": "Let me"}),
    event("content-delta", 0, content={"thinking": " look."}),
    typed("content-end", index=0),
    event("content-start", 1, content={"type": "text", "text": ""}),
    event("content-delta", 1, content={"text": "It is"}),
    event("content-delta", 1, content={"text": " blue"}),
    typed("content-end", index=1),
    event("tool-plan-delta", tool_plan="I will"),
    event("tool-plan-delta", tool_plan=" paint."),
    event("tool-call-start", 0, **calls(name="paint", arguments="")),
    event("tool-call-delta", 0, **calls(arguments='{"colour":')),
    event("tool-call-delta", 0, **calls(arguments='"blue"}')),
    typed("tool-call-end", index=0),
    event("tool-call-start", 1, **calls(name="now", arguments="")),
    typed("tool-call-end", index=1),
    typed("message-end", delta={"finish_reason": "TOOL_CALL"}),
]
WHOLE = {
    "role": "assistant",
    "content": [
        {"type": "thinking", "thinking": "Let me look."},
        {"type": "text", "text": "It is blue"},
    ],
    "tool_plan": "I will paint.",
    "tool_calls": [
        {
            "id": "c",
            "type": "function",
            "function": {"name": "paint", "arguments": '{"colour":"blue"}'},
        },
        {"id": "d", "type": "function", "function": {"name": "now", "arguments": ""}},
    ],
}
SAID = {
    "[reasoning] Let me look.",
    "It is blue",
    "[plan] I will paint.",
    'paint({"colour":"blue"})',
    "now()",
}


def test_an_answer_says_the_same_in_both_forms():
    told = [COHERE.says(response(STREAM)), COHERE.says(answer({"message": WHOLE}))]
    assert [set(text.split("\n")) for text in told] == [SAID, SAID]


def test_a_request_tells_who_says_what():
    messages = [{"role": "user", "content": "hi"}, WHOLE]
    [user, assistant] = COHERE.turns({"messages": messages})
    assert user == ("user", "hi")
    assert (assistant[0], set(assistant[1].split("\n"))) == ("assistant", SAID)


@given(st.lists(ANY_JSON, max_size=3))
def test_nothing_is_too_odd_to_be_told(values):
    for value in values:
        assert isinstance(COHERE.says(answer({"message": value})), str)
        odd = typed("content-delta", index=value, delta={"message": value})
        assert isinstance(COHERE.says(response([odd])), str)
    for value in (*values, {"messages": values}):
        assert isinstance(COHERE.turns(value), list)

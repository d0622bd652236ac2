"""Where a run departs: the step, what led there, and what the recorded run did next."""

import orjson
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.misses.departure import Departure, departure, told


def form(*said: dict, target: str = "/v1/chat/completions", key: str = "messages") -> bytes:
    return f"POST {target}\n".encode() + orjson.dumps(
        {key: list(said)}, option=orjson.OPT_SORT_KEYS
    )


def user(text: str) -> dict:
    return {"role": "user", "content": text}


def calling(name: str, **arguments: str) -> dict:
    function = {"name": name, "arguments": orjson.dumps(arguments).decode()}
    return {
        "role": "assistant",
        "tool_calls": [{"id": "c", "type": "function", "function": function}],
    }


def result(text: str) -> dict:
    return {"role": "tool", "tool_call_id": "c", "content": text}


TURNS = [
    user("fix it"),
    calling("read", path="a"),
    result("1"),
    calling("edit", path="a"),
    result("ok"),
]
RUN = [("r1", form(*TURNS[:1])), ("r2", form(*TURNS[:3])), ("r3", form(*TURNS))]


def test_another_tool_result_is_told_with_what_the_recorded_run_did_next() -> None:
    found = departure(form(*TURNS[:2], result("2")), RUN)
    assert found == Departure(2, "r1", "tool: 2", "tool: 1", 'assistant: edit({"path":"a"})')
    assert found.lines() == [
        "Departs from a recorded run at step 2, after r1:",
        "  this run       tool: 2",
        "  recorded run   tool: 1",
        '  and then       assistant: edit({"path":"a"})',
    ]


def test_a_run_that_goes_on_where_the_recorded_one_ends() -> None:
    said = {"role": "assistant", "content": "done"}
    found = departure(form(*TURNS, said, user("and now?")), RUN)
    assert found == Departure(4, "r3", "assistant: done", "", "")


def test_what_begins_a_run_or_is_of_another_departs_from_none() -> None:
    assert departure(form(user("fix that")), RUN) is None
    assert departure(form(user("fix that"), *TURNS[1:3]), RUN) is None
    assert departure(form(*TURNS[:2], result("2"), target="/v1/other"), RUN) is None
    assert departure(b"GET /v1/models\n", RUN) is None


def test_each_protocols_items_are_told() -> None:
    use = {"type": "tool_use", "id": "t", "name": "Read", "input": {"path": "a"}}
    assert told({"role": "assistant", "content": [use]}) == 'assistant: Read({"path": "a"})'
    back = {"type": "tool_result", "tool_use_id": "t", "content": "one"}
    assert told({"role": "user", "content": [back]}) == "user: one"
    call = {"type": "function_call", "name": "sh", "arguments": '{"cmd":"ls"}', "call_id": "c"}
    assert told(call) == 'function_call: sh({"cmd":"ls"})'
    assert told({"type": "function_call_output", "output": "two"}) == "function_call_output: two"
    part = {"functionCall": {"name": "f", "args": {"a": 1}}}
    assert told({"role": "model", "parts": [part]}) == 'model: f({"a": 1})'


JSONS = st.recursive(
    st.none() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from("role type content parts text input name output".split()),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@given(shared=st.lists(JSONS, min_size=1, max_size=3), rest=st.lists(JSONS, min_size=1, max_size=3))
def test_any_conversation_is_told_and_departs_behind_what_is_recorded(shared, rest) -> None:
    asked = form(*shared, {"role": "assistant", "content": "x"}, *rest)
    found = departure(asked, [("r", form(*shared))])
    assert departure(form(*shared, user("go on"), *rest), [("r", form(*shared))]) is None
    assert found is not None
    assert (found.step, found.parent, found.recorded) == (2, "r", "")

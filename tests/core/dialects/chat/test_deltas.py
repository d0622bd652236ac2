"""How deltas add up: OpenAI's ways, and the ways in which providers depart from them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.dialects.chat.deltas import gathered, joined, joined_calls
from promptdeck.core.dialects.pieces import as_object, index_of, objects_in

ANY_KEY = st.sampled_from(
    ["content", "thinking", "name", "id", "type", "index", "function", "arguments", "text", "x"]
)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 3) | st.floats(-1, 1) | st.sampled_from("ab "),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_KEY, inner, max_size=4),
    max_leaves=15,
)


def grown(key, *values):
    return joined(key, values, grows=True)


def repeated(key, *values):
    return joined(key, values, grows=False)


@given(ANY_KEY, st.lists(ANY_JSON, max_size=4), st.booleans())
def test_json_of_any_shape_adds_up_to_something(key, values, grows):
    result = joined(key, values, grows=grows)
    assert (result is None) == all(value is None for value in values)


@given(ANY_KEY, ANY_JSON, st.booleans())
def test_one_value_stays_as_it_is_among_nulls(key, value, grows):
    assert joined(key, [None, value, None], grows=grows) == value


@given(st.lists(st.dictionaries(ANY_KEY, ANY_JSON, max_size=4), max_size=4))
def test_calls_of_any_shape_add_up_to_calls_without_index(pieces):
    calls = joined_calls(pieces)
    assert len(calls) <= len(pieces)
    assert not any("index" in call for call in calls)


@given(st.lists(st.text()))
def test_text_goes_on_in_a_delta(pieces):
    assert (grown("content", *pieces) or "") == "".join(pieces)


def test_text_is_repeated_outside_of_deltas():
    safe = {"hate": {"filtered": False, "severity": "safe"}}
    assert repeated("content_filter_results", safe, safe) == safe
    assert repeated("stop_reason", "a", None, "b") == "b"


@pytest.mark.parametrize("key", ["id", "type", "role", "object", "model", "format"])
def test_labels_are_repeated_and_an_empty_one_says_nothing(key):
    assert grown(key, "a", "b", "") == "b"
    assert grown(key, "", "") == ""


def test_the_first_name_counts():
    assert grown("name", "", "look_up", "look_up") == "look_up"


def test_of_numbers_booleans_and_a_mixture_the_last_counts():
    assert grown("n", 1, 2, None) == 2
    assert grown("done", False, True) is True
    assert grown("n", "a", 1) == 1
    assert grown("n", {}, "a") == "a"


def test_objects_merge_key_by_key():
    assert grown("audio", {"id": "a", "data": "x"}, {"id": "a", "data": "y", "expires_at": 5}) == {
        "id": "a",
        "data": "xy",
        "expires_at": 5,
    }


def test_lists_follow_one_another():
    assert grown("annotations", [{"a": 1}], [], [{"a": 2}]) == [{"a": 1}, {"a": 2}]
    assert repeated("token_ids", [1, 2], [3]) == [1, 2, 3]


def test_numbered_items_continue_the_item_of_their_number():
    first = [{"type": "reasoning.text", "index": 0, "text": "Let", "format": "v1"}]
    second = [{"type": "reasoning.text", "index": 0, "text": " me", "format": "v1"}]
    other = [{"type": "reasoning.text", "index": 1, "text": "So", "format": "v1"}]
    assert grown("reasoning_details", other, first, second) == [
        {"type": "reasoning.text", "index": 0, "text": "Let me", "format": "v1"},
        {"type": "reasoning.text", "index": 1, "text": "So", "format": "v1"},
    ]


def test_numbered_items_of_two_kinds_stay_apart():
    assert grown(
        "reasoning_details",
        [{"type": "summary", "index": 0, "summary": "I th"}],
        [{"index": 0, "summary": "ink"}],
        [{"type": "encrypted", "index": 0, "data": "xyz"}],
    ) == [
        {"type": "summary", "index": 0, "summary": "I think"},
        {"type": "encrypted", "index": 0, "data": "xyz"},
    ]


def test_parts_of_thinking_and_text_become_one_each():
    assert grown(
        "content",
        "",
        [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]}],
        [{"type": "thinking", "thinking": [{"type": "text", "text": "m."}]}],
        "It",
        " is.",
    ) == [
        {"type": "thinking", "thinking": [{"type": "text", "text": "Hmm."}]},
        {"type": "text", "text": "It is."},
    ]


def test_parts_of_other_kinds_stay_apart():
    reference = {"type": "reference", "reference_ids": [1]}
    assert grown("content", [reference], [reference]) == [reference, reference]


def test_a_call_begins_once_and_its_arguments_go_on():
    assert joined_calls(
        [
            {
                "index": 0,
                "id": "c1",
                "type": "function",
                "function": {"name": "f", "arguments": ""},
            },
            {"index": 0, "function": {"arguments": '{"a"'}},
            {"index": 0, "function": {"arguments": ":1}"}},
        ]
    ) == [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}]


def test_parallel_calls_may_interleave_and_come_in_any_order():
    assert joined_calls(
        [
            {"index": 1, "id": "b", "function": {"name": "g", "arguments": "1"}},
            {"index": 0, "id": "a", "function": {"name": "f", "arguments": "2"}},
            {"index": 1, "function": {"arguments": "3"}},
        ]
    ) == [
        {"id": "a", "function": {"name": "f", "arguments": "2"}},
        {"id": "b", "function": {"name": "g", "arguments": "13"}},
    ]


def test_calls_without_index_are_told_apart_by_id():
    assert joined_calls(
        [
            {"id": "a", "function": {"name": "f", "arguments": "1"}},
            {"id": "b", "function": {"name": "f", "arguments": "2"}},
            {"function": {"arguments": "3"}},
            {"id": "a", "function": {"arguments": "4"}},
        ]
    ) == [
        {"id": "a", "function": {"name": "f", "arguments": "14"}},
        {"id": "b", "function": {"name": "f", "arguments": "23"}},
    ]


def test_an_empty_id_continues_the_call():
    assert joined_calls(
        [
            {"index": 0, "id": "a", "function": {"name": "f", "arguments": "1"}},
            {"index": 0, "id": "", "function": {"name": None, "arguments": "2"}},
        ]
    ) == [{"id": "a", "function": {"name": "f", "arguments": "12"}}]


def test_custom_input_and_signatures_are_kept():
    assert joined_calls(
        [
            {
                "index": 0,
                "id": "a",
                "type": "custom",
                "custom": {"name": "sql", "input": "select"},
                "thought_signature": "c2ln",
                "extra_content": {"google": {"thought_signature": "c2ln"}},
            },
            {"index": 0, "custom": {"input": " 1"}},
        ]
    ) == [
        {
            "id": "a",
            "type": "custom",
            "custom": {"name": "sql", "input": "select 1"},
            "thought_signature": "c2ln",
            "extra_content": {"google": {"thought_signature": "c2ln"}},
        }
    ]


def test_helpers_take_json_of_any_shape():
    assert as_object({"a": 1}) == {"a": 1}
    assert as_object([1]) == as_object(None) == {}
    assert objects_in([None, "x", [1, {"a": 1}, None], {"b": 1}, [{}]]) == [{"a": 1}, {}]
    assert index_of({"index": 2}, 0) == 2
    assert index_of({"index": "2"}, 7) == index_of({}, 7) == 7
    assert gathered([{"a": 1, "b": 2}, {"a": None}]) == {"a": [1, None], "b": [2]}


def call(name, arguments, index=0, called="search"):
    function = {"name": called, "arguments": arguments} if called else {"arguments": arguments}
    return {"index": index, "id": name, "type": "function", "function": function}


def told(*pieces):
    return [(one["id"], one["function"]["arguments"]) for one in joined_calls(pieces)]


def test_calls_that_all_have_the_same_index_are_told_apart_by_where_they_begin():
    assert told(call("a", "1"), call("b", "2")) == [("a", "1"), ("b", "2")]
    # What follows without an id belongs to the latest call of its index, with one to its own.
    more = {"index": 0, "function": {"arguments": "+"}}
    assert told(call("a", "1"), call("b", "2"), more) == [("a", "1"), ("b", "2+")]
    again = call("a", "+", called=None)
    assert told(call("a", "1"), call("b", "2"), again) == [("a", "1+"), ("b", "2")]
    # An id alone begins none: some servers draw a new one for each piece.
    assert [arguments for _, arguments in told(call("a", "1"), call("b", "2", called=None))] == [
        "12"
    ]


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(1, 3)), min_size=1, max_size=5),
)
def test_calls_are_told_apart_however_badly_they_are_numbered(calls):
    pieces, expected = [], []
    for at, (index, size) in enumerate(calls):
        pieces.append(call(f"c{at}", "", index))
        more = {"index": index, "function": {"arguments": f"{at}"}}
        pieces += [more] * size
        expected.append((f"c{at}", f"{at}" * size))
    assert sorted(told(*pieces)) == expected

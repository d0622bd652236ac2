"""Where two requests differ: every place is named, none is made up, and a diff stays readable."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from promptdeck.core.matching.rules import parse_path
from promptdeck.core.misses.differences import (
    MOST_PLACES,
    Difference,
    DifferenceKind,
    FormParts,
    between,
    differences,
)
from promptdeck.core.text.jsontext import Unfaithful, canonical, compact, parse
from tests.work import calls

SCALAR = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(-1e15, 1e15)
    | st.text("ab .\n'\\", max_size=8)
)
VALUE = st.recursive(
    SCALAR,
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(st.text("ab'\\\n", max_size=2), inner, max_size=4)
    ),
    max_leaves=20,
)


def user(content, **more):
    return {"role": "user", "content": content, **more}


def form(value, line="POST /v1/chat/completions"):
    return f"{line}\n".encode() + (value if isinstance(value, bytes) else canonical(value))


def shown(asked, recorded):
    return [str(item) for item in differences(asked, recorded)]


def found_at(value, path):
    for step in parse_path(path) if path != "$" else ():
        value = value[step.at]
    return value


def leads_to(path, document, value):
    try:
        return canonical(found_at(document, path)) == canonical(value)
    except (KeyError, IndexError, TypeError):
        return False


def variants(value):
    """`value` and something near it: what a program that changed a little would ask."""
    changed = st.just(value)
    if isinstance(value, dict) and value:
        key = st.sampled_from(sorted(value))
        changed |= st.builds(lambda k, v: {**value, k: v}, key, VALUE)
        changed |= key.map(lambda k: {name: item for name, item in value.items() if name != k})
    if isinstance(value, list):
        place = st.integers(0, len(value))
        changed |= st.builds(lambda n, v: [*value[:n], v, *value[n:]], place, VALUE)
        changed |= place.map(lambda n: [*value[:n], *value[n + 1 :]])
    return st.tuples(changed | VALUE, st.just(value))


PAIR = st.tuples(VALUE, VALUE) | VALUE.flatmap(variants)


@given(PAIR)
@example(([1, True, 0], [1.0, 1, -0.0]))
def test_there_are_differences_exactly_where_canonical_texts_differ(pair):
    asked, recorded = pair
    assert bool(differences(asked, recorded)) == (canonical(asked) != canonical(recorded))


@given(PAIR)
def test_every_path_leads_to_its_value(pair):
    asked, recorded = pair
    for item in differences(asked, recorded):
        if item.kind is DifferenceKind.REMOVED:
            assert leads_to(item.path, recorded, item.recorded)
        else:
            assert leads_to(item.path, asked, item.asked)


@given(PAIR)
def test_what_one_side_adds_the_other_removes(pair):
    there, back = differences(*pair), differences(*reversed(pair))
    count = [item.kind for item in there].count
    assert bool(there) == bool(back)
    for item in there:
        if item.kind is DifferenceKind.CHANGED:
            assert canonical(item.asked) != canonical(item.recorded)
    assert count(DifferenceKind.CHANGED) + count(DifferenceKind.ADDED) + count(
        DifferenceKind.REMOVED
    ) == len(there)


def test_members_come_in_the_order_of_canonical_json():
    asked = {"model": "b", "temperature": 0.5, "messages": [user("Hi")]}
    recorded = {"model": "a", "messages": [user("Ho")], "seed": 7}
    assert shown(asked, recorded) == [
        '$.messages[0].content: recorded "Ho", asked "Hi"',
        '$.model: recorded "a", asked "b"',
        "$.seed: recorded 7, not asked",
        "$.temperature: not recorded, asked 0.5",
    ]


def test_an_inserted_message_moves_no_other():
    recorded = [user(f"Question {n}") for n in range(9)]
    asked = [*recorded[:3], user("By the way"), *recorded[3:]]
    item = '{"content":"By the way","role":"user"}'
    assert shown(asked, recorded) == [f"$[3]: not recorded, asked {item}"]
    assert shown(recorded, asked) == [f"$[3]: recorded {item}, not asked"]


def test_a_message_inserted_beside_a_changed_one_leaves_the_pair_together():
    recorded = [user("Name three rivers")]
    asked = [user("One more thing, then"), user("Name three lakes")]
    assert shown(asked, recorded) == [
        '$[0]: not recorded, asked {"content":"One more thing, then","role":"user"}',
        '$[1].content: recorded "Name three rivers", asked "Name three lakes" (rivers -> lakes)',
    ]


def test_a_message_taken_out_beside_a_changed_one_leaves_the_pair_together():
    asked = [user("Please name three lakes in Europe"), user("Thank you, that is all")]
    recorded = [
        user("Hello"),
        user("Please name three rivers in Europe"),
        user("Thank you, that was all"),
    ]
    assert [(item.path, item.kind) for item in differences(asked, recorded)] == [
        ("$[0]", DifferenceKind.REMOVED),
        ("$[0].content", DifferenceKind.CHANGED),
        ("$[1].content", DifferenceKind.CHANGED),
    ]


def test_a_removed_member_of_a_moved_item_is_named_by_its_place_in_the_recording():
    recorded = [user("Please name three rivers", name="Ann")]
    asked = [user("Hello"), user("Please name three rivers")]
    assert shown(asked, recorded)[1] == '$[0].name: recorded "Ann", not asked'


def test_a_change_of_type_is_a_change():
    assert shown({"stop": "a"}, {"stop": ["a", None]}) == ['$.stop: recorded ["a",null], asked "a"']
    assert shown([1], [True]) == ["$[0]: recorded true, asked 1"]
    assert shown({"n": None}, {}) == ["$.n: not recorded, asked null"]


def test_a_whole_document_can_differ():
    assert shown("a", {"b": 1}) == ['$: recorded {"b":1}, asked "a"']


def test_a_change_deep_in_a_schema_is_named_by_its_leaf():
    def tools(kind):
        schema = {"type": "object", "properties": {"a city": {"type": kind}, "days": {"type": "x"}}}
        return {"tools": [{"function": {"name": "weather", "parameters": schema}}]}

    place = "$.tools[0].function.parameters.properties['a city'].type"
    said = f'{place}: recorded "array", asked "string"'
    assert shown(tools("string"), tools("array")) == [said]


def test_long_values_are_cut_and_long_paths_too():
    difference = Difference("$." + "a" * 500, DifferenceKind.ADDED, asked={"text": "long " * 500})
    assert len(str(difference)) < 250
    assert str(difference).endswith("long …")


def test_details_keep_short_values_as_they_are_and_cut_long_ones():
    assert Difference("$.n", DifferenceKind.ADDED, asked=[1, None]).details() == {
        "path": "$.n",
        "kind": "added",
        "asked": [1, None],
    }
    long = "It was the best of times, it was the worst of times. " * 5
    assert Difference(
        "$.a", DifferenceKind.CHANGED, long.replace("worst", "best"), long
    ).details() == {
        "path": "$.a",
        "kind": "changed",
        "recorded": '"…times, it was the worst of times. It was…"',
        "asked": '"…times, it was the best of times. It was…"',
        "words": "worst -> best, worst -> best, worst -> best, 2 more",
    }
    assert Difference("$.a", DifferenceKind.REMOVED, recorded="x").details()["recorded"] == "x"


def places(asked, recorded):
    return [str(item) for item in between(FormParts.read(asked), FormParts.read(recorded))]


def test_of_different_endpoints_only_that_is_said():
    assert places(form({"a": 1}, "POST /v1/images"), form({"b": 2}, "GET /v1/images")) == [
        'endpoint: recorded "GET /v1/images", asked "POST /v1/images" (GET -> POST)'
    ]


def test_a_query_differs_on_its_own():
    assert places(form({}, "GET /v1/models?limit=2"), form({}, "GET /v1/models?limit=20")) == [
        'query: recorded "?limit=20", asked "?limit=2" (20 -> 2)'
    ]
    assert places(form({}, "GET /v1/models?"), form({}, "GET /v1/models")) == [
        'query: recorded "", asked "?"'
    ]
    both = places(form(b"text", "GET /?a"), form(b"test", "GET /?b"))
    assert both == [
        'query: recorded "?b", asked "?a" (b -> a)',
        'line 1: recorded "test", asked "text"',
    ]


def test_text_is_compared_line_by_line():
    assert places(form(b"one\ntwo\nthree\n"), form(b"one\n2\nthree\nfour\n")) == [
        r'line 2: recorded "2\n", asked "two\n" (2 -> two)',
        r'line 4: recorded "four\n", not asked',
    ]
    assert places(form(b"a\r\nb"), form(b"a\nb")) == [
        r'line 1: recorded "a\n", asked "a\r\n" ("\r" added)'
    ]


def test_bytes_are_compared_by_size_and_the_first_that_differ():
    found = between(
        FormParts.read(form(b"\xff\x03abcdefgh")), FormParts.read(form(b"\xff\x07abcdefgh"))
    )
    assert [(item.path, *item.shown()) for item in found] == [
        (
            "body",
            '"10 bytes, from byte 1: 07 61 62 63 64 65 66 67"',
            '"10 bytes, from byte 1: 03 61 62 63 64 65 66 67"',
            "07 -> 03",
        )
    ]
    shorter = places(form(b"\xff\x00\x01"), form(b"\xff\x00"))[0]
    assert 'recorded "2 bytes, from byte 2: nothing", asked "3 bytes, from byte 2: 01"' in shorter


def test_json_that_was_not_sent_as_json_differs_by_its_text():
    assert places(form(b'{"a": 1}'), form(b'{"a":1}')) == [
        'line 1: recorded "{\\"a\\":1}", asked "{\\"a\\": 1}" (" " added)'
    ]


def test_an_empty_body_differs_from_one_that_is_not():
    assert places(form(b""), form(b"text")) == ['line 1: recorded "text", not asked']


BODY = (
    st.binary(max_size=30) | st.text("ab\r\n\x85", max_size=9).map(str.encode) | VALUE.map(compact)
)
FORM = st.builds(
    lambda line, body: line + b"\n" + body,
    st.sampled_from([b"POST /v1", b"POST /v1?a", b"GET /", b"\xff", b""]),
    BODY,
) | st.binary(max_size=20)


@given(FORM, FORM)
@example(b"POST /v1\nnull", b"POST /v1\n[]")
@example(b"POST /v1", b"POST /v1\n")
@example(b"POST /v1\n[1]", b"POST /v1\n[1.0]")
def test_any_two_requests_can_be_compared(asked, recorded):
    ours, theirs = FormParts.read(asked), FormParts.read(recorded)
    found = between(ours, theirs)
    assert bool(found) == ((ours.line, ours.body) != (theirs.line, theirs.body))
    assert all(str(item) and item.details() for item in found)


@given(st.binary())
def test_a_form_that_is_no_json_has_no_value(body):
    try:
        value = parse(body)
    except Unfaithful:
        value = None
    assert FormParts.read(b"POST /\n" + body) == ("POST /", body, value)


def test_the_deepest_nesting_that_parses_can_be_compared():
    deep = b"[" * 200 + b"%d" + b"]" * 200
    asked, recorded = form(deep % 1), form(deep % 2)
    assert [item.path for item in between(FormParts.read(asked), FormParts.read(recorded))] == [
        "$" + "[0]" * 200
    ]


def test_countless_differences_stop_somewhere():
    assert len(differences(list(range(5000)), list(range(5000, 9000)))) == MOST_PLACES


# Of a number and a size: what differs in the number and grows with the size.
LARGE = [
    lambda n, size: list(range(n, n + 50_000 * size)),
    lambda n, size: [{"a": [k], "b": n} for k in range(10_000 * size)],
    lambda n, size: [[(k * n) % 7 for k in range(190)] for _ in range(10 * size)],
    lambda n, size: {f"k{k}": k % n for k in range(15_000 * size)},
    lambda n, size: f"line {n}\n" * (50_000 * size),
    lambda n, size: [user(f"some {k % n} words " * 300) for k in range(150 * size)],
]


@pytest.mark.parametrize("make", LARGE)
def test_twice_as_large_requests_take_at_most_twice_the_steps(make):
    def steps(size):
        asked, recorded = form({"input": make(3, size)}), form({"input": make(5, size)})

        def compare():
            assert between(FormParts.read(asked), FormParts.read(recorded))

        return calls(compare)

    # By pairs it would be four times.
    assert steps(2) < 2.2 * steps(1)

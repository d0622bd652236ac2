"""JSON text is changed where it is meant to be, and nowhere else."""

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptdeck.core.text.jsontext import render
from promptdeck.core.text.splicing import Trail, spliced
from tests.chats import ANY_JSON, NAMES

OBJECTS = st.dictionaries(NAMES, ANY_JSON | st.dictionaries(NAMES, ANY_JSON, max_size=3))


@pytest.mark.parametrize(
    ("text", "edits", "expected"),
    [
        ('{"model" : "a", "n":1}', {("model",): b'"b"'}, '{"model" : "b", "n":1}'),
        ('{"a":1,"b":2,"c":3}', {("b",): None}, '{"a":1,"c":3}'),
        ('{"a":1, "b":2, "c":3}', {("a",): None}, '{"b":2, "c":3}'),
        ('{"a":1, "b":2, "c":3}', {("c",): None}, '{"a":1, "b":2}'),
        ('{"a":1, "b":2, "c":3}', {("a",): None, ("b",): None}, '{"c":3}'),
        ('{"a":1, "b":2, "c":3}', {("b",): None, ("c",): None}, '{"a":1}'),
        ('{ "a":1 , "b":2 }', {("a",): None, ("b",): None}, "{ }"),
        ('{"a":[{"x":1},{"x":2}]}', {("a", 1, "x"): b"3"}, '{"a":[{"x":1},{"x":3}]}'),
        ('{"a":[1,2,3]}', {("a", 0): None, ("a", 2): None}, '{"a":[2]}'),
        ('{"a":1,"a":2}', {("a",): b"0"}, '{"a":0,"a":0}'),
        ('{"a":1,"a":2}', {("a",): None}, "{}"),
        (r'{"\u0061":1,"b":"]}"}', {("a",): b"0"}, r'{"\u0061":0,"b":"]}"}'),
        ('{"a":1}', {("b",): b"0", ("a", "c"): None, ("a", 0): b"1"}, '{"a":1}'),
        ('{"a":1e400,"b":"\\ud800"}', {("c",): None}, '{"a":1e400,"b":"\\ud800"}'),
    ],
)
def test_all_else_stays_byte_for_byte(
    text: str, edits: dict[Trail, bytes | None], expected: str
) -> None:
    assert spliced(text.encode(), edits).decode() == expected


@pytest.mark.parametrize(
    ("text", "edits", "expected"),
    [
        ("{}", {}, '{"x":1,"y":2}'),
        (' { "a":1 } ', {}, ' { "a":1 ,"x":1,"y":2} '),
        ('{"a":1}', {("a",): None}, '{"x":1,"y":2}'),
    ],
)
def test_members_are_added_at_the_end(
    text: str, edits: dict[Trail, bytes | None], expected: str
) -> None:
    assert spliced(text.encode(), edits, {"x": b"1", "y": b"2"}).decode() == expected


@settings(max_examples=80)
@given(OBJECTS, st.data())
def test_what_is_edited_is_what_is_read(value: dict[str, object], data: st.DataObject) -> None:
    keys = data.draw(st.lists(st.sampled_from([*value] or ["none"]), max_size=3, unique=True))
    edits: dict[Trail, bytes | None] = {
        (key,): data.draw(st.none() | st.just(b'{"new":true}')) for key in keys
    }
    objects = {key: one for key, one in value.items() if isinstance(one, dict) and key not in keys}
    inner = [(key, name) for key, one in objects.items() for name in one]
    edits |= dict.fromkeys(data.draw(st.lists(st.sampled_from(inner), max_size=2)) if inner else ())
    text = render(
        value, data.draw(st.sampled_from(["spaced", "indent 2 ascii", "compact"]))
    ).encode()
    expected = orjson.loads(text)
    for place, new in edits.items():
        holder = expected if len(place) == 1 else expected[place[0]]
        if place[-1] in holder:
            if new is None:
                del holder[place[-1]]
            else:
                holder[place[-1]] = orjson.loads(new)
    assert orjson.loads(spliced(text, edits)) == expected
    added = orjson.loads(spliced(text, edits, {"zz": b"1"}))
    assert added == expected | {"zz": 1}

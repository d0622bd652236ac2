"""JSON text: what is equal, what is refused, and every style written back byte for byte."""

import json  # noqa: TID251  the styles to recognise are those of the standard library
import sys

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from promptdeck.core.text import jsontext
from promptdeck.core.text.jsontext import (
    Unfaithful,
    canonical,
    compact,
    parse,
    render,
    same,
    style_of,
)

STYLES = [
    name + newline
    for name in (
        "compact",
        "spaced",
        "compact ascii",
        "spaced ascii",
        "indent 2",
        "indent 2 ascii",
        "indent 4",
    )
    for newline in ("", " newline")
]
TEXT = st.text(st.characters(codec="utf-8"), max_size=8)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(-(2.0**62), 2.0**62),
    TEXT,
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES, st.sampled_from(STYLES))
def test_every_style_is_recognised_and_written_back(value, style):
    text = render(value, style)
    found = style_of(text, parse(text))
    assert found is not None
    assert render(parse(text), found) == text


@pytest.mark.parametrize("style", STYLES)
def test_a_text_that_shows_its_style_is_given_that_name(style):
    value = {"ü": [1, {"b": 0.5}], "empty": {}}
    assert style_of(render(value, style), value) == style


def test_the_styles_are_those_that_servers_write():
    value = {"a": [1, "ü"]}
    assert render(value, "compact") == '{"a":[1,"ü"]}'
    assert render(value, "spaced") == '{"a": [1, "ü"]}'
    assert render(value, "compact ascii") == '{"a":[1,"\\u00fc"]}'
    assert render(value, "spaced ascii newline") == '{"a": [1, "\\u00fc"]}\n'
    assert render(value, "indent 2") == '{\n  "a": [\n    1,\n    "ü"\n  ]\n}'
    assert render(value, "indent 4").startswith('{\n    "a"')


@pytest.mark.parametrize(
    "text",
    ['{"a" : 1}', '{"a":1}\n\n', '{"a":1}\r\n', ' {"a":1}', '{"\\u0061":1}', '{"a":1e0}', "-0"],
)
def test_a_style_of_nobody_has_no_name(text):
    assert style_of(text, parse(text)) is None


def test_an_unknown_style_is_a_key_error():
    with pytest.raises(KeyError):
        render({}, "fancy")


@pytest.mark.parametrize("style", STYLES)
def test_the_deepest_value_that_parses_can_be_written_in_every_style(style):
    value = parse("[" * 200 + "]" * 200)
    assert parse(render(value, style)) == value


@given(VALUES)
def test_what_we_write_parses_to_the_same(value):
    assert same(parse(compact(value)), value)
    assert same(parse(compact(value).decode()), value)


@given(VALUES)
def test_canonical_text_is_its_own_canonical_text(value):
    assert canonical(parse(canonical(value))) == canonical(value)


@given(VALUES, st.sampled_from(STYLES), st.randoms())
def test_spacing_escapes_and_key_order_do_not_change_the_canonical_text(value, style, random):
    assert canonical(parse(render(_shuffled(value, random), style))) == canonical(value)


def _shuffled(value, random):
    if isinstance(value, dict):
        items = [(key, _shuffled(item, random)) for key, item in value.items()]
        random.shuffle(items)
        return dict(items)
    return [_shuffled(item, random) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('{"a":1,"b":2}', '{"b":2,"a":1}'),
        ('{"x":{"a":1,"b":2}}', '{ "x" : {\n"b":2, "a":1}}'),
        ('"é"', '"\\u00e9"'),
        ('"🙂"', '"\\ud83d\\ude42"'),
        ('"/"', '"\\/"'),
        ("0", "0.0"),
        ("0", "-0.0"),
        ("0", "-0"),
        ("1", "1.0"),
        ("[100]", "[1e2]"),
        ("9007199254740992", "9007199254740992.0"),
    ],
)
def test_texts_that_mean_the_same_have_one_canonical_text(one, other):
    assert canonical(parse(one)) == canonical(parse(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1", "true"),
        ("0", "false"),
        ("1", '"1"'),
        ("1", "1.5"),
        ("null", "0"),
        ("null", '"null"'),
        ("[]", "{}"),
        ("[1,2]", "[2,1]"),
        ('{"a":null}', "{}"),
        ('{"a":1}', '{"A":1}'),
        ('"a"', '"a "'),
        ('"é"', '"e\\u0301"'),
        ("9007199254740992", "9007199254740993"),
        ("18446744073709551614", "18446744073709551615"),
        ("0.1", "0.10000000000000002"),
    ],
)
def test_texts_that_differ_in_meaning_differ_in_canonical_text(one, other):
    assert canonical(parse(one)) != canonical(parse(other))


# Few enough for two drawn values to be often equal, and to look equal to Python when they are not.
LOOKALIKES = st.recursive(
    st.sampled_from([None, False, True, 0, 1, 0.0, -0.0, 1.0, 1.5, "", "0", "1"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner),
    max_leaves=3,
)


def _meaning(value):
    if isinstance(value, dict):
        return {key: _meaning(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_meaning(item) for item in value]
    return (isinstance(value, bool), value)


@given(LOOKALIKES, LOOKALIKES)
@example([1], [True])
@example({"a": 0, "b": 0.0}, {"b": -0.0, "a": 0})
def test_canonical_texts_are_equal_for_equal_meanings_only(one, other):
    assert (canonical(one) == canonical(other)) == (_meaning(one) == _meaning(other))


@given(st.integers(2**64) | st.integers(max_value=-(2**63) - 1))
@example(2**64)
@example(-(2**63) - 1)
def test_an_integer_beyond_64_bits_is_unfaithful_wherever_it_is(number):
    for text in (f"{number}", f'{{"a":[{number}]}}'):
        with pytest.raises(Unfaithful):
            parse(text)


@given(st.integers(-(2**63), 2**64 - 1))
@example(-(2**63))
@example(2**63)
@example(2**64 - 1)
def test_an_integer_of_64_bits_is_read_exactly(number):
    assert same(parse(str(number)), number)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "{",
        "nul",
        "NaN",
        "Infinity",
        "[1,]",
        "{'a':1}",
        '"\\ud83d"',
        "\ufeff1",
        "1e999",
        "1 2",
    ],
)
def test_what_is_not_json_is_unfaithful(text):
    with pytest.raises(Unfaithful):
        parse(text)


def test_bytes_that_are_not_utf_8_are_unfaithful():
    with pytest.raises(Unfaithful):
        parse(b'"\xff"')


def test_a_lone_surrogate_in_a_string_is_unfaithful():
    with pytest.raises(Unfaithful):
        parse('"\ud83d"')


@pytest.mark.parametrize("depth", [202, 300, 1_000, 1_025, 100_000])
@pytest.mark.parametrize("pair", ["[]", '{"a":}'])
def test_deep_nesting_is_unfaithful_and_never_a_recursion_error(depth, pair):
    with pytest.raises(Unfaithful):
        parse(pair[:-1] * depth + "1" + pair[-1] * depth)


def test_the_deepest_value_that_parses_fits_a_deep_stack():
    text = '{"a":[' * 100 + "0" + "]}" * 100
    spare = sys.getrecursionlimit() - 650
    assert _at_depth(spare - _stack_depth(), lambda: canonical(parse(text))) == text.encode()


def _stack_depth():
    frame, depth = sys._getframe(), 0
    while frame := frame.f_back:
        depth += 1
    return depth


def _at_depth(depth, call):
    return call() if depth <= 0 else _at_depth(depth - 1, call)


@given(st.text() | st.binary())
def test_any_input_parses_or_is_unfaithful(data):
    try:
        value = parse(data)
    except Unfaithful:
        return
    assert same(orjson.loads(data), value)


@given(LOOKALIKES, LOOKALIKES)
def test_same_is_equality_of_the_standard_librarys_text(one, other):
    text = [json.dumps(value, sort_keys=True) for value in (one, other)]
    assert same(one, other) == (text[0] == text[1])
    assert same(one, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [(1, True), (0, False), (1, 1.0), (0.0, -0.0), ([1], [True]), ({"a": 1}, {"a": 1.0}), ([], {})],
)
def test_same_tells_apart_what_python_does_not(one, other):
    assert not same(one, other)
    assert not same([one], [other])


def test_same_does_not_mind_the_order_of_keys():
    assert same({"a": 1, "b": 2}, {"b": 2, "a": 1})
    assert not same({"a": 1}, {"a": 1, "b": 2})


def test_a_style_is_named_for_every_entry_of_the_table():
    assert {style.removesuffix(" newline") for style in STYLES} == set(jsontext._STYLES)

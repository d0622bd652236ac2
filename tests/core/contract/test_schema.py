"""schema and what is made of it: every node, its JSON Schema, and the words for a mistake."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.contract.compound import (
    Advised,
    Either,
    Hidden,
    ListOf,
    MapOf,
    Object,
    Tagged,
    nullable,
)
from promptdeck.core.contract.schema import (
    ANYTHING,
    NULL,
    Boolean,
    Enum,
    Integer,
    Number,
    Schema,
    Text,
    label,
    nearest,
)
from promptdeck.core.contract.violations import Checked, judge
from promptdeck.core.matching.rules import parse_path
from tests.chats import ANY_JSON, NAMES
from tests.contract_strategies import values
from tests.schema_oracle import accepts

TEXT = Text()
CALL = Tagged(
    "type",
    {"function": Object({"name": TEXT}), "custom": Object({"input": TEXT})},
    default="function",
)
PART = Tagged("type", {"text": Object({"text": TEXT})}, others=["image"])
OPEN = Tagged("type", {"text": Object({"text": TEXT})}, open=True)


def checked(schema: Schema, value: Any, *, strict: bool = False) -> Checked:
    return judge(schema.check(value), strict=strict)


def violations(schema: Schema, value: Any) -> list[tuple[str, str, str, str]]:
    return [tuple(found) for found in checked(schema, value).violations]


def warnings(schema: Schema, value: Any) -> list[str]:
    result = checked(schema, value)
    assert result.violations == ()
    assert checked(schema, value, strict=True).violations == result.warnings
    return [str(found) for found in result.warnings]


# Types


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (ANYTHING, {"a": [1]}),
        (NULL, None),
        (Boolean(), False),
        (Number(), 1),
        (Number(), 0.5),
        (Integer(), 1),
        (Integer(), 1.0),
        (TEXT, ""),
        (Enum(["a", "b"]), "b"),
        (ListOf(TEXT), []),
        (ListOf(TEXT), ["x"]),
        (MapOf(Integer()), {"x": 1}),
        (Object({"a": TEXT}, {"b": TEXT}), {"a": "x", "other": 1}),
        (nullable(TEXT), None),
        (Either(TEXT, ListOf(TEXT)), "x"),
        (Either(TEXT, ListOf(TEXT)), ["x"]),
        (CALL, {"name": "x"}),
        (CALL, {"type": None, "name": "x"}),
        (CALL, {"type": "custom", "input": "x"}),
        (Hidden(TEXT), "x"),
    ],
)
def test_a_value_of_the_type_is_sound(schema: Schema, value: Any) -> None:
    assert checked(schema, value) == ((), ())


@pytest.mark.parametrize(
    ("schema", "value", "violation"),
    [
        (NULL, 0, ("$", "null", "0", "")),
        (Boolean(), 1, ("$", "true or false", "1", "")),
        (Number(), True, ("$", "a number", "true", "")),
        (Integer(), True, ("$", "an integer", "true", "")),
        (Integer(), 1.5, ("$", "an integer", "1.5", "")),
        (TEXT, None, ("$", "a string", "null", "")),
        (Enum(["a"]), "b", ("$", "a", '"b"', "")),
        (ListOf(TEXT), {}, ("$", "a list", "{}", "")),
        (MapOf(TEXT), [], ("$", "an object", "[]", "")),
        (nullable(Number()), "x", ("$", "a number", '"x"', "")),
        (
            Either(TEXT, ListOf(TEXT), Boolean()),
            1,
            ("$", "a string, a list or true or false", "1", ""),
        ),
        (Object({"a": TEXT}), {}, ("$.a", "a string", "nothing", "")),
        (Object({"a": nullable(TEXT)}), {"a": 1}, ("$.a", "a string", "1", "")),
        (CALL, {"type": 1}, ("$.type", "one of function, custom", "1", "")),
        (PART, {}, ("$.type", "text", "nothing", "")),
        (MapOf(ListOf(TEXT)), {"a b": ["x", 1]}, ("$['a b'][1]", "a string", "1", "")),
    ],
)
def test_a_value_of_another_type_is_a_violation(
    schema: Schema, value: Any, violation: tuple[str, ...]
) -> None:
    assert violations(schema, value) == [violation]


def test_all_violations_are_found_at_once() -> None:
    schema = Object({"a": TEXT, "b": ListOf(Integer())}, {"c": Boolean()})
    found = violations(schema, {"b": [1, "x", None], "c": 0})
    assert [path for path, *_ in found] == ["$.b[1]", "$.b[2]", "$.c", "$.a"]


def test_a_closed_object_refuses_unknown_keys_and_shows_nothing_of_their_values() -> None:
    schema = Object({"model": TEXT}, {"settings": ANYTHING}, closed=True)
    assert violations(schema, {"model": "m", "setings": "sk-1", "x": None}) == [
        ("$.setings", "no such name", "a string", "settings"),
        ("$.x", "no such name", "null", ""),
    ]


def test_two_options_of_one_json_type_cannot_be_told_apart() -> None:
    with pytest.raises(ValueError, match="one JSON type"):
        Either(TEXT, Enum(["a"]))


# Documented


@pytest.mark.parametrize(
    ("schema", "value", "warning"),
    [
        (Number(0, 2), 2.5, "$: expected a number from 0 to 2, found 2.5"),
        (Integer(1), 0, "$: expected an integer, at least 1, found 0"),
        (Text(["low", "high"]), "hi", '$: expected one of low, high, found "hi"'),
        (Text(["high"]), "hihg", '$: expected high, found "hihg"; did you mean high?'),
        (Text(longest=3), "four", '$: expected a string of at most 3 characters, found "four"'),
        (Text(pattern="a+"), "ab", '$: expected a string like a+, found "ab"'),
        (ListOf(TEXT, most=1), ["a", "b"], '$: expected at most 1 of them, found ["a", "b"]'),
        (ListOf(TEXT, least=1), [], "$: expected at least 1 of them, found []"),
        (MapOf(TEXT, most=1), {"a": "", "b": ""},
         '$: expected at most 1 keys, found {"a": "", "b": ""}'),
        (MapOf(TEXT, longest_key=1), {"ab": ""},
         '$: expected keys of at most 1 characters, found {"ab": ""}'),
        (Object({}, {"id": TEXT}, asked=["id"]), {}, "$.id: expected a string, found nothing"),
        (Object({}, {"id": TEXT}, asked=["id"]), {"iid": 1},
         '$.id: expected a string, found nothing but "iid"; did you mean id?'),
        (PART, {"type": "image"}, '$.type: expected text, found "image"'),
        (OPEN, {"type": "texd"}, '$.type: expected text, found "texd"; did you mean text?'),
        (Object({}, {"a": Advised(Boolean())}), {"a": 1}, "$.a: expected true or false, found 1"),
    ],
)  # fmt: skip
def test_what_is_only_documented_is_a_warning_unless_strict(
    schema: Schema, value: Any, warning: str
) -> None:
    assert warnings(schema, value) == [warning]


@given(st.lists(st.text("ab", max_size=3) | st.integers(), max_size=6))
def test_strict_enforces_what_else_is_a_warning(items: list[Any]) -> None:
    schema = ListOf(Text(["a", "b"]), most=3)
    loose, strict = checked(schema, items), checked(schema, items, strict=True)
    assert sorted(strict.violations) == sorted(loose.violations + loose.warnings)
    assert strict.warnings == ()


# Words


@pytest.mark.parametrize(
    ("schema", "value", "hint"),
    [
        (Enum(["json_object", "json_schema"]), "json_shema", "json_schema"),
        (Enum(["json_object", "json_schema"]), "JSON_Schema", "json_schema"),
        (Enum(["json_object"]), "xml", ""),
        (Number(), "0.7", "0.7"),
        (Integer(), "0.7", ""),
        (Boolean(), "True", "true"),
        (nullable(Boolean()), "false", "false"),
        (ListOf(TEXT), "x", "a list of it"),
        (ListOf(TEXT), 1, ""),
        (PART, {"type": "txt"}, "text"),
        (Number(), "1" * 1000, ""),
    ],
)
def test_a_hint_tells_what_was_meant(schema: Schema, value: Any, hint: str) -> None:
    assert [found.hint for found in checked(schema, value).violations] == [hint]


def test_a_missing_key_that_is_there_misspelt_is_named() -> None:
    found = checked(Object({"model": TEXT}), {"modle": "x", "n": 1}).violations
    assert [*map(str, found)] == [
        '$.model: expected a string, found nothing but "modle"; did you mean model?'
    ]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("x" * 100, '"' + "x" * 59 + '…"'),
        ("é\n", '"é\\n"'),
        ("\ud800", '"?"'),
        ({"a": {"b": 1}, "c": [1], "d": [], "e": 0}, '{"a": {…}, "c": […], "d": [], …}'),
        ([1, None, 0.5, True], "[1, null, 0.5, …]"),
        (2**70, "1180591620717411303424"),
        (float("inf"), "inf"),
    ],
)
def test_what_was_found_is_shown_short(value: Any, shown: str) -> None:
    assert [found.found for found in checked(NULL, value).violations] == [shown]


@pytest.mark.parametrize("value", ["sk-1", ["sk-1"], {"a": ["sk-1"]}, {"a": "1"}, {}])
def test_nothing_of_a_secret_is_shown(value: Any) -> None:
    schema = Hidden(Object({"b": TEXT}, {"a": Integer()}))
    found = checked(schema, value).violations
    assert found
    assert not any("sk-1" in str(one) or '"1"' in str(one) or one.hint for one in found)


@given(st.dictionaries(NAMES | st.text(max_size=4), st.lists(st.none(), max_size=2)))
def test_every_path_can_be_read_back(value: Any) -> None:
    for found in checked(MapOf(ListOf(TEXT)), value).violations:
        steps = [step.at for step in parse_path(found.path)]
        assert value[steps[0]][steps[1]] is None


def test_a_million_mistakes_are_told_by_the_first_hundred() -> None:
    hard, soft = checked(ListOf(TEXT), [1] * 1_000_000)
    assert [found.path for found in hard] == [f"$[{index}]" for index in range(100)]
    assert soft == ()


def test_a_thousand_warnings_do_not_hide_a_violation() -> None:
    found = checked(ListOf(Text(["a"])), ["b"] * 5000 + [1])
    assert [one.path for one in found.violations] == ["$[5000]"]
    assert len(found.warnings) == 100


@given(NAMES, st.lists(NAMES))
def test_the_nearest_name_is_one_of_the_names(word: str, names: list[str]) -> None:
    assert nearest(word, names) in {*names, ""}
    assert nearest(word, [*names, word]) == word


# JSON Schema

SCHEMAS = [
    ANYTHING,
    nullable(Integer(0, 1)),
    nullable(Enum(["a", "b"])),
    Either(TEXT, ListOf(Either(TEXT, Number())), NULL),
    MapOf(nullable(Boolean())),
    Object({"a": TEXT}, {"b": Integer()}, asked=["b"]),
    Object({"a": TEXT}, closed=True),
    CALL,
    PART,
    OPEN,
    Hidden(nullable(MapOf(TEXT))),
    Object({}, {"a": Advised(Boolean())}),
]
NEAR = st.recursive(
    st.sampled_from([None, True, 0, 1.0, 0.5, "a", "text", "function", "custom", "image"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from("a b type name text input".split()), inner, max_size=3)
    ),
    max_leaves=5,
)


@pytest.mark.parametrize("schema", SCHEMAS, ids=range(len(SCHEMAS)))
@given(data=st.data())
def test_the_json_schema_accepts_what_the_check_accepts(schema: Schema, data: Any) -> None:
    value = data.draw(NEAR | ANY_JSON | values(schema))
    shapes: dict[str, Any] = {}
    shape = schema.shape(shapes)
    assert accepts(shape, value, shapes) == (not checked(schema, value).violations)


@pytest.mark.parametrize("schema", SCHEMAS, ids=range(len(SCHEMAS)))
@given(data=st.data())
def test_what_is_drawn_from_a_schema_is_sound(schema: Schema, data: Any) -> None:
    assert checked(schema, data.draw(values(schema))).violations == ()


def test_what_is_documented_is_described_and_not_enforced_in_json_schema() -> None:
    schema = Object(
        {"t": nullable(Number(0, 2, about="How free."))}, {"e": Text(["low"]), "s": Enum(["x"])}
    )
    assert schema.shape({}) == {
        "type": "object",
        "properties": {
            "t": {
                "type": ["number", "null"],
                "description": "How free. Documented: a number from 0 to 2.",
            },
            "e": {"type": "string", "examples": ["low"], "description": "Documented: low."},
            "s": {"type": "string", "enum": ["x"]},
        },
        "required": ["t"],
        "additionalProperties": True,
    }


def test_what_is_not_enforced_at_all_is_described_only() -> None:
    assert Advised(nullable(Text(["low", "high"]))).shape({}) == {
        "description": "Documented: one of low, high."
    }
    assert Advised(nullable(Boolean())).shape({}) == {"description": "Documented: true or false."}


def test_a_named_schema_is_written_once_and_referred_to() -> None:
    shapes: dict[str, Any] = {}
    part = Object({"text": TEXT}, name="Part")
    assert ListOf(part).shape(shapes) == {
        "type": "array",
        "items": {"$ref": "#/components/schemas/Part"},
    }
    assert MapOf(part).shape(shapes)["additionalProperties"] == {
        "$ref": "#/components/schemas/Part"
    }
    assert [*shapes] == ["Part"]


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        (nullable(TEXT), "string"),
        (nullable(Enum(["a", "b"])), '"a" or "b"'),
        (ListOf(Either(TEXT, Object({}, name="Thing"))), "list of (string or Thing)"),
        (MapOf(MapOf(Number())), "map of map of number"),
        (MapOf(ANYTHING), "object"),
        (ANYTHING, "anything"),
    ],
)
def test_a_label_says_a_json_schema_in_a_few_words(schema: Schema, text: str) -> None:
    assert label(schema.shape({})) == text

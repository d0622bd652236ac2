"""Schemas of answers as Anthropic takes them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.dialects.translate.messages.schemas import fitting
from tests.chats import ANY_JSON

CLOSED = {"type": "object", "additionalProperties": False}


@pytest.mark.parametrize(
    "schema",
    [
        {**CLOSED, "properties": {"a": {"type": "string"}}, "required": ["a"]},
        {"$ref": "#/$defs/a", "$defs": {"a": {**CLOSED, "title": "t", "description": "d"}}},
        {"anyOf": [{"type": "null"}, {"type": "string", "format": "date-time"}]},
        {"type": "array", "items": {"enum": ["a", 1, None]}, "minItems": 1},
        {"const": {"type": "object", "minimum": 3}},
        {"type": "integer", "default": 3, "enum": [{"type": "object"}]},
    ],
)
def test_what_is_taken_stays_as_it_is(schema: dict[str, Any]) -> None:
    assert fitting(schema) == (schema, ())


@pytest.mark.parametrize(
    ("schema", "made", "words"),
    [
        ({"type": "object"}, CLOSED, ()),
        ({"properties": {}}, {"properties": {}, "additionalProperties": False}, ()),
        ({"type": ["object", "null"]},
         {"type": ["object", "null"], "additionalProperties": False}, ()),
        ({"type": "object", "additionalProperties": True},
         {**CLOSED, "description": "{additionalProperties: true}"}, ("additionalProperties",)),
        ({"type": "integer", "minimum": 1, "maximum": 9, "description": "n"},
         {"type": "integer", "description": "n\n\n{minimum: 1, maximum: 9}"},
         ("minimum", "maximum")),
        ({"type": "string", "pattern": "^a", "not": {"const": "ab"}},
         {"type": "string", "description": '{pattern: "^a", not: {"const":"ab"}}'},
         ("pattern", "not")),
        ({"type": "string", "format": "color"},
         {"type": "string", "description": '{format: "color"}'}, ("format",)),
        ({"type": "array", "minItems": 2, "items": {"type": "object"}},
         {"type": "array", "items": CLOSED, "description": "{minItems: 2}"}, ("minItems",)),
        ({"oneOf": [{"type": "object"}]}, {"anyOf": [CLOSED]}, ()),
    ],
)  # fmt: skip
def test_what_is_not_taken_is_closed_or_told_in_words(
    schema: dict[str, Any], made: dict[str, Any], words: tuple[str, ...]
) -> None:
    assert fitting(schema) == (made, words)


def test_a_property_may_have_the_name_of_a_keyword() -> None:
    schema = {**CLOSED, "properties": {"minimum": {"type": "string"}, "oneOf": {"type": "null"}}}
    assert fitting(schema) == (schema, ())


KEYS = """type properties items anyOf oneOf allOf $defs minimum format minItems description
    additionalProperties""".split()
SCHEMAS = st.recursive(
    ANY_JSON,
    lambda inner: st.dictionaries(
        st.sampled_from(KEYS), inner | st.lists(inner, max_size=2), max_size=4
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["type", "properties", "anyOf"]), SCHEMAS, max_size=3))
def test_what_fits_fits(schema: dict[str, Any]) -> None:
    before = repr(schema)
    made, _ = fitting(schema)
    assert repr(schema) == before
    assert fitting(made) == (made, ())

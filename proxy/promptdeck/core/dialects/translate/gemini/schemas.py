"""Google's own form of a schema, a subset of OpenAPI 3.0, as JSON Schema.

https://ai.google.dev/api/caching#Schema. Types are in capitals there, null is a mark of its own,
counts may be texts (int64 in proto3's JSON mapping).
"""

from collections.abc import Mapping
from typing import Any

from promptdeck.core.text.jsontext import JSON, JSONObject

_COUNTS = "minItems maxItems minLength maxLength minProperties maxProperties".split()
_SPELLED: Mapping[str, str] = {
    "any_of": "anyOf",
    "additional_properties": "additionalProperties",
    "defs": "$defs",
    "ref": "$ref",
    **{"".join(f"_{c.lower()}" if c.isupper() else c for c in name): name for name in _COUNTS},
}
# Only Google knows these: the order in which properties are written.
_OWN = frozenset(["propertyOrdering", "property_ordering"])


def json_schema(schema: JSON) -> JSON:
    """A schema in Google's form as JSON Schema; what is one already stays as it is."""
    if not isinstance(schema, dict):
        return schema
    told: JSONObject = {}
    key: str
    for key, value in schema.items():
        name: str = _SPELLED.get(key, key)
        if key not in _OWN and value is not None:
            told[name] = _member(name, value)
    if told.get("format") == "enum":  # says no more than that there is an `enum`
        del told["format"]
    if told.get("type") == "type_unspecified":
        del told["type"]
    if "example" in told:
        told.setdefault("examples", [told.pop("example")])
    return _nullable(told) if told.pop("nullable", False) is True else told


def _member(name: str, value: Any) -> JSON:
    if name == "type" and isinstance(value, str):
        return value.lower()
    if name in ("properties", "$defs") and isinstance(value, dict):
        return {key: json_schema(item) for key, item in value.items()}
    if name in ("items", "additionalProperties"):
        return json_schema(value)
    if name == "anyOf" and isinstance(value, list):
        return [json_schema(item) for item in value]
    if name == "$ref" and isinstance(value, str):
        return value.replace("#/defs/", "#/$defs/")
    if name in _COUNTS and isinstance(value, str) and value.isdecimal():
        return int(value)
    return value


def _nullable(schema: JSONObject) -> JSONObject:
    """A schema that takes null as well."""
    if isinstance(schema.get("enum"), list):
        schema = schema | {"enum": [*schema["enum"], None]}
    if isinstance(kind := schema.get("type"), str):
        return schema | {"type": [kind, "null"]}
    if isinstance(kinds := schema.get("anyOf"), list):
        return schema | {"anyOf": [*kinds, {"type": "null"}]}
    return schema

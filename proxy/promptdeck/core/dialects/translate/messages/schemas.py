"""A schema for an answer as Anthropic takes it: others are errors, the whole request with them.

https://platform.claude.com/docs/en/build-with-claude/structured-outputs, "JSON Schema limitations",
and what Anthropic's own SDK makes of schemas (anthropic 2.14, `lib/_parse/_transform.py`), as
others do (@ai-sdk/anthropic 3.0, `sanitize-json-schema.ts`): an object has no members but those
that are named; bounds, patterns and most formats are not known. What is not known is told the
model in words.

Tools keep their schemas: a tool is bound to such rules only where it is strict, and then OpenAI
has them as well.
"""

from collections.abc import Iterator

from promptdeck.core.dialects.pieces import as_list, written
from promptdeck.core.text.jsontext import JSON, JSONObject

_KNOWN = frozenset(
    """$schema $id $comment title description default type enum const $ref $defs definitions anyOf
    oneOf allOf properties required additionalProperties items""".split()
)
_FORMATS = frozenset("date-time time date duration email hostname uri ipv4 ipv6 uuid".split())
# Keywords whose value is a schema, a list of them, or an object of them: in no other place is one.
_ONE = ("items",)
_LISTS = ("anyOf", "oneOf", "allOf")
_NAMED = ("properties", "$defs", "definitions")


def fitting(schema: JSONObject) -> tuple[JSONObject, tuple[str, ...]]:
    """A schema that Anthropic takes, and the keywords that it now only tells in words."""
    told: dict[str, None] = {}
    return _fitting(schema, told), tuple(told)


def _fitting(schema: JSONObject, told: dict[str, None]) -> JSONObject:
    words = dict(_unknown(schema))
    made: JSONObject = {}
    for key, value in schema.items():
        if key in words:
            continue
        if key in _ONE and isinstance(value, dict):
            value = _fitting(value, told)
        elif key in _LISTS and isinstance(value, list):
            value = [_fitting(one, told) if isinstance(one, dict) else one for one in value]
        elif key in _NAMED and isinstance(value, dict):
            value = {
                name: _fitting(one, told) if isinstance(one, dict) else one
                for name, one in value.items()
            }
        # Of alternatives that exclude one another any will do.
        made["anyOf" if key == "oneOf" and "anyOf" not in schema else key] = value
    kind = schema.get("type")
    if kind == "object" or "object" in as_list(kind) or isinstance(schema.get("properties"), dict):
        if made.get("additionalProperties", False) is not False:
            words["additionalProperties"] = made["additionalProperties"]
        made["additionalProperties"] = False
    if words:
        told.update(dict.fromkeys(words))
        rules = ", ".join(f"{key}: {written(value).decode()}" for key, value in words.items())
        before = made.get("description")
        made["description"] = f"{before}\n\n{{{rules}}}" if before else f"{{{rules}}}"
    return made


def _unknown(schema: JSONObject) -> Iterator[tuple[str, JSON]]:
    """The keywords of a schema, not of those within, that Anthropic does not know."""
    for key, value in schema.items():
        if key == "format":
            is_known = isinstance(value, str) and value in _FORMATS
        elif key == "minItems":
            is_known = value in (0, 1)
        else:
            is_known = key in _KNOWN
        if not is_known:
            yield key, value

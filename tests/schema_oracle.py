"""JSON Schema as far as our documents use it: an oracle that knows nothing of our checks."""

from typing import Any

from promptdeck.core.text.jsontext import same

_TYPES = {
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "string": lambda value: isinstance(value, str),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "integer": lambda value: (
        (isinstance(value, int) and not isinstance(value, bool))
        or (isinstance(value, float) and value.is_integer())
    ),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}
ANNOTATIONS = {
    "description",
    "examples",
    "default",
    "deprecated",
    "writeOnly",
}
KEYWORDS = ANNOTATIONS | {
    "$ref",
    "type",
    "enum",
    "const",
    "anyOf",
    "not",
    "properties",
    "required",
    "additionalProperties",
    "items",
}


def accepts(shape: Any, value: Any, shapes: dict[str, Any]) -> bool:
    """Whether `value` is valid; an unknown keyword is an error, so that nothing goes unseen."""
    if isinstance(shape, bool):
        return shape
    if unknown := shape.keys() - KEYWORDS:
        raise ValueError(f"keywords {unknown}")
    return all(_holds(keyword, shape, value, shapes) for keyword in shape.keys() - ANNOTATIONS)


def _holds(keyword: str, shape: Any, value: Any, shapes: dict[str, Any]) -> bool:
    said = shape[keyword]
    match keyword:
        case "$ref":
            return accepts(shapes[said.rpartition("/")[2]], value, shapes)
        case "type":
            return any(_TYPES[kind](value) for kind in ([said] if isinstance(said, str) else said))
        case "enum":
            return any(same(one, value) for one in said)
        case "const":
            return same(said, value)
        case "anyOf":
            return any(accepts(one, value, shapes) for one in said)
        case "not":
            return not accepts(said, value, shapes)
        case "required":
            return not isinstance(value, dict) or all(key in value for key in said)
        case "items":
            return not isinstance(value, list) or all(accepts(said, item, shapes) for item in value)
        case "properties":
            return not isinstance(value, dict) or all(
                accepts(said[key], item, shapes) for key, item in value.items() if key in said
            )
        case _:
            known = shape.get("properties", {})
            return not isinstance(value, dict) or all(
                accepts(said, item, shapes) for key, item in value.items() if key not in known
            )

"""JSON text and its style: read without losing anything, write back byte for byte.

`parse` refuses what orjson would quietly alter, so that two different texts
never become equal by accident. `style_of` finds how a text was written among
the ways that real servers write JSON; `render` writes a value that way again.
"""

import json  # noqa: TID251  orjson cannot write these styles
import math
from collections.abc import Collection, Iterator
from typing import Any

import orjson

JSON = Any
"""A parsed JSON value."""
JSONObject = dict[str, JSON]
"""A parsed JSON object."""


class Unfaithful(ValueError):
    """Not JSON, or JSON that a 64-bit parser alters: its raw bytes stand for it."""


def parse(data: bytes | str) -> JSON:
    """The value of JSON text.

    Raises Unfaithful for what is not JSON, for numbers beyond 64 bits and for nesting beyond
    200 levels.
    """
    return read(data)[0]


def read(data: bytes | str) -> tuple[JSON, bool]:
    """The value of JSON text, and whether it holds numbers like 1.0.

    Those `canonical` writes as integers. Raises Unfaithful as `parse` does.
    """
    value = load(data)
    return value, has_integral(value)


def load(data: bytes | str) -> JSON:
    """Read JSON text with orjson, which may alter numbers; raises Unfaithful if it is none.

    The first half of `read`: `has_integral` of the value tells whether numbers were altered.
    """
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise Unfaithful(str(error)) from None


def has_integral(value: JSON) -> bool:
    """True if a value from `load` holds numbers like 1.0.

    Raises Unfaithful if orjson altered a number or the nesting is beyond 200 levels.
    """
    return _has_integral((value,), 0)


# orjson writes at most 254 levels, and our own recursion needs room on Python's stack of 1000
# calls: a test has it write the deepest value with 350 of them in use.
_MAX_DEPTH = 200


def _has_integral(items: Collection[JSON], depth: int) -> bool:
    """True if any number in `items` or below is a float without a fraction.

    Raises Unfaithful as `has_integral` does.
    """
    if depth > _MAX_DEPTH and items:
        raise Unfaithful(f"nested deeper than {_MAX_DEPTH} levels")
    # A walk in Python takes as long as orjson's reading: 36 us after 43, for 60 KB of a chat.
    # Texts, which are most of what there is, are passed by first.
    found = False
    for item in items:
        kind = type(item)
        if kind is str:
            continue
        if kind is dict:
            found |= _has_integral(item.values(), depth + 1)
        elif kind is list:
            found |= _has_integral(item, depth + 1)
        elif kind is float:
            # orjson reads an integer beyond 64 bits as a float, which may stand for many numbers.
            if not -(2.0**63) < item < 2.0**63:
                raise Unfaithful("a number that does not fit 64 bits")
            found |= item.is_integer()
    return found


def canonical(value: JSON, *, integral: bool = True) -> bytes:
    """One text for all equal values: sorted keys, no spaces, 0.0 as 0.

    `integral` may be False where `read` says so of the value: that saves a copy of it, which
    takes six times as long as the writing.
    """
    return orjson.dumps(_integral(value) if integral else value, option=orjson.OPT_SORT_KEYS)


def _integral(value: JSON) -> JSON:
    """A copy whose floats without a fraction are integers, as far as both are exact (2^53)."""
    if isinstance(value, dict):
        return {key: _integral(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_integral(item) for item in value]
    if isinstance(value, float) and value.is_integer() and abs(value) <= 2**53:
        return int(value)
    return value


def compact(value: JSON) -> bytes:
    """JSON text without spaces, its keys in their order, letters beyond ASCII as UTF-8."""
    return orjson.dumps(value)


# In the order in which they are tried: most servers write compactly, and `spaced` is what
# Python's own `json` writes, by default in ASCII.
_STYLES: dict[str, dict[str, Any]] = {
    "compact": {"separators": (",", ":"), "ensure_ascii": False},
    "spaced": {"ensure_ascii": False},
    "compact ascii": {"separators": (",", ":")},
    "spaced ascii": {},
    "indent 2": {"indent": 2, "ensure_ascii": False},
    "indent 2 ascii": {"indent": 2},
    "indent 4": {"indent": 4, "ensure_ascii": False},
}


def render(value: JSON, style: str) -> str:
    """Write `value` in a style that `style_of` names; KeyError for any other."""
    name, newline, _ = style.partition(" newline")
    text = json.dumps(value, allow_nan=False, **_STYLES[name])
    return text + "\n" if newline else text


def style_of(text: str, value: JSON) -> str | None:
    """The name of the style that writes `value` as exactly `text`, or None if none does."""
    for name in _STYLES:
        style = name + " newline" if text.endswith("\n") else name
        if render(value, style) == text:
            return style
    return None


def same(a: JSON, b: JSON) -> bool:
    """Deep equality that tells 1 from True and from 1.0, as JSON does and Python does not."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, float):
        return a == b and math.copysign(1, a) == math.copysign(1, b)
    return bool(a == b)


def strings(value: JSON, *, keys: bool = False) -> Iterator[str]:
    """All strings in a value, and with `keys` those of its objects, in the order of its text."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            if keys:
                yield key
            yield from strings(item, keys=keys)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item, keys=keys)


def with_strings(value: JSON, texts: Iterator[str], *, keys: bool = False) -> JSON:
    """A copy of a value with other strings: as many as `strings` gives, in that order."""
    if isinstance(value, str):
        return next(texts)
    if isinstance(value, dict):
        return {
            (next(texts) if keys else key): with_strings(item, texts, keys=keys)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [with_strings(item, texts, keys=keys) for item in value]
    return value

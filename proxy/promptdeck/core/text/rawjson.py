"""The members of JSON text found by hand, where no parser reads it faithfully or at all.

Such a body stands for itself byte for byte; what chooses its variant, and what of it
is secret, must be found all the same.
"""

import re
from collections.abc import Iterator

RawPath = tuple[bytes, ...]
"""Keys as they are written, with their quotes; an empty one for a place in a list."""

STREAM: RawPath = (b'"stream"',)
INCLUDE_USAGE: RawPath = (b'"stream_options"', b'"include_usage"')
# No path that anybody looks for is longer. Beyond it an attacker's nesting costs nothing.
_DEEPEST = 3
# Strings, and the signs between them: numbers and words are passed over. What a string holds
# is no sign, even where the text is cut off before its end.
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[{}\[\]:,]', re.DOTALL)


def members(text: bytes) -> Iterator[tuple[RawPath, int, int]]:
    """The members of JSON text down to the third level: path, begin and end of each value.

    The text may be cut off, or hold what no parser reads: a member's value ends at the next
    comma or bracket of its level, or with the text.
    """
    # One path and one list of where values begin, as long as the text is deep at this place.
    path: list[bytes] = []
    begins: list[int] = []
    string = b""
    for token in _TOKEN.finditer(text):
        match token[0]:
            case b"{" | b"[":
                path.append(b"")
                begins.append(0)
            case b":" if path:
                path[-1], begins[-1] = string, token.end()
            case b"," | b"}" | b"]" if path:
                if path[-1] and len(path) <= _DEEPEST:
                    yield tuple(path), begins[-1], token.start()
                path[-1] = b""
                if token[0] != b",":
                    path.pop()
                    begins.pop()
            case found:
                string = found
    # Cut off: what is still open reaches to the end.
    for depth in range(1, min(len(path), _DEEPEST) + 1):
        yield tuple(path[:depth]), begins[depth - 1], len(text)


def is_true(text: bytes, path: RawPath) -> bool:
    """True if JSON text has `true` at a path."""
    return any(
        found == path and text[begin:end].strip() == b"true" for found, begin, end in members(text)
    )

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
    return _has(text, path, b"true")


def is_false(text: bytes, path: RawPath) -> bool:
    """True if JSON text has `false` at a path."""
    return _has(text, path, b"false")


def _has(text: bytes, path: RawPath, word: bytes) -> bool:
    return any(
        found == path and text[begin:end].strip() == word for found, begin, end in members(text)
    )


_AT_ONCE = 1024 * 1024
"""Bytes that are unescaped at once."""
_AGAIN = 4096
"""Bytes with which a part begins that the one before has, too."""
_ENDS = (b'"', b"\n", b",", b" ")
_ESCAPE = re.compile(rb"\\(?:\\|/|u00([2-7][0-9a-fA-F])|u(?!00[01])[0-9a-fA-F]{4})")


def unescaped(data: bytes) -> Iterator[bytes]:
    """JSON text in parts, with the letters that escapes of it stand for.

    A byte that is none of ASCII stands for each character that is none. Quotes, backslashes and
    control characters stay escaped, so that it is JSON again but for those.
    """
    at = 0
    while len(data) - at > _AT_ONCE:
        to = at + _AT_ONCE
        to = max((data.rfind(end, to - _AGAIN, to) for end in _ENDS), default=-1) + 1 or to
        yield _ESCAPE.sub(_letter, data[at:to])
        # Not within an escape: whether a backslash is one itself tells where their run begins.
        before = data[to - 2 * _AGAIN : to - _AGAIN]
        at = to - 2 * _AGAIN + len(before.rstrip(b"\\"))
    yield _ESCAPE.sub(_letter, data[at:])


def _letter(escape: re.Match[bytes]) -> bytes:
    """What an escape stands for."""
    if escape[1] is None:
        return {b"\\\\": b"\\\\", b"\\/": b"/"}.get(escape[0], b"\x80")
    letter = bytes([int(escape[1], 16)])
    return b"\\" + letter if letter in b'"\\' else letter

"""The members of JSON text found by hand, where no parser reads it faithfully or at all.

Such a body stands for itself byte for byte; what chooses its variant, and what of it
is secret, must be found all the same.
"""

import re
from collections.abc import Iterator

from promptdeck.core.secrets.redact import Redactor

RawPath = tuple[bytes, ...]
"""Keys as they are written, with their quotes; an empty one for a place in a list."""

STREAM: RawPath = (b'"stream"',)
INCLUDE_USAGE: RawPath = (b'"stream_options"', b'"include_usage"')
_CREDENTIALS: frozenset[RawPath] = frozenset(
    [
        (b'"credentials"',),
        (b'"mcp_servers"', b'"credentials"'),
        (b'"mcp_servers"', b"", b'"credentials"'),
    ]
)
# No path of those above is longer. Beyond it an attacker's nesting costs nothing.
_DEEPEST = 3
# Strings, and the signs between them: numbers and words are passed over.
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*+"|[{}\[\]:,]', re.DOTALL)


def without_secrets(body: bytes, redactor: Redactor, *, chat: bool) -> tuple[bytes, int]:
    """A body of any bytes without secrets, and how many were taken out.

    With `chat` the values of `credentials` become null where a chat completion has them;
    they are not counted.
    """
    count = 0
    while True:
        cleared, found = redactor.body(_without_credentials(body) if chat else body)
        count += found.total()
        # A user's pattern may take a quote or a brace along: what is left reads differently.
        if cleared == body:
            return body, count
        body = cleared


def _without_credentials(text: bytes) -> bytes:
    """JSON text, or what is left of one, with null for each value of `credentials`."""
    kept: list[bytes] = []
    done = 0
    for path, begin, end in members(text):
        if path in _CREDENTIALS:
            kept += text[done:begin], b"null"
            done = end
    return b"".join([*kept, text[done:]])


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

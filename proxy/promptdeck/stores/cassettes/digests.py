"""What a recording was when promptdeck wrote it: a digest each of its request, answer and `says`.

They stand in one line at its end, where whoever loads the file compares them: what an editor, a
hook or a merge altered is not served. They are of values, not of the YAML that says them: quotes,
indentation and the order of keys may change. Not against who forges: files are one's own.
"""

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import NamedTuple

import xxhash

from promptdeck.core.interaction import Interaction, measures

_LAW = "d1:"
"""Begins a line of digests, and names how they are made."""


class Digests(NamedTuple):
    """The digests of one recording, 16 hexadecimal digits each."""

    request: str
    """Of method, target, content type, the headers that select, and body."""
    answer: str
    """Of variant, status, headers, and each frame with its time."""
    says: str
    """Of the text for people; empty where there is none."""

    def __str__(self) -> str:
        """The line in a file."""
        return _LAW + "-".join(filter(None, self))


def digests_of(item: Interaction, says: str | None) -> Digests:
    """The digests of a recording and the text for people that stands beside it, if any does.

    Id, key, upstream and time do not count: none of them alters what a client gets.
    """
    request, response = item.request, item.response
    asked = (request.method, request.target, request.content_type, *chain(*request.selecting))
    head = (item.variant, str(response.status), *chain(*response.headers))
    frames = measures(response.frames)
    return Digests(
        _digest([*map(_octets, asked), request.body]),
        _digest([*map(_octets, head), frames], [data for _, data in response.frames]),
        _digest([says.encode()]) if says else "",
    )


def altered(line: str, item: Interaction, says: str | None) -> tuple[str, ...]:
    """What of a recording is not as its line of digests has it: of `request`, `answer`, `says`.

    A text for people that was taken out of the file is nothing altered. ValueError for a line
    that is no such one.
    """
    law, colon, rest = line.partition(":")
    found = rest.split("-")
    if law + colon != _LAW or not 2 <= len(found) <= len(Digests._fields):
        raise ValueError(f"no digests that this promptdeck knows: {line}; update promptdeck")
    kept = Digests(*found, *[""] * (len(Digests._fields) - len(found)))
    now = digests_of(item, says)
    if not says:
        kept = kept._replace(says="")
    return tuple(name for name in Digests._fields if getattr(kept, name) != getattr(now, name))


def _octets(text: str) -> bytes:
    """A text of a head as bytes, whatever `core.text.octets` has made it of."""
    return text.encode("utf-8", "surrogatepass")


def _digest(parts: Iterable[bytes], last: Sequence[bytes] | None = None) -> str:
    """One digest of all parts, each with its length, so that none runs into the next.

    `last` are the pieces of one more part: those of an answer, which would have to be joined.
    """
    found = xxhash.xxh3_64()
    for part in parts:
        found.update(b"%d:" % len(part))
        found.update(part)
    if last is not None:
        found.update(b"%d:" % sum(map(len, last)))
        for part in last:
            found.update(part)
    return found.hexdigest()

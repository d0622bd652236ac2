"""Heads of requests that aiohttp's parser has accepted, known again by their bytes.

All that counts of a request beside its body is in its head: a head that is known leads
to the lane on which its bodies are answered. It belongs to that lane and goes with it.
"""

import re
from collections import OrderedDict, defaultdict
from typing import TYPE_CHECKING, NamedTuple

from aiohttp import web

from promptdeck.core.counts import Counts
from promptdeck.core.interaction import Headers

if TYPE_CHECKING:
    from .lanes import Lane

# A client has a handful of heads of 1 KB, and of each one for every length of a body: these
# are some 8,000 lengths. Clients whose every head is another one gain nothing by more.
_MOST_BYTES = 16 * 1024 * 1024
# Of 9,000 heads with a header of 7.5 KB each took 28 KB: the text, its pattern, and the
# headers as text. What is left of the measured sum are objects and places in dicts.
_COPIES = 3
_OVERHEAD = 3000
# A head of another length has its text for itself and shares all else: 450 bytes were measured.
_OVERHEAD_OF_LENGTH = 500
# A longer body is held back in memory before it is known to be a plain request; it takes the
# ordinary way, where reading and hashing it cost more than what this way saves.
_MOST_BODY = 1024 * 1024


class KnownHead(NamedTuple):
    """A head that aiohttp's parser has accepted, in these bytes or with another length."""

    counts: Counts
    """What counts, with the session or cassette in its target: as it was sent."""
    asked: Counts
    """The same with the target that counts, which begins with `/v1/`."""
    seed: int
    """Begins the digests of bodies: another one for each `counts`."""
    length: int
    """Bytes of the body that follows."""
    request_id: bytes
    """The X-Request-Id that the client gave, or nothing."""
    headers: Headers
    """All headers but Content-Length."""
    keys: tuple[bytes, ...]
    """Credentials that are hidden where they stand in a body: such a one takes the ordinary way."""
    lane: "Lane"


HEAD = web.RequestKey("head", KnownHead)
"""Set on a request whose head is known from now on."""


class Heads:
    """The known heads of one server; the least recently accepted go first.

    They weigh `most_bytes` together, at most and about.
    """

    def __init__(self, most_bytes: int = _MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._by_text: OrderedDict[bytes, KnownHead] = OrderedDict()
        self._by_pattern: dict[bytes, KnownHead] = {}
        self._weights: dict[bytes, int] = {}
        """What each text of `_by_text` weighs."""
        self._texts: defaultdict[Lane, set[bytes]] = defaultdict(set)
        """The texts of each lane."""
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._by_text)

    def find(self, text: bytes) -> KnownHead | None:
        """The head that was accepted in these bytes, or with another length; None if unknown."""
        if known := self._by_text.get(text):
            return known
        pattern, length = _pattern(text)
        known = self._by_pattern.get(pattern)
        if known is None or length > _MOST_BODY:
            return None
        head = known._replace(length=length)
        self._keep(text, head, len(text) + _OVERHEAD_OF_LENGTH)
        return head

    def accept(self, text: bytes, head: KnownHead) -> None:
        """Know a head from now on: `text` is all of it, to the blank line; `head` what it says."""
        weight = _COPIES * len(text) + _OVERHEAD
        # One that would push out most of the others is not worth them.
        if head.length > _MOST_BODY or weight > self._most_bytes // 2:
            return
        self._keep(text, head, weight)
        pattern, _ = _pattern(text)
        if pattern:
            self._by_pattern[pattern] = head

    def forget(self, lane: "Lane") -> None:
        """Know none of a lane's heads any more."""
        for text in self._texts.pop(lane, ()):
            self._remove(text)

    def _keep(self, text: bytes, head: KnownHead, weight: int) -> None:
        if text in self._by_text:
            self._drop(text)
        self._by_text[text] = head
        self._weights[text] = weight
        self._texts[head.lane].add(text)
        self._bytes += weight
        while self._bytes > self._most_bytes:
            self._drop(next(iter(self._by_text)))

    def _drop(self, text: bytes) -> None:
        """Forget a head, and that it is its lane's."""
        lane = self._by_text[text].lane
        texts = self._texts[lane]
        texts.discard(text)
        if not texts:
            del self._texts[lane]
        self._remove(text)

    def _remove(self, text: bytes) -> None:
        head = self._by_text.pop(text)
        self._bytes -= self._weights.pop(text)
        pattern, _ = _pattern(text)
        # Heads of other lengths that came from it stay known in their own bytes.
        known = self._by_pattern.get(pattern)
        if known and known.lane is head.lane and known.length == head.length:
            del self._by_pattern[pattern]


# What follows the name is all digits, as they are in a head that a parser accepts only once.
_LENGTH = re.compile(rb"(?i)\r\nContent-Length: (0|[1-9][0-9]{0,6})\r\n")


def _pattern(text: bytes) -> tuple[bytes, int]:
    """A head's text with `#` for the number in its Content-Length, and the number; or (b"", 0)."""
    found = _LENGTH.search(text)
    if found is None:
        return b"", 0
    return b"%b#%b" % (text[: found.start(1)], text[found.end(1) :]), int(found[1])

"""Heads of requests that aiohttp's parser has accepted, known again by their bytes.

All that counts of a request beside its body is in its head: a head that is known leads
to the answers to its bodies, and to how they are had without aiohttp.
"""

import re
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from aiohttp import web

from promptdeck.core.counts import Counts
from promptdeck.core.interaction import Headers, Request
from promptdeck.core.matching.body import Body
from promptdeck.engine.asking import Incoming, Known
from promptdeck.engine.decks.deck import Deck
from promptdeck.engine.exchange import Exchange
from promptdeck.engine.outcome import Flown, Served
from promptdeck.errors import HTTPError
from promptdeck.server.answers.pace import Pace

# A client has a handful of heads, one for each length of a body; 10,000 of 1 KB take 10 MB.
_MOST_HEADS = 10_000
# A longer body is held back in memory before it is known to be a plain request; it takes the
# ordinary way, where reading and hashing it cost more than what this way saves.
_MOST_BODY = 1024 * 1024


class Lane(NamedTuple):
    """The exchange, deck and pace that a head leads to, and what they answer without waiting."""

    exchange: Exchange
    deck: Deck
    pace: Pace

    def reader(self, counts: Counts) -> Callable[[bytes], Body]:
        """Makes `Body` values of the bodies that come with these counts."""
        request = _request(counts, b"")
        return self.exchange.reader(Counts(request.method, request.target, request.content_type))

    def known(self, counts: Counts, body: Body) -> Known | None:
        """Find out what is asked for; None if that takes waiting, or is more than an answer."""
        try:
            return self.exchange.known_at_once(_request(counts, body.data), body)
        except HTTPError:
            return None

    def answer(
        self, counts: Counts, headers: Headers, body: Body, known: Known | None
    ) -> Served | Flown | None:
        """A recorded answer that has yet to be played, or one that is coming from upstream."""
        incoming = Incoming(_request(counts, body.data), headers)
        return self.exchange.at_once(incoming, self.deck, known)


def _request(counts: Counts, body: bytes) -> Request:
    # A session or cassette stands before the path that counts.
    target = counts.target[counts.target.index("/v1/") :]
    return Request(counts.method, target, counts.content_type, body)


class KnownHead(NamedTuple):
    """A head that aiohttp's parser has accepted, in these bytes or with another length."""

    counts: Counts
    seed: int
    """Begins the digests of bodies: another one for each `counts`."""
    length: int
    """Bytes of the body that follows."""
    request_id: bytes
    """The X-Request-Id that the client gave, or nothing."""
    session: str
    """The id of the session in its path, or nothing."""
    headers: Headers
    """All headers but Content-Length."""
    lane: Lane
    body: Callable[[bytes], Body]
    """Makes `Body` values of the bodies that follow such a head."""


HEAD = web.RequestKey("head", KnownHead)
"""Set on a request whose head is known from now on."""


class Heads:
    """The known heads of one server; the least recently accepted go first."""

    def __init__(self) -> None:
        self._by_text: OrderedDict[bytes, KnownHead] = OrderedDict()
        self._by_pattern: OrderedDict[bytes, KnownHead] = OrderedDict()

    def find(self, text: bytes) -> KnownHead | None:
        """The head that was accepted in these bytes, or with another length; None if unknown."""
        if known := self._by_text.get(text):
            return known
        pattern, length = _pattern(text)
        known = self._by_pattern.get(pattern)
        if known is None or length > _MOST_BODY:
            return None
        head = self._by_text[text] = known._replace(length=length)
        self._trim()
        return head

    def accept(self, text: bytes, head: KnownHead) -> None:
        """Know a head from now on: `text` is all of it, to the blank line; `head` what it says."""
        if head.length > _MOST_BODY:
            return
        self._by_text[text] = head
        pattern, _ = _pattern(text)
        if pattern:
            self._by_pattern[pattern] = head
        self._trim()

    def _trim(self) -> None:
        for known in (self._by_text, self._by_pattern):
            while len(known) > _MOST_HEADS:
                known.popitem(last=False)


# What follows the name is all digits, as they are in a head that a parser accepts only once.
_LENGTH = re.compile(rb"(?i)\r\nContent-Length: (0|[1-9][0-9]{0,6})\r\n")


def _pattern(text: bytes) -> tuple[bytes, int]:
    """A head's text with `#` for the number in its Content-Length, and the number; or (b"", 0)."""
    found = _LENGTH.search(text)
    if found is None:
        return b"", 0
    return b"%b#%b" % (text[: found.start(1)], text[found.end(1) :]), int(found[1])

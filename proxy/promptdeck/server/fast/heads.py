"""Heads of requests that aiohttp's parser has accepted, known again by their bytes.

All that counts of a request beside its body is in its head: who knows the one
knows where the other's answers are, and how they are had without aiohttp.
"""

import re
from collections import OrderedDict
from typing import NamedTuple

from promptdeck.core.counts import Counts
from promptdeck.core.interaction import Headers, Request
from promptdeck.core.matching.body import Body
from promptdeck.core.matching.repeated import Repeated
from promptdeck.engine.asking import Incoming, Known
from promptdeck.engine.decks.deck import Deck
from promptdeck.engine.exchange import Exchange
from promptdeck.engine.outcome import Flown, Served
from promptdeck.errors import HTTPError
from promptdeck.server.answers.pace import Pace

_MOST_HEADS = 10_000
_MOST_BODY = 1024 * 1024


class Lane(NamedTuple):
    """How requests that differ in their body alone are answered without the ordinary way."""

    exchange: Exchange
    deck: Deck
    pace: Pace

    def repeated(self, place: Counts) -> Repeated | None:
        """Where such a request's body says again what was read before: what that was."""
        return self.exchange.repeated(_request(place, b""))

    def said(self, body: Body) -> None:
        """Note that it says, in other words, what another did in which nothing was odd."""
        self.exchange.said(body)

    def known(self, place: Counts, body: Body) -> Known | None:
        """What is asked for; None if that is not found at once, or is more than an answer."""
        try:
            return self.exchange.known_at_once(_request(place, body.data), body)
        except HTTPError:
            return None

    def answer(
        self, place: Counts, headers: Headers, body: Body, known: Known | None
    ) -> Served | Flown | None:
        """A recorded answer that has yet to be played, or one that is coming from upstream."""
        incoming = Incoming(_request(place, body.data), headers)
        return self.exchange.at_once(incoming, self.deck, known)


def _request(place: Counts, body: bytes) -> Request:
    target = place.target[place.target.index("/v1/") :]
    return Request(place.method, target, place.content_type, body)


class KnownHead(NamedTuple):
    """A head that aiohttp's parser has accepted, in these bytes or with another length."""

    place: Counts
    seed: int
    """Of the digests of bodies, one for each place."""
    length: int
    """Bytes of the body that follows it."""
    request_id: bytes
    """The one that the client gave, or nothing."""
    session: str
    """Its id, or nothing."""
    headers: Headers
    """All but the length."""
    lane: Lane
    repeated: Repeated | None
    """What the bodies that follow it may say again."""


class Heads:
    """Those of one server, least recently accepted first out."""

    def __init__(self) -> None:
        self._by_text: OrderedDict[bytes, KnownHead] = OrderedDict()
        self._by_pattern: OrderedDict[bytes, KnownHead] = OrderedDict()

    def find(self, text: bytes) -> KnownHead | None:
        """One that was accepted in these bytes, or with another length."""
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
        """Keep one, in bytes and as it was read."""
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
    """A head without the number in its length, and that; nothing if there is none."""
    found = _LENGTH.search(text)
    if found is None:
        return b"", 0
    return b"%b#%b" % (text[: found.start(1)], text[found.end(1) :]), int(found[1])

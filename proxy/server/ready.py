"""Answers ready to be sent again, as the very bytes that follow their heads.

Filled with what the ordinary way has just sent, bounded by bytes, least
recently used first out. An answer is good only while its `Repeat` is.
"""

import asyncio
import itertools
import logging
import os
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from email.utils import formatdate
from functools import lru_cache
from typing import NamedTuple

import xxhash

from proxy.core.interaction import Headers, Request
from proxy.core.shallow import names
from proxy.engine.asking import Incoming
from proxy.engine.deck import Deck
from proxy.engine.exchange import Exchange
from proxy.engine.outcome import Flown
from proxy.engine.repeat import Alike, Name, Repeat
from proxy.errors import HTTPError

log = logging.getLogger("promptdeck")

_MOST_BYTES = 64 * 1024 * 1024
_MOST_NAMES = 10_000
_OVERHEAD = 1000
MOST_BODY = 1024 * 1024
_LOG_EVERY = 1.0
"""Seconds."""

_OWN = frozenset(["age", "date", "x-request-id"])
"""Headers that differ each time."""

_ids = itertools.count(int.from_bytes(os.urandom(12)) << 32)


def new_request_id() -> str:
    return f"req_{next(_ids):032x}"


def _count_anew() -> None:
    """Workers are one process until they are forked: none may give the ids of another."""
    global _ids  # noqa: PLW0603  each process has its own
    _ids = itertools.count(int.from_bytes(os.urandom(12)) << 32)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_count_anew)


@lru_cache(maxsize=1)
def http_date(now: int) -> str:
    return formatdate(now, usegmt=True)


class Place(NamedTuple):
    """What counts of a request beside its body."""

    method: str
    target: str
    """As it was sent, with the cassette or session in its path."""
    content_type: str

    @property
    def seed(self) -> int:
        return xxhash.xxh3_64_intdigest("\n".join(self).encode("utf-8", "surrogateescape"))


class Lane(NamedTuple):
    """Where requests fly from, without the ordinary way."""

    exchange: Exchange
    deck: Deck
    keep_alive: float | None

    def fly(self, place: Place, headers: Headers, body: bytes) -> Flown | None:
        """Ask upstream, if there is nothing else to it."""
        target = place.target[place.target.index("/v1/") :]
        request = Request(place.method, target, place.content_type, body)
        return self.exchange.at_once(Incoming(request, headers), self.deck)


class Head(NamedTuple):
    """A request's head that aiohttp's parser has accepted, in these very bytes."""

    place: Place
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
    """How such a request flies, if there is no answer to it."""


# What follows the name is all digits, as they are in a head that a parser accepts only once.
_LENGTH = re.compile(rb"(?i)\r\nContent-Length: (0|[1-9][0-9]{0,6})\r\n")


def _pattern(text: bytes) -> tuple[bytes, int]:
    """A head without the number in its length, and that; nothing if there is none."""
    found = _LENGTH.search(text)
    if found is None:
        return b"", 0
    return b"%b#%b" % (text[: found.start(1)], text[found.end(1) :]), int(found[1])


class Ready:
    """One answer. Between its status line and its body only `_OWN` headers are made anew."""

    __slots__ = ("_before", "_body", "_outcome", "_stamp", "_stamped", "repeat", "unlogged")

    def __init__(
        self, repeat: Repeat, status: str, headers: Mapping[str, str], body: bytes
    ) -> None:
        kept = [f"{name}: {item}" for name, item in headers.items() if name.lower() not in _OWN]
        self._before = "\r\n".join([f"HTTP/1.1 {status}", *kept, ""]).encode()
        self._body = body
        self._outcome = f"{status[:3]} {headers.get('Cache-Status', '')}"
        self.repeat = repeat
        self._stamped = 0
        self._stamp = b""
        self.unlogged = 0
        """How often it was sent since that was last logged."""

    @property
    def size(self) -> int:
        return len(self._before) + len(self._body) + _OVERHEAD

    def message(self, request_id: bytes) -> bytes | None:
        """Head and body, once more; None if the ordinary way must be asked."""
        now = time.time()
        if not self.repeat.again(now):
            return None
        second = int(now)
        if second != self._stamped:
            self._stamped = second
            age, date = self.repeat.age(now), http_date(second)
            self._stamp = f"Age: {age}\r\nDate: {date}\r\nX-Request-Id: ".encode()
        own = request_id or b"req_%032x" % next(_ids)
        return b"".join((self._before, self._stamp, own, b"\r\n\r\n", self._body))

    def log(self, place: Place) -> None:
        times = f" {self.unlogged} times" if self.unlogged > 1 else ""
        log.info("%s %s %s%s", place.method, place.target, self._outcome, times)
        self.unlogged = 0


class Memo:
    """The heads and answers of one server."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, session_is_open: Callable[[str], bool]
    ) -> None:
        self._loop = loop
        self.session_is_open = session_is_open
        self._heads: OrderedDict[bytes, Head] = OrderedDict()
        """By their bytes."""
        self._patterns: OrderedDict[bytes, Head] = OrderedDict()
        """By their bytes without the number of bytes that follow."""
        self._answers: OrderedDict[bytes, Ready] = OrderedDict()
        """By digest of the body, seeded with the place."""
        self._names: OrderedDict[tuple[Place, str, bytes], bytes] = OrderedDict()
        """By what other names a body of that digest is known: see `core.shallow`."""
        self._forms: OrderedDict[tuple[Place, Name], bytes] = OrderedDict()
        """By its canonical form."""
        self._alike: dict[Place, Alike] = {}
        self._bytes = 0
        self._unlogged: list[tuple[Place, Ready]] = []

    def head(self, text: bytes) -> Head | None:
        """A head that was accepted, in these bytes or with another length."""
        if known := self._heads.get(text):
            return known
        pattern, length = _pattern(text)
        known = self._patterns.get(pattern)
        if known is None or length > MOST_BODY:
            return None
        head = self._heads[text] = known._replace(length=length)
        self._trim()
        return head

    def accept(self, text: bytes, head: Head) -> None:
        """Keep a head, in bytes and as it was read."""
        self._heads[text] = head
        pattern, _ = _pattern(text)
        if pattern:
            self._patterns[pattern] = head
        self._trim()

    def answer_in_other_words(self, head: Head, body: bytes) -> bytes | None:
        """The message for a body that says the same as one that was seen before."""
        place = head.place
        alike = self._alike.get(place)
        if alike is None:
            return None
        for kind, name in names(body):
            if digest := self._names.get((place, kind, name)):
                return self.answer(head, digest)
        try:
            known = alike.known(body)
        except HTTPError:
            return None
        digest = known and self._forms.get((place, (known.key, known.form.variant)))
        ready = digest and self._answers.get(digest)
        if known and digest and ready and ready.repeat.answers(known):
            return self.answer(head, digest)
        return None

    def answer(self, head: Head, digest: bytes) -> bytes | None:
        """The message that answers a request of this head whose body has this digest."""
        ready = self._answers.get(digest)
        if ready is None or (head.session and not self.session_is_open(head.session)):
            return None
        message = ready.message(head.request_id)
        if message is None:
            self._forget(digest)
            return None
        self._answers.move_to_end(digest)
        if log.isEnabledFor(logging.INFO):
            self._log(head.place, ready)
        return message

    def remember(self, head: Head, body: bytes, ready: Ready, alike: Alike) -> None:
        """Keep an answer that was sent."""
        place = head.place
        self._alike[place] = alike
        digest = xxhash.xxh3_128_digest(body, head.seed)
        if digest in self._answers:
            self._forget(digest)
        self._answers[digest] = ready
        self._bytes += ready.size
        self._forms[place, ready.repeat.place] = digest
        for kind, name in names(body) if ready.repeat.by_name else ():
            self._names[place, kind, name] = digest
        self._trim()

    def _trim(self) -> None:
        while self._bytes > _MOST_BYTES:
            self._forget(next(iter(self._answers)))
        for names_of in (self._heads, self._patterns, self._names, self._forms):
            while len(names_of) > _MOST_NAMES:
                names_of.popitem(last=False)
        if len(self._alike) > _MOST_NAMES:
            self._alike.clear()

    def _forget(self, digest: bytes) -> None:
        self._bytes -= self._answers.pop(digest).size

    def _log(self, place: Place, ready: Ready) -> None:
        """Note a hit; a line for each would cost more than the hits themselves."""
        if not self._unlogged:
            self._loop.call_later(_LOG_EVERY, self.write_log)
        if not ready.unlogged:
            self._unlogged.append((place, ready))
        ready.unlogged += 1

    def write_log(self) -> None:
        """Log what was sent since the last time, a line for each answer."""
        unlogged, self._unlogged = self._unlogged, []
        for place, ready in unlogged:
            ready.log(place)

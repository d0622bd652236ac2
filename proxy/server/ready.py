"""Answers ready to be sent again, as the very bytes that follow their heads.

Filled with what the ordinary way has just sent, bounded by bytes, least
recently used first out. An answer is good only while its `Repeat` is.
"""

import asyncio
import itertools
import logging
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from email.utils import formatdate
from functools import lru_cache
from typing import NamedTuple

import xxhash

from proxy.core.shallow import names
from proxy.engine.repeat import Repeat

log = logging.getLogger("promptdeck")

_MOST_BYTES = 64 * 1024 * 1024
_MOST_HEADS = 4096
_MOST_NAMES = 10_000
_OVERHEAD = 1000
_LOG_EVERY = 1.0
"""Seconds."""

_OWN = frozenset(["age", "date", "x-request-id"])
"""Headers that differ each time."""

_ids = itertools.count(secrets.randbits(96) << 32)


def new_request_id() -> str:
    return f"req_{next(_ids):032x}"


@lru_cache(maxsize=1)
def _date(now: int) -> str:
    return formatdate(now, usegmt=True)


class Place(NamedTuple):
    """What counts of a request beside its body."""

    method: str
    target: str
    """As it was sent, with the cassette or session in its path."""
    content_type: str


class Head(NamedTuple):
    """A request's head that aiohttp's parser has accepted, in these very bytes."""

    place: Place
    length: int
    """Bytes of the body that follows it."""
    request_id: str
    """The one that the client gave, or nothing."""
    session: str
    """Its id, or nothing."""


_Seen = tuple[Place, bytes]
"""And a body's digest."""


class Ready:
    """One answer. Between its status line and its body only `_OWN` headers are made anew."""

    __slots__ = ("_before", "_body", "_outcome", "_repeat", "_stamp", "_stamped", "unlogged")

    def __init__(
        self, repeat: Repeat, status: str, headers: Mapping[str, str], body: bytes
    ) -> None:
        kept = [f"{name}: {item}" for name, item in headers.items() if name.lower() not in _OWN]
        self._before = "\r\n".join([f"HTTP/1.1 {status}", *kept, ""]).encode()
        self._body = body
        self._outcome = f"{status[:3]} {headers.get('Cache-Status', '')}"
        self._repeat = repeat
        self._stamped = 0
        self._stamp = b""
        self.unlogged = 0
        """How often it was sent since that was last logged."""

    @property
    def by_name(self) -> bool:
        return self._repeat.by_name

    @property
    def size(self) -> int:
        return len(self._before) + len(self._body) + _OVERHEAD

    def message(self, request_id: str) -> bytes | None:
        """Head and body, once more; None if the ordinary way must be asked."""
        if not self._repeat.again():
            return None
        now = int(time.time())
        if now != self._stamped:
            self._stamped = now
            self._stamp = f"Age: {self._repeat.age}\r\nDate: {_date(now)}\r\n".encode()
        named = f"X-Request-Id: {request_id or new_request_id()}\r\n\r\n".encode()
        return b"".join((self._before, self._stamp, named, self._body))

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
        self._session_is_open = session_is_open
        self._heads: OrderedDict[bytes, Head] = OrderedDict()
        self._answers: OrderedDict[_Seen, Ready] = OrderedDict()
        self._names: OrderedDict[tuple[Place, str, bytes], _Seen] = OrderedDict()
        """By which other names the answers of some bytes are known too: see `core.shallow`."""
        self._bytes = 0
        self._unlogged: list[tuple[Place, Ready]] = []

    def head(self, text: bytes) -> Head | None:
        return self._heads.get(text)

    def answer(self, head: Head, digest: bytes) -> bytes | None:
        """The message that answers a request of this head whose body has this digest."""
        return self._answer(head, (head.place, digest))

    def answer_by_name(self, head: Head, body: bytes) -> bytes | None:
        """The message for a body that says the same as one that was seen before."""
        if self._names:
            for kind, name in names(body):
                if seen := self._names.get((head.place, kind, name)):
                    return self._answer(head, seen)
        return None

    def _answer(self, head: Head, key: _Seen) -> bytes | None:
        ready = self._answers.get(key)
        if ready is None or (head.session and not self._session_is_open(head.session)):
            return None
        message = ready.message(head.request_id)
        if message is None:
            self._forget(key)
            return None
        self._answers.move_to_end(key)
        if log.isEnabledFor(logging.INFO):
            self._log(head.place, ready)
        return message

    def remember(self, text: bytes, head: Head, body: bytes, ready: Ready) -> None:
        """Keep an answer that was sent, and the head (in bytes and as it was read) before it."""
        self._heads[text] = head
        if len(self._heads) > _MOST_HEADS:
            self._heads.popitem(last=False)
        key = head.place, xxhash.xxh3_128_digest(body)
        if key in self._answers:
            self._forget(key)
        self._answers[key] = ready
        self._bytes += ready.size
        for kind, name in names(body) if ready.by_name else ():
            self._names[head.place, kind, name] = key
            if len(self._names) > _MOST_NAMES:
                self._names.popitem(last=False)
        while self._bytes > _MOST_BYTES:
            self._forget(next(iter(self._answers)))

    def _forget(self, key: _Seen) -> None:
        self._bytes -= self._answers.pop(key).size

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

"""Answers ready to be sent again, as the very bytes that follow their heads.

Filled with what the ordinary way has just sent, bounded by bytes, least
recently used first out. An answer is good only while its `Repeat` is.
"""

import asyncio
import logging
import os
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from itertools import count
from typing import NamedTuple

import xxhash
from aiohttp.http import SERVER_SOFTWARE
from multidict import CIMultiDict

from proxy.core.body import Body, Name
from proxy.core.interaction import Variant
from proxy.core.plainstream import PlainStream
from proxy.engine.asking import Known
from proxy.engine.outcome import Served
from proxy.engine.repeat import Alike, Repeat
from proxy.errors import HTTPError

log = logging.getLogger("promptdeck")

_MOST_BYTES = 64 * 1024 * 1024
_MOST_NAMES = 10_000
_OVERHEAD = 1000
_LOG_EVERY = 1.0
"""Seconds."""

_OWN = frozenset(["age", "date", "x-request-id"])
"""Headers that differ each time."""
_OF_THE_SERVER = _OWN | frozenset(
    """connection content-encoding content-length keep-alive server trailer transfer-encoding
    upgrade""".split()
)
"""Headers that a recording has only if somebody wrote them into it."""

_ids = count(int.from_bytes(os.urandom(12)) << 32)


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

    @property
    def seed(self) -> int:
        return xxhash.xxh3_64_intdigest("\n".join(self).encode("utf-8", "surrogateescape"))


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


class Ready:
    """One answer. Between its status line and its body only `_OWN` headers are made anew."""

    __slots__ = ("_after", "_before", "_head", "_outcome", "_stamped", "repeat", "unlogged")

    def __init__(
        self, repeat: Repeat, status: str, headers: Mapping[str, str], body: bytes
    ) -> None:
        kept = [f"{name}: {item}" for name, item in headers.items() if name.lower() not in _OWN]
        self._before = "\r\n".join([f"HTTP/1.1 {status}", *kept, ""]).encode()
        self._after = b"\r\n\r\n" + body
        self._outcome = f"{status[:3]} {headers.get('Cache-Status', '')}"
        self.repeat = repeat
        self._stamped = 0
        self._head = b""
        self.unlogged = 0
        """How often it was sent since that was last logged."""

    @classmethod
    def of(cls, served: Served) -> "Ready | None":
        """The answer to a chat that has yet to be given, as aiohttp would write it.

        None where more hangs on aiohttp, or on the request, than is known here.
        """
        response, body = served.response, served.response.body
        if response.is_stream:
            plain = PlainStream()
            body = plain.feed(body) + plain.rest()
        headers = CIMultiDict(response.headers)
        odd = any(name.lower() in _OF_THE_SERVER for name in headers)
        if odd or not body or response.status != HTTPStatus.OK or not served.repeat:
            return None
        headers["Cache-Status"] = served.cache_status
        headers["Content-Length"] = str(len(body))
        headers.setdefault("Content-Type", "application/octet-stream")
        headers.setdefault("Server", SERVER_SOFTWARE)
        return cls(served.repeat, "200 OK", headers, body)

    @property
    def size(self) -> int:
        return 2 * len(self._before) + len(self._after) + _OVERHEAD

    def message(self, request_id: bytes) -> bytes | None:
        """Head and body, once more; None if the ordinary way must be asked."""
        now = time.time()
        if not self.repeat.again(now):
            return None
        second = int(now)
        if second != self._stamped:
            self._stamped = second
            age, date = self.repeat.age(now), _date(second)
            stamp = f"Age: {age}\r\nDate: {date}\r\nX-Request-Id: "
            self._head = self._before + stamp.encode()
        own = request_id or b"req_%032x" % next(_ids)
        return b"".join((self._head, own, self._after))

    def log(self, place: Place) -> None:
        times = f" {self.unlogged} times" if self.unlogged > 1 else ""
        log.info("%s %s %s%s", place.method, place.target, self._outcome, times)
        self.unlogged = 0


_Seen = bytes | tuple[int, Name]
"""The digest of a body, seeded with the place; or the seed of the place, and a name."""


class Memo:
    """The heads and answers of one server."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, session_is_open: Callable[[str], bool]
    ) -> None:
        self._loop = loop
        self._session_is_open = session_is_open
        self.heads: OrderedDict[bytes, Head] = OrderedDict()
        """By their bytes."""
        self._answers: OrderedDict[bytes, Ready] = OrderedDict()
        """By digest of the body, seeded with the place."""
        self._names: OrderedDict[_Seen, bytes] = OrderedDict()
        """By what else the body of a digest is known: its names, or another that said the same."""
        self._forms: OrderedDict[tuple[Place, tuple[str, Variant]], bytes] = OrderedDict()
        """By its canonical form."""
        self._alike: dict[Place, Alike] = {}
        self._bytes = 0
        self._unlogged: list[tuple[Place, Ready]] = []

    def answer_in_other_words(self, head: Head, digest: bytes, data: bytes) -> bytes | None:
        """The message for a body that says the same as one that was seen before."""
        place = head.place
        alike = self._alike.get(place)
        if alike is None:
            return None
        body = alike.body(data)
        missed: list[_Seen] = [digest]
        if known := self._names.get(digest):
            return self._answer_as(head, known, missed)
        for name in body.names():
            seen = head.seed, name
            if known := self._names.get(seen):
                alike.said(body)
                return self._answer_as(head, known, [*missed, seen])
            missed.append(seen)
        try:
            found = alike.known(body)
        except HTTPError:
            return None
        known = found and self._forms.get((place, (found.key, found.form.variant)))
        ready = known and self._answers.get(known)
        if found and known and ready and ready.repeat.answers(found):
            return self._answer_as(head, known, missed if found.names else missed[:1])
        return self._answer_at_once(head, digest, alike, body, found) if found else None

    def _answer_at_once(
        self, head: Head, digest: bytes, alike: Alike, body: Body, known: Known
    ) -> bytes | None:
        """The message from a recording that was not asked for before, if it is found at once."""
        plain = known.form.chat and not known.warning
        served = alike.served(body, known) if plain else None
        ready = Ready.of(served) if served else None
        if ready is None:
            return None
        self._keep(head, digest, ready)
        return self.answer(head, digest)

    def _answer_as(self, head: Head, known: bytes, names: list[_Seen]) -> bytes | None:
        """The message that answers the body of a digest; these are names of it, too."""
        message = self.answer(head, known)
        if message is not None:
            for name in names:
                self._names[name] = known
                self._names.move_to_end(name)
            while len(self._names) > _MOST_NAMES:
                self._names.popitem(last=False)
        return message

    def answer(self, head: Head, digest: bytes) -> bytes | None:
        """The message that answers a request of this head whose body has this digest."""
        ready = self._answers.get(digest)
        if ready is None or (head.session and not self._session_is_open(head.session)):
            return None
        message = ready.message(head.request_id)
        if message is None:
            self._forget(digest)
            return None
        self._answers.move_to_end(digest)
        if log.isEnabledFor(logging.INFO):
            self._log(head.place, ready)
        return message

    def remember(self, text: bytes, head: Head, body: bytes, ready: Ready, alike: Alike) -> None:
        """Keep an answer that was sent, and the head (in bytes and as it was read) before it."""
        self.heads[text] = head
        self._alike[head.place] = alike
        digest = xxhash.xxh3_128_digest(body, head.seed)
        self._keep(head, digest, ready)

    def _keep(self, head: Head, digest: bytes, ready: Ready) -> None:
        if digest in self._answers:
            self._forget(digest)
        self._answers[digest] = ready
        self._bytes += ready.size
        self._forms[head.place, ready.repeat.place] = digest
        for name in ready.repeat.names:
            self._names[head.seed, name] = digest
        self._trim()

    def _trim(self) -> None:
        while self._bytes > _MOST_BYTES:
            self._forget(next(iter(self._answers)))
        for known in (self.heads, self._names, self._forms):
            while len(known) > _MOST_NAMES:
                known.popitem(last=False)
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

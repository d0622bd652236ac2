"""Answers ready to be sent again, as the very bytes that follow their heads.

Filled with what the ordinary way has just sent, and with what is recorded when it is
first asked for; bounded by bytes, least recently used first out. An answer is good
only while its `Repeat` is.
"""

import asyncio
import logging
import os
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from itertools import count

import xxhash
from aiohttp.http import SERVER_SOFTWARE
from multidict import CIMultiDict

from promptdeck.core.counts import Counts
from promptdeck.core.dialects.chat.rendering import PlainStream
from promptdeck.core.interaction import Response, Variant
from promptdeck.core.matching.body import Body, BodyName
from promptdeck.engine.decks.repeat import Repeat
from promptdeck.engine.outcome import Flown, Served
from promptdeck.server.answers.pace import Pace
from promptdeck.server.logged import shown

from .heads import Heads, KnownHead
from .paced import Beat, Script, chunked, steps_of

log = logging.getLogger("promptdeck")

_MOST_BYTES = 64 * 1024 * 1024
_MOST_NAMES = 10_000
_OVERHEAD = 1000
_STEP = 100
"""Bytes that a step of a paced answer takes beside its own."""
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


def _count_anew() -> None:
    """Workers are one process until they are forked: none may give the ids of another."""
    global _ids  # noqa: PLW0603  each process has its own
    _ids = count(int.from_bytes(os.urandom(12)) << 32)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_count_anew)


@lru_cache(maxsize=1)
def http_date(now: int) -> str:
    return formatdate(now, usegmt=True)


def _shown(response: Response) -> bytes:
    if not response.is_stream:
        return response.body
    plain = PlainStream()
    return plain.feed(response.body) + plain.rest()


class Ready:
    """One answer. Between its status line and its body only `_OWN` headers are made anew."""

    __slots__ = (
        "_after",
        "_before",
        "_head",
        "_outcome",
        "_stamped",
        "repeat",
        "steps",
        "unlogged",
    )

    def __init__(
        self,
        repeat: Repeat,
        status: str,
        headers: Mapping[str, str],
        body: bytes,
        steps: Sequence[Beat] = (),
    ) -> None:
        kept = [f"{name}: {item}" for name, item in headers.items() if name.lower() not in _OWN]
        self._before = "\r\n".join([f"HTTP/1.1 {status}", *kept, ""]).encode()
        self._after = b"\r\n\r\n" + body
        self._outcome = f"{status[:3]} {headers.get('Cache-Status', '')}"
        self.repeat = repeat
        self.steps = steps
        """Where the body is not written at once."""
        self._stamped = 0
        self._head = b""
        self.unlogged = 0
        """How often it was sent since that was last logged."""

    @classmethod
    def of(cls, served: Served, pace: Pace) -> "Ready | None":
        """The answer to a chat that has yet to be given, as aiohttp would write it.

        None where more hangs on aiohttp, or on the request, than is known here.
        """
        response = served.response
        headers = CIMultiDict(response.headers)
        odd = any(name.lower() in _OF_THE_SERVER for name in headers)
        if odd or response.status != HTTPStatus.OK or not served.repeat:
            return None
        headers["Cache-Status"] = served.cache_status
        body, steps = b"", []
        if not pace.at_once:
            steps = list(steps_of(response, pace.factor, chat=True))
        if response.is_stream and steps:
            headers["Transfer-Encoding"] = "chunked"
            steps = chunked(steps)
        else:
            body = _shown(response)
            if not body:
                return None
            headers["Content-Length"] = str(len(body))
            if steps:
                body, steps = b"", [Beat(response.took_ms / 1000 / pace.factor, body)]
        headers.setdefault("Content-Type", "application/octet-stream")
        headers.setdefault("Server", SERVER_SOFTWARE)
        return cls(served.repeat, "200 OK", headers, body, steps)

    @property
    def size(self) -> int:
        steps = sum(len(step.data) + _STEP for step in self.steps)
        return 2 * len(self._before) + len(self._after) + steps + _OVERHEAD

    def message(self, request_id: bytes) -> bytes | None:
        """Head and body, once more; None if the ordinary way must be asked."""
        now = time.time()
        if not self.repeat.again(now):
            return None
        second = int(now)
        if second != self._stamped:
            self._stamped = second
            age, date = self.repeat.age(now), http_date(second)
            stamp = f"Age: {age}\r\nDate: {date}\r\nX-Request-Id: "
            self._head = self._before + stamp.encode()
        own = request_id or b"req_%032x" % next(_ids)
        return b"".join((self._head, own, self._after))

    def log(self, place: Counts) -> None:
        times = f" {self.unlogged} times" if self.unlogged > 1 else ""
        log.info("%s %s %s%s", place.method, shown(place.target), self._outcome, times)
        self.unlogged = 0


_KnownBy = bytes | tuple[int, BodyName]
"""The digest of a body, seeded with the place; or the seed of the place, and a name."""


Message = bytes | Script
"""All of an answer, or how it is played."""


class Memo:
    """The answers of one server."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, session_is_open: Callable[[str], bool]
    ) -> None:
        self._loop = loop
        self._session_is_open = session_is_open
        self.heads = Heads()
        self._answers: OrderedDict[bytes, Ready] = OrderedDict()
        """By digest of the body, seeded with the place."""
        self._names: OrderedDict[_KnownBy, bytes] = OrderedDict()
        """By what else the body of a digest is known: its names, or another that said the same."""
        self._forms: OrderedDict[tuple[Counts, tuple[str, Variant]], bytes] = OrderedDict()
        """By its canonical form."""
        self._bytes = 0
        self._unlogged: list[tuple[Counts, Ready]] = []

    def answer_otherwise(
        self, head: KnownHead, digest: bytes, body: Body
    ) -> "Message | Flown | None":
        """What answers a body that is not known in these bytes.

        It may say the same as one that is known, or be asked for the first time.
        """
        if head.session and not self._session_is_open(head.session):
            return None
        missed: list[_KnownBy] = [digest]
        if known := self._names.get(digest):
            return self._answer_as(head, known, missed)
        lane = head.lane
        # Where nothing is recorded no body has a name.
        for name in body.names() if self._names else ():
            seen = head.seed, name
            if known := self._names.get(seen):
                lane.said(body)
                return self._answer_as(head, known, [*missed, seen])
            missed.append(seen)
        found = lane.known(head.place, body)
        known = found and self._forms.get((head.place, (found.key, found.form.variant)))
        ready = known and self._answers.get(known)
        if found and known and ready and ready.repeat.answers(found):
            return self._answer_as(head, known, missed if found.names else missed[:1])
        answer = lane.answer(head.place, head.headers, body, found)
        if isinstance(answer, Served):
            plain = found and found.form.chat and not found.warning
            return self._play(head, digest, Ready.of(answer, lane.pace) if plain else None)
        return answer

    def _play(self, head: KnownHead, digest: bytes, ready: Ready | None) -> "Message | None":
        if ready is None:
            return None
        self._keep(head, digest, ready)
        return self.answer(head, digest)

    def _answer_as(self, head: KnownHead, known: bytes, names: list[_KnownBy]) -> "Message | None":
        """The message that answers the body of a digest; these are names of it, too."""
        message = self.answer(head, known)
        if message is not None:
            for name in names:
                self._names[name] = known
                self._names.move_to_end(name)
            while len(self._names) > _MOST_NAMES:
                self._names.popitem(last=False)
        return message

    def answer(self, head: KnownHead, digest: bytes) -> "Message | None":
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
        return Script(message, ready.steps) if ready.steps else message

    def remember(self, head: KnownHead, body: bytes, ready: Ready) -> None:
        """Keep an answer that was sent."""
        digest = xxhash.xxh3_128_digest(body, head.seed)
        self._keep(head, digest, ready)

    def _keep(self, head: KnownHead, digest: bytes, ready: Ready) -> None:
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
        for known in (self._names, self._forms):
            while len(known) > _MOST_NAMES:
                known.popitem(last=False)

    def _forget(self, digest: bytes) -> None:
        self._bytes -= self._answers.pop(digest).size

    def _log(self, place: Counts, ready: Ready) -> None:
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

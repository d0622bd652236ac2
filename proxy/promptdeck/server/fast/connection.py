"""Requests of a known head, answered before aiohttp makes a request of them.

A short cut before the ordinary way, which stays the one truth: a head is
recognised only as aiohttp's own parser has accepted it, byte for byte but for the
length, at the start of a message on an idle connection, followed by exactly the body
that it announces. What is known is answered from memory, what is recorded is played,
what is new flies; whatever is less plain goes to aiohttp untouched. This leans on
parts of `RequestHandler` that aiohttp does not promise; without them there is no
fast path.
"""

import asyncio
import logging
from collections.abc import Callable

import xxhash
from aiohttp import HttpVersion11, web
from aiohttp.web_protocol import RequestHandler

from promptdeck.core.counts import Counts
from promptdeck.core.dialects import providers
from promptdeck.engine import asking, exchange
from promptdeck.engine.decks.repeat import Repeat
from promptdeck.engine.incoming import Incoming
from promptdeck.engine.outcome import Flown
from promptdeck.server import guard, reading, upgrades
from promptdeck.server.answers import faulty
from promptdeck.server.logged import shown
from promptdeck.server.noted import REPEAT, new_request_id
from promptdeck.server.reading import sent_headers
from promptdeck.server.receiving import END, Receiver, receivers

from .direct import Direct
from .framing import Incomplete
from .heads import HEAD, KnownHead
from .lanes import Behind, Lanes
from .outlet import Answering
from .paced import Paced, Script
from .ready import Message, Ready

log = logging.getLogger("promptdeck")

_NEEDED = frozenset(
    """_close _force_close _keepalive_timeout _loop _messages _next_keepalive_close_time _paused
    _request_count _request_in_progress _upgraded _waiter""".split()
)
_OVERRIDDEN = ("finish_response", "_process_keepalive", "shutdown", "close", "resume_writing")

# Bytes read at once, and taken from a client that asks on while it is being answered. A
# buffer of asyncio's 256 KiB is mapped anew for each read, which costs more than the read.
_READ = 64 * 1024
_BODILESS = (204, 304)
_AT_ONCE = 0.001
"""Seconds: the shortest time that aiohttp does not take for ever."""

# aiohttp reads these: they say how the body comes, or want more than an answer.
_OF_THE_PARSER = frozenset("expect transfer-encoding".split())
DECISIVE = _OF_THE_PARSER.union(
    *(one.DECISIVE for one in (providers, asking, exchange, reading, guard, upgrades, faulty))
)
"""With one of these headers a request is none of this path; each is declared where it is read."""
INDIFFERENT = frozenset(["x-request-id"])
"""Echoed."""
_OURS = "x-promptdeck-"
"""Whatever else begins so is meant for us, and no client's habit."""
_LET_IN = guard.INDIFFERENT | reading.INDIFFERENT
"""With these a head was let in as it is, and it is known only as it is."""


def connections(
    server: web.Server, loop: asyncio.AbstractEventLoop, lanes: Lanes
) -> Callable[[], asyncio.Protocol]:
    """What makes a protocol for each connection of a server, with the fast path if that can be.

    `lanes` keep what the connections of one server have found out together.
    """
    slots = {name for kind in FastHandler.__mro__ for name in getattr(kind, "__slots__", ())}
    if _NEEDED - slots or not all(hasattr(RequestHandler, name) for name in _OVERRIDDEN):
        log.info("this aiohttp is not known to the fast path: answers take the ordinary way")
        return receivers(server, loop)
    return lambda: FastHandler(server, lanes, loop)


async def accept(request: web.Request, incoming: Incoming, behind: Behind) -> None:
    """Let others of the same head go this way, if it is a plain one. Its body has been read.

    `incoming` is the request as the engine takes it, `behind` what answers it.
    """
    if isinstance(request.protocol, FastHandler):
        await request.protocol.accept(request, incoming, behind)


class _Busy:
    """A connection while an answer is written that takes its time, by `writer`."""

    __slots__ = ("_later", "closes", "left", "writer")

    def __init__(self, writer: Answering) -> None:
        self.writer = writer
        self._later: list[bytes] = []
        self.closes = False
        """True if the connection is to be closed when the answer has been written."""
        self.left: asyncio.Future[None] | None = None
        """Done when it has been written, or nobody reads it any more."""

    def put_off(self, data: bytes) -> bool:
        """Keep what the client sends meanwhile; False when it is as much as is kept."""
        self._later.append(data)
        return sum(map(len, self._later)) <= _READ

    def end(self) -> bytes:
        """Give what was put off."""
        if self.left and not self.left.done():
            self.left.set_result(None)
        return b"".join(self._later)


_NO_HEAD: tuple[bytes, KnownHead | None] = (END, None)


class FastHandler(Receiver):
    """A connection to a client.

    Bytes that come are put off while a writer is `_busy`, held back while a request is
    `_incomplete`, answered at once where that can be, and else given to aiohttp's parser.
    """

    __slots__ = ("_busy", "_incomplete", "_lanes", "_usual")

    def __init__(self, manager: web.Server, lanes: Lanes, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(manager, loop)
        self._lanes = lanes
        self._usual = _NO_HEAD
        """The head that came last: its text, and what is known of it."""
        self._busy: _Busy | None = None
        self._incomplete: Incomplete | None = None

    def data_received(self, data: bytes) -> None:
        if self._busy:
            if not self._busy.put_off(data) and self.transport:
                self.transport.pause_reading()
        elif self._incomplete:
            self._go_on(self._incomplete, data)
        elif not (data and (self._feed.fed == 0 or self._feed.at_start()) and self._begin(data)):
            super().data_received(data)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if hasattr(transport, "max_size"):
            transport.max_size = _READ

    def close(self) -> None:
        if self._busy:
            self._busy.closes = True
            return
        self._let_go()
        super().close()

    async def shutdown(self, timeout: float | None = 15.0) -> None:
        if self._busy:
            self._busy.left = self._loop.create_future()
            await asyncio.wait([self._busy.left], timeout=timeout)
            timeout = 0.0
        # aiohttp waits twice, for the handler and for its task, and for ever where it is given 0.
        await super().shutdown(None if timeout is None else max(timeout / 2, _AT_ONCE))

    def connection_lost(self, exc: BaseException | None) -> None:
        self._incomplete = None
        busy, self._busy = self._busy, None
        super().connection_lost(exc)
        if busy:
            busy.writer.leave()
            busy.end()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._busy:
            self._busy.writer.resumed()

    def _process_keepalive(self) -> None:
        if self._busy:
            self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        super()._process_keepalive()

    # While an answer is written

    def _write(self, head: KnownHead, answer: Script | Flown) -> None:
        """Have a writer take the connection until the answer has been written."""
        writer: Answering
        if isinstance(answer, Script):
            writer = Paced(self, answer, head.counts, self._loop)
        else:
            request_id = (head.request_id or new_request_id()).decode("utf-8", "surrogateescape")
            keep_alive = head.lane.keep_alive
            writer = Direct(self, answer, head.counts, head.asked, request_id, keep_alive)
        self._busy = _Busy(writer)
        writer.begin()

    def answered(self) -> None:
        """Go on with what came while an answer was written."""
        busy, self._busy = self._busy, None
        later = busy.end() if busy else b""
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        if busy and busy.closes:
            self.close()
        elif later:
            if self.transport:
                self.transport.resume_reading()
            self.data_received(later)

    # What is recognised

    def _begin(self, data: bytes) -> bool:
        """Answer a request that begins here, or hold it till it is whole; False if neither."""
        text, head = self._usual
        # Most clients send the same head each time; to look for its end takes longer.
        if not data.startswith(text):
            text = data[: data.find(END) + len(END)]
            head = self._lanes.heads.find(text)
            if head:
                self._usual = text, head
        if head is None:
            return False
        end = len(text)
        missing = head.length - (len(data) - end)
        if not missing and self._is_idle():
            digest = xxhash.xxh3_128_digest(memoryview(data)[end:], head.seed)
            return self._answered(head, digest, end, [data])
        if missing < 0 or not (missing or self._is_turning()):
            return False
        self._incomplete = Incomplete(head, data, end)
        if not missing:
            self._loop.call_soon(self._end)
        return True

    def _go_on(self, request: Incomplete, data: bytes) -> None:
        """Take more of a body; answer when it is whole."""
        request.add(data)
        if request.missing == 0 and self._is_turning():
            self._loop.call_soon(self._end)
        elif request.missing <= 0:
            self._end()

    def _end(self) -> None:
        """Answer what is held, if that is what was announced; else it is aiohttp's."""
        request = self._incomplete
        if request is None:
            return
        plain = request.missing == 0 and self._is_idle()
        if plain and self._answered(request.head, request.digest(), request.end, request.packets):
            self._incomplete = None
        else:
            self._let_go()

    def _answered(self, head: KnownHead, digest: bytes, end: int, packets: list[bytes]) -> bool:
        """Answer the request of these packets, whose body begins at `end`; False if that cannot be.

        `digest` is the body's, seeded with the head's seed.
        """
        answer: Message | Flown | None = head.lane.answer(head, digest)
        if answer is None:
            if self._close:
                return False
            answer = self._answer_otherwise(head, digest, b"".join(packets)[end:])
        if isinstance(answer, bytes):
            if self.transport:
                self.transport.write(answer)
            self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        elif answer:
            self._write(head, answer)
        return answer is not None

    def _answer_otherwise(
        self, head: KnownHead, digest: bytes, data: bytes
    ) -> Message | Flown | None:
        try:
            return head.lane.answer_otherwise(head, digest, data)
        except Exception:
            # The ordinary way has an answer to that, too.
            log.exception("%s goes the ordinary way", shown(head.counts.target))
            return None

    def _is_idle(self) -> bool:
        """True while aiohttp waits for a request, and the client reads its answers."""
        waiter = self._waiter  # cancelled by whatever closes the connection
        return waiter is not None and not waiter.done() and not (self._messages or self._paused)

    def _is_turning(self) -> bool:
        """True if an answer has been sent and aiohttp will wait for a request in a moment."""
        ends = self._close or self._force_close or self._request_in_progress
        return self._waiter is None and not (self._messages or ends)

    # What aiohttp is given, and what it makes of it

    def _let_go(self) -> None:
        """Give aiohttp what was held back."""
        request, self._incomplete = self._incomplete, None
        for data in request.packets if request else ():
            super().data_received(data)

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        done = await super().finish_response(request, resp, start_time)
        if isinstance(request, web.Request):
            # aiohttp keeps an idle connection's last request: it must not keep their deck alive.
            head, repeat = request.pop(HEAD, None), request.pop(REPEAT, None)
            if head and repeat and isinstance(resp, web.Response):
                await _remember(request, resp, head, repeat)
        return done

    async def accept(self, request: web.Request, incoming: Incoming, behind: Behind) -> None:
        """Know a request's head from now on, if body and `Counts` are all that decides on it."""
        length = len(await request.read())
        text = self._feed.head_of(request.headers, length)
        if text is None or not _is_plain(request):
            return
        lanes, session = self._lanes, request.match_info.get("session", "")
        lane = lanes.of_session(session, behind) if session else lanes.of_deck(behind)
        if lane is None:
            return
        route = incoming.route
        counted = Counts.of(incoming.request, route.url if route else None)
        counts = counted._replace(target=request.raw_path)
        head = request[HEAD] = KnownHead(
            counts,
            counted,
            counts.seed,
            length,
            request.headers.get("X-Request-Id", "").encode("utf-8", "surrogateescape"),
            sent_headers(request),
            incoming.keys,
            lane,
        )
        lanes.heads.accept(text, head)


async def _remember(
    request: web.Request, response: web.Response, head: KnownHead, repeat: Repeat
) -> None:
    """Keep an answer that was sent, for others of this head."""
    if response.status in _BODILESS:
        return
    status = f"{response.status} {response.reason}"
    answer = response.body if isinstance(response.body, bytes) else b""
    ready = Ready(repeat, status, response.headers, answer)
    head.lane.remember(head, await request.read(), ready)


def _is_plain(request: web.Request) -> bool:
    """True if body, target and content type are all that decides about a request's answer."""
    if request.version != HttpVersion11 or not request.keep_alive or request.method == "HEAD":
        return False
    return not any(
        name in DECISIVE or (name.startswith(_OURS) and name not in _LET_IN)
        for name in map(str.lower, request.headers)
    )

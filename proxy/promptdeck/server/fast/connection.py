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
from typing import Any

import xxhash
from aiohttp import HttpVersion11, web
from aiohttp.web_protocol import RequestHandler

from promptdeck.core.counts import Counts
from promptdeck.core.dialects.providers import BYOK_HEADERS
from promptdeck.core.matching.body import Body
from promptdeck.engine.outcome import Flown
from promptdeck.server.logged import shown
from promptdeck.server.noted import HEAD, REPEAT
from promptdeck.server.reading import without_length

from .direct import Direct
from .heads import KnownHead, Lane
from .paced import Paced, Script
from .ready import Memo, Message, Ready, new_request_id

log = logging.getLogger("promptdeck")

_NEEDED = frozenset(
    """_close _force_close _keepalive_timeout _loop _messages _next_keepalive_close_time _paused
    _request_count _request_in_progress _upgraded _waiter""".split()
)
_OVERRIDDEN = ("finish_response", "_process_keepalive", "shutdown", "close", "resume_writing")
_MOST_HEAD = 32 * 1024
_READ = 64 * 1024
_END = b"\r\n\r\n"
_BODILESS = (204, 304)

# With one of these, body, target and content type are not all that decides.
_DECISIVE = BYOK_HEADERS | frozenset(
    "cache-control content-encoding expect idempotency-key transfer-encoding upgrade".split()
)
_OURS = "x-promptdeck-"


def connections(
    server: web.Server, loop: asyncio.AbstractEventLoop, session_is_open: Callable[[str], bool]
) -> Callable[[], asyncio.Protocol]:
    """What makes a protocol for each connection of a server."""
    slots = {name for kind in FastHandler.__mro__ for name in getattr(kind, "__slots__", ())}
    if _NEEDED - slots or not all(hasattr(RequestHandler, name) for name in _OVERRIDDEN):
        log.info("this aiohttp is not known to the fast path: answers take the ordinary way")
        return server
    memo = Memo(loop, session_is_open)
    return lambda: FastHandler(server, memo, loop)


_NO_HEAD: tuple[bytes, KnownHead | None] = (_END, None)


async def accept(request: web.Request, lane: Lane) -> None:
    """Let others of the same head go this way, if it is a plain one. Its body has been read."""
    if isinstance(request.protocol, FastHandler):
        await request.protocol.accept(request, lane)


class FastHandler(RequestHandler):
    """A connection. What is held, and how far aiohttp's parser was fed, is known here alone."""

    __slots__ = (
        "_closes",
        "_digest",
        "_fed",
        "_head",
        "_held",
        "_later",
        "_left",
        "_memo",
        "_message",
        "_missing",
        "_opening",
        "_parsed",
        "_usual",
        "_writer",
    )

    def __init__(self, manager: web.Server, memo: Memo, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(manager, loop=loop, access_log=None)  # type: ignore[arg-type]  # as AppRunner has it
        self._memo = memo
        self._writer: Direct | Paced | None = None
        """Writes an answer that takes its time."""
        self._later: list[bytes] = []
        """What came meanwhile."""
        self._closes = False
        """Whether the connection is to be closed when it has been written."""
        self._left: asyncio.Future[None] | None = None
        self._usual = _NO_HEAD
        # Of a request that is held back until its body has come.
        self._held: list[bytes] = []
        self._head: KnownHead | None = None
        self._missing = 0
        self._digest = xxhash.xxh3_128()
        # Of what aiohttp was given since its parser last stood at the start of a message.
        self._fed = 0
        self._opening = b""
        self._parsed = 0
        self._message: Any = None

    def data_received(self, data: bytes) -> None:
        if self._writer:
            self._put_off(data)
        elif self._held:
            self._go_on(data)
        elif not (data and (self._fed == 0 or self._at_start()) and self._begin(data)):
            self._feed(data)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        # asyncio reads into a new buffer each time: one of 256 KiB is mapped and unmapped anew.
        if hasattr(transport, "max_size"):
            transport.max_size = _READ

    def close(self) -> None:
        if self._writer:
            self._closes = True
            return
        self._let_go()
        super().close()

    async def shutdown(self, timeout: float | None = 15.0) -> None:
        if self._writer:
            self._left = self._loop.create_future()
            await asyncio.wait([self._left], timeout=timeout)
        await super().shutdown(timeout)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._held.clear()
        self._later.clear()
        writer, self._writer = self._writer, None
        super().connection_lost(exc)
        if writer:
            writer.leave()
            self._tell_left()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._writer:
            self._writer.resumed()

    def _process_keepalive(self) -> None:
        if self._writer:
            self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        super()._process_keepalive()

    # What comes while an answer is written

    def _put_off(self, data: bytes) -> None:
        self._later.append(data)
        if sum(map(len, self._later)) > _READ and self.transport:
            self.transport.pause_reading()

    def answered(self) -> None:
        self._writer = None
        self._tell_left()
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        if self._closes:
            self.close()
        elif self._later:
            data = b"".join(self._later)
            self._later.clear()
            if self.transport:
                self.transport.resume_reading()
            self.data_received(data)

    def _tell_left(self) -> None:
        if self._left and not self._left.done():
            self._left.set_result(None)

    # What is recognised

    def _begin(self, data: bytes) -> bool:
        """Answer a request that begins here, or hold it till it is whole; False if neither."""
        text, head = self._usual
        # Most clients send the same head each time; to look for its end takes longer.
        if not data.startswith(text):
            text = data[: data.find(_END) + len(_END)]
            head = self._memo.heads.find(text)
            if head:
                self._usual = text, head
        if head is None:
            return False
        end = len(text)
        body = memoryview(data)[end:]
        missing = head.length - len(body)
        if not missing and self._is_idle():
            return self._answered(head, xxhash.xxh3_128_digest(body, head.seed), end, [data])
        if missing < 0 or not (missing or self._is_turning()):
            return False
        self._head, self._missing, self._held = head, missing, [data]
        self._digest = xxhash.xxh3_128(body, head.seed)
        if not missing:
            self._loop.call_soon(self._end)
        return True

    def _go_on(self, data: bytes) -> None:
        """Take more of a body; answer when it is whole."""
        self._held.append(data)
        self._missing -= len(data)
        self._digest.update(data)
        if self._missing == 0 and self._is_turning():
            self._loop.call_soon(self._end)
        elif self._missing <= 0:
            self._end()

    def _end(self) -> None:
        """Answer what is held, if that is what was announced; else it is aiohttp's."""
        if not self._held or self._head is None:
            return
        plain = self._missing == 0 and self._is_idle()
        end = self._held[0].find(_END) + len(_END)
        if plain and self._answered(self._head, self._digest.digest(), end, self._held):
            self._held.clear()
        else:
            self._let_go()

    def _answered(self, head: KnownHead, digest: bytes, end: int, packets: list[bytes]) -> bool:
        """Answer the request of these packets, whose body begins at `end`, if that can be."""
        answer: Message | Flown | None = self._memo.answer(head, digest)
        if answer is None:
            if self._close:
                return False
            answer = self._answer_otherwise(head, digest, b"".join(packets)[end:])
        if isinstance(answer, bytes):
            if self.transport:
                self.transport.write(answer)
            self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        elif answer:
            self._writer = self._writer_of(head, answer)
            self._writer.begin()
        return answer is not None

    def _answer_otherwise(
        self, head: KnownHead, digest: bytes, data: bytes
    ) -> Message | Flown | None:
        try:
            return self._memo.answer_otherwise(head, digest, Body(data, head.repeated))
        except Exception:
            # The ordinary way has an answer to that, too.
            log.exception("%s goes the ordinary way", shown(head.place.target))
            return None

    def _writer_of(self, head: KnownHead, answer: Script | Flown) -> Direct | Paced:
        if isinstance(answer, Script):
            return Paced(self, answer, head.place, self._loop)
        request_id = head.request_id.decode() or new_request_id()
        return Direct(self, answer, head.place, request_id, head.lane.pace.keep_alive)

    def _is_idle(self) -> bool:
        """Whether aiohttp waits for a request, and the client reads its answers."""
        waiter = self._waiter  # cancelled by whatever closes the connection
        return waiter is not None and not waiter.done() and not (self._messages or self._paused)

    def _is_turning(self) -> bool:
        """Whether an answer has been sent and aiohttp will wait for a request in a moment."""
        ends = self._close or self._force_close or self._request_in_progress
        return self._waiter is None and not (self._messages or ends)

    # What aiohttp is given, and what it makes of it

    def _let_go(self) -> None:
        """Give aiohttp what was held."""
        held, self._held = self._held, []
        for data in held:
            self._feed(data)

    def _at_start(self) -> bool:
        """Whether the next byte begins a message."""
        if self._parsed == 1 and self._fed == _length(self._opening, self._message):
            self._fed = self._parsed = 0
        return self._fed == 0

    def _feed(self, data: bytes) -> None:
        if self._fed == 0:
            self._opening = data
        elif _END not in self._opening and len(self._opening) < _MOST_HEAD:
            self._opening += data
        self._fed += len(data)
        count = self._request_count
        super().data_received(data)
        if self._request_count > count:
            self._parsed += self._request_count - count
            self._message = self._messages[-1][0] if self._messages else None

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        done = await super().finish_response(request, resp, start_time)
        if (
            isinstance(request, web.Request)
            and isinstance(resp, web.Response)
            and REPEAT in request
        ):
            await self._remember(request, resp)
        return done

    async def accept(self, request: web.Request, lane: Lane) -> None:
        """Keep its head, if that is all that aiohttp was given beside its body, which was read."""
        body, text = await request.read(), self._opening.partition(_END)[0] + _END
        whole = self._parsed == 1 and self._fed == len(text) + len(body)
        same = self._message is not None and request.headers is self._message.headers
        if not (whole and same and _is_plain(request)):
            return
        place = Counts(request.method, request.raw_path, request.headers.get("Content-Type", ""))
        asked_id = request.headers.get("X-Request-Id", "").encode("utf-8", "ignore")  # as aiohttp
        session = request.match_info.get("session", "")
        headers = without_length(request.headers)
        request[HEAD] = KnownHead(
            place, place.seed, len(body), asked_id, session, headers, lane, lane.repeated(place)
        )
        self._memo.heads.accept(text, request[HEAD])

    async def _remember(self, request: web.Request, response: web.Response) -> None:
        """Keep what was sent."""
        if HEAD not in request or response.status in _BODILESS:
            return
        status = f"{response.status} {response.reason}"
        answer = response.body if isinstance(response.body, bytes) else b""
        ready = Ready(request[REPEAT], status, response.headers, answer)
        self._memo.remember(request[HEAD], await request.read(), ready)


def _length(opening: bytes, message: Any) -> int:
    """Bytes of a message that aiohttp has parsed; -1 if only its parser can tell."""
    end = opening.find(_END)
    headers = getattr(message, "headers", None)
    if end < 0 or headers is None or message.chunked or message.upgrade:
        return -1
    length = headers.get("Content-Length", "0")
    return end + len(_END) + int(length) if length.isdecimal() else -1


def _is_plain(request: web.Request) -> bool:
    """Whether its body, target and content type are all that decides about its answer."""
    if request.version != HttpVersion11 or not request.keep_alive or request.method == "HEAD":
        return False
    return not any(
        name in _DECISIVE or name.startswith(_OURS) for name in map(str.lower, request.headers)
    )

"""Answers from upstream on a connection of ours, without aiohttp's request, response or task.

A request that the fast path recognises but has no answer for may fly from there:
the head is written as aiohttp would, and what comes is written as it comes.
"""

import logging
import time
from collections.abc import Callable
from http import HTTPStatus

from aiohttp.http import SERVER_SOFTWARE

from promptdeck.core.counts import Counts
from promptdeck.core.dialects.interpreted import Interpreter
from promptdeck.engine.flights.flight import Head
from promptdeck.engine.flights.silence import Silence
from promptdeck.engine.outcome import Flown, Gathered
from promptdeck.errors import UpstreamError
from promptdeck.server.answers.rendering import (
    LAST_CHUNK,
    Rendering,
    chunk,
    flown_headers,
    head_of,
    rendering_of,
)
from promptdeck.server.errors import error_response
from promptdeck.server.heading import REASONS, written
from promptdeck.server.logged import log_answer, log_left

from .outlet import Outlet
from .ready import http_date

log = logging.getLogger("promptdeck")

_BODILESS = (204, 304)


class Direct:
    """One answer. `begin` it, tell it when the client reads again, `leave` if it is gone."""

    __slots__ = (
        *("_chunked", "_flight", "_flown", "_head", "_keep_alive", "_outlet", "_place", "_request"),
        *("_asked", "_gathered"),
        *("_request_id", "_rendering", "_silence", "_started", "_status"),
    )

    def __init__(
        self,
        outlet: Outlet,
        flown: Flown,
        request: Counts,
        asked: Counts,
        request_id: str,
        keep_alive: float | None,
    ) -> None:
        self._outlet = outlet
        self._flown = flown
        self._flight, self._place = flown.flight, flown.place
        self._request = request
        """As it was sent, for the log."""
        self._asked = asked
        """As the engine takes it."""
        self._request_id = request_id
        self._keep_alive = keep_alive
        self._started = time.perf_counter()
        self._silence: Silence | None = None
        self._head = b""
        """What has yet to be written before the body."""
        self._status = 0
        """0 until the answer has begun."""
        self._rendering = Rendering()
        self._chunked = False
        self._gathered: Gathered | None = None
        """What has come of an answer that is translated as a whole."""

    def begin(self) -> None:
        self._place.news = self._news
        if self._flight.known_head:
            self._news()

    def resumed(self) -> None:
        """The client reads again."""
        if self._status and not self._place.follower:
            self._attempt(self._go_on)

    def leave(self) -> None:
        """Nobody reads it any more."""
        self._end()
        log_left(self._request.method, self._request.target)

    def _news(self) -> None:
        """The head has come, or the end."""
        self._attempt(self._begin_or_go_on)

    def _begin_or_go_on(self) -> None:
        """Write what the head, or the end, makes possible."""
        if self._status:
            if self._place.follower:
                self._go_on()
        elif self._gathered:
            self._gather(self._gathered)
        elif head := self._flight.known_head:
            interpreter = self._flown.interpreter()
            if interpreter and not interpreter.streams(*head):
                self._gathered = Gathered(self._flown)
                self._gather(self._gathered)
            else:
                self._answer(head_of(head, interpreter), interpreter)
                self._go_on()
        else:
            self._refuse(self._flight.error or UpstreamError("upstream gave no answer"))

    def _gather(self, gathered: Gathered) -> None:
        """Take all there is; tell it once it is all, or go on to take what comes."""
        if data := self._flight.take(self._place):
            gathered.write(data)
        if not self._flight.landed:
            self._place.follower = gathered
            return
        if error := self._flight.error:
            self._refuse(error)
            return
        try:
            told, self._flown = gathered.told()
        except UpstreamError as error:
            self._refuse(error)
            return
        length = ("content-length", str(len(told.body)))
        self._answer(Head(told.status, (*told.headers, length)))
        self._write(self._framed(told.body) + (LAST_CHUNK if self._chunked else b""))
        self._done(self._flown.known_status)

    def _answer(self, head: Head, interpreter: Interpreter | None = None) -> None:
        """Make the head, with what aiohttp adds to it."""
        status = self._status = head.status
        headers = flown_headers(head, self._flown, self._request_id, self._request.target)
        named = {name.lower(): value for name, value in headers}
        length = named.get("content-length")
        empty = status in _BODILESS
        if status == HTTPStatus.NO_CONTENT and length is not None:
            headers = [item for item in headers if item[0].lower() != "content-length"]
        self._chunked = length is None and not empty
        if self._chunked:
            headers.append(("Transfer-Encoding", "chunked"))
        self._head = _head(status, headers)
        content_type = named.get("content-type", "")
        self._rendering = rendering_of(
            self._asked, content_type, interpreter, has_length=length is not None
        )
        if self._rendering.takes_comments and self._keep_alive:
            self._silence = Silence(self._flight, self._keep_alive)
            self._silence.tell = self._company

    def _refuse(self, error: UpstreamError) -> None:
        error.cache_status = self._flown.error_status
        method, target = self._asked.method, self._asked.target
        response = error_response(error, method, target, request_id=self._request_id)
        self._status = response.status
        body = response.body if isinstance(response.body, bytes) else b""
        headers = [*response.headers.items(), ("X-Request-Id", self._request_id)]
        if "Content-Length" not in response.headers:
            headers.append(("Content-Length", str(len(body))))
        self._write(_head(response.status, headers) + body)
        self._done(error.cache_status)

    def _go_on(self) -> None:
        """Write all there is; then follow, wait for the client, or end."""
        data = self._flight.take(self._place)
        if self._flight.landed:
            self._finish(data)
        elif self._write(self._framed(self._rendering.feed(data))):
            self._place.follower = self

    def _finish(self, data: bytes) -> None:
        error = self._flight.error
        if error:
            log.warning("%s", error)
            said = self._rendering.cut(error)
            shown = self._rendering.feed(data) + said
        else:
            said = shown = self._rendering.whole(data)
        end = LAST_CHUNK if self._chunked and (said or not error) else b""
        self._write(self._framed(shown) + end)
        if error and not said and self._outlet.transport:
            # For want of a better way to say so.
            self._outlet.transport.abort()
        self._done(self._flown.known_status)

    def _framed(self, data: bytes) -> bytes:
        return chunk(data) if data and self._chunked else data

    def _write(self, data: bytes) -> bool:
        """Write, after what has yet to be written before it; whether there is room for more."""
        outlet = self._outlet
        transport = outlet.transport
        if transport is None or transport.is_closing():
            return False  # it will be told to leave
        data, self._head = self._head + data, b""
        if data:
            transport.write(data)
        return not outlet.writing_paused

    def _done(self, outcome: str) -> None:
        self._end()
        request = self._request
        log_answer(request.method, request.target, self._status, self._started, outcome)
        self._outlet.answered()

    def _end(self) -> None:
        self._place.news = self._place.follower = None
        self._flight.leave(self._place)
        if self._silence:
            self._silence.stop()

    def _company(self) -> None:
        if self._place.follower:
            self._attempt(lambda: self._write(self._framed(self._rendering.company())))

    def write(self, data: bytes) -> bool:
        """Write a piece that came: as a `Follower` of the flight."""
        try:
            return self._write(self._framed(self._rendering.feed(data)))
        except Exception as error:  # noqa: BLE001  `_broke` logs it
            self._broke(error)
            return False

    def _attempt(self, step: Callable[[], object]) -> None:
        """Do a step of the answer; an error of our own in it breaks the answer off."""
        try:
            step()
        except Exception as error:  # noqa: BLE001  `_broke` logs it
            self._broke(error)

    def _broke(self, error: Exception) -> None:
        """Log an error of our own, and cut the client off.

        No task waits for this answer to which it could be raised. The connection, when it is
        lost, tells it to leave.
        """
        log.error("an answer was broken off: unexpected error", exc_info=error)
        self._place.news = None
        if self._outlet.transport:
            self._outlet.transport.abort()


def _head(status: int, headers: list[tuple[str, str]]) -> bytes:
    """A head with what aiohttp adds to it, in its order."""
    named = {name.lower() for name, _ in headers}
    if "date" not in named:
        headers.append(("Date", http_date(int(time.time()))))
    if "server" not in named:
        headers.append(("Server", SERVER_SOFTWARE))
    return written(f"{status} {REASONS.get(status, '')}", headers) + b"\r\n"

"""Recorded answers written badly, as a plan has it, and what the client did then.

One `Faults` watches one session. A stalled answer lasts until the client
leaves: that ends the handler, since the application runs with
`handler_cancellation`. What deals and judges is loaded by the first answer that
is to go wrong: most servers never give one, and a start does not wait for it.
"""

import asyncio
import logging
import socket
import struct
from collections import OrderedDict, deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, assert_never

from aiohttp import web
from multidict import CIMultiDict

from promptdeck.core.dialects.table import dialect_of
from promptdeck.core.headers import FAULT
from promptdeck.core.interaction import Frame, Headers, Request, Response
from promptdeck.engine.outcome import Served
from promptdeck.errors import ClientError
from promptdeck.server.heading import StreamAnswer
from promptdeck.server.noted import REQUEST_ID

from .pace import Pace
from .rendering import rendering_of, served_headers
from .writing import add_common, serve

if TYPE_CHECKING:
    from promptdeck.core.faults.deal import Dealer, Dealt, Step
    from promptdeck.core.faults.plan import Plan
    from promptdeck.core.faults.verdict import Attempt, Limits, Verdict

log = logging.getLogger("promptdeck")

DECISIVE = frozenset([FAULT.lower()])
"""Headers read here with which a request is decided on by itself."""
INDIFFERENT = frozenset(["x-stainless-retry-count"])
"""Read where a plan decides, and so nothing is known again: for the verdict alone."""

# Attempts of a session that its verdict judges: some 3 MB; longer tests lose their first ones.
_ATTEMPTS_KEPT = 10_000
# Plans that headers of requests may bring, each with its dealer's memory.
_PLANS_KEPT = 100
# Seconds in which what was written leaves for the client before the connection is broken.
_SETTLING = 0.05


def plan_of(request: web.Request, default: "Plan | None") -> "Plan | None":
    """The plan that a request names, or `default`. ClientError if it can't be read."""
    text = ",".join(request.headers.getall(FAULT, ()))
    if not text:
        return default
    from promptdeck.core.faults.plan import parse_plan

    try:
        return parse_plan(text)
    except ValueError as error:
        raise ClientError(str(error), code="bad_fault", param=FAULT) from None


class Faults:
    """Deals faults to a session's answers, writes them, and keeps what came of it."""

    def __init__(self) -> None:
        self._dealers: OrderedDict[Plan, Dealer] = OrderedDict()
        self._attempts: deque[_Watched] = deque(maxlen=_ATTEMPTS_KEPT)

    def deal(self, plan: "Plan", key: str) -> "Dealt | None":
        """Deal a plan's next fault to an answer of the request with this fingerprint, if any."""
        from promptdeck.core.faults.deal import Dealer

        dealer = self._dealers.setdefault(plan, Dealer(plan))
        self._dealers.move_to_end(plan)
        if len(self._dealers) > _PLANS_KEPT:
            self._dealers.popitem(last=False)
        return dealer.deal(key)

    async def serve(
        self, request: web.Request, served: Served, pace: Pace, asked: Request
    ) -> web.StreamResponse:
        """Write a recorded answer, badly if one was dealt to it, and watch the client.

        `asked` is the request as the engine takes it. HTTPError as `writing.serve`.
        """
        dealt = served.dealt
        watched = _Watched(request, served.key, dealt)
        self._attempts.append(watched)
        try:
            if dealt is None:
                watched.answered(served.response.status, served.response.headers)
                return await serve(request, served, pace, asked)
            from promptdeck.core.faults.plan import format_fault

            log.info("faulty on purpose: %s", format_fault(dealt.fault))
            response = _rendered(served, asked, request.raw_path)
            dialect = dialect_of(asked.method, asked.target)
            steps = dealt.steps(response, pace.factor, dialect)
            return await _Writing(request, served, watched).follow(steps)
        except (ConnectionError, asyncio.CancelledError):
            watched.left = True
            raise
        finally:
            watched.ended = _now()

    def verdict(self, limits: "Limits | None" = None) -> "Verdict":
        """Judge how the client took the faults so far, within limits that are fair by default."""
        from promptdeck.core.faults.verdict import FAIR, Verdict

        return Verdict([watched.attempt for watched in self._attempts], _now(), limits or FAIR)


def _now() -> float:
    return asyncio.get_running_loop().time()


class _Watched:
    """One attempt of a client: when it came, what befell its answer, when the client left."""

    def __init__(self, request: web.Request, key: str, dealt: "Dealt | None") -> None:
        self.at = _now()
        self.ended: float | None = None
        self.stalled: float | None = None
        self.resumed: float | None = None
        self.left = False
        self._status: int | None = None
        self._asks_to_wait: float | None = None
        self._key = key
        self._fault = dealt.fault if dealt else None
        retry = request.headers.get("x-stainless-retry-count", "")
        self._retry = int(retry) if retry.isdecimal() and len(retry) < 5 else None

    def answered(self, status: int, headers: Headers) -> None:
        from promptdeck.core.faults.verdict import retry_after

        self._status = status
        self._asks_to_wait = retry_after(headers)

    @property
    def attempt(self) -> "Attempt":
        from promptdeck.core.faults.plan import format_fault
        from promptdeck.core.faults.verdict import Attempt

        fault = self._fault
        return Attempt(
            self._key,
            self.at,
            self.ended,
            fault=format_fault(fault) if fault else "",
            status=self._status,
            asks_to_wait=self._asks_to_wait,
            broken=fault is not None and fault.breaks,
            stalled=self.stalled,
            resumed=self.resumed,
            left=self.left,
            retry=self._retry,
        )


class _Writing:
    """One answer that is written badly, step by step, as it was dealt."""

    def __init__(self, request: web.Request, served: Served, watched: _Watched) -> None:
        self._request = request
        self._served = served
        self._watched = watched
        self._stream = web.StreamResponse()

    async def follow(self, steps: "Iterator[Step]") -> web.StreamResponse:
        for step in steps:
            await self._take(step)
        return self._stream

    async def _take(self, step: "Step") -> None:
        from promptdeck.core.faults.deal import Begin, End, Stall, Wait, Write

        match step:
            case Begin(status, headers):
                await self._begin(status, headers)
            case Wait(seconds):
                await asyncio.sleep(seconds)
            case Stall(seconds):
                self._watched.stalled = _now()
                await asyncio.sleep(seconds)
                self._watched.resumed = _now()
            case Write(data):
                await self._stream.write(data)
            case End.WHOLE:
                await self._stream.write_eof()
            case End.CUT | End.RESET:
                await asyncio.sleep(_SETTLING)
                _hang_up(self._request, reset=step is End.RESET)
            case _:
                assert_never(step)

    async def _begin(self, status: int, headers: Headers) -> None:
        sent = CIMultiDict(headers)
        sent["Cache-Status"] = self._served.cache_status
        sent["Age"] = str(self._served.age)
        add_common(sent, self._request[REQUEST_ID], self._served.warning)
        self._stream = StreamAnswer(status=status, headers=sent)
        self._watched.answered(status, headers)
        if writer := await self._stream.prepare(self._request):
            # A stall may come before the first byte of the body.
            writer.send_headers()


def _rendered(served: Served, asked: Request, sent: str) -> Response:
    """A recorded answer in the form that clients get, to the target that was sent."""
    response = served.response
    rendering = rendering_of(asked, response.content_type)
    frames = [Frame(at, rendering.feed(data)) for at, data in response.frames]
    frames.append(Frame(response.took_ms, rendering.rest()))
    shown = tuple([frame for frame in frames if frame.data])
    return Response(response.status, served_headers(served, sent), shown)


def _hang_up(request: web.Request, *, reset: bool) -> None:
    transport = request.transport
    if transport is None:
        raise ConnectionResetError("the client was faster")
    if not reset:
        transport.close()
        return
    # Lingering for no time at all makes close() send RST instead of FIN (RFC 9293, 3.10.4).
    if connection := transport.get_extra_info("socket"):
        linger = struct.pack("hh" if hasattr(socket, "SIO_RCVALL") else "ii", 1, 0)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    transport.abort()

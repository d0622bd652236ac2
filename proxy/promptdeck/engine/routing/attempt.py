"""One model asked once. Its answer is held back until it has content, or has failed without any.

Until then nothing has gone to the client, and another model may take its place: so status and
headers wait for the first event that says something. The wait is bounded in time and bytes: past
that the answer is passed on whatever it will be, and its client is kept company meanwhile.
"""

import asyncio
from collections.abc import Callable, Iterable
from http import HTTPStatus
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from promptdeck.core.dialects.base import Dialect, essence, is_error, values_of
from promptdeck.core.dialects.streamed import Streamed
from promptdeck.core.headers import ROUTE, SERVED
from promptdeck.core.interaction import Frame, Headers, Response, header, is_good
from promptdeck.core.routing.belonging import masked
from promptdeck.core.routing.failing import leads_on, retry_after
from promptdeck.core.text import sse
from promptdeck.core.text.jsontext import Unfaithful
from promptdeck.engine.flights.launch import Way
from promptdeck.engine.incoming import Incoming
from promptdeck.engine.sides import Full, Sink
from promptdeck.errors import HTTPError, UpstreamError

if TYPE_CHECKING:  # at run time what translates is imported with the first choice
    from promptdeck.core.dialects.translate.aim import Aim
    from promptdeck.core.dialects.translate.neutral import Broke, Signal

_MOST_HELD = 256 * 1024
"""Bytes of an answer that are held back. Twenty times what any provider says before content; an
answer in one piece that is larger has some."""


class Failed(NamedTuple):
    """A try that gave the client nothing."""

    error: HTTPError
    """What the client is told if no other try follows."""
    leads_on: bool
    """Whether another model, or another time, may do better."""
    retry_after: float | None = None
    """Seconds after which it wants to be asked again."""
    status: int = 0
    headers: Headers = ()
    body: bytes = b""
    """The answer as it came; status 0 for none."""
    heading: Callable[[], Headers] = tuple
    """Gives the headers that go with it besides."""

    def pass_on(self, sink: Sink) -> Full:
        """Give a client the answer as it came, as far as it came."""
        length = ("Content-Length", str(len(self.body)))
        headers = tuple(
            length if item[0].lower() == "content-length" else item for item in self.headers
        )
        return sink.headed(self.status, _with(headers, self.heading()), self.body)


class Patient(NamedTuple):
    """How long one try may take before its answer begins, in seconds."""

    hold_back: float
    """For its head, once that has come, to have content behind it."""
    first_byte: float | None
    """For its head to come; None for as long as its upstream's own timeout."""


async def attempted(
    way: Way, incoming: Incoming, held: "HeldAnswer", patient: Patient, now: Callable[[], float]
) -> Failed | None:
    """Ask by a way; None once the client has its answer, else why it got nothing of it.

    `now` tells the time in seconds since the epoch. UpstreamError for an answer that breaks off
    after its client got some of it.
    """
    loop = asyncio.get_running_loop()
    timers = [loop.call_later(patient.hold_back, held.waited)]
    if patient.first_byte:
        timers.append(loop.call_later(patient.first_byte, held.silent, patient.first_byte))
    try:
        async with asyncio.timeout(None) as scope:
            held.stop = lambda: scope.reschedule(loop.time())
            await way.fly(incoming, held)
    except TimeoutError:
        pass  # there is nothing to wait for any more
    except UpstreamError as error:
        if held.released:
            raise
        return held.broken(error)
    finally:
        for timer in timers:
            timer.cancel()
        held.stop = None
    return held.ended(now())


class HeldAnswer:
    """The sink of one try: holds an answer back, passes it on, or tells why it failed.

    `dialect` is the upstream's, `aim` whom it is asked of; no aim where nothing is known of how
    answers fail. `key` is what no error may tell; `heading` gives the headers that go with the
    answer besides its own.
    """

    def __init__(
        self,
        sink: Sink,
        dialect: Dialect,
        aim: "Aim | None",
        key: str,
        heading: Callable[[], Headers],
    ) -> None:
        self._sink = sink
        self._dialect = dialect
        self._aim = aim if isinstance(dialect, Streamed) else None
        self._key = key
        self._heading = heading
        self._status = 0
        self._headers: Headers = ()
        self._pieces: list[bytes] = []
        self._size = 0
        self._listening: Listening | None = None
        self._has_waited = False
        self._silence = 0.0
        """Seconds for which nothing came, where that was too long."""
        self.released = False
        """True once the client has its answer, or is getting it."""
        self.stop: Callable[[], object] | None = None
        """Ends the try: what comes of the answer makes no difference any more."""

    def headed(self, status: int, headers: Headers, data: bytes) -> Full:
        """As a `Sink`."""
        self._status, self._headers = status, headers
        # A refusal may be one for the sake of a signature, or tell the key that is refused.
        # What is packed, though nobody asked for that, is judged where it is unpacked.
        packed = header(headers, "content-encoding").lower() not in ("", "identity")
        if is_good(status) and (self._aim is None or self._has_waited or packed):
            return self._release(data)
        if self._aim and is_good(status) and _is_stream(headers):
            self._listening = Listening(self._dialect, self._aim)
        return self.came(data) if data else None

    def came(self, data: bytes) -> Full:
        """As a `Sink`."""
        if self.released:
            return self._sink.came(data)
        self._pieces.append(data)
        self._size += len(data)
        if self._listening:
            self._listening.feed(data)
            if self._listening.has_content:
                return self._let_go()
            if self._listening.broke:
                self._end()
        if self._size > _MOST_HELD:
            if is_good(self._status):
                return self._let_go()
            self._end()
        return None

    def waited(self) -> None:
        """The head has been held back for long enough."""
        self._has_waited = True
        if is_good(self._status):
            self._let_go()
        elif self._status and not self.released:
            self._end()  # of an error enough has come

    def silent(self, seconds: float) -> None:
        """So long an answer's head has been waited for."""
        if not self._status:
            self._silence = seconds
            self._end()

    def _end(self) -> None:
        if self.stop:
            self.stop()

    def _let_go(self) -> Full:
        """Pass on what was held back, and from now on what comes."""
        data = b"".join(self._pieces)
        self._pieces = []
        return None if self.released else self._release(data)

    def _release(self, data: bytes) -> Full:
        self.released = True
        return self._sink.headed(self._status, _with(self._headers, self._heading()), data)

    def broken(self, error: UpstreamError) -> Failed:
        """The failure of an answer that never began, or broke off before its client got any."""
        return Failed(error, leads_on(error.status))

    def ended(self, now: float) -> Failed | None:
        """What an answer that has ended comes to: a failure, or None, with it passed on.

        `now` is in seconds since the epoch.
        """
        if self.released:
            return None
        if self._silence:
            told = f"no byte of an answer came within {self._silence:g} s"
            return self.broken(UpstreamError(told, code="upstream_timeout", status=504))
        from promptdeck.core.dialects.translate.broken import error_of

        body = masked(b"".join(self._pieces), self._key)
        if is_good(self._status):
            broke = self._listening.ended() if self._listening else self._broke(body)
            if broke is None:
                self._let_go()  # as it came
                return None
        else:
            broke = self._understood(self._status, body)
        wait = retry_after(self._headers, body, now)
        broke = broke._replace(retry_after=broke.retry_after if wait is None else wait)
        goes_on = is_good(self._status) or leads_on(self._status)
        answer = (0, ()) if is_good(self._status) else (self._status, self._headers)
        return Failed(error_of(broke), goes_on, broke.retry_after, *answer, body, self._heading)

    def _understood(self, status: int, body: bytes) -> "Broke":
        """The failure that an error tells of, in its dialect's way or any other."""
        if self._aim is None:
            from promptdeck.core.dialects.translate.broken import broken_of

            return broken_of(status, self._headers, body)
        broke: Broke = _hears(self._dialect).broken_of(status, self._headers, body)
        return broke

    def _broke(self, body: bytes) -> "Broke | None":
        """The failure that a whole answer with a good status is; None for an answer."""
        response = Response(self._status, self._headers, (Frame(0, body),))
        problem = self._dialect.problem_with(response)
        if problem is None or self._aim is None or not isinstance(self._dialect, Streamed):
            return None
        listening = Listening(self._dialect, self._aim)
        tells_error = any(map(is_error, values_of(body)))
        try:
            for frame in self._dialect.cut(self._dialect.message(response)):
                listening.feed(frame)
            broke = listening.ended()
        except Unfaithful:
            broke = None if tells_error else listening.unreadable(problem)
        if tells_error:
            # Cut into a stream, an error may look like an answer of nothing.
            return broke or self._understood(HTTPStatus.BAD_GATEWAY, body)
        return broke


class Listening:
    """Hears in a stream of a dialect whether there is content yet, or a failure before any."""

    def __init__(self, dialect: Dialect, aim: "Aim") -> None:
        self._hearing = getattr(_hears(dialect), f"{dialect.name.title()}Hearing")(aim)
        self._rest = b""
        self.has_content = False
        self.broke: Broke | None = None

    def feed(self, data: bytes) -> None:
        """Hear the events that a piece of the stream completes."""
        *frames, self._rest = sse.frames(self._rest + data) or [b""]
        if sse.is_whole(self._rest):
            frames.append(self._rest)
            self._rest = b""
        for frame in frames:
            self._note(self._hearing.hear(sse.parse(frame)))

    def ended(self) -> "Broke | None":
        """The failure of a stream that has ended; None for one that is whole, or has content."""
        if self._rest:
            self._note(self._hearing.hear(sse.parse(self._rest)))
        self._note(self._hearing.end())
        return None if self.has_content else self.broke

    def unreadable(self, problem: str) -> "Broke":
        """The failure of an answer that is none of this dialect's."""
        from promptdeck.core.dialects.translate.broken import unreadable

        return unreadable(problem)

    def _note(self, signals: "Iterable[Signal]") -> None:
        from promptdeck.core.dialects.translate.neutral import Broke, Metered, Mused, Opened, Spoken

        for signal in signals:
            if self.has_content or self.broke:
                return
            if isinstance(signal, Broke):
                self.broke = signal
            elif isinstance(signal, Spoken | Mused):
                self.has_content = bool(signal.text)
            elif not isinstance(signal, Opened | Metered):
                self.has_content = True


def _hears(dialect: Dialect) -> Any:
    """The module that hears a dialect's answers."""
    return import_module(f"promptdeck.core.dialects.translate.{dialect.name}.hears")


def _with(headers: Headers, ours: Headers) -> Headers:
    """An answer's headers and ours: what another promptdeck says there of itself gives way."""
    names = {SERVED.lower(), ROUTE.lower()}
    return (*(item for item in headers if item[0].lower() not in names), *ours)


def _is_stream(headers: Headers) -> bool:
    return essence(header(headers, "content-type")) == "text/event-stream"

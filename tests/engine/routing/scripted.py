"""Ways that do as a test tells them, and a clock that goes on only when it is asked to."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import orjson

from promptdeck.core.dialects.interpreted import remembering
from promptdeck.core.interaction import Headers, Request
from promptdeck.core.routing.choosing import Choosing
from promptdeck.core.routing.upstreams import Declared, named_upstreams
from promptdeck.engine.incoming import Incoming
from promptdeck.engine.routing.breakers import Breakers
from promptdeck.engine.routing.means import Clock, Means
from promptdeck.engine.routing.waiting import Patience
from promptdeck.engine.routing.way import Routing
from promptdeck.engine.sides import Ended, GiveUp, Sink
from promptdeck.errors import UpstreamError
from tests.scripted_upstream import chunk, chunks, completion

OPENAI = "https://api.openai.com/v1"
JSON: Headers = (("Content-Type", "application/json"),)
EVENTS: Headers = (("Content-Type", "text/event-stream"),)

Reply = Callable[[Incoming, Sink], Awaitable[None]]


def answer(text: str, status: int = 200, **headers: str) -> Reply:
    """A whole chat completion."""
    return said(orjson.dumps(completion(text)), status, **headers)


def said(body: bytes, status: int = 200, **headers: str) -> Reply:
    """A body of JSON."""
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())

    async def reply(incoming: Incoming, sink: Sink) -> None:
        sink.headed(status, (*JSON, *named), body)

    return reply


def failing(status: int, message: str = "no", **headers: str) -> Reply:
    return said(orjson.dumps({"error": {"message": message}}), status, **headers)


def streamed(*pieces: bytes | asyncio.Event | UpstreamError) -> Reply:
    """A stream in these pieces; it waits for an event, and breaks off at an error."""

    async def reply(incoming: Incoming, sink: Sink) -> None:
        sink.headed(200, EVENTS, b"")
        for piece in pieces:
            if isinstance(piece, asyncio.Event):
                await piece.wait()
            elif isinstance(piece, UpstreamError):
                raise piece
            else:
                sink.came(piece)

    return reply


def spoken(text: str) -> Reply:
    return streamed(*chunks(text))


def raising(error: UpstreamError) -> Reply:
    async def reply(incoming: Incoming, sink: Sink) -> None:
        raise error

    return reply


UNREACHABLE = UpstreamError("cannot reach it")
SLOW = UpstreamError("it did not answer in time", code="upstream_timeout", status=504)
ERROR_EVENT = b'data: {"error":{"message":"overloaded","type":"overloaded_error"}}\n\n'
ROLE = chunk({"role": "assistant", "content": ""})


class ScriptedWay:
    """Answers each request with the next of `replies`; the last one is repeated."""

    def __init__(self, *replies: Reply) -> None:
        self.replies = list(replies)
        self.seen: list[Incoming] = []

    def begin(self, incoming: Incoming, sink: Sink, ended: Ended[UpstreamError]) -> GiveUp | None:
        self.seen.append(incoming)
        return lambda: None

    async def fly(self, incoming: Incoming, sink: Sink) -> None:
        self.seen.append(incoming)
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        await reply(incoming, sink)

    @property
    def models(self) -> list[Any]:
        return [orjson.loads(one.sent[0]).get("model") for one in self.seen]


class Got:
    """A sink that keeps what it gets."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.pieces: list[bytes] = []

    def headed(self, status: int, headers: Headers, data: bytes) -> None:
        assert not self.status, "an answer has one head"
        self.status = status
        self.headers = {name.lower(): value for name, value in headers}
        self.pieces = [data] if data else []

    def came(self, data: bytes) -> None:
        self.pieces.append(data)

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)

    @property
    def route(self) -> str:
        return self.headers.get("x-promptdeck-route", "")


class Time:
    """Seconds that pass only where something sleeps, or a test says so."""

    def __init__(self, chances: Iterator[float] | None = None) -> None:
        self.now = 1000.0
        self.slept: list[float] = []
        self._chances = chances

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    @property
    def clock(self) -> Clock:
        def chance() -> float:
            return next(self._chances) if self._chances else 0.5

        return Clock(lambda: self.now, lambda: self.now, chance, self.sleep)


def routing(
    ways: dict[str, ScriptedWay],
    *,
    time: Time | None = None,
    retries: int = 0,
    budget: float = 10.0,
    hold_back: float = 5.0,
    first_byte: float | None = None,
    strict: bool = False,
    breaker: int = 3,
    default: str = OPENAI,
    **declared: Declared,
) -> Routing:
    """A `Routing` over ways by upstream; all but "" are declared, as chat unless given here."""
    named = [declared.get(name, Declared(name, url=f"http://{name}/v1")) for name in ways if name]
    ways.setdefault("", ScriptedWay(answer("default")))
    means = Means(
        Choosing(default, named_upstreams(named, {}, {}), {}, {}),
        ways.__getitem__,
        Breakers(breaker, 30.0),
        Patience(retries, budget),
        hold_back,
        first_byte,
        strict,
        {},
        remembering(),
        (time or Time()).clock,
    )
    return Routing(means, default)


def asking(
    model: Any, *headers: tuple[str, str], at: str = "chat/completions", **body: Any
) -> Incoming:
    value = {"model": model, "messages": [{"role": "user", "content": "hi"}], **body}
    data = orjson.dumps(value)
    return Incoming(Request("POST", f"/v1/{at}", "application/json", data), headers)

"""An answer of the exchange, read as a chat completion: whole, or frame by frame as it comes."""

import asyncio
import math
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import NamedTuple

from promptdeck.core.dialects.base import StreamFilter
from promptdeck.core.interaction import Headers, Response
from promptdeck.core.text import sse
from promptdeck.engine.outcome import Flown, Gathered, Listed, Served


class Inner(NamedTuple):
    """The head of an answer, and its body as it comes; the body is to be closed."""

    status: int
    headers: Headers
    pieces: AsyncGenerator[bytes, None]


async def heard(answer: Served | Flown | Listed, pace: float = math.inf) -> Inner:
    """An answer from its head on. UpstreamError if none comes, also from its pieces.

    The delays of a recorded one are divided by `pace`; infinity is at once.
    """
    match answer:
        case Served(response):
            return Inner(response.status, response.headers, _pieces(response, pace))
        case Flown(flight):
            try:
                head = await flight.head()
                interpreter = answer.interpreter()
                if interpreter and not interpreter.streams(*head):
                    return await _told(answer)
            except BaseException:
                flight.leave(answer.place)
                raise
            if interpreter is None:
                return Inner(head.status, head.headers, _coming(answer))
            headers = interpreter.heading(head.headers)
            return Inner(head.status, headers, _translated(answer, interpreter.stream()))
        case Listed():
            raise AssertionError("no list is asked for here")


async def _pieces(response: Response, pace: float = math.inf) -> AsyncGenerator[bytes, None]:
    passed = 0.0
    for frame in response.frames:
        due = frame.offset_ms / 1000 / pace
        if due > passed:
            await asyncio.sleep(due - passed)
            passed = due
        yield frame.data


async def _told(flown: Flown) -> Inner:
    """An answer in another dialect that is translated as a whole. UpstreamError."""
    gathered = Gathered(flown)
    async with aclosing(_coming(flown)) as pieces:
        async for data in pieces:
            gathered.write(data)
    told, _ = gathered.told()
    return Inner(told.status, told.headers, _pieces(told))


async def _translated(flown: Flown, stream: StreamFilter) -> AsyncGenerator[bytes, None]:
    """A stream of another dialect, as it comes."""
    async with aclosing(_coming(flown)) as pieces:
        async for data in pieces:
            if shown := stream.feed(data):
                yield shown
    if rest := stream.rest():
        yield rest


async def _coming(flown: Flown) -> AsyncGenerator[bytes, None]:
    try:
        async for data in flown.flight.read(flown.place):
            yield data
    finally:
        flown.flight.leave(flown.place)


async def whole(answer: Inner) -> bytes:
    """The body, when all of it has come. UpstreamError."""
    async with aclosing(answer.pieces) as pieces:
        return b"".join([data async for data in pieces])


async def frames(answer: Inner) -> AsyncGenerator[bytes, None]:
    """The frames of a stream as they come. UpstreamError."""
    rest = b""
    async with aclosing(answer.pieces) as pieces:
        async for data in pieces:
            *whole_ones, rest = [*sse.frames(rest + data), b""]
            if whole_ones and (not sse.is_whole(whole_ones[-1]) or whole_ones[-1].endswith(b"\r")):
                rest = whole_ones.pop()
            for frame in whole_ones:
                yield frame
    if rest:
        yield rest

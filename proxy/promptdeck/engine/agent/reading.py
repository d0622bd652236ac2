"""An answer of the exchange, read as a chat completion: whole, or frame by frame as it comes."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import NamedTuple

from promptdeck.core.interaction import Headers
from promptdeck.core.text import sse
from promptdeck.engine.outcome import Flown, Listed, Served


class Inner(NamedTuple):
    """The head of an answer, and its body as it comes; the body is to be closed."""

    status: int
    headers: Headers
    pieces: AsyncGenerator[bytes, None]


async def heard(answer: Served | Flown | Listed) -> Inner:
    """An answer from its head on. UpstreamError if none comes, also from its pieces."""
    match answer:
        case Served(response):
            return Inner(response.status, response.headers, _recorded(answer))
        case Flown(flight):
            try:
                head = await flight.head()
            except BaseException:
                flight.leave(answer.place)
                raise
            return Inner(head.status, head.headers, _coming(answer))
        case Listed():
            raise AssertionError("no list is asked for here")


async def _recorded(served: Served) -> AsyncGenerator[bytes, None]:
    for frame in served.response.frames:
        yield frame.data


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

"""What a flight meets on its two sides: upstream, which fills it, and its readers."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from promptdeck.core.dialects.sockets import Close
from promptdeck.core.interaction import Headers
from promptdeck.errors import UpstreamError

# Upstream's side

GiveUp = Callable[[], object]
"""Gives up a request that is under way: upstream is let go, and its `Ended` is never told."""

Why = TypeVar("Why", bound=Exception)
Ended = Callable[[Why | None], None]
"""Told once that an answer has ended: None when all of it has come, else why it has not."""


class Unanswered(UpstreamError):
    """A connection that had waited was closed before a byte of an answer: ask on a new one.

    Servers close what was idle for too long, and a request may cross that on its way.
    """


Full = asyncio.Future[None] | None
"""A future: read no more from upstream before it is done. None: read on."""


class Sink(Protocol):
    """Where an upstream's response goes: its head once, then the pieces of its body."""

    def headed(self, status: int, headers: Headers, data: bytes) -> Full:
        """Take the head, and what came of the body in the same read, maybe nothing."""

    def came(self, data: bytes) -> Full:
        """Take the next piece of the body, which is not empty."""


Fly = Callable[[Sink], Awaitable[None]]
"""Asks upstream, and returns when the whole answer has gone to the sink. UpstreamError."""

Stray = Callable[[bytes], Awaitable[None]]
"""Takes an event of a socket that came while no answer was under way."""


class Line(Protocol):
    """The line to upstream of a client's WebSocket; `hang_up` at the end."""

    behind: bool
    """Set where recordings have answered messages, which upstream has not got."""

    async def open(self, sink: Sink) -> None:
        """As `Fly`: open the socket, and return when what comes unasked has come."""

    async def say(self, said: str | bytes, whole: str | bytes, sink: Sink) -> None:
        """Send a message, on a socket that is opened for it if need be; as `Fly`.

        `whole` is sent in its place where upstream has not got what it goes on from.
        """

    def rest(self) -> None:
        """Have the answer under way end here: the client's next message has come."""

    def pause(self) -> None:
        """Have the answer under way end here, unless it will come to an end of its own."""

    def hang_up(self, close: Close) -> None:
        """Close the socket, as the client did: no answer is under way any more."""


# The readers' side


class Follower(Protocol):
    """A reader that is written to in the call in which a piece comes."""

    def write(self, data: bytes) -> bool:
        """Take a piece that is not empty; False when there is no room for another."""


class Client(Follower, Protocol):
    """A follower that can be waited for."""

    async def drain(self) -> None:
        """Wait until there is room for another piece."""

    def company(self) -> None:
        """Show the client that its answer is still coming: upstream has been silent for a while."""

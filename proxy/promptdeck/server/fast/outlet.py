"""A connection to a client, as those see it who write an answer to it by themselves."""

import asyncio
from typing import Protocol


class Outlet(Protocol):
    """A connection: its transport, and whom to tell that an answer has been written."""

    transport: asyncio.Transport | None
    """None once the connection is gone."""

    @property
    def writing_paused(self) -> bool:
        """True while the client reads more slowly than it is written to."""

    def answered(self) -> None:
        """Take the connection back: the answer has been written."""


class Answering(Protocol):
    """Writes one answer, to an `Outlet`, that takes its time."""

    def begin(self) -> None:
        """Write what there is."""

    def resumed(self) -> None:
        """Write on: the client reads again."""

    def leave(self) -> None:
        """Write no more: the client is gone."""

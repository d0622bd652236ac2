"""What a store is: recordings found by fingerprint, in the order they were recorded."""

from collections.abc import Hashable, Iterator, Sequence
from typing import NamedTuple, Protocol

from promptdeck.core.interaction import Interaction


class Stored(NamedTuple):
    """A recording as a store holds it."""

    interaction: Interaction
    canonical: bytes
    """Under the rules in force; a fingerprint is only an index, so a hit compares this."""
    expires_at: float | None = None
    """Seconds since the epoch."""


class Store(Protocol):
    """Reads answer at once, on the caller's thread; a write returns when it is durable."""

    def find(self, key: str) -> Sequence[Stored]:
        """All recordings under a fingerprint, oldest first. StoreUnavailable if it can't read."""

    def state(self) -> Hashable:
        """While this is equal, `find` finds the same. Costs next to nothing."""

    async def put(self, key: str, stored: Stored, *, replace: bool) -> Interaction:
        """Keep a recording; `replace` drops the older ones of its key and variant.

        Returns it with the id it was given.
        """

    def canonicals(self) -> Iterator[tuple[str, bytes]]:
        """Every recording's id and canonical form."""

    def names(self) -> Iterator[str]:
        """Every recording's id, in the same order."""


class Claims(Protocol):
    """What the processes that share a store are asking upstream, so that none asks the same."""

    def take(self, name: str) -> bool:
        """Claim a request by its name; False if another process has claimed it."""

    def drop(self, name: str) -> None:
        """Let others claim the request; nothing happens where this process has not."""

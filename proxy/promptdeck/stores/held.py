"""Recordings held back until they are known to be wanted: a test's, until it has passed."""

from collections.abc import Hashable, Iterator, Sequence

from promptdeck.core.interaction import Interaction

from .base import Store, Stored
from .memory import MemoryStore


class Held:
    """A `Store` that reads like the one behind it together with what was put since.

    What was put is in memory, and gets to the store behind by `release` alone.
    """

    def __init__(self, behind: Store) -> None:
        self._behind = behind
        self._new = MemoryStore()
        self._releases = 0
        """Part of `state`: after a release, `_new` counts its puts from 0 again."""
        self._puts: list[tuple[str, Stored, bool]] = []

    def find(self, key: str) -> Sequence[Stored]:
        """All recordings under a fingerprint, oldest first, held ones last."""
        return [*self._behind.find(key), *self._new.find(key)]

    def state(self) -> Hashable:
        """Changes with the state of the store behind, with each put and each release."""
        return self._behind.state(), self._new.state(), self._releases

    async def put(self, key: str, stored: Stored, *, replace: bool) -> Interaction:
        """Hold a recording back, under an id for now: `release` gives the lasting one."""
        self._puts.append((key, stored, replace))
        return await self._new.put(key, stored, replace=replace)

    def canonicals(self) -> Iterator[tuple[str, bytes]]:
        """Every recording's id and canonical form, held ones last."""
        yield from self._behind.canonicals()
        yield from self._new.canonicals()

    async def nearest(
        self, canonical: bytes, most: int, law: str = ""
    ) -> Sequence[tuple[str, bytes]]:
        """Id and canonical form of the recordings most like this form, held ones last."""
        behind = await self._behind.nearest(canonical, most, law)
        return [*behind, *await self._new.nearest(canonical, most, law)]

    async def models(self) -> set[str]:
        """The models that recorded requests name, held ones too."""
        return await self._behind.models() | await self._new.models()

    def names(self) -> Iterator[str]:
        """Every recording's id, in the order of `canonicals`."""
        yield from self._behind.names()
        yield from self._new.names()

    async def release(self) -> list[str]:
        """Put everything held into the store behind, in order; returns the ids it has there.

        StoreUnavailable where that fails: what did not get there is held on.
        """
        puts, self._puts = self._puts, []
        self._new = MemoryStore()
        self._releases += 1
        kept = []
        try:
            while puts:
                key, stored, replace = puts[0]
                kept.append((await self._behind.put(key, stored, replace=replace)).id)
                del puts[0]
        finally:
            # Also when cancelled; what came meanwhile stands behind.
            self._puts = puts + self._puts
        return kept

"""The reference store: a dict. Used for tests and as the plainest statement of the protocol."""

from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence

from promptdeck.core.interaction import Interaction
from promptdeck.core.matching.fingerprint import recording_id

from .base import Stored


class MemoryStore:
    """A `Store` of this process alone, gone with it. Nothing it does can fail."""

    def __init__(self) -> None:
        self._by_key: defaultdict[str, list[Stored]] = defaultdict(list)
        self._puts = 0

    def find(self, key: str) -> Sequence[Stored]:
        """All recordings under a fingerprint, oldest first."""
        return list(self._by_key.get(key, ()))

    def state(self) -> Hashable:
        """Changes with each put."""
        return self._puts

    async def put(self, key: str, stored: Stored, *, replace: bool) -> Interaction:
        """Keep a recording and return it with its id; `replace` drops older ones of its variant."""
        self._puts += 1
        rows = self._by_key[key]
        interaction = stored.interaction
        if replace:
            rows[:] = [row for row in rows if row.interaction.variant != interaction.variant]
        ordinal = 1 + max((_ordinal(row.interaction.id) for row in rows), default=0)
        name = recording_id(stored.canonical, interaction.key, ordinal)
        rows.append(stored._replace(interaction=interaction._replace(id=name)))
        return rows[-1].interaction

    def canonicals(self) -> Iterator[tuple[str, bytes]]:
        """Every recording's id and canonical form."""
        for rows in self._by_key.values():
            for row in rows:
                yield row.interaction.id, row.canonical

    async def nearest(
        self, canonical: bytes, most: int, law: str = ""
    ) -> Sequence[tuple[str, bytes]]:
        """Id and canonical form of every recording: they are few. None has a law of its own."""
        del canonical, most
        return [] if law else list(self.canonicals())

    async def models(self) -> set[str]:
        """The models that recorded requests name."""
        from promptdeck.core.misses.sketch import models_of  # as few ask

        return models_of(form for _, form in self.canonicals())

    def names(self) -> Iterator[str]:
        """Every recording's id, in the order of `canonicals`."""
        return (name for name, _ in self.canonicals())


def _ordinal(name: str) -> int:
    """The number at the end of an id, which counts the recordings of one request."""
    return int(name.rpartition("-")[2])

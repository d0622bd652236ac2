"""A small cassette as a store in memory, for who plays it once: a test.

To index it takes longer than to read it, and an index that nobody asks twice is
no use. It follows its file like any other and writes nothing.
"""

import asyncio
from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from pathlib import Path

from promptdeck.core.interaction import Interaction
from promptdeck.core.matching.rules import Rules
from promptdeck.stores.base import Glance, Stored

from .file import CHANGED, Signature, contents, is_settled, signature
from .section import own_rules_of
from .store import Canon, law_of, rows_in, rules_beside

_SMALL = 64 * 1024
"""Bytes of a file that are read in about as long as they are looked up in an index."""


class LoadedCassette:
    """A `Store` of one cassette file that is only played.

    What is found is as of the last `refresh`; before the first, nothing is.
    """

    def __init__(self, path: Path, canon: Canon) -> None:
        self._path = path
        self._canon = canon
        self._seen: Signature | None = None
        self._rows: dict[str, list[Stored]] = {}
        self.rules: tuple[Rules, ...] = ()
        """The rules of a file that has some of its own, the user's included."""
        self._changes = 0
        """Counts the times that what is found has changed."""
        self._glance = Glance(lambda: signature(path) == self._seen)

    @staticmethod
    def fits(path: Path) -> bool:
        """True if there is a file at `path` that is small enough to be read for one use."""
        try:
            return path.stat().st_size <= _SMALL
        except OSError:
            return False

    @property
    def exists(self) -> bool:
        """True if there is a file, as of now."""
        return self._path.exists()

    def glance(self, key: str) -> Glance:
        """What tells whether the file is to be followed before `find` is believed."""
        del key  # there is one file
        return self._glance

    async def refresh(self, key: str = "") -> bool:
        """Follow the file to its present content. False if that is what is found already.

        CassetteError if it is corrupt: what was found before stays.
        """
        del key  # all is read in any case
        seen = signature(self._path)
        if seen == self._seen:
            return False
        law = self._canon.under(own_rules_of(self._path) if seen else None)
        self.rules = rules_beside(self._canon, [law])
        waits = law.waits and seen
        before = self._rows
        self._rows = await asyncio.to_thread(self._read) if waits else self._read() if seen else {}
        # One that may change under the same signature is read again.
        self._seen = seen if seen is None or is_settled(seen[CHANGED]) else ()
        changed = self._rows != before
        self._changes += changed
        return changed

    def _read(self) -> dict[str, list[Stored]]:
        """The file's recordings by fingerprint. CassetteError, PatternError."""
        rows: defaultdict[str, list[Stored]] = defaultdict(list)
        for key, stored in rows_in(contents(self._path), self._path, self._canon):
            rows[key].append(stored)
        return dict(rows)

    def find(self, key: str) -> Sequence[Stored]:
        """All recordings under a fingerprint, in the order of their time."""
        return self._rows.get(key, ())

    def state(self) -> Hashable:
        """Changes when what is found may have; the file itself is not looked at."""
        return self._changes

    def canonicals(self) -> Iterator[tuple[str, bytes]]:
        """Every recording's id and canonical form."""
        for rows in self._rows.values():
            yield from ((row.interaction.id, row.canonical) for row in rows)

    async def nearest(
        self, canonical: bytes, most: int, law: str = ""
    ) -> Sequence[tuple[str, bytes]]:
        """Id and canonical form of every recording, if they are found by this law: they are few."""
        del canonical, most
        return list(self.canonicals()) if law == law_of(self.rules) else []

    async def models(self) -> set[str]:
        """The models that recorded requests name."""
        from promptdeck.core.misses.sketch import models_of  # as few ask

        return models_of(form for _, form in self.canonicals())

    def names(self) -> Iterator[str]:
        """Every recording's id, in the order of `canonicals`."""
        for rows in self._rows.values():
            yield from (row.interaction.id for row in rows)

    async def put(self, key: str, stored: Stored, *, replace: bool) -> Interaction:
        """Raise NotImplementedError: who records uses a `Cassette`."""
        raise NotImplementedError("a cassette that is only played is not written to")

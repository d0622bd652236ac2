"""Recordings in SQLite as a store: one tape or more of a database."""

import math
import sqlite3
import time
from collections.abc import Hashable, Iterator, Sequence

from promptdeck.core.interaction import Interaction
from promptdeck.core.matching.fingerprint import recording_id
from promptdeck.stores.base import Stored

from .database import Database
from .tapes import drop_variant, insert, last_ordinal, size, tape_of
from .writer import CACHE


class Tape:
    """The store over some tapes of a database, read in the order given, written to the first.

    `evictable` tapes note what is found in them, so that what was used last goes last.
    """

    def __init__(
        self, database: Database, tapes: tuple[int, ...], *, evictable: bool = False
    ) -> None:
        """Make it over tapes by number; there may be none, where nothing is to be found."""
        self._database = database
        self._evictable = evictable
        self.tapes = tapes

    def find(self, key: str) -> Sequence[Stored]:
        """All recordings under a fingerprint, tape by tape, in each oldest first."""
        rows = [row for row in self._database.find(key) if row.tape in self.tapes]
        if len(self.tapes) > 1:
            rows = sorted(rows, key=lambda row: self.tapes.index(row.tape))
        if self._evictable:
            # The end of this second, and so after all that was recorded in it: see `packed_row`.
            now = math.ceil(time.time())
            for row in rows:
                self._database.touch(row.n, now)
        return [row.stored for row in rows]

    def state(self) -> Hashable:
        """Changes with each commit to the file, which may have changed what is found."""
        return self._database.state()

    async def put(self, key: str, stored: Stored, *, replace: bool) -> Interaction:
        """Keep a recording in the first tape, under the next id of its request."""
        tape = self.tapes[0]

        def job(db: sqlite3.Connection) -> Interaction:
            if replace:
                drop_variant(db, tape, key, stored.interaction.variant)
            ordinal = 1 + last_ordinal(db, tape, key)
            name = recording_id(stored.canonical, stored.interaction.key, ordinal)
            kept = stored.interaction._replace(id=name)
            insert(db, tape, [(key, stored._replace(interaction=kept))])
            return kept

        brings = size([(key, stored)])
        result: Interaction = await self._database.submit(job, fresh=brings, keys=(key,))
        return result

    def canonicals(self) -> Iterator[tuple[str, bytes]]:
        """Every recording's id and canonical form, tape by tape."""
        for tape in self.tapes:
            yield from self._database.canonicals(tape)

    async def nearest(
        self, canonical: bytes, most: int, law: str = ""
    ) -> Sequence[tuple[str, bytes]]:
        """Id and canonical form of the recordings most like this form, at most `most`.

        A tape knows of no law: who has tapes of several asks one for each.
        """
        return [] if law else await self._database.nearest(self.tapes, canonical, most)

    async def models(self) -> set[str]:
        """The models that recorded requests name."""
        return await self._database.models(self.tapes)

    def names(self) -> Iterator[str]:
        """Every recording's id, in the order of `canonicals`."""
        return self._database.names(self.tapes)


async def cache_tape(database: Database) -> Tape:
    """The cache of a database, made if there is none. StoreUnavailable if it cannot be."""
    tape = await database.submit(lambda db: tape_of(db, CACHE, ""))
    return Tape(database, (tape,), evictable=True)

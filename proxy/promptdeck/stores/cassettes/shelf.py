"""The store of a folder of cassettes, one index behind the other.

A folder may have thousands of files, of which some are new: a first look at it reads each of
them for its digest (139 MB in 0.1 s), then those without an index are parsed (90 ms a MB).
Until that has been done once, who asks waits for what may hold the answer, and no longer.
"""

import asyncio
import logging
import time
from collections.abc import Hashable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from promptdeck.core.interaction import Interaction
from promptdeck.stores.base import Stored
from promptdeck.stores.sqlite.database import Database, Indexable
from promptdeck.stores.sqlite.tape import Tape

from .file import Signature, contents, digest, digest_of, path_of, signatures
from .store import Canon, give_back, index_name, rows_in, source_of

log = logging.getLogger("promptdeck")

_BATCH_BYTES = 2 * 1024 * 1024
"""Bytes of files that are indexed in one transaction: 0.2 s of work, for which a file that is
wanted first waits. A commit each took half of a start."""
_TOLD_EVERY = 1.0
"""Seconds after which people are told how far it is; who waits for less does not wonder."""


class _Volume(NamedTuple):
    """A cassette of the folder as it was seen last."""

    signature: Signature
    digest: str
    tape: int | None
    """Of its index; None where it is empty."""


class Shelf:
    """All cassettes below a folder, read as one `Store` in the order of their names.

    What is found is as of the last `refresh`; before the first, nothing is.
    """

    def __init__(self, folder: Path, database: Database, canon: Canon) -> None:
        self._folder = folder
        self._database = database
        self._canon = canon
        self._volumes: dict[str, _Volume] = {}
        self._tape = Tape(database, ())
        self._changes = 0
        """Counts the times that what is found has changed."""
        self._looking = asyncio.Lock()
        """Held by who looks at the folder."""
        self._looks = 0
        """Looks that have begun, of which the last may be under way."""
        self._looked = 0
        """The number of the last look that came to its end."""

    @property
    def exists(self) -> bool:
        """True if there was any cassette at the last `refresh`."""
        return bool(self._volumes)

    async def refresh(self) -> bool:
        """Follow the folder: files that came, went or changed. False if there are none.

        Each miss asks for it, as a file may just have been written. All who ask while a look
        is under way share the next one. CassetteError if a file is corrupt, StoreUnavailable
        if the database is.
        """
        wanted, changes = self._looks + 1, self._changes
        async with self._looking:
            if self._looked < wanted:
                self._looks += 1
                await self._look()
                self._looked = self._looks
        return self._changes != changes

    async def _look(self) -> None:
        """`refresh`, for who holds `_looking`."""
        seen = await asyncio.to_thread(signatures, self._folder)
        tapes = self._database.tapes_named()
        there = set(tapes.values())
        kept = {
            name: volume
            for name, volume in self._volumes.items()
            if seen.get(name) == volume.signature and (volume.tape is None or volume.tape in there)
        }
        changed = [name for name in seen if name not in kept]
        digests = await asyncio.to_thread(self._digests, changed)
        missing: list[str] = []
        for name, state in digests.items():
            tape = tapes.get(index_name(self._path(name), state, self._canon))
            if tape is None and state != _EMPTY:
                missing.append(name)
            else:
                kept[name] = _Volume(seen[name], state, tape)
        kept |= await self._index(missing, seen)
        self._follow({name: kept[name] for name in seen})

    def _path(self, name: str) -> Path:
        return path_of(self._folder, name)

    def _digests(self, changed: Sequence[str]) -> dict[str, str]:
        """The digest of each file. CassetteError if one cannot be read."""
        return {name: digest_of(self._path(name)) for name in changed}

    async def _index(
        self, missing: Sequence[str], seen: dict[str, Signature]
    ) -> dict[str, _Volume]:
        """Make an index of each file, some in a transaction; tell people how far it is."""
        made: dict[str, _Volume] = {}
        told = time.monotonic()
        for batch in _batches(missing, {name: seen[name][1] for name in missing}):
            states = await self._index_batch(batch)
            made |= {name: _Volume(seen[name], *states[name]) for name in batch}
            if time.monotonic() - told > _TOLD_EVERY:
                told = time.monotonic()
                log.info("indexing cassettes: %d of %d", len(made), len(missing))
        if made:
            await asyncio.to_thread(give_back)
        return made

    async def _index_batch(self, batch: Sequence[str]) -> dict[str, tuple[str, int]]:
        """Index files in one transaction; digest and tape of each. CassetteError, as above."""
        read = await asyncio.to_thread(lambda: [self._read(name) for name in batch])
        tapes = await self._database.index_all([content for _, content in read])
        return {
            name: (state, tape) for name, (state, _), tape in zip(batch, read, tapes, strict=True)
        }

    def _read(self, name: str) -> tuple[str, Indexable]:
        """A file's digest, and what is to be indexed of it. CassetteError if it is corrupt."""
        path = self._path(name)
        data = contents(path)
        state = digest(data)
        rows = rows_in(data, path, self._canon) if data else []
        return state, Indexable(index_name(path, state, self._canon), source_of(path), rows)

    def _follow(self, volumes: dict[str, _Volume]) -> None:
        """Find from now on what these have, in their order."""
        before = [(name, one.digest, one.tape) for name, one in self._volumes.items()]
        self._volumes = volumes
        if before != [(name, one.digest, one.tape) for name, one in volumes.items()]:
            self._changes += 1
            tapes = (volume.tape for volume in volumes.values() if volume.tape is not None)
            self._tape = Tape(self._database, tuple(tapes))

    def find(self, key: str) -> Sequence[Stored]:
        """All recordings under a fingerprint, cassette by cassette. StoreUnavailable."""
        return self._tape.find(key)

    def state(self) -> Hashable:
        """Changes when what is found may have; the files are not looked at."""
        return self._tape.tapes, self._database.state()

    def canonicals(self) -> Iterator[tuple[str, bytes]]:
        """Every recording's id and canonical form, cassette by cassette."""
        return self._tape.canonicals()

    async def nearest(self, canonical: bytes, most: int) -> Sequence[tuple[str, bytes]]:
        """Id and canonical form of the recordings most like this form. StoreUnavailable."""
        return await self._tape.nearest(canonical, most)

    async def models(self) -> set[str]:
        """The models that recorded requests name. StoreUnavailable."""
        return await self._tape.models()

    def names(self) -> Iterator[str]:
        """Every recording's id, in the order of `canonicals`."""
        return self._tape.names()

    async def put(self, key: str, stored: Stored, *, replace: bool) -> Interaction:
        """Raise NotImplementedError: who records says into which cassette."""
        raise NotImplementedError("a recording goes into one cassette, not into a folder of them")


_EMPTY = digest(b"")


def _batches(names: Sequence[str], sizes: dict[str, int]) -> Iterator[list[str]]:
    """The names in their order, some at a time: of files that have `_BATCH_BYTES` together."""
    batch: list[str] = []
    weight = 0
    for name in names:
        batch.append(name)
        weight += sizes[name]
        if weight >= _BATCH_BYTES:
            yield batch
            batch, weight = [], 0
    if batch:
        yield batch

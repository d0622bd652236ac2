"""The store of a folder of cassettes, one index behind the other.

A folder may have thousands of files, of which some are new: a first look at it reads each of
them for its digest (139 MB in 0.1 s), then those without an index are parsed (90 ms a MB).
Until that has been done once, who asks waits for what may hold the answer, and no longer.
"""

import asyncio
import logging
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from promptdeck.core.interaction import Interaction
from promptdeck.errors import ForeignFile
from promptdeck.stores.base import Stored
from promptdeck.stores.sqlite.database import Database, Indexable
from promptdeck.stores.sqlite.tape import Tape

from .file import SIZE, Signature, contents, digest, digest_of, path_of, signature, signatures
from .store import Canon, Indexed, give_back, index_name, rows_in, source_of

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
    """Of its index; None where it is empty, or no cassette."""


class Shelf(Indexed):
    """All cassettes below a folder, read as one `Store` in the order of their names.

    What is found is as of the last `refresh`; before the first, nothing is.
    """

    def __init__(self, folder: Path, database: Database, canon: Canon) -> None:
        super().__init__(database)
        self._folder = folder
        self._canon = canon
        self._volumes: dict[str, _Volume] = {}
        self._changes = 0
        """Counts the times that what is found has changed."""
        self._looking = asyncio.Lock()
        """Held by who looks at the folder."""
        self._looks = 0
        """Looks that have begun, of which the last may be under way."""
        self._looked = 0
        """The number of the last look that came to its end; 0 until one has."""
        self._known: dict[str, _Volume] = {}
        """During the first look: the cassettes that have an index by now."""
        self._missing: list[str] = []
        """During the first look: the names of those that had none when it began, in order."""
        self._listed = asyncio.Event()
        """Set when these two are."""
        self._settled: set[str] = set()
        """During the first look: fingerprints of which all that may hold them is indexed."""

    @property
    def exists(self) -> bool:
        """True if there was any cassette at the last `refresh`."""
        return bool(self._volumes)

    async def refresh(self, key: str = "") -> bool:
        """Follow the folder: files that came, went or changed. False if there are none.

        Each miss asks for it, as a file may just have been written. All who ask while a look
        is under way share the next one. During the first one, of a fingerprint `key` that is
        in the text of some files only these are waited for. CassetteError if a file is
        corrupt, StoreUnavailable if the database is.
        """
        wanted, changes = self._looks + 1, self._changes
        if key and self._looks and not self._looked and await self._ahead(key):
            return True
        async with self._looking:
            if self._looked < wanted:
                self._looks += 1
                try:
                    await self._look()
                finally:
                    self._listed.set()  # for who waits for what will not come
                self._looked = self._looks
                self._settled.clear()
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
        self._known, self._missing = kept, missing
        self._listed.set()
        await self._index(kept, missing, seen)
        self._known, self._missing = {}, []
        self._follow({name: kept[name] for name in seen})

    async def _ahead(self, key: str) -> bool:
        """Index the files that have a fingerprint in their text, before the others.

        True if recordings of it are found then: all there are, as each file names the
        fingerprint of each of its requests. Only where somebody edited a request by hand, or
        rules make another fingerprint of it, it does not: what is found nowhere may be there.
        """
        await self._listed.wait()
        known = self._known
        missing = [name for name in self._missing if name not in known]
        if holders := await asyncio.to_thread(self._holders, key, missing):
            for name, volume in (await self._index_batch(holders)).items():
                known.setdefault(name, volume)
        if self._looked:
            return bool(self.find(key))
        volumes = (known[name] for name in sorted(known))
        tape = Tape(self._database, tuple(one.tape for one in volumes if one.tape is not None))
        if not tape.find(key):
            return False
        self._tape = tape
        self._settled.add(key)
        return True

    def _holders(self, key: str, names: Sequence[str]) -> list[str]:
        """The files that have a fingerprint in their text. CassetteError if one is unreadable."""
        sought = key.encode()
        return [name for name in names if sought in contents(self._path(name))]

    def _path(self, name: str) -> Path:
        return path_of(self._folder, name)

    def _digests(self, changed: Sequence[str]) -> dict[str, str]:
        """The digest of each file. CassetteError if one cannot be read."""
        return {name: digest_of(self._path(name)) for name in changed}

    async def _index(
        self, known: dict[str, _Volume], missing: Sequence[str], seen: dict[str, Signature]
    ) -> None:
        """Make an index of each file and add it to `known`; tell people how far it is."""
        told = time.monotonic()
        for batch in _batches(missing, {name: seen[name][SIZE] for name in missing}):
            # Some may have been wanted sooner.
            if left := [name for name in batch if name not in known]:
                known |= await self._index_batch(left)
            if time.monotonic() - told > _TOLD_EVERY:
                told = time.monotonic()
                done = sum(name in known for name in missing)
                log.info("indexing cassettes: %d of %d", done, len(missing))
        if missing:
            await asyncio.to_thread(give_back)

    async def _index_batch(self, batch: Sequence[str]) -> dict[str, _Volume]:
        """Index files in one transaction. CassetteError if one of them is corrupt."""
        read = await asyncio.to_thread(lambda: [self._read(name) for name in batch])
        tapes = iter(await self._database.index_all([one for *_, one in read if one]))
        return {
            name: _Volume(mark, state, next(tapes) if content else None)
            for name, (mark, state, content) in zip(batch, read, strict=True)
        }

    def _read(self, name: str) -> tuple[Signature, str, Indexable | None]:
        """A file's signature, its digest, and what is to be indexed of it. CassetteError.

        Of a file that is no cassette nothing is, and people are told: it must not keep the
        others from being played.
        """
        path = self._path(name)
        # Before its contents: one that is replaced meanwhile is looked at again.
        mark = signature(path) or ()
        data = contents(path)
        state = digest(data)
        try:
            rows = rows_in(data, path, self._canon) if data else []
        except ForeignFile as error:
            log.warning("passed over: %s", error)
            return mark, state, None
        return mark, state, Indexable(index_name(path, state, self._canon), source_of(path), rows)

    def _follow(self, volumes: dict[str, _Volume]) -> None:
        """Find from now on what these have, in their order."""
        before = [(name, one.digest, one.tape) for name, one in self._volumes.items()]
        self._volumes = volumes
        if before != [(name, one.digest, one.tape) for name, one in volumes.items()]:
            self._changes += 1
            tapes = (volume.tape for volume in volumes.values() if volume.tape is not None)
            self._tape = Tape(self._database, tuple(tapes))

    def find(self, key: str) -> Sequence[Stored]:
        """All recordings under a fingerprint, cassette by cassette. StoreUnavailable.

        None before the first look is over, unless a `refresh` for the fingerprint was.
        """
        if not self._looked and key not in self._settled:
            return ()
        return super().find(key)

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

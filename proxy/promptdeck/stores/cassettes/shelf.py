"""The store of a folder of cassettes, one index behind the other.

A folder may have thousands of files, of which some are new: a first look at it reads each of
them for its digest (139 MB in 0.1 s), then those without an index are parsed (90 ms a MB).
Until that has been done once, who asks waits for what may hold the answer, and no longer.
"""

import asyncio
import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from promptdeck.core.interaction import Interaction
from promptdeck.core.matching.rules import Rules
from promptdeck.errors import CassetteError, ForeignFile, StoreUnavailable
from promptdeck.heap import give_back
from promptdeck.stores.base import Glance, Stored
from promptdeck.stores.sqlite.database import Database, Indexable
from promptdeck.stores.sqlite.tape import Tape

from .file import (
    CHANGED,
    SIZE,
    Signature,
    changed_at,
    contents,
    digest,
    digest_of,
    is_settled,
    path_of,
    signature,
    signatures,
)
from .section import own_rules, own_rules_of
from .store import Canon, Indexed, index_name, law_of, rows_in, rules_beside, source_of

log = logging.getLogger("promptdeck")

_BATCH_BYTES = 2 * 1024 * 1024
"""Bytes of files that are indexed in one transaction: 0.2 s of work, for which a file that is
wanted first waits. A commit each took half of a start."""
_SEARCHED = 16 * 1024 * 1024
"""Bytes of files that are searched for a fingerprint that is not found."""
_TOLD_EVERY = 1.0
"""Seconds after which people are told how far it is; who waits for less does not wonder."""


class _Volume(NamedTuple):
    """A cassette of the folder as it was seen last."""

    signature: Signature
    """Of no file that there is, where it has to be looked at again."""
    digest: str
    tape: int | None
    """Of its index; None where it is empty, no cassette, or cannot be read."""
    own: Rules | None = None
    """Its own rules."""
    error: CassetteError | None = None
    """Why it cannot be read."""


class Shelf(Indexed):
    """All cassettes below a folder, read as one `Store` in the order of their names.

    What is found is as of the last `refresh`; before the first, nothing is.
    """

    def __init__(self, folder: Path, database: Database, canon: Canon) -> None:
        super().__init__(database)
        self._folder = folder
        self._canon = canon
        self._volumes: dict[str, _Volume] = {}
        self._folders: dict[str, int] = {}
        """Each folder that was read, and when it had last gained or lost a file by then."""
        self._in_folders = Glance(self._folders_hold)
        self._glances: dict[tuple[str, ...], Glance] = {}
        """Of those cassettes together that have recordings of one fingerprint."""
        self._bytes = 0
        """Of all files together."""
        self._named: dict[int, str] = {}
        """The cassette that each tape is of."""
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

    def glance(self, key: str) -> Glance:
        """What tells whether the folder is to be followed before `find` is believed.

        That is where a file has come or gone, or one with recordings of the fingerprint `key` is
        not as it was: no other file is looked at. Before the first look is over nothing is
        believed without a `refresh`, and nothing has to be told.
        """
        if not self._looked:
            return Glance()
        try:
            found = [self._named.get(row.tape) for row in self._database.find(key)]
        except StoreUnavailable:
            self._unreadable = key
            return Glance(lambda: False)
        names = tuple(dict.fromkeys(name for name in found if name))
        glance = self._glances.get(names)
        if glance is None:
            glance = self._glances[names] = Glance(
                lambda: not self._in_folders.changed(time.time()),
                lambda: all(map(self._holds, names)),
            )
        return glance

    def _folders_hold(self) -> bool:
        return all(changed_at(folder) == then for folder, then in self._folders.items())

    def _holds(self, name: str) -> bool:
        """True if a cassette's file is as it was read."""
        volume = self._volumes.get(name)
        return volume is not None and signature(self._path(name)) == volume.signature

    async def refresh(self, key: str = "") -> bool:
        """Follow the folder: files that came, went or changed. False if there are none.

        Each miss asks for it, as a file may just have been written. All who ask while a look
        is under way share the next one. During the first one, of a fingerprint `key` that is
        in the text of some files only these are waited for. CassetteError if a file cannot be
        read, unless others have recordings of `key`; StoreUnavailable if the database cannot.
        """
        wanted, changes = self._looks + 1, self._changes
        if key and self._looks and not self._looked and await self._ahead(key):
            return True
        async with self._looking:
            if self._looked < wanted:
                self._looks += 1
                try:
                    await self._surely(partial(self._look_for, key))
                finally:
                    self._listed.set()  # for who waits for what will not come
                self._looked = self._looks
                self._settled.clear()
        self._refuse(key, self._volumes.values())
        return self._changes != changes

    def _refuse(self, key: str, volumes: Iterable[_Volume]) -> None:
        """CassetteError if a cassette cannot be read, unless recordings of `key` are found."""
        if (error := next(filter(None, (one.error for one in volumes)), None)) and not (
            key and self.find(key)
        ):
            raise error.with_traceback(None)

    async def _look_for(self, key: str) -> bool:
        """`refresh`, for who holds `_looking`; True when it is over."""
        await self._look()
        while key and not self.find(key) and await self._is_lost(key):
            await self._mend_index(key)
            await self._look()
        return True

    async def _look(self) -> None:
        """Look at the folder once, and make what indexes are missing."""
        if self._unreadable:
            await self._mend_index(self._unreadable)
        folders: dict[str, int] = {}
        seen = await asyncio.to_thread(signatures, self._folder, folders)
        self._bytes = sum(mark[SIZE] for mark in seen.values())
        tapes = self._database.tapes_named()
        there = {None, *tapes.values()}
        good = {name: volume for name, volume in self._volumes.items() if volume.tape in there}
        kept = {name: one for name, one in good.items() if seen.get(name) == one.signature}
        changed = [name for name in seen if name not in kept]
        digests = await asyncio.to_thread(self._digests, changed)
        own = await asyncio.to_thread(self._own_rules, changed)
        missing: list[str] = []
        for name, state in digests.items():
            if name in good and good[name].digest == state:
                kept[name] = good[name]._replace(signature=_settled(seen[name]))
                continue
            tape = tapes.get(index_name(self._path(name), state, self._canon))
            if tape is None and state != _EMPTY:
                missing.append(name)
            else:
                kept[name] = _Volume(_settled(seen[name]), state, tape, own.get(name))
        self._known, self._missing = kept, missing
        self._listed.set()
        await self._index(kept, missing, seen)
        self._known, self._missing = {}, []
        self._follow({name: kept[name] for name in seen})
        # What changes just now may change again at the same time: such a folder is read again.
        self._folders = {
            folder: then if is_settled(then) else -1 for folder, then in folders.items()
        }

    async def _mend_index(self, key: str) -> None:
        """Let go of the indexes of the files that name a fingerprint, or of all if none does."""
        holders = await asyncio.to_thread(self._holders, key, list(self._volumes))
        volumes = (self._volumes[name] for name in holders or self._volumes)
        await self._mend(key, [one.tape for one in volumes if one.tape is not None])

    async def _is_lost(self, key: str) -> bool:
        """True if a file names a fingerprint of which the index has nothing: that is damaged.

        Only a few files are read for that, in 10 ms, as a miss waits for it.
        """
        if self._unreadable:
            return True
        if key in self._mended or self._bytes > _SEARCHED:
            return False
        # By rules of its own, what a file names is found under other fingerprints.
        volumes = [name for name, one in self._volumes.items() if one.tape and not one.own]
        return bool(await asyncio.to_thread(self._holders, key, volumes))

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
            found = await self._index_batch(holders)
            for name, volume in found.items():
                known.setdefault(name, volume)
            self._refuse("", found.values())
        if self._looked:
            return bool(self.find(key))
        volumes = (known[name] for name in sorted(known))
        tape = Tape(self._database, tuple(one.tape for one in volumes if one.tape is not None))
        if not tape.find(key):
            return False
        self._tape = tape
        self._learn_rules(known.values())
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

    def _own_rules(self, changed: Sequence[str]) -> dict[str, Rules]:
        """The rules of the files that have some of their own."""
        found = ((name, own_rules_of(self._path(name))) for name in changed)
        return {name: own for name, own in found if own}

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
        """Index files in one transaction."""
        read = await asyncio.to_thread(lambda: [self._read(name) for name in batch])
        tapes = iter(await self._database.index_all([one for _, one in read if one]))
        return {
            name: volume._replace(tape=next(tapes) if content else None)
            for name, (volume, content) in zip(batch, read, strict=True)
        }

    def _read(self, name: str) -> tuple[_Volume, Indexable | None]:
        """A file as it is now, without a tape yet, and what is to be indexed of it.

        Of a file that is no cassette nothing is, and people are told: like one that cannot be
        read, it must not keep the others from being played. CassetteError if it is gone.
        """
        path = self._path(name)
        # Before its contents: one that is replaced meanwhile is looked at again.
        mark = _settled(signature(path) or ())
        data = contents(path)
        state = digest(data)
        error = own = None
        try:
            own = own_rules(data.decode(errors="replace"), str(path))
            rows = rows_in(data, path, self._canon) if data else []
            content = Indexable(index_name(path, state, self._canon), source_of(path), rows)
        except ForeignFile as foreign:
            log.warning("passed over: %s", foreign)
            content = None
        except CassetteError as unreadable:
            content, error = None, unreadable
        return _Volume(mark, state, None, own, error), content

    def _follow(self, volumes: dict[str, _Volume]) -> None:
        """Find from now on what these have, in their order."""
        before = [(name, one.digest, one.tape) for name, one in self._volumes.items()]
        self._volumes = volumes
        self._named = {one.tape: name for name, one in volumes.items() if one.tape is not None}
        if before != [(name, one.digest, one.tape) for name, one in volumes.items()]:
            self._changes += 1
            tapes = (volume.tape for volume in volumes.values() if volume.tape is not None)
            self._tape = Tape(self._database, tuple(tapes))
        self._learn_rules(volumes.values())

    def _learn_rules(self, volumes: Iterable[_Volume]) -> None:
        laws = [self._canon.under(one.own) for one in volumes if one.own]
        self.rules = rules_beside(self._canon, laws)

    def find(self, key: str) -> Sequence[Stored]:
        """All recordings under a fingerprint, cassette by cassette. StoreUnavailable.

        None before the first look is over, unless a `refresh` for the fingerprint was.
        """
        if not self._looked and key not in self._settled:
            return ()
        return super().find(key)

    async def nearest(
        self, canonical: bytes, most: int, law: str = ""
    ) -> Sequence[tuple[str, bytes]]:
        """Id and canonical form of the recordings most like this form. StoreUnavailable."""
        found = tuple(
            one.tape
            for one in self._volumes.values()
            if one.tape is not None and self._law(one) == law
        )
        return await Tape(self._database, found).nearest(canonical, most) if found else []

    def _law(self, volume: _Volume) -> str:
        """The digest of a cassette's rules where they stand beside the user's."""
        return law_of(rules_beside(self._canon, [self._canon.under(volume.own)]))

    async def put(self, key: str, stored: Stored, *, replace: bool) -> Interaction:
        """Raise NotImplementedError: who records says into which cassette."""
        raise NotImplementedError("a recording goes into one cassette, not into a folder of them")


def _settled(mark: Signature) -> Signature:
    """A file's signature to compare with later ones; where it may change under it, one of none."""
    return mark if mark and is_settled(mark[CHANGED]) else ()


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

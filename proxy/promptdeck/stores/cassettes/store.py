"""The store of one cassette: the file is the truth, SQLite holds an index made once per content.

A start with an unchanged file parses no YAML. Saves that come while one is
under way go into the file together.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Hashable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from promptdeck.core.dialects.table import with_variant
from promptdeck.core.interaction import Interaction, Request
from promptdeck.core.matching.fingerprint import TAG, fingerprint
from promptdeck.core.matching.rules import Rules
from promptdeck.errors import PromptdeckError, StoreUnavailable
from promptdeck.heap import give_back
from promptdeck.stores.base import Glance, Stored
from promptdeck.stores.sqlite.database import Database
from promptdeck.stores.sqlite.tape import Tape

from .file import (
    CHANGED,
    Signature,
    contents,
    digest,
    digest_of,
    in_recorded_order,
    is_settled,
    parsed,
    signature,
)
from .save import New, Saved, save
from .section import own_rules, own_rules_of

_INDEX_VERSION = 6
"""To be raised when an index of the same file by the same laws would hold something else."""
_EMPTY = digest(b"")
"""The state of a file that is not there, which is as good as an empty one."""
_LARGE = 1024 * 1024
"""Bytes of a file whose parsing leaves so much freed memory behind that giving it back pays."""


class Canon(NamedTuple):
    """How the request of a recording gets its canonical form."""

    canonical: Callable[[Request], bytes]
    """The form that is compared, by the user's rules."""
    base: Callable[[Request], bytes]
    """The form without the user's rules, which ids and keys in a file are made of."""
    rules_digest: str
    """Names the user's rules; part of each fingerprint."""
    laws: str
    """Names rules and redaction together: an index is good for one such set."""
    once: Callable[[Request], bytes] | None = None
    """The form without the user's rules that 0.1.0 gave a request."""
    waits: bool = False
    """True where users' expressions are to be waited for: no loop may ask for any of these."""
    rules: Rules = Rules()
    """The user's rules."""
    joined: Callable[[Rules], "Canon"] | None = None
    """The same with further rules, those of a cassette; None where these have no say."""

    def under(self, own: Rules | None) -> "Canon":
        """By the user's rules and a cassette's own, if it has any."""
        return self if own is None or self.joined is None else self.joined(own)


class Indexed:
    """What is read from the index of cassettes: the same for one file and for a folder of them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._tape = Tape(database, ())
        """The recordings of the files as they were when last looked at; none before that."""
        self.rules: tuple[Rules, ...] = ()
        """The rules of files that have some of their own, the user's included."""
        self._unreadable = ""
        """A fingerprint whose recordings could not be read from the index."""
        self._mended: set[str] = set()
        """Fingerprints for which an index was made anew."""

    def find(self, key: str) -> Sequence[Stored]:
        """All recordings under a fingerprint, each cassette's by their time.

        None where the index cannot be read: the next `refresh` makes it anew.
        """
        try:
            return self._tape.find(key)
        except StoreUnavailable:
            self._unreadable = key
            return ()

    async def _mend(self, key: str, tapes: Collection[int]) -> None:
        """Let go of indexes in which recordings of `key` cannot be read or found.

        They are made anew by the next look at their files. StoreUnavailable, also where that
        was done before and has not helped.
        """
        self._unreadable = ""
        if key in self._mended:
            raise StoreUnavailable("the index of cassettes was made anew, and in vain")
        self._mended.add(key)
        await self._database.drop(tapes)

    async def _surely(self, work: Callable[[], Awaitable[bool]]) -> bool:
        """What `work` returns; if the database fails it, what it returns in an empty one.

        StoreUnavailable if the failed database holds more than indexes and must be kept.
        """
        path = self._database.path
        try:
            return await work()
        except StoreUnavailable:
            if not await self._database.give_up(path):
                raise
            return await work()

    def state(self) -> Hashable:
        """Changes when what is found may have; the files are not looked at."""
        return self._tape.tapes, self._database.state()

    def canonicals(self) -> Iterator[tuple[str, bytes]]:
        """Every recording's id and canonical form, cassette by cassette."""
        return self._tape.canonicals()

    async def models(self) -> set[str]:
        """The models that recorded requests name. StoreUnavailable."""
        return await self._tape.models()

    def names(self) -> Iterator[str]:
        """Every recording's id, in the order of `canonicals`."""
        return self._tape.names()


class Cassette(Indexed):
    """A `Store` of one cassette file, which need not exist yet. Make it by `open`.

    What is found is as of the last `refresh` or `put`.
    """

    def __init__(self, name: str, path: Path, database: Database, canon: Canon) -> None:
        super().__init__(database)
        self.name = name
        self.path = path
        self._canon = canon
        self._law = canon
        """With the rules of the file itself."""
        self._state = ""
        """Digest of the content that `_tape` is an index of."""
        self._seen: Signature | None = None
        """Of the file with that content: None for no file; of no file that there is, where it has
        to be looked at again."""
        self._glance = Glance(lambda: signature(path) == self._seen)
        self._saving = asyncio.Lock()
        """Held by who reads or writes the file for this store."""
        self._waiting: list[tuple[New, asyncio.Future[Interaction]]] = []
        """What was put while somebody held it."""

    @classmethod
    async def open(cls, name: str, path: Path, database: Database, canon: Canon) -> "Cassette":
        """The cassette `name` with the index of its file, which is made unless there is one.

        CassetteError if the file is corrupt, StoreUnavailable if the database is.
        """
        cassette = cls(name, path, database, canon)
        await cassette.refresh()
        return cassette

    @property
    def exists(self) -> bool:
        """True if there is a file, as of now."""
        return self.path.exists()

    async def nearest(
        self, canonical: bytes, most: int, law: str = ""
    ) -> Sequence[tuple[str, bytes]]:
        """Id and canonical form of the recordings most like this form. StoreUnavailable."""
        return await self._tape.nearest(canonical, most) if law == law_of(self.rules) else []

    @property
    def tapes(self) -> tuple[int, ...]:
        """The tape of the index; none where the file is empty or not there."""
        return self._tape.tapes

    def glance(self, key: str) -> Glance:
        """What tells whether the file is to be followed before `find` is believed."""
        del key  # there is one file
        return self._glance

    async def refresh(self, key: str = "") -> bool:
        """Follow the file to its present content. False if that is what is found already.

        Costs a stat(2) where the file is as it was, and recordings of the fingerprint `key` are
        found. CassetteError if it is corrupt: what was found before stays. StoreUnavailable.
        """
        async with self._saving:
            return await self._surely(partial(self._follow_for, key))

    async def _follow_for(self, key: str) -> bool:
        """`refresh`, for who holds `_saving`."""
        changed = await self._follow_file()
        while key and self.tapes and not self.find(key) and await self._is_lost(key):
            await self._mend(key, self.tapes)
            changed = await self._follow_file() or changed
        return changed

    async def _is_lost(self, key: str) -> bool:
        """True if the file names a fingerprint of which the index has nothing: that is damaged."""
        if self._unreadable:
            return True
        # By rules of its own, what a file names is found under other fingerprints.
        if key in self._mended or self.rules:
            return False
        return key.encode() in await asyncio.to_thread(contents, self.path)

    async def _follow_file(self) -> bool:
        """Follow the file, for who holds `_saving`; True if it has changed."""
        if self._unreadable:
            await self._mend(self._unreadable, self.tapes)
        seen = signature(self.path)
        if seen == self._seen and all(map(self._database.has_tape, self.tapes)):
            return False
        state = await asyncio.to_thread(digest_of, self.path) if seen else _EMPTY
        before = self._state, self.tapes
        tape = self._database.tape_named(self._index_name(state))
        # A digest is read in blocks: only who has to parse the file holds it whole.
        if tape is None and state != _EMPTY:
            data = await asyncio.to_thread(contents, self.path)
            state, tape = digest(data), await self._indexed(data) if data else None
        # One that may change under the same signature is looked at again.
        mark = seen if seen is None or is_settled(seen[CHANGED]) else ()
        own = await asyncio.to_thread(own_rules_of, self.path) if seen else None
        self._law = self._canon.under(own)
        self.rules = rules_beside(self._canon, [self._law])
        self._follow(state, mark, () if tape is None else (tape,))
        return before != (self._state, self.tapes)

    def _follow(self, state: str, seen: Signature | None, tapes: tuple[int, ...]) -> None:
        self._state, self._seen, self._tape = state, seen, Tape(self._database, tapes)

    async def _indexed(self, data: bytes) -> int:
        """The tape of the index of this content, made unless there is one."""
        name = self._index_name(digest(data))
        tape = self._database.tape_named(name)
        if tape is None:
            rows = await asyncio.to_thread(rows_in, data, self.path, self._canon)
            tape = await self._database.index(name, source_of(self.path), rows)
            del rows
            if len(data) > _LARGE:
                await asyncio.to_thread(give_back)
        return tape

    def _index_name(self, state: str) -> str:
        """The name of the tape that is the index of the file in this state."""
        return index_name(self.path, state, self._canon)

    async def put(self, key: str, stored: Stored, *, replace: bool) -> Interaction:
        """Write a recording into the file, together with whatever else is waiting.

        StoreUnavailable if that fails. A cancelled caller may leave it written.
        """
        same = self._same(key, stored) if replace else frozenset()
        done: asyncio.Future[Interaction] = asyncio.get_running_loop().create_future()
        make = partial(self._new, stored, replace=replace, same=same)
        work = asyncio.to_thread(make) if self._canon.waits else None
        self._waiting.append((await work if work else make(), done))
        async with self._saving:
            # Whoever comes first writes for all: each save reads and writes the whole file.
            batch, self._waiting = self._waiting, []
            try:
                if batch:
                    await self._save(batch)
            finally:
                for _, other in batch:
                    if not other.done():
                        other.set_exception(StoreUnavailable(f"saving {self.path} was cut short"))
        return await done

    def _same(self, key: str, stored: Stored) -> frozenset[str]:
        """The ids of what is recorded of a request by the rules, in the variant that is stored.

        Of one without a body those of its very target, as other ids there are other requests.
        """
        request, variant = stored.interaction.request, stored.interaction.variant
        return frozenset(
            row.interaction.id
            for row in self.find(key)
            if row.canonical == stored.canonical
            and row.interaction.variant == variant
            and (request.body or row.interaction.request.target == request.target)
        )

    def _new(self, stored: Stored, *, replace: bool, same: frozenset[str]) -> New:
        """A recording to be saved, with the names that it has in the file. PatternError."""
        request = stored.interaction.request
        once = fingerprint(self._canon.once(request)) if self._canon.once else ""
        return New(stored.interaction, self._canon.base(request), replace, once, same)

    async def _save(self, batch: Sequence[tuple[New, asyncio.Future[Interaction]]]) -> None:
        """Save recordings and answer those who wait for them, each with result or error."""
        news = [new for new, _ in batch]
        work = asyncio.get_running_loop().run_in_executor(None, save, self.path, news)
        cancelled = await _end_of(work)
        try:
            saved = work.result()
        except (OSError, PromptdeckError) as error:
            # One that cannot be written must not take the others with it.
            if len(batch) > 1:
                for single in batch:
                    await self._save([single])
            elif not (done := batch[0][1]).done():
                done.set_exception(StoreUnavailable(f"cannot save {self.path}: {error}"))
        else:
            try:
                await self._follow_save(saved)
            finally:
                # Whatever becomes of the index, the file has them.
                for (_, done), interaction in zip(batch, saved.interactions, strict=True):
                    if not done.done():
                        done.set_result(interaction)
        if cancelled:
            raise cancelled

    async def _follow_save(self, saved: Saved) -> None:
        """Bring the index from the content before a save to the content after it."""
        before, after = self._index_name(saved.before), self._index_name(saved.after)
        try:
            rows = await asyncio.to_thread(rows_of, saved.interactions, self._law)
            tape = await self._database.extend(before, after, saved.gone, rows)
            if tape is None:
                await self._follow_file()
            else:
                self._follow(saved.after, saved.signature, (tape,))
        except PromptdeckError:
            # The file has them; the index follows with the next refresh.
            self._seen = ()


def source_of(path: Path) -> str:
    """What an index names as the file that it is of."""
    return str(path.absolute())


def index_name(path: Path, state: str, canon: Canon) -> str:
    """The name of a tape: all that an index of the file in this state (a digest) depends on."""
    return f"{_INDEX_VERSION}|{TAG}|{canon.laws}|{state}|{source_of(path)}"


def rows_in(data: bytes, path: Path, canon: Canon) -> list[tuple[str, Stored]]:
    """A file's contents as rows of its index, in recorded order. CassetteError names the file."""
    found = in_recorded_order(parsed(data, path), lambda item: item)
    return rows_of(found, canon.under(own_rules(data.decode(), str(path))))


def rules_beside(canon: Canon, laws: Iterable[Canon]) -> tuple[Rules, ...]:
    """The different rules of some laws beside those of `canon`."""
    found = {law.rules.digest: law.rules for law in laws}
    found.pop(canon.rules.digest, None)
    return tuple(found.values())


def law_of(rules: Sequence[Rules]) -> str:
    """The digest of the rules of one file that stand beside the user's; empty for none."""
    return rules[0].digest if rules else ""


def rows_of(interactions: Iterable[Interaction], canon: Canon) -> list[tuple[str, Stored]]:
    """Interactions as a store holds them, each with the fingerprint by which it is looked for."""
    canonicals = ((canon.canonical(item.request), item) for item in interactions)
    return [
        (fingerprint(canonical, canon.rules_digest), Stored(with_variant(item), canonical))
        for canonical, item in canonicals
    ]


async def _end_of(work: asyncio.Future[Saved]) -> asyncio.CancelledError | None:
    """Wait for what a thread is at, which nothing stops.

    Returns the cancellation that came meanwhile, to be raised when its outcome is dealt with.
    """
    cancelled = None
    while not work.done():
        try:
            await asyncio.wait([work])
        except asyncio.CancelledError as error:
            cancelled = error
    return cancelled

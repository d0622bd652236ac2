"""The store of one cassette: the file is the truth, SQLite holds an index made once per content.

A start with an unchanged file parses no YAML. Saves that come while one is
under way go into the file together.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from proxy.core.fingerprint import TAG, fingerprint
from proxy.core.interaction import Interaction, Request
from proxy.errors import PromptdeckError, StoreUnavailable

from .base import Stored
from .cassette_file import New, Saved, digest, names, path_of, read, save
from .sqlite import Database, Tape

_INDEX_VERSION = 1


class Canon(NamedTuple):
    """How a kept request gets its canonical form."""

    canonical: Callable[[Request], bytes]
    base: Callable[[Request], bytes]
    """Without the user's rules."""
    rules_digest: str
    laws: str
    """Names rules and redaction together: an index is good for one such set."""


class Cassette:
    """`open` it; the file need not exist yet."""

    def __init__(self, name: str, path: Path, database: Database, canon: Canon) -> None:
        self.name = name
        self.path = path
        self._database = database
        self._canon = canon
        self._tape = Tape(database, ())
        self._digest = ""
        self._seen: tuple[int, ...] | None = None
        self._saving = asyncio.Lock()
        self._waiting: list[tuple[New, asyncio.Future[Interaction]]] = []

    @classmethod
    async def open(cls, name: str, path: Path, database: Database, canon: Canon) -> "Cassette":
        """Index the file unless this content is indexed. CassetteError if it is corrupt."""
        cassette = cls(name, path, database, canon)
        await cassette.refresh()
        return cassette

    @property
    def exists(self) -> bool:
        return self.path.exists()

    @property
    def tapes(self) -> tuple[int, ...]:
        return self._tape.tapes

    async def refresh(self) -> bool:
        """Follow the file to its present content; whether there was anything to follow."""
        async with self._saving:
            return await self._follow_file()

    async def _follow_file(self) -> bool:
        seen = self._signature()
        if self.tapes and seen == self._seen and self._database.has_tape(self.tapes[0]):
            return False
        data = self.path.read_bytes() if seen else b""
        name = self._index_name(digest(data))
        tape = self._database.tape_named(name)
        if tape is None:
            interactions = await asyncio.to_thread(read, self.path) if data else []
            rows = await asyncio.to_thread(self._rows, interactions)
            tape = await self._database.index(name, self._source, rows)
        moved = (tape,) != self.tapes
        self._seen, self._digest, self._tape = seen, digest(data), Tape(self._database, (tape,))
        return moved

    def _signature(self) -> tuple[int, ...] | None:
        try:
            stat = self.path.stat()
        except OSError:
            return None
        return stat.st_mtime_ns, stat.st_size, stat.st_ino

    @property
    def _source(self) -> str:
        return f"{self.path.absolute()}|{self._canon.laws}"

    def _index_name(self, state: str) -> str:
        return f"{_INDEX_VERSION}|{TAG}|{state}|{self._source}"

    def _rows(self, interactions: Iterable[Interaction]) -> list[tuple[str, Stored]]:
        canonicals = ((self._canon.canonical(item.request), item) for item in interactions)
        return [
            (fingerprint(canonical, self._canon.rules_digest), Stored(item, canonical))
            for canonical, item in canonicals
        ]

    def find(self, key: str) -> Sequence[Stored]:
        return self._tape.find(key)

    def canonicals(self) -> Iterator[tuple[str, bytes]]:
        return self._tape.canonicals()

    async def put(self, key: str, stored: Stored, *, replace: bool) -> Interaction:
        """Write into the file, together with whatever else is waiting."""
        del key  # the index makes it anew, as it will for whoever reads the file
        done: asyncio.Future[Interaction] = asyncio.get_running_loop().create_future()
        new = New(stored.interaction, self._canon.base(stored.interaction.request), replace)
        self._waiting.append((new, done))
        async with self._saving:
            batch, self._waiting = self._waiting, []
            if batch:
                await self._save(batch)
        return await done

    async def _save(self, batch: Sequence[tuple[New, asyncio.Future[Interaction]]]) -> None:
        try:
            saved = await asyncio.to_thread(save, self.path, [new for new, _ in batch])
            await self._follow_save(saved)
        except (OSError, PromptdeckError) as error:
            for _, done in batch:
                if not done.done():
                    done.set_exception(StoreUnavailable(f"cannot save {self.path}: {error}"))
            return
        for (_, done), interaction in zip(batch, saved.interactions, strict=True):
            if not done.done():
                done.set_result(interaction)

    async def _follow_save(self, saved: Saved) -> None:
        if saved.before != self._digest:
            # Somebody else wrote in between: our index does not have theirs.
            await self._follow_file()
            return
        rows = await asyncio.to_thread(self._rows, saved.interactions)
        name = self._index_name(saved.after)
        await self._database.extend(self.tapes[0], name, saved.gone, rows)
        self._digest, self._seen = saved.after, self._signature()


class Shelf:
    """All cassettes below a folder, read as one store in the order of their names."""

    def __init__(self, folder: Path, database: Database, canon: Canon) -> None:
        self._folder = folder
        self._database = database
        self._canon = canon
        self._cassettes: dict[str, Cassette] = {}

    @property
    def exists(self) -> bool:
        return bool(self._cassettes)

    async def refresh(self) -> bool:
        """Follow the folder: files that came, went or changed."""
        before = self._tapes
        for name in names(self._folder):
            if name not in self._cassettes:
                path = path_of(self._folder, name)
                self._cassettes[name] = Cassette(name, path, self._database, self._canon)
        self._cassettes = {name: one for name, one in self._cassettes.items() if one.exists}
        for cassette in self._cassettes.values():
            await cassette.refresh()
        return self._tapes != before

    @property
    def _tapes(self) -> tuple[int, ...]:
        return tuple(tape for _, one in sorted(self._cassettes.items()) for tape in one.tapes)

    def find(self, key: str) -> Sequence[Stored]:
        return Tape(self._database, self._tapes).find(key)

    def canonicals(self) -> Iterator[tuple[str, bytes]]:
        return Tape(self._database, self._tapes).canonicals()

    async def put(self, key: str, stored: Stored, *, replace: bool) -> Interaction:
        raise NotImplementedError("a recording goes into one cassette, not into a folder of them")

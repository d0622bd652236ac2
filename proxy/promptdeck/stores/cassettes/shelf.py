"""The store of a folder of cassettes, one index behind the other."""

from collections.abc import Hashable, Iterator, Sequence
from pathlib import Path

from promptdeck.core.interaction import Interaction
from promptdeck.stores.base import Stored
from promptdeck.stores.sqlite.database import Database
from promptdeck.stores.sqlite.tape import Tape

from .file import names, path_of
from .store import Canon, Cassette


class Shelf:
    """All cassettes below a folder, read as one `Store` in the order of their names.

    What is found is as of the last `refresh`; before the first, nothing is.
    """

    def __init__(self, folder: Path, database: Database, canon: Canon) -> None:
        self._folder = folder
        self._database = database
        self._canon = canon
        self._cassettes: dict[str, Cassette] = {}
        self._tape = Tape(database, ())

    @property
    def exists(self) -> bool:
        """True if there was any cassette at the last `refresh`."""
        return bool(self._cassettes)

    async def refresh(self) -> bool:
        """Follow the folder: files that came, went or changed. False if there are none.

        CassetteError if a file is corrupt, StoreUnavailable if the database is.
        """
        present = names(self._folder)
        moved = self._cassettes.keys() != set(present)
        self._cassettes = {name: self._cassettes.get(name) or self._new(name) for name in present}
        for cassette in self._cassettes.values():
            moved |= await cassette.refresh()
        tapes = (tape for cassette in self._cassettes.values() for tape in cassette.tapes)
        self._tape = Tape(self._database, tuple(tapes))
        return moved

    def _new(self, name: str) -> Cassette:
        return Cassette(name, path_of(self._folder, name), self._database, self._canon)

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

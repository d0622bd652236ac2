"""Packed recordings in their tables: made from fresh ones, read, and let go.

A piece counts who names it, recordings and pieces, and goes with the last.
Whoever writes here is inside a transaction.
"""

import logging
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from .blobs import insert, joined, read
from .dictionaries import Dictionaries, Dictionary, Query, deflate, shipped
from .packing import (
    Pair,
    Slot,
    context_of,
    cuts,
    dictionary_of,
    digests,
    pack_piece,
    slots_of,
    unpack,
    unpack_piece,
)
from .rows import (
    INTO_PACKED,
    PIECE_BYTES,
    SELECT_SMALL,
    FreshRow,
    PackedRow,
    Row,
    packed_row,
    row_of_packed,
)
from .short import full_id

log = logging.getLogger("promptdeck")

_AT_ONCE = 64
_BYTES_AT_ONCE = 4 * 1024 * 1024
"""Recordings and bytes packed in one transaction, 25 ms of chats of 5 KB: others wait for its
end. Few would cost a commit each; one that is larger than this is packed by itself."""
_KEPT = 16 * 1024 * 1024
"""Bytes of pieces kept ready by a reader: the conversations that are being read, mostly."""
_PAIR = 150
"""Bytes that the two forms of an element take in memory beside their text."""

_LEARN_AT = 64
"""Recordings from which a first dictionary is learnt: a few would fill it, but say less of
those to come."""
_GROWN = 4
"""Another is learnt whenever there are so many times as many recordings as at the last one.

A dictionary weighs some KB and is never let go, as recordings need theirs: a million
recordings make 7."""
_SAMPLES = 64
"""The last recordings, of which a dictionary is made; it has room for about so many texts."""


# Packing


class Done(NamedTuple):
    """The outcome of `pack_oldest`."""

    last: int | None
    """The last recording looked at; None where there was none."""
    size: int
    """What these weighed as they were, in bytes."""


def pack_oldest(db: sqlite3.Connection, after: int) -> Done:
    """Pack the oldest of the cache's fresh recordings whose numbers are beyond `after`.

    At most `_AT_ONCE` of them. What cannot be packed stays as it is, and so does the index
    of a cassette: it is made from the file in less time than it takes to pack.
    """
    last = None
    size = 0
    dictionary = _dictionaries(db).newest()
    query = """
        SELECT n, bytes FROM recording
        WHERE tape IN (SELECT id FROM tape WHERE source = '') AND n > ? ORDER BY n LIMIT ?"""
    for n, weight in db.execute(query, (after, _AT_ONCE)).fetchall():
        if size and size + weight > _BYTES_AT_ONCE:
            break
        size, last = size + weight, int(n)
        try:
            _pack(db, n, dictionary)
        except (ValueError, TypeError) as error:
            log.debug("recording %d of the store stays unpacked: %s", n, error)
    if last is not None:
        _learn(db, last)
    return Done(last, size)


def _dictionaries(db: sqlite3.Connection) -> Dictionaries:
    """The dictionaries of the store, as the transaction of `db` sees them."""
    return Dictionaries(lambda query, *parameters: db.execute(query, parameters).fetchall())


def _learn(db: sqlite3.Connection, n: int) -> None:
    """Make a dictionary of the packed recordings up to `n`, if many have come since the last."""
    query = "SELECT coalesce(max(learnt), 0), coalesce(max(id), ?) FROM dictionary"
    [(before, number)] = db.execute(query, (shipped().number,)).fetchall()
    if n < max(_LEARN_AT, _GROWN * before):
        return
    query = "SELECT data FROM packed WHERE n <= ? ORDER BY n DESC LIMIT ?"
    rows = db.execute(query, (n, _SAMPLES)).fetchall()
    try:
        text = dictionary_of([data for (data,) in reversed(rows)], _dictionaries(db))
    except (ValueError, TypeError) as error:
        log.debug("the store learns nothing from a damaged recording: %s", error)
        return
    insert = "INSERT INTO dictionary (id, learnt, data) VALUES (?, ?, ?)"
    db.execute(insert, (number + 1, n, deflate([text], shipped())))


def _pack(db: sqlite3.Connection, n: int, dictionary: Dictionary) -> None:
    """Move a recording from `recording` to `packed`. ValueError or TypeError if it cannot be."""
    fresh = FreshRow._make(db.execute(f"{SELECT_SMALL} WHERE n = ?", (n,)).fetchone())
    texts: tuple[object, ...] = fresh.canonical, fresh.request_body
    if not all(isinstance(text, bytes) for text in texts):
        raise TypeError("it is not made of bytes")
    if db.execute("SELECT 1 FROM packed WHERE n = ?", (n,)).fetchone():
        raise ValueError("its number is taken")
    slots = slots_of(fresh.request_body, fresh.canonical)
    # What can fail comes before what is written.
    answer = read(db, "recording", "body", n) if fresh.body is None else (joined(fresh.body),)
    packed = packed_row(fresh, answer, slots, dictionary)
    ends, size = [], packed.bytes
    for slot in slots:
        end, added = _keep(db, packed.tape, slot, dictionary)
        ends.append(str(end))
        size += added
    tape, columns = packed.tape, [*packed._replace(pieces=" ".join(ends))]
    del packed  # which may be large
    insert(db, INTO_PACKED, columns)
    db.execute("DELETE FROM recording WHERE n = ?", (n,))
    db.execute("UPDATE tape SET bytes = bytes + ? WHERE id = ?", (size, tape))


def _keep(db: sqlite3.Connection, tape: int, slot: Slot, dictionary: Dictionary) -> tuple[int, int]:
    """Keep a slot's elements as pieces, as far as they are new to the tape.

    Returns the id of the last piece, which stands for all, and the bytes that were added.
    """
    elements = slot.elements
    names = digests(elements)
    parent, known = _known(db, tape, names)
    size = 0
    start = known
    for end in cuts(elements, known) if known < len(elements) else ():
        data = pack_piece(elements[start:end], context_of(elements[:start]), dictionary)
        # The use is by the next piece, or by the recording.
        insert = "INSERT INTO piece (tape, digest, parent, uses, data) VALUES (?, ?, ?, 1, ?)"
        cursor = db.execute(insert, (tape, names[end - 1], parent, data))
        if start == known and parent is not None:
            _use(db, parent)
        parent, start = cursor.lastrowid, end
        size += len(data) + PIECE_BYTES
    if parent is None:
        raise ValueError("a slot without elements")
    if known == len(elements):
        _use(db, parent)
    return parent, size


def _known(db: sqlite3.Connection, tape: int, names: Sequence[bytes]) -> tuple[int | None, int]:
    """The piece of a tape that covers the most elements of a slot, and how many it covers.

    `names` are the `digests` of the slot. None and 0 where the tape has no piece of it.
    """
    for count in range(len(names), 0, -1):
        query = (
            "SELECT id FROM piece WHERE tape = ?1"
            " AND substr(digest, 1, 6) = substr(?2, 1, 6) AND digest = ?2"
        )
        found = db.execute(query, (tape, names[count - 1])).fetchone()
        if found:
            return int(found[0]), count
    return None, 0


def _use(db: sqlite3.Connection, piece: int) -> None:
    """Count one more recording or piece that names this one."""
    db.execute("UPDATE piece SET uses = uses + 1 WHERE id = ?", (piece,))


# Letting go


class Leaving(NamedTuple):
    """The columns of `packed` that must be known of a recording to let it go."""

    n: int
    bytes: int
    pieces: str


LEAVING = ", ".join(Leaving._fields)
"""These columns in a SELECT."""


def drop(db: sqlite3.Connection, tape: int, rows: Iterable[Leaving]) -> int:
    """Delete packed recordings of a tape, and the pieces that nothing else uses.

    Returns how many bytes lighter the tape is.
    """
    freed = 0
    for row in rows:
        db.execute("DELETE FROM packed WHERE n = ?", (row.n,))
        freed += row.bytes + sum(_release(db, int(piece)) for piece in row.pieces.split())
    db.execute("UPDATE tape SET bytes = bytes - ? WHERE id = ?", (freed, tape))
    return freed


def _release(db: sqlite3.Connection, piece: int | None) -> int:
    """Count one user less of a piece; one without users goes, and releases its parent.

    Returns how many bytes went.
    """
    freed = 0
    while piece is not None:
        query = "SELECT uses, parent, length(data) FROM piece WHERE id = ?"
        found = db.execute(query, (piece,)).fetchone()
        if found is None:  # lost by damage
            break
        uses, parent, size = found
        if uses > 1:
            db.execute("UPDATE piece SET uses = uses - 1 WHERE id = ?", (piece,))
            break
        db.execute("DELETE FROM piece WHERE id = ?", (piece,))
        freed += size + PIECE_BYTES
        piece = parent
    return freed


def limit(db: sqlite3.Connection, name: str, most: int) -> bool:
    """Bring what is packed of the tape `name` to at most `most` bytes, least recently used first.

    Returns whether anything had to go.
    """
    evicted = False
    query = "SELECT id, bytes FROM tape WHERE name = ? AND bytes > ?"
    for tape, size in db.execute(query, (name, most)).fetchall():
        while size > most:
            oldest = f"SELECT {LEAVING} FROM packed WHERE tape = ? ORDER BY used_at, n LIMIT 1"
            victim = db.execute(oldest, (tape,)).fetchone()
            if victim is None:
                break
            size -= drop(db, tape, [Leaving._make(victim)])
            evicted = True
    return evicted


_SPARE = 4
"""Free pages, of 8 KB, that a file keeps for the next fresh recordings."""
_STEP = 256
"""Pages given back at once, 2 MB: writes wait for the end of it."""


def shrink(db: sqlite3.Connection) -> bool:
    """Give some free pages of the file back to the disk; whether there are more to give.

    To be called outside a transaction. A few pages stay free.
    """
    [(free,)] = db.execute("PRAGMA freelist_count")
    if free <= _SPARE:
        return False
    # Made by an older version, a file keeps what it has.
    db.execute(f"PRAGMA incremental_vacuum({min(_STEP, free - _SPARE)})").fetchall()
    [(left,)] = db.execute("PRAGMA freelist_count")
    return bool(_SPARE < left < free)


# Reading


class _Link(NamedTuple):
    """A row of `piece` as far as reading goes: the columns of a SELECT."""

    id: int
    parent: int | None
    data: bytes


class Pieces:
    """Reads packed recordings, with the pieces read before at hand.

    Good for one state of the database: numbers of pieces are used again.
    """

    def __init__(self, query: Query) -> None:
        self._query = query
        self._dictionaries = Dictionaries(query)
        self._known: dict[int, list[Pair]] = {}
        self._bytes = 0

    def row(self, columns: Sequence[Any]) -> Row:
        """A recording from its columns in `packed`, as `SELECT_PACKED` has them.

        ValueError or TypeError if it, or a piece of it, is damaged or lost.
        """
        row = PackedRow._make(columns)
        return row_of_packed(row, self._slots(row.pieces), self._dictionaries)

    def _slots(self, pieces: str) -> list[list[Pair]]:
        """The elements of each slot, by the column `pieces`."""
        return [self._elements(int(piece)) for piece in pieces.split()]

    def canonical(self, n: int) -> tuple[str, bytes] | None:
        """Id and canonical form of recording `n`; None if it is not there any more."""
        query = "SELECT id, key, base_key, data, pieces FROM packed WHERE n = ?"
        for *name, data, pieces in self._query(query, n):
            return full_id(*name), unpack(data, self._slots(pieces), self._dictionaries).canonical
        fresh = self._query("SELECT id, canonical FROM recording WHERE n = ?", n)
        return fresh[0] if fresh else None

    def _elements(self, piece: int) -> list[Pair]:
        """All elements up to the last of a piece."""
        chain = self._chain(piece)
        first = chain[-1].parent if chain else piece
        elements = self._known[first] if first is not None else []
        for link in reversed(chain):
            new = unpack_piece(link.data, context_of(elements), self._dictionaries)
            elements = [*elements, *new]
            self._bytes += sum(len(ours) + len(theirs) + _PAIR for ours, theirs in new)
            self._known[link.id] = elements
        if self._bytes > _KEPT:
            self._known.clear()
            self._bytes = 0
        return elements

    def _chain(self, piece: int | None) -> list[_Link]:
        """A piece and those before it, the last first, back to one that is known."""
        found: list[_Link] = []
        query = f"SELECT {', '.join(_Link._fields)} FROM piece WHERE id = ?"
        while piece is not None and piece not in self._known:
            links = [_Link._make(columns) for columns in self._query(query, piece)]
            # A parent is older: without this, damage might lead in circles.
            if not links or (found and links[0].id >= found[-1].id):
                raise ValueError("a piece of it is lost")
            found += links
            piece = links[0].parent
        return found


def numbers_of(query: Query, tape: int) -> list[int]:
    """The numbers (`n`) of a tape's recordings, packed or fresh, oldest first."""
    numbers = (
        "SELECT n FROM packed WHERE tape = ? UNION ALL SELECT n FROM recording WHERE tape = ?"
        " ORDER BY n"
    )
    return [n for (n,) in query(numbers, tape, tape)]


def names_of(query: Query, tapes: Sequence[int]) -> list[str]:
    """The ids of recordings, packed or fresh, tape by tape, in each oldest first."""
    # All at once: fresh rows have no index by tape, and a folder may have thousands of tapes.
    of = f"tape IN ({', '.join(map(str, tapes))})"
    names = (
        f"SELECT tape, n, id, key, base_key FROM packed WHERE {of} UNION ALL"
        f" SELECT tape, n, id, key, base_key FROM recording WHERE {of} ORDER BY n"
    )
    by_tape: dict[int, list[str]] = {tape: [] for tape in tapes}
    for tape, _, *name in query(names):
        by_tape[tape].append(full_id(*name))
    return [name for tape in tapes for name in by_tape[tape]]

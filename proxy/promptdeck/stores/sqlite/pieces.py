"""Packed recordings in their tables: made from fresh ones, read, and let go.

A piece counts who names it, recordings and pieces, and goes with the last.
Whoever writes here is inside a transaction.
"""

import logging
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

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
from .schema import INSERT_PACKED, PIECE_BYTES, SELECT, Row, full_id, packed_row, packed_values

log = logging.getLogger("promptdeck")

_AT_ONCE = 64
_BYTES_AT_ONCE = 4 * 1024 * 1024
"""Rows and bytes packed in one transaction: others wait for its end."""
_KEPT = 16 * 1024 * 1024
"""Bytes of pieces kept ready by a reader."""
_PAIR = 150
"""What the two forms of an element take in memory beside their text."""

_LEARN_AT = 64
"""Recordings from which a first dictionary is learnt, and another at each time `_GROWN` as many."""
_GROWN = 4
_SAMPLES = 64


# Packing


class Done(NamedTuple):
    """What was packed at once."""

    last: int | None
    """The last recording looked at; None where there was none."""
    size: int
    """What these weighed as they were, in bytes."""


def pack_oldest(db: sqlite3.Connection, after: int) -> Done:
    """Pack some of the cache's fresh recordings beyond `after`.

    What cannot be packed stays as it is, and so does the index of a cassette: it is
    made from the file in less time than it takes to pack.
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
    return Dictionaries(lambda query, *parameters: db.execute(query, parameters).fetchall())


def _learn(db: sqlite3.Connection, n: int) -> None:
    """Make a dictionary of the last recordings, if there are enough since the one before."""
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
    db.execute(insert, (number + 1, n, deflate(text, shipped())))


def _pack(db: sqlite3.Connection, n: int, dictionary: Dictionary) -> None:
    row = db.execute(f"{SELECT} WHERE n = ?", (n,)).fetchone()
    tape, canonical, body = row[1], row[12], row[14]
    if not (isinstance(canonical, bytes) and isinstance(body, bytes)):
        raise TypeError("it is not made of bytes")
    if db.execute("SELECT 1 FROM packed WHERE n = ?", (n,)).fetchone():
        raise ValueError("its number is taken")
    slots = slots_of(body, canonical)
    # What can fail comes before what is written.
    values = packed_values(row, slots, dictionary)
    ends, size = [], 0
    for slot in slots:
        end, added = _keep(db, tape, slot, dictionary)
        ends.append(str(end))
        size += added
    db.execute(INSERT_PACKED, (*values[:10], " ".join(ends), values[10]))
    db.execute("DELETE FROM recording WHERE n = ?", (n,))
    db.execute("UPDATE tape SET bytes = bytes + ? WHERE id = ?", (size + values[9], tape))


def _keep(db: sqlite3.Connection, tape: int, slot: Slot, dictionary: Dictionary) -> tuple[int, int]:
    """Its elements as pieces, as far as they are new: the last piece, and what was added."""
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
    """The piece that ends farthest in, and how many elements it covers."""
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
    db.execute("UPDATE piece SET uses = uses + 1 WHERE id = ?", (piece,))


# Letting go


def drop(db: sqlite3.Connection, tape: int, rows: Iterable[tuple[int, int, str]]) -> int:
    """Delete packed recordings, given by number, bytes and pieces, and what only they used.

    Returns how much lighter the tape is.
    """
    freed = 0
    for n, weight, pieces in rows:
        db.execute("DELETE FROM packed WHERE n = ?", (n,))
        freed += weight + sum(_release(db, int(piece)) for piece in pieces.split())
    db.execute("UPDATE tape SET bytes = bytes - ? WHERE id = ?", (freed, tape))
    return freed


def _release(db: sqlite3.Connection, piece: int | None) -> int:
    freed = 0
    while piece is not None:
        query = "SELECT uses, parent, length(data) FROM piece WHERE id = ?"
        found = db.execute(query, (piece,)).fetchone()
        if found is None or found[0] > 1:
            db.execute("UPDATE piece SET uses = uses - 1 WHERE id = ?", (piece,))
            break
        db.execute("DELETE FROM piece WHERE id = ?", (piece,))
        freed += found[2] + PIECE_BYTES
        piece = found[1]
    return freed


def limit(db: sqlite3.Connection, name: str, most: int) -> bool:
    """Bring what is packed of a tape to at most so many bytes: least recently used goes first.

    Returns whether anything had to go.
    """
    evicted = False
    query = "SELECT id, bytes FROM tape WHERE name = ? AND bytes > ?"
    for tape, size in db.execute(query, (name, most)).fetchall():
        while size > most:
            oldest = (
                "SELECT n, bytes, pieces FROM packed WHERE tape = ? ORDER BY used_at, n LIMIT 1"
            )
            victims = db.execute(oldest, (tape,)).fetchall()
            if not victims:
                break
            size -= drop(db, tape, victims)
            evicted = True
    return evicted


_SPARE = 4
"""Free pages that a file keeps for the next fresh recordings."""
_STEP = 256
"""Pages given back at once, 4 MB."""


def shrink(db: sqlite3.Connection) -> bool:
    """Give free pages back but for a few; whether there are more.

    Outside a transaction.
    """
    [(free,)] = db.execute("PRAGMA freelist_count")
    if free <= _SPARE:
        return False
    # Made by an older version, a file keeps what it has.
    db.execute(f"PRAGMA incremental_vacuum({min(_STEP, free - _SPARE)})").fetchall()
    [(left,)] = db.execute("PRAGMA freelist_count")
    return bool(_SPARE < left < free)


# Reading


class Pieces:
    """Reads packed recordings, with the pieces read before at hand.

    Good for one state of the database: numbers of pieces are used again.
    """

    def __init__(self, query: Query) -> None:
        self._query = query
        self._dictionaries = Dictionaries(query)
        self._known: dict[int, list[Pair]] = {}
        self._bytes = 0

    def row(self, values: tuple[Any, ...]) -> Row:
        """A row of `packed`. ValueError if it, or a piece of it, is damaged or lost."""
        return packed_row(values, self._slots(values[10]), self._dictionaries)

    def _slots(self, pieces: str) -> list[list[Pair]]:
        return [self._elements(int(piece)) for piece in pieces.split()]

    def canonical(self, n: int) -> tuple[str, bytes] | None:
        """Id and canonical form of a recording, if it is still there."""
        query = "SELECT id, key, base_key, data, pieces FROM packed WHERE n = ?"
        for *name, data, pieces in self._query(query, n):
            return full_id(*name), unpack(data, self._slots(pieces), self._dictionaries).canonical
        fresh = self._query("SELECT id, canonical FROM recording WHERE n = ?", n)
        return fresh[0] if fresh else None

    def _elements(self, piece: int) -> list[Pair]:
        chain = self._chain(piece)
        first = chain[-1][1] if chain else piece
        elements = self._known[first] if first is not None else []
        for number, _, data in reversed(chain):
            new = unpack_piece(data, context_of(elements), self._dictionaries)
            elements = [*elements, *new]
            self._bytes += sum(len(ours) + len(theirs) + _PAIR for ours, theirs in new)
            self._known[number] = elements
        if self._bytes > _KEPT:
            self._known.clear()
            self._bytes = 0
        return elements

    def _chain(self, piece: int | None) -> list[tuple[int, int | None, bytes]]:
        """A piece and those before it, up to one that is known."""
        found: list[tuple[int, int | None, bytes]] = []
        query = "SELECT id, parent, data FROM piece WHERE id = ?"
        while piece is not None and piece not in self._known:
            rows = self._query(query, piece)
            # A parent is older: without this, damage might lead in circles.
            if not rows or (found and rows[0][0] >= found[-1][0]):
                raise ValueError("a piece of it is lost")
            found.append(rows[0])
            piece = rows[0][1]
        return found


def numbers_of(query: Query, tape: int) -> list[int]:
    """The recordings of a tape, packed or fresh, oldest first."""
    numbers = (
        "SELECT n FROM packed WHERE tape = ? UNION ALL SELECT n FROM recording WHERE tape = ?"
        " ORDER BY n"
    )
    return [n for (n,) in query(numbers, tape, tape)]


def names_of(query: Query, tape: int) -> list[str]:
    """Their ids, in the same order."""
    names = (
        "SELECT n, id, key, base_key FROM packed WHERE tape = ?1 UNION ALL"
        " SELECT n, id, key, base_key FROM recording WHERE tape = ?1 ORDER BY n"
    )
    return [full_id(*name) for _, *name in query(names, tape)]

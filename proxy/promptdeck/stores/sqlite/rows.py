"""How a recording is a row: fresh in `recording`, as it came, and small in `packed`.

`FreshRow` and `PackedRow` are the columns of these two tables. Their fields are declared
once: the SQL that reads and writes a whole row is made from them.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import orjson
import xxhash

from promptdeck.core.interaction import (
    Frame,
    Headers,
    Interaction,
    Request,
    Response,
    Variant,
    measures,
)
from promptdeck.core.text.octets import as_json, from_json
from promptdeck.core.varying import UNTOLD
from promptdeck.stores.base import Stored

from .blobs import Into, LongBlob, blob_of, joined, size_of, without
from .dictionaries import Dictionaries, Dictionary
from .packing import Pair, Slot, pack, unpack
from .short import full_id, id_of, key_of, name_of

Blob = bytes
"""In rows, which have a column named `bytes`."""


class FreshRow(NamedTuple):
    """A row of `recording`; `migrations` says what each column holds."""

    n: int
    """0 in a row to be inserted: `INSERT` numbers it."""
    tape: int
    key: str
    id: str
    base_key: str
    variant: str
    recorded_at: float
    expires_at: float | None
    used_at: float
    bytes: int
    upstream: str
    redacted: int
    canonical: Blob
    request: str
    request_body: Blob
    status: int
    headers: str
    frames: str
    body: Blob | LongBlob
    digest: Blob | None = None
    """As `_digest` makes it; None in rows of earlier versions."""


class PackedRow(NamedTuple):
    """A row of `packed`; `migrations` says what each column holds."""

    n: int
    tape: int
    key: Blob | str
    """As `key_of` gives it."""
    id: Blob | str
    """As `id_of` gives it."""
    base_key: Blob | str | None
    """As `key_of` gives it; None where it equals `key`."""
    variant: str
    recorded_at: float
    expires_at: float | None
    used_at: float
    bytes: int
    pieces: str
    """Ids of the last piece of each slot, separated by spaces."""
    data: Blob | LongBlob
    """Everything else, by `packing.pack`."""
    digest: Blob | None
    """Of the row in `recording` that it was made of."""


_NEXT = (
    "(SELECT 1 + max(coalesce((SELECT max(n) FROM recording), 0),"
    " coalesce((SELECT max(n) FROM packed), 0)))"
)
_GIVEN = ", ".join(f"?{place}" for place in range(2, len(FreshRow._fields) + 1))
INSERT = f"INSERT INTO recording ({', '.join(FreshRow._fields)}) VALUES ({_NEXT}, {_GIVEN})"
INTO_RECORDING = Into("recording", FreshRow._fields, INSERT)
"""Takes a `FreshRow`, whose `n` it leaves out: the row gets the next number of both tables."""
SELECT = f"SELECT {', '.join(FreshRow._fields)} FROM recording"
SELECT_SMALL = SELECT.replace(" body,", f" {without('body')},")
"""As `SELECT`, but for large answers: NULL stands for them."""
_NUMBERED = ", ".join(f"?{place}" for place in range(1, len(PackedRow._fields) + 1))
INTO_PACKED = Into(
    "packed",
    PackedRow._fields,
    f"INSERT INTO packed ({', '.join(PackedRow._fields)}) VALUES ({_NUMBERED})",
    staged=True,
)
SELECT_PACKED = f"SELECT {', '.join(PackedRow._fields)} FROM packed"
OF_KEY = "substr(key, 1, 6) = substr(?1, 1, 6) AND key = ?1"
"""Finds packed recordings by key: an index of its beginning takes half the room."""

IS_THERE = (
    f"SELECT EXISTS (SELECT 1 FROM packed WHERE {OF_KEY})"
    " OR EXISTS (SELECT 1 FROM recording WHERE key = ?2)"
)
"""Whether there is any recording under a key, as `packed` and as `recording` have it."""

ROW_BYTES = 130
"""What a packed recording takes beside its blob: the rest of its row, its entries in indexes."""
PIECE_BYTES = 70
"""What a piece takes beside its blob, counted alike."""

FRESH_ROW_BYTES = 500
"""What a fresh recording is taken to weigh beside its texts: it is packed before long."""
_OBJECTS, _FRAME = 1000, 130
"""Bytes that a recording takes in memory beside its texts, and each of its frames."""


class Row(NamedTuple):
    """A recording as it was found, of either table."""

    n: int
    tape: int
    stored: Stored
    weight: int
    """Bytes of memory."""


# Fresh


def fresh_row(tape: int, key: str, stored: Stored, now: float) -> FreshRow:
    """A recording as a row to be inserted into `tape` under `key`, last used `now`.

    ValueError where its request or headers hold text that stands for no bytes.
    """
    interaction = stored.interaction
    request, response = interaction.request, interaction.response
    body = blob_of(data for _, data in response.frames)
    frames = measures(response.frames).decode()
    texts = len(stored.canonical) + len(request.body) + size_of(body) + len(frames)
    row = FreshRow(
        n=0,
        tape=tape,
        key=key,
        id=interaction.id,
        base_key=interaction.key,
        variant=str(interaction.variant),
        recorded_at=interaction.recorded_at,
        expires_at=stored.expires_at,
        used_at=now,
        bytes=texts + FRESH_ROW_BYTES,
        upstream=interaction.upstream,
        redacted=interaction.redacted,
        canonical=stored.canonical,
        request=_written(
            # Few have headers that count: the others stay as they were in 0.1.0.
            (request.method, request.target, request.content_type)
            + ((request.selecting,) if request.selecting else ())
        ),
        request_body=request.body,
        status=response.status,
        headers=_written(response.headers),
        frames=frames,
        body=body,
    )
    return row._replace(digest=_digest(row))


def _digest(row: FreshRow) -> bytes:
    """A digest of a recording and of the fingerprint that it goes under, in 8 bytes.

    SQLite checks none of its pages: a flipped bit would be another answer. TypeError where a
    column has another type than was written.
    """
    texts = (
        row.key, row.id, row.base_key, row.variant, repr(row.recorded_at), repr(row.expires_at),
        row.upstream, row.request, row.headers, row.frames,
    )  # fmt: skip
    numbers = b"%d %d" % (row.status, row.redacted)
    found = xxhash.xxh3_64()
    blobs = (row.canonical, row.request_body)
    for part in (*(text.encode("utf-8", "surrogatepass") for text in texts), numbers, *blobs):
        found.update(b"%d:" % len(part))
        found.update(part)
    body = row.body
    found.update(b"%d:" % size_of(body))
    for part in body if isinstance(body, LongBlob) else (body,):
        found.update(part)
    return found.digest()


def _check(row: FreshRow) -> None:
    """ValueError or TypeError if a row is not what was written."""
    if row.digest is not None and row.digest != _digest(row):
        raise ValueError("a recording in it is damaged")


def _written(texts: tuple[Any, ...]) -> str:
    """Texts of a head, or pairs of them, as JSON; those that are no UTF-8 as `octets` has them."""
    try:
        return orjson.dumps(texts).decode()
    except TypeError:  # a few have such bytes: only these are looked at one by one
        return orjson.dumps([_holdable(text) for text in texts]).decode()


def _holdable(text: Any) -> Any:
    """A text, or each text in a tuple of any depth, as a JSON value that holds it."""
    return as_json(text) if isinstance(text, str) else [_holdable(part) for part in text]


def _read(text: Any) -> str:
    """The text of which `_holdable` made this. ValueError for what it never makes."""
    if isinstance(text, str):
        return text
    found = from_json(text)
    if found is None:
        raise ValueError("a text of a head is neither text nor bytes")
    return found


def row_of(columns: Sequence[Any]) -> Row:
    """A recording from its columns in `recording`, as `SELECT` has them.

    ValueError or TypeError if it is damaged.
    """
    row = FreshRow._make(columns)
    _check(row)
    loads = orjson.loads
    meta = (
        row.upstream, row.redacted, loads(row.request), row.status,
        loads(row.headers), loads(row.frames),
    )  # fmt: skip
    interaction = _interaction(
        row.id,
        row.base_key,
        row.variant,
        row.recorded_at,
        meta,
        row.request_body,
        joined(row.body),
        told=row.digest is not None,
    )
    return _row(row.n, row.tape, Stored(interaction, row.canonical, row.expires_at))


def _interaction(
    name: str,
    key: str,
    variant: str,
    recorded_at: float,
    meta: Sequence[Any],
    body: bytes,
    answer: bytes,
    *,
    told: bool,
) -> Interaction:
    """`meta`: upstream, redacted, request but for its body, status, headers, frames' lengths.

    `told` is False for a row of before the headers that select were kept.
    """
    upstream, redacted, request, status, headers, frames = meta
    upstream, method, target, content_type = _alike(upstream, *map(_read, request[:3]))
    chosen: Headers = () if told else UNTOLD
    if request[3:]:
        chosen = tuple((_read(key), _read(value)) for key, value in request[3])
    named = _alike(*[(_read(key), _read(value)) for key, value in headers])
    return Interaction(
        id=name,
        key=key,
        variant=Variant(variant),
        recorded_at=recorded_at,
        upstream=upstream,
        request=Request(method, target, content_type, body, chosen),
        response=Response(status, named, tuple(_cut(answer, frames))),
        redacted=redacted,
    )


# Enough for the upstreams and sets of headers of one project: others only take more memory.
@lru_cache(maxsize=256)
def _alike(*values: Any) -> tuple[Any, ...]:
    """One set of objects for equal values: nearly all recordings have these in common."""
    return values


def _row(n: int, tape: int, stored: Stored) -> Row:
    """A row with what it weighs, estimated: to ask each object would take longer than to read."""
    request, response = stored.interaction.request, stored.interaction.response
    texts = len(stored.canonical) + len(request.body) + sum([len(f.data) for f in response.frames])
    return Row(n, tape, stored, _OBJECTS + _FRAME * len(response.frames) + texts)


def _cut(body: bytes, frames: list[list[int]]) -> Iterator[Frame]:
    """The frames that `body` is made of, by the milliseconds and length of each."""
    start = 0
    for ms, length in frames:
        yield Frame(ms, body[start : start + length])
        start += length


# Packed


def packed_row(
    row: FreshRow, answer: Iterable[bytes], slots: Sequence[Slot], dictionary: Dictionary
) -> PackedRow:
    """The row in `packed` of a row in `recording` and its body, with no pieces yet.

    `slots` are the long values of its request, which are kept as pieces.
    """
    meta = (
        row.upstream, row.redacted, orjson.Fragment(row.request), row.status,
        orjson.Fragment(row.headers), orjson.Fragment(row.frames),
    )  # fmt: skip
    data = blob_of(pack(meta, row.request_body, row.canonical, answer, slots, dictionary))
    key, base = key_of(row.key), key_of(row.base_key)
    return PackedRow(
        n=row.n,
        tape=row.tape,
        key=key,
        id=id_of(row.id, row.base_key),
        base_key=None if base == key else base,
        variant=row.variant,
        recorded_at=row.recorded_at,
        expires_at=row.expires_at,
        # SQLite writes whole seconds in half the room; what was recorded in one lies in order.
        used_at=math.floor(row.used_at),
        bytes=size_of(data) + ROW_BYTES,
        pieces="",
        data=data,
        digest=row.digest,
    )


def row_of_packed(
    row: PackedRow, slots: Sequence[Sequence[Pair]], dictionaries: Dictionaries
) -> Row:
    """A recording from its row in `packed`; `slots` are the elements of each of its `pieces`.

    ValueError or TypeError if it is damaged.
    """
    meta, body, canonical, answer = unpack(joined(row.data), slots, dictionaries)
    key = name_of(row.key if row.base_key is None else row.base_key)
    name = full_id(row.id, row.key, row.base_key)
    if row.digest is not None:
        upstream, redacted, request, status, headers, frames = meta
        _check(
            FreshRow(
                n=row.n,
                tape=row.tape,
                key=name_of(row.key),
                id=name,
                base_key=key,
                variant=row.variant,
                recorded_at=row.recorded_at,
                expires_at=row.expires_at,
                used_at=row.used_at,
                bytes=row.bytes,
                upstream=upstream,
                redacted=redacted,
                canonical=canonical,
                request=orjson.dumps(request).decode(),
                request_body=body,
                status=status,
                headers=orjson.dumps(headers).decode(),
                frames=orjson.dumps(frames).decode(),
                body=answer,
                digest=row.digest,
            )
        )
    told = row.digest is not None
    interaction = _interaction(
        name, key, row.variant, row.recorded_at, meta, body, answer, told=told
    )
    return _row(row.n, row.tape, Stored(interaction, canonical, row.expires_at))

"""Recordings of other tools: read from their files, and our own written as HAR.

    read(path)     what a file holds, one `Imported` or `NotCarried` for each entry
    carry(...)     an `Imported` as the recorder would have kept it, or why it can't be
    in_file_order  when the entries of a file were recorded, such that replay keeps their order

    entry                   what a reader makes of an entry, and what all of them need for it
    vcr, har, nock, aimock, reel   one reader for each format, which knows nothing of ours
    pair                    one entry of vcr's, in the words of any of its relatives
    tags                    YAML with their tags, of which no object is made
    lost                    what a file says no more, and what is left says of that
    carry                   from an entry to a recording
    export_har              the way back, to HAR only

Nothing is guessed and nothing is dropped in silence: an entry that does not say
what was asked and answered becomes a `NotCarried` with its place and the reason.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import orjson

from promptdeck.core.codings import BrokenCoding, Codings, UnpackedTooLarge
from promptdeck.core.dialects.base import value_of
from promptdeck.errors import CassetteError
from promptdeck.stores.cassettes.file import contents, decoded

from . import aimock, har, nock, reel, vcr
from .carry import Moment as Moment
from .carry import carry as carry
from .carry import in_file_order as in_file_order
from .carry import moment_of as moment_of
from .entry import Imported as Imported
from .entry import NotCarried as NotCarried
from .entry import Unreadable

Reading = Iterator[Imported | NotCarried]

FORMATS: Mapping[str, Callable[[str], Reading]] = {
    "vcr": vcr.read,
    "har": har.read,
    "nock": nock.read,
    "aimock": aimock.read,
    "reel": reel.read,
}
SUFFIXES = (".yaml", ".yml", ".json", ".har", ".jsonl", ".yaml.gz", ".yml.gz", ".json.gz")
"""How the names of the files end that these tools write."""
_MOST = 512 * 1024 * 1024
"""Bytes that one packed file may unfold to: what is larger was made to fill the memory, since
text, parsed, takes several times its size of it."""
_GZIP = b"\x1f\x8b"


def read(path: Path, form: str = "auto") -> Reading:
    """Every entry of a file, in order, read as `form`, or as the file itself looks.

    CassetteError for a file that cannot be read, perhaps only after some of its entries.
    """
    text = decoded(_unpacked(contents(path), path), path).removeprefix("\ufeff")
    try:
        yield from FORMATS[form if form != "auto" else _form_of(text)](text)
    except Unreadable as error:
        raise CassetteError(f"{path}: {error}") from None


def _unpacked(data: bytes, path: Path) -> bytes:
    """A file's bytes without their gzip, in which langchain's tests and others pack cassettes.

    CassetteError for what is broken, cut off or too large.
    """
    if not data.startswith(_GZIP):
        return data
    try:
        return Codings(("gzip",)).unpacked(data, _MOST)
    except BrokenCoding:
        raise CassetteError(f"{path}: its compression is broken or cut off") from None
    except UnpackedTooLarge:
        raise CassetteError(f"{path}: it unfolds to more than {_MOST >> 20} MiB") from None


def _form_of(text: str) -> str:
    """The key in `FORMATS` for a file, by what it says: suffixes are no guide. Unreadable."""
    if not text.lstrip().startswith(("{", "[")):
        return "vcr"
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        first = value_of(text.lstrip().partition("\n")[0].encode("utf-8", "replace"))
        if isinstance(first, dict):
            return "vcr" if vcr.is_pair(first) and "provider" not in first else "reel"
        raise Unreadable(f"broken JSON: {error}") from None
    if aimock.is_journal(value):
        return "aimock"
    if nock.is_definitions(value):
        return "nock"
    for key, form in _SIGNS.items():
        if key in value:
            return form
    if vcr.key_of_pairs(value) is not None:
        return "vcr"
    raise Unreadable(f"none of the formats that can be imported: {', '.join(FORMATS)}")


# A key at the top of a JSON file, and the format that has it.
_SIGNS = {
    "log": "har",
    **dict.fromkeys([*vcr.LISTS, "requests"], "vcr"),
    "fixtures": "aimock",
    "_meta": "reel",
    "schema_version": "reel",
    "request": "vcr",
}

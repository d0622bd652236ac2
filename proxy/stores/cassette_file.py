"""A cassette's file: where it lies, how it is read, and how recordings are put into it.

`save` takes the folder's lock, reads the file as it is now, puts the new
interactions where their ids sort, and replaces the file in one step. The text
of all other interactions, with whatever people wrote around it, stays as it was.
"""

import contextlib
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace as changed
from pathlib import Path
from typing import NamedTuple

import xxhash

from proxy.core.fingerprint import order, recording_id
from proxy.core.interaction import Interaction
from proxy.core.names import validate_cassette_name
from proxy.errors import CassetteError

SUFFIX = ".yaml"
_START = re.compile(r"^\n?- ", re.MULTILINE)
_FIELD = re.compile(r"^(?:- |  )(id|key|variant): (\S+)$", re.MULTILINE)


class New(NamedTuple):
    """A recording on its way into a file."""

    interaction: Interaction
    base: bytes
    """Its canonical form without user rules, which its id is made of."""
    replace: bool
    """Whether older recordings of the same request and variant leave the file."""


class Saved(NamedTuple):
    """What a save did."""

    before: str
    """Digest of the file as it was found."""
    after: str
    gone: list[str]
    """Ids that left."""
    interactions: list[Interaction]
    """The new ones, with their ids, in the order given."""


class _Item(NamedTuple):
    """One interaction's text, from the blank line before it, and what its first lines say."""

    id: str
    key: str
    variant: str
    text: str


def path_of(folder: Path, name: str) -> Path:
    """The file of cassette `name`; ValueError for a name that is none."""
    return folder / (validate_cassette_name(name) + SUFFIX)


def names(folder: Path) -> list[str]:
    """All cassettes below a folder."""
    found = (path.relative_to(folder).as_posix() for path in folder.rglob(f"*{SUFFIX}"))
    return sorted(name.removesuffix(SUFFIX) for name in found if not _hidden(name))


def _hidden(name: str) -> bool:
    return any(part.startswith(".") for part in name.split("/"))


def read(path: Path) -> list[Interaction]:
    """Every interaction of a file. CassetteError names file and line."""
    # PyYAML is needed only where a file is new or changed.
    from .cassette_yaml import load

    return load(decoded(path.read_bytes(), path), str(path))


def decoded(data: bytes, path: Path) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise CassetteError(f"{path}:{line}: not a cassette: not UTF-8 text") from None


def digest(data: bytes) -> str:
    return xxhash.xxh3_128_hexdigest(data)


def save(path: Path, news: Sequence[New]) -> Saved:
    """Put recordings into a cassette file. OSError or CassetteError leave it as it was."""
    from .cassette_yaml import HEADER, dump

    path.parent.mkdir(parents=True, exist_ok=True)
    with _locked(path.parent):
        data = path.read_bytes() if path.exists() else b""
        header, items = _split(decoded(data, path), path) if data else (HEADER, [])
        gone: list[str] = []
        named: list[Interaction] = []
        for new in news:
            if new.replace:
                gone += _take_out(items, new.interaction, {item.id for item in named})
            interaction = changed(new.interaction, id=_next_id(new, items))
            _insert(items, _item("\n" + dump(interaction)))
            named.append(interaction)
        text = (header + "".join(item.text for item in items)).encode()
        _replace(path, text)
    return Saved(digest(data), digest(text), gone, named)


def _split(text: str, path: Path) -> tuple[str, list[_Item]]:
    """Cut a file into header and items without reading YAML; another layout is laid anew."""
    text = text if text.endswith("\n") else text + "\n"
    starts = [match.start() for match in _START.finditer(text)]
    header = text[: starts[0]] if starts else text
    items = [_item(text[a:b]) for a, b in zip(starts, [*starts[1:], len(text)], strict=True)]
    if header.rstrip().endswith("\ninteractions:") and all(item.id for item in items):
        return header, items
    from .cassette_yaml import HEADER, dump, load

    return HEADER, [_item("\n" + dump(found)) for found in load(text, str(path))]


def _item(text: str) -> _Item:
    fields = dict(reversed(_FIELD.findall(text)))
    return _Item(fields.get("id", ""), fields.get("key", ""), fields.get("variant", ""), text)


def _take_out(items: list[_Item], new: Interaction, but: set[str]) -> list[str]:
    """Remove older recordings of the same request and variant; returns their ids."""
    gone = [
        item
        for item in items
        if (item.key, item.variant) == (new.key, new.variant) and item.id not in but
    ]
    for item in gone:
        items.remove(item)
    return [item.id for item in gone]


def _next_id(new: New, items: Sequence[_Item]) -> str:
    stem = recording_id(new.base, new.interaction.key, 0).removesuffix("0")
    taken = [item.id.removeprefix(stem) for item in items if item.id.startswith(stem)]
    return f"{stem}{1 + max((int(n) for n in taken if n.isdecimal()), default=0)}"


def _insert(items: list[_Item], new: _Item) -> None:
    later = (n for n, item in enumerate(items) if order(item.id) > order(new.id))
    items.insert(next(later, len(items)), new)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock against other processes; where there is no flock, hold nothing."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _replace(path: Path, data: bytes) -> None:
    """The new content or the old, never a part: written beside, synced, renamed."""
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask()
        Path(temporary).chmod(mode)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask

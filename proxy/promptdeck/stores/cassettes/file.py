"""A cassette's file: where it lies, how it is read, and how recordings are put into it.

`save` takes the folder's lock, reads the file as it is now, puts the new
interactions where their ids sort, and replaces the file in one step. The text
of all other interactions, with whatever people wrote around it, stays as it was.
"""

import contextlib
import os
import re
import shutil
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate, pairwise
from pathlib import Path
from typing import NamedTuple, TypeVar

import xxhash

from promptdeck.core.interaction import Interaction, Variant
from promptdeck.core.matching.fingerprint import order, recording_id
from promptdeck.core.names import validate_cassette_name
from promptdeck.errors import CassetteError

SUFFIX = ".yaml"
_COMMENTS = r"(?:(?:#[^\n]*)?\n)*"
# Text: only who writes needs it compiled.
_HEADER = (
    rf"\ufeff?{_COMMENTS}promptdeck: 1 *\n{_COMMENTS}interactions: *\n(?={_COMMENTS}(?:- |\Z))"
)
# What stands at a line's start: an interaction or, without the dash, something foreign.
_START = re.compile(r"\n(?:(- )|[^\s#])")
_FIELD = re.compile(r"\n(?:- |  )(id|key|variant): [\"']?([^\s\"']+)[\"']? *(?=\n)")

One = TypeVar("One")
Progress = Callable[[float], None]
"""Called with the share that is done, 0 to 1."""

_BLOCK = 128 * 1024


def silently(share: float) -> None:
    """The step of work that nobody watches."""
    del share


Signature = tuple[int, ...]
"""Changes whenever a file does."""


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
    signature: Signature
    """Of the file as it was written."""


class Item(NamedTuple):
    """One interaction's text with the comments above it, and what its first lines say."""

    id: str
    key: str
    variant: str
    text: str


def path_of(folder: Path, name: str) -> Path:
    """The file of cassette `name`; ValueError for a name that is none."""
    return folder / (validate_cassette_name(name) + SUFFIX)


def names(folder: Path) -> list[str]:
    """All cassettes below a folder."""
    files = (path.relative_to(folder) for path in folder.rglob(f"*{SUFFIX}") if path.is_file())
    return sorted(filter(_is_name, (file.as_posix().removesuffix(SUFFIX) for file in files)))


def _is_name(name: str) -> bool:
    try:
        return bool(validate_cassette_name(name))
    except ValueError:
        return False


def read(path: Path) -> list[Interaction]:
    """Every interaction of a file. CassetteError names file and line."""
    return parsed(contents(path), path)


def contents(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: OSError) -> CassetteError:
    return CassetteError(f"{path}: cannot be read: {error.strerror or error}")


def parsed(data: bytes, path: Path) -> list[Interaction]:
    # PyYAML is needed only where a file is new or changed.
    from .yaml import load

    return load(decoded(data, path), str(path))


def decoded(data: bytes, path: Path) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise CassetteError(f"{path}:{line}: not a cassette: not UTF-8 text") from None


def digest(data: bytes) -> str:
    return xxhash.xxh3_128_hexdigest(data)


def digest_of(path: Path) -> str:
    """`digest` of a file's contents, which need not be in memory for it. CassetteError."""
    found = xxhash.xxh3_128()
    try:
        with path.open("rb", buffering=0) as file:
            while data := file.read(_BLOCK):
                found.update(data)
    except OSError as error:
        raise _unreadable(path, error) from None
    return found.hexdigest()


def signature(path: Path) -> Signature | None:
    """None if there is no such file."""
    try:
        return _signature(path.stat())
    except OSError:
        return None


def _signature(stat: os.stat_result) -> Signature:
    return stat.st_mtime_ns, stat.st_size, stat.st_ino


def save(path: Path, news: Sequence[New], step: Progress = silently) -> Saved:
    """Put recordings into a cassette file. OSError or CassetteError leave it as it was."""
    from .yaml import HEADER

    path = Path(os.path.realpath(path))  # a link stays one
    path.parent.mkdir(parents=True, exist_ok=True)
    with locked(path.parent):
        data = path.read_bytes() if path.exists() else b""
        header, items = split(decoded(data, path), path) if data else (HEADER, [])
        items, gone = _without_replaced(items, news)
        named = _put(items, news, step)
        text = (header + "".join(item.text for item in items)).encode()
        written = overwrite(path, text)
    return Saved(digest(data), digest(text), gone, named, written)


def _without_replaced(items: Sequence[Item], news: Sequence[New]) -> tuple[list[Item], list[str]]:
    """What stays, and the ids of older recordings of the same requests and variants."""
    replaced = {(new.interaction.key, new.interaction.variant) for new in news if new.replace}
    gone = [item.id for item in items if (item.key, item.variant) in replaced]
    return [item for item in items if (item.key, item.variant) not in replaced], gone


def _put(items: list[Item], news: Sequence[New], step: Progress) -> list[Interaction]:
    """Each with the next id of its stem, before the first item that sorts after it."""
    from .yaml import dump

    numbers = Numbers(item.id for item in items)
    # The greatest so far: it rises even where somebody has moved items about.
    greatest = list(accumulate((order(item.id) for item in items), max))
    named: list[Interaction] = []
    for count, new in enumerate(news, 1):
        stem = recording_id(new.base, new.interaction.key, 0).removesuffix("0")
        one = new.interaction._replace(id=numbers.next(stem))
        place = bisect_right(greatest, order(one.id))
        greatest.insert(place, order(one.id))
        items.insert(place, Item(one.id, one.key, one.variant, "\n" + dump(one)))
        named.append(one)
        step(count / len(news))
    return named


def split(text: str, path: Path) -> tuple[str, list[Item]]:
    """Cut a file into header and items without reading YAML; another layout is laid anew."""
    if "\r" in text:
        text = text.replace("\r\n", "\n")
    text = text if text.endswith("\n") else text + "\n"
    if header := re.match(_HEADER, text):
        starts = list(_START.finditer(text, header.end() - 1))
        cuts = [*(with_comments(text, match.start() + 1) for match in starts), len(text)]
        items = [_item(text[a:b]) for a, b in pairwise(cuts)]
        if all(match[1] for match in starts) and all(map(all, items)):
            return text[: cuts[0]], items
    from .yaml import HEADER, dump, load

    return HEADER, [_item("\n" + dump(found)) for found in load(text, str(path))]


def with_comments(text: str, start: int) -> int:
    """Where the comments and blank lines above the line at `start` begin."""
    while start > 0:
        above = text.rfind("\n", 0, start - 1) + 1
        if text[above] not in "\n#":
            break
        start = above
    return start


def _item(text: str) -> Item:
    # The fields stand at the top unless somebody moved them.
    head = "\n" + text.partition("\n  request:")[0] + "\n"
    fields = dict(_FIELD.findall(head))
    if len(fields) < len(Item._fields) - 1:
        fields = dict(reversed(_FIELD.findall("\n" + text)))
    return Item(fields.get("id", ""), fields.get("key", ""), fields.get("variant", ""), text)


class Numbers:
    """The last number given under each stem of an id."""

    def __init__(self, ids: Iterable[str]) -> None:
        self._last: dict[str, int] = defaultdict(int)
        self._taken: set[str] = set()
        for name in ids:
            self.take(name)

    def take(self, name: str) -> bool:
        """Whether this id was free."""
        stem, number = cut_number(name)
        self._last[stem] = max(self._last[stem], number)
        free = name not in self._taken
        self._taken.add(name)
        return free

    def next(self, stem: str) -> str:
        self._last[stem] += 1
        name = f"{stem}{self._last[stem]}"
        self._taken.add(name)
        return name


def cut_number(name: str) -> tuple[str, int]:
    """`x-3` as `x-` and 3; what has no number begins a sequence of its own."""
    match = _NUMBERED.fullmatch(name)
    return (match[1], int(match[2])) if match else (name + "-", 0)


_NUMBERED = re.compile(r"(.*-)([0-9]{1,18})", re.DOTALL)


def in_recorded_order(found: Iterable[One], of: Callable[[One], Interaction]) -> list[One]:
    """The interactions of a file (each `of` one of `found`) in the order in which replay plays.

    That is by time, where the file sorts by conversation; those of one request and variant
    stay as the file has them, whatever their times.
    """
    # By variant too: a recording that goes must not move those that other requests play.
    latest: dict[tuple[str, Variant], float] = {}

    def moment(one: One) -> float:
        item = of(one)
        place = item.key, item.variant
        latest[place] = max(item.recorded_at, latest.get(place, item.recorded_at))
        return latest[place]

    return sorted(found, key=moment)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock against other processes; where there is no flock, hold nothing."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        # Some network file systems have no locks for folders.
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def overwrite(path: Path, data: bytes) -> Signature:
    """The new content or the old, never a part: written beside, synced, renamed."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            written = os.fstat(file.fileno())
        if path.exists():
            shutil.copymode(path, temporary)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return _signature(written)

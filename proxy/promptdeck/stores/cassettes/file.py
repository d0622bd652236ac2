"""A cassette's file: where it lies, how it is read, locked and replaced."""

import contextlib
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, TypeVar

import xxhash

from promptdeck.core.interaction import Interaction, Variant
from promptdeck.core.names import validate_cassette_name
from promptdeck.errors import CassetteError

SUFFIX = ".yaml"
One = TypeVar("One")
"""Whatever has an interaction: itself, or a piece of a file."""

_BLOCK = 128 * 1024
"""Bytes read at once for a digest: what the system reads ahead by default on Linux."""


Signature = tuple[int, ...]
"""Time, size and inode of a file: other numbers whenever it was replaced."""
CHANGED, SIZE = 0, 1
"""The places in it of the time (nanoseconds since the epoch) and of the size."""


def path_of(folder: Path, name: str) -> Path:
    """The file of cassette `name`; ValueError for a name that is none."""
    return folder / (validate_cassette_name(name) + SUFFIX)


def refuse_outside(folder: Path, path: Path) -> None:
    """ValueError for a cassette's file that a link leads out of the folder: any client names it."""
    if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder)):
        raise ValueError(f"a link leads from {path} out of {folder}")


def names(folder: Path) -> list[str]:
    """The names of all cassettes below a folder, sorted. Files with no name for one are none."""
    return list(signatures(folder))


def signatures(folder: Path, folders: dict[str, int] | None = None) -> dict[str, Signature]:
    """The names of all cassettes below a folder, sorted, each with its file's signature.

    1,500 of them take 15 ms, as each needs a stat(2): to be called off the loop. Into `folders`
    goes each folder that was read, with its `changed_at`.
    """
    walk = _walk(str(folder), "", {} if folders is None else folders)
    found = {name: mark for name, mark in walk if _is_name(name)}
    return dict(sorted(found.items()))


def changed_at(folder: str) -> int:
    """When a folder last gained or lost a file, in nanoseconds since the epoch; 0 for no folder."""
    try:
        return os.stat(folder).st_mtime_ns  # noqa: PTH116  of text, in half the time
    except OSError:
        return 0


def _walk(folder: str, above: str, folders: dict[str, int]) -> Iterator[tuple[str, Signature]]:
    """The files below a folder that end as cassettes do, named by their path without that end.

    `above` is what the names begin with. Folders that are links are passed over, as they may
    lead around in circles, and what cannot be read is.
    """
    folders[folder] = changed_at(folder)
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(entry.path, f"{above}{entry.name}/", folders)
            elif entry.name.endswith(SUFFIX):
                with contextlib.suppress(OSError):  # a link to nothing, or gone by now
                    if entry.is_file():
                        name = above + entry.name.removesuffix(SUFFIX)
                        yield name, _signature_of(entry.stat())


def _is_name(name: str) -> bool:
    try:
        return bool(validate_cassette_name(name))
    except ValueError:
        return False


def read(path: Path) -> list[Interaction]:
    """Every interaction of a file, in its order. CassetteError names file and line."""
    return parsed(contents(path), path)


def read_as_is(path: Path) -> list[Interaction]:
    """`read` for who only looks: recordings that somebody altered, too. CassetteError."""
    from .load import entries

    return [entry.interaction for entry in entries(decoded(contents(path), path), str(path))]


def contents(path: Path) -> bytes:
    """All bytes of a file. CassetteError if it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: OSError) -> CassetteError:
    return CassetteError(f"{path}: cannot be read: {error.strerror or error}")


def parsed(data: bytes, path: Path) -> list[Interaction]:
    """Every interaction of a file's contents. CassetteError names `path` and line."""
    # PyYAML, 30 ms, is needed only where a file is new or changed.
    from .load import load

    return load(decoded(data, path), str(path))


def decoded(data: bytes, path: Path) -> str:
    """A file's contents as text. CassetteError names `path` and the line that is not UTF-8."""
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise CassetteError(f"{path}:{line}: not a cassette: not UTF-8 text") from None


def digest(data: bytes) -> str:
    """A name for a file's contents. Not secret, and not against who forges: files are one's own."""
    return xxhash.xxh3_128_hexdigest(data)


def digest_of(path: Path) -> str:
    """`digest` of a file's contents, read in blocks. CassetteError if it cannot be read."""
    found = xxhash.xxh3_128()
    try:
        with path.open("rb", buffering=0) as file:
            while data := file.read(_BLOCK):
                found.update(data)
    except OSError as error:
        raise _unreadable(path, error) from None
    return found.hexdigest()


def signature(path: Path) -> Signature | None:
    """The signature of a file as it is now; None if there is no such file."""
    try:
        return _signature_of(path.stat())
    except OSError:
        return None


_TICK = 50_000_000
"""Nanoseconds within which two changes may bear the same time: the kernel's clock ticks every
1 to 10 ms, that of a file system may be coarser."""


def is_settled(changed: int) -> bool:
    """True if what bears this time (nanoseconds since the epoch) and is changed bears another then.

    What was changed just now may be changed again within the same tick of the clock.
    """
    # A time to come is of another machine's clock, and as good as any.
    return not 0 <= time.time_ns() - changed < _TICK


def _signature_of(stat: os.stat_result) -> Signature:
    # `touch -r`, `rsync -t` and some editors give the old time back: that of the change stays.
    return stat.st_mtime_ns, stat.st_size, stat.st_ino, stat.st_ctime_ns


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
    """Hold a folder's lock against other processes until the block ends. OSError.

    The file itself is no use for that, as it is replaced. Where the system has no flock(2),
    nothing is held.
    """
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


_PRIVATE = 0o600


def in_git(path: Path) -> bool:
    """True for a file in a working tree of git, where it is to be shared.

    Elsewhere a new cassette, which holds whole prompts, is its user's alone, as the store is.
    """
    return any((folder / ".git").exists() for folder in path.absolute().parents)


def _is_being_written(temporary: Path) -> bool:
    """True unless a file has the name that `overwrite` gives, and its process has ended."""
    number = temporary.suffix.removeprefix(".")
    if not (number.isascii() and number.isdecimal()) or sys.platform == "win32":
        return True  # where signal 0 would end a process
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return int(number) != os.getpid()  # of an earlier process of this number, if of any


class Rewritten(NamedTuple):
    """A file as it was written."""

    signature: Signature
    digest: str


def overwrite(path: Path, data: bytes) -> Signature:
    """`rewrite` with all in one piece; the file's signature. OSError."""
    return rewrite(path, [data]).signature


def rewrite(path: Path, pieces: Iterable[bytes]) -> Rewritten:
    """Replace a file's content by pieces, whole or not at all. OSError, or whatever they raise.

    Rewritten beside it, synced and renamed; permissions stay. What a process that was killed at
    this has left in the folder is cleared, so that git does not find it.
    """
    found = xxhash.xxh3_128()
    for leftover in path.parent.glob(f".*{SUFFIX}.*"):
        if not _is_being_written(leftover):
            leftover.unlink(missing_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            if not (path.exists() or in_git(path)):
                temporary.chmod(_PRIVATE)
            for data in pieces:
                file.write(data)
                found.update(data)
            file.flush()
            os.fsync(file.fileno())
            written = os.fstat(file.fileno())
        if path.exists():
            shutil.copymode(path, temporary)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    # To rename it was a change, too. If somebody has replaced it since, what is there is not ours.
    now = path.stat()
    ours = (now.st_ino, now.st_mtime_ns) == (written.st_ino, written.st_mtime_ns)
    return Rewritten(_signature_of(now if ours else written), found.hexdigest())

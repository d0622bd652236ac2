"""The state of an SQLite file, which any commit changes: the header of its log's index.

In WAL mode each commit, by whatever process, ends with a new header at the start
of the `-shm` file: a counter, the log's length, salts and checksums. SQLite itself
compares these 48 bytes to learn whether its cached pages are still good
(https://sqlite.org/walformat.html#the_wal_index_header). Mapped into memory they cost
a hundredth of `PRAGMA data_version`, which is used where there is no such file.
"""

import mmap
import os
import sqlite3
import struct
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

State = Callable[[], bytes]
"""Gives bytes that are the same for as long as nothing is committed to a file."""

# The layout is of sqlite.org/walformat.html, section 2.1, in the machine's order of bytes.
_SIZE = 48
"""Bytes of the header; a copy of it follows."""
_HEADER = slice(0, _SIZE)
_CHANGES = slice(8, 12)
"""Where the header counts transactions."""
_VERSION = 3007000
"""What it begins with, in every version of SQLite so far."""
_LOOKS = 100
"""How often to look for two copies that agree: a commit writes them within a microsecond."""


class _Mapping:
    """The `-shm` file of one database, for all who read its state in this process."""

    def __init__(self) -> None:
        self.users = 0
        self.files: dict[tuple[int, int], tuple[int, mmap.mmap]] = {}
        """By device and inode; SQLite makes a new one when the last connection has closed."""


_mappings: dict[str, _Mapping] = {}
_lock = threading.Lock()


class Watch:
    """The state of one database file. Make it before connecting, `close` it after the last close.

    POSIX drops a process's locks on a file, SQLite's own too, as soon as any
    descriptor of it is closed. So the mappings of a process are shared, and are
    closed when nobody here has the database open.
    """

    def __init__(self, path: Path) -> None:
        self._name = os.path.realpath(path)
        self._known: mmap.mmap | None = None
        with _lock:
            _mappings.setdefault(self._name, _Mapping()).users += 1

    def state(self, connection: sqlite3.Connection) -> State:
        """A way to tell the state, the cheapest there is.

        `connection` must only read: to SQLite's `data_version` its own commits are no change.
        """
        header = self._known = self._header()
        if header is None:
            return partial(_data_version, connection)
        # No frame of Python's own: this is asked for each request.
        read: State = partial(header.__getitem__, _HEADER)  # type: ignore[assignment]  # of a slice
        return read

    def mark(self) -> bytes:
        """The state as any thread can tell it, with no connection.

        Empty where it cannot be told, or while somebody commits.
        """
        both = self._known[: 2 * _SIZE] if self._known else b""
        return both[:_SIZE] if both[:_SIZE] == both[_SIZE:] else b""

    def _header(self) -> mmap.mmap | None:
        """The `-shm` file's beginning; None where there is none or it looks like no header."""
        if os.name != "posix":
            return None
        try:
            with _lock:
                header = self._mapped(_mappings[self._name].files)
        except (OSError, ValueError):
            return None
        return header if any(_is_known(header) for _ in range(_LOOKS)) else None

    def _mapped(self, files: dict[tuple[int, int], tuple[int, mmap.mmap]]) -> mmap.mmap:
        """The `-shm` file that is there now, from `files` or added to them. OSError."""
        name = self._name + "-shm"
        found = Path(name).stat()
        place = found.st_dev, found.st_ino
        if place not in files:
            # One page: the header and its copy are its first 96 bytes.
            descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC)
            files[place] = descriptor, mmap.mmap(descriptor, 4096, access=mmap.ACCESS_READ)
        return files[place][1]

    def close(self) -> None:
        """Let go of the file.

        To be called after the connections that were opened under this watch are closed.
        """
        with _lock:
            mapping = _mappings[self._name]
            mapping.users -= 1
            if not mapping.users:
                del _mappings[self._name]
                for descriptor, header in mapping.files.values():
                    header.close()
                    os.close(descriptor)


def is_next(before: bytes, after: bytes) -> bool:
    """True if exactly one transaction was committed between two marks."""
    if not before or not after:
        return False
    first, second = (int.from_bytes(mark[_CHANGES], sys.byteorder) for mark in (before, after))
    return second == (first + 1) % 2**32


def _is_known(header: mmap.mmap) -> bool:
    """True if these are the two copies that SQLite writes; they differ while somebody commits."""
    first, second = header[_HEADER], header[_SIZE : 2 * _SIZE]
    return struct.unpack_from("=I", first) == (_VERSION,) and first == second


def _data_version(connection: sqlite3.Connection) -> bytes:
    """SQLite's number that changes when another connection has committed."""
    [version] = connection.execute("PRAGMA data_version").fetchone()
    return b"%d" % version

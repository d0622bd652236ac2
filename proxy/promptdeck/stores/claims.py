"""Which requests are being asked upstream, told between the processes that share a store.

A claim is a lock on one byte of a file, at a place that the request's name
gives (fcntl(2), record locks): the system drops it with the process that held it.
"""

import contextlib
import errno
import os
import sys
from pathlib import Path

import xxhash

if sys.platform != "win32":
    import fcntl

_PLACES = 2**62
_TAKEN = (errno.EACCES, errno.EAGAIN)


class FileClaims:
    """`take` a request's name before asking upstream, `drop` it when the answer is recorded."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def close(self) -> None:
        os.close(self._file)

    def take(self, name: str) -> bool:
        """Whether no other process has it; it is this one's now, and may have been before."""
        if sys.platform == "win32":  # which has no record locks: each process asks for itself
            return True
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _place(name))
        except OSError as error:
            # Where there are no such locks, each process asks for itself: none would ever be free.
            return error.errno not in _TAKEN
        return True

    def drop(self, name: str) -> None:
        if sys.platform == "win32":
            return
        with contextlib.suppress(OSError):  # of a system without locks, as above
            fcntl.lockf(self._file, fcntl.LOCK_UN, 1, _place(name))


def _place(name: str) -> int:
    return xxhash.xxh3_64_intdigest(name.encode()) % _PLACES

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
"""Bytes of the file, all of them beyond its end: half of what a signed 64-bit offset can say.

Two of a thousand requests under way share a byte with a chance of 1e-13, and then one waits
for the other."""
_TAKEN = (errno.EACCES, errno.EAGAIN)
"""Either, as POSIX leaves it to the system: fcntl(2), F_SETLK."""


class FileClaims:
    """`Claims` by locks on a file. `take` before asking upstream, `drop` when it is recorded."""

    def __init__(self, path: Path) -> None:
        """Open the file, or make it for this user alone. OSError if that cannot be."""
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def close(self) -> None:
        """Close the file, and with it drop all claims of this process."""
        os.close(self._file)

    def take(self, name: str) -> bool:
        """Claim a request by its name; False if another process has claimed it.

        True as well where the system has no such locks.
        """
        if sys.platform == "win32":  # which has no record locks: each process asks for itself
            return True
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _place(name))
        except OSError as error:
            # Any other error means that there are no such locks, as on some network file
            # systems: read as "taken", it would keep each request waiting for ever.
            return error.errno not in _TAKEN
        return True

    def drop(self, name: str) -> None:
        """Let others claim the request; nothing happens where this process has not."""
        if sys.platform == "win32":
            return
        with contextlib.suppress(OSError):  # of a system without locks, as above
            fcntl.lockf(self._file, fcntl.LOCK_UN, 1, _place(name))


def _place(name: str) -> int:
    """The byte of the file that stands for a request's name."""
    return xxhash.xxh3_64_intdigest(name.encode()) % _PLACES

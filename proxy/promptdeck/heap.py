"""Freed memory given back to the system, which glibc keeps: for itself, and in pieces.

Where a C library has no such calls nothing happens.
"""

import contextlib
from functools import cache
from typing import Any

LARGE = 1024 * 1024
"""Bytes from which a block of memory is mapped by itself, and unmapped when it is freed.

glibc begins with 128 KB, but raises that to the largest block that was ever freed, up to 32 MB:
after one large answer the next ones lie in its heap, and between them what keeps it from
shrinking. Blocks of less are taken and freed too often to be mapped each time."""
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Names of parameters in glibc's malloc.h."""
_KEPT = 8 * LARGE
"""Bytes that glibc keeps at the heap's end: less would have it ask for them again and again."""


def give_back() -> None:
    """Let the system have all memory that is free: of a large file glibc keeps six times its size.

    It takes milliseconds.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):
        _library().malloc_trim(0)


@cache
def keep_large_apart() -> None:
    """Have each block of `LARGE` bytes or more given back when it is freed, from now on."""
    with contextlib.suppress(OSError, AttributeError, TypeError):
        _library().mallopt(_MMAP_THRESHOLD, LARGE)
        _library().mallopt(_TRIM_THRESHOLD, _KEPT)


def _library() -> Any:
    import ctypes  # 2 ms, for which no start is to wait

    return ctypes.CDLL(None)

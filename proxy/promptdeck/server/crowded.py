"""A process that has no handles left for new connections: told once a minute, not each time.

asyncio tries as often as there may be connections waiting, and tells each failure with a
traceback: 400 clients under `ulimit -n 256` were 10 MB of log in 5 s. Connections that are
open are served meanwhile, and those that wait are taken when one of them closes.
"""

import asyncio
import contextlib
import errno
import logging
from collections.abc import Iterator
from typing import Any

log = logging.getLogger("promptdeck")

_USED_UP = frozenset([errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM])
"""What accept(2) fails with where a process or the system has no more to give."""
_EVERY = 60.0
"""Seconds between two lines: enough to see that it goes on."""


class _Crowd:
    """A loop's exception handler; whatever else goes wrong goes to the one before it."""

    def __init__(self, before: Any) -> None:
        self._before = before
        self._told = -_EVERY
        self.has_told = False

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        # asyncio tries again a second later, also where the listener has been closed meanwhile.
        if self.has_told and isinstance(error, ValueError) and "descriptor" in str(error):
            return
        if not isinstance(error, OSError) or error.errno not in _USED_UP:
            (self._before or type(loop).default_exception_handler)(loop, context)
        elif loop.time() - self._told >= _EVERY:
            self._told, self.has_told = loop.time(), True
            log.warning(
                "no connection can be accepted: %s; more wait than this process may have open"
                " files (ulimit -n)",
                error.strerror or error,
            )


@contextlib.contextmanager
def crowd_told(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Within the block, have a loop tell once a minute that no connection can be accepted."""
    before = loop.get_exception_handler()
    crowd = _Crowd(before)
    loop.set_exception_handler(crowd)
    try:
        yield
    finally:
        # What it has told of may still be tried again behind the end of the block.
        if not crowd.has_told:
            loop.set_exception_handler(before)

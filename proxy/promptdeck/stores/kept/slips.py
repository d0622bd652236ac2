"""Deferred completions between the request and its collection, through restarts.

A slip is pending while its owner, a process, works at it; then it holds the
answer until that is collected, once, within a day. A slip whose owner is gone
is lost, and says so.
"""

import os
import time
from typing import NamedTuple

from . import Tables

_LIFETIME = 24 * 60 * 60
"""Seconds that an answer waits for its collection, as the API's document promises."""


class Slip(NamedTuple):
    """A deferred completion as it is found by who comes for it."""

    pending: bool
    """Its owner still works at it."""
    lost: bool
    """Its owner ended without an answer: nobody works at it any more."""
    status: int
    """Of the answer; 0 while it is pending and where it is lost."""
    body: bytes


class Slips:
    """The deferred completions of all processes that share a store. StoreUnavailable."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def open(self, name: str) -> None:
        """Add a slip under a new name, pending, of this process; slips a day old go."""
        now = time.time()
        await self._tables.execute("DELETE FROM slip WHERE created_at < ?", now - _LIFETIME)
        await self._tables.execute(
            "INSERT INTO slip (id, created_at, owner) VALUES (?, ?, ?)", name, now, os.getpid()
        )

    async def fill(self, name: str, status: int, body: bytes) -> None:
        """Put the answer to a slip, which is pending no longer."""
        await self._tables.execute(
            "UPDATE slip SET status = ?, body = ? WHERE id = ?", status, body, name
        )

    async def collect(self, name: str) -> Slip | None:
        """The slip, which is gone then unless it is pending; None if there is none."""
        rows = self._tables.query(
            "SELECT owner, status, body FROM slip WHERE id = ? AND created_at >= ?",
            name,
            time.time() - _LIFETIME,
        )
        if not rows:
            return None
        [(owner, status, body)] = rows
        pending = status is None and _alive(owner)
        if not pending:
            await self._tables.execute("DELETE FROM slip WHERE id = ?", name)
        return Slip(pending, status is None and not pending, status or 0, body or b"")


def _alive(process: int) -> bool:
    """True if there is a process of this number, which may be another one by now."""
    try:
        os.kill(process, 0)  # signal 0 is not sent, only tried
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's, and there
        return True
    return True

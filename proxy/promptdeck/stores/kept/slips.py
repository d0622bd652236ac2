"""Deferred completions between the request and its collection, through restarts.

A slip is pending while its owner, a process, works at it; then it holds the
answer until that is collected, once, within a day. A slip whose owner is gone
is lost, and says so.
"""

import os
import time
from typing import NamedTuple

from promptdeck.stores.sqlite.database import Database

_LIFETIME = 24 * 60 * 60


class Slip(NamedTuple):
    pending: bool
    lost: bool
    status: int
    body: bytes


class Slips:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def open(self, name: str) -> None:
        """A new slip, pending, of this process. What is a day old goes."""
        now = time.time()
        await self._database.execute("DELETE FROM slip WHERE created_at < ?", now - _LIFETIME)
        await self._database.execute(
            "INSERT INTO slip (id, created_at, owner) VALUES (?, ?, ?)", name, now, os.getpid()
        )

    async def fill(self, name: str, status: int, body: bytes) -> None:
        await self._database.execute(
            "UPDATE slip SET status = ?, body = ? WHERE id = ?", status, body, name
        )

    async def collect(self, name: str) -> Slip | None:
        """The slip, which is gone then unless it is pending; None if there is none."""
        rows = self._database.query(
            "SELECT owner, status, body FROM slip WHERE id = ? AND created_at >= ?",
            name,
            time.time() - _LIFETIME,
        )
        if not rows:
            return None
        owner, status, body = rows[0]
        pending = status is None and _alive(owner)
        if not pending:
            await self._database.execute("DELETE FROM slip WHERE id = ?", name)
        return Slip(pending, status is None and not pending, status or 0, body or b"")


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True

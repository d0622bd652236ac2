"""What is kept for clients beside recordings: completions stored and deferred, turns handed over.

Both are rows of tables that the store's file has. They are read and written in SQL through
`Tables`, whoever keeps them.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Any, Protocol


class Tables(Protocol):
    """SQL on the tables `completion`, `slip` and `handed`. Each call may raise StoreUnavailable."""

    def query(self, query: str, *parameters: object) -> Sequence[Sequence[Any]]:
        """All rows of a query that has few, at once, on the caller's thread."""

    def scan(self, query: str, *parameters: object) -> AsyncIterator[Sequence[Any]]:
        """The rows of a query that may have many, read off the loop, few at a time in memory."""

    async def execute(self, statement: str, *parameters: object) -> None:
        """Run one statement in the next transaction; return when that is committed."""

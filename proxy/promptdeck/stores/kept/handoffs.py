"""Turns whose calls were left to clients, for an hour: what the model said, what our calls gave.

A client that comes back sends its own results alone, and maybe not even the model's message. Each
call has a row of its own, by which its turn is found; the turn itself stands once.
"""

import asyncio
import time
from collections.abc import Mapping
from typing import NamedTuple

import orjson

from promptdeck.core.agent.history import Issued
from promptdeck.core.agent.running import HandedOver
from promptdeck.core.dialects.pieces import as_list, as_object
from promptdeck.core.secrets.redact import Redactor
from promptdeck.core.text.jsontext import JSONObject

from . import Tables

_LIFETIME = 60 * 60
"""Seconds that a turn waits for its client."""
_MOST = 500
"""Calls of a history that are looked up: more than one has, and than a statement takes."""


class KnownTurns(NamedTuple):
    """The turns with some calls, as they were kept."""

    turns: Mapping[str, JSONObject]
    results: Mapping[str, str]

    def turn_of(self, call: str) -> JSONObject | None:
        """The model's message that has a call of this id."""
        return self.turns.get(call)

    def result_of(self, call: str) -> str | None:
        """What a call of ours gave."""
        return self.results.get(call)


class Handoffs:
    """The turns that were left to clients of all processes that share a store. StoreUnavailable."""

    def __init__(self, tables: Tables, redactor: Redactor) -> None:
        self._tables = tables
        self._redactor = redactor

    def issued(self, calls: frozenset[str], correlation: str) -> Issued:
        """What is known of the turns with these calls, and of a handoff's."""
        asked = sorted(calls)[:_MOST]
        which = f"call IN ({','.join('?' * len(asked))}) OR handoff = ?"
        rows = self._tables.query(
            f"SELECT body FROM handed WHERE created_at >= ? AND ({which})",  # noqa: S608  marks
            time.time() - _LIFETIME,
            *asked,
            correlation or None,
        )
        turns: dict[str, JSONObject] = {}
        results: dict[str, str] = {}
        for (body,) in rows:
            value = as_object(orjson.loads(body))
            message = as_object(value.get("message"))
            turns |= dict.fromkeys(_ids(message), message)
            results |= as_object(value.get("results"))
        return KnownTurns(turns, results)

    async def keep(self, left: HandedOver) -> None:
        """Keep one more turn; those of an hour ago go. Secrets are taken out."""
        body = orjson.dumps({"message": left.message, "results": dict(left.results)})
        work = asyncio.to_thread(self._redactor.body, body) if self._redactor.waits else None
        clean, _ = await work if work else self._redactor.body(body)
        now = time.time()
        await self._tables.execute("DELETE FROM handed WHERE created_at < ?", now - _LIFETIME)
        for call in _ids(left.message):
            await self._tables.execute(
                "INSERT OR REPLACE INTO handed (call, handoff, created_at, body)"
                " VALUES (?, ?, ?, ?)",
                call,
                left.id or None,
                now,
                clean,
            )


class NothingKept:
    """In passthrough, which keeps nothing: clients send all that they go on from."""

    def issued(self, calls: frozenset[str], correlation: str) -> Issued:
        """Nothing is known."""
        del calls, correlation
        return KnownTurns({}, {})

    async def keep(self, left: HandedOver) -> None:
        """Keep nothing."""


def _ids(message: JSONObject) -> list[str]:
    """The ids of the calls in a message."""
    return [str(as_object(one).get("id")) for one in as_list(message.get("tool_calls"))]

"""Completions that a client asked to have stored: listed, read, updated and deleted again.

OpenAI keeps these at its side (`store: true`); promptdeck keeps its own, so that
a program that reads them back works in replay too. The bodies are as OpenAI
documents them for `GET /v1/chat/completions` and the paths below it.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple
from uuid import uuid4

import orjson

from promptdeck.core.secrets.redact import Redactor
from promptdeck.errors import StoreUnavailable
from promptdeck.stores.sqlite.database import Database


class Page(NamedTuple):
    """One page of a list, in OpenAI's terms."""

    after: str = ""
    """The id of the last item of the page before."""
    limit: int = 20
    newest_first: bool = False


class Completions:
    def __init__(
        self, database: Database, *, lasting: bool, redactor: Redactor | None = None
    ) -> None:
        self._database = database
        self._redactor = redactor or Redactor()
        self._scope = "" if lasting else uuid4().hex
        """Replay starts with none each time: what an earlier run stored must not show in it."""

    async def close(self) -> None:
        if self._scope:
            with suppress(StoreUnavailable):
                await self._database.execute("DELETE FROM completion WHERE scope = ?", self._scope)

    async def put(
        self, completion: Mapping[str, Any], messages: Sequence[Any], metadata: Mapping[str, str]
    ) -> None:
        """Keep a completion, from which secrets have been taken; the same id again replaces it."""
        created, model = completion.get("created"), completion.get("model")
        await self._database.execute(
            "INSERT OR REPLACE INTO completion"
            " (scope, id, created, model, metadata, messages, body) VALUES (?, ?, ?, ?, ?, ?, ?)",
            self._scope,
            completion["id"],
            created if isinstance(created, int) else 0,
            model if isinstance(model, str) else "",
            _text(metadata),
            _text(messages),
            _text(completion),
        )

    def get(self, name: str) -> dict[str, Any] | None:
        query = "SELECT body, metadata FROM completion WHERE scope = ? AND id = ?"
        rows = self._database.query(query, self._scope, name)
        return _with_metadata(*rows[0]) if rows else None

    async def update(self, name: str, metadata: Mapping[str, str]) -> dict[str, Any] | None:
        statement = "UPDATE completion SET metadata = ? WHERE scope = ? AND id = ?"
        clean, _ = self._redactor.value(metadata)
        await self._database.execute(statement, _text(clean), self._scope, name)
        return self.get(name)

    async def delete(self, name: str) -> bool:
        """Whether there was one."""
        there = self.get(name) is not None
        statement = "DELETE FROM completion WHERE scope = ? AND id = ?"
        await self._database.execute(statement, self._scope, name)
        return there

    async def find(self, page: Page, model: str, metadata: Mapping[str, str]) -> dict[str, Any]:
        """A page of those whose model and metadata are as given, in the order they were made."""
        every = [
            (name, _with_metadata(body, labels))
            async for name, body, labels in self._database.scan(
                "SELECT id, body, metadata FROM completion WHERE scope = ? AND ? IN ('', model)"
                " ORDER BY created, n",
                self._scope,
                model,
            )
            if metadata.items() <= orjson.loads(labels).items()
        ]
        return _listed(every[::-1] if page.newest_first else every, page)

    def messages(self, name: str, page: Page) -> dict[str, Any] | None:
        """A page of the messages that a stored completion answered; None if there is none."""
        query = "SELECT messages FROM completion WHERE scope = ? AND id = ?"
        rows = self._database.query(query, self._scope, name)
        if not rows:
            return None
        told = [
            (f"{name}-{number}", {"id": f"{name}-{number}", **_message(message)})
            for number, message in enumerate(orjson.loads(rows[0][0]))
        ]
        return _listed(told[::-1] if page.newest_first else told, page)


def _text(value: Any) -> str:
    return orjson.dumps(value).decode()


def _with_metadata(body: str, metadata: str) -> dict[str, Any]:
    return {**orjson.loads(body), "metadata": orjson.loads(metadata)}


def _message(message: Any) -> dict[str, Any]:
    """A message as it was sent; content parts stand beside a null content, as OpenAI has it."""
    told = dict(message) if isinstance(message, dict) else {"content": message}
    if isinstance(told.get("content"), list):
        told |= {"content": None, "content_parts": told["content"]}
    return {"content": None, "role": "user", **told}


def _listed(every: Sequence[tuple[str, dict[str, Any]]], page: Page) -> dict[str, Any]:
    names = [name for name, _ in every]
    start = names.index(page.after) + 1 if page.after in names else 0
    chosen = every[start : start + page.limit]
    return {
        "object": "list",
        "data": [item for _, item in chosen],
        "first_id": chosen[0][0] if chosen else None,
        "last_id": chosen[-1][0] if chosen else None,
        "has_more": start + page.limit < len(every),
    }

"""Completions that a client asked to have stored: listed, read, updated and deleted again.

OpenAI keeps these at its side (`store: true`); promptdeck keeps its own, so that
a program that reads them back works in replay too. The bodies are as OpenAI
documents them for `GET /v1/chat/completions` and the paths below it.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple
from uuid import uuid4

import orjson

from promptdeck.core.secrets.redact import Redactor
from promptdeck.errors import StoreUnavailable

from . import Tables


class Page(NamedTuple):
    """One page of a list, in OpenAI's terms."""

    after: str = ""
    """The id of the last item of the page before."""
    limit: int = 20
    """At most so many items; 20 is OpenAI's own default."""
    newest_first: bool = False


class Completions:
    """The stored completions that one server sees. Each call may raise StoreUnavailable.

    `lasting` ones stay and are seen by every such server on the same store; others go by
    `close`. `redactor` takes secrets out of metadata that is changed later on.
    """

    def __init__(self, tables: Tables, *, lasting: bool, redactor: Redactor | None = None) -> None:
        self._tables = tables
        self._redactor = redactor or Redactor()
        self._scope = "" if lasting else uuid4().hex
        """Replay starts with none each time: what an earlier run stored must not show in it."""

    async def close(self) -> None:
        """Delete what does not last; no error if that cannot be."""
        if self._scope:
            with suppress(StoreUnavailable):
                await self._tables.execute("DELETE FROM completion WHERE scope = ?", self._scope)

    async def put(
        self, completion: Mapping[str, Any], messages: Sequence[Any], metadata: Mapping[str, str]
    ) -> None:
        """Keep a completion with the messages it answers; the same id again replaces it.

        Secrets must have been taken out of all three. TypeError for what JSON cannot hold.
        """
        created, model = completion.get("created"), completion.get("model")
        await self._tables.execute(
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
        """The completion of this id with its metadata; None if there is none."""
        query = "SELECT body, metadata FROM completion WHERE scope = ? AND id = ?"
        for body, metadata in self._tables.query(query, self._scope, name):
            return _with_metadata(body, metadata)
        return None

    async def update(self, name: str, metadata: Mapping[str, str]) -> dict[str, Any] | None:
        """Replace all metadata of a completion, and give it as it is then; None if there is none.

        Secrets are taken out of the metadata.
        """
        statement = "UPDATE completion SET metadata = ? WHERE scope = ? AND id = ?"
        redactor = self._redactor
        work = asyncio.to_thread(redactor.value, metadata) if redactor.waits else None
        clean, _ = await work if work else redactor.value(metadata)
        await self._tables.execute(statement, _text(clean), self._scope, name)
        return self.get(name)

    async def delete(self, name: str) -> bool:
        """Delete the completion of this id; False if there was none."""
        there = self.get(name) is not None
        statement = "DELETE FROM completion WHERE scope = ? AND id = ?"
        await self._tables.execute(statement, self._scope, name)
        return there

    async def find(self, page: Page, model: str, metadata: Mapping[str, str]) -> dict[str, Any]:
        """A page of the completions of a model with at least these metadata, oldest first.

        An empty `model` stands for any.
        """
        every = [
            (name, _with_metadata(body, labels))
            async for name, body, labels in self._tables.scan(
                "SELECT id, body, metadata FROM completion WHERE scope = ? AND ? IN ('', model)"
                " ORDER BY created, n",
                self._scope,
                model,
            )
            if metadata.items() <= orjson.loads(labels).items()
        ]
        return _listed(every[::-1] if page.newest_first else every, page)

    def messages(self, name: str, page: Page) -> dict[str, Any] | None:
        """A page of the messages that a completion answers; None if there is no such completion."""
        query = "SELECT messages FROM completion WHERE scope = ? AND id = ?"
        for (messages,) in self._tables.query(query, self._scope, name):
            told = [
                (f"{name}-{number}", {"id": f"{name}-{number}", **_message(message)})
                for number, message in enumerate(orjson.loads(messages))
            ]
            return _listed(told[::-1] if page.newest_first else told, page)
        return None


def _text(value: Any) -> str:
    """A value as JSON; a column of text is read as such by every tool for SQLite."""
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
    """One page of items, each with its id, as the API lists them.

    An unknown `after` gives the first page.
    """
    names = [name for name, _ in every]
    start = names.index(page.after) + 1 if page.after in names else 0
    shown = names[start : start + page.limit]
    return {
        "object": "list",
        "data": [item for _, item in every[start : start + page.limit]],
        "first_id": shown[0] if shown else None,
        "last_id": shown[-1] if shown else None,
        "has_more": start + page.limit < len(every),
    }

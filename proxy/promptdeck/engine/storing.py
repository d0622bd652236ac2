"""Answers to requests that say `store: true`, kept for the client to read back."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import orjson

from promptdeck.core import headers
from promptdeck.core.dialects.chat.variants import to_json
from promptdeck.core.dialects.table import is_chat
from promptdeck.core.interaction import Response
from promptdeck.core.secrets.redact import Redactor
from promptdeck.core.text.jsontext import Unfaithful, parse

from .incoming import Incoming


class CompletionStore(Protocol):
    """Keeps completions until their client deletes them."""

    async def put(
        self, completion: Mapping[str, Any], messages: Sequence[Any], metadata: Mapping[str, str]
    ) -> None:
        """Keep a completion under its `id`, with what it was asked with. StoreUnavailable."""


class Storing:
    """`keep` what is a completion and was asked to be stored; anything else is passed over.

    `secrets` are known ones, such as the upstream's key: they are taken out of all that is kept.
    """

    def __init__(
        self, store: CompletionStore, redactor: Redactor, secrets: Sequence[str] = ()
    ) -> None:
        self._store = store
        self._redactor = redactor
        self._secrets = secrets

    async def keep(self, incoming: Incoming, response: Response) -> None:
        """Keep a whole answer if its request is a chat completion's and says `store: true`.

        StoreUnavailable.
        """
        request = incoming.request
        if response.status != 200 or not is_chat(request.method, request.target):
            return
        try:
            asked: Any = parse(request.body)
            answer = to_json(response) if response.is_stream else response
            completion: Any = orjson.loads(answer.body)
        except (Unfaithful, orjson.JSONDecodeError):
            return
        if not isinstance(asked, dict) or asked.get("store") is not True:
            return
        if not (isinstance(completion, dict) and isinstance(completion.get("id"), str)):
            return
        messages = asked.get("messages")
        metadata = asked.get("metadata")
        secrets = (*headers.secrets(incoming.headers), *self._secrets)

        def clear(value: Any) -> Any:
            return self._redactor.value(value, secrets)[0]

        parts = (
            completion,
            messages if isinstance(messages, list) else [],
            metadata if isinstance(metadata, dict) else {},
        )
        if self._redactor.waits:
            cleared = await asyncio.to_thread(lambda: [*map(clear, parts)])
        else:
            cleared = [*map(clear, parts)]
        await self._store.put(*cleared)

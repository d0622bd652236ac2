"""The same `Idempotency-Key` with the same request gets the first answer, for a day.

A retry joins the call under way or is given what it brought, and takes no turn
of a recorded sequence. An answer that failed is not given again: the retry is
what the client is for. Kept in memory; a restart forgets.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

import xxhash

from promptdeck.core.interaction import Request
from promptdeck.errors import ClientError

_LIFETIME = 24 * 60 * 60
_MOST = 1000
_MOST_BYTES = 64 * 1024 * 1024
_WEIGHED_EVERY = 16

First = TypeVar("First")


class _FirstAnswer(NamedTuple, Generic[First]):
    asked: str
    answer: First
    until: float


class Idempotency(Generic[First]):
    """First answers by key; the oldest go when there are too many, or they weigh too much."""

    def __init__(self, weigh: Callable[[First], int]) -> None:
        self._weigh = weigh
        """Bytes that only this memory keeps alive."""
        self._entries: OrderedDict[str, _FirstAnswer[First]] = OrderedDict()
        self._until_weighed = _WEIGHED_EVERY

    def first(self, key: str, request: Request) -> First | None:
        """What the first request with this key got. ClientError 409 if that was another request."""
        entry = self._entries.get(key)
        if entry is None or entry.until < time.time():
            return None
        if entry.asked != _digest(request):
            raise ClientError(
                "this Idempotency-Key came with another request before; use a new key",
                code="idempotency_key_reused",
                status=409,
                param="Idempotency-Key",
                retry=False,
            )
        return entry.answer

    def remember(self, key: str, request: Request, answer: First) -> None:
        self._entries[key] = _FirstAnswer(_digest(request), answer, time.time() + _LIFETIME)
        self._entries.move_to_end(key)
        if len(self._entries) > _MOST:
            self._entries.popitem(last=False)
        self._until_weighed -= 1
        if self._until_weighed <= 0:
            self._shed()

    def _shed(self) -> None:
        self._until_weighed = _WEIGHED_EVERY
        weight = sum(self._weigh(entry.answer) for entry in self._entries.values())
        while weight > _MOST_BYTES and len(self._entries) > 1:
            _, old = self._entries.popitem(last=False)
            weight -= self._weigh(old.answer)


def _digest(request: Request) -> str:
    digest = xxhash.xxh3_128_hexdigest(request.body)
    return f"{request.method} {request.target} {digest}"

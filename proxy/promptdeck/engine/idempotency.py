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
"""Seconds from the first request: as long as Stripe, whose header this is, keeps them at least."""
_MOST = 1000
"""Keys that are remembered. An SDK makes a new one for each call and repeats it only to try again,
minutes later at most."""
_MOST_BYTES = 64 * 1024 * 1024
"""What the remembered answers may weigh: a thousand of the usual size, or two of the largest that
are kept (`record.max_bytes`)."""
_WEIGHED_EVERY = 16
"""Keys between two weighings, each of which looks at all answers: flights go on growing after they
are remembered, so that a running sum would be wrong."""

First = TypeVar("First")


class _FirstAnswer(NamedTuple, Generic[First]):
    """What a key's first request got."""

    asked: str
    """A digest of the request."""
    answer: First
    until: float
    """When it is forgotten, in seconds since the epoch."""


class Idempotency(Generic[First]):
    """First answers by key; the oldest go when there are too many, or they weigh too much.

    `weigh` tells how many bytes of an answer only this memory keeps alive.
    """

    def __init__(self, weigh: Callable[[First], int]) -> None:
        self._weigh = weigh
        self._entries: OrderedDict[str, _FirstAnswer[First]] = OrderedDict()
        self._until_weighed = _WEIGHED_EVERY

    def first(self, key: str, request: Request) -> First | None:
        """What the first request with a key got; None if there was none, or a day ago.

        ClientError 409 if that was another request.
        """
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
        """Note the answer to the first request with a key, from now on for a day."""
        self._entries[key] = _FirstAnswer(_digest(request), answer, time.time() + _LIFETIME)
        self._entries.move_to_end(key)
        if len(self._entries) > _MOST:
            self._entries.popitem(last=False)
        self._until_weighed -= 1
        if self._until_weighed <= 0:
            self._shed()

    def _shed(self) -> None:
        """Weigh all answers, and let the oldest go while they weigh too much."""
        self._until_weighed = _WEIGHED_EVERY
        weight = sum(self._weigh(entry.answer) for entry in self._entries.values())
        while weight > _MOST_BYTES and len(self._entries) > 1:
            _, old = self._entries.popitem(last=False)
            weight -= self._weigh(old.answer)


def _digest(request: Request) -> str:
    """What tells a request from another with the same key, without keeping its body."""
    digest = xxhash.xxh3_128_hexdigest(request.body)
    return f"{request.method} {request.target} {digest}"

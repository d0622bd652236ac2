"""The same `Idempotency-Key` with the same request gets the first answer, for a day.

A key is taken before its request is read: a retry waits until the first answer is known
or under way, joins the call or is given what it brought, and takes no turn of a recorded
sequence. An answer that failed is not given again: the retry is what the client is for.
Kept in memory; a restart forgets.
"""

import asyncio
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

First = TypeVar("First")


class _FirstAnswer(NamedTuple, Generic[First]):
    """What a key's first request got."""

    asked: str
    """A digest of the request."""
    answer: First
    until: float
    """When it is forgotten, in seconds since the epoch."""


class _Reserved(NamedTuple):
    """A key whose first request has no answer yet."""

    asked: str
    """A digest of the request."""
    over: asyncio.Event
    """Set when it has got one, or will not."""


class Idempotency(Generic[First]):
    """First answers by key; the oldest go when there are too many, or they weigh too much.

    `weigh` tells how many bytes of an answer only this memory keeps alive, `grows` whether
    that may still become more.
    """

    def __init__(
        self, weigh: Callable[[First], int], grows: Callable[[First], bool] = lambda _: False
    ) -> None:
        self._weigh = weigh
        self._grows = grows
        self._entries: OrderedDict[str, _FirstAnswer[First]] = OrderedDict()
        # All answers were too many to be weighed each time: those under way are few.
        self._weights: dict[str, int] = {}
        """By key, of the answers that grow no more."""
        self._grown = 0
        """The sum of these."""
        self._growing: set[str] = set()
        self._reserved: dict[str, _Reserved] = {}

    async def claim(
        self, key: str, request: Request, good: Callable[[First], bool]
    ) -> First | None:
        """The answer that the first request with a key got, waited for; None for who is the first.

        Who is, by that or because the answer is not `good`, has the key: others wait until it
        calls `remember` or `free`. ClientError 409 if the first was another request.
        """
        asked = _digest(request)
        while reserved := self._reserved.get(key):
            _refuse_other(reserved.asked, asked)
            await reserved.over.wait()
        answer = self._found(key, asked)
        if answer is not None and good(answer):
            return answer
        self._reserved[key] = _Reserved(asked, asyncio.Event())
        return None

    def free(self, key: str) -> None:
        """Let whoever waits for a key be the first; nothing happens where nobody has it."""
        if reserved := self._reserved.pop(key, None):
            reserved.over.set()

    def first(self, key: str, request: Request) -> First | None:
        """What the first request with a key got; None if there was none, or a day ago.

        ClientError 409 if that was another request.
        """
        return self._found(key, _digest(request))

    def _found(self, key: str, asked: str) -> First | None:
        """`first` for a request of which the digest is known."""
        entry = self._entries.get(key)
        if entry is None or entry.until < time.time():
            return None
        _refuse_other(entry.asked, asked)
        return entry.answer

    def remember(self, key: str, request: Request, answer: First) -> None:
        """Note the answer to the first request with a key, from now on for a day."""
        reserved = self._reserved.get(key)
        asked = reserved.asked if reserved else _digest(request)
        self._forget(key)
        self._entries[key] = _FirstAnswer(asked, answer, time.time() + _LIFETIME)
        self._growing.add(key)
        self.free(key)
        self._shed()

    def _shed(self) -> None:
        """Let the oldest answers go while there are too many, or all weigh too much."""
        weight = self._weight()
        while len(self._entries) > 1 and (len(self._entries) > _MOST or weight > _MOST_BYTES):
            oldest = next(iter(self._entries))
            weight -= self._forget(oldest)

    def _weight(self) -> int:
        """What all answers weigh now, in bytes."""
        growing = 0
        for key in list(self._growing):
            answer = self._entries[key].answer
            weight = self._weigh(answer)
            if self._grows(answer):
                growing += weight
            else:
                self._growing.discard(key)
                self._weights[key] = weight
                self._grown += weight
        return self._grown + growing

    def _forget(self, key: str) -> int:
        """Let go of a key's answer, if there is one; returns what it weighed."""
        entry = self._entries.pop(key, None)
        if entry is None:
            return 0
        if key in self._growing:
            self._growing.discard(key)
            return self._weigh(entry.answer)
        weight = self._weights.pop(key)
        self._grown -= weight
        return weight


def _refuse_other(first: str, asked: str) -> None:
    """ClientError 409 if two digests, that of a key's first request and another, differ."""
    if first != asked:
        raise ClientError(
            "this Idempotency-Key came with another request before; use a new key",
            code="idempotency_key_reused",
            status=409,
            param="Idempotency-Key",
            retry=False,
        )


def _digest(request: Request) -> str:
    """What tells a request from another with the same key, without keeping its body."""
    digest = xxhash.xxh3_128_hexdigest(request.body)
    return f"{request.method} {request.target} {digest}"

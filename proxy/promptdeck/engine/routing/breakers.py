"""Models that fail are not asked for a while, and then one request tries them.

A breaker is of an upstream and a model, and of the caller's own key where that went there: what
one caller is refused is no sign that others will be. The clock is the caller's to give.
"""

from collections import OrderedDict
from collections.abc import Hashable

_MOST = 1000
"""Breakers that are remembered: the latest. One is 300 bytes, and clients name models."""
_LONGEST = 600.0
"""Seconds that a Retry-After may keep one open: who has paid meanwhile need not start anew."""


class _Breaker:
    """One model's: closed, open until a moment, or half open while one request tries."""

    __slots__ = ("failures", "status", "tried_since", "until")

    def __init__(self) -> None:
        self.failures = 0
        """In a row."""
        self.status = 0
        """Of the last failure."""
        self.until = 0.0
        """The moment until which it is open; in the past where it is not."""
        self.tried_since: float | None = None
        """When the one request set out that tries whether it may be closed."""


class Breakers:
    """Those of one server. After `most` failures in a row a model is left alone for `pause`."""

    def __init__(self, most: int, pause: float) -> None:
        self._most = most
        self._pause = pause
        self._breakers: OrderedDict[Hashable, _Breaker] = OrderedDict()

    def wait(self, key: Hashable, now: float) -> float:
        """Seconds for which a model is not to be asked; 0 where it may be, as of now.

        Where it was open, the one who is told 0 is the one who tries: others wait until that
        `succeeded`, `failed` or was `neutral`.
        """
        breaker = self._breakers.get(key)
        if breaker is None or not breaker.until:
            return 0.0
        if now < breaker.until:
            return breaker.until - now
        if breaker.tried_since is not None and now < breaker.tried_since + self._pause:
            return breaker.tried_since + self._pause - now
        breaker.tried_since = now
        return 0.0

    def status(self, key: Hashable) -> int:
        """The status of a model's last failure."""
        return self._breakers[key].status

    def succeeded(self, key: Hashable) -> None:
        """A model has answered: it is asked as before."""
        self._breakers.pop(key, None)

    def failed(
        self,
        key: Hashable,
        now: float,
        retry_after: float | None,
        *,
        again: bool = False,
        status: int = 503,
    ) -> None:
        """A model has failed with a status, and may have said when it wants to be asked again.

        One that has failed the same request before has not failed in a row `again`.
        """
        breaker = self._breakers.setdefault(key, _Breaker())
        self._breakers.move_to_end(key)
        if len(self._breakers) > _MOST:
            self._breakers.popitem(last=False)
        breaker.failures += not again
        breaker.status = status
        was_tried, breaker.tried_since = breaker.tried_since is not None, None
        if was_tried or breaker.failures >= self._most:
            # Of two moments the later one: what was said before still holds.
            breaker.until = max(breaker.until, now + self._pause)
        if retry_after:
            breaker.until = max(breaker.until, now + min(retry_after, _LONGEST))

    def neutral(self, key: Hashable) -> None:
        """A model was asked, and what came tells nothing of whether it would answer others."""
        if breaker := self._breakers.get(key):
            breaker.tried_since = None

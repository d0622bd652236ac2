"""A request brought into canonical form, once for the same bytes.

The memo is bounded by the bytes it keeps. What the contract finds wrong is
found here, where the body has just been parsed.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple

import xxhash

from proxy.core.faults import Dealt
from proxy.core.fingerprint import fingerprint
from proxy.core.interaction import Headers, Request, Variant
from proxy.core.normalize import Normalized, normalize
from proxy.core.policy import CacheControl
from proxy.core.providers import Route
from proxy.core.redact import Redactor
from proxy.core.rules import Rules

_MEMO_BYTES = 32 * 1024 * 1024

Check = Callable[[Any], str]
"""Judges the body of a chat completion: ClientError, or what is odd about it, or nothing."""


class Incoming(NamedTuple):
    """A client's request."""

    request: Request
    """As it counts in matching."""
    headers: Headers
    route: Route | None = None
    """Where it goes in place of the configured upstream, if it says so itself."""
    deal: Callable[[str], Dealt | None] | None = None
    """What is to befall an answer to the request of a key, on purpose."""
    draws: int = 0
    """How many answers of this request are to be recorded, if it says so itself."""


class Known(NamedTuple):
    """What does not change between requests of the same bytes."""

    form: Normalized
    key: str
    warning: str


class Asked(NamedTuple):
    """A request brought into canonical form."""

    incoming: Incoming
    form: Normalized
    key: str
    warning: str
    wants: CacheControl

    @property
    def place(self) -> tuple[str, Variant]:
        return self.key, self.form.variant


class Canonicals:
    """`asked` gives a request its canonical form. ClientError where the contract forbids it."""

    def __init__(self, rules: Rules, redactor: Redactor, check: Check | None) -> None:
        self._rules = rules
        self._redactor = redactor
        self._check = check
        self._memo: OrderedDict[tuple[str, ...], Known] = OrderedDict()
        self._memo_bytes = 0

    def asked(self, incoming: Incoming) -> Asked:
        wants = CacheControl.parse(
            ",".join(value for name, value in incoming.headers if name.lower() == "cache-control")
        )
        return Asked(incoming, *self._known(incoming.request), wants)

    def _known(self, request: Request) -> Known:
        """Canonical form and fingerprint; bytes seen before are not parsed again."""
        digest = xxhash.xxh3_128_hexdigest(request.body)
        memo_key = (request.method, request.target, request.content_type, digest)
        known = self._memo.get(memo_key)
        if known:
            self._memo.move_to_end(memo_key)
            return known
        known = self._normalized(request)
        self._memo[memo_key] = known
        self._memo_bytes += len(known.form.canonical)
        while self._memo_bytes > _MEMO_BYTES:
            _, old = self._memo.popitem(last=False)
            self._memo_bytes -= len(old.form.canonical)
        return known

    def _normalized(self, request: Request) -> Known:
        odd = [""]

        def inspect(body: Any) -> None:
            if self._check:
                odd.append(self._check(body))

        form = normalize(request, self._rules, self._redactor, inspect=inspect)
        return Known(form, fingerprint(form.canonical, self._rules.digest), odd[-1])

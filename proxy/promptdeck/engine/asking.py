"""A request brought into canonical form, once for the same bytes.

Bytes not seen before may still say what those of a request seen before did, but for
what changes nothing (`body`). The memo is bounded by the bytes it keeps. What the
contract finds wrong is found here, where the body has just been parsed.
"""

import asyncio
import logging
import secrets
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import xxhash

from promptdeck.core.counts import Counts
from promptdeck.core.dialects.providers import Route
from promptdeck.core.interaction import Headers, Request, Variant
from promptdeck.core.matching.body import EFFECTS, Body, BodyName
from promptdeck.core.matching.chat import is_chat, item_text
from promptdeck.core.matching.fingerprint import fingerprint
from promptdeck.core.matching.normalize import Normalized, examine, normalize
from promptdeck.core.matching.repeated import Cut, Repeated
from promptdeck.core.matching.rules import Rules
from promptdeck.core.policy import CacheControl
from promptdeck.core.secrets.redact import Redactor
from promptdeck.core.text.jsontext import JSON, Unfaithful
from promptdeck.errors import ClientError

log = logging.getLogger("promptdeck")

if TYPE_CHECKING:
    from promptdeck.core.faults.deal import Dealt

_MEMO_BYTES = 32 * 1024 * 1024
_MOST_NAMES = 20_000
_LARGE = 256 * 1024
"""Bytes whose parsing takes longer than other requests should wait: some 2 ms."""

_NO_RULES = Rules()

Check = Callable[[JSON], str]
"""Judges the body of a chat completion: ClientError, or what is odd about it, or nothing."""


class Incoming(NamedTuple):
    """A client's request."""

    request: Request
    """As it counts in matching."""
    headers: Headers
    """All but its length."""
    route: Route | None = None
    """Where it goes in place of the configured upstream, if it says so itself."""
    deal: "Callable[[str], Dealt | None] | None" = None
    """What is to befall an answer to the request of a key, on purpose."""
    draws: int = 0
    """How many answers of this request are to be recorded, if it says so itself."""


class Known(NamedTuple):
    """What does not change between requests of the same bytes."""

    form: Normalized
    key: str
    warning: str
    wants_more: bool
    """Whether more may be asked for than an answer."""
    names: tuple[BodyName, ...]
    """This holds also for other bodies of one of these names: see `core.body`.

    Those may hold a secret where this one has none, in a field that does not count.
    """


_Seen = tuple[Counts, bytes]
"""The digest of a body, or a name of one."""


class Asked(NamedTuple):
    """A request brought into canonical form."""

    incoming: Incoming
    known: Known
    wants: CacheControl

    @property
    def form(self) -> Normalized:
        return self.known.form

    @property
    def key(self) -> str:
        return self.known.key

    @property
    def warning(self) -> str:
        """What the contract finds odd."""
        return self.known.warning

    @property
    def place(self) -> tuple[str, Variant]:
        return self.key, self.form.variant


class Canonicals:
    """`asked` gives a request its canonical form. ClientError where the contract forbids it.

    What is large is parsed in a thread, so that others are served meanwhile.
    """

    def __init__(self, rules: Rules, redactor: Redactor, check: Check | None) -> None:
        self._rules = rules
        self._redactor = redactor
        self._check = check
        self._repeated = Repeated(secrets.randbits(60))
        self._memo: OrderedDict[_Seen, Known] = OrderedDict()
        self._memo_bytes = 0
        self._first: OrderedDict[_Seen, _Seen] = OrderedDict()
        """Under which bytes the memo has what is seen in another way."""

    async def asked(self, incoming: Incoming) -> Asked:
        request = incoming.request
        body = Body(request.body, self.repeated(request))
        known, first, missed = self._recalled(request, body)
        if known is None:
            large = len(body.data) > _LARGE
            make = self._normalized
            known = await asyncio.to_thread(make, request, body) if large else make(request, body)
        self._remember(known, first, missed)
        lines = [value for name, value in incoming.headers if name.lower() == "cache-control"]
        return Asked(incoming, known, CacheControl.parse(",".join(lines)))

    def base_key(self, asked: Asked) -> str:
        """The fingerprint without user rules."""
        if not self._rules.digest:
            return asked.key
        form = normalize(asked.incoming.request, _NO_RULES, self._redactor)
        return fingerprint(form.canonical)

    def repeated(self, request: Request) -> Repeated | None:
        """Where such a request's body says again what was read before: what that was."""
        # User rules may be about the place of an object in its list.
        return None if self._rules.digest or not self._goes_by_name(request) else self._repeated

    def learn(self, body: Body) -> None:
        """Know again what is said in a body in which nothing is odd."""
        if body.cut:
            self._repeated.learn(body.cut, item_text)

    def at_once(self, request: Request, body: Body | None = None) -> Known | None:
        """Its canonical form, if finding that holds up nobody. ClientError.

        `body` is the request's, for who has looked at it already.
        """
        body = body or Body(request.body, self.repeated(request))
        known, first, missed = self._recalled(request, body)
        if known is None and len(body.data) <= _LARGE:
            known = self._normalized(request, body)
        if known:
            self._remember(known, first, missed)
        return known

    def _recalled(self, request: Request, body: Body) -> tuple[Known | None, _Seen, list[_Seen]]:
        """What is known of it, where the memo has that or will, and by what it was not found."""
        missed: list[_Seen] = []
        for seen in self._names(request, body):
            first = self._first.get(seen, seen)
            if known := self._memo.get(first):
                return known, first, missed
            missed.append(seen)
        return None, missed[0], missed

    def _names(self, request: Request, body: Body) -> Iterator[_Seen]:
        """By what a request may be recalled, the cheapest first."""
        place = Counts(request.method, request.target, request.content_type)
        yield place, xxhash.xxh3_128_digest(body.data)
        if self._goes_by_name(request):
            for name in body.names():
                yield place, name

    def _goes_by_name(self, request: Request) -> bool:
        # A user's pattern may take the very name out of a field that would not count.
        return not self._redactor.users and is_chat(request.method, request.target)

    def _remember(self, known: Known, first: _Seen, missed: Iterable[_Seen]) -> None:
        """Note that it was asked for, and by what it can be found from now on."""
        if first not in self._memo:
            self._memo_bytes += len(known.form.canonical)
        self._memo[first] = known
        self._memo.move_to_end(first)
        self._first.pop(first, None)
        for seen in missed if known.names else ():
            if seen != first:
                self._first[seen] = first
        while len(self._first) > _MOST_NAMES:
            self._first.popitem(last=False)
        while self._memo_bytes > _MEMO_BYTES:
            _, old = self._memo.popitem(last=False)
            self._memo_bytes -= len(old.form.canonical)

    def _normalized(self, request: Request, body: Body) -> Known:
        known = self._from_rest(request, body.cut) if body.cut else None
        if known is None:
            known, plain = self._examined(request, body.value, self._judged)
            if known.warning:
                log.warning("odd request: %s", known.warning)
            if not plain or known.warning or not self._goes_by_name(request):
                return known
        self.learn(body)
        return known._replace(names=tuple(body.names()))

    def _from_rest(self, request: Request, cut: Cut) -> Known | None:
        """Without what was read before; None where all must be read, or something is odd."""
        if not cut.runs:
            return None
        rest = Request(request.method, request.target, request.content_type, cut.rest)
        try:
            known, plain = self._examined(
                rest, None, lambda value: self._judged(cut.read(value)), cut.whole
            )
        except (ClientError, Unfaithful):
            return None
        return known if plain and not known.warning else None

    def _judged(self, value: JSON) -> str:
        return self._check(value) if self._check else ""

    def _examined(
        self,
        request: Request,
        value: Callable[[], JSON] | None,
        check: Check,
        whole: Callable[[bytes], bytes] = bytes,
    ) -> tuple[Known, bool]:
        """What is known from reading it, but for its names; and whether it was read plainly."""
        odd, wants_more = "", False

        def inspect(found: JSON) -> None:
            nonlocal odd, wants_more
            odd = check(found)
            wants_more = isinstance(found, dict) and not EFFECTS.isdisjoint(found)

        form, plain = examine(request, self._rules, self._redactor, inspect=inspect, value=value)
        form = form._replace(canonical=whole(form.canonical))
        key = fingerprint(form.canonical, self._rules.digest)
        return Known(form, key, odd, wants_more, names=()), plain

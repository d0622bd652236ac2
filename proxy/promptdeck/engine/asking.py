"""A request brought into canonical form, once for all that say the same.

Bytes not seen before may still say what those of a request seen before did, but for
what changes nothing (`core.matching.body`); what was found out then is recalled. What
the contract finds wrong is found here, where the body has just been parsed.
"""

import asyncio
import logging
import secrets
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from typing import NamedTuple

import xxhash

from promptdeck.core.counts import Counts
from promptdeck.core.dialects.base import LABELS, MARKERS, Dialect, essence, is_json
from promptdeck.core.dialects.chat.counting import SINCE
from promptdeck.core.dialects.chat.dialect import CHAT
from promptdeck.core.dialects.table import dialect_of, with_model
from promptdeck.core.interaction import Request, Response, Variant
from promptdeck.core.matching.body import Body, BodyName
from promptdeck.core.matching.clean import chosen_by
from promptdeck.core.matching.fingerprint import fingerprint
from promptdeck.core.matching.normalize import Normalized, examine, normalize
from promptdeck.core.matching.recall import Recall
from promptdeck.core.matching.repeated import Cut, Repeated
from promptdeck.core.matching.rules import NO_RULES, Rules
from promptdeck.core.policy import CacheControl
from promptdeck.core.secrets.redact import Redactor
from promptdeck.core.text.jsontext import JSON, Unfaithful, canonical
from promptdeck.errors import ClientError
from promptdeck.stores.base import Sought

from .incoming import Incoming

log = logging.getLogger("promptdeck")

# Of canonical forms: 500 agent's chats of 60 KB, and as much as the largest body may be.
_MEMO_BYTES = 32 * 1024 * 1024
# Bytes that one takes beside its text: three objects, its names and fingerprint, a place in
# a dict. Measured for 20,000 short requests: 830 with one more name.
_OVERHEAD = 600
# Other names by which they are found: some 4 MB, as each takes about 200 bytes.
_MOST_NAMES = 20_000
# Bytes whose parsing takes longer than other requests should wait: some 2 ms.
_LARGE = 256 * 1024

DECISIVE = frozenset(["cache-control"])
"""Headers read here with which a request is decided on by itself."""

# What says that a request may have had another form in 0.1.0: labels, marks and null, which
# counted then; in chats only those that are new.
# Looked for one by one: an expression takes 0.2 s for 32 MB, in which no other thread runs.
_COUNTED_ONCE = [word.encode() for word in (*LABELS, *MARKERS, "null")]
_COUNTED_ONCE_IN_CHATS = [word.encode() for word in (*SINCE, *MARKERS)]


# Recordings of which is remembered what their requests' names stand for: some 2 MB.
_MOST_LEARNT = 1000

_ONE_BY_ONE = ThreadPoolExecutor(1, "expressions")
"""Where requests wait for users' expressions: they run one at a time whoever waits, and those
who wait must not take the threads in which others read and write."""

Check = Callable[[JSON], str]
"""Judges the body of a chat completion: ClientError, or what is odd about it, or nothing."""


class Known(NamedTuple):
    """A request read: its form, fingerprint and faults; equal requests share one `Known`."""

    form: Normalized
    key: str
    """The fingerprint under the user's rules."""
    warning: str
    """What the contract finds odd about the request, in one line; or nothing."""
    wants_more: bool
    """True where the request may ask for more than an answer, such as to have it stored."""
    refused: ClientError | None
    """Why the contract forbids it. A recording answers it all the same: a provider has judged."""
    also: tuple[Sought, ...]
    """The forms under which 0.1.0 kept it, where to find them takes waiting: `Canonicals.also`."""
    names: tuple[BodyName, ...]
    """Names of the body: all of this holds for other bodies of these names (`matching.body`).

    Such a body may hold a secret where this one has none, in a field that does not count.
    """

    @property
    def place(self) -> tuple[str, Variant]:
        """Fingerprint and variant: by these a deck counts turns."""
        return self.key, self.form.variant


class Asked(NamedTuple):
    """A request brought into canonical form, and what its Cache-Control wants."""

    incoming: Incoming
    known: Known
    wants: CacheControl
    own: "tuple[Own, ...]" = ()
    """The request by the rules of the deck's cassettes that have some of their own."""
    counted: Known | None = None
    """How the deck that records it counts it, if by one of these."""

    @property
    def mine(self) -> Known:
        """How the deck counts it."""
        return self.counted or self.known

    @property
    def forms(self) -> "list[tuple[str, Known]]":
        """The request by all rules that it is looked up by, each under the digest of those.

        Under the empty one by the user's alone.
        """
        return [("", self.known), *((one.law, one.known) for one in self.own)]

    @property
    def form(self) -> Normalized:
        return self.known.form

    @property
    def key(self) -> str:
        return self.known.key

    @property
    def warning(self) -> str:
        """Odd things that the contract found, in one line; or nothing."""
        return self.known.warning

    @property
    def place(self) -> tuple[str, Variant]:
        """Fingerprint and variant: by these a deck counts turns."""
        return self.known.place


class Canonicals:
    """Gives requests their canonical forms: found out once, and recalled for what says the same.

    `check` judges what is a chat completion. What is odd about a request is logged when it
    is found out. `most_bytes` bounds what is remembered; None for as much as usual.
    """

    def __init__(
        self,
        rules: Rules,
        redactor: Redactor,
        check: Check | None,
        most_bytes: int | None = None,
    ) -> None:
        self._rules = rules
        self._redactor = redactor
        self._check = check
        self._waits = rules.waits or redactor.waits
        self._turn = asyncio.Lock()
        self._also_last: tuple[Request, tuple[Sought, ...]] | None = None
        """The request that `also` was asked for last, and what was found."""
        self._learnt: dict[bytes, Mapping[str, str]] = {}
        """By the digest of a recorded body: what its names stand for."""
        self._repeated: dict[Dialect, Repeated] = {}
        self._recall: Recall[Known] = Recall(
            lambda known: len(known.form.canonical) + _OVERHEAD,
            most_bytes=most_bytes or _MEMO_BYTES,
            most_names=_MOST_NAMES,
        )

    @property
    def law(self) -> str:
        """The digest of the rules by which these forms are made."""
        return self._rules.digest

    async def known(self, request: Request) -> Known:
        """Bring a request into canonical form, as `asked` does. PatternError."""
        counts = Counts.of(request)
        body = self.reader(counts)(request.body)
        known = self._recall.find(self._names(counts, body))
        if known is None:
            known = await self._found_out(request, body)
            self._remember(counts, body, known)
        return known

    async def asked(self, incoming: Incoming) -> Asked:
        """Bring a request into canonical form.

        A large body is parsed in a thread, and users' expressions are waited for in one, so
        that others are served meanwhile. PatternError.
        """
        known = await self.known(incoming.request)
        lines = [value for name, value in incoming.headers if name.lower() == "cache-control"]
        return Asked(incoming, known, CacheControl.parse(",".join(lines)))

    async def _found_out(self, request: Request, body: Body) -> Known:
        """Find out about a request, in a thread where others would have to wait for it."""
        if self._waits:
            # One of this exchange at a time: those of another one wait for one of ours at most.
            async with self._turn:
                loop = asyncio.get_running_loop()
                return await loop.run_in_executor(_ONE_BY_ONE, self._normalized, request, body)
        if self._takes_waiting(body.data):
            return await asyncio.to_thread(self._normalized, request, body)
        return self._normalized(request, body)

    def at_once(self, request: Request, body: Body) -> Known | None:
        """Bring a request into canonical form; None where what is not known takes waiting.

        `body` is the request's, made by its `reader`.
        """
        counts = Counts.of(request)
        known = self._recall.find(self._names(counts, body))
        if known is None and not self._takes_waiting(body.data):
            known = self._normalized(request, body)
            self._remember(counts, body, known)
        return known

    def reader(self, counts: Counts) -> Callable[[bytes], Body]:
        """Makes `Body` values of the bodies that come with these counts."""
        dialect = dialect_of(counts.method, counts.target)
        # User rules may be about the place of an object in its list.
        if not dialect.lists or self._rules.digest or not self._goes_by_name(dialect):
            return partial(Body, dialect=dialect)
        repeated = self._repeated.get(dialect)
        if repeated is None:
            repeated = Repeated(secrets.randbits(60), dialect.lists, partial(_item_text, dialect))
            self._repeated[dialect] = repeated
        return partial(Body, dialect=dialect, repeated=repeated)

    def also(self, asked: Asked) -> tuple[Sought, ...]:
        """The forms under which 0.1.0 kept a request, of which more counted then, or less.

        For who finds nothing under the form that it has now: what is found is read but once.
        """
        request, known = asked.incoming.request, asked.known
        if self._takes_waiting(request.body):
            return known.also
        if self._also_last is None or self._also_last[0] != request:
            self._also_last = request, self._also(request, known.form)
        return self._also_last[1]

    def base_key(self, asked: Asked) -> str:
        """The fingerprint of a request without user rules, as recordings have it."""
        if not self._rules.digest:
            return asked.key
        form = normalize(asked.incoming.request, NO_RULES, self._redactor)
        return fingerprint(form.canonical)

    def retold(
        self, response: Response, recorded: Request, asked: Known
    ) -> tuple[Response, tuple[str, ...]]:
        """A recorded response by the names of who asks, and those that had to be put right.

        A preset alone gives names: the paths of another folder, the ids of another run.
        """
        learnt = asked.form.learnt
        if not learnt or self._rules.preset is None:
            return response, ()
        from promptdeck.core.matching.retelling import retold

        digest = xxhash.xxh3_128_digest(recorded.body, Counts.of(recorded).seed)
        known = self._learnt.get(digest)
        if known is None:
            rules = Rules(preset=self._rules.preset)
            known = normalize(recorded, rules, self._redactor).learnt
            self._learnt[digest] = known
            if len(self._learnt) > _MOST_LEARNT:
                del self._learnt[next(iter(self._learnt))]
        return retold(response, known, learnt)

    def _takes_waiting(self, data: bytes) -> bool:
        """True for a body that is read in a thread, as others would have to wait for it."""
        return self._waits or len(data) > _LARGE

    def _remember(self, counts: Counts, body: Body, known: Known) -> None:
        names = self._names(counts, body)
        # Of what is odd or holds a secret, only the very bytes are known again.
        self._recall.put(known, names if known.names else islice(names, 1))

    def _names(self, counts: Counts, body: Body) -> Iterator[tuple[int, bytes]]:
        """The names by which a request may be known, the cheapest first."""
        # The seed stands for the counts: it is of one size, however long a target is.
        seed = counts.seed
        yield seed, xxhash.xxh3_128_digest(body.data, seed)
        if self._goes_by_name(body.dialect):
            for name in body.names():
                yield seed, name

    def _goes_by_name(self, dialect: Dialect) -> bool:
        # A user's pattern may take the very name out of a field that would not count.
        return not self._redactor.waits and dialect.is_model

    def _normalized(self, request: Request, body: Body) -> Known:
        """Find out the canonical form by reading the body, or what is left of it to be read."""
        known = self._from_rest(request, body.dialect, body.cut) if body.cut else None
        if known is None:
            check = partial(self._judged, body.dialect)
            known, plain = self._examined(request, body.value, check)
            if known.warning:
                log.warning("odd request: %s", known.warning)
            waits = self._takes_waiting(body.data)
            if waits:
                known = known._replace(also=self._also(request, known.form))
            # An object may be what makes the request stateful, and a label counted once.
            odd = known.warning or known.refused or known.form.stateful
            odd = odd or (waits and body.dialect is not CHAT)
            if odd or not plain or not self._goes_by_name(body.dialect):
                return known
        body.learn()
        return known._replace(names=tuple(body.names()))

    def _from_rest(self, request: Request, dialect: Dialect, cut: Cut) -> Known | None:
        """Find it out from what was not read before; None if all must be read, or it is odd."""
        if not cut.runs:
            return None
        rest = request._replace(body=cut.rest)
        try:
            known, plain = self._examined(
                rest, None, lambda value: self._judged(dialect, cut.read(value)), cut.whole
            )
        except Unfaithful:
            return None
        return known if plain and not (known.warning or known.refused) else None

    def _judged(self, dialect: Dialect, value: JSON) -> str:
        return self._check(value) if self._check and dialect is CHAT else ""

    def _examined(
        self,
        request: Request,
        value: Callable[[], JSON] | None,
        check: Check,
        whole: Callable[[bytes], bytes] = bytes,
    ) -> tuple[Known, bool]:
        """Read a request: what is known then, but for its names, and whether all was plain.

        `value` gives the body where it has been parsed; `whole` makes the canonical form of
        all of it from that of what was read.
        """
        odd, wants_more, refused = "", False, None
        effects = dialect_of(request.method, request.target).effects

        def inspect(found: JSON) -> None:
            nonlocal odd, wants_more, refused
            try:
                odd = check(with_model(found, request.target))
            except ClientError as error:
                refused = error
            wants_more = isinstance(found, dict) and not effects.isdisjoint(found)

        form, plain = examine(request, self._rules, self._redactor, inspect=inspect, value=value)
        form = form._replace(canonical=whole(form.canonical))
        key = fingerprint(form.canonical, self._rules.digest)
        return Known(form, key, odd, wants_more, refused, also=(), names=()), plain

    def _also(self, request: Request, form: Normalized) -> tuple[Sought, ...]:
        """The forms under which 0.1.0 kept a request: in a cassette, and in a cache."""
        untold = bool(request.selecting and chosen_by(request, self._redactor))
        request = request._replace(selecting=())
        forms = [self._once(request, form)]
        if untold:
            forms.insert(0, normalize(request, self._rules, self._redactor))
        canonicals = dict.fromkeys(one.canonical for one in forms if one)
        digest = self._rules.digest
        return tuple(Sought(fingerprint(one, digest), one, untold) for one in canonicals)

    def _once(self, request: Request, form: Normalized) -> Normalized | None:
        """The form that 0.1.0 gave a request, where more counted then that is there."""
        dialect = form.dialect
        counted = _COUNTED_ONCE_IN_CHATS if dialect is CHAT else _COUNTED_ONCE
        # In chats it is known what counted; in others everything did, `stream` too.
        odd = dialect is not CHAT and (
            dialect.converts or not is_json(essence(request.content_type))
        )
        if not dialect.is_model or not (odd or any(word in request.body for word in counted)):
            return None
        once = normalize(request, self._rules, self._redactor, once=True)
        return once if once.canonical != form.canonical else None


def _item_text(dialect: Dialect, place: str, item: JSON) -> bytes:
    """An item of one of the dialect's lists, `place`, as it stands in the canonical form."""
    return canonical(dialect.counted_item(place, item))


class Own(NamedTuple):
    """A request by the rules of a cassette."""

    canonicals: Canonicals
    known: Known

    @property
    def law(self) -> str:
        """The digest of those rules."""
        return self.canonicals.law

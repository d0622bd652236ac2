"""The recordings behind one base_url, and how far they have been played.

A deck reads its stores in order and writes to one. Over a cassette it plays
identical requests in the order they were recorded and keeps a ledger of what
was played, missed and recorded; over the cache it serves the newest.
"""

import logging
import time
from collections.abc import Awaitable, Callable, Hashable, Iterable, Iterator, Sequence
from itertools import islice
from operator import call
from typing import Any, NamedTuple

from promptdeck.core.dialects.interpreted import Remembering
from promptdeck.core.interaction import Headers, Interaction, Request, Response, Variant
from promptdeck.core.matching.fingerprint import fingerprint
from promptdeck.core.matching.normalize import Normalized
from promptdeck.core.matching.rules import Rules
from promptdeck.core.policy import CacheControl, Found
from promptdeck.core.units import Moments
from promptdeck.core.varying import is_untold, representation, suits
from promptdeck.stores.base import Glance, Sought, Store, Stored

from .bindings import Bindings, ids_of
from .conversions import STAND_INS, Conversions
from .ledger import Ledger, Tally
from .playing import OnExpired, Playing

log = logging.getLogger("promptdeck")


class Search(NamedTuple):
    """A deck's answer to a request: hit, stale or miss, with the recording or the reason.

    A hit or what is stale has `stored` and `response`, a miss has a `reason`.
    """

    found: Found
    stored: Stored | None = None
    """The recording whose turn it is."""
    response: Response | None = None
    """Its response, in the variant asked for."""
    converted: bool = False
    """Whether that is another variant than was recorded."""
    reason: str = ""
    """Of a miss: one of the words of `misses.explain.Reason`."""
    key: str = ""
    """The fingerprint under which a recording was found: turns are counted by it."""
    requested: bool = False
    """Whether it is stale because the request's Cache-Control wants it fresher."""
    until: float = 0.0
    """Till then (seconds since the epoch) the request finds this again, in the same `state`."""
    state: Hashable = None
    """The deck's state in which this was found."""


_NOTHING = Glance()
"""Where there is no file, none changes."""


class Deck:
    """The recordings behind one base_url, and how far they have been played.

    `name` is the cassette's, or empty for the deck that a bare base_url plays. The first of the
    `stores` that has recordings of a request answers it; `writer` keeps new ones, None where
    nothing is recorded. `exists` tells whether there is a cassette at all; `refresh` follows its
    file and tells whether that has changed, None where there is none. `glance` gives what tells
    whether it is to be followed before what is found of a fingerprint is believed; `rules` gives
    the sets of rules by which some of its recordings are found, beside the exchange's. `memory`
    keeps of translated answers what their clients lose.
    """

    def __init__(
        self,
        name: str,
        stores: Sequence[Store],
        playing: Playing,
        *,
        writer: Store | None = None,
        exists: Callable[[], bool] = lambda: True,
        refresh: Callable[[str], Awaitable[bool]] | None = None,
        glance: Callable[[str], Glance] = lambda _: _NOTHING,
        rules: Callable[[], Sequence[Rules]] = tuple,
        memory: Remembering | None = None,
    ) -> None:
        self.name = name
        self.exists = exists
        self.glance = glance
        self.rules = rules
        self._stores = stores
        states = [store.state for store in stores]
        # A hit asks for it each time, and nearly always of one store.
        self._states = states[0] if len(states) == 1 else lambda: tuple(map(call, states))
        self._playing = playing
        self._writer = writer
        self._warned: set[str] = set()
        """Ids of the recordings whose age has been told."""
        self._refresh = refresh
        self._conversions = Conversions(memory)
        self._moments = Moments()
        """When this deck's own recordings were made, such that replay keeps their order."""
        self._drawn = False
        """Whether anything was recorded, or began to be."""
        self._rewound = 0
        self.rewind()

    def rewind(self) -> None:
        """Start over: sequences from their first recording, an empty report."""
        self._rewound += 1
        self._ledger = Ledger(self._playing.newest)
        self._bindings = Bindings(adopts=self._playing.adopts)
        self._overwritten: set[tuple[str, Variant]] = set()
        """Requests whose older recordings have been replaced: further ones are added."""
        self._renewed: dict[tuple[str, Variant], int] = {}
        """How many recordings there are to be again of a request whose recordings expired."""

    def state(self) -> Hashable:
        """Equal as long as nothing but time and turns changes what `find` gives."""
        return self._rewound, self._states()

    @property
    def is_blank(self) -> bool:
        """True if another deck of this name would do the same: only the report would be lost.

        That is where there is no cassette, and nothing that was recorded has to be told from
        what was there before.
        """
        return not self.exists() and (self._playing.newest or not self._drawn)

    @property
    def follows(self) -> bool:
        """True if there is a file that may have changed."""
        return self._refresh is not None

    async def refresh(self, key: str = "") -> bool:
        """Follow the cassette's file; True if it has changed.

        With a fingerprint `key`, at least as far as recordings of that may be concerned.
        """
        return await self._refresh(key) if self._refresh else False

    def find(
        self,
        key: str,
        asked: Normalized,
        wants: CacheControl,
        draws: int = 0,
        *,
        upstream: str = "",
        only: bool = False,
        sent: Headers = (),
        also: Callable[[], Iterable[Sought]] = tuple,
        client: Request | None = None,
    ) -> Search:
        """Find the recording whose turn it is, without playing it. StoreUnavailable.

        `key` is the fingerprint of what is `asked`; `draws` is the request's own wish, in place
        of the deck's. `upstream` is the base URL that would be asked: in a cache another one's
        answer is none, and with `only` nowhere. Cassettes are portable. `sent` are the headers of
        the request, as some answers hang on them. `also` gives other forms of it, for recordings
        that are not found by the first one: it is called only then. `client` is the request of
        one who has asked the same in another dialect.
        """
        state = self.state()
        older: Search | None = None
        reason = "not_recorded" if self.exists() else "cassette_missing"
        for store in self._stores:
            found = key
            same: Sequence[Stored] = ()
            varied = False
            for sought in _each(Sought(key, asked.canonical, aimed=asked.aimed), also):
                rows = self._rows(store, sought, upstream, only=only)
                varied = varied or any(representation(row.interaction) for row in rows)
                fit = [row for row in rows if suits(row.interaction, sent)]
                same = self._bindings.meant(sought, fit)
                if same:
                    found = sought.key
                    break
                if rows:
                    reason = "other_ids" if fit else "other_representation"
            place = (found, asked.variant)
            place = _place(place, same[0]) if same else place
            for group in self._playable(same, asked, self.times_played(*place), client):
                search = self._search(group, found, place, wants, draws, state, client)
                if varied:
                    # Who sends other headers may have to be given another one.
                    search = search._replace(until=0.0)
                # What a cassette has is no reason to ask upstream for what the cache has fresh.
                # Who plays in turns takes the first group, however old: the order is the point.
                if search.found is Found.HIT or not self._playing.newest:
                    return search
                older = older or search
        return older or Search(Found.MISS, reason=reason)

    def _rows(self, store: Store, sought: Sought, upstream: str, *, only: bool) -> Sequence[Stored]:
        """A store's recordings of a form of a request, whatever their headers."""
        found = self._of_upstream(store, sought.key, upstream, only=only)
        # A fingerprint is only an index: the request itself is compared.
        rows = [row for row in found if row.canonical == sought.canonical]
        return [row for row in rows if is_untold(row.interaction)] if sought.untold else rows

    def _of_upstream(
        self, store: Store, key: str, upstream: str, *, only: bool
    ) -> Sequence[Stored]:
        """A store's recordings under a fingerprint that may answer in place of an upstream."""
        if upstream and self._playing.newest and store is self._writer:
            if rows := store.find(_scoped(key, upstream + self._playing.scope)):
                return rows
            # Kept by 0.1.0, which had one fingerprint for all of them.
            only = True
        rows = store.find(key)
        return [row for row in rows if row.interaction.upstream == upstream] if only else rows

    def _playable(
        self, rows: Sequence[Stored], asked: Normalized, turn: int, client: Request | None
    ) -> Iterator[list[Stored]]:
        """Of a request's recordings in all variants, those to play to who wants one: in groups.

        First those of the variant asked for; if it is a chat and this deck converts, then those
        of each variant that stands in for it, the best first. All of a group are of one
        variant, so that turns count recordings of the same call.
        """
        if group := [row for row in rows if row.interaction.variant == asked.variant]:
            yield group
        for variant in STAND_INS[asked.variant] if self._converts(asked) else ():
            group = [row for row in rows if row.interaction.variant == variant]
            if group := self._convertible(group, asked.variant, turn, client):
                yield group

    def _converts(self, asked: Normalized) -> bool:
        return asked.dialect.converts and self._playing.converts

    def _convertible(
        self, rows: Sequence[Stored], variant: Variant, turn: int, client: Request | None
    ) -> list[Stored]:
        """Of recordings in another variant: those that convert, in their order, as far as needed.

        Each is judged by itself. One that lacks what the variant holds is passed over, as if it
        had not been recorded: to refuse its turn would be a miss in the middle of a sequence
        whose other answers can be told, to end there would hide them. To convert takes a
        millisecond or more each, so that no more are judged than tell whose turn it is, and
        whether another one follows.
        """
        newest = self._playing.newest
        judged = (
            row
            for row in (reversed(rows) if newest else rows)
            if self._conversions.converts(row.interaction, variant, client)
        )
        return list(islice(judged, 1 if newest else turn + 2))

    def _search(
        self,
        rows: list[Stored],
        key: str,
        place: tuple[str, Variant],
        wants: CacheControl,
        draws: int,
        state: Hashable,
        client: Request | None,
    ) -> Search:
        """The recording in turn among the playable `rows`, hit or stale; a miss if none is left."""
        now = time.time()
        stored = self._in_turn(rows, place, draws, now)
        if stored is None:
            return Search(Found.MISS, reason="consumed", state=state)
        interaction = stored.interaction
        if self._playing.is_old(stored, now):
            if self._playing.on_expired is OnExpired.FAIL:
                return Search(Found.MISS, reason="expired", state=state)
            self._warn(interaction)
        _, variant = place
        response = self._conversions.response(interaction, variant, client)
        if response is None:
            raise AssertionError("only what converts is played")
        expired = stored.expires_at is not None and stored.expires_at <= now
        fresh = wants.accepts(now - interaction.recorded_at)
        return Search(
            found=Found.HIT if fresh and not expired else Found.STALE,
            stored=stored,
            response=response,
            converted=response is not interaction.response and interaction.variant != variant,
            key=key,
            requested=not fresh,
            until=self._playing.until(rows, self.times_played(*place), now),
            state=state,
        )

    def _in_turn(
        self, rows: list[Stored], place: tuple[str, Variant], draws: int, now: float
    ) -> Stored | None:
        """The recording to play now; None if one more is to be recorded, or refused."""
        playing = self._playing
        if playing.renews(rows, now):
            self._renewed.setdefault(place, len(rows))
            rows = [row for row in rows if not playing.is_old(row, now)]
        wanted = max(draws or playing.draws, self._renewed.get(place, 0)) if self._writer else 0
        return playing.in_turn(rows, self.times_played(*place), wanted)

    def _warn(self, interaction: Interaction) -> None:
        """Say once of a recording that it is too old."""
        if interaction.id not in self._warned:
            self._warned.add(interaction.id)
            log.warning(
                "recording %s is older than replay.expires; record it again", interaction.id
            )

    def played(self, place: tuple[str, Variant], stored: Stored, *, turns: bool = True) -> None:
        """Note that a recording was played; `turns` on to the next one of its request."""
        turn, play = self.counts(place, stored)
        turn.times += turns
        play.times += 1

    def counts(self, place: tuple[str, Variant], stored: Stored) -> tuple[Tally, Tally]:
        """The tallies of a request's turns and a recording's plays, good until the next rewinding.

        Who holds them may count on them without asking.
        """
        return self._ledger.turn(_place(place, stored)), self._ledger.play(stored.interaction.id)

    def samples(self, draws: int = 0) -> bool:
        """True if identical requests under way are to have answers of their own.

        `draws` is the request's own wish, in place of the deck's.
        """
        return (draws or self._playing.draws) > 1

    def drawn(self, key: str, variant: Variant, draws: int = 0) -> None:
        """Note that an answer is being recorded; it takes a turn if it is one of several."""
        self._drawn = True
        if self.samples(draws) or (key, variant) in self._renewed:
            self._ledger.turn((key, variant)).times += 1

    def missed(self, miss: dict[str, Any]) -> None:
        """Note, for the report, what was asked in vain and why."""
        self._ledger.missed(miss)

    def is_first_refusal(self, key: str) -> bool:
        """True the first time that this fingerprint is refused, and is to be noted as missed."""
        return self._ledger.is_first_refusal(key)

    async def keep(self, key: str, stored: Stored, *, overwrite: bool) -> Interaction:
        """Record an answer under a fingerprint; returns it with its id. StoreUnavailable.

        `overwrite` replaces what was there of the request before this deck began to record it;
        what had expired is replaced in any case, and in a cache whatever there was.
        """
        if self._writer is None:
            raise RuntimeError("this deck does not record")
        interaction = stored.interaction
        if not self._playing.newest:
            moment = self._moments.free(interaction.recorded_at, interaction.key)
            stored = stored._replace(interaction=interaction._replace(recorded_at=moment))
        place = (key, interaction.variant)
        renewed = _place(place, stored) in self._renewed
        # Of one form and of other ids are other requests.
        place = (" ".join([key, *ids_of(stored)]), interaction.variant)
        first = (overwrite or renewed) and place not in self._overwritten
        if first:
            self._overwritten.add(place)
        if self._playing.newest:
            key = _scoped(key, stored.interaction.upstream + self._playing.scope)
        kept = await self._writer.put(key, stored, replace=self._playing.newest or first)
        self._ledger.recorded(kept.id)
        return kept

    async def nearest(
        self, forms: Iterable[tuple[str, bytes]], most: int
    ) -> list[tuple[bytes, list[tuple[str, bytes]]]]:
        """The recordings most like a request, by each of its forms, at most `most` a store.

        `forms` are pairs of law (`Store.nearest`) and form. Gives each form with the id and the
        canonical form of the recordings that are found by this law. StoreUnavailable.
        """
        return [
            (form, [one for store in self._stores for one in await store.nearest(form, most, law)])
            for law, form in forms
        ]

    async def models(self) -> set[str]:
        """The models that recorded requests name. StoreUnavailable."""
        return {name for store in self._stores for name in await store.models()}

    def times_recorded(self, sought: Iterable[Sought]) -> int:
        """How many recordings there are of a request by its forms, in all variants."""
        found = [
            (one, row) for store in self._stores for one in sought for row in store.find(one.key)
        ]
        return sum(row.canonical == one.canonical for one, row in found)

    def times_played(self, key: str, variant: Variant) -> int:
        """How often a request was answered in a variant, since the last rewinding."""
        return self._ledger.turns((key, variant))

    def report(self) -> dict[str, Any]:
        """What was played (id: times), what was not, what was asked in vain, what was recorded.

        As JSON, as `GET /_deck/cassettes/NAME/report` gives it.
        """
        everything = [name for store in self._stores for name in store.names()]
        return {"cassette": self.name, **self._ledger.report(everything)}


def _each(first: Sought, also: Callable[[], Iterable[Sought]]) -> Iterator[Sought]:
    """What is sought first, and what else where that is not enough."""
    yield first
    yield from also()


def _place(place: tuple[str, Variant], stored: Stored) -> tuple[str, Variant]:
    """By what turns are counted: fingerprint, variant, of which representation and ids it is."""
    which = " ".join(filter(None, [representation(stored.interaction), *ids_of(stored)]))
    return (f"{place[0]} {which}", place[1]) if which else place


def _scoped(key: str, upstream: str) -> str:
    """The fingerprint under which a cache keeps an upstream's answers to a request."""
    return fingerprint(f"{key}\n{upstream}".encode()) if upstream else key

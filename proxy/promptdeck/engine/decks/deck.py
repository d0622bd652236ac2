"""The recordings behind one base_url, and how far they have been played.

A deck reads its stores in order and writes to one. Over a cassette it plays
identical requests in the order they were recorded and keeps the report of
what was played, missed and recorded; over the cache it serves the newest.
"""

import logging
import time
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from operator import call
from typing import Any, NamedTuple

from promptdeck.core.interaction import Interaction, Response, Variant
from promptdeck.core.matching.normalize import Normalized
from promptdeck.core.policy import CacheControl, Found
from promptdeck.stores.base import Store, Stored

from .conversions import STAND_INS, Conversions
from .playing import OnExpired, Playing

log = logging.getLogger("promptdeck")

_MISSES_KEPT = 1000
"""The latest misses that a report holds, with a few KB of text each: more than anybody reads."""


class Search(NamedTuple):
    """What a deck has for a request: a recording and how it is to be served, or why there is none.

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
    """Of a miss: `not_recorded`, `consumed`, `cassette_missing` or `expired`."""
    requested: bool = False
    """Whether it is stale because the request's Cache-Control wants it fresher."""
    until: float = 0.0
    """Till then (seconds since the epoch) the request finds this again, in the same `state`."""
    state: Hashable = None
    """The deck's state in which this was found."""


class Tally:
    """How often something was played, for who counts it and for who asks."""

    __slots__ = ("times",)

    def __init__(self) -> None:
        self.times = 0


class Deck:
    """The recordings behind one base_url, and how far they have been played.

    `name` is the cassette's, or empty for the deck that a bare base_url plays. The first of the
    `stores` that has recordings of a request answers it; `writer` keeps new ones, None where
    nothing is recorded. `exists` tells whether there is a cassette at all; `refresh` follows its
    file and tells whether that has changed, None where there is none.
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
    ) -> None:
        self.name = name
        self.exists = exists
        self._stores = stores
        states = [store.state for store in stores]
        # A hit asks for it each time, and nearly always of one store.
        self._states = states[0] if len(states) == 1 else lambda: tuple(map(call, states))
        self._playing = playing
        self._writer = writer
        self._warned: set[str] = set()
        """Ids of the recordings whose age has been told."""
        self._refresh = refresh
        self._conversions = Conversions()
        self._rewound = 0
        self.rewind()

    def rewind(self) -> None:
        """Start over: sequences from their first recording, an empty report."""
        self._rewound += 1
        self._turns: defaultdict[tuple[str, Variant], Tally] = defaultdict(Tally)
        """How often each request was answered, by fingerprint and variant."""
        self._played: defaultdict[str, Tally] = defaultdict(Tally)
        """How often each recording was played, by its id."""
        self._recorded: list[str] = []
        self._overwritten: set[tuple[str, Variant]] = set()
        """Requests whose older recordings have been replaced: further ones are added."""
        self._renewed: dict[tuple[str, Variant], int] = {}
        """How many recordings there are to be again of a request whose recordings expired."""
        self._missed: deque[dict[str, Any]] = deque(maxlen=_MISSES_KEPT)

    def state(self) -> Hashable:
        """Equal as long as nothing but time and turns changes what `find` gives."""
        return self._rewound, self._states()

    @property
    def follows(self) -> bool:
        """Whether there is a file that may have changed."""
        return self._refresh is not None

    async def refresh(self, key: str = "") -> bool:
        """Follow the cassette's file; True if it has changed.

        With a fingerprint `key`, at least as far as recordings of that may be concerned.
        """
        return await self._refresh(key) if self._refresh else False

    def find(self, key: str, asked: Normalized, wants: CacheControl, draws: int = 0) -> Search:
        """Find the recording whose turn it is, without playing it. StoreUnavailable.

        `key` is the fingerprint of what is `asked`; `draws` is the request's own wish, in place
        of the deck's.
        """
        state = self.state()
        for store in self._stores:
            # A fingerprint is only an index: the request itself is compared.
            rows = [row for row in store.find(key) if row.canonical == asked.canonical]
            if group := self._playable(rows, asked):
                return self._search(group, (key, asked.variant), wants, draws, state)
        return Search(Found.MISS, reason="not_recorded" if self.exists() else "cassette_missing")

    def _playable(self, rows: Sequence[Stored], asked: Normalized) -> list[Stored]:
        """Of a request's recordings in all variants: those to play to who wants one of them.

        Those of the variant asked for; if there are none and it is a chat, those of the best
        variant that converts to it, judged by the first of them. All of a group are of one
        variant, so that turns count recordings of the same call.
        """
        stand_ins = STAND_INS[asked.variant] if asked.chat else ()
        for variant in (asked.variant, *stand_ins):
            group = [row for row in rows if row.interaction.variant == variant]
            if group and self._conversions.response(group[0].interaction, asked.variant):
                return group
        return []

    def _search(
        self,
        rows: list[Stored],
        place: tuple[str, Variant],
        wants: CacheControl,
        draws: int,
        state: Hashable,
    ) -> Search:
        """What is found among playable recordings: the one in turn, its age judged."""
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
        response = self._conversions.response(interaction, variant)
        expired = stored.expires_at is not None and stored.expires_at <= now
        fresh = wants.accepts(now - interaction.recorded_at)
        return Search(
            found=Found.HIT if fresh and not expired else Found.STALE,
            stored=stored,
            response=response,
            converted=response is not interaction.response,
            requested=not fresh,
            until=self._playing.until(rows, self._turns[place].times, now),
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
        return playing.in_turn(rows, self._turns[place].times, wanted)

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
        return self._turns[place], self._played[stored.interaction.id]

    def samples(self, draws: int = 0) -> bool:
        """Whether identical requests under way are to have answers of their own.

        `draws` is the request's own wish, in place of the deck's.
        """
        return (draws or self._playing.draws) > 1

    def drawn(self, key: str, variant: Variant, draws: int = 0) -> None:
        """Note that an answer is being recorded; it takes a turn if it is one of several."""
        if self.samples(draws) or (key, variant) in self._renewed:
            self._turns[key, variant].times += 1

    def missed(self, miss: dict[str, Any]) -> None:
        """Note, for the report, what was asked in vain and why."""
        self._missed.append(miss)

    async def keep(self, key: str, stored: Stored, *, overwrite: bool) -> Interaction:
        """Record an answer under a fingerprint; returns it with its id. StoreUnavailable.

        `overwrite` replaces what was there of the request before this deck began to record it;
        what had expired is replaced in any case, and in a cache whatever there was.
        """
        if self._writer is None:
            raise RuntimeError("this deck does not record")
        place = (key, stored.interaction.variant)
        first = (overwrite or place in self._renewed) and place not in self._overwritten
        self._overwritten.add(place)
        kept = await self._writer.put(key, stored, replace=self._playing.newest or first)
        self._recorded.append(kept.id)
        return kept

    async def nearest(self, canonical: bytes, most: int) -> list[tuple[str, bytes]]:
        """Id and canonical form of the recordings most like this form, at most `most` a store.

        StoreUnavailable.
        """
        return [one for store in self._stores for one in await store.nearest(canonical, most)]

    async def models(self) -> set[str]:
        """The models that recorded requests name. StoreUnavailable."""
        return {name for store in self._stores for name in await store.models()}

    def times_recorded(self, key: str, asked: Normalized) -> int:
        """How many recordings there are of a request, in all variants."""
        rows = [row for store in self._stores for row in store.find(key)]
        return sum(row.canonical == asked.canonical for row in rows)

    def times_played(self, key: str, variant: Variant) -> int:
        """How often a request was answered in a variant, since the last rewinding."""
        return self._turns[key, variant].times

    def report(self) -> dict[str, Any]:
        """What was played (id: times), what was not, what was asked in vain, what was recorded.

        As JSON, as `GET /_deck/cassettes/NAME/report` gives it.
        """
        everything = [name for store in self._stores for name in store.names()]
        return {
            "cassette": self.name,
            "played": {name: count.times for name, count in self._played.items()},
            "unplayed": [name for name in everything if name not in self._played],
            "missed": list(self._missed),
            "recorded": list(self._recorded),
        }

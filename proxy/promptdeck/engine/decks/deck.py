"""The recordings behind one base_url, and how far they have been played.

A deck reads its stores in order and writes to one. Over a cassette it plays
identical requests in the order they were recorded and keeps the report of
what was played, missed and recorded; over the cache it serves the newest.
"""

import logging
import math
import time
from collections import OrderedDict, defaultdict, deque
from collections.abc import Awaitable, Callable, Hashable, Iterator, Sequence
from enum import StrEnum
from operator import call
from typing import Any, NamedTuple

from promptdeck.core.dialects.chat import variants
from promptdeck.core.interaction import Interaction, Response, Variant
from promptdeck.core.matching.normalize import Normalized
from promptdeck.core.policy import CacheControl, Found
from promptdeck.stores.base import Store, Stored

log = logging.getLogger("promptdeck")


class AfterLast(StrEnum):
    """What follows the last recording of a request that is asked once more."""

    REPEAT = "repeat"
    REFUSE = "refuse"


class OnExpired(StrEnum):
    """What is done with a recording that is too old."""

    WARN = "warn"
    FAIL = "fail"
    RECORD = "record"
    """Its request is recorded anew, and as often as it was recorded."""


class Search(NamedTuple):
    """What a deck has for a request."""

    found: Found
    stored: Stored | None = None
    response: Response | None = None
    """In the variant asked for."""
    converted: bool = False
    reason: str = ""
    """Of a miss: `not_recorded`, `consumed`, `cassette_missing` or `expired`."""
    requested: bool = False
    """Whether it is stale because the request's Cache-Control wants it fresher."""
    until: float = 0.0
    """Till then (seconds since the epoch) the request finds this again, in the same `state`."""
    state: Hashable = None


# In which variant an answer may stand in for another, best first.
_STAND_INS = {
    Variant.JSON: (Variant.SSE_USAGE, Variant.SSE),
    Variant.SSE: (Variant.SSE_USAGE, Variant.JSON),
    Variant.SSE_USAGE: (Variant.JSON, Variant.SSE),
}
_MISSES_KEPT = 1000
_CONVERSIONS_KEPT = 256


class Tally:
    """How often something was played, for who counts it and for who asks."""

    __slots__ = ("times",)

    def __init__(self) -> None:
        self.times = 0


class Deck:
    """`name` is the cassette's, or empty for the deck that a bare base_url plays."""

    def __init__(
        self,
        name: str,
        stores: Sequence[Store],
        *,
        writer: Store | None = None,
        newest: bool = False,
        draws: int = 1,
        after_last: AfterLast = AfterLast.REPEAT,
        expires: float | None = None,
        on_expired: OnExpired = OnExpired.WARN,
        exists: Callable[[], bool] = lambda: True,
        refresh: Callable[[], Awaitable[bool]] | None = None,
    ) -> None:
        self.name = name
        self.exists = exists
        self._stores = stores
        states = [store.state for store in stores]
        # A hit asks for it each time, and nearly always of one store.
        self._states = states[0] if len(states) == 1 else lambda: tuple(map(call, states))
        self._writer = writer
        self._newest = newest
        self._draws = draws
        """So many answers of one request are recorded before any is repeated."""
        self._after_last = after_last
        self._expires = expires
        """Seconds from its recording to when a recording is too old."""
        self._on_expired = on_expired
        self._warned: set[str] = set()
        self._refresh = refresh
        self._conversions: OrderedDict[tuple[str, str, Variant], Response | None] = OrderedDict()
        self._rewound = 0
        self.rewind()

    def rewind(self) -> None:
        """Start over: sequences from their first recording, an empty report."""
        self._rewound += 1
        self._turns: defaultdict[tuple[str, Variant], Tally] = defaultdict(Tally)
        self._played: defaultdict[str, Tally] = defaultdict(Tally)
        self._recorded: list[str] = []
        self._overwritten: set[tuple[str, Variant]] = set()
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

    async def refresh(self) -> bool:
        """Follow the cassette's file if it changed; whether it did."""
        return await self._refresh() if self._refresh else False

    def find(self, key: str, asked: Normalized, wants: CacheControl, draws: int = 0) -> Search:
        """`draws` is the request's own wish, in place of the deck's."""
        state = self.state()
        for store in self._stores:
            rows = [row for row in store.find(key) if row.canonical == asked.canonical]
            playable = self._playable(rows, asked)
            if playable:
                return self._search(playable, key, asked, wants, draws)._replace(state=state)
        return Search(Found.MISS, reason="not_recorded" if self.exists() else "cassette_missing")

    def _playable(self, rows: Sequence[Stored], asked: Normalized) -> list[Stored]:
        """The recordings of the variant asked for, or else of the best that converts."""
        stand_ins = _STAND_INS[asked.variant] if asked.chat else ()
        for variant in (asked.variant, *stand_ins):
            group = [row for row in rows if row.interaction.variant == variant]
            if group and self._converted(group[0], asked.variant):
                return group
        return []

    def _search(
        self, rows: list[Stored], key: str, asked: Normalized, wants: CacheControl, draws: int
    ) -> Search:
        place = key, asked.variant
        stored = self._in_turn(rows, place, draws)
        if stored is None:
            return Search(Found.MISS, reason="consumed")
        if self._is_old(stored):
            if self._on_expired is OnExpired.FAIL:
                return Search(Found.MISS, reason="expired")
            self._warn(stored.interaction)
        response = self._converted(stored, asked.variant)
        converted = response is not stored.interaction.response
        now = time.time()
        expired = stored.expires_at is not None and stored.expires_at <= now
        fresh = wants.accepts(now - stored.interaction.recorded_at)
        found = Found.HIT if fresh and not expired else Found.STALE
        until = self._until(rows, place, now)
        return Search(found, stored, response, converted, requested=not fresh, until=until)

    def _in_turn(self, rows: list[Stored], place: tuple[str, Variant], draws: int) -> Stored | None:
        """The recording to play now; None if one more is to be recorded, or refused."""
        if self._newest:
            return rows[-1]
        if self._on_expired is OnExpired.RECORD and any(map(self._is_old, rows)):
            self._renewed.setdefault(place, len(rows))
            rows = [row for row in rows if not self._is_old(row)]
        turn = self._turns[place].times
        wanted = max(draws or self._draws, self._renewed.get(place, 0))
        if turn < len(rows):
            return rows[turn]
        if (self._writer and len(rows) < wanted) or self._after_last is AfterLast.REFUSE:
            return None
        return rows[-1]

    def _until(self, rows: list[Stored], place: tuple[str, Variant], now: float) -> float:
        """When the next one to ask may find something else than this one did."""
        turns_left = self._turns[place].times + 1 < len(rows) or self._draws > len(rows)
        if not self._newest and (turns_left or self._after_last is AfterLast.REFUSE):
            return 0.0
        moments = [row.expires_at for row in rows if row.expires_at is not None]
        if self._expires is not None:
            if self._on_expired is OnExpired.RECORD:
                return 0.0
            moments += (row.interaction.recorded_at + self._expires for row in rows)
        return min((moment for moment in moments if moment > now), default=math.inf)

    def _is_old(self, stored: Stored) -> bool:
        recorded_at = stored.interaction.recorded_at
        return self._expires is not None and time.time() - recorded_at > self._expires

    def _warn(self, interaction: Interaction) -> None:
        if interaction.id not in self._warned:
            self._warned.add(interaction.id)
            log.warning(
                "recording %s is older than replay.expires; record it again", interaction.id
            )

    def _converted(self, stored: Stored, variant: Variant) -> Response | None:
        """The recorded response in another variant; None if it lacks what that variant holds."""
        interaction = stored.interaction
        if interaction.variant == variant or interaction.response.status != 200:
            return interaction.response
        place = (interaction.key, interaction.id, variant)
        if place not in self._conversions:
            self._conversions[place] = _convert(interaction.response, variant)
            if len(self._conversions) > _CONVERSIONS_KEPT:
                self._conversions.popitem(last=False)
        return self._conversions[place]

    def played(self, place: tuple[str, Variant], stored: Stored, *, turns: bool = True) -> None:
        """Note that a recording was played; `turns` on to the next one of its request."""
        turn, play = self.counts(place, stored)
        turn.times += turns
        play.times += 1

    def counts(self, place: tuple[str, Variant], stored: Stored) -> tuple[Tally, Tally]:
        """The turns of a request and the times of a recording, until somebody rewinds."""
        return self._turns[place], self._played[stored.interaction.id]

    def samples(self, draws: int = 0) -> bool:
        """Whether identical requests under way are to have answers of their own."""
        return (draws or self._draws) > 1

    def drawn(self, key: str, variant: Variant, draws: int = 0) -> None:
        """An answer is being recorded that takes a turn of its own."""
        if self.samples(draws) or (key, variant) in self._renewed:
            self._turns[key, variant].times += 1

    def missed(self, miss: dict[str, Any]) -> None:
        self._missed.append(miss)

    async def keep(self, key: str, stored: Stored, *, overwrite: bool) -> Interaction:
        """Record; `overwrite` replaces what was there before this deck began to record it.

        What had expired is replaced in any case.
        """
        if self._writer is None:
            raise RuntimeError("this deck does not record")
        place = (key, stored.interaction.variant)
        first = (overwrite or place in self._renewed) and place not in self._overwritten
        self._overwritten.add(place)
        kept = await self._writer.put(key, stored, replace=self._newest or first)
        self._recorded.append(kept.id)
        return kept

    def canonicals(self) -> Iterator[tuple[str, bytes]]:
        for store in self._stores:
            yield from store.canonicals()

    def times_recorded(self, key: str, asked: Normalized) -> int:
        rows = [row for store in self._stores for row in store.find(key)]
        return sum(row.canonical == asked.canonical for row in rows)

    def times_played(self, key: str, variant: Variant) -> int:
        return self._turns[key, variant].times

    def report(self) -> dict[str, Any]:
        """What was played (id: times), what was not, what was asked in vain, what was recorded."""
        everything = [name for store in self._stores for name in store.names()]
        return {
            "cassette": self.name,
            "played": {name: count.times for name, count in self._played.items()},
            "unplayed": [name for name in everything if name not in self._played],
            "missed": list(self._missed),
            "recorded": list(self._recorded),
        }


def _convert(response: Response, variant: Variant) -> Response | None:
    try:
        if variant is Variant.JSON:
            return variants.to_json(response) if response.is_stream else response
        usage = variant is Variant.SSE_USAGE
        stream = response if response.is_stream else variants.to_stream(response, usage)
        if usage:
            # Usage that was not recorded cannot be made up.
            known = variants.has_usage(frame.data for frame in stream.frames)
            return stream if known else None
        frames = variants.without_usage(stream.frames)
    except ValueError:
        return None
    return Response(stream.status, stream.headers, frames)

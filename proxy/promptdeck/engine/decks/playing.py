"""How recordings are played: whose turn it is, what is too old, how long a hit stays good.

The rules alone. How far a deck has been played is the deck's to know, and is
given to them: rows are the recordings of one request in one variant, oldest
first, and a turn counts how often the request has been answered, from 0.
"""

import math
from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from promptdeck.stores.base import Stored


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


class Playing(NamedTuple):
    """The settings of one deck, and what follows from them alone."""

    newest: bool = False
    """Whether the newest recording is played each time, as a cache does; else all have turns."""
    converts: bool = True
    """Whether a recording stands in, converted, for another variant of its request that is missing.

    Not where what is missing is recorded: made up, it would look recorded and never be asked for.
    """
    adopts: bool = False
    """Whether an id that is not recorded may stand for one that is: `decks.bindings`."""
    draws: int = 1
    """So many answers of one request are recorded before any is repeated."""
    after_last: AfterLast = AfterLast.REPEAT
    expires: float | None = None
    """Seconds from its recording to when a recording is too old; None: never."""
    on_expired: OnExpired = OnExpired.WARN
    scope: str = ""
    """What keeps a cache's answers apart besides the upstream: what the names of models mean."""

    def is_old(self, stored: Stored, now: float) -> bool:
        """True if a recording is older than `expires` at a moment (seconds since the epoch)."""
        return self.expires is not None and now - stored.interaction.recorded_at > self.expires

    def renews(self, rows: Sequence[Stored], now: float) -> bool:
        """True if any row is too old, and is to be recorded anew for that."""
        if self.newest or self.on_expired is not OnExpired.RECORD:
            return False
        return any(self.is_old(row, now) for row in rows)

    def in_turn(self, rows: Sequence[Stored], turn: int, wanted: int) -> Stored | None:
        """The recording to play at a turn; None where one more is to be recorded, or refused.

        `wanted` recordings there are to be before any is repeated; 0 where none can be made.
        """
        if self.newest:
            return rows[-1]
        if turn < len(rows):
            return rows[turn]
        if len(rows) < wanted or self.after_last is AfterLast.REFUSE:
            return None
        return rows[-1]

    def until(self, rows: Sequence[Stored], turn: int, now: float) -> float:
        """Till when what was found at a turn is found again, in seconds since the epoch.

        0: already the next one to ask may find something else. Infinity: as long as the rows
        are the same.
        """
        turns_left = turn + 1 < len(rows) or self.draws > len(rows)
        if not self.newest and (turns_left or self.after_last is AfterLast.REFUSE):
            return 0.0
        moments = [row.expires_at for row in rows if row.expires_at is not None]
        if self.expires is not None:
            if self.on_expired is OnExpired.RECORD:
                return 0.0
            moments += (row.interaction.recorded_at + self.expires for row in rows)
        # What has expired already was found so, and will be.
        return min((moment for moment in moments if moment > now), default=math.inf)

"""What a store is: recordings found by fingerprint, in the order they were recorded."""

from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import NamedTuple, Protocol

from promptdeck.core.interaction import Interaction


class Stored(NamedTuple):
    """A recording as a store holds it."""

    interaction: Interaction
    canonical: bytes
    """Its request's canonical form under the rules in force.

    A fingerprint is only an index, which two requests may share: a hit compares these bytes.
    """
    expires_at: float | None = None
    """Seconds since the epoch; None for a recording that stays good."""


class Sought(NamedTuple):
    """Another form of a request under which recordings of it may be kept."""

    key: str
    """The fingerprint of this form."""
    canonical: bytes
    untold: bool = False
    """True if only those count that say nothing of the headers that select."""
    aimed: tuple[str, ...] = ()
    """What the request's target says where this form has names (`Normalized.aimed`)."""


class Store(Protocol):
    """Keeps recordings. Reads answer at once, on the caller's thread; writes when durable.

    Any call but `state` may raise StoreUnavailable, where the store cannot be read or written.
    """

    def find(self, key: str) -> Sequence[Stored]:
        """All recordings under a fingerprint, oldest first; what is returned never changes."""

    def state(self) -> Hashable:
        """A value that changes when what `find` finds may have, by whatever process.

        It is asked for each hit, so that it costs a microsecond or so.
        """

    async def put(self, key: str, stored: Stored, *, replace: bool) -> Interaction:
        """Keep a recording under a fingerprint, and return it with the id it was given.

        `replace` drops the older recordings of this fingerprint and its variant.
        """

    def canonicals(self) -> Iterator[tuple[str, bytes]]:
        """Every recording's id and canonical form."""

    async def nearest(
        self, canonical: bytes, most: int, law: str = ""
    ) -> Sequence[tuple[str, bytes]]:
        """Id and canonical form of the recordings most like this form, by a measure of its own.

        Only those that are found by the rules that the form was made by: `law` is the digest of
        rules that cassettes bring along, and empty for the user's alone. At most `most` where
        there are many: who explains a miss compares them with care. Never holds the loop for
        long.
        """

    async def models(self) -> set[str]:
        """The models that recorded requests name. Never holds the loop for long."""

    def names(self) -> Iterator[str]:
        """Every recording's id, in the order of `canonicals`."""


_EVERY = 0.1
"""Seconds between two looks of a `Glance`: half of what an edit may take to be seen."""


class Glance:
    """What was read of some files, good while each of `holds` says so; without any, always.

    The file is the truth: an edit or a checkout counts for the next hit. A stat(2) takes 1 to
    3 us of the 7 that a hit takes, so that a file is looked at ten times a second at most, and
    only while its answers are asked for: no folder is polled, and nothing runs while nobody
    asks. inotify(7) would tell without being asked, but nothing of network file systems and of
    folders that are shared with a container.

    `since` and `until` are the times (seconds since the epoch) between which nobody looks again,
    for who asks for each hit and spares the call.
    """

    __slots__ = ("_holds", "since", "until")

    def __init__(self, *holds: Callable[[], bool]) -> None:
        self._holds = holds
        self.since = self.until = 0.0

    def changed(self, now: float) -> bool:
        """True if something may be otherwise by now: it is to be read before it is served.

        It stays true until that was done.
        """
        # Two bounds: a clock that is set back must not put off the next look.
        if self.since <= now < self.until:
            return False
        if not all(hold() for hold in self._holds):
            return True
        self.since, self.until = now, now + _EVERY
        return False


class Claims(Protocol):
    """Requests that the processes of a store are asking upstream, so that none asks the same."""

    def take(self, name: str) -> bool:
        """Claim a request by its name; False if another process has claimed it.

        A process may claim a request again that it has claimed.
        """

    def drop(self, name: str) -> None:
        """Let others claim the request; nothing happens where this process has not."""

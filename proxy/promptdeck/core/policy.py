"""What to do with a request: mode and what was found give an action, in one total table.

README's table of modes is `modes_table()`. A request's own
`Cache-Control` (RFC 9111, section 5.2.1) can make a hit stale, forbid storing,
or forbid going upstream; it can never make replay use the network.
"""

import re
from enum import StrEnum
from typing import NamedTuple


class Mode(StrEnum):
    """The modes of a deck, by their names in settings: README's table says what each does."""

    PASSTHROUGH = "passthrough"
    CACHE = "cache"
    RECORD = "record"
    RECORD_MISSING = "record-missing"
    REPLAY = "replay"

    @property
    def shares_flights(self) -> bool:
        """True if identical requests under way may share one upstream call.

        To record every answer, or to pass every request on, each needs a call of its own.
        """
        return self in (Mode.CACHE, Mode.RECORD_MISSING)

    @property
    def fills_cassettes(self) -> bool:
        """True if recordings are what it is for: one that cannot be kept is a failure.

        To the cache it is one more call that is paid for.
        """
        return self in (Mode.RECORD, Mode.RECORD_MISSING)


class Found(StrEnum):
    """The outcome of a look for a recording."""

    HIT = "hit"
    STALE = "stale"
    """There is one, but it is older than the deck or the request allows."""
    MISS = "miss"


class Action(StrEnum):
    """The ways to deal with a request, in the words of README's table."""

    SERVE = "serve"
    """From the recording."""
    FORWARD = "forward"
    """Upstream, and the answer is not kept."""
    STORE = "forward, store"
    REFUSE = "refuse"


# Stale matters to a cache alone: what was recorded for tests is served however old it is.
DECISIONS: dict[Mode, dict[Found, Action]] = {
    Mode.PASSTHROUGH: dict.fromkeys(Found, Action.FORWARD),
    Mode.CACHE: {
        Found.HIT: Action.SERVE,
        Found.STALE: Action.STORE,
        Found.MISS: Action.STORE,
    },
    Mode.RECORD: dict.fromkeys(Found, Action.STORE),
    Mode.RECORD_MISSING: {
        Found.HIT: Action.SERVE,
        Found.STALE: Action.SERVE,
        Found.MISS: Action.STORE,
    },
    Mode.REPLAY: {
        Found.HIT: Action.SERVE,
        Found.STALE: Action.SERVE,
        Found.MISS: Action.REFUSE,
    },
}

_KNOWN_AS = {
    Mode.PASSTHROUGH: "go-vcr `ModePassthrough`",
    Mode.CACHE: "a shared HTTP cache with a TTL",
    Mode.RECORD: "vcrpy `all`",
    Mode.RECORD_MISSING: "vcrpy `new_episodes`",
    Mode.REPLAY: "vcrpy `none`",
}
"""The same in other tools, for who comes from one."""


def modes_table() -> str:
    """README's table of modes: what each does on a hit, stale and on a miss, in Markdown."""
    rows = [
        f"| `{mode}` | {' | '.join(actions[found] for found in Found)} | {_KNOWN_AS[mode]} |"
        for mode, actions in DECISIONS.items()
    ]
    head = "| mode | on a hit | stale | on a miss | known elsewhere as |"
    return "\n".join([head, "|---|---|---|---|---|", *rows])


# Elements of a list, whose quoted strings may hold commas (RFC 9110, section 5.6.1).
_ELEMENT = re.compile(r"""(?:[^,"]|"(?:[^"\\]|\\.)*+(?:"|$))+""")


class CacheControl(NamedTuple):
    """The request directives that a cache in front of a model can honour."""

    no_cache: bool = False
    no_store: bool = False
    only_if_cached: bool = False
    max_age: float | None = None
    """Seconds."""

    @classmethod
    def parse(cls, value: str) -> "CacheControl":
        """Read a `Cache-Control` request header; what is unknown or malformed is ignored.

        Of a directive that comes twice the first counts.
        """
        if not value:
            return ANYTHING
        directives: dict[str, str] = {}
        for part in _ELEMENT.findall(value.lower()):
            name, _, argument = part.strip().partition("=")
            directives.setdefault(name.strip(), argument.strip().strip('"'))
        max_age = directives.get("max-age", "")
        return cls(
            no_cache="no-cache" in directives,
            no_store="no-store" in directives,
            only_if_cached="only-if-cached" in directives,
            # As a float, which takes any number of digits; an integer would refuse 5,000 of them.
            max_age=float(max_age) if max_age.isdecimal() and max_age.isascii() else None,
        )

    def accepts(self, age: float) -> bool:
        """True if an answer of this age (seconds) may be served without asking upstream."""
        return not self.no_cache and (self.max_age is None or age <= self.max_age)


ANYTHING = CacheControl()
"""No wishes: what a request without the header has."""


def decide(
    mode: Mode, found: Found, wants: CacheControl = ANYTHING, *, stateful: bool = False
) -> Action:
    """The action for a request: the table's, less what its `Cache-Control` forbids.

    What is `stateful` (`Dialect.is_stateful`) is neither kept in a cache nor answered from one:
    a write must reach upstream (RFC 9111, section 4), and a poll would never end.

    A wish can only take away: it never has replay use the network, nor a mode store that
    does not. `no_cache` and `max_age` have made a hit stale before (`CacheControl.accepts`).
    """
    action = DECISIONS[mode][found]
    if stateful and mode is Mode.CACHE:
        action = Action.FORWARD
    if mode is Mode.PASSTHROUGH or action in (Action.SERVE, Action.REFUSE):
        return action
    if wants.only_if_cached:
        return Action.REFUSE
    return Action.FORWARD if wants.no_store else action

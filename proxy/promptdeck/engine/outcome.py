"""What the engine is set to, what it answers and what it counts: the values at its edge."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from promptdeck.core.interaction import Response
from promptdeck.core.matching.rules import Rules
from promptdeck.core.policy import Mode
from promptdeck.core.secrets.redact import Redactor
from promptdeck.engine.flights.flight import Flight, Reader

if TYPE_CHECKING:
    from promptdeck.core.faults.deal import Dealt
    from promptdeck.engine.decks.repeat import Repeat


class Served(NamedTuple):
    """An answer from a recording."""

    response: Response
    cache_status: str
    age: int
    key: str
    warning: str = ""
    """What the contract finds odd in the request."""
    dealt: "Dealt | None" = None
    """The fault with which it is to be written."""
    repeat: "Repeat | None" = None
    """Where nothing but the request's method, target, content type and body decided on it."""


class Flown(NamedTuple):
    """An answer that is coming from upstream: read `flight` from `place`, then leave."""

    flight: Flight
    place: Reader
    cache_status: str
    warning: str = ""
    end_counts: bool = False
    """Whether the end means more than the last byte: that the answer has been stored."""

    @property
    def error_status(self) -> str:
        """The Cache-Status where no answer came."""
        return self.cache_status.replace("; stored", "")


class Listed(NamedTuple):
    """An answer that no recording holds but the recordings imply."""

    body: dict[str, Any]
    cache_status: str


# Neither compared nor shown: what makes that possible takes longer to make than the rest.
@dataclass(slots=True, eq=False, repr=False)
class Stats:
    hits: int = 0
    misses: int = 0
    """Refused for want of a recording."""
    recorded: int = 0
    collapsed: int = 0
    redacted: int = 0
    upstream_calls: int = 0


class Settings(NamedTuple):
    mode: Mode
    rules: Rules
    redactor: Redactor
    upstream: str
    """Base URL, as recordings name it."""
    secrets: tuple[str, ...]
    """Known secrets, such as the upstream's key."""
    keep_bytes: int
    keep_errors: bool
    outlives_client: bool
    ttl: float | None

"""What the engine answers a request with: from a recording, from upstream, or from neither."""

from typing import TYPE_CHECKING, Any, NamedTuple

from promptdeck.core.interaction import Response
from promptdeck.engine.decks.repeat import Repeat
from promptdeck.engine.flights.flight import Flight
from promptdeck.engine.flights.log import Reader

if TYPE_CHECKING:  # only configured faults need it at run time
    from promptdeck.core.faults.deal import Dealt


class Served(NamedTuple):
    """An answer from a recording."""

    response: Response
    cache_status: str
    """The value of the Cache-Status header (RFC 9211)."""
    age: int
    """Whole seconds since it was recorded."""
    key: str
    """The request's fingerprint."""
    warning: str = ""
    """What the contract finds odd in the request."""
    dealt: "Dealt | None" = None
    """The fault with which it is to be written."""
    repeat: Repeat | None = None
    """Where nothing but the request's method, target, content type and body decided on it."""


class Flown(NamedTuple):
    """An answer that is coming from upstream: read `flight` from `place`, then leave."""

    flight: Flight
    place: Reader
    cache_status: str
    """The value of the Cache-Status header (RFC 9211), if an answer comes."""
    warning: str = ""
    """What the contract finds odd in the request."""
    end_counts: bool = False
    """Whether the flight lands later than it ends: when the answer has been stored.

    The client takes the end for a sign of that, so it must not be able to see it from a length.
    """

    @property
    def error_status(self) -> str:
        """The Cache-Status where no answer came: nothing is stored then."""
        return self.cache_status.replace("; stored", "")

    @property
    def known_status(self) -> str:
        """The Cache-Status by what is known when this is asked, mostly once the head has come.

        `stored` stands there where the answer is being recorded and nothing is known that speaks
        against it. RFC 9211, section 2.4, has it say that the response was stored, and as with
        every cache that passes an answer on while it comes, that is not certain before its end:
        an answer that is cut off, says an error in its body, outgrows `record.max_bytes`, or meets
        a full disk, is not kept although its head said so. To leave the word out would hide for
        every good answer that the next request hits.
        """
        flight = self.flight
        return self.error_status if flight.unkept or flight.failed else self.cache_status


class Listed(NamedTuple):
    """An answer that no recording holds but the recordings imply: JSON, with status 200."""

    body: dict[str, Any]
    cache_status: str

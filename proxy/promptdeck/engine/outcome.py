"""What the engine answers a request with: from a recording, from upstream, or from neither."""

from typing import TYPE_CHECKING, Any, NamedTuple

from promptdeck.core.dialects.interpreted import Interpreter, Remembering, interpreter_of
from promptdeck.core.interaction import Request, Response, is_good
from promptdeck.engine.decks.repeat import Repeat
from promptdeck.engine.flights.flight import Flight
from promptdeck.engine.flights.log import TOO_LARGE, Chunk, Reader
from promptdeck.engine.flights.recorder import NotKept, response_of
from promptdeck.errors import UpstreamError

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
    asked: Request
    """What is answered, as the engine takes it."""
    warning: str = ""
    """What the contract finds odd in the request."""
    end_counts: bool = False
    """Whether the flight lands later than it ends: when the answer has been stored.

    The client takes the end for a sign of that, so it must not be able to see it from a length.
    """
    memory: Remembering | None = None
    """What keeps of an answer that is translated what its client may lose."""
    most: int = 0
    """Bytes of an answer, decompressed, that is translated as a whole."""

    def interpreter(self) -> Interpreter | None:
        """What tells the client an answer in another dialect than its own; None for others.

        Asked once the head has come.
        """
        head = self.flight.known_head
        if head is None:
            return None
        return interpreter_of(self.asked, head.headers, self.flight.moment, self.memory)

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


class Gathered:
    """The body of an answer that is translated as a whole, gathered to be `told`.

    What comes past the most that is held is let go: it is not told then.
    """

    def __init__(self, flown: Flown) -> None:
        self._flown = flown
        self._parts: list[bytes] = []
        self._left = flown.most

    def write(self, data: bytes) -> bool:
        """Take a piece, as a `Follower`."""
        self._left -= len(data)
        if self._left >= 0:
            self._parts.append(data)
        else:
            self._parts.clear()
        return True

    def told(self) -> tuple[Response, Flown]:
        """The answer as its client gets it, once all of it has come, and what its head says of it.

        UpstreamError for one that cannot be read, or is too large.
        """
        interpreter, head = self._flown.interpreter(), self._flown.flight.known_head
        if interpreter is None or head is None:
            raise AssertionError("only what is in another dialect is gathered")
        if self._left < 0:
            raise _untranslatable(TOO_LARGE)
        try:
            response = response_of(head, [Chunk(0, b"".join(self._parts))], self._flown.most)
        except NotKept as reason:
            raise _untranslatable(str(reason)) from None
        told = interpreter.whole(response._replace(headers=head.headers))
        flown = self._flown
        if is_good(head.status) and not is_good(told.status):
            flown = flown._replace(cache_status=flown.error_status)  # it is not kept
        return told, flown


def _untranslatable(why: str) -> UpstreamError:
    said = f"the answer cannot be translated: {why}"
    return UpstreamError(said, code="untranslatable", retry=False)


class Listed(NamedTuple):
    """An answer that no recording holds but the recordings imply: JSON, with status 200."""

    body: dict[str, Any]
    cache_status: str

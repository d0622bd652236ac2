"""The first answer to an `Idempotency-Key`, given once more to who sends the same with it."""

from collections.abc import Awaitable, Callable

from promptdeck.core import headers as http
from promptdeck.engine.flights.flight import Flight

from .idempotency import Idempotency
from .incoming import Incoming
from .outcome import Flown, Listed, Served


class FirstAnswers:
    """The first answers of one exchange, those under way too, by the name that a key comes to.

    `most` is how many bytes of one are translated as a whole.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: Idempotency[Served | Flight] = Idempotency(_weight, _grows)

    async def answer(
        self,
        name: str,
        incoming: Incoming,
        ask: Callable[[], Awaitable[Served | Flown | Listed]],
    ) -> Served | Flown | Listed:
        """The first answer to a name, or what `ask` brings where this request is the first.

        ClientError 409 if the first was another request; HTTPError as `ask`.
        """
        first = await self._known.claim(name, incoming.request, _is_good)
        if first is not None:
            return self._again(first, incoming)
        try:
            answer = await ask()
            if not isinstance(answer, Listed):
                first = answer.flight if isinstance(answer, Flown) else answer
                self._known.remember(name, incoming.request, first)
        finally:
            self._known.free(name)
        return answer

    def _again(self, first: Served | Flight, incoming: Incoming) -> Served | Flown:
        """The answer that the first request with a key got, or is getting, once more."""
        status = http.cache_status("hit", detail="idempotency-key")
        if isinstance(first, Flight):
            return Flown(first, first.join(), status, incoming.request, most=self._most)
        dealt = incoming.deal(first.key) if incoming.deal else None
        return first._replace(cache_status=status, dealt=dealt, repeat=None)


def _is_good(first: Served | Flight) -> bool:
    """True for an answer that can be given again: whole from its start, and no failure."""
    if isinstance(first, Flight):
        return bool(first.whole and not first.failed and not first.refused)
    return True


def _weight(answer: Served | Flight) -> int:
    """Bytes that remembering an answer may keep alive: a recording can be replaced meanwhile."""
    if isinstance(answer, Flight):
        return answer.size if answer.whole else 0
    return sum(len(frame.data) for frame in answer.response.frames)


def _grows(answer: Served | Flight) -> bool:
    """True for an answer that is still coming."""
    return isinstance(answer, Flight) and not answer.landed

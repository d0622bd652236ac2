"""A recorded request asked once more: what the provider says to it today.

The way is that of a recording: the same client, the same frames and times, the
same secrets taken out, the same judgement whether the answer is whole.
"""

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

from .core.dialects.interpreted import marked, understood
from .core.dialects.providers import Route, routed
from .core.dialects.sockets import METHODS
from .core.dialects.table import dialect_answering, dialect_in
from .core.drift import Drift, Tier, compare
from .core.headers import served_in
from .core.interaction import Interaction, Response
from .core.secrets.answers import cleared_response
from .core.secrets.redact import Redactor
from .core.text.jsontext import Unfaithful, parse
from .core.text.wording import visible
from .core.varying import UNTOLD
from .engine.flights.flight import Flight, Head
from .engine.flights.launch import Way
from .engine.flights.recorder import NotKept, Recorder, Take, response_of
from .engine.incoming import Incoming
from .errors import UpstreamError

_REDACTED = b"[redacted:"
"""How every placeholder begins that stands in a recorded request for a secret."""


class Anew(NamedTuple):
    """The result of asking a recorded request again."""

    drift: Drift
    interaction: Interaction | None = None
    """What may take the recording's place: under its id, whole and no error."""
    problem: str = ""
    """Why there is no interaction; empty where there is one."""


@dataclass(frozen=True, slots=True)
class Asker:
    """Asks recorded requests again, each of the upstream that it was recorded from.

    With `redirected`, all of them go to `upstream`. The key of `upstream` goes nowhere else: a
    cassette is a file that others write, too, and could name a host of theirs.
    """

    way: Way
    """To the upstream, and for what is asked of another by its model's name, to that one."""
    upstream: str
    """The upstream's base URL."""
    redactor: Redactor
    secrets: tuple[str, ...]
    """Taken out of answers besides what the redactor knows: the key."""
    keep_bytes: int
    """Largest answer that is compared and may be kept."""
    providers: Mapping[str, str]
    """Base URLs by the names that `X-Provider` takes."""
    redirected: bool = False

    async def ask(self, old: Interaction) -> Anew:
        """Send the request of `old` once more, and compare the answers.

        An upstream that fails or cannot be reached is a result too, of its own tier; so is what
        was said over a WebSocket, which hangs on what was said before.
        """
        if old.request.method in METHODS:
            why = "it was said over a WebSocket, which is asked again as a whole: record it anew"
            return Anew(Drift(Tier.UNREACHABLE, (why,)), problem=why)
        flight = Flight(keep_bytes=self.keep_bytes, outlives_readers=True)
        started = time.time()
        incoming = self._incoming(old)
        try:
            await asyncio.gather(_fly(self.way, incoming, flight), _read(flight))
        # ValueError, since a URL in a cassette can be anything.
        except (UpstreamError, ValueError) as error:
            tier = Tier.ERROR if flight.size else Tier.UNREACHABLE
            said = visible(str(error))
            return Anew(Drift(tier, (said,)), problem=said)
        take = Take(
            request=old.request,
            variant=old.variant,
            key=old.key,
            recorded_at=started,
            upstream=incoming.route.url if incoming.route else self.upstream,
            secrets=self.secrets,
            headers=incoming.headers,
        )
        anew = self._judged(old, await flight.head(), flight, take)
        return anew._replace(drift=_with_notes(anew.drift, old, incoming))

    def _incoming(self, old: Interaction) -> Incoming:
        """The request as a client would send it, without a key, with the way that it takes."""
        type_ = (("Content-Type", old.request.content_type),) if old.request.body else ()
        known = (item for item in old.request.selecting if item not in UNTOLD)
        headers = (*type_, *(item for item in known if item[0] != "content-type"))
        # Who was chosen by a model's name is chosen again.
        chosen = served_in(old.response.headers) is not None
        if self.redirected or chosen or old.upstream in ("", self.upstream):
            return Incoming(old.request, headers)
        return Incoming(old.request, headers, Route(old.upstream, "", self._body(old)))

    def _body(self, old: Interaction) -> bytes:
        """The request's body with the model as the provider knows it.

        A request with `X-Provider: NAME` is recorded with the model `NAME/MODEL`, so that the
        provider counts in matching; upstream gets `MODEL`.
        """
        name = next((name for name, url in self.providers.items() if url == old.upstream), "")
        with suppress(Unfaithful):
            body = parse(old.request.body)
            model = body.get("model") if isinstance(body, dict) else None
            if name and isinstance(model, str) and model.startswith(f"{name}/"):
                _, route = routed(old.request, (("x-provider", name),), self.providers)
                return route.body if route else old.request.body
        return old.request.body

    def _judged(self, old: Interaction, head: Head, flight: Flight, take: Take) -> Anew:
        """Judge a flight that has ended: its drift, and what may replace `old` if anything may."""
        try:
            new = Recorder(self.redactor, errors=True, most=self.keep_bytes).interaction(
                head, flight, take
            )
        except NotKept as reason:
            drift = self._incomplete(old, head, flight, str(reason))
            return Anew(drift, problem=str(reason))
        drift = _drift(old, new.response)
        if not 200 <= head.status < 300:
            return Anew(drift, problem=f"status {head.status}")
        in_request = old.request.body.count(_REDACTED)
        return Anew(
            drift,
            marked(
                new._replace(id=old.id, request=old.request, redacted=in_request + new.redacted)
            ),
        )

    def _incomplete(self, old: Interaction, head: Head, flight: Flight, reason: str) -> Drift:
        """The drift of an answer that is not kept, for `reason`.

        It is shape drift at least: a program that reads the answer to its end comes to grief.
        """
        bare = Drift(Tier.SHAPE, (reason,))
        if not flight.whole:
            return bare
        try:
            live = response_of(head, flight.chunks, self.keep_bytes)
        except NotKept:
            return bare
        # Notes tell what errors say, and some name the key that they do not like.
        live, _ = cleared_response(self.redactor, live, self.secrets)
        drift = _drift(old, live)
        return Drift(Tier.SHAPE, (reason, *drift.notes)) if drift.tier.harmless else drift


def _drift(old: Interaction, live: Response) -> Drift:
    """How a live answer departs from a recorded one: as both came, where that can be compared.

    Where they are in two dialects, as their client reads them.
    """
    now = old._replace(response=live)
    dialect = dialect_answering(old)
    if dialect is dialect_answering(now):
        return compare(old.response, live, dialect)
    return compare(understood(old), understood(now), dialect_in(old.request))


async def _fly(way: Way, incoming: Incoming, flight: Flight) -> None:
    """Fill `flight` from upstream, and end it whatever happens. UpstreamError."""
    try:
        await way.fly(incoming, flight)
    except UpstreamError as error:
        flight.land(error)
        raise
    finally:
        flight.land()


async def _read(flight: Flight) -> None:
    """Read a flight to its end, as upstream waits for a reader. UpstreamError if it was cut."""
    place = flight.join()
    try:
        async for _ in flight.read(place):
            pass
    finally:
        flight.leave(place)


def _with_notes(drift: Drift, old: Interaction, incoming: Incoming) -> Drift:
    """`drift` with notes on what the way of asking may have to do with it."""
    notes = list(drift.notes)
    if drift.tier is Tier.ERROR and incoming.route:
        notes.append("it was asked without a key: yours goes to upstream.url only")
    if drift.tier is not Tier.SAME and _REDACTED in old.request.body:
        notes.append("the request was asked with its secrets redacted")
    return Drift(drift.tier, tuple(notes))

"""Answers told to the client that asked, where who served it speaks another dialect.

Recordings and flights hold the very bytes of who served; who that was, and in which dialect, is
told by the answer's head (`headers.SERVED`). What a client reads is made of them here each time:
a stream piece by piece, anything else at once. Nothing that translates is imported before there
is such an answer.
"""

from collections.abc import Callable
from functools import cache, cached_property
from typing import TYPE_CHECKING

import xxhash

from promptdeck.core.headers import RENDERED, SERVED, Provenance, served_in
from promptdeck.core.interaction import (
    Headers,
    Interaction,
    Request,
    Response,
    Variant,
    header,
    is_good,
)
from promptdeck.core.text.jsontext import JSONObject, Unfaithful, parse

from .base import Dialect, StreamFilter, essence
from .pieces import as_object
from .streamed import Streamed
from .table import answered_in, dialect_in
from .variants import JSON_TYPE, STREAM_TYPE

if TYPE_CHECKING:  # at run time only what is to be translated needs it
    from .translate.aim import Aim
    from .translate.memory import Memory


Remembering = Callable[[], "Memory"]
"""Gives a server's memory of what came signed, which is made when it is first asked for."""


def remembering() -> Remembering:
    """A memory of its own for a server."""

    @cache
    def memory() -> "Memory":
        from .translate.memory import Memory

        return Memory()

    return memory


class Interpreter:
    """Tells the client of one request what was answered in another dialect.

    `now` is when it was asked, in seconds since the epoch, for protocols that tell the time
    where the upstream's did not. `memory` keeps what is signed, of which clients lose some.
    """

    def __init__(
        self,
        request: Request,
        served: Provenance,
        dialects: tuple[Streamed, Streamed],
        now: float,
        memory: Remembering | None,
    ) -> None:
        self._request = request
        self._served = served
        self._upstream, self._client = dialects
        self._now = int(now)
        self._memory = memory

    @cached_property
    def _asked(self) -> JSONObject:
        try:
            return as_object(parse(self._request.body))
        except Unfaithful:
            return {}

    @cached_property
    def variant(self) -> Variant:
        """The variant that the client asked for."""
        return self._client.variant(self._asked, self._request.target)

    def _aim(self) -> "Aim":
        from .translate.aim import Aim

        name = self._served.upstream  # of one that is built in, it is the provider's, too
        return Aim(name, self._served.dialect, self._served.model, name)

    def streams(self, status: int, headers: Headers) -> bool:
        """True if the answer of this head goes to its client piece by piece, as it comes.

        Not one that is packed, though nobody asked for that.
        """
        events = essence(header(headers, "content-type")) == "text/event-stream"
        plain = header(headers, "content-encoding").lower() in ("", "identity")
        return events and plain and is_good(status) and self.variant is not Variant.JSON

    def stream(self) -> StreamFilter:
        """What makes the client's bytes of the upstream's, for an answer that `streams`."""
        from .translate.translation import Translation

        return Translation(
            self._upstream,
            self._client,
            self.variant,
            self._asked,
            self._aim(),
            self._now,
            self._memory() if self._memory else None,
        )

    def heading(self, headers: Headers) -> Headers:
        """The headers of an answer that `streams`, as its client gets them."""
        from .translate.translation import heading

        kind = JSON_TYPE if self.variant is Variant.LIST else STREAM_TYPE
        return self._signed(heading(headers, kind))

    def whole(self, response: Response, variant: Variant | None = None) -> Response:
        """A whole answer as its client gets it, in a variant, by default the one asked for.

        What cannot be understood is an error of the client's form; nothing is raised.
        """
        from .translate.translation import answered

        told = answered(
            response,
            self._upstream,
            self._client,
            variant or self.variant,
            self._asked,
            self._aim(),
            self._now,
            self._memory() if self._memory else None,
        )
        return told._replace(headers=self._signed(told.headers))

    def _signed(self, headers: Headers) -> Headers:
        """Headers that tell who served, and from which dialect the answer was translated."""
        told = f"{self._served._replace(dialect='')}; translated-from={self._served.dialect}"
        kept = tuple(item for item in headers if item[0].lower() not in _OURS)
        return (*kept, (SERVED.lower(), told)) if self._served.upstream else kept


_OURS = frozenset([SERVED.lower(), RENDERED.lower()])


def interpreter_of(
    request: Request, headers: Headers, now: float, memory: Remembering | None = None
) -> Interpreter | None:
    """What tells the client of a request the answer that has these headers.

    None for an answer in the client's own dialect.
    """
    served = served_in(headers)
    if served is None:
        return None
    return _interpreter(request, served, answered_in(request, headers), now, memory)


def _interpreter(
    request: Request, served: Provenance, upstream: Dialect, now: float, memory: Remembering | None
) -> Interpreter | None:
    client = dialect_in(request)
    if upstream is client or not (isinstance(upstream, Streamed) and isinstance(client, Streamed)):
        return None
    return Interpreter(request, served, (upstream, client), now, memory)


def interpreter_for(
    recording: Interaction, memory: Remembering | None = None, client: Request | None = None
) -> Interpreter | None:
    """What tells a client a recorded answer: that of the recorded request, or of another dialect.

    None for an answer in its own.
    """
    headers, moment = recording.response.headers, recording.recorded_at
    if client is None:
        return interpreter_of(recording.request, headers, moment, memory)
    upstream = answered_in(recording.request, headers)
    served = served_in(headers) or Provenance("", "")
    return _interpreter(client, served._replace(dialect=upstream.name), upstream, moment, memory)


def understood(recording: Interaction, variant: Variant | None = None) -> Response:
    """A recorded answer in the dialect of its request.

    Where it was translated in a variant, by default that in which it was recorded.
    """
    interpreter = interpreter_for(recording)
    response = recording.response
    return interpreter.whole(response, variant or recording.variant) if interpreter else response


def failure_told(recording: Interaction) -> str | None:
    """The problem with what a client was told of a good answer; None for none.

    What can be told of as a failure only would fail again each time it is replayed.
    """
    interpreter = interpreter_for(recording)
    if interpreter is None or not is_good(recording.response.status):
        return None
    told = interpreter.whole(recording.response, recording.variant)
    return dialect_in(recording.request).problem_with(told)


def marked(recording: Interaction) -> Interaction:
    """A recording that tells, in its `RENDERED` header, what its client is told by this version.

    The same object where its answer is not translated, or tells that already.
    """
    interpreter = interpreter_for(recording._replace(recorded_at=0))
    if interpreter is None:
        return recording
    response = recording.response
    told = f"{_source(recording)}-{_digest(interpreter.whole(response, recording.variant))}"
    if header(response.headers, RENDERED.lower()) == told:
        return recording
    kept = [item for item in response.headers if item[0].lower() != RENDERED.lower()]
    headers = (*kept, (RENDERED.lower(), told))
    return recording._replace(response=response._replace(headers=headers))


def is_told_otherwise(recording: Interaction) -> bool:
    """True where this version tells the client something else than the one that recorded it did.

    False as well where that is not known: for what was edited since, or has no such header.
    """
    old = header(recording.response.headers, RENDERED.lower())
    if not old or old.partition("-")[0] != _source(recording):
        return False
    return header(marked(recording).response.headers, RENDERED.lower()) != old


def _source(recording: Interaction) -> str:
    """A digest of all that a translated answer is made of."""
    request, response = recording.request, recording.response
    served = header(response.headers, SERVED.lower())
    named = f"{recording.variant} {request.target} {served} {response.status}".encode()
    return xxhash.xxh3_64_hexdigest(b"\0".join([named, request.body, response.body]))


def _digest(told: Response) -> str:
    return xxhash.xxh3_64_hexdigest(b"%d " % told.status + told.body)

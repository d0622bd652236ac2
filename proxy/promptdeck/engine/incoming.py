"""A client's request, as the engine takes it."""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from promptdeck.core.dialects.providers import Route
from promptdeck.core.interaction import Headers, Request

from .sides import Fly

if TYPE_CHECKING:
    from promptdeck.core.faults.deal import Dealt


class SentBody(NamedTuple):
    """A request's body as it was sent, where that was packed (compressed) or had a key in it."""

    coding: str
    """Its Content-Encoding."""
    body: bytes
    unreadable: str = ""
    """Why it could not be unpacked: then nobody here knows what it says."""


class Incoming(NamedTuple):
    """A client's request, as the engine takes it."""

    request: Request
    """The request by which recordings are matched; its target begins with `/v1/`."""
    headers: Headers
    """All headers of the client but Content-Length."""
    route: Route | None = None
    """Another upstream than the configured one, where the request itself names one."""
    deal: "Callable[[str], Dealt | None] | None" = None
    """Gives the fault that is to befall an answer, by the request's fingerprint."""
    draws: int = 0
    """How many answers of this request are to be recorded; 0 where it does not say."""
    packed: SentBody | None = None
    """The body as it goes upstream, unless a route has another one."""
    keys: tuple[bytes, ...] = ()
    """The credentials that are hidden in `request.body`, were they there: the client's, ours."""
    secrets: tuple[str, ...] = ()
    """What else the answer must not be kept with: credentials of servers that it came from."""
    fly: Fly | None = None
    """Asks upstream, where that is asked over a connection of this client's own: a socket's."""

    @property
    def sent(self) -> tuple[bytes, str]:
        """The body that goes upstream, and its Content-Encoding; empty where it is not packed."""
        route, packed = self.route, self.packed
        written_anew = route and route.in_model and route.body is not self.request.body
        if packed and not written_anew:
            return packed.body, packed.coding
        return (route.body if route else self.request.body), ""

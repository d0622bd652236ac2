"""The `Way` of an exchange that has several upstreams: it chooses among their ways.

What names a bare model goes straight on, as if there were no choice; so does what brings its own
provider, and what is no model's.
"""

import asyncio
import logging
from typing import TYPE_CHECKING

from promptdeck.core.dialects.table import dialect_of, with_model
from promptdeck.core.routing.choosing import Choice
from promptdeck.core.text.jsontext import JSONObject, Unfaithful, parse
from promptdeck.engine.incoming import Incoming
from promptdeck.engine.sides import Ended, GiveUp, Sink
from promptdeck.errors import ClientError, UpstreamError

from .means import Means

if TYPE_CHECKING:
    from .trip import Trip

SEAL = b"cHJvbXB0ZGVjay8x"
"""Begins what was signed elsewhere and came back through us, as `translate.signing.SEAL`: it goes
to no upstream as it is, not even to the default one."""

log = logging.getLogger("promptdeck")

_MOST_TOLD = 20
"""Prefixes of which that is said: clients name models, and a log is read by people."""
_SHOWN = 80
_LARGE = 256 * 1024
"""Bytes of a body that is parsed in a thread: some 2 ms."""


class Routing:
    """Asks the default upstream, at this base URL, or whom a request's model chooses."""

    def __init__(self, means: Means, default: str) -> None:
        self._means = means
        self._way = means.way("")
        self._default = default
        self._told: set[str] = set()
        """Prefixes of which it was said that they name no upstream."""
        self._default_name = means.choosing.default_name or "default"

    def begin(self, incoming: Incoming, sink: Sink, ended: Ended[UpstreamError]) -> GiveUp | None:
        """As `Way`: None for what may leave a choice."""
        if self._may_choose(incoming):
            return None
        return self._way.begin(incoming, sink, ended)

    async def fly(self, incoming: Incoming, sink: Sink) -> None:
        """As `Way`. Unsendable where no upstream can be asked for what a request wants."""
        trip: Trip | None = None
        if self._may_choose(incoming):
            # Others are served meanwhile.
            large = len(incoming.request.body) > _LARGE
            args = incoming, sink
            trip = await asyncio.to_thread(self._trip, *args) if large else self._trip(*args)
        await (trip.run() if trip else self._way.fly(incoming, sink))

    def _may_choose(self, incoming: Incoming) -> bool:
        """False for nearly all that name one model of the default upstream; nothing is parsed."""
        request, route = incoming.request, incoming.route
        if request.method != "POST" or (route is not None and not route.is_home):
            return False
        if not dialect_of("POST", request.target).is_model:
            return False
        body = request.body
        return SEAL in body or self._means.choosing.may_choose(body, request.target)

    def _trip(self, incoming: Incoming, sink: Sink) -> "Trip | None":
        """The trip of a request that leaves a choice; None for one that does not. Unsendable."""
        from .trip import Trip  # who has one upstream makes none
        from .writing import Asking, unsendable

        request, packed = incoming.request, incoming.packed
        # What has a key in it is kept without, and sent with it.
        data = packed.body if packed and not packed.coding else request.body
        try:
            body = parse(data)
        except Unfaithful:
            return None
        if not isinstance(body, dict):
            return None
        named = with_model(body, request.target)
        try:
            choices = self._means.choosing.choices(named)
        except ClientError as error:
            raise unsendable(error) from None
        if choices is None and isinstance(named, dict):
            self._tell(str(named.get("model")))
        choices = choices or self._sealed(body, data, request.target)
        if not choices:
            return None
        own = incoming.route.url if incoming.route else self._default
        client = dialect_of("POST", request.target)
        asking = Asking(incoming, body, data, client, own, self._default_name)
        return Trip(asking, choices, sink, self._means)

    def _tell(self, model: str) -> None:
        """Say once of a prefix that names no upstream, where others do, that it is none."""
        prefix, slash, _ = model.partition("/")
        names = [name for name, one in self._means.choosing.upstreams.items() if one.declared]
        if slash and names and prefix not in self._told and len(self._told) < _MOST_TOLD:
            self._told.add(prefix)
            log.info(
                "%r goes to the default upstream as it is: no upstream is called %r, but %s",
                model[:_SHOWN],
                prefix[:_SHOWN],
                ", ".join(names),
            )

    def _sealed(self, body: JSONObject, data: bytes, target: str) -> tuple[Choice, ...] | None:
        """The only choice for what holds another upstream's signature: it is written anew."""
        named = with_model(body, target)
        model = named.get("model") if isinstance(named, dict) else None
        if SEAL not in data or not isinstance(model, str):
            return None
        return (Choice("", model, model),)

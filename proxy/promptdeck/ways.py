"""The ways upstream of a server: one to each upstream, opened when it is first asked."""

import asyncio
from collections.abc import Mapping

from .config import Config
from .config.mappings import NO_PROXY
from .core.dialects.interpreted import Remembering
from .core.routing.upstreams import NamedUpstream
from .engine.routing.breakers import Breakers
from .engine.routing.means import Clock, Means
from .engine.routing.waiting import Patience
from .engine.routing.way import Routing
from .routes import choosing_of, homes_of, upstreams_of
from .upstream import Upstream
from .upstream.destination import ENVIRONMENT
from .upstream.keys import Key, Keys


class Ways:
    """The way to the default upstream, those to others, and the one that chooses among them.

    `environ` may hold keys; `name` is the server's own, which goes with what it asks; `memory`
    has what clients lose of what was signed.
    """

    def __init__(
        self, config: Config, environ: Mapping[str, str], name: str, memory: Remembering
    ) -> None:
        self._config = config
        self._name = name
        self._upstreams = upstreams_of(config, environ)
        self._open: dict[str, Upstream] = {}
        settings = config.upstream
        self.default = Upstream(
            settings.url,
            Keys(Key(settings.api_key or ""), self._home_keys(), name=name),
            settings.connect_timeout,
            settings.read_timeout,
        )
        routing = config.routing
        means = Means(
            choosing_of(config, environ),
            self.way,
            Breakers(routing.breaker, routing.breaker_pause),
            Patience(routing.retries, routing.retry_budget),
            routing.hold_back,
            routing.first_byte,
            config.contract.strict,
            {
                upstream: asyncio.Semaphore(one.max_concurrent)
                for upstream, one in config.upstreams.items()
                if one.max_concurrent
            },
            memory,
            Clock.of_machine(),
        )
        self.routing = Routing(means, settings.url)

    async def close(self) -> None:
        """Close all connections. What is under way is to have been given up before."""
        for one in (self.default, *self._open.values()):
            await one.close()

    def _home_keys(self) -> dict[str, Key]:
        """The keys of those declared upstreams whose own protocol is spoken at another home."""
        homes = homes_of(self._config)
        return {
            url: Key(one.key, one.auth)
            for one in self._upstreams.values()
            if one.declared and one.key and (url := homes.url_of(one.name))
        }

    def way(self, name: str) -> Upstream:
        """The way to an upstream by its name; by no name to the default one."""
        if not name:
            return self.default
        way = self._open.get(name)
        if way is None:
            way = self._open[name] = self._opened(self._upstreams[name])
        return way

    def _opened(self, upstream: NamedUpstream) -> Upstream:
        """A way to an upstream, with what the user has set for it."""
        said = self._config.upstreams.get(upstream.name)
        own = self._config.upstream
        extra = tuple(said.headers.items()) if said else ()
        return Upstream(
            upstream.url,
            Keys(Key(upstream.key, upstream.auth), extra=extra, name=self._name),
            said.connect_timeout if said else own.connect_timeout,
            said.read_timeout if said else own.read_timeout,
            proxy=None if said and said.proxy == NO_PROXY else said.proxy if said else ENVIRONMENT,
            setting=f"upstreams.{upstream.name}.base_url",
            mend=upstream.mend,
        )

"""Whom a server may be reached by: other machines only where that is meant, and never itself."""

from yarl import URL

from .config import Config
from .core.hosts import LOOPBACKS, address_of, is_loopback, is_wildcard
from .core.policy import Mode
from .errors import ConfigError


def check_reach(config: Config) -> None:
    """Check that a server may listen where `config` says, and for whom. ConfigError if not."""
    server, url = config.server, URL(config.upstream.url)
    host = address_of(server.host)
    if not (is_loopback(host) or server.token or server.allow_anyone):
        raise ConfigError(
            f"server.host: other machines can reach {server.host}, and would ask with your key: set"
            " server.token (PROMPTDECK_SERVER_TOKEN), or server.allow_anyone: true"
        )
    if config.mode is Mode.REPLAY or not server.port or url.port != server.port:
        return
    asked = address_of(url.host or "")
    addresses = LOOPBACKS if is_loopback(asked) and not asked[-1:].isdecimal() else (asked,)
    here = LOOPBACKS if host == "localhost" else (host,)
    everywhere = is_wildcard(host) and (is_loopback(asked) or is_wildcard(asked))
    if everywhere or set(addresses) & set(here):
        raise ConfigError(
            f"upstream.url: {config.upstream.url} is this server's own address; set it (--upstream)"
            " to the provider's base URL"
        )

"""What of a client's headers goes upstream, and with whose key.

A key goes to the upstream that it is for, and nowhere else; a client's own is put before ours.
"""

from collections.abc import Mapping
from typing import NamedTuple

from promptdeck.core.dialects.providers import BYOK_HEADERS
from promptdeck.core.headers import (
    CREDENTIALS,
    HOP,
    PLACEHOLDER_KEY,
    key_in,
    protocols,
    to_upstream,
)
from promptdeck.core.interaction import Headers, header
from promptdeck.engine.incoming import Incoming

_TAKES_X_API_KEY = "2023-06-01"
"""The version of Anthropic's API in which a key is sent as x-api-key; later ones want Bearer."""


class Key(NamedTuple):
    """A key of ours, and how it is sent."""

    text: str
    auth: str = "bearer"
    """`bearer`, which is Authorization, or the name of a header; `none` for not at all."""

    def header(self, headers: Headers) -> Headers:
        """The header that brings it, beside the others of a request."""
        auth, version = self.auth, header(headers, "anthropic-version")
        if auth == "x-api-key" and version > _TAKES_X_API_KEY:
            auth = "bearer"
        if not self.text or auth == "none":
            return ()
        if auth == "bearer":
            return (("Authorization", f"Bearer {self.text}"),)
        return ((auth, self.text),)


NO_KEY = Key("")


class Keys(NamedTuple):
    """The keys that one upstream has for its calls, and what else it adds to each."""

    own: Key = NO_KEY
    """For calls to the upstream's own base URL."""
    homes: Mapping[str, Key] = {}
    """For calls that are at home elsewhere, by the base URL of that."""
    extra: Headers = ()
    """Headers that take the place of a client's."""
    name: str = ""
    """The server's own, by which it knows a request that it has sent itself; empty for none."""

    def headers(self, incoming: Incoming) -> Headers:
        """The client's headers for upstream, with our key where it has none of its own.

        A request that brings its own provider brings that one's key, or none.
        """
        passed = (item for item in to_upstream(incoming.headers) if PLACEHOLDER_KEY not in item[1])
        route = incoming.route
        if route is None or not route.key:
            bare = tuple(item for item in passed if item[0].lower() not in BYOK_HEADERS)
            key = self.own if route is None else self.homes.get(route.url, NO_KEY)
            key = NO_KEY if _has_own(bare, incoming) else key
        else:
            # The client's other credentials are ours or another provider's: they stay here.
            left_out = CREDENTIALS | BYOK_HEADERS
            bare = tuple(item for item in passed if item[0].lower() not in left_out)
            key = Key(route.key)
        bare = (*bare, *key.header(bare))
        if self.extra:
            names = {name.lower() for name, _ in self.extra}
            bare = (*(item for item in bare if item[0].lower() not in names), *self.extra)
        if coding := incoming.sent[1]:
            bare = (*bare, ("Content-Encoding", coding))
        if self.name:
            came = header(incoming.headers, HOP.lower())
            bare = (*bare, (HOP, f"{came},{self.name}" if came else self.name))
        return bare

    def is_missing(self, incoming: Incoming) -> bool:
        """True if a request goes upstream without a credential of any kind."""
        if any(map(key_in, offered(incoming.headers))):
            return False
        return not any(name.lower() in CREDENTIALS for name, _ in self.headers(incoming))


def _has_own(headers: Headers, incoming: Incoming) -> bool:
    """True if a client's headers bring a credential."""
    if any(name.lower() in CREDENTIALS for name, _ in headers):
        return True
    return any(map(key_in, offered(incoming.headers)))


def offered(headers: Headers) -> tuple[str, ...]:
    """The protocols that a WebSocket's client offers, but for one that holds our placeholder."""
    return tuple(one for one in protocols(headers) if PLACEHOLDER_KEY not in one)

"""Which of a client's headers may go to an upstream that was chosen by a model's name.

A client has its credentials for where its request would go by itself: the default upstream, or the
home of its protocol. To any other upstream none of them goes, but for one in a header that only
that upstream's provider reads: a program that sends `x-goog-api-key` has a key of Google's.
"""

from collections.abc import Mapping

from promptdeck.core.headers import CREDENTIALS
from promptdeck.core.interaction import Headers

from .upstreams import NamedUpstream

OWN_HEADERS: Mapping[str, str] = {"x-api-key": "anthropic", "x-goog-api-key": "google"}
"""By header the one provider whose keys are sent in it."""

_OF_DIALECT: Mapping[str, str] = {"anthropic-": "messages", "x-goog-": "gemini"}
"""What begins headers that mean something in one dialect alone."""
_OF_ACCOUNT = ("openai-organization", "openai-project")
"""Headers that name an account, which is another one at every other upstream."""


def is_own(upstream: NamedUpstream, own_url: str) -> bool:
    """True for the upstream that a request would go to without a choice."""
    return upstream.url.rstrip("/") == own_url.rstrip("/")


def belonging(
    headers: Headers, upstream: NamedUpstream, own_url: str, dialect: str, client: str = ""
) -> Headers:
    """Those of a client's headers that may go to an upstream, which is spoken to in a dialect.

    `own_url` is the base URL that the request would go to without a choice, `client` the dialect
    that it was asked in, where that may be another: one server may be of several providers, and
    a key is of the one whose protocol its client speaks. OpenAI's two have the same.
    """
    own = is_own(upstream, own_url) and _keyed(dialect) == _keyed(client or dialect)
    return tuple(item for item in headers if _goes(item[0].lower(), upstream, dialect, own=own))


def _keyed(dialect: str) -> str:
    """What dialects have alike that are asked with the same keys."""
    return "openai" if dialect in ("chat", "responses") else dialect


def _goes(name: str, upstream: NamedUpstream, dialect: str, *, own: bool) -> bool:
    if name in CREDENTIALS:
        return own or (name in OWN_HEADERS and OWN_HEADERS[name] == upstream.name)
    if name in _OF_ACCOUNT:
        return own
    return all(dialect == only or not name.startswith(one) for one, only in _OF_DIALECT.items())


_SHORTEST = 8
"""Characters that a key has at least: what is shorter may be a word."""


def masked(data: bytes, key: str) -> bytes:
    """What an upstream says of a request, without the key that this was sent with.

    Some tell it again to whoever was refused, and the client is not the one who has sent it.
    """
    if len(key) < _SHORTEST:
        return data
    return data.replace(key.encode(), b"[redacted:key]")

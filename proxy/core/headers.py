"""Which headers travel, which are kept in a recording, and how `Cache-Status` is written."""

from collections.abc import Iterable

from .interaction import Headers
from .policy import Found

HOP_BY_HOP = frozenset(
    """connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer
    transfer-encoding upgrade""".split()
)
"""RFC 9110, section 7.6.1: about one connection, never forwarded."""

CREDENTIALS = frozenset(
    """authorization proxy-authorization cookie set-cookie x-api-key api-key x-goog-api-key
    x-provider-key x-amz-security-token""".split()
)
"""Headers whose value is a secret."""

_NOT_SENT_UPSTREAM = frozenset(["host", "content-length", "accept-encoding"])

# A recording is read in reviews and replayed years later: what is about one
# connection, one day, one account or one data centre would be noise or a lie.
_NOT_KEPT = (
    HOP_BY_HOP
    | CREDENTIALS
    | frozenset(
        """content-length content-encoding date age server via alt-svc nel report-to vary
        strict-transport-security access-control-allow-origin access-control-expose-headers
        x-content-type-options x-request-id cf-ray cf-cache-status openai-organization
        openai-project openai-processing-ms x-accel-buffering anthropic-organization-id x-envoy-upstream-service-time cache-status
        """.split()
    )
)


def _connection_bound(headers: Headers) -> frozenset[str]:
    named = (value for key, value in headers if key.lower() == "connection")
    return HOP_BY_HOP | {name.strip().lower() for value in named for name in value.split(",")}


def to_upstream(headers: Headers) -> Headers:
    """A client's headers as the upstream gets them.

    Compression is refused for the client: a recording is kept as text, and what
    passes through is what is recorded.
    """
    dropped = _connection_bound(headers) | _NOT_SENT_UPSTREAM
    passed = tuple(item for item in headers if item[0].lower() not in dropped)
    return (*passed, ("Accept-Encoding", "identity"))


def to_client(headers: Headers) -> Headers:
    """An upstream's headers as the client gets them."""
    dropped = _connection_bound(headers)
    return tuple(item for item in headers if item[0].lower() not in dropped)


def kept(headers: Headers) -> Headers:
    """A response's headers as a recording keeps them, in lower case."""
    dropped = _connection_bound(headers) | _NOT_KEPT
    return tuple(
        (name.lower(), value)
        for name, value in headers
        if name.lower() not in dropped and not name.lower().startswith("x-ratelimit-")
    )


def secrets(headers: Headers) -> tuple[str, ...]:
    """The secret values among a request's headers, without scheme words such as `Bearer`."""
    values = (value for key, value in headers if key.lower() in CREDENTIALS)
    return tuple(value.split()[-1] for value in values if value.strip())


FORWARDED = {Found.HIT: "bypass", Found.STALE: "stale", Found.MISS: "uri-miss"}
"""Why a request went upstream, in RFC 9211's words, by what was found."""


def cache_status(*words: str, key: str = "", detail: str = "") -> str:
    """A `Cache-Status` header (RFC 9211): `promptdeck; hit; key="..."; detail="..."`."""
    parts: Iterable[str] = ("promptdeck", *words)
    if key:
        parts = (*parts, f'key="{key}"')
    if detail:
        parts = (*parts, f'detail="{detail}"')
    return "; ".join(parts)

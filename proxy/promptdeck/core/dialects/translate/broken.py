"""An answer that failed upstream, as the error that a client is told of."""

import math
from collections.abc import Mapping

from promptdeck.core.text.jsontext import JSON
from promptdeck.errors import HTTPError, UpstreamError

from .neutral import Broke

OVERLOADED = 529
"""Anthropic's own status for what others say by 503."""


def error_of(broke: Broke) -> HTTPError:
    """The error of which a dialect makes a body or an event, with the headers that go with it.

    Status, type, code and param are the provider's; the status may be one that only some clients
    know, as 529.
    """
    error = UpstreamError(
        broke.message,
        code=broke.code or broke.type,
        status=broke.status,
        param=broke.param,
        details=_details(broke.details),
        retry=True if broke.status == OVERLOADED else None,
    )
    error.type = broke.type
    if broke.retry_after is not None:
        error.headers = {"retry-after": str(math.ceil(broke.retry_after))}
        if broke.retry_after != int(broke.retry_after):
            error.headers |= {"retry-after-ms": str(math.ceil(broke.retry_after * 1000))}
    return error


def _details(details: JSON) -> Mapping[str, JSON] | None:
    """What a provider tells beside, as an object; None where that is nothing."""
    return details if isinstance(details, dict) else {"upstream": details} if details else None


def cut_off(what: str) -> Broke:
    """The failure of a stream that has ended without its protocol's end; `what` names that."""
    message = f"the upstream's answer broke off before its end ({what})"
    return Broke(502, "upstream_error", message, "upstream_cut")


def unreadable(why: str) -> Broke:
    """The failure of an answer that its dialect does not know; `why` is a phrase."""
    message = f"the upstream's answer cannot be read: {why}"
    return Broke(502, "upstream_error", message, "upstream_unreadable")

"""A client's request, read from aiohttp's, as the engine takes it."""

from collections.abc import Mapping

from aiohttp import web

from promptdeck.core.dialects.providers import routed
from promptdeck.core.headers import DRAWS
from promptdeck.core.interaction import Headers, Request
from promptdeck.engine.asking import Incoming
from promptdeck.errors import ClientError

# More answers of one request than anybody draws; each is a call that costs.
_MOST_DRAWS = 1000


async def incoming_of(request: web.Request, providers: Mapping[str, str]) -> Incoming:
    """Read a request to its end, and what its headers say of where it goes.

    `providers` are base URLs by the name that a request may choose them by. ClientError for
    a body over the server's limit, an unknown provider or a header that cannot be read.
    """
    try:
        body = await request.read()
    except web.HTTPRequestEntityTooLarge:
        limit = request.client_max_size
        raise ClientError(
            f"the request body is larger than server.max_body ({limit} bytes)",
            code="too_large",
            status=413,
        ) from None
    headers = without_length(request.headers)
    target = request.raw_path[request.raw_path.index("/v1/") :]
    sent = Request(request.method, target, request.headers.get("Content-Type", ""), body)
    counted, route = routed(sent, headers, providers)
    return Incoming(counted, headers, route, draws=_draws(request))


def without_length(headers: Mapping[str, str]) -> Headers:
    """All headers but Content-Length: what a client sends with each of its requests."""
    return tuple([item for item in headers.items() if item[0].lower() != "content-length"])


def _draws(request: web.Request) -> int:
    """The number in X-Promptdeck-Draws, 0 without it. ClientError for anything else."""
    text = request.headers.get(DRAWS)
    if text is None:
        return 0
    # Its length before its worth: long numbers take long to read.
    if text.isascii() and text.isdecimal() and len(text) < 10 and 1 <= int(text) <= _MOST_DRAWS:
        return int(text)
    raise ClientError(
        f"{DRAWS} must be a number from 1 to {_MOST_DRAWS}, not {text[:40]!r}",
        code="bad_draws",
        param=DRAWS,
    )

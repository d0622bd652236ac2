"""A client's request, read from aiohttp's, as the engine takes it."""

import re
from collections.abc import Mapping
from urllib.parse import unquote

from aiohttp import web

from promptdeck.core.dialects.providers import routed
from promptdeck.core.headers import DRAWS
from promptdeck.core.interaction import Headers, Request
from promptdeck.core.varying import selecting
from promptdeck.engine.asking import Incoming
from promptdeck.errors import ClientError

DECISIVE = frozenset([DRAWS.lower()])
"""Headers read here with which a request is decided on by itself."""

# Where the segments of a path like /session/NAME/v1/... that are not a name begin again.
_AFTER_NAME = 3
_ROOTS = ("v1", "openai")
"""Under which the API is served, behind a session or cassette."""
_APPENDED = ("/v1//", "/v1/v1/", "/v1/openai/")
# What SDKs append: anthropic's `v1`, groq's `openai/v1`, those with a slash of their own.
_AGAIN = re.compile(r"(?:/|v1/|openai/(?=v1/|deployments/))*")
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
    content_type = request.headers.get("Content-Type", "")
    target = target_of(request.raw_path)
    sent = Request(request.method, target, content_type, body, selecting(headers))
    counted, route = routed(sent, headers, providers)
    return Incoming(counted, headers, route, draws=_draws(request))


def target_of(sent: str) -> str:
    """The target that counts, from `/v1/` on: path and query without a session or cassette.

    `sent` is the target of a request that was routed to what is below `/v1/` or `/openai/`,
    as Azure's clients begin it. However its `v1` is written there (`%76%31` is the same,
    RFC 3986, 6.2.2.2), and however often clients append to a base_url what it holds already
    (`/v1/v1/`, `/v1//`, `/v1/openai/v1/`), it is `/v1/` here; all that follows stays as it
    was sent.
    """
    if sent.startswith("/v1/") and not sent.startswith(_APPENDED):
        return sent
    path, mark, query = sent.partition("?")
    if not path.startswith("/"):
        # The absolute form (RFC 9112, 3.2.2): scheme and host stand before the path.
        path = "/" + path.partition("://")[2].partition("/")[2]
    segments = path.split("/")
    # A session has a name of one segment, a cassette of one or more, the first of which may
    # be `v1` itself.
    at = _AFTER_NAME if unquote(segments[1]) in ("session", "cassette") else 1
    while unquote(segments[at]) not in _ROOTS:
        at += 1
    rest = "/".join(segments[at + 1 :])
    return "/v1/" + rest[len(_AGAIN.match(rest)[0]) :] + mark + query  # type: ignore[index]


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

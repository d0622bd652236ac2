"""A client's request, read from aiohttp's, as the engine takes it."""

import asyncio
from collections.abc import Mapping
from typing import NamedTuple

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from promptdeck.core.codings import BrokenCoding, Codings, UnknownCoding, UnpackedTooLarge
from promptdeck.core.dialects.homes import Homes
from promptdeck.core.dialects.providers import routed
from promptdeck.core.headers import ADMISSION, DRAWS, HOP, PLACEHOLDER_KEY, secrets
from promptdeck.core.interaction import Headers, Request
from promptdeck.core.secrets.redact import own_keys, without_keys
from promptdeck.core.targets import target_of
from promptdeck.core.varying import selecting
from promptdeck.engine.incoming import Incoming, SentBody
from promptdeck.errors import ClientError

from .noted import BROUGHT

DECISIVE = frozenset([DRAWS.lower(), "content-encoding"])
"""Headers read here with which a request is decided on by itself."""
INDIFFERENT = frozenset([HOP.lower()])
"""Whom a head came through does not change."""

# More answers of one request than anybody draws; each is a call that costs.
_MOST_DRAWS = 1000


class Ground(NamedTuple):
    """What a server knows of where requests go, by which they are read."""

    providers: Mapping[str, str]
    """Base URLs by the names that a request may choose them by."""
    homes: Homes
    """Knows those of requests that choose none."""
    keys: tuple[str, ...]
    """The server's own: what upstream gets where a client brings none."""
    max_values: int
    """Commas and brackets that a body of JSON may have."""


async def incoming_of(request: web.Request, ground: Ground) -> Incoming:
    """Read a request to its end, and what its headers say of where it goes.

    A key that came with it, or the server's, is hidden where it stands in the body as well:
    upstream gets it, recordings do not. ClientError as `body_of`, for an unknown provider or a
    header that cannot be read.
    """
    body, packed = await _read(request)
    await _others_first(body)
    refuse_many_values(body, request.content_type, ground.max_values)
    await _others_first(body)
    headers = sent_headers(request)
    content_type = request.headers.get("Content-Type", "")
    target = target_of(request.raw_path)
    sent = Request(request.method, target, content_type, body, selecting(headers))
    counted, route = routed(sent, headers, ground.providers)
    route = route or ground.homes.route(sent, headers)
    keys = keys_of(headers, ground.keys)
    hidden = without_keys(counted.body, keys)
    if hidden is not counted.body:
        counted, packed = counted._replace(body=hidden), packed or SentBody("", body)
    await _others_first(body)
    return Incoming(counted, headers, route, draws=_draws(request), packed=packed, keys=keys)


_LARGE = 1024 * 1024
"""Bytes of a body from which others get their turn between two looks at all of it: one at 32 MB
takes 3 to 15 ms, and five of them in a row held others up for 0.1 s."""


async def _others_first(body: bytes) -> None:
    """Let others go on where a body is large."""
    if len(body) > _LARGE:
        await asyncio.sleep(0)


def keys_of(headers: Headers, own: tuple[str, ...]) -> tuple[bytes, ...]:
    """The keys that are hidden in a request with these headers; `own` are the server's."""
    return own_keys([key for key in (*secrets(headers), *own) if key != PLACEHOLDER_KEY])


async def body_of(request: web.Request) -> bytes:
    """Read a request's body to its end, and unpack it.

    ClientError: 413 for one over the server's limit, 400 for one that is not framed or packed
    as its head says, 415 for one that is packed in a way that cannot be undone here.
    """
    body, packed = await _read(request)
    if packed and packed.unreadable:
        raise ClientError(
            packed.unreadable,
            code="unreadable_encoding",
            status=415,
            param="Content-Encoding",
            retry=False,
        )
    return body


async def _read(request: web.Request) -> tuple[bytes, SentBody | None]:
    """The body as it counts, and as it was sent if that was packed. ClientError as `body_of`."""
    limit = request.client_max_size
    try:
        body = await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise _too_large(limit) from None
    except (web.RequestPayloadError, HttpProcessingError):
        raise ClientError("the body is not framed as its head says", code="bad_body") from None
    coding = ", ".join(request.headers.getall("Content-Encoding", []))
    codings = Codings.of(coding)
    if not codings.names:
        return body, SentBody(coding, body) if coding else None
    try:
        # What is small may unfold to much: others are served meanwhile.
        return await asyncio.to_thread(codings.unpacked, body, limit), SentBody(coding, body)
    except UnknownCoding as why:
        told = f"Content-Encoding: {why}; or send the body as it is"
        return body, SentBody(coding, body, told)
    except UnpackedTooLarge:
        raise _too_large(limit) from None
    except BrokenCoding as why:
        raise ClientError(
            f"the body is {why}", code="bad_encoding", param="Content-Encoding"
        ) from None


def _too_large(most: int) -> ClientError:
    """The error of a body that has more bytes than a server takes."""
    return ClientError(
        f"the request body is larger than server.max_body ({most} bytes)",
        code="too_large",
        status=413,
    )


def refuse_loop(request: web.Request, name: str) -> None:
    """ClientError 508 for a request that this server, of this name, has sent itself."""
    if name in ",".join(request.headers.getall(HOP, [])).split(","):
        raise ClientError(
            "this request comes from promptdeck itself: its upstream leads back to it; set"
            " upstream.url (--upstream) to the provider's base URL",
            code="loop",
            status=508,
            param="upstream.url",
            retry=False,
        )


def refuse_many_values(body: bytes, kind: str, most: int) -> None:
    """ClientError for JSON of so many values that others would have to wait while it is read.

    orjson lets no other thread run meanwhile, and takes some 0.5 us for each; to count commas
    and brackets, those in texts too, takes a millisecond for a megabyte. No model takes as many.
    """
    if len(body) <= most or kind.startswith("multipart/"):
        return
    if body[:64].lstrip()[:1] not in (b"{", b"["):
        return
    found = sum(map(body.count, (b",", b"[", b"{")))
    if found > most:
        raise ClientError(
            f"the request body holds {found} commas and brackets, more than server.max_values"
            f" ({most}): reading it would hold up other requests",
            code="too_many_values",
            status=413,
        )


def sent_headers(request: web.Request) -> Headers:
    """What a client sends with each of its requests: all headers but Content-Length.

    Those that brought the server's token stay here.
    """
    brought = request.get(BROUGHT, frozenset())
    return tuple(
        [
            item
            for item in request.headers.items()
            if (name := item[0].lower()) not in _STAYS and (name, item[1]) not in brought
        ]
    )


_STAYS = frozenset(["content-length", ADMISSION.lower()])


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

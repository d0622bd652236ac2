"""How the scripted providers write their answers, and whom they refuse."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterable

import orjson
from aiohttp import web
from turns import JSON, KEYS, Refused

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def in_json(value: JSON, status: int = 200) -> web.Response:
    """A whole answer."""
    return web.Response(status=status, body=orjson.dumps(value), content_type="application/json")


async def sse(
    request: web.Request,
    events: Iterable[JSON],
    *,
    named: bool = False,
    line_end: bytes = b"\n",
    end: bytes = b"",
) -> web.StreamResponse:
    """A stream of events, a write each, `named` by their type where the provider names them."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8"})
    frames = [
        (b"event: " + event["type"].encode() + line_end if named else b"")
        + (b"data: " + orjson.dumps(event) + line_end * 2)
        for event in events
    ]
    return await written(request, response, [*frames, end])


async def written(
    request: web.Request, response: web.StreamResponse, frames: list[bytes]
) -> web.StreamResponse:
    """A stream of frames, a write each."""
    await response.prepare(request)
    for frame in frames:
        await response.write(frame)
        await asyncio.sleep(0)  # a write of its own for each
    return response


_HEADERS = {"anthropic": "x-api-key", "google": "x-goog-api-key", "azure": "api-key"}
"""Where a provider's own SDK puts the key, if not behind `Authorization: Bearer`."""


def _admit(request: web.Request) -> None:
    """Refuse a request that brings no key, or any other provider's."""
    provider = request.path.split("/")[1]
    told = f"{request.raw_path} {request.headers.values()!r}"
    for name, key in KEYS.items():
        if name != provider and key in told:
            raise Refused(f"the key of {name} came to {provider}")
    brought = request.headers.get(_HEADERS.get(provider, ""), "") or request.query.get("key", "")
    brought = brought or request.headers.get("Authorization", "").removeprefix("Bearer ")
    if provider != "ollama" and brought != KEYS[provider]:
        raise Refused(f"Incorrect API key provided: {brought!r}")
    if provider == "anthropic" and "anthropic-version" not in request.headers:
        raise Refused("anthropic-version: header is required")


@web.middleware
async def refusals(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Whatever is wrong is said to the client in the provider's shape, and on stderr."""
    try:
        _admit(request)
        return await handler(request)
    except web.HTTPException as error:
        status, message = error.status, error.reason
    except (AttributeError, LookupError, TypeError, ValueError, Refused) as error:
        status, message = 400, f"{type(error).__name__}: {error}"
    sys.stderr.write(f"refused {request.method} {request.raw_path}: {message}\n")
    sys.stderr.flush()
    shape: JSON = {"message": message, "type": "invalid_request_error", "code": None}
    if request.path.startswith("/anthropic"):
        return in_json({"type": "error", "error": shape}, status)
    if request.path.startswith("/google"):
        shape = {"code": status, "message": message, "status": "INVALID_ARGUMENT"}
    return in_json({"error": shape}, status)

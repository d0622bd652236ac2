"""MCP servers behind promptdeck: `/mcp/NAME`, by Streamable HTTP, in both eras of the protocol.

NAME is one of the configuration's `agent.servers`. Each POST is answered with JSON; there are no
sessions, and no stream of what a server would say unasked.
"""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import orjson
from aiohttp import web

from promptdeck.core.dialects.base import essence, is_json
from promptdeck.errors import ClientError

from .reading import body_of

if TYPE_CHECKING:  # 20 ms, which a start does not wait for
    from promptdeck.engine.agent.relay import Relay

Relays = Callable[[web.Request], Awaitable["Relay"]]
"""The stand-in for the server that a request's path names. HTTPError."""


def add_routes(router: web.UrlDispatcher, prefix: str, relays: Relays) -> None:
    """Route what is below `prefix`."""

    async def posted(request: web.Request) -> web.Response:
        return await _posted(request, await relays(request))

    path = prefix + "/mcp/{server:[a-zA-Z0-9_.-]+(?:/[a-zA-Z0-9_.-]+)?}"
    router.add_post(path, posted)
    # As the specification has it of a server without a stream, or without sessions.
    router.add_route("GET", path, _not_offered)
    router.add_route("DELETE", path, _not_offered)


async def _posted(request: web.Request, relay: "Relay") -> web.Response:
    if not is_json(essence(request.headers.get("Content-Type", ""))):
        raise ClientError(
            "messages of MCP need Content-Type: application/json",
            code="not_json",
            status=415,
            param="Content-Type",
        )
    try:
        message = orjson.loads(await body_of(request))
    except orjson.JSONDecodeError:
        message = None
    answer = await relay.answer(message)
    if answer is None:
        return web.Response(status=202)
    return web.Response(body=orjson.dumps(answer), content_type="application/json")


async def _not_offered(request: web.Request) -> web.Response:
    del request
    return web.Response(status=405, headers={"Allow": "POST"})

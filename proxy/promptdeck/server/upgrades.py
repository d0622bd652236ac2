"""What becomes of a client that wants to speak another protocol on its connection.

The one place that decides it. WebSocket is refused by name: who asks for it falls back to
HTTP then, as RFC 9110, 15.5.22 has it. Any other upgrade (h2c) may be ignored, and is.
"""

from aiohttp import web

from promptdeck.errors import ClientError

from .errors import Handler

DECISIVE = frozenset(["upgrade"])
"""Headers read here with which a request is decided on by itself."""


@web.middleware
async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Have a request answered by HTTP, whatever else it offers. ClientError 426 for WebSocket."""
    wanted = ",".join(request.headers.getall("Upgrade", [])).lower().split(",")
    if any(name.strip().partition("/")[0] == "websocket" for name in wanted):
        error = ClientError(
            "promptdeck does not speak WebSocket: send the request by HTTP, which it records and"
            " streams",
            code="websocket_unsupported",
            status=426,
            retry=False,
        )
        error.headers = {"Upgrade": "HTTP/1.1", "Connection": "Upgrade"}
        raise error
    return await handler(request)

"""What becomes of a client that wants to speak another protocol on its connection.

The one place that decides it. WebSocket is spoken where models are (`core.dialects.sockets`), and
refused by name elsewhere: who asks for it falls back to HTTP then, as RFC 9110, 15.5.22 has it.
Any other upgrade (h2c) may be ignored, and is.
"""

from aiohttp import web

from promptdeck.core.dialects.table import spoken_at
from promptdeck.core.headers import NO_UPGRADE, UPGRADE_REQUIRED
from promptdeck.core.targets import target_of
from promptdeck.errors import ClientError

from .errors import Handler

DECISIVE = frozenset(["upgrade"])
"""Headers read here with which a request is decided on by itself."""


@web.middleware
async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Have a request answered by HTTP, whatever else it offers. ClientError 426 for WebSocket."""
    if wants_socket(request) and not spoken_at(target_of(request.raw_path)):
        raise refusal()
    return await handler(request)


def wants_socket(request: web.Request) -> bool:
    """True for a client that asks for a WebSocket."""
    wanted = ",".join(request.headers.getall("Upgrade", [])).lower().split(",")
    return any(name.strip().partition("/")[0] == "websocket" for name in wanted)


def refusal(why: str = "promptdeck does not speak WebSocket here") -> ClientError:
    """The error that has a client ask by HTTP."""
    error = ClientError(
        f"{why}: send the request by HTTP, which it records and streams",
        code="websocket_unsupported",
        status=UPGRADE_REQUIRED,
        retry=False,
    )
    error.headers = NO_UPGRADE
    return error

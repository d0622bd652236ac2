"""What promptdeck says itself, as JSON."""

from typing import Any

import orjson
from aiohttp import web

from .heading import Answer


def json_response(
    body: Any, *, status: int = 200, headers: dict[str, str] | None = None
) -> web.Response:
    """An answer of promptdeck's own: `body` is anything that orjson writes."""
    return Answer(
        status=status,
        body=orjson.dumps(body),
        content_type="application/json",
        headers=headers,
    )

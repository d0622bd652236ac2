"""What promptdeck says itself, as JSON."""

from typing import Any

import orjson
from aiohttp import web

from promptdeck.core.text.jsontext import render

from .heading import Answer


def json_response(
    body: Any, *, status: int = 200, headers: dict[str, str] | None = None
) -> web.Response:
    """An answer of promptdeck's own: `body` is anything that orjson writes.

    In its texts a byte that is no UTF-8, as a client's headers may have, becomes `?`.
    """
    try:
        data = orjson.dumps(body)
    except TypeError:
        data = render(body, "compact").encode("utf-8", "replace")
    return Answer(
        status=status,
        body=data,
        content_type="application/json",
        headers=headers,
    )

"""The one place where an error becomes an answer, in the body that clients read."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from functools import partial

from aiohttp import web

from promptdeck.core.dialects.table import told_in
from promptdeck.core.interaction import Headers
from promptdeck.core.targets import target_of
from promptdeck.errors import ClientError, HTTPError, UsageError

from .json import json_response
from .logged import log_answer, log_left, shown
from .noted import REQUEST_ID, new_request_id

log = logging.getLogger("promptdeck")

INDIFFERENT = frozenset(["x-request-id"])
"""Echoed, on the fast path too."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give each request an id, log its outcome, turn whatever goes wrong into JSON."""
    started = time.perf_counter()
    request[REQUEST_ID] = request.headers.get("X-Request-Id") or new_request_id().decode()
    told = partial(
        error_response,
        method=request.method,
        target=target_of(request.raw_path),
        headers=tuple(request.headers.items()),
        request_id=request[REQUEST_ID],
    )
    try:
        response = await handler(request)
    except HTTPError as error:
        response = told(error)
    except UsageError as error:
        # A cassette that has become unreadable while the server runs.
        response = told(HTTPError(str(error), code="unusable", retry=False))
    except web.HTTPException as error:
        response = told(ClientError(error.reason, status=error.status))
    except (ConnectionError, asyncio.CancelledError):
        log_left(request.method, request.path)
        raise
    except Exception:
        log.exception("%s %s failed", request.method, shown(request.path))
        response = told(HTTPError("promptdeck failed; its log says how"))
    if not response.prepared:
        response.headers.setdefault("X-Request-Id", request[REQUEST_ID])
    outcome = response.headers.get("Cache-Status", "")
    log_answer(request.method, request.path, response.status, started, outcome)
    return response


def error_response(
    error: HTTPError,
    method: str = "",
    target: str = "",
    headers: Headers = (),
    request_id: str = "",
) -> web.Response:
    """The answer that tells of an error as clients of what was asked read it, headers too.

    What was asked is told by its method, its target as it counts, and its headers.

    `x-should-retry` is what the OpenAI, Anthropic and Dedalus SDKs obey before their own rules.
    """
    told = dict(error.headers)
    if error.retry is not None:
        told["x-should-retry"] = "true" if error.retry else "false"
    if error.cache_status:
        told["Cache-Status"] = error.cache_status
    body = told_in(method, target, headers).error(error, request_id)
    return json_response(body, status=error.status, headers=told)

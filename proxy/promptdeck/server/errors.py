"""The one place where an error becomes JSON, in the body that both SDKs read."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

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
    try:
        response = await handler(request)
    except HTTPError as error:
        response = error_response(error)
    except UsageError as error:
        # A cassette that has become unreadable while the server runs.
        response = error_response(HTTPError(str(error), code="unusable"))
    except web.HTTPException as error:
        response = error_response(ClientError(error.reason, status=error.status))
    except (ConnectionError, asyncio.CancelledError):
        log_left(request.method, request.path)
        raise
    except Exception:
        log.exception("%s %s failed", request.method, shown(request.path))
        response = error_response(HTTPError("promptdeck failed; its log says how"))
    if not response.prepared:
        response.headers.setdefault("X-Request-Id", request[REQUEST_ID])
    outcome = response.headers.get("Cache-Status", "")
    log_answer(request.method, request.path, response.status, started, outcome)
    return response


def error_body(error: HTTPError) -> dict[str, Any]:
    """The JSON body of an error, as both SDKs read it: openai under `error`, dedalus at the top."""
    fields = {
        "message": error.message,
        "type": error.type,
        "param": error.param,
        "code": error.code,
    }
    details = {"details": error.details} if error.details else {}
    return {"error": {**fields, **details}, **fields, **details}


def error_response(error: HTTPError) -> web.Response:
    """The answer that tells of an error, with what SDKs read in its headers.

    `x-should-retry` is what the OpenAI and Dedalus SDKs obey before their own rules.
    """
    headers = {}
    if error.retry is not None:
        headers["x-should-retry"] = "true" if error.retry else "false"
    if error.cache_status:
        headers["Cache-Status"] = error.cache_status
    return json_response(error_body(error), status=error.status, headers=headers)

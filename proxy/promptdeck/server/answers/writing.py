"""Answers from recordings: whole, or at their recorded pace."""

import asyncio
from typing import Any

import orjson
from aiohttp import web
from multidict import CIMultiDict

from promptdeck.core.dialects.chat.rendering import PlainStream
from promptdeck.core.interaction import CHAT_COMPLETIONS, Response
from promptdeck.engine.outcome import Served
from promptdeck.errors import HTTPError
from promptdeck.server.fast.paced import steps_of
from promptdeck.server.noted import REPEAT, REQUEST_ID

from .pace import Pace


async def serve(request: web.Request, served: Served, pace: Pace) -> web.StreamResponse:
    """Write a recorded answer."""
    response = served.response
    headers = CIMultiDict(response.headers)
    headers["Cache-Status"] = served.cache_status
    headers["Age"] = str(served.age)
    add_common(headers, request[REQUEST_ID], served.warning)
    at_once = pace.at_once
    if response.is_stream and not at_once:
        return await _paced(request, response, headers, pace.factor)
    if not at_once:
        await asyncio.sleep(response.took_ms / 1000 / pace.factor)
    elif served.repeat:
        request[REPEAT] = served.repeat
    body = response.body
    if response.is_stream and is_chat(request.path):
        plain = PlainStream()
        body = plain.feed(body) + plain.rest()
    return web.Response(status=response.status, headers=headers, body=body)


def add_common(headers: "CIMultiDict[str]", request_id: str, warning: str) -> None:
    headers.setdefault("X-Request-Id", request_id)
    if warning:
        headers["Warning"] = warning_of(warning)


def warning_of(text: str) -> str:
    """299, miscellaneous persistent warning; a header holds ASCII, a quoted string no quotes."""
    text = text.replace("\\", "/").replace('"', "'").encode("ascii", "replace").decode()
    return f'299 promptdeck "{text}"'


def is_chat(target: str) -> bool:
    return target.partition("?")[0].endswith(CHAT_COMPLETIONS)


async def _paced(
    request: web.Request, response: Response, headers: "CIMultiDict[str]", factor: float
) -> web.StreamResponse:
    """Write each frame when its recorded moment has come."""
    stream = web.StreamResponse(status=response.status, headers=headers)
    loop = asyncio.get_running_loop()
    start = loop.time()
    for after, data in steps_of(response, factor, chat=is_chat(request.path)):
        if (left := start + after - loop.time()) > 0:
            await asyncio.sleep(left)
        if not stream.prepared:
            await stream.prepare(request)
        await stream.write(data)
    await stream.write_eof()
    return stream


def error_body(error: HTTPError) -> dict[str, Any]:
    """The error in the one form that both SDKs read: openai under `error`, dedalus at the top."""
    fields = {
        "message": error.message,
        "type": error.type,
        "param": error.param,
        "code": error.code,
    }
    details = {"details": error.details} if error.details else {}
    return {"error": {**fields, **details}, **fields, **details}


def json_response(
    body: Any, *, status: int = 200, headers: dict[str, str] | None = None
) -> web.Response:
    return web.Response(
        status=status,
        body=orjson.dumps(body),
        content_type="application/json",
        headers=headers,
    )

"""Answers from recordings: whole, or at their recorded pace."""

import asyncio
import math
from itertools import groupby
from typing import Any, NamedTuple

import orjson
from aiohttp import web
from multidict import CIMultiDict

from proxy.core.interaction import CHAT_COMPLETIONS, Response
from proxy.core.plainstream import PlainStream
from proxy.engine.outcome import Served
from proxy.errors import HTTPError

from .noted import REPEAT, REQUEST_ID


class Pace(NamedTuple):
    factor: float
    """Recorded delays are divided by this; infinity is at once."""
    keep_alive: float | None
    """After so many seconds of silence a stream gets a comment."""

    @property
    def at_once(self) -> bool:
        return math.isinf(self.factor)


async def serve(request: web.Request, served: Served, pace: Pace) -> web.StreamResponse:
    """Write a recorded answer."""
    response = served.response
    headers = CIMultiDict(response.headers)
    headers["Cache-Status"] = served.cache_status
    headers["Age"] = str(served.age)
    add_common(headers, request[REQUEST_ID], served.warning)
    at_once = pace.at_once
    plain = PlainStream() if response.is_stream and is_chat(request.path) else None
    if response.is_stream and not at_once:
        return await _paced(request, response, headers, pace.factor, plain)
    if not at_once:
        await asyncio.sleep(response.took_ms / 1000 / pace.factor)
    elif served.repeat:
        request[REPEAT] = served.repeat
    body = response.body
    if plain:
        body = plain.feed(body) + plain.rest()
    return web.Response(status=response.status, headers=headers, body=body)


def add_common(headers: "CIMultiDict[str]", request_id: str, warning: str) -> None:
    headers.setdefault("X-Request-Id", request_id)
    if warning:
        # 299, miscellaneous persistent warning; a header holds ASCII, a quoted string no quotes.
        text = warning.replace("\\", "/").replace('"', "'").encode("ascii", "replace").decode()
        headers["Warning"] = f'299 promptdeck "{text}"'


def is_chat(target: str) -> bool:
    return target.partition("?")[0].endswith(CHAT_COMPLETIONS)


async def _paced(
    request: web.Request,
    response: Response,
    headers: "CIMultiDict[str]",
    factor: float,
    plain: PlainStream | None,
) -> web.StreamResponse:
    """Write each frame when its recorded moment has come."""
    stream = web.StreamResponse(status=response.status, headers=headers)
    loop = asyncio.get_running_loop()
    start = loop.time()
    for offset_ms, frames in groupby(response.frames, key=lambda frame: frame.offset_ms):
        await asyncio.sleep(start + offset_ms / 1000 / factor - loop.time())
        if not stream.prepared:
            await stream.prepare(request)
        data = b"".join(frame.data for frame in frames)
        await stream.write(plain.feed(data) if plain else data)
    if not stream.prepared:
        await stream.prepare(request)
    await stream.write_eof(plain.rest() if plain else b"")
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

"""Answers from recordings, over aiohttp's response: whole, or at their recorded pace."""

import asyncio

from aiohttp import web
from multidict import CIMultiDict

from promptdeck.core.interaction import Request, Response
from promptdeck.engine.outcome import Served
from promptdeck.server.heading import Answer, StreamAnswer
from promptdeck.server.noted import REPEAT, REQUEST_ID

from .pace import Pace, beats_of
from .rendering import Rendering, rendering_of, served_headers, warning_of


async def serve(
    request: web.Request, served: Served, pace: Pace, asked: Request
) -> web.StreamResponse:
    """Answer with a recording. What is returned has been written if it is a stream at a pace.

    `asked` is the request as the engine takes it. An answer that is given whole and at once is
    noted, so that it may be remembered. HTTPError 500 for a recording that cannot be sent.
    """
    response = served.response
    rendering = rendering_of(asked, response.content_type)
    headers = CIMultiDict(served_headers(served, request.raw_path))
    headers["Cache-Status"] = served.cache_status
    headers["Age"] = str(served.age)
    add_common(headers, request[REQUEST_ID], served.warning)
    at_once = pace.at_once
    if response.is_stream and not at_once:
        return await _paced(request, response, headers, pace.factor, rendering)
    if not at_once:
        await asyncio.sleep(response.took_ms / 1000 / pace.factor)
    elif served.repeat:
        request[REPEAT] = served.repeat
    body = rendering.whole(response.body)
    return Answer(status=response.status, headers=headers, body=body)


def add_common(headers: "CIMultiDict[str]", request_id: str, warning: str) -> None:
    """Add what every answer has: a request's id, and what the contract finds odd, if anything."""
    headers.setdefault("X-Request-Id", request_id)
    if warning:
        headers["Warning"] = warning_of(warning, headers.getall("Warning", ()))


async def _paced(
    request: web.Request,
    response: Response,
    headers: "CIMultiDict[str]",
    factor: float,
    rendering: Rendering,
) -> web.StreamResponse:
    """Write each frame when its recorded moment has come."""
    stream = StreamAnswer(status=response.status, headers=headers)
    loop = asyncio.get_running_loop()
    start = loop.time()
    for after, data in beats_of(response, factor, rendering):
        if (left := start + after - loop.time()) > 0:
            await asyncio.sleep(left)
        if not stream.prepared:
            await stream.prepare(request)
        await stream.write(data)
    await stream.write_eof()
    return stream

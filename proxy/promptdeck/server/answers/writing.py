"""Answers from recordings, over aiohttp's response: whole, or at their recorded pace."""

import asyncio

from aiohttp import web
from multidict import CIMultiDict

from promptdeck.core.dialects.chat.rendering import PlainStream
from promptdeck.core.interaction import CHAT_COMPLETIONS, Response
from promptdeck.engine.outcome import Served
from promptdeck.server.noted import REPEAT, REQUEST_ID

from .pace import Pace, beats_of


async def serve(request: web.Request, served: Served, pace: Pace) -> web.StreamResponse:
    """Answer with a recording. What is returned has been written if it is a stream at a pace.

    An answer that is given whole and at once is noted, so that it may be remembered.
    """
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
    """Add what every answer has: a request's id, and what the contract finds odd, if anything."""
    headers.setdefault("X-Request-Id", request_id)
    if warning:
        headers["Warning"] = warning_of(warning)


def warning_of(text: str) -> str:
    """A Warning header's value: 299, miscellaneous persistent warning (RFC 7234, 5.5.7).

    A header holds ASCII, and a quoted string no quotes: what they cannot hold is replaced.
    """
    text = text.replace("\\", "/").replace('"', "'").encode("ascii", "replace").decode()
    return f'299 promptdeck "{text}"'


def is_chat(target: str) -> bool:
    """True for the path or target of chat completions, with whatever stands before /v1/."""
    return target.partition("?")[0].endswith(CHAT_COMPLETIONS)


async def _paced(
    request: web.Request, response: Response, headers: "CIMultiDict[str]", factor: float
) -> web.StreamResponse:
    """Write each frame when its recorded moment has come."""
    stream = web.StreamResponse(status=response.status, headers=headers)
    loop = asyncio.get_running_loop()
    start = loop.time()
    for after, data in beats_of(response, factor, chat=is_chat(request.path)):
        if (left := start + after - loop.time()) > 0:
            await asyncio.sleep(left)
        if not stream.prepared:
            await stream.prepare(request)
        await stream.write(data)
    await stream.write_eof()
    return stream

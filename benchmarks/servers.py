"""What promptdeck is measured against, each a process of its own that prints its port.

`bare` and `bare-frames` are the least that aiohttp can do: read the request,
write fixed bytes, in one piece or frame by frame. `floor` is an asyncio
protocol without any HTTP library. `upstream` is the provider behind promptdeck.
"""

import asyncio
import sys
import time
from pathlib import Path

from aiohttp import web
from bodies import FRAMES, PATH, completion, frame

GAP = 0.001
"""Seconds between two frames of the upstream's streams."""


def answer_head(body: bytes) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"\r\n"


class Plain(asyncio.Protocol):
    """Finds whole requests by Content-Length; `answer` is a subclass's business."""

    def __init__(self) -> None:
        self._held = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        data = self._held + data if self._held else data
        end = data.find(b"\r\n\r\n") + 4
        at = data.lower().find(b"content-length: ", 0, end) if end > 3 else -1
        if at < 0 or len(data) < end + int(data[at + 16 : data.index(b"\r", at)]):
            self._held = data
            return
        self._held = b""
        self.answer(data[end:])

    def answer(self, body: bytes) -> None:
        raise NotImplementedError


class Floor(Plain):
    whole = b""

    def answer(self, body: bytes) -> None:
        del body
        self.transport.write(self.whole)


class Upstream(Plain):
    """Answers at once; a stream's frames come GAP apart and hold the time of their sending."""

    plain = answer_head(completion()) + completion()
    frames = tuple(frame(n) for n in range(FRAMES))

    def answer(self, body: bytes) -> None:
        if b'"stream":true' not in body[-60:]:
            self.transport.write(self.plain)
            return
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
        self._send(0, head + b"Transfer-Encoding: chunked\r\n\r\n")

    def _send(self, number: int, head: bytes = b"") -> None:
        if self.transport.is_closing():
            return
        data = self.frames[number].replace(b"0" * 16, b"%016d" % time.monotonic_ns())
        last = number == FRAMES - 1
        end = b"0\r\n\r\n" if last else b""
        self.transport.write(b"%b%x\r\n%b\r\n%b" % (head, len(data), data, end))
        if not last:
            asyncio.get_running_loop().call_later(GAP, self._send, number + 1)


async def whole(request: web.Request) -> web.Response:
    await request.read()
    return web.Response(body=request.app["body"], content_type=request.app["type"])


async def by_frame(request: web.Request) -> web.StreamResponse:
    await request.read()
    stream = web.StreamResponse(headers={"Content-Type": request.app["type"]})
    await stream.prepare(request)
    for piece in request.app["frames"]:
        await stream.write(piece)
    return stream


async def serve_bare(kind: str, body: bytes) -> None:
    app = web.Application()
    app["body"] = body
    app["frames"] = [piece + b"\n\n" for piece in body.split(b"\n\n")[:-1]]
    app["type"] = "text/event-stream" if body.startswith(b"data:") else "application/json"
    app.router.add_post(PATH, by_frame if kind == "bare-frames" else whole)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(f"port :{runner.addresses[0][1]}", flush=True)
    await asyncio.Event().wait()


async def serve_protocol(protocol: type[Plain]) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(protocol, "127.0.0.1", 0)
    print(f"port :{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


def main(kind: str, file: str = "") -> None:
    body = Path(file).read_bytes() if file else b""
    if kind == "upstream":
        asyncio.run(serve_protocol(Upstream))
    elif kind == "floor":
        Floor.whole = answer_head(body) + body
        asyncio.run(serve_protocol(Floor))
    else:
        asyncio.run(serve_bare(kind, body))


if __name__ == "__main__":
    main(*sys.argv[1:])

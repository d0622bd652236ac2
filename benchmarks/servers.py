"""What promptdeck is measured against, each a process of its own that prints its port.

`bare` and `bare-frames` are the least that aiohttp can do: read the request,
write fixed bytes, in one piece or frame by frame. `floor` is an asyncio
protocol without any HTTP library. `upstream` is the provider behind promptdeck,
`flood` one that pushes as fast as it is read.
"""

import asyncio
import sys
import time
from dataclasses import replace
from functools import cache
from itertools import count
from pathlib import Path

import prose
from aiohttp import web
from bodies import FRAMES, PATH, completion, frame, frames_of, streams


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


class Asked(Floor):
    """Knows when it was asked last."""

    at = 0.0

    def answer(self, body: bytes) -> None:
        super().answer(body)
        Asked.at = asyncio.get_running_loop().time()


class Upstream(Plain):
    """Answers at once; a stream's frames come `gap` apart and hold the time of their sending."""

    gap = 0.001
    """Seconds; where it is none, a stream comes in one piece and without times."""
    varied = False
    """Whether each answer says something else, taken from the documentation of Python."""

    def answer(self, body: bytes) -> None:
        if not streams(body):
            answer = completion(prose.piece(1180, body) if self.varied else "")
            self.transport.write(answer_head(answer) + answer)
            return
        of = frames_of(body)
        if self.gap:
            self._send(0, of, _SSE_HEAD)
        else:
            pieces = (_chunk(frame(n, of)) for n in range(of))
            self.transport.write(_SSE_HEAD + b"".join(pieces) + b"0\r\n\r\n")

    def _send(self, number: int, of: int, head: bytes = b"") -> None:
        if self.transport.is_closing():
            return
        last = number == of - 1
        data = _frame(number, of, 0).replace(b"0" * 16, b"%016d" % time.monotonic_ns())
        self.transport.write(head + _chunk(data) + (b"0\r\n\r\n" if last else b""))
        if not last:
            asyncio.get_running_loop().call_later(self.gap, self._send, number + 1, of)


class Flood(Plain):
    """Pushes a stream of 40 MB as fast as it is taken."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._left = 0

    def answer(self, body: bytes) -> None:
        if not streams(body):
            self.transport.write(answer_head(completion()) + completion())
            return
        self._left, self._open = FLOOD_FRAMES, True
        self.transport.write(_SSE_HEAD)
        self._push()

    def pause_writing(self) -> None:
        self._open = False

    def resume_writing(self) -> None:
        self._open = True
        self._push()

    def _push(self) -> None:
        while self._left and self._open:
            self._left -= 1
            self.transport.write(FLOOD_CHUNK)
            if not self._left:
                self.transport.write(_chunk(frame(FRAMES - 1)) + b"0\r\n\r\n")


_SSE_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
)
_frame = cache(frame)


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


FLOOD_FRAMES = 160_000
FLOOD_CHUNK = _chunk(frame(1))


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


async def serve_recording(kind: str, store: Path) -> None:
    """The floor, which keeps `PER_SECOND` interactions beside, one by one, while it is asked."""
    # The others shall not pay for the store.
    from recorders import PER_SECOND, RECORDERS, item

    items = [item(number) for number in range(PER_SECOND)]
    loop = asyncio.get_running_loop()
    async with asyncio.TaskGroup() as tasks, RECORDERS[kind](store) as keep:
        tasks.create_task(serve_protocol(Asked))
        due = loop.time()
        for number in count():
            while loop.time() > Asked.at + _LEFT_ALONE:
                await asyncio.sleep(_LEFT_ALONE)
                due = loop.time()
            one = items[number % PER_SECOND]
            tasks.create_task(keep(replace(one, key=f"{one.key}-{number}")))
            due += 1 / PER_SECOND
            await asyncio.sleep(due - loop.time())


_LEFT_ALONE = 0.05
"""Seconds without a question, after which no other side shall be disturbed."""


def main(kind: str, file: str = "", *options: str) -> None:
    body = Path(file).read_bytes() if file else b""
    if kind == "upstream":
        Upstream.gap = next((float(one) for one in options if one != "varied"), Upstream.gap)
        Upstream.varied = "varied" in options
        asyncio.run(serve_protocol(Upstream))
    elif kind == "flood":
        asyncio.run(serve_protocol(Flood))
    elif kind.startswith("floor"):
        Floor.whole = answer_head(body) + body
        store = Path(file).with_name(f"{'-'.join(options)}.db".replace(" ", "-"))
        serving = serve_recording(*options, store) if options else serve_protocol(Floor)
        asyncio.run(serving)
    else:
        asyncio.run(serve_bare(kind, body))


if __name__ == "__main__":
    main(*sys.argv[1:])

"""A provider of WebSockets that does as a test tells it, and a client that notes what it gets."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import orjson
from aiohttp import web
from yarl import URL

from promptdeck.core.dialects.sockets import Close, Said
from tests.conftest import Deck
from tests.scripted_upstream import Answer, Seen

Talk = Callable[[web.WebSocketResponse], Awaitable[None]]

KEY = "sk-proj-" + "Ab1" * 20


def talking(talk: Talk, *, protocols: tuple[str, ...] = (), compress: bool = True) -> Answer:
    """Open the socket, and talk over it."""

    async def answer(seen: Seen, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(protocols=protocols, timeout=0.5, compress=compress)
        await socket.prepare(request)
        await talk(socket)
        return socket

    return answer


def text(value: Any) -> str:
    return orjson.dumps(value).decode()


def created(prompt: str, **more: Any) -> str:
    """A message that asks for a response."""
    item = {"type": "message", "role": "user", "content": prompt}
    return text({"type": "response.create", "model": "m", "input": [item], "store": False, **more})


def response(name: str, said: str, status: str = "completed") -> list[str]:
    """The events that answer it."""
    base = {"id": name, "object": "response", "model": "m", "output": []}
    part = {"type": "output_text", "text": said, "annotations": []}
    item = {"type": "message", "id": "msg_1", "role": "assistant", "content": [part]}
    return [
        text({"type": "response.created", "response": {**base, "status": "in_progress"}}),
        text({"type": "response.output_text.delta", "item_id": "msg_1", "delta": said}),
        text(
            {"type": f"response.{status}", "response": {**base, "status": status, "output": [item]}}
        ),
    ]


async def responses(socket: web.WebSocketResponse) -> None:
    """Answer each message with `answer N`."""
    number = 0
    async for _ in socket:
        number += 1
        for event in response(f"resp_{number}", f"answer {number}"):
            await socket.send_str(event)


class SocketClient:
    """A client's socket, and what it got."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def say(self, said: str | bytes) -> None:
        if isinstance(said, str):
            await self.socket.send_str(said)
        else:
            await self.socket.send_bytes(said)

    async def next(self) -> Said:
        got = await self.socket.receive(timeout=5)
        if got.type is aiohttp.WSMsgType.CLOSE:
            return Close(got.data, got.extra or "")
        assert got.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY), got
        return got.data  # type: ignore[no-any-return]

    async def take(self, count: int) -> list[Said]:
        return [await self.next() for _ in range(count)]

    async def ask(self, said: str | bytes, count: int = 3) -> list[Said]:
        await self.say(said)
        return await self.take(count)


@asynccontextmanager
async def opened(
    deck: Deck, path: str = "/v1/responses", **more: Any
) -> AsyncIterator[SocketClient]:
    headers = {"Authorization": f"Bearer {KEY}", **more.pop("headers", {})}
    url = URL(deck.server.root + path, encoded=True)
    async with deck.session.ws_connect(url, headers=headers, **more) as socket:
        yield SocketClient(socket)
    await deck.idle()

"""A client that writes and reads the bytes of HTTP itself, on a keep-alive connection."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from promptdeck.app import Serving

CHAT = "/v1/chat/completions"


class Got(NamedTuple):
    status: str
    headers: dict[str, str]
    body: bytes
    """As it came, with its chunks."""
    closed: bool


class Talk:
    """A keep-alive connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def ask(self, body: bytes, *, headers: str = "", target: str = CHAT) -> None:
        head = f"POST {target} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{headers}"
        self.writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)

    async def answer(self) -> Got:
        try:
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode("utf-8", "surrogateescape")
        except asyncio.IncompleteReadError:
            return Got("", {}, b"", closed=True)
        status, *lines = head.removesuffix("\r\n\r\n").split("\r\n")
        headers = {name.lower(): value for name, _, value in (s.partition(": ") for s in lines)}
        body = b""
        try:
            if headers.get("transfer-encoding") == "chunked":
                while not body.endswith(b"\r\n0\r\n\r\n") and body != b"0\r\n\r\n":
                    size = await self.reader.readuntil(b"\r\n")
                    body += size
                    body += await self.reader.readexactly(int(size, 16) + 2)
            elif " 304 " not in status:
                body = await self.reader.readexactly(int(headers.get("content-length", 0)))
        except asyncio.IncompleteReadError as error:
            return Got(status, headers, body + error.partial, closed=True)
        return Got(status, headers, body, closed=False)


@asynccontextmanager
async def talking(server: Serving) -> AsyncIterator[Talk]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        yield Talk(reader, writer)
    finally:
        writer.close()


def dechunked(data: bytes) -> bytes:
    found = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        found += data[: int(size, 16)]
        data = data[int(size, 16) + 2 :]
    return found

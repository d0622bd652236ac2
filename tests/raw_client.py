"""A client that writes and reads the bytes of HTTP itself, on a keep-alive connection."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from promptdeck.app import Serving

CHAT = "/v1/chat/completions"


class HeadOf(dict[str, str]):
    """The headers of an answer by their names in lower case."""

    def __init__(self, head: bytes) -> None:
        self.lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
        """All of the head, byte for byte."""
        lines = [line.decode("utf-8", "surrogateescape") for line in self.lines[1:]]
        super().__init__(
            (line.partition(": ")[0].lower(), line.partition(": ")[2]) for line in lines
        )

    @property
    def status(self) -> str:
        return self.lines[0].decode()

    def but_for(self, *names: str) -> list[bytes]:
        """The head, line by line, without those of the headers of these names (lower case)."""
        left_out = tuple(f"{name}:".encode() for name in names)
        return [line for line in self.lines if not line.lower().startswith(left_out)]


class Got(NamedTuple):
    status: str
    headers: HeadOf
    body: bytes
    """As it came, with its chunks."""
    closed: bool


class Talk:
    """A keep-alive connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def ask(self, body: bytes, *, headers: str = "", target: str = CHAT) -> None:
        lines = f"POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        head = lines + headers
        self.writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)

    async def answer(self) -> Got:
        try:
            headers = HeadOf(await self.reader.readuntil(b"\r\n\r\n"))
        except asyncio.IncompleteReadError:
            return Got("", HeadOf(b""), b"", closed=True)
        status = headers.status
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

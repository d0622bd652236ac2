"""An upstream of bare bytes: what it sends is written down, cuts and all."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

Reply = Callable[[asyncio.StreamWriter], Awaitable[None]]


class Wired:
    """Answers each request with the next of `replies`; the last one is repeated."""

    def __init__(self, *replies: bytes | Reply) -> None:
        self.replies = list(replies)
        self.requests: list[bytes] = []
        self.connections = 0
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while not writer.is_closing():
                head = await reader.readuntil(b"\r\n\r\n")
                length = head.lower().partition(b"content-length: ")[2].partition(b"\r")[0]
                self.requests.append(head + await reader.readexactly(int(length or 0)))
                reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
                if isinstance(reply, bytes):
                    writer.write(reply)
                else:
                    await reply(writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def wired(*replies: bytes | Reply, tls: ssl.SSLContext | None = None) -> AsyncIterator[Wired]:
    it = Wired(*replies)
    server = await asyncio.start_server(it.talk, "127.0.0.1", 0, ssl=tls)
    it.port = server.sockets[0].getsockname()[1]
    try:
        yield it
    finally:
        server.close()


def ending(data: bytes) -> Reply:
    """`data`, and then the end of the connection."""

    async def reply(writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        writer.close()

    return reply


def resetting(data: bytes) -> Reply:
    """`data`, and once that is likely to have been read a reset."""

    async def reply(writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await asyncio.sleep(0.05)
        sock = writer.get_extra_info("socket")
        sock.setsockopt(1, 13, b"\1\0\0\0\0\0\0\0")  # SO_LINGER of no time: RST, not FIN
        writer.transport.abort()

    return reply


def in_pieces(*pieces: bytes) -> Reply:
    """Pieces that come one by one."""

    async def reply(writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await asyncio.sleep(0.001)

    return reply

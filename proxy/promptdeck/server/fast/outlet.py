"""A connection to a client, as those see it who write an answer to it by themselves."""

import asyncio
from typing import Protocol

LAST_CHUNK = b"0\r\n\r\n"


def chunk(data: bytes) -> bytes:
    """RFC 9112, section 7.1."""
    return b"%x\r\n%b\r\n" % (len(data), data)


class Outlet(Protocol):
    transport: asyncio.Transport | None

    @property
    def writing_paused(self) -> bool: ...

    def answered(self) -> None:
        """The answer has been written."""

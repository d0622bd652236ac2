"""Where messages begin and end in what a client sends, told without parsing it a second time.

aiohttp's parser stays the one that reads requests. Here is only counted: what it has been
given and what it made of that, and how much is missing of a request that is held back.
"""

from collections.abc import Mapping
from typing import Any

import xxhash

from .heads import KnownHead

END = b"\r\n\r\n"
"""Ends a head (RFC 9112, 2.1)."""

# As much as aiohttp's parser takes of a head by default is 8 KB a line; who sends more than
# this is not known again, but served the ordinary way.
_MOST_HEAD = 32 * 1024


class ParserFeed:
    """What aiohttp's parser was given since it last stood at the start of a message.

    Say `giving` before it is given bytes, and `took` when it has made something of them.
    """

    __slots__ = ("_message", "_opening", "_parsed", "fed")

    def __init__(self) -> None:
        self.fed = 0
        """Bytes. At 0 the next byte begins a message."""
        self._opening = b""
        """The first of them, up to the end of the head."""
        self._parsed = 0
        """Messages that were made of them."""
        self._message: Any = None
        """The last of these, as aiohttp's parser has it, until it is being answered."""

    def at_start(self) -> bool:
        """True if the next byte begins a message: one was made, of just what was given."""
        if self._parsed == 1 and self.fed == _length(self._opening, self._message):
            self.fed = self._parsed = 0
        return self.fed == 0

    def giving(self, data: bytes) -> None:
        """Count bytes that the parser is given next."""
        if self.fed == 0:
            self._opening = data
        elif END not in self._opening and len(self._opening) < _MOST_HEAD:
            self._opening += data
        self.fed += len(data)

    def took(self, messages: int, last: Any) -> None:
        """Note how many messages came out of that, and the last that has yet to be answered."""
        self._parsed += messages
        self._message = last

    def head_of(self, headers: Mapping[str, str], length: int) -> bytes | None:
        """The text of the head of a message with these headers and a body of so many bytes.

        None unless it is all that the parser was given, and so what these headers were made of.
        """
        text = self._opening.partition(END)[0] + END
        whole = self._parsed == 1 and self.fed == len(text) + length
        same = self._message is not None and headers is self._message.headers
        return text if whole and same else None


def _length(opening: bytes, message: Any) -> int:
    """Bytes of a message that aiohttp has parsed; -1 if only its parser can tell."""
    end = opening.find(END)
    headers = getattr(message, "headers", None)
    if end < 0 or headers is None or message.chunked or message.upgrade:
        return -1
    length = headers.get("Content-Length", "0")
    return end + len(END) + int(length) if length.isdecimal() else -1


class Incomplete:
    """A request of a known head that is held back until its body has come.

    `packet` holds the head, of `end` bytes, and the beginning of the body.
    """

    __slots__ = ("_digest", "end", "head", "missing", "packets")

    def __init__(self, head: KnownHead, packet: bytes, end: int) -> None:
        body = memoryview(packet)[end:]
        self.head = head
        self.packets = [packet]
        self.end = end
        self.missing = head.length - len(body)
        """Bytes of the body. Negative when more came than was announced."""
        self._digest = xxhash.xxh3_128(body, head.seed)

    def add(self, data: bytes) -> None:
        """Take more of the body."""
        self.packets.append(data)
        self.missing -= len(data)
        self._digest.update(data)

    def digest(self) -> bytes:
        """The digest of the body, as far as it has come, seeded with what else counts."""
        return self._digest.digest()

"""A request that is held back: how much of it is missing, and what its body's digest is so far.

aiohttp's parser stays the one that reads requests. Here is only counted.
"""

import xxhash

from .heads import KnownHead


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

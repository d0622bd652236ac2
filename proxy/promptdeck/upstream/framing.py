"""Which of the bytes on the wire are an answer's body, and where it ends (RFC 9112, section 6).

A stream's chunk nearly always comes as one whole piece: that is told by its two
ends. Everything else takes the slower way, on which bytes may be cut anywhere.
"""

import re
from typing import Protocol

_LONGEST_LINE = 32 * 1024
"""Bytes of a line between chunks that is not whole yet, past which it is held to be none: more than
the 8 KB that servers allow a trailer, and little to keep of one that never ends."""

# A size of 15 hexadecimal digits fits 64 bits. Extensions and white space after it, and a bare LF,
# are what aiohttp's parser forgives a server, too.
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?\r?\n")
_CLOSE = re.compile(rb"\r?\n")
_TRAILER = re.compile(rb"([^\r\n]*)\r?\n")


class FramingError(ValueError):
    """What came is no HTTP, or no body in the framing that its head announced."""


class BodyFraming(Protocol):
    """A body that is coming."""

    ended: bool
    """Whether all of the body has come."""
    beyond: bytes
    """Bytes that came after the body's end: nobody asked for them."""

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes from the connection; returns what of them is body, maybe nothing.

        FramingError where they are not what they should be.
        """


class Counted:
    """A body as long as Content-Length says."""

    __slots__ = ("_missing", "beyond", "ended")

    def __init__(self, length: int) -> None:
        self._missing = length
        self.ended = length == 0
        self.beyond = b""

    def feed(self, data: bytes) -> bytes:
        missing = self._missing
        if len(data) > missing:
            data, self.beyond = data[:missing], data[missing:]
        self._missing = missing - len(data)
        self.ended = self._missing == 0
        return data


class UntilClosed:
    """A body that ends with the connection."""

    __slots__ = ("beyond", "ended")

    def __init__(self) -> None:
        self.ended = False
        self.beyond = b""

    def feed(self, data: bytes) -> bytes:
        return data


class Chunked:
    """A body in chunks (RFC 9112, section 7.1). Extensions and trailers are read over."""

    __slots__ = ("_expected", "_held", "_missing", "beyond", "ended")

    def __init__(self) -> None:
        self._missing = 0
        """Bytes of the present chunk that are still to come."""
        self._expected = _SIZE
        """Which line follows them."""
        self._held = b""
        """What has come of that line, if it is not whole."""
        self.ended = False
        self.beyond = b""

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes from the connection; returns what of them is body. FramingError."""
        # One whole chunk and nothing else, as a stream's nearly always come: told by its two ends.
        if self._expected is _SIZE and not self._held and (size := _SIZE.match(data)):
            start = size.end()
            stop = start + int(size[1], 16)
            if start < stop == len(data) - 2 and data.endswith(b"\r\n"):
                return data[start:stop]
        return self._feed(data)

    def _feed(self, data: bytes) -> bytes:
        """As `feed`, for bytes that are cut anywhere."""
        data, self._held = self._held + data, b""
        found: list[bytes] = []
        at = 0
        while at < len(data) and not self.ended:
            if self._missing:
                piece = data[at : at + self._missing]
                found.append(piece)
                self._missing -= len(piece)
                at += len(piece)
            elif line := self._expected.match(data, at):
                at = line.end()
                self._read(line)
            else:
                self._held = data[at:]
                self._judge(self._held)
                at = len(data)
        if self.ended:
            self.beyond = data[at:]
        return b"".join(found)

    def _read(self, line: re.Match[bytes]) -> None:
        """Go on from a whole line to what follows it."""
        if self._expected is _SIZE:
            self._missing = int(line[1], 16)
            self._expected = _CLOSE if self._missing else _TRAILER
        elif self._expected is _CLOSE:
            self._expected = _SIZE
        else:
            self.ended = not line[1]

    def _judge(self, rest: bytes) -> None:
        """FramingError if the line that is expected cannot begin like `rest`, or go on so long."""
        if self._expected is _CLOSE and rest != b"\r":
            raise FramingError("a chunk is longer than its size")
        if b"\n" in rest or len(rest) > _LONGEST_LINE:
            raise FramingError("no chunk size, or no trailer, where one should be")

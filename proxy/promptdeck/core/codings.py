"""Bodies packed as a Content-Encoding says, unpacked: what counts of one is what it says.

gzip and deflate always; br and zstd where their packages are installed, as the extra `codings`
has them. All that comes out of any step stays within a limit, so that no bomb goes off. And
text in another charset, read.
"""

import codecs
import contextlib
import re
import zlib
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

_MOST_CODINGS = 4
"""One upon the other; nobody packs more than once."""
_PLAIN = ("", "identity")
_STEP = 1024 * 1024
"""Bytes that are unpacked at once."""


class UnknownCoding(Exception):
    """Why a body cannot be unpacked here."""


class BrokenCoding(Exception):
    """A body that is not packed as it says: broken, cut off, or with more behind it."""


class UnpackedTooLarge(Exception):
    """A body of which more would come out than may."""


class Codings(NamedTuple):
    """How a body is packed: the names of a Content-Encoding, the last applied last."""

    names: tuple[str, ...]

    @classmethod
    def of(cls, header: str) -> "Codings":
        """Read from a Content-Encoding (RFC 9110, 8.4), in which names have no case."""
        names = (name.strip().lower() for name in header.split(","))
        return cls(tuple(name.removeprefix("x-") for name in names if name not in _PLAIN))

    def unpacked(self, data: bytes, most: int) -> bytes:
        """A body before it was packed.

        BrokenCoding for one that is not packed so; UnpackedTooLarge where more than `most` bytes
        would come out; UnknownCoding for a way of packing that nobody knows, or whose package is
        missing.
        """
        if len(self.names) > _MOST_CODINGS:
            raise UnknownCoding(f"one that is packed {len(self.names)} times is not unpacked")
        for name in reversed(self.names):
            unpack = _unpacker(name)
            try:
                data = unpack(data, most) if data else data
            except BrokenCoding:
                raise BrokenCoding(f"not packed as Content-Encoding says: {name}") from None
        return data


def inflater(name: str, data: bytes) -> "zlib._Decompress":
    """What decompresses one member of gzip or one body of deflate that begins with `data`.

    Some send deflate without zlib's frame (RFC 9110, 8.4.1.2). The frame begins with an 8 in four
    bits and is a multiple of 31 in two bytes (RFC 1950, 2.2), as no first block that makes sense
    is.
    """
    if name == "gzip":
        return zlib.decompressobj(16 + zlib.MAX_WBITS)
    framed = data[0] & 0x0F == zlib.DEFLATED and int.from_bytes(data[:2]) % 31 == 0
    # Of a body that comes in pieces the first may be a single byte, which tells enough.
    framed = framed or (len(data) == 1 and data[0] & 0x0F == zlib.DEFLATED)
    return zlib.decompressobj(zlib.MAX_WBITS if framed else -zlib.MAX_WBITS)


Unpack = Callable[[bytes, int], bytes]


def _unpacker(name: str) -> Unpack:
    """What undoes a coding. UnknownCoding."""
    try:
        match name:
            case "gzip" | "deflate":
                return partial(_inflated, name)
            case "br":
                return _brotli()
            case "zstd":
                return _zstandard()
    except ImportError:
        raise UnknownCoding(f"{name} takes a package: install promptdeck[codings]") from None
    raise UnknownCoding(f"{name[:40]!r} is not known here")


def _inflated(name: str, data: bytes, most: int) -> bytes:
    found: list[bytes] = []
    size = 0
    while data:
        inflate = inflater(name, data)
        while not inflate.eof:
            try:
                piece = inflate.decompress(data, _STEP)
            except zlib.error:
                raise BrokenCoding from None
            data = inflate.unconsumed_tail
            size += len(piece)
            _check(size, most)
            found.append(piece)
            if not (data or piece or inflate.eof):
                raise BrokenCoding
        data = inflate.unused_data
        # Members of gzip stand one after the other (RFC 1952, 2.2).
        if name != "gzip" and data:
            raise BrokenCoding
    return b"".join(found)


def _brotli() -> Unpack:
    import brotli

    if not hasattr(brotli.Decompressor, "can_accept_more_data"):
        raise ImportError("older than 1.2, which cannot be told when to stop")

    def unpack(data: bytes, most: int) -> bytes:
        decompressor = brotli.Decompressor()
        found: list[bytes] = []
        size = 0
        try:
            while True:
                piece = decompressor.process(data, output_buffer_limit=_STEP)
                data = b""
                size += len(piece)
                _check(size, most)
                found.append(piece)
                if decompressor.is_finished():
                    return b"".join(found)
                if decompressor.can_accept_more_data() and not piece:
                    raise BrokenCoding
        except brotli.error:
            raise BrokenCoding from None

    return unpack


def _zstandard() -> Unpack:
    try:
        from compression import zstd  # from Python 3.14 on
    except ImportError:
        from backports import zstd

    def unpack(data: bytes, most: int) -> bytes:
        found: list[bytes] = []
        size = 0
        try:
            while data:  # frames, one after the other (RFC 8878, 3.1)
                decompressor = zstd.ZstdDecompressor()
                while not decompressor.eof:
                    piece = decompressor.decompress(data, _STEP)
                    data = b""
                    size += len(piece)
                    _check(size, most)
                    found.append(piece)
                    if decompressor.needs_input and not (piece or decompressor.eof):
                        raise BrokenCoding
                data = decompressor.unused_data
        except zstd.ZstdError:
            raise BrokenCoding from None
        return b"".join(found)

    return unpack


def _check(size: int, most: int) -> None:
    if size > most:
        raise UnpackedTooLarge


_CHARSET = re.compile(r'(?i);\s*charset\s*=\s*"?([\w.:-]{1,40})')
# Those of a byte a character in which ASCII is itself: what is searched for in bytes is found.
_OF_BYTES = re.compile(r"iso8859|cp12[0-9]{2}|latin|koi8|mac[_-]")


def readable(body: bytes, content_type: str) -> bytes:
    """A body as UTF-8, where its type names another charset that it is in.

    RFC 8259 wants JSON in UTF-8; some servers say `charset=iso-8859-1`, and mean it.
    """
    named = _CHARSET.search(content_type)
    if named is None or body.isascii():
        return body
    try:
        body.decode()
    except UnicodeDecodeError:
        with contextlib.suppress(LookupError, UnicodeDecodeError):
            name = codecs.lookup(named[1]).name
            if _OF_BYTES.match(name):
                return body.decode(name).encode()
    return body

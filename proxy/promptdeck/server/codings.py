"""Bodies of requests, unpacked: what counts of one is what it says, however it was packed.

gzip and deflate always; br and zstd where their packages are installed, as the extra `codings`
has them. All that comes out of any step stays within a limit, so that no bomb goes off.
"""

import zlib
from collections.abc import Callable
from typing import NamedTuple

from promptdeck.errors import ClientError

_MOST_CODINGS = 4
"""One upon the other; nobody packs more than once."""
_PLAIN = ("", "identity")
_STEP = 1024 * 1024
"""Bytes that are unpacked at once."""


class UnknownCoding(Exception):
    """A body that is packed in a way that cannot be undone here; says so to a client."""


class _Broken(Exception):
    """A body that is not packed as it says."""


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

        ClientError 400 for one that is not packed so, 413 where more than `most` bytes would
        come out; UnknownCoding for a way of packing that nobody knows, or whose package is missing.
        """
        if len(self.names) > _MOST_CODINGS:
            raise UnknownCoding(f"a body that is packed {len(self.names)} times is not unpacked")
        for name in reversed(self.names):
            unpack = _unpacker(name)
            try:
                data = unpack(data, most) if data else data
            except _Broken:
                raise ClientError(
                    f"the body is not packed as Content-Encoding says: {name[:20]}",
                    code="bad_encoding",
                    param="Content-Encoding",
                ) from None
        return data


Unpack = Callable[[bytes, int], bytes]


def _unpacker(name: str) -> Unpack:
    """What undoes a coding. UnknownCoding."""
    try:
        match name:
            case "gzip":
                return _gzip
            case "deflate":
                return _deflate
            case "br":
                return _brotli()
            case "zstd":
                return _zstandard()
    except ImportError:
        raise UnknownCoding(
            f"Content-Encoding {name} cannot be read without a package: install"
            " promptdeck[codings], or send the body as it is"
        ) from None
    raise UnknownCoding(f"Content-Encoding {name[:40]!r} is not known here; send the body as it is")


def _gzip(data: bytes, most: int) -> bytes:
    """Members of gzip, one after the other (RFC 1952, 2.2)."""
    return _inflated(data, most, 16 + zlib.MAX_WBITS)


def _deflate(data: bytes, most: int) -> bytes:
    """zlib's format, or without its frame, as some send it (RFC 9110, 8.4.1.2)."""
    framed = data[0] & 0x0F == zlib.DEFLATED and int.from_bytes(data[:2]) % 31 == 0
    return _inflated(data, most, zlib.MAX_WBITS if framed else -zlib.MAX_WBITS)


def _inflated(data: bytes, most: int, bits: int) -> bytes:
    found: list[bytes] = []
    size = 0
    while data:
        inflater = zlib.decompressobj(bits)
        while not inflater.eof:
            try:
                piece = inflater.decompress(data, _STEP)
            except zlib.error:
                raise _Broken from None
            data = inflater.unconsumed_tail
            size += len(piece)
            _check(size, most)
            found.append(piece)
            if not (data or piece or inflater.eof):
                raise _Broken
        data = inflater.unused_data
        if bits <= zlib.MAX_WBITS and data:
            raise _Broken
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
                    raise _Broken
        except brotli.error:
            raise _Broken from None

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
                        raise _Broken
                data = decompressor.unused_data
        except zstd.ZstdError:
            raise _Broken from None
        return b"".join(found)

    return unpack


def _check(size: int, most: int) -> None:
    """ClientError 413 for more than may come out."""
    if size > most:
        raise too_large(most)


def too_large(most: int) -> ClientError:
    """The error of a body that has more bytes than a server takes."""
    return ClientError(
        f"the request body is larger than server.max_body ({most} bytes)",
        code="too_large",
        status=413,
    )

"""Bodies on the wire: aiohttp's own parser is what they are compared with."""

import asyncio
from itertools import pairwise

import pytest
from aiohttp import ClientPayloadError
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import HttpProcessingError, HttpResponseParser
from hypothesis import given, settings
from hypothesis import strategies as st

from promptdeck.upstream.framing import Chunked, Counted, FramingError, UntilClosed

HEX = st.integers(0, 40).map(lambda n: b"%x" % n)
CHUNK = st.binary(min_size=1, max_size=40).map(lambda data: b"%x\r\n%b\r\n" % (len(data), data))
EXTENDED = st.binary(min_size=1, max_size=5).map(
    lambda data: b"%X;a=b\r\n%b\r\n" % (len(data), data)
)
LAST = st.sampled_from(
    [b"0\r\n\r\n", b"0;x\r\n\r\n", b"000\r\nExpires: 0\r\nX-Y: z\r\n\r\n", b"0\r\n\r\nHTTP"]
)
ODD = st.sampled_from(
    [
        b"5\r\nhel",
        b"x\r\n",
        b"-1\r\n",
        b"0x5\r\nhello\r\n",
        b"5\r\nhello!\r\n",
        b"\r\n",
        b"1_0\r\n",
        b"5",
    ]
)
WIRE = st.tuples(st.lists(CHUNK | EXTENDED, max_size=5), LAST | ODD).map(
    lambda parts: b"".join(parts[0]) + parts[1]
)
CUTS = st.lists(st.integers(1, 120), max_size=6)


def pieces(wire: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(wire), *(cut for cut in cuts if cut < len(wire))})
    return [wire[a:b] for a, b in pairwise(places)]


async def theirs(wire: bytes) -> tuple[bytes, bool] | None:
    """The body, and whether it has ended; None if it is broken."""
    loop = asyncio.get_running_loop()
    parser = HttpResponseParser(
        BaseProtocol(loop), loop, 2**16, payload_exception=ClientPayloadError, read_until_eof=True
    )
    [(_, body)], _, _ = parser.feed_data(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    try:
        parser.feed_data(wire)
        return body.read_nowait(), body.is_eof()
    except (HttpProcessingError, ClientPayloadError):
        return None


def ours(wire: bytes, cuts: list[int]) -> tuple[bytes, bool] | None:
    body = Chunked()
    found = b""
    try:
        for piece in pieces(wire, cuts):
            if body.ended:
                break
            found += body.feed(piece)
    except FramingError:
        return None
    return found, body.ended


@settings(deadline=None)
@given(WIRE, CUTS)
def test_chunks_are_read_as_aiohttp_reads_them_however_they_are_cut(
    wire: bytes, cuts: list[int]
) -> None:
    assert ours(wire, cuts) == asyncio.run(theirs(wire))


@given(st.lists(CHUNK, max_size=4), CUTS)
def test_what_comes_after_the_last_chunk_is_beyond_the_body(
    chunks: list[bytes], cuts: list[int]
) -> None:
    body = Chunked()
    wire = b"".join(chunks) + b"0\r\n\r\n"
    for piece in pieces(wire, cuts):
        body.feed(piece)
    assert body.ended
    assert not body.beyond
    more = Chunked()
    more.feed(wire + b"HTTP/1.1 200 OK")
    assert more.beyond == b"HTTP/1.1 200 OK"


@given(st.binary(max_size=30), st.integers(0, 40), CUTS)
def test_a_counted_body_is_just_as_long_as_it_says(
    wire: bytes, length: int, cuts: list[int]
) -> None:
    body = Counted(length)
    found = b""
    beyond = b""
    for piece in pieces(wire, cuts):
        if body.ended:
            beyond += piece
        else:
            found += body.feed(piece)
            beyond += body.beyond
    assert found == wire[:length]
    assert beyond == wire[length:]
    assert body.ended == (len(wire) >= length)


def test_only_the_end_of_the_connection_ends_a_body_without_a_length() -> None:
    body = UntilClosed()
    assert body.feed(b"0\r\n\r\n") == b"0\r\n\r\n"
    assert not body.ended


def test_a_line_between_chunks_that_never_ends_is_given_up() -> None:
    body = Chunked()
    with pytest.raises(FramingError):
        for _ in range(100):
            body.feed(b"1" * 1000)

"""Heads of answers: whoever reads them plainly reads what aiohttp's parser reads."""

import asyncio

import pytest
from aiohttp.http import HttpProcessingError
from hypothesis import given, settings
from hypothesis import strategies as st

from promptdeck.upstream.framing import Chunked, Counted, FramingError, UntilClosed
from promptdeck.upstream.head import ParsedHead, _by_parser, _plain, answer_of, end_of

NAMES = st.sampled_from(
    """Date X-A x-a Content-Type Content-Length content-length Connection Transfer-Encoding
    transfer-encoding Upgrade Set-Cookie é""".split()
) | st.sampled_from(["Bad Name", "", "X\tY"])
VALUES = st.sampled_from(
    "5 0 05 +5 chunked Chunked gzip close Close keep-alive upgrade é\udcff \x00".split(" ")
) | st.sampled_from(["", "5, 5", "gzip, chunked", "x, close", "a; b=c", "a\tb", "a\rb", "a\nb"])
LINES = st.builds(
    "{}:{}{}{}".format,
    NAMES,
    st.sampled_from(["", " ", "\t "]),
    VALUES | st.text(st.characters(codec="latin-1"), max_size=8),
    st.sampled_from(["", " "]),
) | st.sampled_from([" folded", "no colon", "nocolon", ":", "\tx: y"])
STATUS = st.sampled_from(
    """200 OK,204 No Content,304,404 Not\tFound,100 Continue,101 x,99 x, 200 OK,200OK,2000 OK,
    200 \x00""".split(",")
).map("HTTP/1.1 {}".format) | st.sampled_from(["HTTP/1.0 200 OK", "HTTP/2 200", "http/1.1 200 OK"])
HEADS = st.builds(
    lambda status, lines, end: end.join([status, *lines, "", ""]).encode(errors="surrogateescape"),
    st.just("HTTP/1.1 200 OK") | STATUS,
    st.lists(LINES, max_size=4),
    st.just("\r\n") | st.sampled_from(["\r\n", "\n"]),
)


def shown(answer: ParsedHead | None) -> object:
    if answer is None:
        return None
    # aiohttp writes the names that it knows in its own case.
    headers = [(name.lower(), value) for name, value in answer.headers]
    return answer.status, headers, type(answer.body), answer.body.ended, answer.last


@given(HEADS, st.sampled_from(["POST", "HEAD"]))
@settings(max_examples=150)
def test_a_head_that_is_read_plainly_is_read_as_the_parser_does(head: bytes, method: str) -> None:
    plain = _plain(head, method)
    if plain:
        loop = asyncio.new_event_loop()
        try:
            assert shown(plain) == shown(_by_parser(head, method, loop))
        finally:
            loop.close()


def read(head: bytes, method: str = "POST") -> ParsedHead | None:
    loop = asyncio.new_event_loop()
    try:
        return answer_of(head, method, loop)
    finally:
        loop.close()


PROVIDER = (
    b"HTTP/1.1 200 OK\r\nDate: Thu, 26 Nov 2026 00:00:00 GMT\r\nContent-Type: text/event-stream;"
    b" charset=utf-8\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n"
    b"openai-processing-ms: 123\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\n"
    b"X-Name: caf\xc3\xa9\r\n\r\n"
)


def test_what_providers_send_is_plain() -> None:
    answer = _plain(PROVIDER, "POST")
    assert answer
    assert answer.headers[-3:] == (("Set-Cookie", "a=b"), ("Set-Cookie", "c=d"), ("X-Name", "café"))
    assert isinstance(answer.body, Chunked)
    assert not answer.last


@pytest.mark.parametrize(
    ("lines", "kind", "last"),
    [
        (b"Content-Length: 5", Counted, False),
        (b"Content-Length: 5\r\nConnection: close", Counted, True),
        (b"X: y", UntilClosed, True),
        (b"Transfer-Encoding: gzip", UntilClosed, True),
        (b"Transfer-Encoding: gzip, chunked", Chunked, False),
    ],
)
def test_the_end_is_told_as_rfc_9112_has_it(lines: bytes, kind: type, last: bool) -> None:
    answer = read(b"HTTP/1.1 200 OK\r\n" + lines + b"\r\n\r\n")
    assert answer
    assert isinstance(answer.body, kind)
    assert answer.last == last


def test_what_comes_before_the_answer_is_none() -> None:
    assert read(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n") is None


@pytest.mark.parametrize(
    "head", [b"HTTP/1.1 101 x\r\n\r\n", b"SSH-2.0\r\n\r\n", b"HTTP/1.1\r\n\r\n"]
)
def test_what_is_no_head_of_an_answer_is_an_error(head: bytes) -> None:
    with pytest.raises((FramingError, HttpProcessingError)):
        read(head)


def test_a_head_ends_at_an_empty_line() -> None:
    assert end_of(PROVIDER + b"body\n\n") == len(PROVIDER)
    assert end_of(PROVIDER[:-1]) == 0
    assert end_of(b"HTTP/1.0 200 OK\n\nrest") == len(b"HTTP/1.0 200 OK\n\n")

"""Heads as they are written: every byte that may be in one, and nothing that ends a line early."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.headers import is_sendable
from promptdeck.core.interaction import Headers
from promptdeck.errors import HTTPError
from promptdeck.server.heading import sendable, written
from tests.conftest import Start
from tests.raw_client import talking
from tests.raw_upstream import wired
from tests.stores.cassettes import without_digests

VALUES = st.text(max_size=9) | st.binary(max_size=9).map(
    lambda data: data.decode("utf-8", "surrogateescape")
)
WHOLE = b'{"choices":[{"index":0,"message":{"content":"a"},"delta":{},"finish_reason":"stop"}]}'
CONTROLS = {chr(code) for code in (*range(9), *range(10, 32), 127)}


@given(st.lists(st.tuples(st.sampled_from(["a", "x-Y", "B!"]), VALUES), max_size=4))
def test_a_head_holds_all_that_it_was_given(
    headers: list[tuple[str, str]],
) -> None:
    if any({"\r", "\n"} & set(value) for _, value in headers):
        with pytest.raises(HTTPError):
            sendable(tuple(headers))
    else:
        assert sendable(tuple(headers)) == tuple(one for one in headers if is_sendable(one[1]))
    if not all(is_sendable(value) for _, value in headers):
        with pytest.raises(ValueError):
            written("200 OK", headers)
        return
    assert sendable(tuple(headers)) == tuple(headers)
    lines = written("200 OK", headers).split(b"\r\n")
    assert (lines[0], lines[-1]) == (b"HTTP/1.1 200 OK", b"")
    read = [line.decode("utf-8", "surrogateescape").partition(": ") for line in lines[1:-1]]
    assert [(name, value) for name, _, value in read] == headers


@given(VALUES)
def test_only_controls_and_what_stands_for_no_byte_cannot_be_sent(value: str) -> None:
    try:
        value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        assert not is_sendable(value)
    else:
        assert is_sendable(value) == CONTROLS.isdisjoint(value)


@pytest.mark.parametrize("name", ["", "a b", "a:", "a\n", "é", "a\r\nb"])
def test_a_name_that_is_no_token_cannot_be_sent(name: str) -> None:
    headers: Headers = ((name, "x"),)
    with pytest.raises(HTTPError):
        sendable(headers)


@pytest.mark.parametrize("fast", [True, False])
async def test_bytes_of_upstreams_headers_come_through_as_they_are(
    start: Start, fast: bool
) -> None:
    told = b"X-Served-By: caf\xe9\r\nX-Utf: caf\xc3\xa9\r\n"
    reply = b"HTTP/1.1 200 OK\r\n%bContent-Length: 2\r\n\r\n{}" % told
    async with wired(reply) as server:
        deck = await start(mode="passthrough", upstream=server.url, fast=fast)
        async with talking(deck.server) as talk:
            for _ in range(3):
                talk.ask(b"{}", headers="X-Request-Id: m\u00fcll\r\n")
                lines = (await talk.answer()).headers.lines
                assert b"X-Served-By: caf\xe9" in lines
                assert b"X-Utf: caf\xc3\xa9" in lines
                assert "X-Request-Id: m\u00fcll".encode() in lines


async def test_the_bytes_of_a_request_id_come_back_with_an_error(start: Start) -> None:
    deck = await start(mode="replay")
    async with talking(deck.server) as talk:
        for version in (b"1.1", b"1.0"):
            talk.writer.write(
                b"GET /nowhere HTTP/%b\r\nHost: localhost\r\nX-Request-Id: caf\xe9\r\n\r\n"
                % version
            )
            lines = (await talk.answer()).headers.lines
            assert lines[0] == b"HTTP/%b 404 Not Found" % version
            assert b"X-Request-Id: caf\xe9" in lines


@pytest.mark.parametrize("mode", ["cache", "record-missing"])
async def test_a_header_that_no_client_gets_spoils_no_recording(start: Start, mode: str) -> None:
    reply = b"HTTP/1.1 200 OK\r\nX-A: a%bb\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n%b"
    whole, stream = (b"application/json", WHOLE), (b"text/event-stream", b"data: %b\n\n" % WHOLE)
    for control in (b"\x1b[31m", b"\x7f", b"\x07"):
        for kind, body in (whole, stream):
            async with wired(reply % (control, kind, len(body), body)) as server:
                deck = await start(mode=mode, upstream=server.url)
                prompt = f"{control!r} {kind!r}"
                got = [await deck.chat(prompt, stream=kind != whole[0]) for _ in range(3)]
                assert [(one.status, one.body) for one in got] == [(200, body)] * 3
                assert not any("X-A" in one.headers for one in got)
                assert len(server.requests) == 1


@pytest.mark.parametrize("stream", [True, False])
async def test_a_recorded_header_that_would_be_two_is_an_error(start: Start, stream: bool) -> None:
    recording = await start(mode="record", cassette="c")
    await recording.chat("once", stream=stream)
    cassette = start.folder / "cassettes" / "c.yaml"
    text = cassette.read_text()
    assert "content-type: " in text
    cassette.write_text(
        text.replace("content-type: ", 'x: "a\\r\\nX-In: b"\n      content-type: ', 1)
    )
    without_digests(cassette)
    paced, faulty = (
        {"PROMPTDECK_REPLAY_PACE": "recorded"},
        {"PROMPTDECK_REPLAY_FAULTS": "latency=1ms"},
    )
    for flags in ({}, paced, faulty):
        deck = await start(flags, mode="replay", cassette="c")
        for _ in range(3):
            got = await deck.chat("once", stream=stream)
            assert (got.status, got.json["code"]) == (500, "unusable")
            assert "X-In" not in got.headers


@pytest.mark.parametrize(
    "path", ["v1/chat/completions", "v1/messages", "v2/chat", "api/chat", "v1beta/models/g:predict"]
)
async def test_an_error_is_told_whatever_bytes_its_request_has_in_its_head(
    start: Start, path: str
) -> None:
    deck = await start(mode="replay")
    async with talking(deck.server) as talk:
        for name in ("X-Request-Id", "X-Provider", "X-Promptdeck-Fault", "Idempotency-Key"):
            talk.writer.write(
                f"POST /{path} HTTP/1.1\r\nHost: localhost\r\n{name}: ".encode()
                + b"caf\xe9\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
            )
            got = await talk.answer()
            assert got.status.split()[1] in ("400", "404")
            assert orjson.loads(got.body)

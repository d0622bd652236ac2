"""What upstreams send, byte by byte, on both ways: ends of every kind, cuts, oddities."""

import asyncio
import gzip
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptdeck.core.interaction import Headers, Request
from promptdeck.engine.incoming import Incoming
from promptdeck.engine.sides import Full
from promptdeck.errors import UpstreamError
from promptdeck.upstream import Upstream
from promptdeck.upstream.keys import Keys
from promptdeck.upstream.lean import head_of
from tests.clock import Clock, settle
from tests.conftest import Start
from tests.raw_upstream import Reply, Wired, ending, in_pieces, resetting, wired

BOTH = pytest.mark.parametrize("lean", [True, False], ids=["lean", "session"])


@asynccontextmanager
async def calling(url: str, *, lean: bool, timeout: float | None = 5) -> AsyncIterator[Upstream]:
    upstream = Upstream(url, Keys(), timeout, timeout)
    upstream.lean = lean
    try:
        yield upstream
    finally:
        await upstream.close()


def asking(method: str = "POST", headers: Headers = (), body: bytes = b"{}") -> Incoming:
    return Incoming(Request(method, "/v1/chat", "application/json", body), headers)


class Got:
    """A sink that keeps what comes."""

    def __init__(self, full: "asyncio.Future[None] | None" = None) -> None:
        self.status = 0
        self.headers: Headers = ()
        self.body = b""
        self.full = full

    def headed(self, status: int, headers: Headers, data: bytes) -> Full:
        self.status, self.headers = status, headers
        return self.came(data)

    def came(self, data: bytes) -> Full:
        self.body += data
        return None if self.full is None or self.full.done() else self.full

    @property
    def all(self) -> tuple[int, Headers, bytes]:
        return self.status, self.headers, self.body


async def ask(upstream: Upstream, incoming: Incoming | None = None) -> tuple[int, Headers, bytes]:
    got = Got()
    await upstream.fly(incoming or asking(), got)
    return got.all


async def begin(upstream: Upstream) -> tuple[int, Headers, bytes]:
    """As `ask`, on a connection that waits."""
    got = Got()
    over: asyncio.Future[UpstreamError | None] = asyncio.get_running_loop().create_future()
    assert upstream.begin(asking(), got, over.set_result)
    if error := await over:
        raise error
    return got.all


LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
TRAILERS = CHUNKED + b"3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nExpires: 0\r\n\r\n"
CONTINUED = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + LENGTH
EMPTY = b"HTTP/1.1 204 No Content\r\nX-A: 1\r\n\r\n"
UNCHANGED = b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"
NOTHING = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


DOTS = [".", "..", "%2e%2e", ".%2E", "%2e", "%252e%252e", "..;x=y"]
SLASHES = ["/", "%2f", "%2F", "\\", "%5c", "%252F"]


@BOTH
@given(
    dots=st.sampled_from(DOTS),
    before=st.sampled_from(SLASHES),
    after=st.sampled_from(["", *SLASHES]),
    rest=st.sampled_from(["", "admin/keys", "v1", "?limit=1", "?x=../y"]),
    prefix=st.sampled_from(["/v1", "/v1/files", "/v1/a.b"]),
)
@settings(max_examples=60)
async def test_a_target_with_dot_segments_is_never_sent(
    dots: str, before: str, after: str, rest: str, prefix: str, lean: bool
) -> None:
    if not after and not rest.startswith("?"):
        rest = ""
    # The server need not be there.
    async with calling("http://127.0.0.1:9/v1", lean=lean) as upstream:
        target = prefix + before + dots + after + rest
        incoming = Incoming(Request("POST", target, "application/json", b"{}"), ())
        assert upstream.begin(incoming, Got(), lambda error: None) is None
        with pytest.raises(UpstreamError) as refused:
            await upstream.fly(incoming, Got())
        assert (refused.value.status, refused.value.code) == (400, "bad_path")
        assert upstream.calls == 0


@BOTH
@pytest.mark.parametrize("target", ["@elsewhere.test/v1", "/v1evil", "x/v1"])
async def test_a_target_that_is_not_below_the_base_url_is_never_sent(
    target: str, lean: bool
) -> None:
    async with calling("http://127.0.0.1:9", lean=lean) as upstream:
        incoming = Incoming(Request("GET", target, "", b""), ())
        with pytest.raises(UpstreamError, match="base URL"):
            await upstream.fly(incoming, Got())


@BOTH
@pytest.mark.parametrize(
    "target",
    ["/v1", "/v1?x=../y", "/v1/m/gpt-4.1", "/v1/a..b/...", "/v1/.well", "/v1/x%2ey", "/v1/a.%2fb"],
)
async def test_dots_in_names_and_queries_are_sent_as_they_are(target: str, lean: bool) -> None:
    async with wired(LENGTH) as server, calling(server.url, lean=lean) as upstream:
        await upstream.fly(Incoming(Request("GET", target, "", b""), ()), Got())
    assert server.requests[0].startswith(b"GET %b HTTP/1.1\r\n" % target.encode())


@BOTH
@pytest.mark.parametrize("odd", [b"", b"Connection: x\r\n"], ids=["plain head", "by the parser"])
@given(value=st.binary(min_size=1, max_size=12).filter(
    lambda value: not set(value) & {*range(32), 127} and value.strip(b" ") == value
))  # fmt: skip
@settings(max_examples=30)
async def test_each_byte_of_a_header_value_survives(value: bytes, odd: bytes, lean: bool) -> None:
    head = b"HTTP/1.1 200 OK\r\nX-Model: %b\r\n%bContent-Length: 2\r\n\r\n{}" % (value, odd)
    async with wired(head) as server, calling(server.url, lean=lean) as upstream:
        _, headers, _ = await ask(upstream)
    sent = [text.encode("utf-8", "surrogateescape") for name, text in headers if name == "X-Model"]
    assert sent == [value]


@BOTH
@pytest.mark.parametrize(
    ("reply", "status", "body"),
    [
        pytest.param(LENGTH, 200, b"hello", id="length"),
        pytest.param(TRAILERS, 200, b"hello", id="chunks and trailers"),
        pytest.param(CONTINUED, 200, b"hello", id="100 and 103 before it"),
        pytest.param(EMPTY, 204, b"", id="204"),
        pytest.param(UNCHANGED, 304, b"", id="304 with a length"),
        pytest.param(NOTHING, 200, b"", id="length 0"),
    ],
)
async def test_an_answer_ends_where_http_says_and_the_connection_is_used_again(
    reply: bytes, status: int, body: bytes, lean: bool
) -> None:
    async with wired(reply) as server, calling(server.url, lean=lean) as upstream:
        for _ in range(3):
            got = await ask(upstream)
            assert (got[0], got[2]) == (status, body)
    assert server.connections == 1


@BOTH
async def test_an_answer_to_head_has_a_length_and_no_body(lean: bool) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
    async with wired(head) as server, calling(server.url, lean=lean) as upstream:
        for _ in range(2):
            got = await ask(upstream, asking("HEAD", body=b""))
            assert (got[1], got[2]) == ((("Content-Length", "5"),), b"")
    assert server.connections == 1
    assert b"ontent-" not in server.requests[0]


@BOTH
@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(
            b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello",
            id="connection: close",
        ),
        pytest.param(ending(b"HTTP/1.0 200 OK\r\n\r\nhello"), id="HTTP/1.0"),
        pytest.param(ending(b"HTTP/1.1 200 OK\r\n\r\nhello"), id="no length"),
    ],
)
async def test_an_answer_that_ends_the_connection_is_whole(
    reply: bytes | Reply, lean: bool
) -> None:
    async with wired(reply) as server, calling(server.url, lean=lean) as upstream:
        assert [(await ask(upstream))[2] for _ in range(2)] == [b"hello", b"hello"]
    assert server.connections == 2


@BOTH
async def test_compressed_bytes_pass_as_they_are(lean: bool) -> None:
    data = gzip.compress(b"hello")
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(data)
    async with wired(head + data) as server, calling(server.url, lean=lean) as upstream:
        assert (await ask(upstream))[2] == data


@BOTH
@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(ending(LENGTH[:-2]), id="short of its length"),
        pytest.param(ending(CHUNKED + b"5\r\nhel"), id="in a chunk"),
        pytest.param(ending(CHUNKED + b"3\r\nhel\r\n"), id="between chunks"),
        pytest.param(resetting(CHUNKED + b"3\r\nhel\r\n"), id="reset"),
    ],
)
async def test_a_cut_is_told_after_what_came_before_it(reply: bytes | Reply, lean: bool) -> None:
    got = Got()
    async with wired(reply) as server, calling(server.url, lean=lean) as upstream:
        with pytest.raises(UpstreamError, match="cut its answer off") as told:
            await upstream.fly(asking(), got)
    assert told.value.code == "upstream_cut"
    assert got.body in (b"hel", b"")


@BOTH
@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(ending(b""), id="no answer"),
        pytest.param(ending(b"HTTP/1.1 200 OK\r\nConte"), id="half a head"),
        pytest.param(b"SSH-2.0-OpenSSH_9.9\r\n", id="no HTTP"),
    ],
)
async def test_no_answer_is_502(reply: bytes | Reply, lean: bool) -> None:
    async with wired(reply) as server, calling(server.url, lean=lean) as upstream:
        with pytest.raises(UpstreamError, match="cannot reach http"):
            await ask(upstream)
    assert len(server.requests) == 1


async def test_a_name_that_no_host_can_have_is_502() -> None:
    async with calling(f"http://{'a' * 70}.test/v1", lean=True) as upstream:
        with pytest.raises(UpstreamError, match="cannot reach"):
            await ask(upstream)


@BOTH
async def test_chunks_that_are_none_are_an_error(lean: bool) -> None:
    reply = CHUNKED + b"3\r\nhel\r\nno chunk\r\n"
    async with wired(reply) as server, calling(server.url, lean=lean) as upstream:
        with pytest.raises(UpstreamError, match="chunk size"):
            await ask(upstream)


async def test_a_reset_is_no_end_of_an_answer_without_a_length() -> None:
    reply = resetting(b"HTTP/1.1 200 OK\r\n\r\nhel")
    async with wired(reply) as server, calling(server.url, lean=True) as upstream:
        with pytest.raises(UpstreamError, match="cut its answer off"):
            await ask(upstream)


async def test_switching_protocols_unasked_is_502() -> None:
    reply = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"
    async with wired(reply) as server, calling(server.url, lean=True) as upstream:
        with pytest.raises(UpstreamError, match="switched protocols"):
            await ask(upstream)


@BOTH
async def test_silence_before_and_within_an_answer_is_504(lean: bool) -> None:
    clock = Clock()
    async with (
        wired(b"", CHUNKED + b"3\r\nhel\r\n") as server,
        calling(server.url, lean=lean, timeout=60) as upstream,
    ):
        for number, why in enumerate(("did not answer in time", "fell silent in mid-answer"), 1):
            got = Got()
            flying = asyncio.get_running_loop().create_task(upstream.fly(asking(), got))
            while len(server.requests) < number or len(got.body) < len(b"hel") * (number - 1):
                await asyncio.sleep(0)
            await settle()
            clock.ahead(61)
            with pytest.raises(UpstreamError, match=why) as told:
                await flying
            assert (told.value.status, told.value.code) == (504, "upstream_timeout")


@BOTH
@pytest.mark.parametrize("method", ["GET", "POST", "PATCH"])
@pytest.mark.parametrize("hang_up", [ending(b""), resetting(b"")], ids=["ends", "resets"])
async def test_a_request_is_sent_again_when_the_peer_had_hung_up_before_it_came(
    method: str, hang_up: Reply, lean: bool
) -> None:
    # It hangs up the moment that the second request comes: that looks stale to the client.
    async with (
        wired(LENGTH, hang_up, LENGTH) as server,
        calling(server.url, lean=lean) as upstream,
    ):
        await ask(upstream, asking(method))
        assert (await ask(upstream, asking(method)))[2] == b"hello"
    assert len(server.requests) == 3


@BOTH
@pytest.mark.parametrize("came", [b"H", b"HTTP/1.1 200 OK\r\n"])
async def test_a_request_is_sent_once_when_an_answer_had_begun(came: bytes, lean: bool) -> None:
    async with (
        wired(LENGTH, ending(came), LENGTH) as server,
        calling(server.url, lean=lean) as upstream,
    ):
        await ask(upstream)
        with pytest.raises(UpstreamError):
            await ask(upstream)
    assert len(server.requests) == 2


@BOTH
async def test_what_is_sent_on_a_connection_of_its_own_is_sent_once(lean: bool) -> None:
    async with wired(ending(b"")) as server, calling(server.url, lean=lean) as upstream:
        with pytest.raises(UpstreamError, match="cannot reach"):
            await ask(upstream)
    assert len(server.requests) == 1


async def test_a_pooled_connection_that_the_peer_closed_is_not_used() -> None:
    async def parting(writer: asyncio.StreamWriter) -> None:
        writer.write(LENGTH)
        await answered.wait()
        writer.close()

    async with wired(parting) as server, calling(server.url, lean=True) as upstream:
        for _ in range(2):
            answered = asyncio.Event()
            await ask(upstream)
            answered.set()
            await settle()
    assert server.connections == 2


async def test_what_comes_unasked_is_no_answer_to_the_next_request() -> None:
    async def chatty(writer: asyncio.StreamWriter) -> None:
        writer.write(LENGTH)
        await answered.wait()
        writer.write(LENGTH.replace(b"hello", b"wrong"))

    async with wired(chatty) as server, calling(server.url, lean=True) as upstream:
        for _ in range(2):
            answered = asyncio.Event()
            assert (await ask(upstream))[2] == b"hello"
            answered.set()
            await settle()
    assert server.connections == 2


@BOTH
async def test_a_call_that_is_left_early_closes_its_connection(lean: bool) -> None:
    async with (
        wired(CHUNKED + b"3\r\nhel\r\n", LENGTH) as server,
        calling(server.url, lean=lean) as upstream,
    ):
        got = Got()
        flying = asyncio.get_running_loop().create_task(upstream.fly(asking(), got))
        while not got.body:
            await asyncio.sleep(0)
        flying.cancel()
        assert (await ask(upstream))[2] == b"hello"
    assert server.connections == 2


@BOTH
async def test_a_reader_that_is_full_stops_upstream_and_then_gets_the_rest(lean: bool) -> None:
    size = 8 * 1024 * 1024
    sent = 0

    async def push(writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        while sent < size:
            writer.write(b"x" * 65536)
            await writer.drain()
            sent += 65536

    room: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    got = Got(room)
    async with wired(push) as server, calling(server.url, lean=lean) as upstream:
        flying = asyncio.get_running_loop().create_task(upstream.fly(asking(), got))
        before = -1
        while not sent or before != sent:
            before = sent
            await asyncio.sleep(0.1)
        assert 0 < len(got.body) <= 1024 * 1024
        assert sent < size
        room.set_result(None)
        await flying
    assert len(got.body) == size


async def test_a_thousand_tiny_chunks_in_one_packet_come_in_their_order() -> None:
    numbers = [b"%05d" % n for n in range(20_000)]
    body = b"".join(b"5\r\n%b\r\n" % number for number in numbers)
    reply = CHUNKED + body + b"0\r\n\r\n"
    async with wired(reply) as server, calling(server.url, lean=True) as upstream:
        for _ in range(2):
            assert (await ask(upstream))[2] == b"".join(numbers)
    assert server.connections == 1


async def test_an_encrypted_upstream_is_verified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    openssl = shutil.which("openssl")
    if not openssl:
        pytest.skip("needs the openssl command to make a certificate")
    subprocess.run(
        [
            *(openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=x", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", "key.pem", "-out", "cert.pem"),
        ],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    async with wired(TRAILERS, tls=context) as server:
        url = server.url.replace("http:", "https:")
        async with calling(url, lean=True) as upstream:
            with pytest.raises(UpstreamError, match="SSL_CERT_FILE="):
                await ask(upstream)
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
        async with calling(url, lean=True) as upstream:
            for _ in range(2):
                assert (await ask(upstream))[2] == b"hello"
    assert server.connections == 1


LINE = st.text(max_size=12) | st.sampled_from(["a\r\nX: y", "\n", "\r", "\0", "ü", "\udcff"])


@given(st.tuples(LINE, LINE), st.lists(st.tuples(LINE, LINE), max_size=4))
def test_a_head_has_a_line_for_each_header_or_is_refused(
    line: tuple[str, str], headers: list[tuple[str, str]]
) -> None:
    try:
        head = head_of(*line, "host", tuple(headers))
    except ValueError:
        return
    assert head.count(b"\n") == head.count(b"\r") == head.count(b"\r\n") == 2 + len(headers)
    assert head.partition(b"\r")[0].count(b" ") == 2


@given(
    reply=st.sampled_from([LENGTH, TRAILERS, CONTINUED, EMPTY, NOTHING]),
    cuts=st.lists(st.integers(1, 120), max_size=5),
)
@settings(max_examples=25, deadline=None)
def test_both_ways_read_the_same_however_the_network_cuts_it(reply: bytes, cuts: list[int]) -> None:
    places = sorted({0, len(reply), *(cut for cut in cuts if cut < len(reply))})
    pieces = [reply[a:b] for a, b in pairwise(places)]

    async def run() -> list[tuple[int, Headers, bytes]]:
        got = []
        async with wired(in_pieces(*pieces)) as server:
            for lean in (True, False):
                async with calling(server.url, lean=lean) as upstream:
                    got.append(await ask(upstream))
                    if lean:
                        got.append(await begin(upstream))
        return got

    lean, begun, session = asyncio.run(run())
    assert lean == begun == session


@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS"]),
    headers=st.lists(
        st.tuples(
            st.sampled_from(["Accept", "X-A", "x-a", "User-Agent"]), st.text("ab ü,", max_size=5)
        ),
        max_size=3,
        # The session sends but one of each name.
        unique_by=lambda header: header[0].lower(),
    ),
    body=st.binary(max_size=10),
)
@settings(max_examples=25, deadline=None)
def test_both_ways_send_the_same_request(
    method: str, headers: list[tuple[str, str]], body: bytes
) -> None:
    async def run() -> list[bytes]:
        server: Wired
        async with wired(NOTHING) as server:
            for lean in (True, False):
                async with calling(server.url, lean=lean) as upstream:
                    await ask(upstream, asking(method, tuple(headers), body))
        return server.requests

    lean, session = (request.partition(b"\r\n\r\n") for request in asyncio.run(run()))
    assert sorted(lean[0].split(b"\r\n")) == sorted(session[0].split(b"\r\n"))
    assert lean[2] == session[2]


async def test_a_request_that_upstream_stops_taking_is_504() -> None:
    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await left.wait()
        writer.close()

    left = asyncio.Event()
    # What it does not read is more than kernel and reader hold for it.
    server = await asyncio.start_server(deaf, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    async with server, calling(url, lean=True, timeout=0.1) as upstream:
        with pytest.raises(UpstreamError) as told:
            await ask(upstream, asking(body=b"x" * 32 * 1024 * 1024))
        left.set()
    assert told.value.code == "upstream_timeout"


def test_servers_in_threads_of_one_process_do_not_mix_up_answers() -> None:
    async def mine(letter: bytes) -> set[bytes]:
        body = letter * 300_000
        reply = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        async with wired(reply) as server, calling(server.url, lean=True) as upstream:
            return {(await ask(upstream))[2] for _ in range(50)}

    with ThreadPoolExecutor() as threads:
        found = threads.map(lambda letter: asyncio.run(mine(letter)), [b"a", b"b", b"c"])
        assert list(found) == [{letter * 300_000} for letter in (b"a", b"b", b"c")]


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("mode", ["passthrough", "cache"])
async def test_a_client_never_hears_of_a_connection_that_was_closed_before_it_was_used(
    start: Start, mode: str, fast: bool
) -> None:
    async with wired(LENGTH, ending(b""), LENGTH, resetting(b""), LENGTH) as server:
        deck = await start(mode=mode, fast=fast, upstream=server.url)
        for prompt in ("one", "two", "three", "four"):
            assert (await deck.chat(prompt)).body == b"hello"
    assert (len(server.requests), server.connections) == (6, 3)
    assert deck.server.counts().upstream_calls == 4

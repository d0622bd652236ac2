"""The fast path answers what the ordinary way would: both get the same traffic, byte for byte."""

import ast
import asyncio
import gzip
import logging
import os
import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import promptdeck
from promptdeck.app import Serving, serving
from promptdeck.config import load
from promptdeck.core.counts import COUNTED
from promptdeck.core.headers import CREDENTIALS, HOP, SERVED
from promptdeck.core.interaction import Interaction, Request, Variant
from promptdeck.server.fast import connection as fastpath
from promptdeck.stores.cassettes.save import New, save
from promptdeck.stores.sqlite.admin import clear
from tests.conftest import Start
from tests.raw_client import HeadOf
from tests.recordings import base_of, of
from tests.scripted_upstream import upstream
from tests.stores.cassettes import without_digests
from tests.test_layout import MODULES
from tests.translations import given_by

CHAT = "/v1/chat/completions"


def body(prompt: str, **more: Any) -> bytes:
    return orjson.dumps({"model": "m", "messages": [{"role": "user", "content": prompt}], **more})


BODIES = [
    body("once"),
    body("once", user="somebody"),
    body("once", stream=True),
    body("once", stream=True, stream_options={"include_usage": True}),
    body("once", store=True),
    body("thrice"),
    body("long " * 20_000),
    body("never recorded"),
    body("once", temperature="hot"),
    b'{"model": "m", "messages": [{"role": "user", "content": "once"}]}',
    b'{"messages":[{"content":"on\\u0063e","role":"user"}],"user":"me","model":"m"}',
    b'{"messages":[{"content":"once","role":"user"}],"user":5,"model":"m"}',
    b'{"st\\u006fre":true,"model":"m","messages":[{"role":"user","content":"once"}]}',
    b'{"model":"m","messages":[{"role":"user","content":"thrice"}],"max_tokens":1e400}',
    b'{"user":"me","model":"no","messages":[{"content":"once","role":"user"}],"model":"m"}',
    b'{"model":"m","deferr\\u0065d":true,"messages":[{"role":"user","content":"once"}]}',
    body("once", deferred=True),
    body("once", safety_identifier="x" * 200),
    b"not json",
    b"",
]
HIDDEN = BODIES.index(
    b'{"st\\u006fre":true,"model":"m","messages":[{"role":"user","content":"once"}]}'
)
TURNS = [{"role": "user", "content": f"{number} " * 300} for number in range(12)]
BODIES.append(orjson.dumps({"model": "m", "messages": TURNS, "user": "me"}))
LONG = len(BODIES) - 1
# In cassettes what a Messages server has answered to these, as a stream and whole.
BODIES += [body("translated", stream=True), body("translated")]
TRANSLATED = (LONG + 1, LONG + 2)
_LENGTHS = (300, 20_000)


def in_other_words(data: bytes, number: int) -> bytes:
    """A body that says the same, or nearly, and is as long as all others: so heads are known."""
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        return data
    length = next((length for length in _LENGTHS if len(data) < length - 100), 0)
    if not length or not number:
        return data
    pick = random.Random(number)
    if "user" not in value and pick.random() < 0.5:
        value["user"] = f"u-{number}"
    style = orjson.OPT_INDENT_2 if pick.random() < 0.5 else 0
    return orjson.dumps(shuffled(value, pick), option=style).ljust(length)


def shuffled(value: Any, pick: random.Random) -> Any:
    if isinstance(value, list):
        return [shuffled(item, pick) for item in value]
    if isinstance(value, dict):
        return {key: shuffled(value[key], pick) for key in pick.sample(list(value), len(value))}
    return value


OWN = ("date", "age", "x-request-id")
PREFIXES = ["", "/cassette/a", "/cassette/b", "/cassette/none"]
HEADERS = [
    "Cache-Control: no-cache",
    "Cache-Control: max-age=0",
    "Cache-Control: only-if-cached",
    "Cache-Control: strange",
    "Connection: close",
    "Connection: keep-alive",
    "Expect: 100-continue",
    "Idempotency-Key: one",
    "X-Request-Id: given",
    "X-Request-Id: caf\udce9",
    "X-Promptdeck-Fault: status=503",
    "Anthropic-Version: 2023-06-01",
    "X-Goog-Api-Key: k",
    "Api-Key: k",
    "X-Provider: nobody",
    "X-Provider-Key: nobody's",
    "X-Provider-Model: nobody/m",
    "X-Promptdeck-Draws: 3",
    "X-Promptdeck-Else: 3",
    "Content-Encoding: identity",
    "Content-Encoding: snappy",
    "Upgrade: h2c",
    "Upgrade: websocket",
    "Origin: http://localhost:3000",
    "Origin: http://evil.example",
    "Sec-Fetch-Site: cross-site",
    "Sec-Fetch-Site: same-origin",
    "X-Promptdeck-Token: some",
    "X-Promptdeck-Hop: some-1",
    "User-Agent: twin",
    "User-Agent: somebody else",
    "Accept-Encoding: gzip",
    "Accept: text/csv",
    "Accept: */*",
    "Range: bytes=0-3",
    "If-Range: once",
    "If-None-Match: once",
    "Content-Type: text/plain",
]


@dataclass(frozen=True)
class Ask:
    """One request, and how it goes over the wire."""

    number: int = 0
    """Of its body."""
    host: str = "localhost"
    prefix: str = ""
    headers: tuple[str, ...] = ()
    version: str = "1.1"
    coding: str = ""
    cuts: tuple[float, ...] = ()
    words: int = 0
    """In which other words it is asked, if not as it is."""

    @property
    def body(self) -> bytes:
        return in_other_words(BODIES[self.number], self.words)

    @property
    def closes(self) -> bool:
        return self.version == "1.0" or "Connection: close" in self.headers

    @property
    def wire(self) -> bytes:
        line = f"POST {self.prefix}{CHAT} HTTP/{self.version}"
        lines = [line, f"Host: {self.host}", *self.headers]
        if not any(line.startswith("Content-Type:") for line in lines):
            lines.append("Content-Type: application/json")
        data = gzip.compress(self.body, mtime=0) if self.coding == "gzip" else self.body
        if self.coding == "gzip":
            lines.append("Content-Encoding: gzip")
        if self.coding == "chunked" and self.version == "1.1":
            lines.append("Transfer-Encoding: chunked")
            data = b"%x\r\n%b\r\n0\r\n\r\n" % (len(data), data) if data else b"0\r\n\r\n"
        else:
            lines.append(f"Content-Length: {len(data)}")
        return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape") + data


@dataclass
class Client:
    """A keep-alive connection that can be cut into packets at will."""

    port: int
    _socket: socket.socket | None = None
    _data: bytes = b""
    closed: int = 0

    def send(self, data: bytes, cuts: tuple[float, ...]) -> None:
        at = sorted({0, len(data), *(int(cut * len(data)) for cut in cuts)})
        for begin, end in pairwise(at):
            try:
                self._connected().sendall(data[begin:end])
            except OSError:
                return
            if end != len(data):
                time.sleep(0.002)

    def _connected(self) -> socket.socket:
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self.port), 10)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._data = b""
        return self._socket

    def _more(self) -> bool:
        try:
            more = self._connected().recv(1 << 20)
        except ConnectionError:
            more = b""
        self._data += more
        if not more:
            self.close()
        return bool(more)

    def close(self) -> None:
        if self._socket:
            self._socket.close()
            self._socket = None
            self.closed += 1

    def answer(self) -> tuple[str, HeadOf, bytes] | None:
        """Status line, headers and body; None if the connection ended instead."""
        while b"\r\n\r\n" not in self._data:
            if not self._more():
                return None
        head, _, self._data = self._data.partition(b"\r\n\r\n")
        headers = HeadOf(head)
        status = headers.status
        if " 100 " in status:
            return self.answer()
        if "transfer-encoding" in headers:
            return status, headers, self._chunked()
        while len(self._data) < int(headers.get("content-length", 0)) and self._more():
            pass
        length = int(headers.get("content-length", 0))
        content, self._data = self._data[:length], self._data[length:]
        return status, headers, content

    def _chunked(self) -> bytes:
        content = b""
        while True:
            while b"\r\n" not in self._data and self._more():
                pass
            size, _, self._data = self._data.partition(b"\r\n")
            length = int(size or b"0", 16)
            while len(self._data) < length + 2 and self._more():
                pass
            content, self._data = content + self._data[:length], self._data[length + 2 :]
            if not length:
                return content


@dataclass
class Pair:
    """Two promptdecks that differ in nothing but the fast path."""

    mode: str
    servers: list[Serving]

    def __post_init__(self) -> None:
        self.fast, self.plain = self.clients = [Client(server.port) for server in self.servers]

    def both(self, asks: list[Ask]) -> None:
        """Send all at once, then read the answers; they are the same from both."""
        # Whether the second of two equal ones still joins the first one's flight, or finds its
        # recording, is a matter of microseconds.
        equal = self.mode == "cache" and len({ask.number for ask in asks}) < len(asks)
        for some in [[ask] for ask in asks] if equal else [asks]:
            fast, plain = [self._ask(client, some) for client in self.clients]
            assert fast == plain, some
            while any(server.counts().under_way for server in self.servers):
                time.sleep(0.001)

    def _ask(self, client: Client, asks: list[Ask]) -> list[Any]:
        client.send(b"".join(ask.wire for ask in asks), asks[0].cuts)
        answers = []
        for ask in asks:
            answers.append(comparable(client.answer(), ask))
            if answers[-1] is None or ask.closes:
                client.close()
                break
        return answers

    def told(self, path: str, method: str = "GET") -> None:
        """A page that both must tell alike."""
        pages = []
        for client in self.clients:
            client.close()
            client.send(f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode(), ())
            answer = client.answer()
            assert answer
            pages.append(without_times(orjson.loads(answer[2])))
        assert pages[0] == pages[1]


def without_times(page: Any) -> Any:
    return {key: value for key, value in page.items() if key not in ("session", "client")}


def comparable(answer: tuple[str, HeadOf, bytes] | None, ask: Ask) -> Any:
    if answer is None:
        return None
    _, headers, content = answer
    given = any(line.startswith("X-Request-Id") for line in ask.headers)
    # The fast path writes those last that differ each time.
    named = {name: headers.get(name) is not None for name in OWN}
    told = headers.get("x-request-id") if given else None
    varies = b"req_" in content or b"request_id" in content
    return headers.but_for(*OWN), named, told, b"" if varies else content


class House(threading.Thread):
    """A loop of its own for both servers and their upstreams."""

    def __init__(self, folder: Path, mode: str) -> None:
        super().__init__(daemon=True)
        self.folder, self.mode = folder, mode
        self.ready = threading.Event()
        self.pair: Pair | None = None

    def run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        async with AsyncExitStack() as stack:
            provider = await stack.enter_async_context(upstream())
            await self._record(provider.url)
            servers = []
            for name in ("fast", "plain"):
                own = await stack.enter_async_context(upstream())
                config = self._config(self.mode, own.url, store=self.folder / f"{name}.db")
                served = await stack.enter_async_context(serving(config, fast=name == "fast"))
                servers.append(served)
            self.pair = Pair(self.mode, servers)
            self.ready.set()
            await self._end.wait()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self.join(20)

    def _config(self, mode: str, url: str, **flags: Any) -> Any:
        given = {"mode": mode, "port": 0, "cassettes": self.folder / "cassettes", "upstream": url}
        return load({**given, "log_level": "info", **flags}, {}, cwd=self.folder).config

    async def _record(self, url: str) -> None:
        for name in ("a", "b"):
            config = self._config("record", url, cassette=name, store=self.folder / "r.db")
            async with serving(config) as server:
                await asyncio.to_thread(self._ask_all, server)
            found = [self._translated(number) for number in TRANSLATED]
            path = self.folder / "cassettes" / f"{name}.yaml"
            await asyncio.to_thread(save, path, [New(*one, replace=False) for one in found])

    def _translated(self, number: int) -> tuple[Interaction, bytes]:
        """A recording of a Messages server's answer to a chat, and its form."""
        streams = number == TRANSLATED[0]
        request = Request("POST", CHAT, "application/json", BODIES[number])
        variant = Variant.SSE if streams else Variant.JSON
        return of(request, given_by("messages", stream=streams), variant), base_of(request)

    def _ask_all(self, server: Serving) -> None:
        client = Client(server.port)
        for number in (0, 1, 2, 3, 5, 5, 5, 6, LONG):
            client.send(Ask(number).wire, ())
            assert client.answer()
        client.close()


@pytest.fixture(scope="module", params=["replay", "cache", "passthrough"])
def pair(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pair]:
    house = House(tmp_path_factory.mktemp("house"), request.param)
    house.start()
    assert house.ready.wait(20)
    assert house.pair
    if request.param == "cache":
        for number in range(len(BODIES)):
            for prefix in PREFIXES:
                house.pair.both([Ask(number, prefix)])
    yield house.pair
    house.pair.fast.close()
    house.pair.plain.close()
    house.stop()


asks = st.builds(
    Ask,
    number=st.just(0) | st.sampled_from(range(len(BODIES))),
    words=st.just(0) | st.integers(0, 10_000),
    prefix=st.sampled_from(["", "", "", *PREFIXES]),
    host=st.sampled_from(["localhost"] * 9 + ["evil.example", "[::1]:4141", "localhost@evil"]),
    headers=st.lists(st.sampled_from(HEADERS), max_size=2).map(tuple) | st.just(()),
    version=st.sampled_from(["1.1"] * 9 + ["1.0"]),
    coding=st.sampled_from([""] * 8 + ["gzip", "chunked"]),
    cuts=st.lists(st.floats(0, 1), max_size=3).map(tuple) | st.just(()),
)
plain_asks = st.builds(
    Ask,
    number=st.sampled_from([*range(7), LONG, *TRANSLATED]),
    words=st.just(0) | st.integers(0, 10_000),
)
# Some alone, as most clients send them; some in one packet, or cut anywhere.
rounds = st.lists(
    st.tuples(plain_asks).map(list) | st.lists(asks, min_size=1, max_size=3),
    min_size=1,
    max_size=12,
)


@given(traffic=rounds)
@settings(max_examples=60)
def test_all_traffic_is_answered_as_the_ordinary_way_would(
    pair: Pair, traffic: list[list[Ask]]
) -> None:
    for together in traffic:
        *first, last = together
        # What comes after a request that closes the connection may tear it down too early, and
        # whether a request meets another's recording or its flight is left to chance.
        first = [replace(ask, headers=(), version="1.1") for ask in first]
        if first and pair.mode == "cache":
            last = replace(last, headers=())
        pair.both([*first, last])
    if pair.mode == "replay":
        pair.told("/_deck/cassettes/a/report")
        pair.told(CHAT)
    pair.told("/_deck/health")


async def asked(client: Client, *all_of_them: Ask) -> list[Any]:
    def ask_each() -> list[Any]:
        answers = []
        for ask in all_of_them:
            client.send(ask.wire, ask.cuts)
            answers.append(client.answer())
        return answers

    return await asyncio.to_thread(ask_each)


async def test_known_bytes_are_answered_without_a_request_and_logged_together(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "promptdeck")
    deck = await start(mode="cache")
    await deck.chat("once")
    client = Client(deck.server.port)
    first, *rest = await asked(client, *[Ask()] * 30)
    client.close()
    assert first[2] == rest[-1][2]
    assert len({headers["x-request-id"] for _, headers, _ in rest}) == 29
    assert deck.server.counts().hits == 30
    while not (together := [line for line in caplog.messages if line.endswith(" times")]):
        await asyncio.sleep(0.02)
    assert together[0].startswith(f"POST {CHAT} 200 promptdeck; hit; ")
    assert together[0].endswith(" 29 times")


async def test_what_another_process_removes_is_not_served_from_memory(
    start: Start, tmp_path: Path
) -> None:
    deck = await start(mode="cache")
    client = Client(deck.server.port)
    await asked(client, Ask())
    await deck.idle()
    await asked(client, *[Ask()] * 4)
    assert deck.server.counts().hits == 4
    await asyncio.to_thread(clear, tmp_path / "store.db")
    before = deck.server.counts().upstream_calls
    await asked(client, Ask())
    client.close()
    assert deck.server.counts().upstream_calls == before + 1


async def test_an_answer_expires_in_memory_too(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    deck = await start({"PROMPTDECK_STORE_TTL": "1h"}, mode="cache")
    client = Client(deck.server.port)
    await asked(client, Ask())
    await deck.idle()
    await asked(client, *[Ask()] * 3)
    assert deck.server.counts().upstream_calls == 1
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + 3601)
    await asked(client, Ask())
    client.close()
    assert deck.server.counts().upstream_calls == 2


async def test_a_closed_session_serves_nothing_more(start: Start) -> None:
    recording = await start(mode="record", cassette="c")
    await recording.chat("once")
    deck = await start(mode="replay")
    opened = await deck.request("POST", "/_deck/sessions", orjson.dumps({"cassette": "c"}))
    client = Client(deck.server.port)
    ask = Ask(prefix=f"/session/{opened.json['id']}")
    statuses = [status for status, _, _ in await asked(client, *[ask] * 4)]
    report = await deck.request("DELETE", f"/_deck/sessions/{opened.json['id']}")
    assert statuses == ["HTTP/1.1 200 OK"] * 4
    assert list(report.json["played"].values()) == [4]
    assert (await asked(client, ask))[0][0] == "HTTP/1.1 404 Not Found"
    client.close()


@pytest.mark.parametrize(
    ("old", "new", "ordinary"),
    [
        ("", "", 1),
        ("content-type: text/event-stream", "content-type: text/event-stream; charset=utf-8", 1),
        ("content-type: application/json", "x-else: 1", 1),
        ("content-type: application/json", "server: some\n      x-else: 1", 4),
        ("content-type: application/json", "date: Thu", 4),
        # A header that no client can be given is left out.
        ("content-type: application/json", 'x-else: "a\\0b"\n      x-other: a', 1),
        ("content-type: application/json", 'X-Foreign: "\u00e9\t\u4e2d"\n      set: a', 1),
        *[
            ("content-type: application/json", f"{line}\n      content-type: application/json", 4)
            for line in (
                'x-else: "a\\r\\nX-Injected: yes"',
                '"x\\nelse": "b"',
                '"x else": "b"',
                'content-length: "3"',
                "transfer-encoding: chunked",
            )
        ],
    ],
)
async def test_a_recording_is_answered_without_a_request_the_first_time_too(
    start: Start, caplog: pytest.LogCaptureFixture, old: str, new: str, ordinary: int
) -> None:
    recording = await start(mode="record", cassette="c")
    numbers = [2, 0, 5, 7]
    for number in numbers:
        await recording.request("POST", CHAT, BODIES[number])
    cassette = start.folder / "cassettes" / "c.yaml"
    cassette.write_text(cassette.read_text().replace(old, new))
    without_digests(cassette)
    os.utime(cassette, (1, 1))  # one that was written just now is looked at again
    plain = await start(mode="replay", cassette="c", fast=False)
    deck = await start(mode="replay", cassette="c")
    caplog.set_level(logging.INFO, "promptdeck")
    client, other = Client(deck.server.port), Client(plain.server.port)
    asks = [Ask(number, words=number + 1) for number in numbers]
    answers = await asked(client, *asks)
    assert len([line for line in caplog.messages if " ms " in line]) == ordinary
    expected = await asked(other, *asks)
    client.close()
    other.close()
    for one, two, ask in zip(answers, expected, asks, strict=True):
        assert comparable(one, ask) == comparable(two, ask)
        assert "x-injected" not in one[1]
    assert deck.server.report() == plain.server.report()
    assert deck.server.counts() == plain.server.counts()


async def test_in_whatever_words_a_completion_is_to_be_stored_it_is(start: Start) -> None:
    recording = await start(mode="record", cassette="c")
    await recording.chat("once")
    deck = await start(mode="replay", cassette="c")
    client = Client(deck.server.port)
    # Where `store` is written with an escape, nobody looks further; see `in_other_words`.
    known = Ask(HIDDEN)
    plain = BODIES[HIDDEN].replace(b"\\u006f", b"o").ljust(len(known.body))
    await asked(client, known, known)
    await asyncio.to_thread(client.send, known.wire.replace(known.body, plain), ())
    await asyncio.to_thread(client.answer)
    client.close()
    assert len((await deck.request("GET", CHAT)).json["data"]) == 1


@pytest.mark.parametrize("number", [0, LONG])
async def test_what_says_the_same_in_other_words_is_answered_without_a_request(
    start: Start, caplog: pytest.LogCaptureFixture, number: int
) -> None:
    caplog.set_level(logging.INFO, "promptdeck")
    deck = await start(mode="cache")
    client = Client(deck.server.port)
    [first] = await asked(client, Ask(number))
    await deck.idle()
    await asked(client, Ask(number, words=1))
    before = len(caplog.messages)
    again = await asked(client, *[Ask(number, words=words) for words in range(2, 40)])
    client.close()
    assert {content for _, _, content in again} == {first[2]}
    assert not [line for line in caplog.messages[before:] if " ms " in line]
    assert deck.server.counts().hits == 39


async def test_a_sequence_is_played_in_order_and_again_after_a_rewind(start: Start) -> None:
    recording = await start(mode="record", cassette="c")
    for _ in range(3):
        await recording.chat("once")
    deck = await start(mode="replay", cassette="c")
    client = Client(deck.server.port)
    told = [content for _, _, content in await asked(client, *[Ask()] * 6)]
    assert [b"answer %d" % n in text for n, text in zip((1, 2, 3, 3, 3, 3), told, strict=True)] == [
        True
    ] * 6
    await deck.request("POST", "/_deck/cassettes/c/rewind")
    again = [content for _, _, content in await asked(client, *[Ask()] * 2)]
    client.close()
    assert again == told[:2]


async def test_a_client_that_asks_without_reading_gets_everything_in_order(start: Start) -> None:
    recording = await start(mode="record", cassette="c")
    prompts = [Ask(0), Ask(2), Ask(5), Ask(6)]
    for ask in prompts:
        await recording.request("POST", CHAT, ask.body)
    deck = await start(mode="replay", cassette="c")
    client = Client(deck.server.port)
    known = await asked(client, *prompts, *prompts)

    def send_all() -> None:
        for _ in range(200):
            for ask in prompts:
                client.send(ask.wire, ())

    sending = asyncio.create_task(asyncio.to_thread(send_all))  # noqa: TID251  ends with the test
    await asyncio.sleep(0.2)
    answers = await asyncio.to_thread(lambda: [client.answer() for _ in range(800)])
    await sending
    client.close()
    assert [answer[2] for answer in answers if answer] == [one[2] for one in known[:4]] * 200


async def test_a_secret_in_a_target_is_in_no_log_line_of_a_hit(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "promptdeck")
    deck = await start(mode="cache")
    secret = "sk-proj-" + "a1B2" * 12
    client = Client(deck.server.port)
    ask = Ask(prefix="")
    wire = ask.wire.replace(CHAT.encode(), f"{CHAT}?api_key={secret}".encode())

    def ask_thrice() -> list[Any]:
        answers = []
        for _ in range(3):
            client.send(wire, ())
            answers.append(client.answer())
            time.sleep(0.05)
        return answers

    answers = await asyncio.to_thread(ask_thrice)
    client.close()
    assert "hit" in answers[-1][1]["cache-status"]
    # Those that took the fast path are logged together, without a time.
    while not any("; hit;" in line and " ms " not in line for line in caplog.messages):
        await asyncio.sleep(0.02)
    assert secret not in caplog.text


# Headers that decide


def reads(module: str) -> Iterator[tuple[str, frozenset[str]]]:
    """Where a module looks for a header by its name, and for which: those that can be told."""
    loaded = import_module(f"promptdeck.{module.replace('/', '.')}")
    path = Path(promptdeck.__file__).parent / f"{module}.py"
    if not path.exists():
        path = path.with_suffix("") / "__init__.py"
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            # header(headers, NAME)
            case ast.Call(ast.Name("header"), [_, name]):
                pass
            # request.headers.get(NAME)
            case ast.Call(
                ast.Attribute(ast.Attribute(attr="headers"), "get" | "getall" | "getone"),
                [name, *_],
            ):
                pass
            # request.headers[NAME], NAME in request.headers
            case ast.Subscript(ast.Attribute(attr="headers"), name, ast.Load()):
                pass
            case ast.Compare(name, [ast.In() | ast.NotIn()], [ast.Attribute(attr="headers")]):
                pass
            # key.lower() == NAME, key.lower() in NAMES
            case ast.Compare(
                ast.Call(ast.Attribute(attr="lower")), [ast.Eq() | ast.NotEq() | ast.In()], [name]
            ):
                pass
            case _:
                continue
        yield ast.unparse(name), named(name, vars(loaded))


def named(node: ast.expr, names: dict[str, Any]) -> frozenset[str]:
    try:
        value = eval(compile(ast.Expression(node), "", "eval"), dict(names))
    except NameError:  # a local name: what it stands for is seen elsewhere, or told below
        return frozenset()
    some = [value] if isinstance(value, str) else value
    return frozenset(str(one).lower() for one in some)


PARTS = ("server/", "engine/", "core/", "upstream/")
# These have answers only.
OF_ANSWERS = set(
    """core/dialects/chat/variants core/dialects/interpreted core/drift core/faults/deal
    core/interaction core/dialects/translate/gemini/errors core/secrets/answers
    engine/flights/recorder server/answers/rendering server/fast/ready server/fast/direct
    upstream/head upstream/location engine/routing/attempt core/routing/failing""".split()
)
# Of answers, too; or which headers travel, and what is taken out of recordings.
OF_SOCKETS = frozenset(["sec-websocket-protocol", "sec-websocket-extensions"])
ALL_THE_SAME = {
    "server/answers/passing": frozenset(["content-length", "transfer-encoding"]),
    "server/errors": frozenset(["cache-status"]),
    "core/headers": CREDENTIALS | {"connection", "cookie", SERVED.lower(), *OF_SOCKETS},
    "core/varying": frozenset(["vary", "content-range"]),
    "server/reading": frozenset(["content-length"]),  # left out of what travels
    # It has all headers as ever.
    "upstream/__init__": {"x-stainless-read-timeout", *OF_SOCKETS},
    "upstream/keys": CREDENTIALS | {HOP.lower()},
    "engine/routing/trip": CREDENTIALS | {"x-stainless-read-timeout"},
    "server/sockets": OF_SOCKETS,  # an upgrade is none of the fast path's: server.upgrades
}
READERS = ["server/__init__", "upstream/__init__", *filter(lambda m: m.startswith(PARTS), MODULES)]


@pytest.mark.parametrize("module", sorted({*READERS} - OF_ANSWERS))
def test_a_header_that_is_read_is_declared(module: str) -> None:
    loaded = import_module(f"promptdeck.{module.removesuffix('/__init__').replace('/', '.')}")
    declared = (
        COUNTED
        | getattr(loaded, "DECISIVE", frozenset())
        | getattr(loaded, "INDIFFERENT", frozenset())
        | ALL_THE_SAME.get(module, frozenset())
    )
    for where, names in reads(module.removesuffix("/__init__")):
        assert names <= declared, f"{where}: see promptdeck.core.counts.COUNTED"


def test_what_is_declared_to_decide_never_takes_the_fast_path() -> None:
    for module in READERS:
        loaded = import_module(f"promptdeck.{module.removesuffix('/__init__').replace('/', '.')}")
        assert getattr(loaded, "DECISIVE", frozenset()) <= fastpath.DECISIVE
        assert not getattr(loaded, "INDIFFERENT", frozenset()) & fastpath.DECISIVE
    assert not COUNTED & fastpath.DECISIVE


def test_each_header_that_decides_or_counts_is_in_the_traffic_that_both_get() -> None:
    sent = {line.partition(":")[0].lower() for line in HEADERS}
    wire = Ask(coding="chunked").wire + Ask(coding="gzip").wire
    counted = fastpath.DECISIVE | COUNTED
    assert all(name in sent or name.encode() in wire.lower() for name in counted)


def test_a_header_that_is_declared_nowhere_is_found() -> None:
    found = [*reads("server/reading"), *reads("engine/exchange"), *reads("engine/asking")]
    everything = frozenset[str]().union(*(names for _, names in found))
    assert {"x-promptdeck-draws", "idempotency-key", "cache-control"} <= everything

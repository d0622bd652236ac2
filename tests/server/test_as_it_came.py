"""Answers of every form of JSON, of events and of nothing are recorded and replay as they came.

Each comes from upstream with its own head, or a poor one, and goes out with no other.
"""

import orjson
import pytest

from tests.conftest import Start
from tests.raw_upstream import wired
from tests.scripted_upstream import DONE, chunk

LINES = b'{"event_type":"text-generation","text":"a"}\n{"event_type":"stream-end"}\n'
CHUNKS = [chunk({"role": "assistant", "content": ""}), chunk({"content": "Hi"}), chunk({}, "stop")]
STREAM = b"".join([*CHUNKS, DONE])
ASKED = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
CHAT, COHERE, MCP = "/v1/chat/completions", "/v1/chat", "/v1/mcp"


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize(
    ("path", "status", "kind", "body"),
    [
        (COHERE, 200, "application/stream+json", LINES),
        (COHERE, 200, "application/x-ndjson", LINES),
        (COHERE, 200, "application/jsonl", LINES),
        (COHERE, 200, "application/json", LINES),
        (MCP, 202, "application/json", b""),
        (MCP, 202, "", b""),
        (MCP, 204, "", b""),
        (CHAT, 200, "text/event-stream", STREAM),
        (CHAT, 200, "text/plain; charset=utf-8", STREAM),
        (CHAT, 200, "", STREAM),
        # All is said without the end mark; half an emoji each; a letter of Latin-1.
        (CHAT, 200, "text/event-stream", b"".join(CHUNKS)),
        (CHAT, 200, "text/event-stream", STREAM.replace(b"Hi", b'\\ud83d"},"x":{"y":"\\ude00')),
        (CHAT, 200, "application/json; x=caf\xe9", b'{"choices":[{"finish_reason":"stop"}]}'),
    ],
)  # fmt: skip
async def test_what_came_comes_again(
    start: Start, path: str, status: int, kind: str, body: bytes, fast: bool
) -> None:
    told = f"Content-Type: {kind}\r\n".encode("latin-1") if kind else b""
    length = b"" if status == 204 else b"Content-Length: %d\r\n" % len(body)
    reply = b"HTTP/1.1 %d OK\r\n%b%b\r\n%b" % (status, told, length, body)
    asked = orjson.dumps({**ASKED, "stream": body.startswith(b"data:")})
    async with wired(reply) as server:
        recording = await start(mode="record", cassette="c", upstream=server.url, fast=fast)
        assert (await recording.request("POST", path, asked)).body == body
    replaying = await start(mode="replay", cassette="c", fast=fast)
    for _ in range(2):
        got = await replaying.request("POST", path, asked)
        assert (got.status, got.body) == (status, body)
        said = got.headers.get("Content-Type", "").encode("utf-8", "surrogateescape")
        assert said == kind.encode("latin-1")


@pytest.mark.parametrize("kind", ["text/plain; charset=utf-8", "text/event-stream", ""])
async def test_a_stream_of_any_type_is_the_json_that_it_folds_to(start: Start, kind: str) -> None:
    told = f"Content-Type: {kind}\r\n".encode() if kind else b""
    reply = b"HTTP/1.1 200 OK\r\n%bContent-Length: %d\r\n\r\n%b" % (told, len(STREAM), STREAM)
    async with wired(reply) as server:
        recording = await start(mode="record", cassette="c", upstream=server.url)
        await recording.chat("typed", stream=True)
    replaying = await start(mode="replay", cassette="c")
    got = await replaying.chat("typed")
    assert got.json["choices"][0]["message"]["content"] == "Hi"
    assert got.headers["Content-Type"].startswith("application/json")

"""A model provider that does as a test tells it, on a real socket.

Unless told otherwise it answers chat completions with `answer N`, N counting
the requests, so that a test sees at once whether an answer is a new one.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web

Answer = Callable[["Seen", web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Seen:
    """A request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


@dataclass
class Upstream:
    url: str = ""
    seen: list[Seen] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    """What to answer next; the last one is repeated."""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        seen = Seen(request.method, request.raw_path, dict(request.headers), await request.read())
        self.seen.append(seen)
        if not self.answers:
            return await plain(f"answer {len(self.seen)}")(seen, request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return await answer(seen, request)


@asynccontextmanager
async def upstream() -> AsyncIterator[Upstream]:
    scripted = Upstream()
    server = web.Server(scripted.handle)  # type: ignore[arg-type]
    runner = web.ServerRunner(server, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    scripted.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    try:
        yield scripted
    finally:
        await runner.cleanup()


def plain(text: str, **extra: Any) -> Answer:
    """`text` as a whole or as a stream, as asked."""

    async def answer(seen: Seen, request: web.Request) -> web.StreamResponse:
        body = seen.json if seen.body.startswith(b"{") else {}
        if body.get("stream"):
            usage = bool((body.get("stream_options") or {}).get("include_usage"))
            return await stream(chunks(text, usage=usage))(seen, request)
        return web.json_response(
            completion(text, **extra), dumps=lambda value: orjson.dumps(value).decode()
        )

    return answer


def raw(body: bytes, *, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    async def answer(seen: Seen, request: web.Request) -> web.StreamResponse:
        return web.Response(
            status=status,
            body=body,
            headers={"Content-Type": "application/json", **(headers or {})},
        )

    return answer


def stream(
    frames: Sequence[bytes],
    *,
    gate: asyncio.Event | None = None,
    before_gate: int = 1,
    cut: bool = False,
    content_type: str = "text/event-stream",
    headers: dict[str, str] | None = None,
) -> Answer:
    """Frames, a write each; those after `before_gate` wait for `gate`; `cut` drops the line."""

    async def answer(seen: Seen, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": content_type, **(headers or {})})
        await response.prepare(request)
        for number, frame in enumerate(frames):
            if gate and number == before_gate:
                await gate.wait()
            await response.write(frame)
            await asyncio.sleep(0)
        if cut:
            assert request.transport
            request.transport.abort()
        return response

    return answer


def completion(text: str, **extra: Any) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "scripted",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text, "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7},
        **extra,
    }


def chunk(delta: dict[str, Any], finish: str | None = None, **extra: Any) -> bytes:
    value = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1_700_000_000,
        "model": "scripted",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        **extra,
    }
    return b"data: " + orjson.dumps(value) + b"\n\n"


DONE = b"data: [DONE]\n\n"


def chunks(text: str, *, usage: bool = False) -> list[bytes]:
    """A stream of `text`, a frame per word, with keep-alive comment and umlauts' bytes intact."""
    words = text.split(" ")
    pieces = [word if n == 0 else f" {word}" for n, word in enumerate(words)]
    totals = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
    return [
        b": ping\n\n",
        chunk({"role": "assistant", "content": ""}),
        *(chunk({"content": piece}) for piece in pieces),
        chunk({}, "stop"),
        *([chunk({}, usage=totals, choices=[])] if usage else []),
        DONE,
    ]

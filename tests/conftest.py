"""The scripted upstream and a promptdeck in front of it, both on real sockets."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import orjson
import pytest
from yarl import URL

from proxy.app import Serving, serving
from proxy.config import load

from .upstream import Upstream, upstream


class Got(NamedTuple):
    """An answer as a client saw it."""

    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)

    @property
    def cache_status(self) -> str:
        return str(self.headers["Cache-Status"])


class Deck:
    """A running promptdeck and an HTTP client for it."""

    def __init__(self, server: Serving, session: aiohttp.ClientSession, upstream: Upstream) -> None:
        self.server = server
        self.session = session
        self.upstream = upstream

    async def request(
        self, method: str, path: str, data: bytes | None = None, **headers: str
    ) -> Got:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if data is not None:
            named.setdefault("Content-Type", "application/json")
        async with self.session.request(
            method, URL(self.server.root + path, encoded=True), data=data, headers=named
        ) as response:
            got = Got(response.status, response.headers, await response.read())
        await self.idle()
        return got

    async def idle(self) -> None:
        """Wait for recordings: a client has its answer before they are kept."""
        while self.server.counts().under_way:
            await asyncio.sleep(0.001)

    async def chat(self, prompt: str = "hi", *, at: str = "", **body: Any) -> Got:
        headers = body.pop("headers", {})
        value = {"model": "m", "messages": [{"role": "user", "content": prompt}], **body}
        return await self.request(
            "POST", f"{at}/v1/chat/completions", orjson.dumps(value), **headers
        )


Start = Callable[..., Awaitable[Deck]]


@pytest.fixture
async def provider() -> AsyncIterator[Upstream]:
    async with upstream() as scripted:
        yield scripted


@pytest.fixture
async def start(provider: Upstream, tmp_path: Path) -> AsyncIterator[Start]:
    """Start a promptdeck: `await start(mode="replay", cassette="x", environ={...})`."""
    async with AsyncExitStack() as stack:

        async def begin(environ: dict[str, str] | None = None, **flags: Any) -> Deck:
            settings = {
                "upstream": provider.url,
                "port": 0,
                "store": tmp_path / "store.db",
                "cassettes": tmp_path / "cassettes",
                "log_level": "debug",
                **flags,
            }
            config = load(settings, environ or {}, cwd=tmp_path).config
            server = await stack.enter_async_context(serving(config))
            session = await stack.enter_async_context(aiohttp.ClientSession())
            return Deck(server, session, provider)

        yield begin

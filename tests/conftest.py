"""The scripted upstream and a promptdeck in front of it, both on real sockets."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import orjson
import pytest
from hypothesis import settings
from yarl import URL

from promptdeck.app import Serving, serving
from promptdeck.config import load
from tests.pytest_project import project as project  # a fixture
from tests.scripted_upstream import Upstream, upstream

pytest_plugins = ["pytester"]

# The tests start some hundred processes, and where the environment forbids bytecode each of them
# would compile the package anew: a quarter of what starting one costs.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# A project of its own, which test_example.py runs.
collect_ignore = ["example"]

# No deadline: a busy machine is no fault. The same examples in each run, at home and in CI: what
# fails is the change's own doing. `make seeds` tries others and more of them, with the profile of
# that name; where a test needs more than 12 it says so itself.
settings.register_profile("promptdeck", deadline=None, derandomize=True, max_examples=12)
settings.register_profile("seeds", deadline=None)
settings.load_profile("promptdeck")


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


class Start:
    """`await start(mode="replay", cassette="x", environ={...})` starts a promptdeck."""

    def __init__(self, stack: AsyncExitStack, provider: Upstream, folder: Path) -> None:
        self._stack = stack
        self._provider = provider
        self.folder = folder

    async def __call__(
        self, environ: dict[str, str] | None = None, *, fast: bool = True, **flags: Any
    ) -> Deck:
        settings = {
            "upstream": self._provider.url,
            "port": 0,
            "store": self.folder / "store.db",
            "cassettes": self.folder / "cassettes",
            "log_level": "debug",
            **flags,
        }
        config = load(settings, environ or {}, cwd=self.folder).config
        server = await self._stack.enter_async_context(serving(config, fast=fast))
        session = await self._stack.enter_async_context(aiohttp.ClientSession())
        return Deck(server, session, self._provider)

    def local(self) -> dict[str, str]:
        """The environment in which X-Provider: local is the scripted upstream."""
        return {"PROMPTDECK_UPSTREAM_PROVIDERS": f"[{{name: local, url: {self._provider.url}}}]"}


@pytest.fixture
async def provider() -> AsyncIterator[Upstream]:
    async with upstream() as scripted:
        yield scripted


@pytest.fixture
async def start(provider: Upstream, tmp_path: Path) -> AsyncIterator[Start]:
    async with AsyncExitStack() as stack:
        yield Start(stack, provider, tmp_path)

"""A server in a thread with an event loop of its own, and its sessions as plain calls.

Sessions are opened and closed on that loop directly, not over HTTP: it is
quicker, and what keeps a test from using sockets does not concern them.
"""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import Future
from threading import Thread
from typing import Any, TypeVar

from promptdeck.app import serving
from promptdeck.config import Config
from promptdeck.sessions import Sessions

_PATIENCE = 60
"""Seconds for a start, a call, or an end. Only a machine that hangs takes so long."""

_Returned = TypeVar("_Returned")


class Server:
    """Serves from its making until `close`."""

    def __init__(self, config: Config) -> None:
        self._started: Future[tuple[str, Sessions]] = Future()
        self._ended: Future[None] = Future()
        Thread(target=self._run, args=(config,), name="promptdeck", daemon=True).start()
        self.root, self._sessions = self._started.result(_PATIENCE)

    def _run(self, config: Config) -> None:
        try:
            asyncio.run(self._serve(config))
            self._ended.set_result(None)
        except Exception as error:  # noqa: BLE001  it is raised in the thread that waits
            waiting = self._ended if self._started.done() else self._started
            waiting.set_exception(error)

    async def _serve(self, config: Config) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        async with serving(config) as server:
            self._started.set_result((server.root, server.sessions))
            await self._stop.wait()

    def _await(self, work: Coroutine[Any, Any, _Returned]) -> _Returned:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_PATIENCE)

    def open(self, wants: dict[str, Any]) -> "RemoteSession":
        """PromptdeckError if it cannot be what is wanted."""
        opened = self._await(self._sessions.open(wants))
        return RemoteSession(self, opened.id)

    def report(self, name: str) -> dict[str, Any]:
        async def report() -> dict[str, Any]:
            return self._sessions.get(name).report()

        return self._await(report())

    def finish(self, name: str, *, keep: bool) -> dict[str, Any]:
        return self._await(self._sessions.close(name, keep=keep))

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._ended.result(_PATIENCE)


class RemoteSession:
    """A session of a server. All its methods raise PromptdeckError."""

    def __init__(self, server: Server, name: str) -> None:
        self._server = server
        self._name = name
        self.root = f"{server.root}/session/{name}"

    @property
    def base_url(self) -> str:
        return f"{self.root}/v1"

    def report(self) -> dict[str, Any]:
        return self._server.report(self._name)

    def close(self, *, keep: bool) -> dict[str, Any]:
        return self._server.finish(self._name, keep=keep)

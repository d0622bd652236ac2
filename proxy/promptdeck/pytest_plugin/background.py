"""A server in a thread with an event loop of its own, and its sessions as plain calls.

Sessions are opened and closed on that loop directly, not over HTTP: it is
quicker, and what keeps a test from using sockets does not concern them.
"""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Thread
from typing import Any, TypeVar

from promptdeck.app import serving
from promptdeck.config import Config
from promptdeck.sessions import Sessions

from .network import THREADS, allow_port

_PATIENCE = 60
"""Seconds for a start (0.2 as a rule), a call (a few thousandths) or an end. Whatever takes so
long hangs, and an error says so where a run would stand still."""

_Returned = TypeVar("_Returned")


class Server:
    """A server in a thread of its own, from its making until `close`.

    Whatever keeps it from starting is raised by its making, as `serving` raises it. `root` is
    its URL without /v1.
    """

    def __init__(self, config: Config) -> None:
        self._started: Future[tuple[str, Sessions]] = Future()
        self._ended: Future[None] = Future()
        Thread(target=self._run, args=(config,), name=THREADS, daemon=True).start()
        self.root, self._sessions = self._started.result(_PATIENCE)
        allow_port(int(self.root.rpartition(":")[2]))

    def _run(self, config: Config) -> None:
        """The thread's work: serve, and hand an error to whoever waits for start or end."""
        try:
            asyncio.run(self._serve(config))
            self._ended.set_result(None)
        except Exception as error:  # noqa: BLE001  it is raised in the thread that waits
            waiting = self._ended if self._started.done() else self._started
            waiting.set_exception(error)

    async def _serve(self, config: Config) -> None:
        """Serve until `close` sets `_stop`, which is of this loop, as are the sessions."""
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        # By their names these are known as ours, who may ask upstream.
        self._loop.set_default_executor(ThreadPoolExecutor(thread_name_prefix=THREADS))
        async with serving(config) as server:
            self._started.set_result((server.root, server.sessions))
            await self._stop.wait()

    def _await(self, work: Coroutine[Any, Any, _Returned]) -> _Returned:
        """Run a coroutine on the server's loop, and wait here for what it returns or raises."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_PATIENCE)

    def open(self, wants: dict[str, Any]) -> "RemoteSession":
        """Open a session as `Sessions.open` does. PromptdeckError if it cannot be had so."""
        opened = self._await(self._sessions.open(wants))
        return RemoteSession(self, opened.id)

    def report(self, name: str) -> dict[str, Any]:
        """The report of the open session `name`. ClientError if there is none."""

        async def report() -> dict[str, Any]:
            return self._sessions.get(name).report()

        return self._await(report())

    def finish(self, name: str, *, keep: bool) -> dict[str, Any]:
        """End the session `name`, with `keep` save its recordings; its last report."""
        return self._await(self._sessions.close(name, keep=keep))

    def close(self) -> None:
        """End the server, and wait until its thread is done."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._ended.result(_PATIENCE)


class RemoteSession:
    """An open session of a `Server`, to be called from any thread.

    `root` is its URL without /v1. All methods raise PromptdeckError.
    """

    def __init__(self, server: Server, name: str) -> None:
        self._server = server
        self._name = name
        self.root = f"{server.root}/session/{name}"

    @property
    def base_url(self) -> str:
        """Its URL with /v1."""
        return f"{self.root}/v1"

    def report(self) -> dict[str, Any]:
        """The session's report so far: `played`, `unplayed`, `missed`, `recorded_ids`, counts."""
        return self._server.report(self._name)

    def close(self, *, keep: bool) -> dict[str, Any]:
        """End the session, with `keep` save its recordings; its last report."""
        return self._server.finish(self._name, keep=keep)

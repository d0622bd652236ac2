"""A server in a thread with an event loop of its own, and its sessions as plain calls."""

import asyncio
import http.client
from concurrent.futures import Future
from threading import Thread
from typing import Any
from urllib.parse import quote, urlsplit

import orjson

from proxy.app import serving
from proxy.config import Config

_PATIENCE = 60
"""Seconds for a start, a call, or an end. Only a machine that hangs takes so long."""


class Refused(Exception):
    """The server did not do what it was asked; its message says why."""


class Server:
    """Serves from its making until `close`."""

    def __init__(self, config: Config) -> None:
        self._started: Future[str] = Future()
        self._ended: Future[None] = Future()
        Thread(target=self._run, args=(config,), name="promptdeck", daemon=True).start()
        self.root = self._started.result(_PATIENCE)

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
            self._started.set_result(server.root)
            await self._stop.wait()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._ended.result(_PATIENCE)


class Session:
    """A session of a server. Refused if it cannot be what was asked."""

    def __init__(self, server: str, wants: dict[str, Any]) -> None:
        self._server = server
        told = _call(server, "POST", "/_deck/sessions", wants)
        self.root: str = told["root"]
        self.base_url: str = told["base_url"]
        self.path: str = told["path"]
        self._address = f"/_deck/sessions/{quote(told['id'])}"

    def report(self) -> dict[str, Any]:
        return _call(self._server, "GET", self._address)

    def close(self, *, keep: bool) -> dict[str, Any]:
        return _call(self._server, "DELETE", f"{self._address}?keep={str(keep).lower()}")


def _call(
    server: str, method: str, path: str, body: dict[str, Any] | None = None
) -> dict[str, Any]:
    url = urlsplit(server)
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=_PATIENCE)
    try:
        connection.request(method, path, orjson.dumps(body) if body is not None else None)
        response = connection.getresponse()
        answer: dict[str, Any] = orjson.loads(response.read())
    finally:
        connection.close()
    if response.status >= 400:
        raise Refused(answer["error"]["message"])
    return answer

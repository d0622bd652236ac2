"""The handlers of /_deck/sessions: a session is opened, looked at, closed with a verdict."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import orjson
from aiohttp import web

from promptdeck.core.policy import Mode
from promptdeck.engine.decks.deck import Deck
from promptdeck.engine.exchange import Exchange
from promptdeck.errors import ClientError
from promptdeck.server.answers.faulty import Faults

from .guard import told_root
from .json import json_response
from .reading import body_of

if TYPE_CHECKING:
    from promptdeck.core.faults.plan import Plan

_FAILURES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "miss": lambda report: report["misses"],
    "unused": lambda report: report["unplayed"],
    "client": lambda report: not report["client"]["ok"],
}
"""What `fail_on` may name, and whether a report has it."""


class OpenSession(Protocol):
    """A session as its handlers see it: see `promptdeck.sessions.Session`."""

    id: str
    mode: Mode
    path: Any
    deck: Deck
    exchange: Exchange
    plan: "Plan | None"
    faults: Faults

    def report(self) -> dict[str, Any]: ...


class OpenSessions(Protocol):
    """The open sessions of a server: see `promptdeck.sessions.Sessions`."""

    async def open(self, wants: dict[str, Any]) -> OpenSession: ...

    def get(self, name: str) -> OpenSession: ...

    def is_open(self, name: str) -> bool: ...

    async def close(self, name: str, *, keep: bool) -> dict[str, Any]: ...


def add_routes(router: web.UrlDispatcher, sessions: OpenSessions) -> None:
    handlers = _SessionHandlers(sessions)
    router.add_post("/_deck/sessions", handlers.open)
    router.add_get("/_deck/sessions/{id}", handlers.report)
    router.add_delete("/_deck/sessions/{id}", handlers.close)


class _SessionHandlers:
    def __init__(self, sessions: OpenSessions) -> None:
        self._sessions = sessions

    async def open(self, request: web.Request) -> web.Response:
        session = await self._sessions.open(await _wants(request))
        root = f"{told_root(request)}/session/{session.id}"
        told = {
            "id": session.id,
            "base_url": f"{root}/v1",
            "root": root,
            "cassette": session.deck.name,
            "path": str(session.path),
            "mode": str(session.mode),
        }
        return json_response(told, status=201)

    async def report(self, request: web.Request) -> web.Response:
        return json_response(self._sessions.get(request.match_info["id"]).report())

    async def close(self, request: web.Request) -> web.Response:
        fail_on = [name for name in request.query.get("fail_on", "").split(",") if name]
        if unknown := [name for name in fail_on if name not in _FAILURES]:
            names = ", ".join(_FAILURES)
            raise ClientError(f"fail_on knows {names}, not {unknown[0]!r}", param="fail_on")
        keep = request.query.get("keep", "true") != "false"
        report = await self._sessions.close(request.match_info["id"], keep=keep)
        if failed := [name for name in fail_on if _FAILURES[name](report)]:
            raise ClientError(
                f"the session failed: {' and '.join(_told(name, report) for name in failed)}",
                code="session_failed",
                status=409,
                details=report,
                retry=False,
            )
        return json_response(report)


def _told(name: str, report: dict[str, Any]) -> str:
    if name == "client":
        return f"the client did not take the faults well: {report['client']['text']}"
    if name == "unused":
        return f"{len(report['unplayed'])} recordings were not used"
    first = report["missed"][0]["message"] if report["missed"] else ""
    return f"{report['misses']} requests had no recording. {first}".rstrip(". ")


async def _wants(request: web.Request) -> dict[str, Any]:
    data = await body_of(request)
    try:
        wants = orjson.loads(data or b"{}")
    except orjson.JSONDecodeError as error:
        raise ClientError(f"the body is not JSON: {error}") from None
    if not isinstance(wants, dict):
        raise ClientError("the body must be a JSON object")
    return wants

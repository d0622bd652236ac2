"""HTTP at the edge: routes and handlers. The only part that knows aiohttp's server."""

import logging
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol
from weakref import WeakSet

from aiohttp import web

from promptdeck import __version__
from promptdeck.core.targets import PREFIXES, ROUTES, hint
from promptdeck.engine.decks.deck import Deck
from promptdeck.engine.deferred import Deferred, deferral
from promptdeck.engine.exchange import Exchange
from promptdeck.engine.outcome import Flown, Listed, Served
from promptdeck.errors import ClientError, HTTPError
from promptdeck.server.answers.faulty import Faults, plan_of
from promptdeck.server.answers.pace import Pace
from promptdeck.server.answers.passing import pass_on
from promptdeck.server.answers.writing import serve
from promptdeck.server.fast.connection import accept
from promptdeck.server.fast.lanes import Behind
from promptdeck.stores.kept.completions import Completions
from promptdeck.stores.kept.slips import Slips

from . import errors, sockets, stored, tools, upgrades
from .guard import Guard, name_page
from .json import json_response
from .logged import shown
from .reading import Ground, incoming_of, refuse_loop
from .sessions import OpenSessions
from .sessions import add_routes as add_session_routes

if TYPE_CHECKING:
    from promptdeck.core.faults.plan import Plan
    from promptdeck.engine.agent.agent import Agents
    from promptdeck.engine.agent.relay import Relay
    from promptdeck.engine.agent.sides import ToolWay

log = logging.getLogger("promptdeck")


class Decks(Protocol):
    """A server's decks, by name."""

    async def deck(self, name: str) -> Deck:
        """The deck of cassette `name`, or the default one for the empty name. HTTPError."""


class Keeps(NamedTuple):
    """Stored and deferred completions: kept beside recordings, but not in passthrough mode."""

    completions: Completions
    slips: Slips
    deferred: Deferred


class Edge(NamedTuple):
    """All that the handlers work with: made by `app`, one for each server."""

    exchange: Exchange
    """Answers what comes by the bare base_url or names a cassette."""
    decks: Decks
    sessions: OpenSessions
    pace: Pace
    max_body: int
    """Bytes that a request's body may have."""
    ground: Ground
    """By which requests are read."""
    plan: "Plan | None"
    """Faults for the answers behind the bare base_url."""
    faults: Faults
    keeps: Keeps | None
    agents: "Callable[[], Agents] | None"
    """Run tools for clients; None where the upstream does."""
    tools: "Callable[[], ToolWay] | None"
    """Asks MCP servers, called for the first; None in replay."""
    describe: Callable[[], dict[str, Any]]
    """What `/_deck/health` tells beside the version."""
    guard: Guard
    """Says who may ask."""
    line: sockets.MakeLine | None
    """Makes the line upstream of a client's WebSocket; None where there is no way upstream."""
    name: str
    """The server's own, by which it knows what it has sent itself."""
    alone: bool = True
    """Whether no other process serves on this port."""


def application(edge: Edge) -> web.Application:
    """The routes of a server and their handlers. Whatever they raise, errors.middleware answers."""
    app = web.Application(
        client_max_size=edge.max_body,
        middlewares=[errors.middleware, edge.guard.middleware(), upgrades.middleware],
    )
    app.on_response_prepare.append(name_page)
    app[sockets.OPEN] = WeakSet()
    app.on_shutdown.append(sockets.close_all)
    handlers = _Handlers(edge)
    router = app.router
    router.add_get("/health", handlers.alive)
    router.add_get("/_deck/health", handlers.health)
    router.add_get("/openapi.json", handlers.openapi)
    router.add_get("/_deck/docs", handlers.docs)
    if edge.alone:
        router.add_get("/_deck/cassettes/{name:.+}/report", handlers.report)
        router.add_post("/_deck/cassettes/{name:.+}/rewind", handlers.rewind)
        add_session_routes(router, edge.sessions)
    else:
        for path in ("/_deck/cassettes/{rest:.*}", "/_deck/sessions{rest:.*}"):
            router.add_route("*", path, handlers.needs_one_process)
    if keeps := edge.keeps:
        for prefix in PREFIXES:
            stored.add_routes(router, prefix, keeps.completions, keeps.slips, handlers.api)
    for prefix in PREFIXES:
        tools.add_routes(router, prefix, handlers.relay)
    for route in ROUTES:
        router.add_route("*", route, handlers.api)
    # Behind the API's, so that a cassette's name ends where they begin.
    for base in [*(prefix + "/{end:(?:v1/?)?}" for prefix in PREFIXES), *filter(None, PREFIXES)]:
        router.add_route("HEAD", base, handlers.probed)
    router.add_route("*", "/{rest:(?s:.*)}", handlers.unknown)
    return app


class _Handlers:
    def __init__(self, edge: Edge) -> None:
        self._edge = edge
        self._told: set[str] = set()
        """What has been said of odd base_urls."""

    async def api(self, request: web.Request) -> web.StreamResponse:
        """Answer what is below /v1/: ask its exchange with its deck, and write what that gives."""
        edge = self._edge
        refuse_loop(request, edge.name)
        self._tell(request.path)
        if session := request.match_info.get("session", ""):
            found = edge.sessions.get(session)
            exchange, deck, faults = found.exchange, found.deck, found.faults
            plan = plan_of(request, found.plan)
            in_use = partial(edge.sessions.is_open, session)
            behind = Behind(exchange, deck, edge.pace, in_use)
        else:
            exchange, faults = edge.exchange, edge.faults
            deck = await edge.decks.deck(request.match_info.get("name", ""))
            plan = plan_of(request, edge.plan)
            behind = Behind(exchange, deck, edge.pace)
        incoming = await incoming_of(request, edge.ground)
        if upgrades.wants_socket(request):
            line = edge.line if exchange.asks_upstream else None
            limits = edge.max_body, edge.ground.max_values
            ways = sockets.SocketWays(exchange, deck, edge.pace, line, behind.in_use, *limits)
            return await sockets.answer(request, incoming, ways)
        if edge.keeps and (body := deferral(incoming.request)):
            return json_response(await edge.keeps.deferred.accept(exchange, incoming, body, deck))
        if plan:
            incoming = incoming._replace(deal=partial(faults.deal, plan))
        if not plan:
            await accept(request, incoming, behind)
        runs = edge.agents if exchange.may_run(incoming.request) else None
        run = await runs().answer(exchange, incoming, deck) if runs else None
        answer = run or await exchange.answer(incoming, deck)
        match answer:
            case Served() if plan:
                return await faults.serve(request, answer, edge.pace, incoming.request)
            case Served():
                return await serve(request, answer, edge.pace, incoming.request)
            case Flown():
                return await pass_on(request, answer, edge.pace.keep_alive, incoming.request)
            case Listed():
                return json_response(answer.body, headers={"Cache-Status": answer.cache_status})

    async def relay(self, request: web.Request) -> "Relay":
        """The stand-in for the MCP server that a path names, behind a session or a cassette."""
        from promptdeck.core.agent.asked import Named  # only for who asks a tool's server
        from promptdeck.engine.agent.relay import Relay

        edge, name = self._edge, request.match_info["server"]
        if session := request.match_info.get("session", ""):
            found = edge.sessions.get(session)
            exchange, deck = found.exchange, found.deck
        else:
            exchange, deck = (
                edge.exchange,
                await edge.decks.deck(request.match_info.get("name", "")),
            )
        return Relay(Named(name, slug=name), exchange, deck, edge.tools)

    def _tell(self, path: str) -> None:
        """Say once what is odd about a client's base_url, though it is served."""
        if (odd := hint(path)) and odd not in self._told:
            self._told.add(odd)
            log.info("%s is served, but for its base_url: %s", shown(path), odd)

    async def probed(self, request: web.Request) -> web.Response:
        """Say whether a base_url leads to something: Claude Code asks so before all else."""
        if session := request.match_info.get("session", ""):
            self._edge.sessions.get(session)
        else:
            await self._edge.decks.deck(request.match_info.get("name", ""))
        return web.Response()

    async def alive(self, request: web.Request) -> web.Response:
        del request
        return json_response({"status": "ok"})

    async def health(self, request: web.Request) -> web.Response:
        del request
        return json_response({"status": "ok", "version": __version__, **self._edge.describe()})

    async def openapi(self, request: web.Request) -> web.Response:
        del request
        from promptdeck.core.contract.openapi import document  # only for who asks

        return json_response(document(__version__))

    async def docs(self, request: web.Request) -> web.Response:
        del request
        from promptdeck.core.contract.openapi import page

        return web.Response(text=page(), content_type="text/html")

    async def report(self, request: web.Request) -> web.Response:
        deck = await self._edge.decks.deck(request.match_info["name"])
        await deck.refresh()  # what was not played is known when all has been indexed
        return json_response(deck.report())

    async def rewind(self, request: web.Request) -> web.Response:
        deck = await self._edge.decks.deck(request.match_info["name"])
        await deck.refresh()
        deck.rewind()
        return json_response(deck.report())

    async def needs_one_process(self, request: web.Request) -> web.Response:
        raise HTTPError(
            f"{request.path} is known to one process alone; start the server without --workers",
            code="needs_one_process",
            status=501,
        )

    async def unknown(self, request: web.Request) -> web.Response:
        raise ClientError(
            f"no such path: {request.path}; paths start with /v1/, /v1beta/, /openai/,"
            " /cassette/NAME/v1/ or /_deck/",
            code="not_found",
            status=404,
        )

"""A run driven to its end: the model asked, tools called, the answer written into a flight."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from typing import NamedTuple, Protocol

from promptdeck.core.agent.asked import Wish
from promptdeck.core.agent.calls import Called
from promptdeck.core.agent.credentials import matched
from promptdeck.core.agent.history import Issued, ids_in
from promptdeck.core.agent.offering import offered
from promptdeck.core.agent.running import Ending, Gave, HandedOver, Running, names_of
from promptdeck.core.agent.streaming import RunStream, as_message
from promptdeck.core.dialects.chat.dialect import CHAT
from promptdeck.core.dialects.chat.fold import fold
from promptdeck.core.dialects.mcp.dialect import CalledBy
from promptdeck.core.dialects.pieces import as_object
from promptdeck.core.interaction import Frame, Headers, Response
from promptdeck.core.secrets.redact import own_keys, without_keys
from promptdeck.core.text.jsontext import JSONObject, compact, parse
from promptdeck.engine.decks.deck import Deck
from promptdeck.engine.exchange import Exchange
from promptdeck.engine.flights.flight import Flight
from promptdeck.engine.incoming import Incoming, SentBody
from promptdeck.errors import ClientError, HTTPError, UpstreamError

from .reading import frames, heard, whole
from .sides import ToolWay
from .tooling import RunLimits, Tooling, together

_EVENTS: Headers = (("Content-Type", "text/event-stream"),)
_JSON: Headers = (("Content-Type", "application/json"),)
_CUT_SHORT = (
    "Warning",
    '299 promptdeck "max_turns is reached: the calls in this answer have not been made"',
)
# They are about the answer to the client's own request, which is made of several.
_OUTER = frozenset("idempotency-key if-none-match if-match if-modified-since range".split())


class HandoffKeeper(Protocol):
    """Keeps turns whose calls were left to clients. StoreUnavailable."""

    def issued(self, calls: frozenset[str], correlation: str) -> Issued:
        """What is known of the turns with these calls, and of a handoff's."""

    async def keep(self, left: HandedOver) -> None:
        """Keep one more."""


class ModelRefused(Exception):
    """A request to the model was answered with an error: that is the run's answer."""

    def __init__(self, status: int, headers: Headers, body: bytes) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status
        self.headers = headers
        self.body = body


class RunWanted(NamedTuple):
    """A request that a run is to answer, and what it is answered from."""

    exchange: Exchange
    incoming: Incoming
    deck: Deck
    body: JSONObject
    wish: Wish
    key: str
    """The fingerprint of the client's request."""

    @property
    def streams(self) -> bool:
        """True for a client that wants a stream."""
        return self.body.get("stream") is True


class DrivenRun:
    """One run on its way."""

    def __init__(
        self,
        job: RunWanted,
        flight: Flight,
        limits: RunLimits,
        handoffs: HandoffKeeper,
        way: Callable[[], ToolWay] | None,
    ) -> None:
        credentials = matched(job.body.get("credentials"), job.wish.servers)
        self._job = job
        self._flight = flight
        self._limits = limits
        self._handoffs = handoffs
        self._secrets = credentials.secrets
        self._keys = own_keys(credentials.secrets) + job.incoming.keys
        live = limits.live or job.exchange.asks_upstream
        asks = way() if way and live else None
        self._tooling = Tooling(job.exchange, job.deck, asks, credentials, limits)
        self._stream = RunStream(usage=_wants_usage(job.body))
        self._turns: list[JSONObject] = []
        self._asker = (job.key, "")
        self._made = 0

    async def drive(self) -> None:
        """Fill the flight with the run's answer. HTTPError, ModelRefused."""
        job = self._job
        with _step("the tools of its servers", 1):
            tools, errors = await self._tooling.listed(job.wish.servers)
        offers = offered(tools, names_of(job.body.get("tools")))
        calls = ids_in(job.body.get("messages"))
        issued = self._handoffs.issued(calls, job.wish.correlation)
        run = Running(job.body, job.wish, offers, errors, issued, job.key)
        if late := run.deferred():
            run.late(await self._calls(late, 0))
        if job.wish.correlation and run.unanswered:
            raise ClientError(
                f"no handoff {job.wish.correlation} is known here (they are kept for an hour), and"
                f" without it the calls {', '.join(run.unanswered)} have no results",
                code="correlation_not_found",
                param="correlation_id",
                retry=False,
            )
        while True:
            turn = len(self._turns) + 1
            with _step("the model", turn):
                completion = await self._turn(run.question())
            self._turns.append(completion)
            called = run.answered(completion)
            run.gave(await self._calls(called, turn))
            if not run.goes_on:
                break
        ending = run.ending()
        if ending.left:
            await self._handoffs.keep(ending.left)
        self._end(ending)

    async def _turn(self, question: JSONObject) -> JSONObject:
        """Ask the model; its answer, whole, of which the client has got what it may see."""
        job = self._job
        incoming = self._incoming(question)
        self._asker = await job.exchange.turn(incoming)
        answer = await heard(await job.exchange.answer(incoming, job.deck), self._limits.pace)
        if answer.status >= 300:
            raise ModelRefused(answer.status, answer.headers, await whole(answer))
        if not job.streams:
            body = await whole(answer)
            _check(answer.headers, [body])
            return as_object(parse(body))
        if self._flight.known_head is None:
            self._flight.headed(200, _EVENTS, b"")
        kept = []
        async with aclosing(frames(answer)) as coming:
            async for frame in coming:
                kept.append(frame)
                await self._say(self._stream.take(frame))
        _check(answer.headers, kept)
        await self._say(self._stream.turned())
        return fold(kept)

    def _incoming(self, question: JSONObject) -> Incoming:
        """A request to the model, as if a client had sent it; secrets of credentials hidden."""
        incoming = self._job.incoming
        body = compact(question)
        hidden = without_keys(body, self._keys)
        sent = tuple(item for item in incoming.headers if item[0].lower() not in _OUTER)
        route = incoming.route
        if route and route.in_model:
            own = parse(route.body)
            route = route._replace(body=compact({**question, "model": own.get("model")}))
        return incoming._replace(
            request=incoming.request._replace(body=hidden),
            headers=sent,
            route=route,
            packed=SentBody("", body) if hidden is not body else None,
            keys=self._keys,
            secrets=self._secrets,
        )

    async def _calls(self, called: tuple[Called, ...], turn: int) -> list[Gave]:
        """Make calls together; what they gave, in their order. HTTPError."""
        self._made += len(called)
        if self._made > self._limits.most_calls:
            raise UpstreamError(
                f"the run wants more than agent.max_tool_calls ({self._limits.most_calls}) calls",
                code="too_many_tool_calls",
                retry=False,
            )
        servers = {server.name: server for server in self._job.wish.servers}
        asked_by = self._asker

        async def call(number: int, one: Called) -> Gave:
            server = servers.get(one.tool.server) if one.tool else None
            with _step(f"the call of {one.name}", turn):
                return await self._tooling.called(server, one, CalledBy(*asked_by, number, one.id))

        return await together(call(number, one) for number, one in enumerate(called))

    async def _say(self, some: Iterable[bytes]) -> None:
        for frame in some:
            if full := self._flight.came(frame):
                await full

    def _end(self, ending: Ending) -> None:
        if self._job.streams:
            for frame in self._stream.end(ending):
                self._flight.came(frame)
        else:
            body = compact(as_message(self._turns, ending))
            told = (_CUT_SHORT,) if ending.cut_short else ()
            self._flight.headed(200, (*_JSON, *told), body)


def _check(headers: Headers, frames_of: Sequence[bytes]) -> None:
    """UpstreamError for an answer of the model's that is cut off, or says that it failed.

    No call of such an answer is made, and no client is told that it ended well.
    """
    response = Response(200, headers, tuple(Frame(0, data) for data in frames_of))
    if problem := CHAT.problem_with(response):
        raise UpstreamError(f"the model's answer cannot be used: {problem}", code="bad_answer")


def _wants_usage(body: JSONObject) -> bool:
    return as_object(body.get("stream_options")).get("include_usage") is True


@contextmanager
def _step(asked: str, turn: int) -> Iterator[None]:
    """Says of an error at which step of the run it happened."""
    try:
        yield
    except HTTPError as error:
        error.message = f"in turn {turn} of the run, asking {asked}: {error.message}"
        error.details = {**(error.details or {}), "run": {"turn": turn, "asked": asked}}
        raise

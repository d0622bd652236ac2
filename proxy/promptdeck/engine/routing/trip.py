"""One request that leaves a choice: model after model is asked until one answers.

First all in their order; then, as long as the request has patience, those again that may do better
another time. With further models it goes on rather than wait.
"""

import asyncio
import logging
from collections.abc import Hashable, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, NamedTuple

from promptdeck.core.dialects.table import told_in
from promptdeck.core.dialects.translate.unsigned import names_signature, unsigned
from promptdeck.core.headers import CREDENTIALS, ROUTE, SERVED, Provenance
from promptdeck.core.interaction import Headers, header
from promptdeck.core.routing.choosing import Choice
from promptdeck.core.text.jsontext import JSON, compact
from promptdeck.engine.sides import Sink
from promptdeck.errors import HTTPError, Unsendable, UpstreamError

from .attempt import Failed, HeldAnswer, Patient, attempted
from .means import Means
from .waiting import Waiting
from .writing import LARGE, Asking, Sendable

if TYPE_CHECKING:
    from promptdeck.core.dialects.translate.aim import Lost

log = logging.getLogger("promptdeck")

_OVERLOADED = 529
"""Anthropic's status for what others say by 503, which their SDKs try again."""
_TIMEOUT = "x-stainless-read-timeout"
"""By which the openai SDK tells after how many seconds it gives up."""
_NO_DEADLINE = 1e9
_TOO_MANY = 429


class _Try(NamedTuple):
    """One model that was asked, or passed over, and what became of it."""

    choice: Choice
    why: str
    status: int
    code: str | None
    seconds: float
    was_asked: bool

    def told(self) -> dict[str, JSON]:
        """For the details of an error."""
        return {
            "model": self.choice.name,
            "status": self.status,
            "code": self.code,
            "error": self.why,
            "seconds": round(self.seconds, 3),
        }


class Trip:
    """A request on its way through its choices. `run` it once."""

    def __init__(
        self,
        asking: Asking,
        choices: tuple[Choice, ...],
        sink: Sink,
        means: Means,
    ) -> None:
        self._asking = asking
        self._choices = choices
        self._sink = sink
        self._means = means
        self._clock = means.clock
        self._started = means.clock.monotonic()
        told = header(asking.incoming.headers, _TIMEOUT)
        self._deadline = self._started + (_seconds(told) or _NO_DEADLINE)
        self._has_others = False
        """True while a model is left that was not yet asked."""
        self._tries: list[_Try] = []
        self._last: Failed | None = None
        """The failure of the model that was asked last."""
        self._left: dict[int, tuple[Failed, int, float]] = {}
        """By place of a choice that may be asked again: its failure, how often it was asked, and
        the moment from which it may be."""

    async def run(self) -> None:
        """Ask until the client has its answer. UpstreamError where it gets none."""
        for place in range(len(self._choices)):
            self._has_others = place + 1 < len(self._choices)
            if await self._answered(place):
                return
        waiting = Waiting(self._means.patience, self._deadline, self._clock.random)
        while (again := self._next()) is not None:
            now = self._clock.monotonic()
            _, _, ready = self._left[again]
            wait = waiting.before_retry(now, ready - now)
            if wait is None:
                break
            await self._clock.sleep(wait)
            if await self._answered(again):
                return
        self._give_up()

    def _next(self) -> int | None:
        """The place of the choice that may be asked again the soonest."""
        able = {
            place: ready
            for place, (_, tries, ready) in self._left.items()
            if tries <= self._means.retries(self._choices[place])
        }
        return min(able, key=lambda place: able[place], default=None)

    async def _answered(self, place: int) -> bool:
        """Ask a model; True if the client has its answer. UpstreamError for one that is final."""
        choice = self._choices[place]
        began = self._clock.monotonic()
        if began >= self._deadline:
            return False
        means, key = self._means, self._breaker_key(choice)
        if pause := means.breakers.wait(key, began):
            paused = _paused(choice, pause, means.breakers.status(key))
            self._note(choice, paused, began, place, asked=False)
            return False
        try:
            failed = await self._asked(choice)
        except UpstreamError as error:
            self._settle(place, key, Failed(error, not isinstance(error, Unsendable)))
            raise
        except BaseException:
            means.breakers.neutral(key)
            raise
        self._settle(place, key, failed)
        if failed is None:
            return True
        self._note(choice, failed, began, place, asked=True)
        if not failed.leads_on:
            self._give_up()
        return not failed.leads_on

    def _settle(self, place: int, key: Hashable, failed: Failed | None) -> None:
        """Tell a model's breaker what came."""
        breakers = self._means.breakers
        if failed is None:
            breakers.succeeded(key)
        elif failed.leads_on:
            now, again = self._clock.monotonic(), place in self._left
            status = failed.error.status
            breakers.failed(key, now, failed.retry_after, again=again, status=status)
        else:
            breakers.neutral(key)

    def _note(
        self, choice: Choice, failed: Failed, began: float, place: int, *, asked: bool
    ) -> None:
        """Remember how a model failed, and whether it may be asked again."""
        now, error = self._clock.monotonic(), failed.error
        seconds = now - began
        self._tries.append(_Try(choice, error.message, error.status, error.code, seconds, asked))
        if asked:
            log.info("%s failed: %d %s", choice.name, error.status, error.code)
        if asked or self._last is None:
            self._last = failed
        if not asked:
            self._left.pop(place, None)  # what is passed over is not waited for
            return
        if failed.leads_on:
            _, tries, _ = self._left.get(place, (failed, 0, 0.0))
            self._left[place] = failed, tries + 1, now + (failed.retry_after or 0.0)
        else:
            self._left.clear()

    async def _asked(self, choice: Choice) -> Failed | None:
        """Ask a model, and once more without what was signed if that is what it will not have."""
        upstream = self._means.choosing.upstreams.get(choice.upstream)
        args = choice, upstream, self._means.memory()
        if len(self._asking.data) > LARGE:
            # Others are served meanwhile.
            made = await asyncio.to_thread(self._asking.made_for, *args)
        else:
            made = self._asking.made_for(*args)
        if self._means.strict and (lost := [one for one in made.lost if one.asked]):
            raise _lossy(choice, lost)
        failed = await self._sent(choice, made)
        if failed and names_signature(failed.status, failed.body):
            request = made.incoming.request
            body = unsigned(request.body, made.dialect.name)
            if body is not None:
                again = made.incoming._replace(request=request._replace(body=body))
                if again.route:
                    again = again._replace(route=again.route._replace(body=body))
                failed = await self._sent(choice, made._replace(incoming=again))
        return failed

    async def _sent(self, choice: Choice, made: Sendable) -> Failed | None:
        """Send a request to its upstream, when there is room for it there."""
        means = self._means
        upstream = means.choosing.upstreams.get(choice.upstream)
        key = upstream.key if upstream else ""
        held = HeldAnswer(
            self._sink, made.dialect, made.aim, key, lambda: self._heading(choice, made)
        )
        patient = Patient(means.hold_back, means.first_byte if self._has_others else None)
        async with means.rooms.get(choice.upstream) or nullcontext():
            way = means.way(choice.upstream)
            incoming = made.incoming._replace(headers=self._in_time(made.incoming.headers))
            return await attempted(way, incoming, held, patient, self._clock.wall)

    def _in_time(self, headers: Headers) -> Headers:
        """The headers of a later try, whose client has less time left than it said."""
        if not self._tries or self._deadline - self._started >= _NO_DEADLINE:
            return headers
        left = max(0.001, self._deadline - self._clock.monotonic())
        kept = (item for item in headers if item[0].lower() != _TIMEOUT)
        return (*kept, (_TIMEOUT, f"{left:.3f}"))

    def _heading(self, choice: Choice, made: Sendable) -> Headers:
        """What an answer's head says of who gave it, and of what was asked and what was not."""
        name = choice.upstream or self._asking.default_name
        dialect = made.dialect.name if made.aim else ""
        headers = [(SERVED, str(Provenance(name, choice.model, dialect)))]
        if len(self._choices) > 1 or self._tries:
            headers.append((ROUTE, self._route(choice)))
        if made.lost:
            told = "; ".join(f"{one.path} {one.why}" for one in made.lost)
            text = _quotable(f"{choice.name}: {told}")[:_MOST_IN_HEADER]
            headers.append(("Warning", f'299 promptdeck "{text}"'))
        return tuple(headers)

    def _route(self, served: Choice | None) -> str:
        """The models in the order in which they were tried, the one that answered last."""
        last = [_item(served)] if served else []
        tried = [f"{_item(one.choice)}; failed={one.status}" for one in self._tries]
        whys = [f'; why="{_quotable(one.why[:_WHY])}"' for one in self._tries]
        whole = ", ".join([*map("".join, zip(tried, whys, strict=True)), *last])
        if len(whole) <= _MOST_IN_HEADER:
            return whole
        # The latest ones say most of how it came to that.
        while tried and len(", ".join([*tried, *last])) > _MOST_IN_HEADER:
            tried = tried[1:]
        return ", ".join([*tried, *last])[:_MOST_IN_HEADER]

    def _breaker_key(self, choice: Choice) -> Hashable:
        """By what the breaker of a model is known: a caller's own key is for itself."""
        upstream = self._means.choosing.upstreams.get(choice.upstream)
        headers = self._asking.incoming.headers
        if upstream is not None:
            headers = self._asking.passed(upstream)
        own = tuple(item for item in headers if item[0].lower() in CREDENTIALS)
        return choice.upstream, choice.model, hash(own)

    def _give_up(self) -> None:
        """Tell the client of the last failure, with all that were before it. UpstreamError."""
        failed = self._last
        if failed is None:
            raise UpstreamError("the client's time was over before any model was asked", status=504)
        if failed.status and (len(self._choices) == 1 or not failed.leads_on):
            # What one model refuses, or a single one fails at, is for its upstream to tell.
            while not self._tries.pop().was_asked:
                pass
            failed.pass_on(self._sink)
            return
        error = self._told(failed)
        if not failed.status:
            raise error
        # The last one's answer, as its client reads it: like any other it may be recorded.
        request = self._asking.incoming.request
        spoken = told_in(request.method, request.target, self._asking.incoming.headers)
        body = compact(spoken.error(error))
        told = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        told |= error.headers
        if error.retry is not None:
            told["x-should-retry"] = "true" if error.retry else "false"
        self._sink.headed(error.status, tuple(told.items()), body)

    def _told(self, failed: Failed) -> HTTPError:
        """The error with which a request ends that nobody answered."""
        error = failed.error
        attempts = [one.told() for one in self._tries]
        if len(attempts) > 1 or len(self._choices) > 1:
            error.details = {**(error.details or {}), "attempts": attempts}
            error.headers = {**error.headers, ROUTE: self._route(None)}
        if error.status == _OVERLOADED and self._asking.client.name != "messages":
            error.status, error.retry = 503, True
        return error


_WHY = 120
"""Characters of an error in a header: some providers send pages."""
_MOST_IN_HEADER = 4000
"""Characters of a header: aiohttp's client and nginx take 8 KB of one."""


def _item(choice: Choice) -> str:
    score = "" if choice.score is None else f"; score={choice.score:g}"
    return f'"{_quotable(choice.name)}"{score}'


def _quotable(text: str) -> str:
    """A text as a quoted string of a header can hold it."""
    text = text.replace("\\", "/").replace('"', "'").encode("ascii", "replace").decode()
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())


def _seconds(told: str) -> float | None:
    try:
        seconds = float(told)
    except ValueError:
        return None
    return seconds if 0 < seconds < _NO_DEADLINE else None


def _paused(choice: Choice, pause: float, status: int) -> Failed:
    """The failure of a model that is not asked for a while, with the status of its last one."""
    error = UpstreamError(
        f"{choice.name} has failed and is not asked again for {pause:.0f} s",
        code="upstream_paused",
        status=status if status == _TOO_MANY else 503,
    )
    error.headers = {"retry-after": f"{pause:.0f}"}
    return Failed(error, leads_on=True, retry_after=pause)


def _lossy(choice: Choice, lost: "Sequence[Lost]") -> Unsendable:
    """The refusal of a request of which something would be lost, where the contract is strict."""
    told = "; ".join(f"{one.path} {one.why}" for one in lost)
    return Unsendable(
        f"{choice.name} cannot be asked all of this: {told}",
        code="lossy",
        param=lost[0].path,
        details={"lost": [{"path": one.path, "why": one.why} for one in lost]},
    )

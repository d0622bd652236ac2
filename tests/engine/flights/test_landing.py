"""What the end of an answer sets off: stored, landed, recorded, each in its turn."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

import orjson
import pytest

from promptdeck.core.interaction import Request, Response
from promptdeck.core.matching.rules import Rules
from promptdeck.core.policy import ANYTHING, Found, Mode
from promptdeck.core.secrets.redact import Redactor
from promptdeck.engine.asking import Asked, Canonicals
from promptdeck.engine.decks.deck import Deck, Search
from promptdeck.engine.decks.playing import Playing
from promptdeck.engine.flights.budget import Budget
from promptdeck.engine.flights.flight import Flight
from promptdeck.engine.flights.landing import Landing
from promptdeck.engine.flights.launch import Flights
from promptdeck.engine.flights.sharing import Sharing
from promptdeck.engine.incoming import Incoming
from promptdeck.engine.settings import Settings
from promptdeck.engine.sides import Ended, GiveUp, Sink
from promptdeck.engine.stats import Stats
from promptdeck.errors import StoreUnavailable, UpstreamError
from promptdeck.stores.memory import MemoryStore
from tests.scripted_upstream import completion

BODY = orjson.dumps(completion("hello"))
SETTINGS = Settings(
    mode=Mode.CACHE,
    rules=Rules(),
    redactor=Redactor.build(),
    upstream="http://u/v1",
    secrets=(),
    keep_bytes=1 << 20,
    keep_errors=False,
    outlives_client=True,
    ttl=None,
)


class Field:
    """A landing with all that it needs, and what it was seen to do."""

    def __init__(self, settings: Settings = SETTINGS, *, stores: bool = True) -> None:
        self.stats = Stats()
        self.canonicals = Canonicals(settings.rules, settings.redactor, None)
        self.sharing = Sharing(None)
        self.store = MemoryStore()
        self.deck = Deck("c", [self.store], Playing(newest=True), writer=self.store)
        self.answered: list[tuple[Response, bool]] = []
        """Answers that were stored, and whether the flight had landed then."""
        self.fails = False
        self.work: list[tuple[Coroutine[Any, Any, None], Callable[[], None]]] = []
        """What follows a landing, and what is to be called after it."""
        self.budget = Budget(1 << 20)
        self.flight = Flight(
            keep_bytes=settings.keep_bytes, outlives_readers=True, budget=self.budget
        )
        answered = self.keep if stores else None
        self.landing = Landing(
            settings, self.stats, self.canonicals, self.sharing, answered, self.budget
        )

    async def keep(self, incoming: Incoming, response: Response) -> None:
        if self.fails:
            raise StoreUnavailable("the disk is full")
        self.answered.append((response, self.flight.landed))

    async def asked(self, body: bytes) -> Asked:
        request = Request("POST", "/v1/chat/completions", "application/json", body)
        return await self.canonicals.asked(Incoming(request, ()))

    async def end(
        self,
        error: UpstreamError | None = None,
        *,
        body: bytes = b'{"model":"m"}',
        answer: bytes = BODY,
    ) -> Asked:
        """Bring an answer to a request that is recorded, and tell its end; work is left to do."""
        asked = await self.asked(body)
        self.sharing.add((self.deck, *asked.place), self.flight, asked.form.canonical)
        ended = self.landing.of(self.flight, asked.incoming, (asked, self.deck), self.start)
        self.flight.headed(200, (("Content-Type", "application/json"),), answer)
        ended(error)
        return asked

    async def finish(self) -> None:
        for work, after in self.work:
            await work
            after()

    def start(self, work: Coroutine[Any, Any, None], after: Callable[[], None]) -> None:
        self.work.append((work, after))

    def found(self, asked: Asked) -> Found:
        return self.search(asked).found

    def search(self, asked: Asked) -> Search:
        return self.deck.find(asked.key, asked.form, ANYTHING, upstream=SETTINGS.upstream)

    def shared(self, asked: Asked) -> Flight | None:
        return self.sharing.flight((self.deck, *asked.place), asked.form.canonical)


@pytest.fixture
async def field() -> Field:
    return Field()


async def test_what_is_only_passed_on_lands_and_that_is_all(field: Field) -> None:
    asked = await field.asked(b"{}")
    ended = field.landing.of(field.flight, asked.incoming, None, field.start)
    assert ended == field.flight.land
    ended(None)
    assert field.flight.landed_well
    assert field.work == []


async def test_readers_do_not_wait_for_the_recorder(field: Field) -> None:
    asked = await field.end()
    assert field.flight.landed_well
    assert field.found(asked) is Found.MISS
    assert field.shared(asked) is field.flight
    await field.finish()
    assert field.found(asked) is Found.HIT
    assert field.shared(asked) is None
    assert field.stats.recorded == 1
    assert field.answered == []


async def test_readers_wait_for_an_answer_to_be_stored(field: Field) -> None:
    asked = await field.end(body=b'{"model":"m","store":true}')
    assert not field.flight.landed
    await field.finish()
    [(response, landed)] = field.answered
    assert response.body == BODY
    assert not landed, "its client may ask for it as soon as it has the end"
    assert field.flight.landed_well
    assert field.found(asked) is Found.HIT


async def test_what_need_not_be_recorded_is_stored_all_the_same(field: Field) -> None:
    asked = await field.asked(b'{"store":true}')
    ended = field.landing.of(field.flight, asked.incoming, None, field.start)
    field.flight.headed(200, (("Content-Type", "application/json"),), BODY)
    ended(None)
    await field.finish()
    assert len(field.answered) == 1
    assert field.flight.landed_well
    assert field.found(asked) is Found.MISS


async def test_where_nothing_is_stored_the_wish_holds_up_nobody() -> None:
    field = Field(stores=False)
    await field.end(body=b'{"model":"m","store":true}')
    assert field.flight.landed_well
    await field.finish()
    assert field.stats.recorded == 1


async def test_an_answer_that_was_cut_is_neither_stored_nor_recorded(field: Field) -> None:
    error = UpstreamError("cut")
    asked = await field.end(error, body=b'{"model":"m","store":true}')
    assert field.flight.error is error
    await field.finish()
    assert field.answered == []
    assert field.found(asked) is Found.MISS
    assert field.shared(asked) is None


async def test_a_store_that_fails_harms_no_reader(
    field: Field, caplog: pytest.LogCaptureFixture
) -> None:
    field.fails = True
    asked = await field.end(body=b'{"model":"m","store":true}')
    await field.finish()
    assert "not stored: the disk is full" in caplog.text
    assert field.flight.landed_well
    assert field.found(asked) is Found.HIT


async def test_the_log_says_why_an_answer_is_not_kept(
    field: Field, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "promptdeck"):
        asked = await field.end(answer=b'{"choices": [')
        await field.finish()
    assert "not recorded: " in caplog.text
    assert field.found(asked) is Found.MISS
    assert field.shared(asked) is None


async def test_trouble_of_our_own_while_recording_is_logged_and_goes_no_further(
    field: Field, caplog: pytest.LogCaptureFixture
) -> None:
    field.deck = Deck("c", [field.store], Playing())  # records nothing, and is asked to
    asked = await field.end()
    await field.finish()
    assert "not recorded: unexpected error" in caplog.text
    assert field.shared(asked) is None


async def test_recording_that_is_cancelled_lands_its_flight_and_lets_others_ask(
    field: Field, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(incoming: Incoming, response: Response) -> None:
        await asyncio.get_running_loop().create_future()

    monkeypatch.setattr(field.landing, "_answered", hang)
    asked = await field.end(body=b'{"model":"m","store":true}')
    [(work, after)] = field.work
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(work)
        await asyncio.sleep(0)
        assert not field.flight.landed
        task.cancel()
    after()
    assert field.flight.landed
    assert field.shared(asked) is None


async def test_work_that_is_cancelled_before_its_first_step_drops_its_claim(field: Field) -> None:
    claims = Claimed()
    field.sharing = Sharing(claims)
    field.landing = Landing(
        SETTINGS, field.stats, field.canonicals, field.sharing, field.keep, field.budget
    )
    async with asyncio.TaskGroup() as tasks:
        flights = Flights(Never(), tasks)
        asked = await field.asked(b'{"model":"m"}')
        question = (field.deck, *asked.place)
        assert field.sharing.claim_at_once(question)
        field.sharing.add(question, field.flight, asked.form.canonical)
        ended = field.landing.of(field.flight, asked.incoming, (asked, field.deck), flights.start)
        flights.launch(asked.incoming, field.flight, ended)
        assert claims.held
        await flights.finish(0)
    assert not claims.held
    assert field.flight.failed
    assert field.budget.used == 0


async def test_an_answer_that_nobody_reads_and_nobody_can_keep_has_one_log_line(
    field: Field, caplog: pytest.LogCaptureFixture
) -> None:
    async with asyncio.TaskGroup() as tasks:
        flights = Flights(Never(), tasks)
        asked = await field.asked(b'{"model":"m"}')
        ended = field.landing.of(field.flight, asked.incoming, (asked, field.deck), flights.start)
        flights.launch(asked.incoming, field.flight, ended)
        field.flight.leave(field.flight.join())
        with caplog.at_level(logging.INFO, "promptdeck"):
            field.flight.headed(200, (), b"x" * SETTINGS.keep_bytes)
            assert flights.under_way == 1
            field.flight.came(b"x")
            await flights.finish(10)
    assert caplog.messages == ["not recorded: it is larger than record.max_bytes"]
    assert field.budget.used == 0


class Claimed:
    """Claims of one process."""

    def __init__(self) -> None:
        self.held: set[str] = set()

    def take(self, name: str) -> bool:
        self.held.add(name)
        return True

    def drop(self, name: str) -> None:
        self.held.discard(name)


class Never:
    """A way on which no answer ends."""

    def begin(self, incoming: Incoming, sink: Sink, ended: Ended[UpstreamError]) -> GiveUp:
        return lambda: None

    async def fly(self, incoming: Incoming, sink: Sink) -> None: ...


@pytest.mark.parametrize(
    ("mode", "ttl", "body", "seconds"),
    [
        (Mode.CACHE, None, b'{"model":"m"}', None),
        (Mode.CACHE, 60.0, b'{"model":"m"}', 60),
        (Mode.CACHE, 60.0, b'{"model":"m","prompt_cache_retention":"24h"}', 86_400),
        (Mode.CACHE, 60.0, b'{"model":"m","prompt_cache_retention":"in_memory"}', 60),
        (Mode.RECORD, 60.0, b'{"model":"m"}', None),
    ],
)
async def test_only_what_a_cache_keeps_expires(
    mode: Mode, ttl: float | None, body: bytes, seconds: int | None
) -> None:
    field = Field(SETTINGS._replace(mode=mode, ttl=ttl))
    asked = await field.end(body=body)
    await field.finish()
    stored = field.search(asked).stored
    assert stored
    if seconds is None:
        assert stored.expires_at is None
    else:
        assert stored.expires_at is not None
        assert stored.expires_at - stored.interaction.recorded_at == pytest.approx(
            seconds, abs=0.01
        )


@pytest.mark.parametrize("mode", [Mode.CACHE, Mode.RECORD])
async def test_a_good_answer_that_cannot_be_kept_is_counted_and_loud_where_recording(
    mode: Mode, caplog: pytest.LogCaptureFixture
) -> None:
    field = Field(SETTINGS._replace(mode=mode, keep_bytes=10))
    with caplog.at_level(logging.ERROR, "promptdeck"):
        await field.end(answer=b"x" * 11)
        await field.finish()
    assert field.stats.unrecorded == 1
    assert [*caplog.messages] == (
        ["not recorded: it is larger than record.max_bytes"] if mode is Mode.RECORD else []
    )


async def test_an_answer_that_is_no_good_is_not_lost(field: Field) -> None:
    await field.end(answer=b"no JSON")
    await field.finish()
    assert (field.stats.unrecorded, field.stats.recorded) == (0, 0)


async def test_the_next_request_goes_before_the_recording(field: Field) -> None:
    asked = await field.end()
    next_one = Flight(keep_bytes=1000, outlives_readers=True)
    field.landing.of(next_one, asked.incoming, (asked, field.deck), lambda *_: None)
    async with asyncio.timeout(1), asyncio.TaskGroup() as tasks:
        tasks.create_task(field.finish())
        await asyncio.sleep(0.02)
        assert field.found(asked) is Found.MISS
        assert field.shared(asked) is field.flight, "who asks the same joins it"
        next_one.headed(200, (), b"first byte")
    assert field.found(asked) is Found.HIT


async def test_draws_are_recorded_at_once() -> None:
    field = Field(SETTINGS._replace(mode=Mode.RECORD_MISSING))
    asked = await field.end()
    next_one = Flight(keep_bytes=1000, outlives_readers=True)
    field.landing.of(next_one, asked.incoming, (asked, field.deck), lambda *_: None)
    await field.finish()
    assert field.found(asked) is Found.HIT

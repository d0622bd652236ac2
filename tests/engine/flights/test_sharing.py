"""Who else asks the same: flights that may be joined, claims that keep other processes waiting."""

import asyncio

from promptdeck.core.interaction import Variant
from promptdeck.engine.decks.deck import Deck
from promptdeck.engine.decks.playing import Playing
from promptdeck.engine.flights.flight import Flight
from promptdeck.engine.flights.sharing import Question, Sharing
from promptdeck.errors import UpstreamError

ASKED = b"POST /v1/chat/completions\n{}"


class Claimed:
    """Claims of processes on one file; `of` gives those of one."""

    def __init__(self) -> None:
        self.owners: dict[str, str] = {}

    def of(self, process: str) -> "ClaimsOf":
        return ClaimsOf(self.owners, process)


class ClaimsOf:
    def __init__(self, owners: dict[str, str], process: str) -> None:
        self.owners, self.process = owners, process

    def take(self, name: str) -> bool:
        return self.owners.setdefault(name, self.process) == self.process

    def drop(self, name: str) -> None:
        if self.owners.get(name) == self.process:
            del self.owners[name]


def question(key: str = "k") -> Question:
    return Deck("c", (), Playing()), key, Variant.JSON


def flight(keep_bytes: int = 100) -> Flight:
    return Flight(keep_bytes=keep_bytes, outlives_readers=True)


async def test_only_just_the_same_request_joins_a_flight() -> None:
    sharing, asked, one = Sharing(None), question(), flight()
    sharing.add(asked, one, ASKED)
    assert sharing.flight(asked, ASKED) is one
    assert sharing.flight(asked, ASKED + b" ") is None
    deck, key, _ = asked
    assert sharing.flight((deck, key, Variant.SSE), ASKED) is None
    assert sharing.flight(question(), ASKED) is None, "another deck has answers of its own"


async def test_nobody_joins_a_flight_that_failed_or_has_let_its_beginning_go() -> None:
    sharing = Sharing(None)
    for keep_bytes, error in ((0, None), (100, UpstreamError("cut"))):
        asked, one = question(), flight(keep_bytes)
        sharing.add(asked, one, ASKED)
        assert sharing.flight(asked, ASKED) is one
        one.came(b"piece")
        if error:
            one.land(error)
        assert sharing.flight(asked, ASKED) is None


async def test_a_flight_that_has_landed_is_joined_until_it_is_recorded() -> None:
    sharing, asked, one = Sharing(None), question(), flight()
    sharing.add(asked, one, ASKED)
    one.land()
    assert sharing.flight(asked, ASKED) is one
    sharing.recorded(asked, one)
    assert sharing.flight(asked, ASKED) is None


async def test_other_processes_may_ask_when_the_answer_is_recorded() -> None:
    claimed = Claimed()
    here, there = Sharing(claimed.of("here")), Sharing(claimed.of("there"))
    asked, one = question(), flight()
    assert here.claim_at_once(asked)
    assert not there.claim_at_once(asked)
    assert there.claim_at_once(question("other"))
    here.add(asked, one, ASKED)
    here.unclaim(asked)
    assert not there.claim_at_once(asked), "its flight still asks"
    here.recorded(asked, one)
    assert there.claim_at_once(asked)


async def test_what_an_earlier_flight_brought_lets_go_of_nothing_that_a_later_one_holds() -> None:
    claimed = Claimed()
    here, there = Sharing(claimed.of("here")), Sharing(claimed.of("there"))
    asked, earlier, later = question(), flight(), flight()
    assert here.claim_at_once(asked)
    here.add(asked, earlier, ASKED)
    here.add(asked, later, ASKED + b" ")
    here.recorded(asked, earlier)
    assert here.flight(asked, ASKED + b" ") is later
    assert not there.claim_at_once(asked)


async def test_a_claim_waits_for_another_process_and_says_so() -> None:
    claimed = Claimed()
    here, there = Sharing(claimed.of("here")), Sharing(claimed.of("there"))
    asked = question()
    assert await here.claim(asked) is False
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(there.claim(asked))
        await asyncio.sleep(0)
        assert not waiting.done()
        here.unclaim(asked)
    assert waiting.result() is True
    assert not here.claim_at_once(asked)


async def test_without_claims_nobody_waits() -> None:
    sharing, asked = Sharing(None), question()
    assert await sharing.claim(asked) is False
    assert await sharing.claim(asked) is False

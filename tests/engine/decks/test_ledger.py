"""A ledger tells what was played, missed and recorded, in bounded memory."""

import pytest

from promptdeck.core.interaction import Variant
from promptdeck.engine.decks import ledger
from promptdeck.engine.decks.ledger import Ledger


def missed(one: Ledger) -> list[int]:
    return [miss["number"] for miss in one.report([])["missed"]]


def test_misses_are_bounded_by_number_and_by_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    one = Ledger(cached=False)
    for number in range(1500):
        one.missed({"number": number})
    assert missed(one) == list(range(500, 1500))
    assert one.report([])["missed_earlier"] == 500
    monkeypatch.setattr(ledger, "_MISSES_BYTES", 10_000)
    for number in range(50):
        one.missed({"number": number, "text": "x" * 1900})
    assert missed(one) == list(range(45, 50))
    one.missed({"number": 50, "text": "x" * 9000})
    assert missed(one) == [50]
    one.missed({"number": 51, "text": "x" * 10_000})
    assert missed(one) == []


@pytest.mark.parametrize("cached", [False, True])
def test_a_cache_has_no_turns_and_tells_of_the_latest(
    monkeypatch: pytest.MonkeyPatch, cached: bool
) -> None:
    monkeypatch.setattr(ledger, "_CACHE_KEPT", 10)
    one = Ledger(cached=cached)
    place = "p1:0", Variant.JSON
    for number in range(20):
        one.turn(place).times += 1
        one.play(f"r{number}").times += 1
        one.recorded(f"n{number}")
    assert one.turns(place) == (0 if cached else 20)
    told = one.report(["r19", "never"])
    assert list(told["played"]) == [f"r{number}" for number in range(10 if cached else 0, 20)]
    assert told["unplayed"] == ["never"]
    assert told["recorded"] == [f"n{number}" for number in range(10 if cached else 0, 20)]
    assert "missed_earlier" not in told

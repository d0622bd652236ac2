"""Deferred completions: pending, collected once, lost with their process, gone after a day."""

import pytest

from promptdeck.stores.kept.slips import Slip, Slips


@pytest.fixture
def slips(database):
    return Slips(database)


async def test_a_slip_is_pending_until_it_is_filled_and_collected_once(slips):
    await slips.open("s")
    for _ in range(2):
        assert await slips.collect("s") == Slip(pending=True, lost=False, status=0, body=b"")
    await slips.fill("s", 200, b"answer")
    assert await slips.collect("s") == Slip(pending=False, lost=False, status=200, body=b"answer")
    assert await slips.collect("s") is None


async def test_there_is_no_slip_of_another_name(slips):
    await slips.open("s")
    assert await slips.collect("t") is None


async def test_an_empty_answer_is_an_answer(slips):
    await slips.open("s")
    await slips.fill("s", 204, b"")
    assert await slips.collect("s") == Slip(pending=False, lost=False, status=204, body=b"")


async def test_a_slip_whose_process_is_gone_is_lost_and_says_so_once(slips, database):
    await slips.open("s")
    # No process has a number as high: the kernel's limit is 2**22.
    await database.execute("UPDATE slip SET owner = ?", 2**30)
    assert await slips.collect("s") == Slip(pending=False, lost=True, status=0, body=b"")
    assert await slips.collect("s") is None


async def test_an_answer_outlives_its_process(slips, database):
    await slips.open("s")
    await slips.fill("s", 200, b"answer")
    await database.execute("UPDATE slip SET owner = ?", 2**30)
    assert (await slips.collect("s")).body == b"answer"


async def test_after_a_day_a_slip_is_not_found_and_goes_with_the_next_one(slips, database):
    await slips.open("old")
    await slips.fill("old", 200, b"answer")
    await database.execute("UPDATE slip SET created_at = created_at - 24 * 60 * 60 - 1")
    assert await slips.collect("old") is None
    assert database.query("SELECT id FROM slip") == [("old",)]
    await slips.open("new")
    assert database.query("SELECT id FROM slip") == [("new",)]

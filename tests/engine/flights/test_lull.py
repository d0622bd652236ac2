"""What can wait is done when nobody waits for a first byte, one thing at a time, not too late."""

import asyncio

from promptdeck.engine.flights.flight import Flight
from promptdeck.engine.flights.lull import Lull


def now() -> float:
    return asyncio.get_running_loop().time()


def flight() -> Flight:
    return Flight(keep_bytes=1000, outlives_readers=True)


def answering(one: Flight) -> None:
    one.headed(200, (), b"first byte")


async def test_it_comes_soon_where_nothing_is_under_way() -> None:
    began = now()
    await Lull().come()
    assert 0.001 < now() - began < 0.08


async def test_it_comes_when_the_first_byte_has_come() -> None:
    lull, one = Lull(), flight()
    lull.begun(one)
    async with asyncio.timeout(0.08), asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(lull.come())
        await asyncio.sleep(0.02)
        assert not waiting.done()
        answering(one)


async def test_it_comes_when_what_was_waited_for_has_ended_without_any() -> None:
    lull, one = Lull(), flight()
    lull.begun(one)
    async with asyncio.timeout(0.08), asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(lull.come())
        await asyncio.sleep(0.02)
        assert not waiting.done()
        lull.ended(one)


async def test_it_is_not_waited_for_longer_than_a_tenth_of_a_second() -> None:
    lull = Lull()
    lull.begun(flight())
    began = now()
    await asyncio.gather(*(lull.come() for _ in range(50)))
    assert 0.09 < now() - began < 0.2


async def test_what_comes_meanwhile_goes_before_the_next() -> None:
    lull, done = Lull(), []
    late = flight()

    async def first() -> None:
        await lull.come()
        done.append("first")
        lull.begun(late)  # as a request does that came with the recording

    async def second() -> None:
        await lull.come()
        done.append("second")

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(first())
        tasks.create_task(second())
        await asyncio.sleep(0.03)
        assert done == ["first"]
        answering(late)
    assert done == ["first", "second"]


async def test_one_that_is_cancelled_keeps_no_other_waiting() -> None:
    lull = Lull()
    async with asyncio.timeout(0.08), asyncio.TaskGroup() as tasks:
        one = tasks.create_task(lull.come())
        tasks.create_task(lull.come())
        await asyncio.sleep(0)
        one.cancel()

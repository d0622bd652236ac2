"""The store over tapes: what was put is found, by who has read it before too."""

from promptdeck.stores.sqlite.tape import Tape, cache_tape
from tests.recordings import (
    conversation,
    interaction,
    nameless,
    opened,
    python,
    start_together,
    stored,
)
from tests.stores.sqlite import count, found, put


async def test_what_was_put_is_there_after_reopening(path):
    async with opened(path) as database:
        tape = await cache_tape(database)
        kept = [await put(tape, interaction("a", str(n))) for n in range(3)]
    async with opened(path) as database:
        tape = await cache_tape(database)
        assert found(tape, interaction("a")) == kept
        assert (await put(tape, interaction("a"))).id.endswith("-4")


async def test_put_returns_when_another_process_can_read_it(path):
    async with opened(path) as database:
        tape = await cache_tape(database)
        await put(tape, interaction())
        assert count(path) == 1


async def test_when_it_expires_is_kept(path):
    async with opened(path) as database:
        tape = await cache_tape(database)
        await put(tape, interaction("a"), expires_at=12.5)
        await put(tape, interaction("b"))
        assert [row.expires_at for row in tape.find(stored(interaction("a"))[0])] == [12.5]
        assert [row.expires_at for row in tape.find(stored(interaction("b"))[0])] == [None]


async def test_a_tape_over_several_reads_them_in_the_order_given(path):
    async with opened(path) as database:
        one, two, three = [
            await database.index(name, "", [stored(interaction("a", name))])
            for name in ("one", "two", "three")
        ]
        tape = Tape(database, (three, one))
        assert [row.response.body.count(b"three") for row in found(tape, interaction("a"))] == [
            1,
            0,
        ]
        assert len(list(tape.canonicals())) == 2
        assert two not in tape.tapes


async def test_what_another_process_clears_is_found_no_more(path):
    async with opened(path) as database:
        tape = await cache_tape(database)
        await put(tape, interaction())
        assert found(tape, interaction())
        assert python("print(clear(path))", path).communicate() == ("1\n", "")
        assert found(tape, interaction()) == []
        await put(tape, interaction())
        assert len(found(tape, interaction())) == 1


async def test_what_another_process_puts_is_found_at_once(path):
    script = """
async def main():
    async with opened(path) as database:
        tape = await cache_tape(database)
        await tape.put(*stored(interaction("a", "theirs")), replace=False)
asyncio.run(main())
"""
    async with opened(path) as database:
        tape = await cache_tape(database)
        ours = await put(tape, interaction("a", "ours"))
        assert found(tape, interaction("a")) == [ours]
        assert python(script, path).communicate() == ("", "")
        assert [one.id[-2:] for one in found(tape, interaction("a"))] == ["-1", "-2"]


async def test_processes_that_put_at_once_lose_nothing(path):
    script = """
async def main():
    ready()
    async with opened(path) as database:
        tape = await cache_tape(database)
        for n in range(20):
            await tape.put(*stored(conversation(n)), replace=False)
asyncio.run(main())
"""
    processes = [python(script, path) for _ in range(3)]
    start_together(processes)
    assert [process.communicate() for process in processes] == [("", "")] * 3
    async with opened(path) as database:
        tape = await cache_tape(database)
        for n in range(20):
            assert [one.id[-2:] for one in found(tape, conversation(n))] == ["-1", "-2", "-3"]
            assert {nameless(one) for one in found(tape, conversation(n))} == {
                nameless(conversation(n))
            }

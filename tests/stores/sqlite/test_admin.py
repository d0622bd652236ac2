"""A store's file from outside: counted, listed, emptied."""

from promptdeck.stores.kept.completions import Completions
from promptdeck.stores.kept.slips import Slips
from promptdeck.stores.sqlite.admin import cached, clear, statistics
from promptdeck.stores.sqlite.tape import cache_tape
from tests.recordings import conversation, interaction, opened, stored
from tests.stores.sqlite import count, fill, put


async def test_statistics_tell_cache_and_index_apart(path):
    assert statistics(path) == {"answers": 0, "bytes": 0, "cassettes": 0, "indexed": 0}
    assert not path.exists()
    async with opened(path) as database:
        tape = await cache_tape(database)
        await fill(tape, range(2))
        file = path.with_name("x.yaml")
        file.touch()
        for state in ("one", "two"):
            await database.index(state, str(file), [stored(conversation(n)) for n in range(3)])
        told = statistics(path)
    assert told == {"answers": 2, "bytes": told["bytes"], "cassettes": 1, "indexed": 6}
    assert told["bytes"] > 5000


async def test_clear_forgets_answers_and_index_and_says_how_many(path):
    assert clear(path) == 0
    assert not path.exists()
    async with opened(path) as database:
        await fill(await cache_tape(database), range(240))
        await database.index("x", "", [stored(interaction())])
    before = path.stat().st_size
    assert clear(path) == 240
    assert statistics(path) == {"answers": 0, "bytes": 0, "cassettes": 0, "indexed": 0}
    assert path.stat().st_size < before / 2
    assert clear(path) == 0


async def test_cached_lists_the_answers_of_the_cache_alone(path):
    assert cached(path) == []
    async with opened(path) as database:
        tape = await cache_tape(database)
        kept = await put(tape, interaction("a"))
        await database.index("x", "", [stored(interaction("b"))])
    assert cached(path) == [(kept.id, stored(kept)[1].canonical)]


async def test_clearing_forgets_stored_and_deferred_answers_too(path):
    async with opened(path) as database:
        await Completions(database, lasting=True).put({"id": "c"}, [], {})
        await Slips(database).open("s")
    assert (count(path, "completion"), count(path, "slip")) == (1, 1)
    clear(path)
    assert (count(path, "completion"), count(path, "slip")) == (0, 0)

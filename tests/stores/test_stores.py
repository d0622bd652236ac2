"""What every store does, tried on each of them: in memory, in SQLite, in a cassette's file."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from promptdeck.core.interaction import Variant
from promptdeck.stores.cassettes.store import Cassette
from promptdeck.stores.held import Held
from promptdeck.stores.memory import MemoryStore
from promptdeck.stores.sqlite.tape import Tape, cache_tape
from tests.recordings import ODD, canon, conversation, interaction, nameless, opened, stored


@asynccontextmanager
async def memory(folder):
    yield MemoryStore()


@asynccontextmanager
async def tape(folder):
    async with opened(folder / "store.db") as database:
        yield await cache_tape(database)


@asynccontextmanager
async def cassette(folder):
    async with opened(folder / "store.db") as database:
        yield await Cassette.open("x", folder / "x.yaml", database, canon())


@asynccontextmanager
async def packed(folder):
    """All that is found is packed."""

    class Packing(Tape):
        async def put(self, key, stored, *, replace):
            kept = await super().put(key, stored, replace=replace)
            await database.pack()
            return kept

    async with opened(folder / "store.db") as database:
        yield Packing(database, (await cache_tape(database)).tapes)


@asynccontextmanager
async def held(folder):
    async with opened(folder / "store.db") as database:
        yield Held(await cache_tape(database))


@pytest.fixture(params=[memory, tape, packed, cassette, held], ids=lambda kind: kind.__name__)
async def store(request, tmp_path):
    async with request.param(tmp_path) as one:
        yield one


async def put(store, recording, *, replace=False):
    return await store.put(*stored(recording), replace=replace)


def found(store, recording):
    return [row.interaction for row in store.find(stored(recording)[0])]


async def test_nothing_is_found_where_nothing_was_put(store):
    assert list(store.find("p1:0")) == []
    assert list(store.canonicals()) == []
    await put(store, interaction())
    assert list(store.find("p1:0")) == []


@pytest.mark.parametrize("name", ODD)
async def test_a_recording_comes_back_byte_for_byte_with_its_canonical_form(store, name):
    key, row = stored(ODD[name])
    kept = await store.put(key, row, replace=False)
    assert nameless(kept) == nameless(ODD[name])
    assert list(store.find(key)) == [row._replace(interaction=kept)]


async def test_the_id_is_given_by_the_store(store):
    kept = [await put(store, interaction("a", str(n))) for n in range(11)]
    assert [one.id for one in kept] == [
        f"{interaction('a').id.removesuffix('-1')}-{n}" for n in range(1, 12)
    ]
    assert found(store, interaction("a")) == kept


async def test_recordings_of_one_request_come_oldest_first_whatever_their_variant(store):
    streams = [n % 2 == 1 for n in range(4)]
    kept = [
        await put(store, interaction("a", str(n), stream=stream))
        for n, stream in enumerate(streams)
    ]
    assert found(store, interaction("a")) == kept


async def test_equal_recordings_are_two(store):
    first, second = await put(store, interaction()), await put(store, interaction())
    assert first.id != second.id
    assert found(store, interaction()) == [first, second]


async def test_requests_do_not_mix(store):
    a, b = await put(store, interaction("a")), await put(store, interaction("b"))
    assert found(store, a) == [a]
    assert found(store, b) == [b]


async def test_replace_drops_all_older_ones_of_the_same_request_and_variant(store):
    await put(store, interaction("a", "1"))
    await put(store, interaction("a", "2"))
    kept = await put(store, interaction("a", "3"), replace=True)
    assert found(store, interaction("a")) == [kept]
    assert [name for name, _ in store.canonicals()] == [kept.id]


async def test_replace_spares_other_variants_and_other_requests(store):
    stream = await put(store, interaction("a", stream=True))
    await put(store, interaction("a", "old"))
    other = await put(store, interaction("b"))
    new = await put(store, interaction("a", "new"), replace=True)
    assert new.variant is Variant.JSON
    assert found(store, interaction("a")) == [stream, new]
    assert found(store, interaction("b")) == [other]


async def test_replace_of_nothing_is_a_put(store):
    kept = await put(store, interaction(), replace=True)
    assert found(store, interaction()) == [kept]


async def test_canonicals_tells_every_recording_once(store):
    kept = [await put(store, conversation(n)) for n in range(5)]
    kept.append(await put(store, conversation(0)))
    expected = {(one.id, stored(one)[1].canonical) for one in kept}
    told = list(store.canonicals())
    assert set(told) == expected
    assert len(told) == len(kept) == 6


async def test_names_are_those_of_the_canonicals(store):
    assert list(store.names()) == []
    for n in (0, 1, 2, 0):
        await put(store, conversation(n))
    assert list(store.names()) == [name for name, _ in store.canonicals()]


async def test_its_state_changes_with_every_put_and_not_by_reading(store):
    seen = {store.state()}
    for n, replace in enumerate((False, False, True)):
        await put(store, interaction("a", f"{n}"), replace=replace)
        assert store.state() not in seen
        seen.add(store.state())
        assert found(store, interaction("a"))
        list(store.canonicals())
        list(store.names())
        assert store.state() in seen


async def test_puts_at_once_are_all_kept_under_ids_of_their_own(store):
    prompts = [f"prompt {n % 5}" for n in range(20)]
    kept = await asyncio.gather(
        *(put(store, interaction(prompt, str(n))) for n, prompt in enumerate(prompts))
    )
    assert len({one.id for one in kept}) == 20
    for prompt in set(prompts):
        mine = [one for one, put_for in zip(kept, prompts, strict=True) if put_for == prompt]
        assert found(store, interaction(prompt)) == mine


async def test_what_was_found_stays_what_it_was(store):
    await put(store, interaction("a", "1"))
    before = store.find(stored(interaction("a"))[0])
    seen = list(before)
    await put(store, interaction("a", "2"), replace=True)
    assert list(before) == seen

"""What is written into tapes: the cache, and indexes of cassettes as their files change."""

from promptdeck.stores.sqlite.tape import Tape, cache_tape
from tests.recordings import conversation, interaction, opened, stored
from tests.stores.sqlite import fill, found, size


async def test_replacing_counts_only_what_is_there(path):
    async with opened(path) as database:
        tape = await cache_tape(database)
        await fill(tape, [0])
        once = size(path)
        for _ in range(5):
            await tape.put(*stored(conversation(0)), replace=True)
        assert size(path) == once


async def test_an_index_that_is_there_is_taken(database):
    first = await database.index("x", "", [stored(interaction())])
    assert await database.index("x", "", [stored(interaction())]) == first
    assert database.tape_named("x") == first
    assert len(found(Tape(database, (first,)), interaction())) == 1


async def test_extend_moves_a_tape_on(database):
    [old] = [stored(interaction("a"))]
    tape = await database.index("1", "", [old])
    gone = [old[1].interaction.id]
    assert await database.extend("1", "2", gone, [stored(interaction("b"))]) == tape
    assert database.tape_named("1") is None
    assert database.tape_named("2") == tape
    one = Tape(database, (tape,))
    assert found(one, interaction("a")) == []
    assert len(found(one, interaction("b"))) == 1


async def test_extend_from_a_state_that_is_not_indexed_does_nothing(database):
    assert await database.extend("1", "2", [], [stored(interaction())]) is None
    assert database.tape_named("2") is None


async def test_extend_to_a_state_that_is_indexed_takes_that(database):
    await database.index("1", "", [])
    two = await database.index("2", "", [stored(interaction())])
    assert await database.extend("1", "2", [], [stored(interaction())]) == two
    assert len(found(Tape(database, (two,)), interaction())) == 1


async def test_of_a_file_the_last_states_are_kept_and_of_a_lost_file_none(database, tmp_path):
    file, lost = tmp_path / "a.yaml", tmp_path / "b.yaml"
    file.touch()
    lost.touch()
    gone = await database.index("lost", str(lost), [stored(interaction())])
    lost.unlink()
    tapes = [await database.index(f"{n}", str(file), [stored(interaction())]) for n in range(6)]
    assert [database.has_tape(tape) for tape in tapes] == [False, False, True, True, True, True]
    assert not database.has_tape(gone)
    assert database.query("SELECT count(*) FROM recording") == [(4,)]
    cache = await cache_tape(database)
    await database.index("again", str(file), [])
    assert database.has_tape(cache.tapes[0])

"""One file of the SQLite store: other processes, and every way to go wrong."""

import asyncio
import contextlib
import random
import signal
from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptdeck.errors import StoreError, StoreUnavailable
from promptdeck.stores.sqlite.admin import cached, clear, statistics
from promptdeck.stores.sqlite.database import Database
from promptdeck.stores.sqlite.migrations import connect
from promptdeck.stores.sqlite.rows import PIECE_BYTES
from promptdeck.stores.sqlite.tape import Tape, cache_tape
from tests.recordings import conversation, interaction, nameless, opened, python, stored
from tests.stores.sqlite import fill, found, put


def weight(database):
    """What all that is packed weighs, added up anew."""
    [(rows,)] = database.query("SELECT coalesce(sum(bytes), 0) FROM packed")
    [(pieces,)] = database.query(
        "SELECT coalesce(sum(length(data) + ?), 0) FROM piece", PIECE_BYTES
    )
    return rows + pieces


# Other processes


async def test_what_was_found_is_at_hand_until_it_may_have_changed(path):
    async with opened(path) as database:
        tape = await cache_tape(database)
        first = await put(tape, interaction("a"))
        assert found(tape, first) == [first]
        statements = []
        database._reader.set_trace_callback(statements.append)
        await put(tape, interaction("b"))
        await database.pack()
        assert found(tape, first) == [first]
        assert statements == []
        assert len(found(tape, interaction("b"))) == 1
        second = await put(tape, interaction("a"))
        assert found(tape, first) == [first, second]
        statements.clear()
        with closing(connect(path)) as db:
            db.execute("DELETE FROM packed")
        assert found(tape, first) == [second]
        assert statements != []


async def test_what_is_evicted_is_found_no_more(path):
    async with opened(path, max_bytes=3000) as database:
        tape = await cache_tape(database)
        kept = await put(tape, conversation(0))
        await database.pack()
        # As a tape does, but that it is no use.
        assert database.find(kept.key)
        await fill(tape, range(1, 20))
        await database.pack()
        assert not database.find(kept.key)


_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["put", "replace", "find", "find", "pack", "forget"]),
        st.integers(0, 1),
        st.integers(0, 3),
    ),
    max_size=40,
)


@settings(deadline=None, max_examples=50)
@given(_STEPS)
def test_whoever_writes_what_is_found_is_what_is_there(tmp_path_factory, steps):
    path = tmp_path_factory.mktemp("both") / "store.db"

    async def main():
        async with opened(path) as one, opened(path) as other:
            tapes = [await cache_tape(one), await cache_tape(other)]
            there = {n: [] for n in range(4)}
            for step, which, n in steps:
                tape, recording = tapes[which], interaction(f"{n}")
                if step in ("put", "replace"):
                    kept = await tape.put(*stored(recording), replace=step == "replace")
                    there[n] = [*(there[n] if step == "put" else ()), kept]
                elif step == "pack":
                    await (one, other)[which].pack()
                elif step == "forget":
                    await (one, other)[which].execute("DELETE FROM recording")
                    await (one, other)[which].execute("DELETE FROM packed")
                    there = {number: [] for number in there}
                else:
                    assert found(tape, recording) == there[n]
            for n, kept in there.items():
                assert [found(tape, interaction(f"{n}")) for tape in tapes] == [kept, kept]

    asyncio.run(main())


async def test_a_process_killed_while_writing_leaves_all_that_was_acknowledged_and_nothing_half(
    path,
):
    script = """
async def main():
    async with opened(path) as database:
        tape = await cache_tape(database)
        async def keep(n):
            kept = await tape.put(*stored(conversation(n)), replace=False)
            print(n, kept.id, flush=True)
        for start in range(0, 10**6, 10):
            await asyncio.gather(*map(keep, range(start, start + 10)))
asyncio.run(main())
"""
    process = python(script, path)
    acknowledged = [process.stdout.readline() for _ in range(75)]
    process.send_signal(signal.SIGKILL)
    # The last line may be cut off.
    acknowledged += process.stdout.readlines()
    process.communicate()
    async with opened(path) as database:
        tape = await cache_tape(database)
        for n, name in (line.split() for line in acknowledged if line.endswith("\n")):
            assert [one.id for one in found(tape, conversation(int(n)))] == [name]
            [kept] = found(tape, conversation(int(n)))
            assert nameless(kept) == nameless(conversation(int(n)))
        await database.pack()
        assert database.query("SELECT bytes FROM tape") == [(weight(database),)]
    with closing(connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


# When it cannot


async def test_damage_is_unavailable_to_a_reader_and_an_error_to_a_command(path):
    async with opened(path) as database:
        await fill(await cache_tape(database), range(50))
    data = bytearray(path.read_bytes())
    data[16384 * 2 :] = b"\xff" * (len(data) - 16384 * 2)
    path.write_bytes(data)
    async with opened(path) as database:
        with pytest.raises(StoreUnavailable, match=r"cannot read .*store\.db: "):
            database.find("p1:0")
        with pytest.raises(StoreUnavailable, match="cannot"):
            list(Tape(database, (1,)).canonicals())
    for command in (statistics, clear, cached):
        with pytest.raises(StoreError, match="cannot use the store"):
            command(path)


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    path = tmp_path_factory.mktemp("filled") / "store.db"

    async def write():
        async with opened(path) as database:
            await fill(await cache_tape(database), range(10))

    asyncio.run(write())
    return path.read_bytes()


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 2**32), length=st.integers(1, 3000))
def test_damage_anywhere_is_told_or_harmless(tmp_path_factory, filled, seed, length):
    path = tmp_path_factory.mktemp("damage") / "store.db"

    async def read():
        async with opened(path) as database:
            tape = await cache_tape(database)
            for n in range(10):
                found(tape, conversation(n))
            list(tape.canonicals())
            await put(tape, conversation(11))

    data = bytearray(filled)
    rng = random.Random(seed)
    start = rng.randrange(len(data))
    data[start : start + length] = rng.randbytes(length)
    path.write_bytes(data)
    with contextlib.suppress(StoreError):
        statistics(path)
    with contextlib.suppress(StoreError):
        cached(path)
    try:
        asyncio.run(read())
    except* (StoreError, StoreUnavailable):
        pass
    with contextlib.suppress(StoreError):
        clear(path)


async def test_a_file_that_cannot_be_opened_is_an_error_and_no_thread_stays(tmp_path):
    with pytest.raises(StoreError):
        await Database(tmp_path, 10**9).__aenter__()
    script = """
async def main():
    async with opened(path):
        pass
asyncio.run(main())
"""
    _, err = python(script, tmp_path).communicate(timeout=20)
    assert "StoreError: cannot use the store" in err

"""Packed recordings in their tables: shared, weighed, read and let go."""

import asyncio
import random
import re
import sqlite3
from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptdeck.core.interaction import Variant
from promptdeck.errors import StoreUnavailable
from promptdeck.stores.sqlite.admin import cached, clear, statistics
from promptdeck.stores.sqlite.migrations import MIGRATIONS, connect
from promptdeck.stores.sqlite.pieces import pack_oldest
from promptdeck.stores.sqlite.rows import INSERT, PIECE_BYTES, fresh_row
from promptdeck.stores.sqlite.tape import Tape, cache_tape
from promptdeck.stores.sqlite.tapes import insert
from promptdeck.stores.sqlite.writer import CACHE
from tests.recordings import (
    INTERACTIONS,
    conversation,
    interaction,
    nameless,
    opened,
    stored,
    untold,
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store.db"


async def put(tape, recording, *, replace=False):
    return await tape.put(*stored(recording), replace=replace)


def found(tape, recording):
    return [row.interaction for row in tape.find(stored(recording)[0])]


def words(seed, count=60):
    pick = random.Random(str(seed))
    letters, numbers = pick.choices("abcdefghij", k=count), pick.choices(range(999), k=count)
    return " ".join(f"{letter}{number}" for letter, number in zip(letters, numbers, strict=True))


def turn(session, n):
    """What an agent asks the n-th time: all it has said before, and more."""
    messages = [{"role": "system", "content": words("system")}]
    for step in range(n + 1):
        messages += [
            {"role": "user", "content": words((session, step))},
            {"role": "assistant", "content": words((session, step, 1), 8), "refusal": None},
        ]
    return interaction("", words((session, n, 2), 10), messages=messages[:-1])


def rows(database, table):
    return database.query(f"SELECT count(*) FROM {table}")[0][0]


def weights(database):
    """Of each tape, added up anew and as it is written down."""
    for tape, told in database.query("SELECT id, bytes FROM tape"):
        [(own,)] = database.query("SELECT coalesce(sum(bytes), 0) FROM packed WHERE tape = ?", tape)
        [(pieces,)] = database.query(
            "SELECT coalesce(sum(length(data) + ?), 0) FROM piece WHERE tape = ?",
            PIECE_BYTES,
            tape,
        )
        yield own + pieces, told


def check(database):
    """Every piece is used as often as it says, and is there."""
    uses = {}
    for (pieces,) in database.query("SELECT pieces FROM packed"):
        for piece in map(int, pieces.split()):
            uses[piece] = uses.get(piece, 0) + 1
    for (parent,) in database.query("SELECT parent FROM piece WHERE parent IS NOT NULL"):
        uses[parent] = uses.get(parent, 0) + 1
    assert dict(database.query("SELECT id, uses FROM piece")) == uses
    assert all(sure == told for sure, told in weights(database))


async def test_a_conversation_that_grows_is_kept_once(path):
    async with opened(path) as database:
        tape = await cache_tape(database)
        kept = [await put(tape, turn(session, n)) for n in range(12) for session in range(3)]
        raw = statistics(path)["bytes"]
        await database.pack()
        assert rows(database, "recording") == 0
        # A piece for the system prompt, and at most two for each turn.
        assert rows(database, "piece") <= 1 + 3 * 12 * 2
        assert statistics(path)["bytes"] * 8 < raw
        check(database)
        assert [found(tape, one) for one in kept] == [[one] for one in kept]


async def test_what_is_packed_is_as_it_was_put(path):
    async with opened(path) as database:
        tape = await cache_tape(database)
        kept = [await put(tape, conversation(n)) for n in range(30)]
        told = list(tape.canonicals())
        names = list(tape.names())
        await database.pack()
        assert [found(tape, one) for one in kept] == [[one] for one in kept]
        assert list(tape.canonicals()) == told
        assert list(tape.names()) == names == [one.id for one in kept]
    assert cached(path) == told


@settings(deadline=None, max_examples=40)
@given(st.lists(INTERACTIONS, min_size=1, max_size=4), st.none() | st.floats(0, 2**33))
def test_whatever_was_recorded_comes_back_packed(tmp_path_factory, interactions, expires_at):
    path = tmp_path_factory.mktemp("packed") / "store.db"

    async def main():
        async with opened(path) as database:
            tape = await cache_tape(database)
            keyed = [stored(one, expires_at=expires_at) for one in interactions]
            for key, row in keyed:
                await tape.put(key, row, replace=False)
            before = [list(tape.find(key)) for key, _ in keyed]
            await database.pack()
            assert rows(database, "packed") == len(keyed)
            assert [list(tape.find(key)) for key, _ in keyed] == before
            check(database)

    asyncio.run(main())


async def test_fresh_and_packed_come_in_the_order_they_were_recorded(path):
    async with opened(path) as database:
        tape = await cache_tape(database)
        kept = []
        for n in range(3):
            kept.append(await put(tape, interaction("a", f"{n}")))
            await database.pack()
        kept.append(await put(tape, interaction("a", "fresh")))
        assert found(tape, interaction("a")) == kept
        assert [one.id[-2:] for one in kept] == ["-1", "-2", "-3", "-4"]


async def test_a_store_learns_from_its_recordings_what_the_next_are_like(path):
    def said(n):
        return interaction(f"{n} {words(n)} {words('alike', 300)}", words(("alike", n % 7), 300))

    async with opened(path) as database:
        tape = await cache_tape(database)
        first = [await put(tape, said(n)) for n in range(64)]
        await database.pack()
        assert rows(database, "dictionary") == 1
        later = [await put(tape, said(n)) for n in range(64, 128)]
        await database.pack()
        assert rows(database, "dictionary") == 1
        sizes = [size for (size,) in database.query("SELECT length(data) FROM packed ORDER BY n")]
        assert sum(sizes[64:]) * 3 < sum(sizes[:64])
        assert [found(tape, one) for one in first + later] == [[one] for one in first + later]
    async with opened(path) as database:
        tape = await cache_tape(database)
        assert [found(tape, one) for one in first + later] == [[one] for one in first + later]
    clear(path)
    with closing(connect(path)) as db:
        assert db.execute("SELECT count(*) FROM dictionary").fetchone() == (0,)


@pytest.mark.parametrize(
    "damage", ["UPDATE dictionary SET data = x'01ff'", "DELETE FROM dictionary"]
)
async def test_a_dictionary_that_is_damaged_takes_only_what_was_packed_with_it(path, damage):
    async with opened(path) as database:
        tape = await cache_tape(database)
        early, *_, late = [await put(tape, interaction(f"{n} {words(n)}")) for n in range(64)]
        await database.pack()
        late = await put(tape, interaction(words("late")))
        await database.pack()
        await database.execute(damage)
        with pytest.raises(StoreUnavailable, match=r"cannot read .*store\.db: .* remove it"):
            found(tape, late)
        kept = await put(tape, interaction("new"))
        await database.pack()
        assert rows(database, "recording") == 0
        assert [found(tape, one) for one in (early, kept)] == [[early], [kept]]


async def test_a_damaged_recording_is_not_learnt_from_and_holds_nobody_up(path):
    async with opened(path) as database:
        tape = await cache_tape(database)
        await put(tape, interaction("bad"))
        await database.pack()
        await database.execute("UPDATE packed SET data = x'01ff'")
        for n in range(63):
            await put(tape, interaction(f"{n}"))
        await database.pack()
        assert [rows(database, table) for table in ("recording", "dictionary")] == [0, 0]


_PACKED_BY_THE_THIRD_SCHEMA = """
    INSERT INTO tape VALUES (1, 'cache', '', 883);
    INSERT INTO packed VALUES (1, 1, x'0cde5440a4317df89134726f99984a8e',
        '408054-002-0cde5440-1', NULL, 'json', 1700000000.123, NULL, 1795654977.1, 251, '2',
        x'01c27d0fef8b8e3632d581b51d40d587095a95019df6a14f9d01aed14035b1196a85908b5a0dc4125b06231596'
        || x'b9a0420b9221740df16705645b294be0a0c3a0404d795cad5a00');
    INSERT INTO packed VALUES (2, 1, x'c2ad7ec1e4f5be5ec208249a679ab6ac',
        '408054-004-c2ad7ec1-1', NULL, 'json', 1700000000.123, NULL, 1795654977.1, 251, '3',
        x'01c27d0fef8b8e3632d581b51d40d587095a95019df6a14f9d01aed14035b1196a85908b5a0dc4125b06231596'
        || x'b9a0420b9221740df16705645b294be0a0c3a0404d795cad5a00');
    INSERT INTO piece VALUES (1, 1, x'ff581cae601307efc1eebbae378b322b', NULL, 1,
        x'014c0b181303d61986163a408c5c14e0cad479c5e5902d66e0e3f6f28b52f41446c521e2a0227134b4880e2d8c'
        || x'6a0000');
    INSERT INTO piece VALUES (2, 1, x'fbab73f76407404e76c9f4702cd8cbc2', 1, 2,
        x'0117480a7703d6b826063ac6a0ea174f411a0e397b233f07b4732903b6ce22bbd25e6154069f0ca89a190d458a'
        || x'4311adea0600');
    INSERT INTO piece VALUES (3, 1, x'3992b3ce3a2301550a1322099c60c9c8', 2, 1,
        x'011c0836818b8e36055655a0361bb0796662845c47612f469c724a53310652aab1284037a41677f43942e704d3'
        || x'8b80caed95508c439343ab1a01');
"""


async def test_what_earlier_versions_packed_is_read_and_built_upon(path):
    with closing(sqlite3.connect(path)) as db:
        db.executescript(";".join([*MIGRATIONS[:3], "PRAGMA user_version = 3;"]))
        # `||` makes text of blobs.
        db.executescript(_PACKED_BY_THE_THIRD_SCHEMA)
        for table in ("packed", "piece"):
            db.execute(f"UPDATE {table} SET data = CAST(data AS BLOB)")
        db.commit()
    messages = [
        {"role": "system", "content": "You answer in one word. " * 12},
        {"role": "user", "content": "Which colour has the sky? " * 12},
        {"role": "assistant", "content": "Blue", "refusal": None},
        {"role": "user", "content": "And the grass?"},
    ]
    one, two = (interaction("", "word", messages=messages[:end]) for end in (2, 4))
    async with opened(path) as database:
        tape = await cache_tape(database)
        assert [found(tape, one), found(tape, two)] == [[untold(one)], [untold(two)]]
        assert list(tape.names()) == [one.id, two.id]
        again = await put(tape, two)
        await database.pack()
        assert rows(database, "piece") == 3
        assert found(tape, two) == [untold(two), again]
        assert again.id == two.id.replace("-1", "-2")
        assert await put(tape, one, replace=True)
        assert [len(found(tape, one)), len(found(tape, two))] == [1, 2]


async def test_packing_happens_by_itself_when_it_is_quiet(path):
    async with opened(path) as database:
        tape = await cache_tape(database)
        await put(tape, interaction())
        while not rows(database, "packed"):
            await asyncio.sleep(0.05)
        assert rows(database, "packed") == 1
        assert rows(database, "recording") == 0


async def test_when_it_is_quiet_the_log_has_gone_into_the_file(path, tmp_path):
    async with opened(path) as database:
        tape = await cache_tape(database)
        kept = await put(tape, interaction())
        await database.pack()
        copy = tmp_path / "copy.db"
        copy.write_bytes(path.read_bytes())
        async with opened(copy) as other:
            assert found(await cache_tape(other), kept) == [kept]


async def test_closing_packs_what_is_fresh(path):
    async with opened(path) as database:
        await put(await cache_tape(database), interaction())
    with closing(connect(path)) as db:
        assert db.execute("SELECT count(*) FROM recording").fetchone() == (0,)
        assert db.execute("SELECT count(*) FROM packed").fetchone() == (1,)


async def test_replacing_takes_packed_ones_and_what_only_they_used(path):
    async with opened(path) as database:
        tape = await cache_tape(database)
        kept = [await put(tape, turn(0, n)) for n in range(4)]
        await database.pack()
        new = await put(tape, turn(0, 3), replace=True)
        assert found(tape, new) == [new]
        check(database)
        assert [found(tape, one) for one in kept[:3]] == [[one] for one in kept[:3]]
        await database.pack()
        check(database)


async def test_evicting_leaves_shared_pieces_to_those_that_stay(path):
    async with opened(path) as database:
        tape = await cache_tape(database)
        for n in range(10):
            for session in range(4):
                await put(tape, turn(session, n))
        await database.pack()
        size = statistics(path)["bytes"]
    async with opened(path, max_bytes=size // 2) as database:
        tape = await cache_tape(database)
        last = await put(tape, turn(5, 0))
        await database.pack()
        assert statistics(path)["bytes"] <= size // 2
        assert 0 < rows(database, "packed") < 40
        check(database)
        for n in range(10):
            for session in range(4):
                assert [nameless(one) for one in found(tape, turn(session, n))] in (
                    [],
                    [nameless(turn(session, n))],
                )
        assert found(tape, last) == [last]


async def test_all_evicted_leaves_nothing(path):
    async with opened(path, max_bytes=0) as database:
        tape = await cache_tape(database)
        for n in range(5):
            await put(tape, turn(0, n))
        await database.pack()
        assert [rows(database, table) for table in ("packed", "piece", "recording")] == [0, 0, 0]
        assert database.query("SELECT bytes FROM tape") == [(0,)]
        # Numbers begin anew.
        again = await put(tape, turn(0, 0))
        assert found(tape, again) == [again]


async def test_a_tape_that_goes_takes_its_pieces(path, tmp_path):
    async with opened(path) as database:
        file = tmp_path / "x.yaml"
        file.touch()
        await database.index("x", str(file), [stored(turn(0, n)) for n in range(5)])
        cache = await cache_tape(database)
        kept = await put(cache, turn(0, 4))
        await database.pack()
        file.unlink()
        await database.index("y", "", [])
        assert database.query("SELECT DISTINCT tape FROM piece") == [(cache.tapes[0],)]
        assert found(cache, kept) == [kept]
        check(database)


async def test_extend_takes_packed_recordings_away(path):
    async with opened(path) as database:
        old = [stored(turn(0, n)) for n in range(4)]
        tape = await database.index("1", "", old)
        await database.pack()
        gone = [old[n][1].interaction.id for n in (1, 3)]
        assert await database.extend("1", "2", gone, [stored(turn(1, 0))]) == tape
        one = Tape(database, (tape,))
        assert [len(found(one, turn(0, n))) for n in range(4)] == [1, 0, 1, 0]
        assert len(found(one, turn(1, 0))) == 1
        check(database)


async def test_a_scan_sees_all_though_packing_goes_on_between(path):
    async with opened(path) as database:
        tape = await cache_tape(database)
        for n in range(200):
            await put(tape, interaction(f"{n}"))
        scan = tape.canonicals()
        seen = [next(scan) for _ in range(10)]
        await database.pack()
        seen += scan
        assert len({name for name, _ in seen}) == len(seen) == 200


async def test_a_scan_leaves_out_what_has_gone_meanwhile(path):
    async with opened(path) as database:
        tape = await cache_tape(database)
        for n in range(200):
            await put(tape, interaction(f"{n}"))
        scan = tape.canonicals()
        next(scan)
        await database.execute("DELETE FROM recording")
        assert len(list(scan)) < 100


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE packed SET data = zeroblob(length(data))",
        "UPDATE packed SET data = substr(data, 1, length(data) / 2)",
        "UPDATE packed SET data = 'text'",
        "UPDATE packed SET pieces = '99'",
        "UPDATE packed SET pieces = 'x'",
        "UPDATE piece SET data = x'01ff'",
        "UPDATE piece SET parent = id",
        "UPDATE piece SET parent = 99 WHERE parent IS NULL",
        "DELETE FROM piece WHERE parent IS NULL",
    ],
)
async def test_damage_is_told_with_a_way_out(path, damage):
    async with opened(path) as database:
        tape = await cache_tape(database)
        await put(tape, turn(0, 3))
        await database.pack()
        await database.execute(damage)
        with pytest.raises(StoreUnavailable, match=r"cannot read .*store\.db: .* remove it"):
            found(tape, turn(0, 3))
        with pytest.raises(StoreUnavailable, match=r"cannot read .*store\.db: .* remove it"):
            list(tape.canonicals())
        # One that is whole is read all the same.
        kept = await put(tape, interaction("whole"))
        assert found(tape, kept) == [kept]


async def test_a_fresh_recording_that_cannot_be_packed_stays_and_holds_nobody_up(path):
    async with opened(path) as database:
        tape = await cache_tape(database)
        await put(tape, interaction("bad"))
        await database.execute("UPDATE recording SET headers = 1.5, canonical = 7")
        kept = await put(tape, interaction("good"))
        await database.pack()
        assert rows(database, "recording") == 1
        assert rows(database, "packed") == 1
        assert found(tape, kept) == [kept]


async def test_what_fails_in_mid_packing_leaves_no_pieces(path):
    async with opened(path) as database:
        tape = await cache_tape(database)
        bad = await put(tape, turn(0, 2))
        await database.execute("UPDATE recording SET status = x'00'")
        kept = await put(tape, turn(0, 1))
        await database.pack()
        assert [rows(database, table) for table in ("recording", "packed")] == [1, 1]
        assert found(tape, kept) == [kept]
        assert bad.id != kept.id
        check(database)


async def test_a_number_that_is_taken_holds_nobody_up(path):
    async with opened(path) as database:
        tape = await cache_tape(database)
        await put(tape, turn(0, 2))
        await database.pack()
        await put(tape, turn(1, 2))
        kept = await put(tape, turn(2, 2))
        await database.execute(
            "UPDATE recording SET n = (SELECT n FROM packed)"
            " WHERE n = (SELECT min(n) FROM recording)"
        )
        await database.pack()
        assert [rows(database, table) for table in ("recording", "packed")] == [1, 2]
        assert found(tape, kept) == [kept]
        check(database)


@pytest.mark.parametrize("scanning", [False, True])
async def test_pieces_known_from_before_a_commit_are_not_taken_for_those_after_it(path, scanning):
    async with opened(path) as database:
        tape = await cache_tape(database)
        await put(tape, turn(0, 2))
        await put(tape, turn(1, 2))
        await database.pack()
        assert len(found(tape, turn(0, 2))) == 1

        def another_process(statement):
            """Gives the numbers of the old pieces to new ones, when a reader is about to read."""
            if statement != "BEGIN":
                return
            database._reader.set_trace_callback(None)
            with closing(connect(path)) as db:
                db.execute("BEGIN IMMEDIATE")
                for table in ("packed", "piece"):
                    db.execute(f"DELETE FROM {table}")
                insert(db, tape.tapes[0], [stored(turn(1, 2))])
                pack_oldest(db, 0)
                db.execute("COMMIT")

        if scanning:
            numbers = tape.canonicals()
            database._reader.set_trace_callback(another_process)
            assert [form for _, form in numbers] == [stored(turn(1, 2))[1].canonical]
        else:
            database._reader.set_trace_callback(another_process)
            [one] = found(tape, turn(1, 2))
            assert one.request == turn(1, 2).request


async def test_free_pages_go_back_after_a_burst(path):
    async with opened(path) as database:
        tape = await cache_tape(database)
        many = (stored(interaction(f"{n}", words(n, 1500))) for n in range(1000))
        await asyncio.gather(*(tape.put(*one, replace=False) for one in many))
        await database.pack()
        [(free,)] = database.query("PRAGMA freelist_count")
        [(pages,)] = database.query("PRAGMA page_count")
        assert free <= 256
        assert pages < 600


async def test_variants_of_one_request_are_replaced_apart(path):
    async with opened(path) as database:
        tape = await cache_tape(database)
        stream = await put(tape, interaction("a", stream=True))
        await put(tape, interaction("a"))
        await database.pack()
        new = await put(tape, interaction("a", "new"), replace=True)
        assert new.variant is Variant.JSON
        assert found(tape, interaction("a")) == [stream, new]


def write_as_version_2(path, recordings):
    """A file as it was before anything was packed."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        for statement in ";".join(MIGRATIONS[:2]).split(";"):
            db.execute(statement)
        db.execute("PRAGMA user_version = 2")
        db.execute("INSERT INTO tape (id, name, source, bytes) VALUES (1, ?, '', 12345)", (CACHE,))
        insert = re.sub(r"VALUES \(\(.*\)\), ", "VALUES (NULL, ", INSERT)
        # No row had a digest then.
        insert = re.sub(r", digest|, \?\d+(?=\)$)", "", insert)
        for one in recordings:
            key, row = stored(one)
            db.execute(insert, fresh_row(1, key, row, 1.5)[:-1])


async def test_a_store_of_the_schema_before_is_packed_in_its_own_time(path):
    kept = [turn(0, n) for n in range(3)] + [conversation(n) for n in range(3)]
    write_as_version_2(path, kept)
    async with opened(path) as database:
        tape = await cache_tape(database)
        assert tape.tapes == (1,)
        assert [found(tape, one) for one in kept] == [[untold(one)] for one in kept]
        await database.pack()
        assert rows(database, "recording") == 0
        assert [found(tape, one) for one in kept] == [[untold(one)] for one in kept]
        check(database)


async def test_what_one_opening_has_no_time_for_the_next_one_packs(path):
    kept = [interaction(f"{n}") for n in range(200)]
    write_as_version_2(path, kept)
    while True:
        async with opened(path) as database:
            left = rows(database, "recording")
            tape = await cache_tape(database)
            assert [found(tape, one) for one in kept[::40]] == [[untold(one)] for one in kept[::40]]
        if not left:
            break
    assert statistics(path)["answers"] == 200


async def test_two_processes_worth_of_packing_agree(path):
    async with opened(path) as one, opened(path) as other:
        a, b = await cache_tape(one), await cache_tape(other)
        kept = await asyncio.gather(
            *(put(tape, turn(n % 3, n)) for n in range(12) for tape in (a, b))
        )
        await asyncio.gather(one.pack(), other.pack())
        assert rows(one, "recording") == 0
        check(one)
        assert sorted(x.id for n in range(12) for x in found(a, turn(n % 3, n))) == sorted(
            x.id for x in kept
        )


def test_what_a_weight_allows_for_is_about_what_a_row_takes(path):
    async def main():
        async with opened(path) as database:
            tape = await cache_tape(database)
            for n in range(1500):
                await tape.put(*stored(interaction(f"{n} {words(n, 30)}")), replace=False)
            await database.pack()

    asyncio.run(main())
    told = statistics(path)["bytes"]
    with closing(sqlite3.connect(path)) as db:
        db.execute("VACUUM")
        full = path.stat().st_size
    clear(path)
    assert 0.8 < told / (full - path.stat().st_size) < 1.2

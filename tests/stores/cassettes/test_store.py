"""The store of a cassette file: it follows the file, and the file never loses anything."""

import asyncio
import os

import pytest

from promptdeck.core.matching.rules import Rules
from promptdeck.errors import CassetteError, StoreUnavailable
from promptdeck.stores.cassettes.file import read
from promptdeck.stores.cassettes.store import Cassette
from promptdeck.stores.sqlite.admin import clear
from tests.recordings import (
    THEN,
    canon,
    chat_request,
    conversation,
    interaction,
    nameless,
    of,
    opened,
    python,
    start_together,
    stored,
    whole,
)
from tests.stores.cassettes import found, meant, said, saved


def open_(path, database, rules=None):
    return Cassette.open("x", path, database, canon(rules))


@pytest.fixture
async def cassette(path, database):
    return await open_(path, database)


async def put(store, recording, *, replace=False):
    return await store.put(*stored(recording), replace=replace)


FROM_INDEX = 12.5
"""When it was recorded, as only the index says."""


async def mark(database):
    """Were the file parsed again, what the index says from now on would be gone."""
    for table in ("recording", "packed"):
        await database.execute(f"UPDATE {table} SET recorded_at = {FROM_INDEX}, digest = NULL")


def forge(path, old, new):
    """Other text of the same length, behind the back of whoever looks at the time of change."""
    data = path.read_bytes()
    assert len(old) == len(new)
    stat = path.stat()
    path.write_bytes(data.replace(old, new))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


# The file and its index


async def test_what_a_file_holds_is_found(path, database):
    kept = saved(path, *map(conversation, range(5)))
    cassette = await open_(path, database)
    assert [found(cassette, one) for one in kept] == [[one] for one in kept]
    assert cassette.exists


async def test_a_file_need_not_exist_and_nothing_is_written_for_it(path, database):
    cassette = await open_(path, database)
    assert not cassette.exists
    assert cassette.tapes == ()
    assert list(cassette.canonicals()) == []
    assert await cassette.refresh() is False
    assert database.query("SELECT count(*) FROM tape") == [(0,)]
    assert not path.parent.exists()


async def test_a_put_is_in_the_file_when_it_returns(cassette, path):
    kept = await put(cassette, interaction())
    assert read(path) == [kept]
    assert found(cassette, interaction()) == [kept]


async def test_a_file_that_is_as_it_was_is_not_parsed_again(path, tmp_path):
    saved(path, interaction("a", "first"))
    async with opened(tmp_path / "store.db") as database:
        before = await open_(path, database)
    async with opened(tmp_path / "store.db") as database:
        await mark(database)
        again = await open_(path, database)
        assert again.tapes == before.tapes
        assert await again.refresh() is False
        [one] = found(again, interaction("a"))
        assert one.recorded_at == FROM_INDEX


async def test_what_this_process_saved_is_not_parsed_again_either(path, tmp_path):
    async with opened(tmp_path / "store.db") as database:
        cassette = await open_(path, database)
        await put(cassette, interaction("a"))
        await put(cassette, interaction("b"))
        await put(cassette, interaction("a"), replace=True)
        assert await cassette.refresh() is False
        await mark(database)
        assert await cassette.refresh() is False
    async with opened(tmp_path / "store.db") as database:
        again = await open_(path, database)
        assert again.tapes == cassette.tapes
        assert {one.recorded_at for one in found(again, interaction("a"))} == {FROM_INDEX}


async def test_a_file_is_read_again_though_its_time_and_size_are_as_they_were(path, database):
    saved(path, interaction("a", "first"))
    os.utime(path, (1, 1))
    cassette = await open_(path, database)
    assert await cassette.refresh() is False
    # A copy that keeps times does so; the time of the change itself nobody can set.
    forge(path, b"content: first", b"content: other")
    with pytest.raises(CassetteError, match="was edited, or altered by a tool"):
        await cassette.refresh()


async def test_a_file_that_changed_is_followed(path, database):
    saved(path, interaction("a", "first"))
    cassette = await open_(path, database)
    meant(path, "content: first", "content: second")
    assert await cassette.refresh() is True
    assert said(cassette, interaction("a")) == ["second"]
    assert await cassette.refresh() is False


async def test_a_file_back_on_its_old_state_is_not_parsed_again(path, database):
    saved(path, interaction("a", "first"))
    first = path.read_bytes()
    cassette = await open_(path, database)
    tapes = cassette.tapes
    meant(path, "content: first", "content: second")
    await cassette.refresh()
    assert cassette.tapes != tapes
    path.write_bytes(first)
    assert await cassette.refresh() is True
    assert cassette.tapes == tapes


async def test_a_file_that_went_is_followed_and_so_is_its_return(path, database):
    [kept] = saved(path, interaction("a"))
    cassette = await open_(path, database)
    data = path.read_bytes()
    path.unlink()
    assert await cassette.refresh() is True
    assert found(cassette, kept) == []
    assert not cassette.exists
    path.write_bytes(data)
    assert await cassette.refresh() is True
    assert found(cassette, kept) == [kept]


async def test_a_put_after_the_file_and_its_folder_went_makes_them_again(path, database):
    saved(path, interaction("a"))
    cassette = await open_(path, database)
    path.unlink()
    path.parent.rmdir()
    kept = await put(cassette, interaction("b"))
    assert read(path) == [kept]
    assert found(cassette, interaction("a")) == []
    assert found(cassette, interaction("b")) == [kept]


async def test_a_corrupt_file_is_an_error_with_its_line_and_what_was_read_stays(path, database):
    [kept] = saved(path, interaction("a"))
    cassette = await open_(path, database)
    good = path.read_text()
    path.write_text(good.replace("  variant: json", "  variant: tape"))
    for _ in range(2):
        with pytest.raises(CassetteError, match=r"x\.yaml:5: "):
            await cassette.refresh()
    assert found(cassette, kept) == [kept]
    with pytest.raises(CassetteError, match=r"x\.yaml:5: "):
        await open_(path, database)
    path.write_text(good)
    await cassette.refresh()
    assert found(cassette, kept) == [kept]


async def test_an_empty_file_is_an_empty_cassette(path, database):
    path.parent.mkdir()
    path.touch()
    cassette = await open_(path, database)
    assert cassette.exists
    assert list(cassette.canonicals()) == []
    kept = await put(cassette, interaction())
    assert read(path) == [kept]


async def test_a_cleared_store_is_filled_again_from_the_file(path, tmp_path):
    [kept] = saved(path, interaction("a"))
    async with opened(tmp_path / "store.db") as database:
        cassette = await open_(path, database)
        clear(tmp_path / "store.db")
        assert found(cassette, kept) == []
        assert await cassette.refresh() is True
        assert found(cassette, kept) == [kept]
        clear(tmp_path / "store.db")
        more = await put(cassette, interaction("b"))
        assert found(cassette, more) == [more]
        assert found(cassette, kept) == [kept]


# Several who write


async def test_what_another_wrote_in_between_is_neither_lost_nor_missed(path, database):
    cassette = await open_(path, database)
    mine = [await put(cassette, interaction("mine 1"))]
    theirs = saved(path, interaction("theirs 1"))
    mine.append(await put(cassette, interaction("mine 2")))
    theirs += saved(path, interaction("theirs 2"))
    mine.append(await put(cassette, interaction("mine 3")))
    assert {one.id for one in read(path)} == {one.id for one in (*mine, *theirs)}
    assert [found(cassette, one) for one in (*mine, *theirs)] == [[one] for one in (*mine, *theirs)]


async def test_what_another_wrote_right_after_a_save_is_followed(path, database):
    cassette = await open_(path, database)
    await put(cassette, interaction("mine"))
    [theirs] = saved(path, interaction("theirs"))
    assert await cassette.refresh() is True
    assert found(cassette, theirs) == [theirs]


async def test_two_servers_on_one_store_move_one_index_on_together(path, tmp_path):
    async with opened(tmp_path / "store.db") as a, opened(tmp_path / "store.db") as b:
        one, two = await open_(path, a), await open_(path, b)
        kept = [await put(one, interaction("first"))]
        await two.refresh()
        kept += [await put((one, two)[n % 2], interaction(f"turn {n}")) for n in range(4)]
        assert one.tapes == two.tapes
        await one.refresh()
        for cassette in (one, two):
            assert [found(cassette, item) for item in kept] == [[item] for item in kept]
        assert a.query("SELECT count(*) FROM tape") == [(1,)]


async def test_a_reader_whose_index_was_dropped_finds_its_way_back(path, tmp_path):
    [kept] = saved(path, interaction("a"))
    async with opened(tmp_path / "store.db") as a, opened(tmp_path / "store.db") as b:
        reader = await open_(path, a)
        other = await open_(path, b)
        # So many other states that the one in use is dropped.
        for n in range(6):
            meant(path, "content: hello", f"content: hello {n} -")
            await other.refresh()
        assert not a.has_tape(reader.tapes[0])
        assert found(reader, kept) == []
        assert await reader.refresh() is True
        assert said(reader, kept)[0].startswith("hello 5 -")


async def test_a_dropped_index_is_never_taken_for_that_of_another_file(path, tmp_path):
    other = path.with_name("y.yaml")
    saved(path, interaction("a", "of x"))
    saved(other, interaction("a", "of y"))
    async with opened(tmp_path / "store.db") as a, opened(tmp_path / "store.db") as b:
        reader = await open_(path, a)
        clear(tmp_path / "store.db")
        await open_(other, b)
        assert said(reader, interaction("a")) == []
        await reader.refresh()
        assert said(reader, interaction("a")) == ["of x"]


async def test_processes_that_record_into_one_cassette_lose_nothing(path, tmp_path):
    script = """
async def main(store, start):
    ready()
    async with opened(Path(store)) as database:
        cassette = await Cassette.open("x", path, database, canon())
        for n in range(int(start), 24, 3):
            kept = await cassette.put(*stored(conversation(n)), replace=False)
            assert [row.interaction for row in cassette.find(stored(kept)[0])] == [kept]
asyncio.run(main(*sys.argv[2:]))
"""
    processes = [python(script, path, tmp_path / "store.db", start) for start in range(3)]
    start_together(processes)
    assert [process.communicate()[1] for process in processes] == [""] * 3
    async with opened(tmp_path / "store.db") as database:
        cassette = await open_(path, database)
        assert {nameless(one) for n in range(24) for one in found(cassette, conversation(n))} == {
            nameless(conversation(n)) for n in range(24)
        }
    assert len({one.id for one in read(path)}) == len(read(path)) == 24


async def test_puts_that_wait_for_a_save_go_into_the_file_together(cassette, database):
    await put(cassette, interaction())
    statements = []
    await database._writer.run(lambda db: db.set_trace_callback(statements.append))
    kept = await asyncio.gather(*(put(cassette, conversation(n)) for n in range(50)))
    # Each save of the file moves the index on once.
    assert sum(one.startswith("UPDATE tape SET name") for one in statements) <= 2
    assert len({one.id for one in kept}) == 50
    assert [found(cassette, one) for one in kept] == [[one] for one in kept]


# The order of play


IGNORING = Rules.build(ignore=["$.messages[0].content"])


def turn(n, answer):
    """One of many requests that `IGNORING` makes the same, recorded in the n-th second."""
    messages = [{"role": "system", "content": f"at {n}"}, {"role": "user", "content": "go"}]
    return of(chat_request("", messages=messages), whole(answer), at=THEN + n)


async def test_under_rules_requests_that_count_as_one_play_as_recorded(path, database):
    answers = [f"answer {n}" for n in range(8)]
    live = await open_(path, database, IGNORING)
    for n, answer in enumerate(answers):
        await live.put(*stored(turn(n, answer), IGNORING), replace=False)
    assert said(live, turn(0, ""), IGNORING) == answers
    assert [one.recorded_at for one in read(path)] != sorted(one.recorded_at for one in read(path))
    async with opened(path.with_name("fresh.db")) as fresh:
        again = await open_(path, fresh, IGNORING)
        assert said(again, turn(0, ""), IGNORING) == answers


async def test_recordings_of_one_request_play_in_the_order_of_the_file(path, database):
    late, early = interaction("a", "late", at=THEN + 9), interaction("a", "early", at=THEN)
    saved(path, late, early)
    cassette = await open_(path, database)
    assert said(cassette, interaction("a")) == ["late", "early"]


async def test_other_rules_have_another_index_and_the_file_is_the_same(path, database):
    saved(path, turn(1, "one"), turn(2, "two"))
    plain = await open_(path, database)
    assert said(plain, turn(1, "")) == ["one"]
    ignoring = await open_(path, database, IGNORING)
    assert said(ignoring, turn(1, ""), IGNORING) == ["one", "two"]
    assert said(plain, turn(2, "")) == ["two"]
    again = await open_(path, database)
    assert again.tapes == plain.tapes != ignoring.tapes


async def test_under_rules_ids_and_keys_in_the_file_are_those_without(path, database):
    cassette = await open_(path, database, IGNORING)
    kept = await cassette.put(*stored(turn(1, "one"), IGNORING), replace=False)
    assert kept == turn(1, "one")
    assert read(path) == [kept]


# When it cannot


BAD = of(chat_request("bad"), whole("x", (("x-name", "half \ud83d"),)))


async def test_a_recording_that_cannot_be_written_fails_alone(cassette, path):
    puts = [put(cassette, one) for one in (interaction("a"), BAD, interaction("b"))]
    first, bad, last = await asyncio.gather(*puts, return_exceptions=True)
    assert isinstance(bad, StoreUnavailable)
    assert str(bad).startswith(f"cannot save {path}: ")
    assert [found(cassette, one) for one in (first, last)] == [[first], [last]]
    assert len(read(path)) == 2


async def test_a_folder_that_cannot_be_made_is_unavailable(tmp_path, database):
    (tmp_path / "file").touch()
    cassette = await open_(tmp_path / "file" / "x.yaml", database)
    with pytest.raises(StoreUnavailable, match=r"cannot save .*x\.yaml: .*File exists"):
        await put(cassette, interaction())


async def test_a_file_that_broke_meanwhile_is_unavailable_and_stays_as_it_is(path, database):
    saved(path, interaction("a"))
    cassette = await open_(path, database)
    path.write_text(path.read_text() + "<<<<<<< HEAD\n")
    before = path.read_bytes()
    with pytest.raises(StoreUnavailable, match="an unresolved git merge"):
        await put(cassette, interaction("b"))
    assert path.read_bytes() == before


async def test_a_recording_is_kept_though_the_index_is_locked(path, tmp_path):
    async with opened(tmp_path / "store.db") as a, opened(tmp_path / "store.db") as b:
        cassette = await open_(path, a)
        await put(cassette, interaction("a"))
        await a._writer.run(lambda db: db.execute("PRAGMA busy_timeout = 50"))
        await b._writer.run(lambda db: db.execute("BEGIN IMMEDIATE"))
        kept = await put(cassette, interaction("b"))
        assert kept in read(path)
        await b._writer.run(lambda db: db.execute("ROLLBACK"))
        assert await cassette.refresh() is True
        assert found(cassette, kept) == [kept]


async def test_who_gives_up_waiting_leaves_the_others_alone(cassette, path):
    tasks = [
        asyncio.ensure_future(put(cassette, conversation(n)))  # noqa: TID251
        for n in range(5)
    ]
    await asyncio.sleep(0)
    tasks[2].cancel()
    kept = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(kept.pop(2), asyncio.CancelledError)
    assert [found(cassette, one) for one in kept] == [[one] for one in kept]


async def test_what_another_writes_while_a_save_is_indexed_is_followed(path, database):
    armed, theirs = [], []

    def canonical(request):
        # The index of a save asks for this right after the file is in its place.
        if armed:
            armed.pop()
            theirs.extend(saved(path, interaction("theirs")))
        return canon().canonical(request)

    cassette = await Cassette.open("x", path, database, canon()._replace(canonical=canonical))
    await put(cassette, interaction("first"))
    armed.append(True)
    await put(cassette, interaction("mine"))
    assert await cassette.refresh() is True
    assert found(cassette, theirs[0]) == theirs


@pytest.mark.parametrize("writing", [True, False])
async def test_the_rest_is_kept_when_the_one_who_saves_is_cancelled(cassette, path, writing):
    tasks = [
        asyncio.ensure_future(put(cassette, conversation(n)))  # noqa: TID251
        for n in range(5)
    ]
    first = await tasks[0]
    # Now the second saves for the rest, too.
    while cassette._waiting or not (writing or len(read(path)) == 5):
        await asyncio.sleep(0)
    tasks[1].cancel()
    rest = await asyncio.wait_for(asyncio.gather(*tasks[1:], return_exceptions=True), 60)
    assert isinstance(rest.pop(0), asyncio.CancelledError)
    assert {one.id for one in (first, *rest)} < {one.id for one in read(path)}
    more = await put(cassette, conversation(9))
    await cassette.refresh()
    every = (first, *rest, more)
    assert [found(cassette, one) for one in every] == [[one] for one in every]

"""A folder of cassettes as one store: it follows the folder."""

import asyncio
import os
from threading import current_thread

import pytest

from promptdeck.errors import CassetteError
from promptdeck.stores.cassettes.dump import HEADER
from promptdeck.stores.cassettes.file import signatures
from promptdeck.stores.cassettes.shelf import Shelf
from tests.recordings import canon, conversation, interaction, stored
from tests.stores.cassettes import edited, found, said, saved, without_digests


@pytest.fixture
def shelf(tmp_path, database):
    return Shelf(tmp_path / "tapes", database, canon())


async def test_a_shelf_reads_all_cassettes_in_the_order_of_their_names(shelf, path):
    saved(path.with_name("b.yaml"), interaction("a", "of b"), interaction("b"))
    saved(path.with_name("a.yaml"), interaction("a", "of a"))
    saved(path.with_name("c") / "d.yaml", interaction("c"))
    assert not shelf.exists
    assert await shelf.refresh() is True
    assert shelf.exists
    assert said(shelf, interaction("a")) == ["of a", "of b"]
    assert len(found(shelf, interaction("c"))) == 1
    assert len(list(shelf.canonicals())) == 4
    assert await shelf.refresh() is False


async def test_a_shelf_follows_files_that_come_change_and_go(shelf, path):
    assert await shelf.refresh() is False
    saved(path, interaction("a"))
    assert await shelf.refresh() is True
    saved(path, interaction("b"))
    assert await shelf.refresh() is True
    assert len(found(shelf, interaction("b"))) == 1
    path.unlink()
    assert await shelf.refresh() is True
    assert found(shelf, interaction("a")) == []
    assert not shelf.exists


async def test_a_shelf_passes_over_what_no_cassette_can_be_called(shelf, path):
    saved(path, interaction("a"))
    path.with_name("my notes.yaml").write_text("no cassette")
    await shelf.refresh()
    assert len(found(shelf, interaction("a"))) == 1


async def test_a_shelf_with_a_corrupt_file_says_which(shelf, path):
    saved(path, interaction("a"))
    path.with_name("y.yaml").write_text(HEADER + "- x\n")
    with pytest.raises(CassetteError, match=r"y\.yaml:4: "):
        await shelf.refresh()


THEIRS = "interactions:\n- request: {body: '{}', uri: https://h/v1}\nversion: 1\n"


@pytest.mark.parametrize("text", [THEIRS, "a: b\n", "- 1\n", "no YAML: [\n", "\x00"])
async def test_another_tools_file_is_told_of_and_the_others_are_played(
    shelf, path, text, caplog, database
):
    saved(path, interaction("a"))
    path.with_name("b.yaml").write_text(text)
    await shelf.refresh()
    assert len(found(shelf, interaction("a"))) == 1
    [line] = caplog.messages
    assert f"{path.with_name('b.yaml')}:1: this is " in line
    assert ("cassette import" in line) is (text == THEIRS)
    assert await shelf.refresh() is False
    assert len(caplog.messages) == 1
    again = Shelf(path.parent, database, canon())
    await again.refresh()
    assert len(caplog.messages) == 2
    path.with_name("b.yaml").unlink()
    saved(path.with_name("b.yaml"), interaction("b"))
    await shelf.refresh()
    assert len(found(shelf, interaction("b"))) == 1


async def test_a_shelf_may_be_refreshed_by_many_at_once(shelf, path):
    for n in range(5):
        saved(path.with_name(f"x{n}.yaml"), conversation(n))
    await asyncio.gather(*(shelf.refresh() for _ in range(5)))
    assert len(list(shelf.canonicals())) == 5


async def test_many_files_are_indexed_in_few_transactions(shelf, path, database, monkeypatch):
    for n in range(30):
        saved(path.with_name(f"x{n:02}.yaml"), interaction(f"{n}"))
    jobs = []
    submit = database.submit
    monkeypatch.setattr(
        database, "submit", lambda *job, **how: jobs.append(job) or submit(*job, **how)
    )
    await shelf.refresh()
    assert len(jobs) == 1
    assert all(found(shelf, interaction(f"{n}")) for n in range(30))
    size = path.with_name("x00.yaml").stat().st_size
    monkeypatch.setattr("promptdeck.stores.cassettes.shelf._BATCH_BYTES", 9 * size)
    for n in range(30):
        saved(path.with_name(f"x{n:02}.yaml"), interaction(f"more {n}"))
    await shelf.refresh()
    assert 3 < len(jobs) <= 9
    assert all(found(shelf, interaction(f"more {n}")) for n in range(30))


@pytest.fixture
def looks(monkeypatch):
    """The names of the threads in which the folder was looked at."""
    names = []
    monkeypatch.setattr(
        "promptdeck.stores.cassettes.shelf.signatures",
        lambda *folders: names.append(current_thread().name) or signatures(*folders),
    )
    return names


async def test_those_who_miss_at_once_share_a_look_off_the_loop(shelf, path, looks):
    saved(path, interaction("a"))
    assert await asyncio.gather(*(shelf.refresh() for _ in range(50))) == [True] * 50
    assert len(looks) <= 2
    assert current_thread().name not in looks


async def test_who_asks_while_a_look_is_under_way_sees_what_came_after_it_began(shelf, path, looks):
    saved(path, interaction("a"))
    first = asyncio.gather(shelf.refresh())
    while not looks:
        await asyncio.sleep(0)
    saved(path.with_name("y.yaml"), interaction("b"))
    assert await shelf.refresh()
    await first
    assert found(shelf, interaction("b"))


async def test_a_look_at_an_unchanged_folder_opens_no_file(shelf, path, monkeypatch):
    for n in range(5):
        saved(path.with_name(f"x{n}.yaml"), interaction(f"{n}"))
        os.utime(path.with_name(f"x{n}.yaml"), (1, 1))
    await shelf.refresh()

    def opened(*_):
        raise AssertionError("a file was read")

    monkeypatch.setattr("promptdeck.stores.cassettes.shelf.contents", opened)
    monkeypatch.setattr("promptdeck.stores.cassettes.shelf.digest_of", opened)
    assert await shelf.refresh() is False


async def test_an_index_that_somebody_cleared_is_made_again(shelf, path, database):
    saved(path, interaction("a"))
    await shelf.refresh()
    await database.execute("DELETE FROM tape")
    assert await shelf.refresh()
    assert found(shelf, interaction("a"))


async def test_links_are_followed_to_files_and_not_into_folders(shelf, path):
    saved(path.parent / "real" / "a.yaml", interaction("a"))
    (path.parent / "round").symlink_to(path.parent)
    path.symlink_to(path.parent / "real" / "a.yaml")
    path.with_name("nothing.yaml").symlink_to(path.parent / "gone.yaml")
    await shelf.refresh()
    assert len(found(shelf, interaction("a"))) == 2


# During the first look


@pytest.fixture
async def slow(shelf, path, monkeypatch):
    """A shelf of files x0 to x9 whose first look is stopped before it indexes the first of them.

    Gives the shelf, the names of the files that were indexed, and an event that lets it go on.
    """
    for n in range(10):
        saved(path.with_name(f"x{n}.yaml"), interaction(f"{n}"), interaction("of all", f"{n}"))
    parsed, go_on = [], asyncio.Event()
    read, index = shelf._read, shelf._index

    async def stopped(*args):
        await go_on.wait()
        await index(*args)

    monkeypatch.setattr(shelf, "_read", lambda name: parsed.append(name) or read(name))
    monkeypatch.setattr(shelf, "_index", stopped)
    look = asyncio.gather(shelf.refresh())
    await asyncio.sleep(0)  # for the look to begin
    yield shelf, parsed, go_on
    go_on.set()
    await look
    assert sorted(parsed) == [f"x{n}" for n in range(10)]


async def test_what_is_asked_for_first_is_indexed_first(slow):
    shelf, parsed, _ = slow
    assert found(shelf, interaction("7")) == []
    assert await shelf.refresh(stored(interaction("7"))[0])
    assert len(found(shelf, interaction("7"))) == 1
    assert parsed == ["x7"]


async def test_of_a_request_in_many_files_all_are_indexed_before_it_is_found(slow):
    shelf, parsed, _ = slow
    await shelf.refresh(stored(interaction("5"))[0])
    assert found(shelf, interaction("of all")) == []
    await shelf.refresh(stored(interaction("of all"))[0])
    assert said(shelf, interaction("of all")) == [f"{n}" for n in range(10)]
    assert parsed[0] == "x5"


async def test_what_no_file_seems_to_have_waits_for_all(slow):
    shelf, parsed, go_on = slow
    waiting = asyncio.gather(shelf.refresh(stored(interaction("nowhere"))[0]))
    await shelf.refresh(stored(interaction("1"))[0])
    assert not waiting.done()
    go_on.set()
    assert await waiting == [True]
    assert len(parsed) == 10


async def test_a_request_that_was_edited_by_hand_is_found_when_all_is_indexed(shelf, path):
    saved(path, interaction("before"))
    without_digests(path)
    edited(path, "before", "after")
    look = asyncio.gather(shelf.refresh())
    await asyncio.sleep(0)
    await shelf.refresh(stored(interaction("after"))[0])
    assert len(found(shelf, interaction("after"))) == 1
    await look


async def test_a_first_look_that_fails_keeps_nobody_waiting(shelf, path):
    saved(path, interaction("a"))
    path.with_name("y.yaml").write_text(HEADER + "- x\n")
    look = asyncio.gather(shelf.refresh(), return_exceptions=True)
    await asyncio.sleep(0)
    assert await shelf.refresh(stored(interaction("a"))[0])
    with pytest.raises(CassetteError):
        await shelf.refresh(stored(interaction("b"))[0])
    [failed] = await look
    assert isinstance(failed, CassetteError)

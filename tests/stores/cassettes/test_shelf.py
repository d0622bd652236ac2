"""A folder of cassettes as one store: it follows the folder."""

import asyncio

import pytest

from promptdeck.errors import CassetteError
from promptdeck.stores.cassettes.dump import HEADER
from promptdeck.stores.cassettes.shelf import Shelf
from tests.recordings import canon, conversation, interaction
from tests.stores.cassettes import found, said, saved


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


async def test_a_shelf_may_be_refreshed_by_many_at_once(shelf, path):
    for n in range(5):
        saved(path.with_name(f"x{n}.yaml"), conversation(n))
    await asyncio.gather(*(shelf.refresh() for _ in range(5)))
    assert len(list(shelf.canonicals())) == 5

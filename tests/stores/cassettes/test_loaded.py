"""A small cassette in memory plays as the indexed one does, and follows its file."""

import pytest

from promptdeck.core.interaction import Variant
from promptdeck.errors import CassetteError
from promptdeck.stores.cassettes.loaded import LoadedCassette
from promptdeck.stores.cassettes.save import save
from promptdeck.stores.cassettes.store import Cassette
from tests.conftest import Start
from tests.recordings import ODD, canon, interaction, new, opened, stored


async def test_it_finds_what_the_indexed_cassette_finds_in_the_same_order(tmp_path):
    path = tmp_path / "x.yaml"
    recordings = [*ODD.values(), interaction(answer="later", at=9e8), interaction(answer="first")]
    save(path, [new(recording) for recording in recordings])
    loaded = LoadedCassette(path, canon())
    assert await loaded.refresh()
    async with opened(tmp_path / "store.db") as database:
        indexed = await Cassette.open("x", path, database, canon())
        for recording in recordings:
            key = stored(recording)[0]
            assert list(loaded.find(key)) == list(indexed.find(key)) != []
        assert sorted(loaded.canonicals()) == sorted(indexed.canonicals())
    assert list(loaded.find("p1:0")) == []


async def test_it_follows_its_file_and_writes_nothing(tmp_path):
    path = tmp_path / "x.yaml"
    loaded = LoadedCassette(path, canon())
    assert (loaded.exists, await loaded.refresh(), LoadedCassette.fits(path)) == (
        False,
        False,
        False,
    )
    save(path, [new(interaction())])
    assert (loaded.exists, await loaded.refresh(), LoadedCassette.fits(path)) == (True, True, True)
    assert not await loaded.refresh()
    key, row = stored(interaction())
    assert [found.interaction.variant for found in loaded.find(key)] == [Variant.JSON]
    with pytest.raises(NotImplementedError):
        await loaded.put(key, row, replace=False)
    path.unlink()
    assert (await loaded.refresh(), list(loaded.find(key))) == (True, [])


async def test_a_large_file_does_not_fit_and_a_corrupt_one_is_refused(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_text("promptdeck: 1\ninteractions: nothing\n" + "#" * 70_000)
    assert not LoadedCassette.fits(path)
    path.write_text("promptdeck: 1\ninteractions: nothing\n")
    with pytest.raises(CassetteError, match=r"x\.yaml"):
        await LoadedCassette(path, canon()).refresh()


async def test_a_session_that_holds_back_plays_what_was_recorded_meanwhile(start: Start):
    recording = await start(mode="record-missing", cassette="c")
    await recording.chat("one")
    deck = await start(mode="replay")
    wants = b'{"cassette": "c", "hold": true}'
    session = (await deck.request("POST", "/_deck/sessions", wants)).json
    at = "/session/" + session["id"]
    await recording.chat("two")
    statuses = [(await deck.chat(prompt, at=at)).status for prompt in ("one", "two", "three")]
    assert statuses == [200, 200, 400]

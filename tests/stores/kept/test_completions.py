"""Stored completions: kept under their ids, listed in pages, changed and deleted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.secrets.redact import Redactor
from promptdeck.errors import StoreUnavailable
from promptdeck.stores.kept.completions import Completions, Page, _listed
from tests.recordings import opened


@pytest.fixture
def kept(database):
    return Completions(database, lasting=True, redactor=Redactor())


async def put(kept, name, created=1, model="m", messages=(), **metadata):
    body = {"id": name, "created": created, "model": model}
    await kept.put(body, list(messages), metadata)
    return {**body, "metadata": metadata}


def names(page):
    return [item["id"] for item in page["data"]]


async def test_what_was_put_is_got_with_its_metadata(kept):
    one = await put(kept, "a", kind="test")
    assert kept.get("a") == one
    assert kept.get("b") is None


async def test_the_same_id_again_replaces(kept):
    await put(kept, "a", created=1)
    again = await put(kept, "a", created=2)
    assert kept.get("a") == again
    assert names(await kept.find(Page(), "", {})) == ["a"]


async def test_created_and_model_of_another_type_are_kept_in_the_body_alone(kept):
    one = await put(kept, "a", created="yesterday", model=["m"])
    assert kept.get("a") == one
    assert names(await kept.find(Page(), "['m']", {})) == []


async def test_an_update_replaces_all_metadata_and_takes_secrets_out(kept):
    await put(kept, "a", old="1")
    secret = "sk-" + "proj-" + "a1B2" * 12
    updated = await kept.update("a", {"new": secret})
    assert updated == kept.get("a")
    assert list(updated["metadata"]) == ["new"]
    assert secret not in updated["metadata"]["new"]
    assert await kept.update("b", {}) is None


async def test_what_is_deleted_is_gone(kept):
    await put(kept, "a")
    assert await kept.delete("a") is True
    assert kept.get("a") is None
    assert await kept.delete("a") is False


async def test_they_are_found_by_model_and_by_some_of_their_metadata(kept):
    await put(kept, "a", model="x", kind="test", n="1")
    await put(kept, "b", model="y", kind="test", n="2")
    await put(kept, "c", model="y", kind="other")
    assert names(await kept.find(Page(), "y", {})) == ["b", "c"]
    assert names(await kept.find(Page(), "", {"kind": "test"})) == ["a", "b"]
    assert names(await kept.find(Page(), "y", {"kind": "test", "n": "1"})) == []


async def test_they_come_in_the_order_in_which_they_were_made(kept):
    for name, created in (("a", 3), ("b", 1), ("c", 1), ("d", 2)):
        await put(kept, name, created)
    assert names(await kept.find(Page(), "", {})) == ["b", "c", "d", "a"]
    newest = await kept.find(Page(newest_first=True), "", {})
    assert names(newest) == ["a", "d", "c", "b"]


async def test_messages_have_ids_and_parts_beside_a_null_content(kept):
    parts = [{"type": "text", "text": "hi"}]
    messages = [{"role": "system", "content": "be brief"}, {"content": parts}, "odd"]
    await put(kept, "a", messages=messages)
    assert kept.messages("a", Page())["data"] == [
        {"id": "a-0", "role": "system", "content": "be brief"},
        {"id": "a-1", "role": "user", "content": None, "content_parts": parts},
        {"id": "a-2", "role": "user", "content": "odd"},
    ]
    assert kept.messages("a", Page(after="a-1", newest_first=True))["first_id"] == "a-0"
    assert kept.messages("b", Page()) is None


async def test_what_does_not_last_is_seen_by_its_server_alone_and_goes_with_it(database, kept):
    passing, other = (Completions(database, lasting=False) for _ in range(2))
    await put(passing, "a")
    assert passing.get("a")
    assert (kept.get("a"), other.get("a")) == (None, None)
    await passing.close()
    assert passing.get("a") is None


async def test_what_lasts_is_there_after_reopening(tmp_path):
    async with opened(tmp_path / "store.db") as database:
        kept = Completions(database, lasting=True)
        one = await put(kept, "a")
        await kept.close()
    async with opened(tmp_path / "store.db") as database:
        assert Completions(database, lasting=True).get("a") == one


async def test_a_store_that_cannot_be_written_is_unavailable_and_closing_is_quiet(tmp_path):
    async with opened(tmp_path / "store.db") as database:
        kept = Completions(database, lasting=False)
    with pytest.raises(StoreUnavailable):
        await put(kept, "a")
    await kept.close()


@given(st.integers(0, 12), st.integers(1, 5), st.booleans())
def test_page_by_page_each_is_listed_once(count, limit, newest_first):
    every = [(f"{n}", {"id": f"{n}"}) for n in range(count)]
    seen, page, more = [], Page(limit=limit, newest_first=newest_first), True
    while more:
        told = _listed(every, page)
        assert len(told["data"]) <= limit
        assert (told["first_id"], told["last_id"]) == (
            (names(told)[0], names(told)[-1]) if count else (None, None)
        )
        seen += names(told)
        more, page = told["has_more"], page._replace(after=told["last_id"] or "")
    assert seen == [name for name, _ in every]

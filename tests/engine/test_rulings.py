"""Rules that travel with a cassette: a recording is found by those of its own file."""

import re
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from promptdeck.engine.exchange import Exchange
from promptdeck.errors import CassetteError
from promptdeck.stores.cassettes.file import path_of, read
from promptdeck.stores.cassettes.verify import verify
from tests.conftest import Deck, Start
from tests.recordings import REDACTOR
from tests.scripted_upstream import Upstream, plain

FAST = pytest.mark.parametrize("fast", [True, False])


def ruled(path: Path, section: str) -> None:
    """Write a section into a cassette, as by hand; an empty one takes it out."""
    text = re.sub(r"(?ms)^match:.*?(?=^interactions:)", "", path.read_text())
    path.write_text(text.replace("interactions:", f"{section}interactions:", 1))


def cassette(start: Start, name: str) -> Path:
    return path_of(start.folder / "cassettes", name)


async def recorded(
    start: Start, provider: Upstream, name: str, *prompts: str, **more: object
) -> Path:
    provider.answers = [plain(f"{name}: {prompt}") for prompt in prompts]
    deck = await start(mode="record", cassette=name)
    for prompt in prompts:
        await deck.chat(prompt, **more)
    return cassette(start, name)


async def said(deck: Deck, prompt: str, **more: object) -> str:
    got = await deck.chat(prompt, **more)
    return str(got.json["choices"][0]["message"]["content"]) if got.status == 200 else "miss"


IGNORE = "match:\n  ignore:\n  - $.seed\n"
DIGITS = "match:\n  replace:\n  - {pattern: '[0-9]+', with: N}\n"
UUIDS = "match: {replace: [uuid]}\n"
ONE, OTHER = "00000000-0000-4000-8000-000000000001", "a0000000-0000-4000-8000-00000000000b"


@FAST
async def test_each_file_of_a_folder_is_searched_by_its_own_rules(
    start: Start, provider: Upstream, fast: bool
) -> None:
    ruled(await recorded(start, provider, "a", "take 12 of a"), DIGITS)
    ruled(await recorded(start, provider, "b", f"run {ONE} of b"), UUIDS)
    await recorded(start, provider, "c", "take 12 of c")
    for cassette in (None, None):  # indexed, and by the index that is there
        deck = await start(mode="replay", cassette=cassette, fast=fast)
        for _ in range(3):
            assert await said(deck, "take 7 of a") == "a: take 12 of a"
            assert await said(deck, f"run {OTHER} of b") == f"b: run {ONE} of b"
            assert await said(deck, "take 12 of c") == "c: take 12 of c"
            assert await said(deck, "take 7 of c") == "miss"
            assert await said(deck, "take x of a") == "miss"
    one = await start(mode="replay", cassette="a", fast=fast)
    assert await said(one, "take 7 of a") == "a: take 12 of a"
    assert await said(one, "take 12 of c") == "miss"
    # The user's rules go along.
    environ = {"PROMPTDECK_MATCH_IGNORE": "[$.seed]"}
    deck = await start(environ, mode="replay", fast=fast)
    for seed in range(3):
        assert await said(deck, f"take {seed} of a", seed=seed) == "a: take 12 of a"
        assert await said(deck, "take 12 of c", seed=seed) == "c: take 12 of c"


@FAST
async def test_an_edit_of_the_rules_is_followed_and_is_no_tampering(
    start: Start, provider: Upstream, fast: bool
) -> None:
    path = await recorded(start, provider, "a", "take 12")
    deck = await start(mode="replay", cassette="a", fast=fast)
    assert await said(deck, "take 7") == "miss"
    for section, expected in [(DIGITS, "a: take 12"), (IGNORE, "miss"), (DIGITS, "a: take 12")]:
        ruled(path, section)
        for _ in range(2):
            assert await said(deck, "take 7") == expected
            assert await said(deck, "take 12") == "a: take 12"
        assert verify(path, REDACTOR) == []
        time.sleep(0.15)  # a file is looked at ten times a second


async def test_requests_that_are_one_by_the_rules_take_turns(
    start: Start, provider: Upstream
) -> None:
    path = await recorded(start, provider, "a", "take 1", "take 2", "take 3")
    ruled(path, DIGITS)
    for fast in (True, False):
        deck = await start(mode="replay", cassette="a", fast=fast)
        told = [await said(deck, f"take {n}") for n in range(10, 14)]
        assert told == ["a: take 1", "a: take 2", "a: take 3", "a: take 3"]


async def test_what_is_missing_is_recorded_beside_the_rules(
    start: Start, provider: Upstream
) -> None:
    path = await recorded(start, provider, "a", "take 1")
    ruled(path, DIGITS)
    provider.answers = [plain("new")] * 3
    deck = await start({"PROMPTDECK_RECORD_DRAWS": "2"}, mode="record-missing", cassette="a")
    told = [await said(deck, f"take {n}") for n in range(20, 24)]
    assert told == ["a: take 1", "new", "new", "new"]
    assert len(read(path)) == 2
    assert "match:\n  replace:" in path.read_text()
    replay = await start(mode="replay", cassette="a")
    assert [await said(replay, "take 99") for _ in range(2)] == ["a: take 1", "new"]


@FAST
@pytest.mark.parametrize("ignored", ["[]", "[$.seed]"])
async def test_an_answer_is_told_by_the_names_of_who_asks(
    start: Start, provider: Upstream, fast: bool, ignored: str
) -> None:
    provider.answers = [plain("read /home/ann/proj/notes.txt")]
    deck = await start(mode="record", cassette="a")
    await deck.chat("Working directory: /home/ann/proj\nread it")
    ruled(cassette(start, "a"), "match:\n  preset: agent\n")
    environ = {"PROMPTDECK_MATCH_IGNORE": ignored}
    for name in ("a", None):
        deck = await start(environ, mode="replay", cassette=name, fast=fast)
        for _ in range(2):
            for folder in ("/srv/bob", "/home/ann/proj", "/srv/eve"):
                told = await said(deck, f"Working directory: {folder}\nread it")
                assert told == f"read {folder}/notes.txt"


@FAST
async def test_a_cassette_before_the_cache_has_its_rules_there(
    start: Start, provider: Upstream, fast: bool
) -> None:
    ruled(await recorded(start, provider, "a", "take 1"), DIGITS)
    provider.answers = [plain("cached")] * 2
    deck = await start(mode="cache", cassette="a", fast=fast)
    for _ in range(2):
        assert await said(deck, "take 5") == "a: take 1"
        assert await said(deck, "run x") == "cached"
    assert await said(deck, "run 1") == "cached"
    assert len(provider.seen) == 3


@pytest.mark.parametrize(
    ("section", "why"),
    [
        ("match:\n  ignore: [seed]\n", "a JSON path starts with"),
        ("match:\n  replace: [nonesuch]\n", "no preset 'nonesuch'"),
        ("match:\n  replace:\n  - {pattern: '(', with: x}\n", "not a regular expression"),
        ("match:\n  preset: nobody\n", "no preset 'nobody'"),
        ("match:\n  other: 1\n", "must be a mapping of preset, ignore, replace"),
        ("match: [1]\n", "must be a mapping of"),
        ("match: {ignore: $.seed}\n", "must be a list"),
        ("match: {ignore: [1]}\n", "cannot have 1"),
    ],
)
async def test_a_bad_rule_is_told_by_file_and_line(
    start: Start, provider: Upstream, section: str, why: str
) -> None:
    path = await recorded(start, provider, "a", "hi")
    ruled(path, section)
    with pytest.raises(CassetteError) as caught:
        await start(mode="replay", cassette="a")
    assert str(caught.value).startswith(f"{path}:3: in `match`: ")
    assert why in str(caught.value)
    with pytest.raises(CassetteError, match=":3: in `match`: "):
        verify(path, REDACTOR)


async def test_a_cassettes_own_pattern_that_takes_for_ever_is_ended(
    start: Start, provider: Upstream
) -> None:
    path = await recorded(start, provider, "a", "hi")
    ruled(path, "match:\n  replace:\n  - {pattern: '(a+)+$', with: x}\n")
    deck = await start({"PROMPTDECK_SERVER_PATTERN_TIMEOUT": "200ms"}, mode="replay", cassette="a")
    assert await said(deck, "hi") == "a: hi"
    assert (await deck.chat("a" * 40 + "!")).status >= 400
    assert await said(deck, "hi") == "a: hi"


@pytest.mark.parametrize("name", ["a", None])
async def test_a_miss_makes_no_index_anew(
    start: Start, provider: Upstream, name: str | None
) -> None:
    ruled(await recorded(start, provider, "a", "take 1", "take 2"), DIGITS)
    environ = {"PROMPTDECK_REPLAY_AFTER_LAST": "refuse"}
    deck = await start(environ, mode="replay", cassette=name)
    store = sqlite3.connect(start.folder / "store.db")
    with closing(store):
        told = [await said(deck, "take 1") for _ in range(2)]
        [before] = store.execute("SELECT seq FROM sqlite_sequence WHERE name = 'tape'")
        told += [await said(deck, "take 1"), await said(deck, "nothing")]
        [after] = store.execute("SELECT seq FROM sqlite_sequence WHERE name = 'tape'")
    assert told == ["a: take 1", "a: take 2", "miss", "miss"]
    assert before == after


async def test_a_file_of_a_folder_is_followed_where_its_own_rules_find_it(
    start: Start, provider: Upstream
) -> None:
    path = await recorded(start, provider, "a", "take 1")
    await recorded(start, provider, "b", "other")
    ruled(path, DIGITS)
    for fast in (True, False):
        deck = await start(mode="replay", fast=fast)
        for text in ("one of it", "two of it", "one of it"):
            data = path.read_bytes()
            old = re.search(rb"(a: take 1|\w+ of it)", data)
            assert old
            with path.open("r+b") as file:  # in place: the folder's own time stays
                file.truncate(0)
                file.write(re.sub(rb"\n +digest: [^\n]*", b"", data).replace(old[0], text.encode()))
            time.sleep(0.15)
            assert [await said(deck, f"take {n}") for n in range(3)] == [text] * 3


async def test_a_hit_by_own_rules_is_found_at_once_the_next_time(
    start: Start, provider: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    ruled(await recorded(start, provider, "a", "take 1"), DIGITS)
    deck = await start(mode="replay")
    for _ in range(3):
        assert await said(deck, "take 5") == "a: take 1"
        time.sleep(0.1)  # a file that has just been written is looked at again
    asked: list[Any] = []
    ordinary = Exchange.answer

    async def answer(self: Exchange, incoming: Any, behind: Any) -> Any:
        asked.append(incoming)
        return await ordinary(self, incoming, behind)

    monkeypatch.setattr(Exchange, "answer", answer)
    assert [await said(deck, "take 5") for _ in range(3)] == ["a: take 1"] * 3
    assert asked == []


async def test_a_miss_is_explained_by_the_rules_of_the_file_that_is_nearest(
    start: Start, provider: Upstream
) -> None:
    """In a folder each recording is compared by its own file's rules, and so is the proposal."""
    plan = {"model": "gpt-5", "seed": 7}
    ruled(
        await recorded(
            start, provider, "a", "take 12 apples from the big tree by the lake", **plan
        ),
        DIGITS,
    )
    ruled(await recorded(start, provider, "b", "take 12 pears in a brown bag", **plan), IGNORE)
    await recorded(start, provider, "c", "drop 12 of the plums", **plan)
    for cassette in (None, "a"):
        deck = await start(mode="replay", cassette=cassette)
        got = await deck.chat("take 7 apples from the big tree by the lake", **plan | {"seed": 8})
        details = got.json["error"]["details"]
        assert got.status == 400
        # By the user's rules two places differ, and by those of the file one.
        assert [one["path"] for one in details["differences"]] == ["$.seed"]
    deck = await start(mode="replay")
    got = await deck.chat("take 13 pears in a brown bag", **plan | {"seed": 9})
    assert [one["path"] for one in got.json["error"]["details"]["differences"]] == [
        "$.messages[0].content"
    ]
    got = await deck.chat(f"run {ONE} of the plums", **plan)
    assert got.json["error"]["code"] == "cassette_miss"


async def test_what_a_file_lacks_is_proposed_beside_its_own_rules(
    start: Start, provider: Upstream
) -> None:
    path = await recorded(start, provider, "a", f"run {ONE} of take 12")
    ruled(path, DIGITS.replace("[0-9]+", "take [0-9]+"))
    for cassette in (None, "a"):
        deck = await start(mode="replay", cassette=cassette)
        got = await deck.chat(f"run {OTHER} of take 7")
        assert got.json["error"]["details"]["proposal"] == {"match": {"preset": ["agent"]}}
    # With the setting that is proposed it is found.
    environ = {"PROMPTDECK_MATCH_PRESET": "[agent]"}
    deck = await start(environ, mode="replay")
    assert await said(deck, f"run {OTHER} of take 7") == f"a: run {OTHER} of take 12"


async def test_a_request_that_was_played_is_counted_by_the_rules_that_found_it(
    start: Start, provider: Upstream
) -> None:
    ruled(await recorded(start, provider, "a", "take 12", "take 13"), DIGITS)
    environ = {"PROMPTDECK_REPLAY_AFTER_LAST": "refuse"}
    for cassette in (None, "a"):
        deck = await start(environ, mode="replay", cassette=cassette)
        assert [await said(deck, f"take {n}") for n in range(3)] == [
            "a: take 12",
            "a: take 13",
            "miss",
        ]
        details = (await deck.chat("take 9")).json["error"]["details"]
        assert (details["reason"], details["recorded"], details["played"]) == ("consumed", 2, 2)

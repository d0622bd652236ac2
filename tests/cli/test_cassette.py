"""`promptdeck cassette`, `explain` and `store`: looking at what is recorded."""

import re
from pathlib import Path

import orjson
import pytest

from promptdeck.core.interaction import Variant
from promptdeck.stores.cassettes.save import New, save
from tests.command import promptdeck
from tests.conftest import Start
from tests.recordings import base_of, of
from tests.scripted_upstream import plain
from tests.translations import given_by, same_asked
from tests.translations import recorded as recorded_by


@pytest.fixture
async def recorded(start: Start, tmp_path: Path) -> Path:
    """A folder with cassette `trip`: one conversation, once whole and once streamed."""
    deck = await start(mode="record", cassette="trip")
    deck.upstream.answers = [plain("Take the\nnight train.")]
    await deck.chat("Where to go?", model="tiny")
    await deck.chat("Where to go?", model="tiny", stream=True)
    return tmp_path


async def test_list_is_tabs_in_a_pipe(recorded: Path) -> None:
    ran = await promptdeck(recorded, "cassette", "list")
    head, row = (line.split("\t") for line in ran.out.splitlines())
    assert head == ["cassette", "recordings", "size", "models", "oldest", "newest"]
    assert row[:2] == ["trip", "2"]
    assert row[3] == "tiny"


async def test_list_of_nothing_says_so(tmp_path: Path) -> None:
    ran = await promptdeck(tmp_path, "cassette", "list")
    assert (ran.code, ran.out, ran.err) == (0, "", "no cassettes in cassettes\n")
    assert (await promptdeck(tmp_path, "cassette", "list", "--json")).out == "[]\n"


async def test_show_reads_as_a_conversation(recorded: Path) -> None:
    ran = await promptdeck(recorded, "cassette", "show", "trip")
    assert "user: Where to go?" in ran.out
    assert "answer (200): Take the\n    night train." in ran.out


async def test_show_one_recording_as_json(recorded: Path) -> None:
    every = orjson.loads((await promptdeck(recorded, "cassette", "show", "trip", "--json")).out)
    name = every[1]["id"]
    [one] = orjson.loads(
        (await promptdeck(recorded, "cassette", "show", "trip", name, "--json")).out
    )
    assert (one["variant"], one["says"]) == ("sse", "Take the\nnight train.")


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("trip", "nothing"), "cassette trip has no recording nothing"),
        (("trap",), "there is no cassette trap in cassettes"),
        (("../trip",), "no cassette can have this name"),
    ],
)
async def test_show_of_what_is_not_there_is_one_line(
    recorded: Path, argv: tuple[str, ...], said: str
) -> None:
    ran = await promptdeck(recorded, "cassette", "show", *argv)
    assert ran.code == 1
    [line] = ran.err.splitlines()
    assert said in line


async def test_verify_is_content_with_what_was_recorded(recorded: Path) -> None:
    ran = await promptdeck(recorded, "cassette", "verify")
    assert (ran.code, ran.out) == (0, "1 cassette: all sound\n")


async def test_verify_names_file_and_line_of_an_edited_prompt(recorded: Path) -> None:
    path = recorded / "cassettes" / "trip.yaml"
    path.write_text(path.read_text().replace("Where to go?", "Where to stay?", 1))
    ran = await promptdeck(recorded, "cassette", "verify", "trip")
    assert ran.code == 1
    assert re.match(r"cassettes/trip\.yaml:\d+: the request was edited", ran.out)


async def test_verify_finds_a_secret(recorded: Path) -> None:
    path = recorded / "cassettes" / "trip.yaml"
    secret = "sk-" + "proj-" + "a1B2" * 12
    path.write_text(path.read_text().replace("night train", f"train {secret}"))
    ran = await promptdeck(recorded, "cassette", "verify", "--json")
    assert ran.code == 1
    problems = orjson.loads(ran.out)["problems"]
    assert any("looks like a secret" in problem["text"] for problem in problems)
    assert secret not in ran.out


async def test_verify_of_a_corrupt_file_is_exit_code_4(recorded: Path) -> None:
    (recorded / "cassettes" / "bad.yaml").write_text("promptdeck: 99\n")
    ran = await promptdeck(recorded, "cassette", "verify")
    assert ran.code == 4
    assert "bad.yaml:1: format version 99 is newer" in ran.out


async def test_explain_a_hit_names_the_recordings_and_what_does_not_count(recorded: Path) -> None:
    body = {
        "model": ["tiny"],
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Where to go?"}]}],
        "user": "ann",
        "stream": True,
    }
    ran = await promptdeck(recorded, "explain", "-", stdin=orjson.dumps(body))
    assert ran.code == 0
    assert "dropped    $.user: names the end user" in ran.out
    assert ran.out.count("hit        trip: ") == 2


async def test_explain_a_miss_names_the_nearest_and_the_path(recorded: Path) -> None:
    body = {"model": "tiny", "messages": [{"role": "user", "content": "Where to stay?"}]}
    (recorded / "request.json").write_bytes(orjson.dumps(body))
    ran = await promptdeck(recorded, "explain", "request.json", "--cassette", "trip", "--json")
    told = orjson.loads(ran.out)
    assert told["hits"] == []
    assert told["miss"]["differences"][0]["path"] == "$.messages[0].content"
    assert told["key"].startswith("p1:")


async def test_explain_of_a_missing_file_is_one_line(tmp_path: Path) -> None:
    ran = await promptdeck(tmp_path, "explain", "nowhere.json")
    assert ran.code == 1
    assert ran.err == "promptdeck: cannot read nowhere.json: No such file or directory\n"


async def test_store_stats_and_clear(start: Start, tmp_path: Path) -> None:
    deck = await start(mode="cache")
    await deck.chat("one")
    await deck.chat("two")
    stats = await promptdeck(tmp_path, "store", "stats", "--store", "store.db", "--json")
    assert orjson.loads(stats.out)["answers"] == 2
    cleared = await promptdeck(tmp_path, "store", "clear", "--store", "store.db")
    assert cleared.out == "store.db: 2 answers forgotten\n"
    assert "hit" not in (await deck.chat("one")).cache_status


async def test_store_stats_of_no_store_are_zeros(tmp_path: Path) -> None:
    ran = await promptdeck(tmp_path, "store", "stats", "--store", "none.db", "--json")
    assert orjson.loads(ran.out)["answers"] == 0
    assert not (tmp_path / "none.db").exists()


async def test_verify_of_nothing_is_no_success(tmp_path: Path) -> None:
    ran = await promptdeck(tmp_path, "cassette", "verify")
    assert ran.code == 1
    assert ran.err == "promptdeck: there are no cassettes in cassettes: nothing was verified\n"


async def test_verify_finds_what_a_report_calls_unused(recorded: Path) -> None:
    every = orjson.loads((await promptdeck(recorded, "cassette", "show", "trip", "--json")).out)
    report = {"cassette": "trip", "played": {every[0]["id"]: 1}, "unplayed": [every[1]["id"]]}
    (recorded / "r.json").write_bytes(orjson.dumps(report))
    ran = await promptdeck(recorded, "cassette", "verify", "--unused", "r.json")
    assert ran.code == 1
    assert f"{every[1]['id']} was not used; run promptdeck cassette prune trip" in ran.out
    (recorded / "r.json").write_bytes(orjson.dumps({**report, "cassette": "trap"}))
    ran = await promptdeck(recorded, "cassette", "verify", "--unused", "r.json")
    assert ran.err == "promptdeck: the report is of none of these cassettes: trip\n"


async def test_list_goes_on_past_a_corrupt_file(recorded: Path) -> None:
    (recorded / "cassettes" / "bad.yaml").write_text("promptdeck: [")
    ran = await promptdeck(recorded, "cassette", "list")
    assert ran.code == 4
    assert "trip\t2" in ran.out
    assert "cassettes/bad.yaml:2: " in ran.err


async def test_show_gives_a_terminal_nothing_to_obey(recorded: Path) -> None:
    path = recorded / "cassettes" / "trip.yaml"
    path.write_text(path.read_text().replace("Where to go?", r"\e[2J"))
    text = path.read_text().replace(r"content: \e[2J", r'content: "\e[2J"')
    path.write_text(text)
    ran = await promptdeck(recorded, "cassette", "show", "trip")
    assert ran.code == 0, ran.err
    assert "\x1b[2J" not in ran.out
    assert r"\x1b[2J" in ran.out


async def test_show_tells_who_served_what_was_translated(tmp_path: Path) -> None:
    path = tmp_path / "cassettes" / "c.yaml"
    save(path, [New(one := recorded_by("chat", "messages"), base_of(one.request), replace=False)])
    shown = (await promptdeck(tmp_path, "cassette", "show", "c")).out
    assert "by anthropic/claude-opus-5, messages  sse" in shown
    assert "It is blue, I think." in shown
    [told] = orjson.loads((await promptdeck(tmp_path, "cassette", "show", "c", "--json")).out)
    assert told["served"] == "anthropic/claude-opus-5, messages"


async def test_explain_names_what_replay_finds_in_another_protocol(tmp_path: Path) -> None:
    path = tmp_path / "cassettes" / "c.yaml"
    one = of(same_asked("chat", stream=True), given_by("messages"), Variant.SSE)
    save(path, [New(one, base_of(one.request), replace=False)])
    asked = same_asked("responses", stream=False)
    ran = await promptdeck(tmp_path, "explain", "-", "--path", asked.target, stdin=asked.body)
    assert ran.code == 0
    assert "which asks the same in another protocol" in ran.out
    other = same_asked("responses", stream=False, temperature=0.5)
    assert (
        await promptdeck(tmp_path, "explain", "-", "--path", other.target, stdin=other.body)
    ).code == 1

"""`promptdeck doctor`, and the gate that it is in CI."""

from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner, Result

from promptdeck.cli import cli
from tests.core.doctor.conversations import LONG, chat, recorded
from tests.stores.cassettes import saved


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with cassettes `dated`, in whose system prompt stands the time, and `steady`."""
    saved(
        tmp_path / "dated.yaml",
        *recorded(
            "chat",
            chat("one", system=f"It is 10:59.\n{LONG}"),
            chat("one", "1", "two", system=f"It is 11:00.\n{LONG}"),
        ),
    )
    saved(tmp_path / "steady.yaml", *recorded("chat", chat("one"), chat("one", "1", "two")))
    return tmp_path


def ran(folder: Path, *argv: str) -> Result:
    return CliRunner().invoke(
        cli, [*argv, "--cassettes", str(folder)], prog_name="promptdeck", catch_exceptions=False
    )


def test_a_row_for_each_turn_and_a_story_of_each_break(folder: Path) -> None:
    told = ran(folder, "doctor")
    assert told.exit_code == 0
    rows = [line.split("\t") for line in told.stdout.partition("\n\n")[0].splitlines()]
    assert rows[0][:4] == ["cassette", "turn", "model", "prompt"]
    assert [row[0] for row in rows[1:]] == ["dated", "dated", "steady", "steady"]
    assert [row[4] for row in rows[1:]] == ["", "0%", "", "100%"]
    story = told.stdout.partition("\n\n")[2]
    assert "a date or time in the system prompt changed, 3328 tokens lost" in story
    assert "at    $.messages[0], character 7\n" in story
    assert '  old   "It is 10:59.' in story
    assert '  new   "It is 11:00.' in story
    assert "mend  tell the time in the last turn" in story
    assert story.count("  mend  ") == 1


def test_as_json(folder: Path) -> None:
    [dated] = orjson.loads(ran(folder, "doctor", "dated", "--json").stdout)
    assert (dated["cassette"], dated["unread"], len(dated["turns"])) == ("dated", [], 2)
    problem = dated["turns"][1]["problem"]
    assert problem["cause"] == "a date or time in the system prompt changed"
    assert (problem["path"], problem["offset"]) == ("$.messages[0]", 7)


def test_dollars_where_prices_are_known(folder: Path) -> None:
    pytest.importorskip("genai_prices")
    path = folder / "dated.yaml"
    edited = path.read_text().replace("https://api.example.com/v1", "https://api.openai.com/v1")
    path.write_text(edited)
    [dated] = orjson.loads(ran(folder, "doctor", "dated", "--json").stdout)
    first, second = dated["turns"]
    # 3,328 tokens at 1.25 dollars a million, and 0.125 out of the cache.
    assert (first["dollars_lost"], second["dollars_lost"]) == (None, pytest.approx(0.003744))
    assert "3328 tokens lost, $0.003744 more\n" in ran(folder, "doctor", "dated").stdout
    [steady] = orjson.loads(ran(folder, "doctor", "steady", "--json").stdout)
    assert [turn["dollars_lost"] for turn in steady["turns"]] == [None, None]


@pytest.mark.parametrize("share", ["90%", "0.9"])
def test_the_gate(folder: Path, share: str) -> None:
    assert ran(folder, "doctor", "steady", "--fail-below", share).exit_code == 0
    told = ran(folder, "doctor", "--fail-below", share)
    assert told.exit_code == 1
    [line] = told.stderr.splitlines()
    assert line.startswith("dated: ")
    assert line.endswith("less than 90%: a date or time in the system prompt changed")


def test_verify_is_the_same_gate(folder: Path) -> None:
    assert ran(folder, "cassette", "verify", "steady", "--stable-prefix", "90%").exit_code == 0
    assert ran(folder, "cassette", "verify").exit_code == 0
    told = ran(folder, "cassette", "verify", "--stable-prefix", "90%")
    assert told.exit_code == 1
    assert "dated: " in told.stdout
    assert "less than 90%: a date or time in the system prompt changed; tell the" in told.stdout


@pytest.mark.parametrize("share", ["90 percent", "101%", "-1", "90%%", "nan", ""])
def test_what_is_no_share_is_wrong_usage(folder: Path, share: str) -> None:
    told = ran(folder, "doctor", "--fail-below", share)
    assert told.exit_code == 2
    assert "is no share; write 90% or 0.9" in told.stderr


def test_a_cassette_that_is_not_there_or_broken(folder: Path) -> None:
    (folder / "broken.yaml").write_text("promptdeck: 1\ninteractions: 7\n")
    told = ran(folder, "doctor")
    assert told.exit_code == 4
    assert "steady" in told.stdout
    assert (told.stderr.count("promptdeck: "), "broken.yaml" in told.stderr) == (1, True)
    empty = folder / "nothing"
    assert ran(empty, "doctor").stderr == f"no cassettes in {empty}\n"

"""The commands that keep cassettes clean: what they print, what they change, how they exit."""

import subprocess
from pathlib import Path

import click
import orjson
import pytest
import yaml
from click.testing import CliRunner, Result

from promptdeck.cli.hygiene import COMMANDS
from promptdeck.core.dialects.chat.dialect import CHAT
from promptdeck.core.interaction import Interaction
from promptdeck.errors import UsageError
from promptdeck.stores.cassettes.file import names, path_of, read
from promptdeck.stores.cassettes.save import save
from tests import ROOT
from tests.recordings import interaction, new

KEY = "sk-proj-" + "Ab1" * 16
# With the names of the whole program for its help: a command remembers the first that it had.
_GROUP = click.Group(
    commands=list(COMMANDS), context_settings={"help_option_names": ["-h", "--help"]}
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "cassettes"


def put(folder: Path, name: str, *recordings: Interaction) -> list[str]:
    saved = save(path_of(folder, name), [new(one) for one in recordings])
    return [one.id for one in saved.interactions]


def deck(*argv: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(_GROUP, argv, input=stdin, catch_exceptions=False)


def told(*argv: str, code: int = 0) -> object:
    ran = deck(*argv, "--json")
    assert ran.exit_code == code, ran.output
    return orjson.loads(ran.stdout)


def edited(path: Path, old: str, new_text: str) -> None:
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new_text, 1))


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_command_has_examples_and_prints_json_and_takes_a_folder(
    command: click.Command,
) -> None:
    said = deck(str(command.name), "--help").output
    assert f"Examples:\n    promptdeck cassette {command.name}" in said or "curl" in said
    assert "--cassettes" in said
    assert "--json" in said


@pytest.mark.parametrize(
    "argv",
    [
        ("diff", "a", "none"),
        ("merge", "a", "none", "--to", "b"),
        ("split", "none", "--by", "model"),
        ("prune", "none", "--unused", "r.json"),
        ("dedupe", "none"),
        ("rename-model", "m", "n", "none"),
        ("redact", "none"),
        ("fix", "none"),
    ],
)
def test_a_cassette_that_is_not_there_is_named(folder: Path, argv: tuple[str, ...]) -> None:
    put(folder, "a", interaction())
    with pytest.raises(UsageError, match="there is no cassette none in cassettes"):
        deck(*argv)
    assert names(folder) == ["a"]


def test_diff_shows_what_is_said_otherwise(folder: Path) -> None:
    put(folder, "a", interaction("Where to?", "By train."), interaction("Only here"))
    put(folder, "b", interaction("Where to?", "By bus."))
    ran = deck("diff", "a", "b")
    assert ran.exit_code == 1
    assert "  -By train.\n  +By bus.\n" in ran.stdout
    assert f"only in a: {interaction('Only here').id}  json  Only here" in ran.stdout
    assert ran.stderr == "0 the same, 1 differing, 1 only in a, 0 only in b\n"
    found = told("diff", "a", "b", code=1)
    assert isinstance(found, dict)
    assert [item["asked"] for item in found["only_a"]] == ["Only here"]
    assert found["differing"][0]["b"]["id"] == interaction("Where to?").id


def test_diff_of_the_same_is_0(folder: Path) -> None:
    put(folder, "a", interaction())
    ran = deck("diff", "a", "a")
    assert (ran.exit_code, ran.stdout) == (0, "1 the same, 0 differing, 0 only in a, 0 only in a\n")


def test_diff_is_coloured_on_a_terminal(folder: Path) -> None:
    put(folder, "a", interaction("x", "1"))
    put(folder, "b", interaction("x", "2"))
    ran = CliRunner().invoke(_GROUP, ["diff", "a", "b"], color=True)
    assert "\x1b[31m  -1\x1b[0m" in ran.stdout
    assert "\x1b[32m  +2\x1b[0m" in ran.stdout


def test_merge_counts_and_renumbers(folder: Path) -> None:
    [first] = put(folder, "a", interaction("x", "1"))
    put(folder, "b", interaction("x", "2"))
    second = first.removesuffix("1") + "2"
    ran = deck("merge", "a", "b", "a", "--to", "all/ours")
    assert ran.stdout == (
        f"{first} is {second} in all/ours\nall/ours: 2 recordings, 1 duplicate left out\n"
    )
    assert names(folder) == ["a", "all/ours", "b"]
    with pytest.raises(UsageError, match="no cassette can have this name"):
        deck("merge", "a", "b", "--to", "../x")


def test_split_by_model_and_by_conversation(folder: Path) -> None:
    put(folder, "a", interaction("x", model="gpt/1"), interaction("y", model=["z"]))
    assert (
        told("split", "a", "--by", "model")
        == {
            "cassette": "a",
            "parts": {
                "a/gpt-1": [interaction("x", model="gpt/1").id],
                "a/z": [interaction("y", model=["z"]).id],
            },
        }
        or len(names(folder)) != 3
    )
    ran = deck("split", "a", "--by", "conversation")
    root = interaction("x").id.partition("-")[0]
    assert f"a/{root}: 1 recording\n" in ran.stdout
    assert ran.stderr.startswith("a is still there")


REPORT = {"cassette": "a", "played": {}, "missed": [], "recorded": []}


def test_prune_takes_out_what_was_neither_played_nor_recorded(folder: Path) -> None:
    first, second, third = put(folder, "a", *map(interaction, "xyz"))
    report = {**REPORT, "unplayed": [first, second, "gone"], "recorded": [second]}
    Path("r.json").write_bytes(orjson.dumps({"id": "s-1", "report": report}))
    ran = deck("prune", "a", "--unused", "r.json", "--dry-run")
    assert (ran.exit_code, ran.stdout) == (0, f"a: {first}\n1 unused recording would go\n")
    assert deck("prune", "a", "--unused", "r.json", "--check").exit_code == 1
    assert len(read(path_of(folder, "a"))) == 3
    assert told("prune", "a", "--unused", "r.json") == {
        "cassette": "a",
        "removed": [first],
        "not_there": ["gone"],
    }
    assert {one.id for one in read(path_of(folder, "a"))} == {second, third}
    assert deck("prune", "a", "--unused", "r.json", "--check").exit_code == 0


def test_of_several_reports_all_must_agree_and_others_do_not_count(folder: Path) -> None:
    first, second, third = put(folder, "a", *map(interaction, "xyz"))
    reports = [
        {**REPORT, "unplayed": [first, second]},
        {**REPORT, "unplayed": [second, third]},
        {**REPORT, "unplayed": [], "cassette": "b"},
    ]
    ran = deck("prune", "a", "--unused", "-", stdin=orjson.dumps(reports).decode())
    assert ran.stdout == f"a: {second}\n1 unused recording removed\n"


def test_the_report_of_pytest_names_files_and_a_failed_test_has_no_say(folder: Path) -> None:
    first, second = put(folder, "a", *map(interaction, "xy"))
    one = {"test": "t", "outcome": "passed", "recorded": 1, "played": {}, "missed": []}
    here = {**one, "cassette": str(folder / "a.yaml"), "unplayed": [first, second]}
    elsewhere = {**here, "cassette": "/ci/cassettes/a.yaml", "unplayed": [second]}
    failed = {**here, "outcome": "failed", "unplayed": []}
    other = {**here, "cassette": "/ci/cassettes/aa.yaml", "unplayed": []}
    lines = map(orjson.dumps, [here, elsewhere, failed, other])
    Path("r.json").write_bytes(b"\n".join(lines) + b"\n")
    assert told("prune", "a", "--unused", "r.json", "--dry-run") == {
        "cassette": "a",
        "removed": [second],
        "not_there": [],
    }
    Path("r.json").write_bytes(orjson.dumps([failed]))
    assert "0 unused" in deck("prune", "a", "--unused", "r.json").stdout


@pytest.mark.parametrize(
    ("report", "said"),
    [
        (b"{", "r.json is no JSON"),
        (b"", "r.json is no JSON"),
        (b"{}", "this is no report"),
        (b'{"unplayed": [], "cassette": "b"}', "the report is of b, not of a"),
        (None, "cannot read r.json: No such file"),
    ],
)
def test_what_is_no_report_of_it_prunes_nothing(
    folder: Path, report: bytes | None, said: str
) -> None:
    put(folder, "a", interaction())
    if report is not None:
        Path("r.json").write_bytes(report)
    with pytest.raises(UsageError, match=said):
        deck("prune", "a", "--unused", "r.json")
    assert len(read(path_of(folder, "a"))) == 1


def test_dedupe_says_what_went_and_check_is_for_ci(folder: Path) -> None:
    _, second = put(folder, "a", interaction("x"), interaction("x"))
    put(folder, "b", interaction("y"))
    ran = deck("dedupe", "--check")
    assert (ran.exit_code, ran.stdout) == (1, f"a: {second}\n1 duplicate would go\n")
    assert told("dedupe") == [
        {"cassette": "a", "removed": [second]},
        {"cassette": "b", "removed": []},
    ]
    assert deck("dedupe", "--check").exit_code == 0


def test_rename_model_tells_old_and_new_ids(folder: Path) -> None:
    [old] = put(folder, "a", interaction("x"))
    put(folder, "b", interaction("x", model="other"))
    after = interaction("x", model="n").id
    assert deck("rename-model", "m", "n", "--check").exit_code == 1
    ran = deck("rename-model", "m", "n", "a")
    assert (ran.exit_code, ran.stdout) == (
        0,
        f"a: {old} -> {after}\n1 cassette: 1 recording changed\n",
    )
    # The other's answer names it, too.
    assert deck("rename-model", "m", "n", "--check").exit_code == 1


def test_redact_counts_by_kind_and_takes_patterns_of_the_users_own(folder: Path) -> None:
    put(folder, "a", interaction("x", f"{KEY} and ACME-4711"))
    Path("promptdeck.yaml").write_text(
        "redact:\n  patterns:\n  - {name: acme, pattern: 'ACME-[0-9]+'}\n"
    )
    ran = deck("redact")
    assert "a: 1 secret of kind acme\na: 1 secret of kind openai\n" in ran.stdout
    assert (
        CHAT.says(read(path_of(folder, "a"))[0].response) == "[redacted:openai] and [redacted:acme]"
    )
    assert deck("redact", "--check").exit_code == 0


def test_fix_mends_what_was_edited_and_check_finds_it(folder: Path) -> None:
    put(folder, "a", interaction("x", "Hello there", stream=True))
    assert deck("fix", "--check").exit_code == 0
    edited(path_of(folder, "a"), "says: Hello there", "says: Hello where")
    assert deck("fix", "--check").exit_code == 1
    assert deck("fix").exit_code == 0
    assert CHAT.says(read(path_of(folder, "a"))[0].response) == "Hello where"


def test_fix_asks_git_which_of_two_was_edited(folder: Path) -> None:
    put(folder, "a", interaction("x", "Hello there", stream=True))
    for argv in (["init", "-q"], ["add", "."], ["commit", "-qm", "a"]):
        who = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
        subprocess.run(["git", *who, *argv], check=True)
    path = path_of(folder, "a")
    edited(path, '{content: "there"}', '{content: "where"}')
    assert deck("fix", "--check").exit_code == 1
    edited(path, "says: Hello there", "says: Hello you")
    ran = deck("fix")
    assert ran.exit_code == 1
    assert "both `says` and the frames were edited: choose" in ran.stderr
    assert deck("fix", "--keep", "frames").exit_code == 0
    assert CHAT.says(read(path)[0].response) == "Hello where"
    assert "says: Hello where" in path.read_text()


def test_pre_commit_is_told_of_verify() -> None:
    hooks = ROOT / ".pre-commit-hooks.yaml"
    [hook] = yaml.safe_load(hooks.read_text())
    assert hook["id"] == "promptdeck-verify"
    assert hook["entry"].split() == ["promptdeck", "cassette", "verify"]


def test_a_cassette_that_cannot_be_read_does_not_stop_the_others(folder: Path) -> None:
    put(folder, "a", interaction("x"), interaction("x"))
    put(folder, "c", interaction("x"), interaction("x"))
    (folder / "b.yaml").write_text("promptdeck: [")
    ran = deck("dedupe")
    assert ran.exit_code == 4
    assert "2 duplicates removed" in ran.stdout
    assert ran.stderr.startswith("promptdeck: cassettes/b.yaml:2: ")
    assert [len(read(path_of(folder, name))) for name in "ac"] == [1, 1]


def test_a_name_that_ends_in_yaml_is_a_file_s_path(folder: Path) -> None:
    put(Path("elsewhere"), "a", interaction("x"), interaction("x"))
    assert deck("dedupe", "elsewhere/a.yaml").exit_code == 0
    assert len(read(Path("elsewhere/a.yaml"))) == 1


def test_dedupe_heeds_what_replay_does_after_the_last(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(folder, "a", *(interaction("x", text) for text in "ABAA"))
    with monkeypatch.context() as settings:
        settings.setenv("PROMPTDECK_REPLAY_AFTER_LAST", "refuse")
        assert "0 duplicates" in deck("dedupe").stdout
    with monkeypatch.context() as settings:
        settings.setenv("PROMPTDECK_RECORD_DRAWS", "4")
        assert "0 duplicates" in deck("dedupe").stdout
    assert "1 duplicate removed" in deck("dedupe").stdout
    assert "1 duplicate removed" in deck("dedupe", "--anywhere").stdout
    assert [CHAT.says(one.response) for one in read(path_of(folder, "a"))] == ["A", "B"]


def test_dedupe_keeps_an_order_that_only_a_rule_makes(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeds = [interaction("x", said, seed=n, at=1e9 + n) for n, said in ((1, "A"), (2, "B"))]
    put(folder, "a", *seeds, interaction("x", "A", seed=1, at=1e9 + 3))
    monkeypatch.setenv("PROMPTDECK_MATCH_IGNORE", '["$.seed"]')
    assert "0 duplicates" in deck("dedupe").stdout


def test_fix_warns_of_a_later_request_with_the_old_answer(folder: Path) -> None:
    said = {"role": "assistant", "content": "Four"}
    asked = {"role": "user", "content": "hi"}
    put(
        folder,
        "a",
        interaction("hi", "Four", stream=True, messages=[asked]),
        interaction("why", "so", messages=[asked, said, asked]),
    )
    edited(path_of(folder, "a"), "says: Four", "says: Five")
    ran = deck("fix")
    assert ran.exit_code == 0
    assert "repeats the old answer of" in ran.stderr


def test_what_a_terminal_would_obey_is_shown_as_escapes(folder: Path) -> None:
    put(folder, "a", interaction("\x1b[2J", "\x1b]0;x\x07"))
    put(folder, "b", interaction("\x1b[2J", "other"))
    ran = deck("diff", "a", "b")
    assert ran.exit_code == 1
    assert "\x1b" not in ran.output
    assert r"\x1b]0;x\x07" in ran.output


def test_fix_knows_from_git_what_a_whole_answer_said(folder: Path) -> None:
    said = {"role": "assistant", "content": "Four"}
    asked = {"role": "user", "content": "hi"}
    put(
        folder,
        "deep/a",
        interaction("hi", "Four", messages=[asked]),
        interaction("why", "so", messages=[asked, said, asked]),
    )
    put(folder, "b", interaction("x"))
    for argv in (["init", "-q"], ["add", "."], ["commit", "-qm", "a"]):
        who = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
        subprocess.run(["git", *who, *argv], check=True)
    assert deck("fix").stderr == ""
    path = path_of(folder, "deep/a")
    head, answer, rest = path.read_text().partition("  response:")
    path.write_text(head + answer + rest.replace("content: Four", "content: Five", 1))
    for name in ("deep/a", str(path)):
        assert "repeats the old answer of" in deck("fix", name).stderr

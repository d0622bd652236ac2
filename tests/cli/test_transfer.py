"""`promptdeck cassette import` and `export`, called as click calls them."""

import os
import re

import orjson
import pytest
import yaml
from click.testing import CliRunner

from promptdeck.cli.transfer import export_command, import_command
from promptdeck.core.secrets.redact import Redactor
from promptdeck.errors import CassetteError, UsageError
from promptdeck.stores.cassettes.file import in_recorded_order, path_of, read, rewrite
from promptdeck.stores.cassettes.save import save
from promptdeck.stores.cassettes.verify import verify
from tests.other_tools import URL, answer, prompt
from tests.recordings import interaction, new


@pytest.fixture(autouse=True)
def _inside(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith("PROMPTDECK_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def run(command, *argv):
    return CliRunner().invoke(command, [*map(str, argv)])


def tape(path, *pairs):
    """A vcrpy cassette of prompts and answers; None for an answer with an error status."""
    made = [
        {
            "request": {"method": "POST", "uri": URL, "body": prompt(asked), "headers": JSON},
            "response": {
                "status": {"code": 500 if said is None else 200, "message": ""},
                "headers": JSON,
                "body": {"string": answer(said or "")},
            },
        }
        for asked, said in pairs
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump({"interactions": made, "version": 1}))
    return path


JSON = {"Content-Type": ["application/json"]}


def said(path):
    """What a cassette answers, in order."""
    bodies = [orjson.loads(item.response.body) for item in read(path)]
    return [body["choices"][0]["message"]["content"] for body in bodies]


def test_a_folder_becomes_cassettes_that_verify(tmp_path):
    old = tmp_path / "old" / "cassettes"
    tape(old / "test_a" / "test_one[a b].yaml", ("hi", "one"))
    tape(old / "test_b" / "test_two.yaml", ("hi", "two"), ("ho", "three"))
    (old / "README.md").write_text("not a recording")
    ran = run(import_command, old)
    assert (ran.exit_code, ran.output) == (0, "3 recordings from 2 files in 2 cassettes\n")
    for name in ("test_a/test_one-a-b", "test_b/test_two"):
        assert verify(path_of(tmp_path / "cassettes", name), Redactor()) == []


def test_files_are_named_by_their_path_below_what_they_share(tmp_path):
    paths = [tape(tmp_path / name / "same.yaml", ("hi", name)) for name in ("a", "b")]
    assert run(import_command, *paths).exit_code == 0
    assert said(tmp_path / "cassettes" / "b" / "same.yaml") == ["b"]


def test_files_imported_into_one_cassette_follow_one_another(tmp_path):
    paths = [tape(tmp_path / f"{n}.yaml", ("hi", f"{n}"), ("hi", f"{n}, again")) for n in "12"]
    for replaced in ("", ", 4 older replaced"):
        ran = run(import_command, "--to", "all", *paths)
        assert ran.output == f"4 recordings from 2 files in 1 cassette{replaced}\n"
        assert said(tmp_path / "cassettes/all.yaml") == ["1", "1, again", "2", "2, again"]


@pytest.fixture
def writes(monkeypatch):
    """The paths of the cassettes that were written, each time."""
    written = []
    monkeypatch.setattr(
        "promptdeck.stores.cassettes.save.rewrite",
        lambda path, pieces: written.append(path.name) or rewrite(path, pieces),
    )
    return written


def test_a_cassette_is_written_once_however_many_files_it_is_made_of(tmp_path, writes):
    paths = [tape(tmp_path / "old" / f"{n}.yaml", (f"hi {n}", "x"), ("hi", "y")) for n in range(9)]
    assert run(import_command, "--to", "all", *paths).exit_code == 0
    assert writes == ["all.yaml"]
    assert len(read(tmp_path / "cassettes" / "all.yaml")) == 18


def test_of_files_into_one_cassette_one_that_cannot_be_saved_is_left_alone(
    tmp_path, monkeypatch, writes
):
    def refusing(path, news, step):
        if any(b"bad" in new.interaction.request.body for new in news):
            raise CassetteError("it cannot be written")
        return save(path, news, step)

    monkeypatch.setattr("promptdeck.cli.importing.save", refusing)
    paths = [tape(tmp_path / f"{name}.yaml", (name, "x")) for name in ("a", "bad", "c")]
    ran = run(import_command, "--to", "all", *paths)
    assert ran.exit_code == 4
    assert ran.output.count("it cannot be written") == 1
    assert sorted(said(tmp_path / "cassettes" / "all.yaml")) == ["x", "x"]
    assert writes == ["all.yaml", "all.yaml"]


def test_recordings_of_other_requests_stay(tmp_path):
    path = tmp_path / "cassettes" / "all.yaml"
    save(path, [new(interaction("mine", "stays"))])
    run(import_command, "--to", "all", tape(tmp_path / "a.yaml", ("hi", "comes")))
    assert sorted(said(path)) == ["comes", "stays"]


def test_what_is_not_carried_is_listed_and_the_rest_kept(tmp_path):
    ran = run(import_command, tape(tmp_path / "a.yaml", ("hi", "kept"), ("ho", None)))
    assert ran.exit_code == 1
    [line] = ran.stdout.splitlines()
    assert line.startswith(f"{tmp_path}/a.yaml:")
    assert line.endswith(": its answer is an error, status 500; --errors carries it")
    assert ran.stderr == "1 recording from 1 file in 1 cassette; 1 not carried\n"
    assert said(tmp_path / "cassettes/a.yaml") == ["kept"]


def test_error_answers_are_carried_on_request(tmp_path):
    assert run(import_command, "--errors", tape(tmp_path / "a.yaml", ("ho", None))).exit_code == 0
    [item] = read(tmp_path / "cassettes/a.yaml")
    assert item.response.status == 500


def test_an_unreadable_file_ends_with_4_and_the_others_are_imported(tmp_path):
    good = tape(tmp_path / "good.yaml", ("hi", "kept"))
    bad = tmp_path / "bad.yaml"
    bad.write_text("interactions:\n- !!python/object:os.x {}\n")
    ran = run(import_command, bad, good, tmp_path / "none.yaml")
    assert ran.exit_code == 4
    assert f"{bad}: line 2: " in ran.stdout
    assert "none.yaml: cannot be read" in ran.stdout
    assert said(tmp_path / "cassettes/good.yaml") == ["kept"]


def test_a_file_that_lies_where_its_cassette_would_is_left_alone(tmp_path):
    path = tape(tmp_path / "cassettes" / "a.yaml", ("hi", "x"))
    before = path.read_bytes()
    ran = run(import_command, path)
    assert ran.exit_code == 4
    assert path.read_bytes() == before


def test_the_verdict_as_json(tmp_path):
    tape(tmp_path / "a.yaml", ("hi", "x"), ("ho", None))
    ran = run(import_command, "--json", "a.yaml")
    assert ran.exit_code == 1
    told = orjson.loads(ran.output)
    assert (told["files"], told["carried"], told["replaced"]) == (1, 1, 0)
    assert told["cassettes"] == ["cassettes/a.yaml"]
    assert [item["file"] for item in told["not_carried"]] == ["a.yaml"]
    assert told["unreadable"] == []


def test_a_name_that_no_cassette_can_have_is_wrong_usage(tmp_path):
    ran = run(import_command, "--to", "../up", tape(tmp_path / "a.yaml", ("hi", "x")))
    assert isinstance(ran.exception, UsageError)
    assert not (tmp_path / "cassettes").exists()


def test_an_export_imported_again_has_the_same_recordings(tmp_path):
    path = tmp_path / "cassettes" / "trip.yaml"
    recordings = [interaction("hi", "one two"), interaction("hi", "one two", stream=True)]
    save(path, [new(item) for item in recordings])
    exported = run(export_command, "trip", "--output", "trip.har")
    assert (exported.exit_code, exported.output) == (0, "2 recordings written to trip.har\n")
    assert run(import_command, "--to", "back", "trip.har").exit_code == 0
    assert read(tmp_path / "cassettes/back.yaml") == read(path)


def test_an_export_is_printed_where_no_file_is_named(tmp_path):
    save(tmp_path / "cassettes" / "trip.yaml", [new(interaction())])
    ran = run(export_command, "trip", "--format", "har")
    assert len(orjson.loads(ran.stdout)["log"]["entries"]) == 1


def test_an_export_that_has_no_cassette_or_no_place_says_so(tmp_path):
    ran = run(export_command, "trap")
    assert "there is no cassette trap in cassettes" in str(ran.exception)
    save(tmp_path / "cassettes" / "trip.yaml", [new(interaction())])
    ran = run(export_command, "trip", "--output", "no/where.har")
    assert "no/where.har: cannot be written" in str(ran.exception)


def test_files_whose_names_become_one_are_named(tmp_path):
    tape(tmp_path / "old" / "test_it[a b].yaml", ("x", "1"))
    tape(tmp_path / "old" / "test_it[a-b].yaml", ("y", "2"))
    ran = run(import_command, "old")
    assert ran.exit_code == 0
    assert (
        "test_it[a-b].yaml goes into cassettes/test_it-a-b.yaml, as old/test_it[a b]" in ran.output
    )
    assert len(read(path_of(tmp_path / "cassettes", "test_it-a-b"))) == 2


def test_a_time_that_no_cassette_can_hold_is_the_file_s(tmp_path):
    path = tape(tmp_path / "a.yaml", ("x", "1"))
    found = yaml.safe_load(path.read_text())
    found["interactions"][0]["recorded_at"] = "0001-01-01T00:00:00+14:00"
    path.write_text(yaml.safe_dump(found))
    assert run(import_command, "a.yaml").exit_code == 0
    [one] = read(path_of(tmp_path / "cassettes", "a"))
    assert abs(one.recorded_at - path.stat().st_mtime) < 0.001


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
    tape(tmp_path / "a.yaml", ("x", "1"))
    (tmp_path / "file").write_text("")
    ran = run(import_command, "a.yaml", "--cassettes", "file/x")
    assert ran.exit_code == 4
    assert "file/x/a.yaml: cannot be written: " in ran.output


def test_a_file_is_not_imported_into_itself(tmp_path):
    path = tape(tmp_path / "cassettes" / "a.yaml", ("x", "1"))
    text = path.read_text()
    ran = run(import_command, "cassettes")
    assert ran.exit_code == 4
    assert "cassettes/a.yaml: it would be its own cassette; name another folder" in ran.output
    assert path.read_text() == text


def replayed(path):
    """What a cassette's recordings answer, in the order in which replay plays them."""
    found = in_recorded_order(read(path), lambda item: item)
    bodies = [orjson.loads(item.response.body) for item in found]
    return [body["choices"][0]["message"]["content"] for body in bodies]


def dated(path, dates):
    """A vcrpy cassette of prompts `q0`, `q1` ... with these `Date` headers, None for none."""
    tape(path, *((f"q{number}", str(number)) for number in range(len(dates))))
    value = yaml.safe_load(path.read_text())
    for entry, date in zip(value["interactions"], dates, strict=True):
        if date is not None:
            entry["response"]["headers"] = JSON | {
                "Date": [f"Mon, 05 Feb 2024 10:00:{date:02} GMT"]
            }
    path.write_text(yaml.safe_dump(value))


@pytest.mark.parametrize(
    "dates",
    [
        pytest.param([None] * 9, id="none"),
        pytest.param([7] * 9, id="the same"),
        pytest.param([5, 5, 6, 6, 6, 7, 8, 8, 8], id="to the second"),
        pytest.param([None, None, 3, None, None, 4, 4, None, None], id="here and there"),
        pytest.param([8, 7, 6, 5, 4, 3, 2, 1, 0], id="of a clock that goes back"),
    ],
)
def test_what_has_no_time_of_its_own_replays_in_the_file_s_order(tmp_path, dates):
    dated(tmp_path / "old" / "t.yaml", dates)
    assert run(import_command, "old").exit_code == 0
    path = path_of(tmp_path / "cassettes", "t")
    assert replayed(path) == [str(number) for number in range(9)]
    before = path.read_bytes()
    assert run(import_command, "old").exit_code == 0
    assert path.read_bytes() == before


def test_files_of_one_time_imported_into_one_cassette_replay_file_by_file(tmp_path):
    for name in "ab":
        path = tmp_path / "old" / f"{name}.yaml"
        dated(path, [3] * 5)
        path.write_text(re.sub(r"\bq(\d)", rf"{name}\1", path.read_text()))
    assert run(import_command, "old", "--to", "all").exit_code == 0
    assert replayed(path_of(tmp_path / "cassettes", "all")) == list("0123401234")

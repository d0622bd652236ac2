"""What `cassette import` says of a run: a line for each file and reason, with the mend."""

import orjson
import pytest
import yaml
from click.testing import CliRunner

from promptdeck.cli import cli
from promptdeck.core.secrets.redact import Redactor
from promptdeck.stores.cassettes.file import read
from promptdeck.stores.cassettes.verify import verify
from tests.other_tools import URL, answer, prompt

JSON = {"Content-Type": ["application/json"]}


def entry(said=None, *, url=URL, status=200, asked=None):
    return {
        "request": {"method": "POST", "uri": url, "body": asked or prompt(), "headers": JSON},
        "response": {
            "status": {"code": status, "message": ""},
            "headers": JSON,
            "body": {"string": answer() if said is None else said},
        },
    }


def imported(folder, *argv, **files):
    """Run the command over files of entries, which are named `NAME.yaml`."""
    (folder / "old").mkdir()
    for name, entries in files.items():
        text = yaml.safe_dump({"interactions": entries, "version": 1})
        (folder / "old" / f"{name}.yaml").write_text(text)
    where = ["--cassettes", str(folder / "cassettes")]
    return CliRunner().invoke(cli, ["cassette", "import", str(folder / "old"), *where, *argv])


def kept(folder, name):
    return list(read(folder / "cassettes" / f"{name}.yaml"))


UNFINISHED = answer().replace('"stop"', "null")


def test_entries_of_a_file_with_the_same_reason_are_one_line_with_the_mend(tmp_path):
    ran = imported(
        tmp_path,
        a=[entry(status=500), entry(UNFINISHED), *[entry(status=500)] * 3, entry()],
        b=[entry(status=500)],
    )
    assert ran.exit_code == 1
    one, half, other = ran.stdout.splitlines()
    assert one.endswith(
        "a.yaml:2 (and 3 more of its entries): not carried: its answer is an error, status 500;"
        " --errors carries it"
    )
    assert half.endswith(
        ": not carried: choice 0 has no finish_reason; --keep-unfinished carries it"
    )
    assert other.endswith("b.yaml:2: not carried: " + one.partition("not carried: ")[2])
    assert ran.stderr.splitlines() == ["1 recording from 2 files in 1 cassette; 6 not carried"]


def test_a_file_of_another_tool_is_one_line_however_much_is_in_it(tmp_path):
    ran = imported(tmp_path, a=[{"kind": "message", "request_sample": {}}] * 30, b=[entry()])
    assert ran.exit_code == 1
    [line] = ran.stdout.splitlines()
    assert line.endswith("its `interactions` are another tool's, without `request` and `response`")
    assert len(kept(tmp_path, "b")) == 1


@pytest.mark.parametrize(
    "half",
    [
        UNFINISHED,
        answer().replace("choices", "chosen"),
        "<html>sign in</html>",
        "not json",
        "",
    ],
)
def test_half_an_answer_is_carried_on_request_with_a_warning(tmp_path, half):
    ran = imported(tmp_path, "--keep-unfinished", a=[entry(half)])
    assert ran.exit_code == 0
    [warning] = ran.stderr.splitlines()
    assert "a.yaml:2: carried, though " in warning
    [made] = kept(tmp_path, "a")
    assert made.response.body == half.encode()


def test_a_whole_answer_needs_no_warning_and_an_error_is_no_half(tmp_path):
    error = orjson.dumps({"error": {"message": "filtered"}}).decode()
    ran = imported(tmp_path, "--keep-unfinished", a=[entry(), entry(error)])
    assert ran.exit_code == 1
    [line] = ran.stdout.splitlines()
    assert line.endswith("not carried: the body reports an error; --errors carries it")


def test_errors_are_carried_in_their_order_whatever_their_status(tmp_path):
    error = orjson.dumps({"error": {"message": "filtered"}}).decode()
    ran = imported(tmp_path, "--errors", a=[entry(error), entry(error, status=429), entry()])
    assert ran.exit_code == 0
    assert [one.response.status for one in sorted(kept(tmp_path, "a"), key=by_time)] == [
        200,
        429,
        200,
    ]


def by_time(one):
    return one.recorded_at


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("", "/v1/chat/completions"),
        ("https://api.openai.com/v1/chat/completions", "/v1/chat/completions"),
        ("https://api.openai.com/v1/responses", "/v1/chat/completions"),
        (
            "https://r.azure.com/openai/deployments/d/chat/completions?api-version=1",
            "/v1/deployments/d/chat/completions?api-version=1",
        ),
    ],
)
def test_a_lost_url_is_what_the_answer_is_at_the_base_that_the_user_names(tmp_path, url, target):
    argv = ["--url", url] if url else []
    ran = imported(tmp_path, *argv, a=[entry(url="**REDACTED**")])
    assert ran.exit_code == 0, ran.output
    [made] = kept(tmp_path, "a")
    assert made.request.target == target
    assert not verify(tmp_path / "cassettes" / "a.yaml", Redactor())


def test_where_the_answer_does_not_tell_the_url_it_is_asked_for(tmp_path):
    lost = entry('{"candidates": []}', url="<redacted>", asked='{"contents": []}')
    ran = imported(tmp_path, a=[lost])
    assert ran.exit_code == 1
    assert "its URL is lost, and its answer does not tell it; --url URL says it" in ran.stdout
    path = "/v1beta/models/g:generateContent"
    argv = ["--url", f"https://generativelanguage.googleapis.com{path}", "--keep-unfinished"]
    argv += ["--cassettes", str(tmp_path / "cassettes")]
    ran = CliRunner().invoke(cli, ["cassette", "import", str(tmp_path / "old"), *argv])
    assert ran.exit_code == 0, ran.output
    [made] = kept(tmp_path, "a")
    assert made.request.target == path


def test_a_url_without_a_path_is_refused(tmp_path):
    ran = imported(tmp_path, "--url", "api.openai.com", a=[entry()])
    assert "is no URL with a path" in str(ran.exception)


def test_json_has_reasons_mends_and_warnings(tmp_path):
    ran = imported(
        tmp_path, "--json", "--keep-unfinished", a=[entry(UNFINISHED), entry(status=500)]
    )
    told = orjson.loads(ran.stdout)
    [left], [half] = told["not_carried"], told["unfinished"]
    assert left["mend"] == "--errors carries it"
    assert half["reason"] == "choice 0 has no finish_reason"


@pytest.mark.parametrize("length", [150, 200, 212, 300, 600])
def test_a_path_of_any_length_makes_a_cassette_and_no_two_the_same(tmp_path, length):
    deep = "/".join(["d" * 60] * (length // 60) + ["x" * (length % 60)])
    data = yaml.safe_dump({"interactions": [entry()], "version": 1})
    for name in ("short", f"{deep}a", f"{deep}b"):
        path = tmp_path / "old" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(data)
    argv = [str(tmp_path / "old"), "--cassettes", str(tmp_path / "cassettes"), "--json"]
    ran = CliRunner().invoke(cli, ["cassette", "import", *argv])
    told = orjson.loads(ran.stdout)
    assert (ran.exit_code, told["carried"], len(told["cassettes"])) == (0, 3, 3)
    again = orjson.loads(CliRunner().invoke(cli, ["cassette", "import", *argv]).stdout)
    assert again["cassettes"] == told["cassettes"]
    assert again["replaced"] == 3


def test_a_file_name_of_the_longest_kind_is_carried(tmp_path):
    ran = imported(tmp_path, **{"y" * 245: [entry()]})
    assert ran.exit_code == 0, ran.output

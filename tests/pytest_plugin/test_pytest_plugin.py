"""The pytest plugin, as its users meet it: whole runs of pytest, each in a process of its own."""

import subprocess
import sys

import orjson
import pytest

import promptdeck.stores.cassettes.dump  # noqa: F401  pytester forgets what a test imports first
from promptdeck.stores.cassettes.file import names, read
from tests.pytest_project import Project, told
from tests.scripted_upstream import Upstream

NOWHERE = "http://127.0.0.1:9/v1"

ONE = """
def test_rivers(promptdeck):
    assert ask("Name three rivers in Europe", promptdeck.base_url) == "answer 1"
    assert promptdeck.base_url == promptdeck.root + "/v1"
"""


async def test_what_was_recorded_replays_without_a_network(
    project: Project, provider: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.tests(ONE)
    # Else pytest-asyncio, where it is installed, warns.
    project.ini("asyncio_default_fixture_loop_scope = function")
    recorded = await project.run_as_installed("--record-mode=record")
    recorded.assert_outcomes(passed=1)
    assert told(recorded) == "0 hits, 0 misses, 1 recorded, 1 upstream call"
    assert names(project.path / "cassettes") == ["test_it/test_rivers"]
    monkeypatch.setenv("PROMPTDECK_UPSTREAM_URL", NOWHERE)
    replayed = await project.run_as_installed()
    replayed.assert_outcomes(passed=1)
    assert told(replayed) == "1 hit, 0 misses, 0 recorded, 0 upstream calls; 7 tokens not spent"
    assert len(provider.seen) == 1


async def test_nothing_but_the_option_goes_online(
    project: Project, provider: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMPTDECK_MODE", "record")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    project.path.joinpath("promptdeck.yaml").write_text("mode: record\n")
    project.tests(ONE)
    result = await project.run()
    result.assert_outcomes(failed=1)
    assert told(result) == "0 hits, 1 miss, 0 recorded, 0 upstream calls"
    assert provider.seen == []
    assert not project.path.joinpath("cassettes").exists()


async def test_a_changed_prompt_fails_the_test_although_its_code_swallowed_the_error(
    project: Project,
) -> None:
    await project.recorded("test_it/test_rivers", "Name three rivers in Europe")
    project.tests("""
def test_rivers(promptdeck):
    ask("Name three rivers in Asia", promptdeck.base_url)
""")
    result = await project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "promptdeck: 1 request had no recording in cassettes/test_it/test_rivers.yaml",
            "*$.messages[[]0].content  (Europe -> Asia)",
            "FAILED test_it.py::test_rivers*",
        ]
    )


async def test_a_test_that_failed_by_itself_is_explained_too(project: Project) -> None:
    await project.recorded("test_it/test_rivers", "Name three rivers in Europe")
    project.tests("""
def test_rivers(promptdeck):
    assert ask("Name three rivers in Asia", promptdeck.base_url) == "Rhine"
""")
    result = await project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E * assert '' == 'Rhine'", "E *(Europe -> Asia)"])


async def test_of_many_misses_the_first_are_explained(project: Project) -> None:
    await project.recorded("test_it/test_rivers", "prompt")
    project.tests("""
def test_rivers(promptdeck):
    for number in range(8):
        ask(f"prompt {number}", promptdeck.base_url)
""")
    result = await project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["promptdeck: 8 requests had no recording in *", "... and 3 more."])
    assert result.stdout.str().count("No recording matches") == 5


async def test_a_miss_while_a_test_is_torn_down_is_an_error(project: Project) -> None:
    project.tests("""
@pytest.fixture
def app(promptdeck):
    yield
    ask("goodbye", promptdeck.base_url)

def test_app(app):
    pass
""")
    result = await project.run()
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["It was asked while the test was torn down."])


LEFTOVER = """
def test_rivers(promptdeck):
    ask("used", promptdeck.base_url)
"""


async def test_a_recording_that_is_not_used_fails_the_test_and_is_named(project: Project) -> None:
    path = await project.recorded("test_it/test_rivers", "used", "left over")
    left = next(item for item in read(path) if b"left over" in item.request.body)
    line = path.read_text().splitlines().index(f"- id: {left.id}") + 1
    project.tests(LEFTOVER)
    result = await project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "promptdeck: 1 recording was not used",
            f"  cassettes/test_it/test_rivers.yaml:{line}: {left.id}",
        ]
    )


async def test_what_is_not_used_can_be_a_warning_or_nothing(project: Project) -> None:
    await project.recorded("test_it/test_rivers", "used", "left over")
    project.tests(LEFTOVER)
    warned = await project.run("--cassette-unused=warn", "-W", "default")
    warned.assert_outcomes(passed=1, warnings=1)
    warned.stdout.fnmatch_lines(["*UnusedRecordingWarning: promptdeck: 1 recording was not used"])
    project.ini("cassette_unused = ignore")
    (await project.run()).assert_outcomes(passed=1)


async def test_a_mark_allows_what_is_not_used_and_a_failed_test_is_not_told(
    project: Project,
) -> None:
    await project.recorded("rivers", "used", "left over")
    project.tests("""
pytestmark = pytest.mark.cassette(name="rivers")

@pytest.mark.cassette(allow_unused=True)
def test_marked(promptdeck):
    assert ask("used", promptdeck.base_url) == "answer 1"

def test_fails_by_itself(promptdeck):
    assert False, "by itself"
""")
    result = await project.run()
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.no_fnmatch_line("*not used*")


async def test_a_failed_test_saves_nothing_unless_told_to(project: Project) -> None:
    project.tests("""
def test_good(promptdeck):
    assert ask("hi", promptdeck.base_url)

def test_bad(promptdeck):
    assert not ask("hi", promptdeck.base_url)
""")
    result = await project.run("--record-mode=record-missing")
    result.assert_outcomes(passed=1, failed=1)
    assert told(result).startswith("0 hits, 0 misses, 1 recorded, 2 upstream calls")
    assert names(project.path / "cassettes") == ["test_it/test_good"]
    project.ini("cassette_keep_failed = true")
    await project.run("--record-mode=record-missing")
    assert names(project.path / "cassettes") == ["test_it/test_bad", "test_it/test_good"]


async def test_workers_of_xdist_record_replay_and_add_up(
    project: Project, provider: Upstream
) -> None:
    project.tests("""
@pytest.mark.parametrize("who", ["Ann", "ann", "a/b", "", "\u00fc" * 300, "x y", "x-y"])
def test_greets(promptdeck, who):
    assert ask(f"Greet {who}", promptdeck.base_url)
""")
    recorded = await project.run("-n", "2", "--record-mode=record", plugins=["xdist"])
    recorded.assert_outcomes(passed=7)
    assert told(recorded).startswith("0 hits, 0 misses, 7 recorded, 7 upstream calls")
    assert len(names(project.path / "cassettes")) == 7
    replayed = await project.run("-n", "2", "--cassette-report=out/report.jsonl", plugins=["xdist"])
    replayed.assert_outcomes(passed=7)
    assert told(replayed) == "7 hits, 0 misses, 0 recorded, 0 upstream calls; 49 tokens not spent"
    assert len(provider.seen) == 7
    assert len((project.path / "out/report.jsonl").read_bytes().splitlines()) == 7


async def test_clients_of_openai_and_threads_play_their_own_test_s_cassette(
    project: Project,
) -> None:
    pytest.importorskip("openai")
    await project.recorded("test_it/test_sync", "hi")
    await project.recorded("test_it/test_async", "hi")
    await project.recorded("test_it/test_threads", "hi")
    project.tests("""
import gc
from concurrent.futures import ThreadPoolExecutor

CHAT = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}

def test_sync(openai_client, promptdeck):
    answer = openai_client.chat.completions.create(**CHAT)
    assert answer.choices[0].message.content == "answer 1"
    assert promptdeck.report()["hits"] == 1

@pytest.mark.asyncio
async def test_async(async_openai_client):
    async with await async_openai_client.chat.completions.create(**CHAT, stream=True) as stream:
        said = [chunk.choices[0].delta.content or "" async for chunk in stream]
    assert "".join(said) == "answer 2"

def test_threads(promptdeck_env):
    gc.collect()
    with ThreadPoolExecutor() as pool:
        assert set(pool.map(ask, ["hi"] * 20)) == {"answer 3"}
    assert promptdeck_env.report()["hits"] == 20
""")
    project.ini("asyncio_default_fixture_loop_scope = function")
    (await project.run(plugins=["pytest_asyncio.plugin"])).assert_outcomes(passed=3)


async def test_the_report_file_has_a_json_line_for_each_test(project: Project) -> None:
    path = await project.recorded("test_it/test_rivers", "used", "left over")
    project.tests(
        LEFTOVER + "\ndef test_misses(promptdeck):\n    ask('new', promptdeck.base_url)\n"
    )
    await project.run("--cassette-report=report.jsonl")
    rivers, misses = map(orjson.loads, (project.path / "report.jsonl").read_bytes().splitlines())
    assert (rivers["test"], rivers["outcome"]) == ("test_it.py::test_rivers", "failed")
    assert rivers["cassette"] == str(path)
    assert (rivers["hits"], rivers["misses"], rivers["tokens_saved"]) == (1, 0, 7)
    assert {*rivers["played"], *rivers["unplayed"]} == {item.id for item in read(path)}
    assert (misses["misses"], misses["line"]) == (1, 7)
    assert misses["missed"][0]["reason"] == "cassette_missing"


async def test_github_shows_each_miss_beside_its_test(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(project.path.parent))
    await project.recorded("test_it/test_rivers", "100% of\nEurope")
    project.tests("""
def test_rivers(promptdeck):
    ask("100% of\\nAsia", promptdeck.base_url)
""")
    result = await project.run()
    [line] = [line for line in result.outlines if line.startswith("::error ")]
    assert line.startswith(f"::error file={project.path.name}/test_it.py,line=4,title=")
    assert "title=promptdeck%3A no recording for test_it.py%3A%3Atest_rivers::" in line
    assert "(Europe -> Asia)" in line


@pytest.mark.parametrize(
    ("mode", "outcomes", "counts"),
    [
        ("none", {"failed": 2}, "1 hit, 2 misses, 0 recorded, 0 upstream calls"),
        ("once", {"failed": 1, "passed": 1}, "1 hit, 1 miss, 1 recorded, 1 upstream call"),
        ("new_episodes", {"passed": 2}, "1 hit, 0 misses, 2 recorded, 2 upstream calls"),
        ("all", {"passed": 2}, "0 hits, 0 misses, 3 recorded, 3 upstream calls"),
        ("passthrough", {"passed": 2}, "0 hits, 0 misses, 0 recorded, 3 upstream calls"),
    ],
)
async def test_modes_have_the_names_of_pytest_recording_too(
    project: Project, mode: str, outcomes: dict[str, int], counts: str
) -> None:
    await project.recorded("test_it/test_has_a_cassette", "old")
    project.tests("""
def test_has_a_cassette(promptdeck):
    ask("old", promptdeck.base_url)
    ask("new", promptdeck.base_url)

def test_has_none(promptdeck):
    ask("new", promptdeck.base_url)
""")
    result = await project.run(f"--record-mode={mode}")
    result.assert_outcomes(**outcomes)
    assert told(result).startswith(counts)


async def test_a_mark_names_the_cassette_sets_the_rules_and_is_enough(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    await project.recorded("shared/greetings", "Hello at 2026-01-01", "twice")
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    project.tests("""
import os

@pytest.mark.cassette(
    name="shared/greetings", match={"replace": ["date"]}, repeat=False, allow_unused=True
)
class TestGreetings:
    def test_of_any_day(self):
        assert ask("Hello at 2027-12-31") == "answer 1"

    def test_once_only(self):
        assert ask("twice")
        assert not ask("twice")

@pytest.fixture(scope="module")
def lasting():
    return os.environ.get("OPENAI_BASE_URL")

@pytest.fixture
def own():
    return os.environ.get("OPENAI_BASE_URL")

@pytest.mark.parametrize("n", [0, pytest.param(1, marks=pytest.mark.cassette(name="none"))])
def test_one_parameter(own, lasting, n):
    assert lasting is None
    assert bool(own) == bool(n)
""")
    result = await project.run()
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(["FAILED test_it.py::TestGreetings::test_once_only*"])


async def test_a_mark_that_cannot_be_says_why(project: Project) -> None:
    project.tests("""
@pytest.mark.cassette(nmae="x")
def test_misspelt(): pass

@pytest.mark.cassette(name="../x")
def test_leads_out(): pass

@pytest.mark.cassette(match={"ignore": ["nonsense"]})
def test_has_no_path(): pass
""")
    result = await project.run()
    result.assert_outcomes(errors=3)
    result.stdout.fnmatch_lines(
        [
            "*knows name, match, repeat, draws, allow_unused, not nmae",
            "promptdeck: *../x*",
            "promptdeck: ignore*nonsense*",
        ]
    )


async def test_cassettes_lie_beside_their_tests_or_in_the_folder_asked_for(
    project: Project,
) -> None:
    for folder in ("a b", "c"):
        project.path.joinpath(folder).mkdir()
        project.tests("def test_x(promptdeck):\n    assert ask('hi', promptdeck.base_url)\n")
        project.path.joinpath("test_it.py").rename(project.path / folder / "test_it.py")
    flags = ("--import-mode=importlib", "-o", "pythonpath=.", "--record-mode=record")
    (await project.run(*flags)).assert_outcomes(passed=2)
    for folder in ("a b", "c"):
        assert names(project.path / folder / "cassettes") == ["test_it/test_x"]
    (await project.run(*flags, "--cassette-dir=all")).assert_outcomes(passed=2)
    spaced, plain = names(project.path / "all")
    assert spaced.startswith("a-b-")
    assert plain == "c/test_it/test_x"


def test_who_does_not_use_it_does_not_wait_for_it() -> None:
    code = (
        "import pytest, sys; before = set(sys.modules); import promptdeck.pytest_plugin;"
        "print(*sorted(set(sys.modules) - before))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = ran.stdout.split()
    assert "promptdeck.pytest_plugin" in loaded
    assert {name for name in loaded if name.partition(".")[0] != "promptdeck"} <= {
        *sys.stdlib_module_names
    }
    assert not {"asyncio", "http.client", "promptdeck.app", "promptdeck.config"} & set(loaded)


async def test_a_token_for_others_is_none_for_the_tests(project: Project) -> None:
    project.path.joinpath("promptdeck.yaml").write_text(
        "server: {host: 0.0.0.0, token: deck-token}\n"
    )
    await project.recorded("test_it/test_rivers", "Name three rivers in Europe")
    project.tests(ONE)
    (await project.run()).assert_outcomes(passed=1)

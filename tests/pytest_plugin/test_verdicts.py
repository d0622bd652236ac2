"""The plugin beside others' habits: TestCases, skips, subtests, reruns, marks from a conftest."""

from pathlib import Path

import pytest

from promptdeck.stores.cassettes.file import read
from tests.pytest_project import Project, told
from tests.scripted_upstream import Upstream


async def test_a_test_case_of_unittest_is_judged_and_explained(project: Project) -> None:
    project.tests("""
import unittest

@pytest.mark.cassette
class TestApp(unittest.TestCase):
    def test_fails_by_itself(self):
        self.assertEqual(ask("one"), "answer")

    def test_swallows(self):
        ask("two")

    def test_skips(self):
        if not ask("three"):
            self.skipTest("no model")

    def test_asks_nothing(self):
        self.skipTest("not today")

@pytest.mark.cassette
class TestAsync(unittest.IsolatedAsyncioTestCase):
    async def test_swallows(self):
        ask("four")
""")
    result = await project.run()
    result.assert_outcomes(failed=4, skipped=1)
    result.stdout.fnmatch_lines(
        [
            "E       AssertionError: '' != 'answer'",
            "E       There is no cassette test_it/TestApp.test_fails_by_itself.",
            "There is no cassette test_it/TestApp.test_skips.",
            "The test then skipped itself: no model",
            "There is no cassette test_it/TestApp.test_swallows.",
            "There is no cassette test_it/TestAsync.test_swallows.",
        ]
    )


async def test_a_test_that_skips_since_nothing_answered_fails(project: Project) -> None:
    project.tests("""
def test_skips(promptdeck):
    if not ask("one", promptdeck.base_url):
        pytest.skip("no model")
""")
    result = await project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["The test then skipped itself: no model"])
    result.stdout.no_fnmatch_line("During handling*")


async def test_a_test_with_a_failed_subtest_saves_nothing(project: Project) -> None:
    project.tests("""
def test_parts(promptdeck, subtests):
    with subtests.test("good"):
        assert ask("one", promptdeck.base_url)
    with subtests.test("bad"):
        assert not ask("two", promptdeck.base_url)
    with subtests.test("good again"):
        pass
""")
    assert told(await project.run("--record-mode=record")).startswith(
        "0 hits, 0 misses, 0 recorded"
    )
    assert not (project.path / "cassettes").exists()


async def test_what_is_asked_in_vain_again_and_again_is_told_once(project: Project) -> None:
    project.tests("""
def test_retries(promptdeck):
    for _ in range(9):
        ask("one", promptdeck.base_url)
""")
    result = await project.run()
    result.stdout.fnmatch_lines(
        [
            "promptdeck: 9 requests had no recording in *",
            "There is no cassette test_it/test_retries.",
            "Record it with --record-mode=record-missing.",
            "(9 requests)",
        ]
    )


async def test_a_test_that_is_run_again_has_a_session_of_its_own_each_time(
    project: Project,
) -> None:
    project.pytester.makeconftest("""
        from _pytest.runner import runtestprotocol

        def pytest_runtest_protocol(item, nextitem):
            # As pytest-rerunfailures does it.
            item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
            runtestprotocol(item, nextitem=nextitem, log=False)
            item._initrequest()
            runtestprotocol(item, nextitem=nextitem)
            item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
            return True
    """)
    project.tests("""
runs = []

def test_is_flaky(request):
    runs.append(1)
    if len(runs) == 1:
        ask("one", request.getfixturevalue("promptdeck").base_url)
        assert False, "the first time"

def test_records(promptdeck):
    runs.append(1)
    assert ask("two", promptdeck.base_url) and len(runs) == 4
""")
    result = await project.run("--record-mode=record")
    result.assert_outcomes(passed=2)
    assert len(read(project.path / "cassettes/test_it/test_records.yaml")) == 1
    assert not (project.path / "cassettes/test_it/test_is_flaky.yaml").exists()


async def test_a_mark_that_a_conftest_sets_at_the_end_of_collection_counts(
    project: Project, provider: Upstream
) -> None:
    project.pytester.makeconftest("""
        import pytest

        def pytest_collection_modifyitems(items):
            for item in items:
                item.add_marker(pytest.mark.cassette)
    """)
    project.tests("def test_rivers():\n    assert ask('hi') == 'answer 1'\n")
    (await project.run("--record-mode=record")).assert_outcomes(passed=1)
    (await project.run()).assert_outcomes(passed=1)
    assert len(provider.seen) == 1


async def test_values_of_the_wrong_kind_in_a_mark_are_named(project: Project) -> None:
    project.tests("""
@pytest.mark.parametrize("n", [
    pytest.param(0, marks=pytest.mark.cassette(name=5)),
    pytest.param(1, marks=pytest.mark.cassette(repeat="no")),
    pytest.param(2, marks=pytest.mark.cassette(match=["$.x"])),
    pytest.param(3, marks=pytest.mark.cassette(draws=True)),
    pytest.param(4, marks=pytest.mark.cassette(draws=0)),
])
def test_it(n): pass
""")
    result = await project.run()
    result.assert_outcomes(errors=5)
    result.stdout.fnmatch_lines(
        [
            "@pytest.mark.cassette(name=5): must be a str",
            "@pytest.mark.cassette(repeat='no'): must be a bool",
            "@pytest.mark.cassette(match=[[]'$.x'[]]): must be a dict",
            "@pytest.mark.cassette(draws=True): must be a int",
            "promptdeck: draws*0*",
        ]
    )


async def test_draws_of_a_mark_are_recorded_and_replayed_in_turn(
    project: Project, provider: Upstream
) -> None:
    project.tests("""
@pytest.mark.cassette(draws=3)
def test_samples(promptdeck):
    said = [ask("a colour", promptdeck.base_url) for _ in range(4)]
    assert said == ["answer 1", "answer 2", "answer 3", "answer 3"]
""")
    recorded = await project.run("--record-mode=record-missing")
    recorded.assert_outcomes(passed=1)
    assert told(recorded).startswith("1 hit, 0 misses, 3 recorded, 3 upstream calls")
    replayed = await project.run()
    replayed.assert_outcomes(passed=1)
    assert told(replayed).startswith("4 hits, 0 misses, 0 recorded, 0 upstream calls")
    assert len(provider.seen) == 3


async def test_rewrite_drops_what_the_test_does_not_ask_any_more_but_nothing_shared(
    project: Project,
) -> None:
    own = await project.recorded("test_it/test_own", "new", "left over")
    shared = await project.recorded("shared", "new", "left over")
    project.tests("""
def test_own(promptdeck):
    assert ask("new", promptdeck.base_url)

@pytest.mark.cassette(name="shared", allow_unused=True)
def test_shared(promptdeck):
    assert ask("new", promptdeck.base_url)
""")
    told_of = await project.run()
    told_of.stdout.fnmatch_lines(["--record-mode=rewrite records the test anew, without it."])
    (await project.run("--record-mode=rewrite")).assert_outcomes(passed=2)
    assert (len(read(own)), len(read(shared))) == (1, 2)
    (await project.run()).assert_outcomes(passed=2)


async def test_the_command_that_a_failure_shows_takes_the_leftovers_out(project: Project) -> None:
    path = await project.recorded("test_it/test_rivers", "used", "left over")
    project.tests("def test_rivers(promptdeck):\n    ask('used', promptdeck.base_url)\n")
    failed = await project.run()
    [command] = [line for line in failed.outlines if "promptdeck cassette prune" in line]
    assert_runs(project.path, command.strip())
    assert len(read(path)) == 1
    (await project.run()).assert_outcomes(passed=1)


def assert_runs(cwd: Path, command: str) -> None:
    import shlex
    import subprocess
    import sys

    program = f"{shlex.quote(sys.executable)} -m promptdeck"
    ran = subprocess.run(
        command.replace("| promptdeck", f"| {program}"),
        shell=True,
        cwd=cwd,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr


async def test_what_keeps_a_test_from_connecting_does_not_concern_its_session(
    project: Project,
) -> None:
    project.tests("""
import sys

blocked = []

def block(event, args):
    if blocked and event == "socket.connect":
        raise RuntimeError("no sockets here")

sys.addaudithook(block)

def test_starts_the_server(promptdeck):
    pass

def test_connects_nowhere(promptdeck):
    blocked.append(1)
    assert promptdeck.report()["hits"] == 0
""")
    (await project.run()).assert_outcomes(passed=2)


RECORDING = """
def pytest_addoption(parser):
    parser.getgroup("recording").addoption(
        "--record-mode", choices=["once", "new_episodes", "none", "all", "rewrite"]
    )
"""


@pytest.mark.parametrize("loaded", [True, False], ids=["loaded", "installed only"])
async def test_pytest_recording_keeps_its_option_and_we_take_its_names(
    project: Project, provider: Upstream, loaded: bool
) -> None:
    package = project.path / "pytest_recording"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "plugin.py").write_text(RECORDING)
    project.tests("def test_rivers(promptdeck):\n    assert ask('hi', promptdeck.base_url)\n")
    plugins = ["pytest_recording.plugin"] if loaded else []
    missed = await project.run(plugins=plugins)
    mode = "new_episodes" if loaded else "record-missing"
    missed.stdout.fnmatch_lines([f"E*Record it with --record-mode={mode}."])
    (await project.run("--record-mode=all", plugins=plugins)).assert_outcomes(passed=1)
    (await project.run("--record-mode=none", plugins=plugins)).assert_outcomes(passed=1)
    assert len(provider.seen) == 1


async def test_a_report_that_cannot_be_written_fails_the_run_in_one_line(
    project: Project,
) -> None:
    project.tests("def test_rivers(promptdeck):\n    pass\n")
    result = await project.run("--cassette-report=test_it.py/report.jsonl")
    assert result.ret == 1
    result.stderr.fnmatch_lines(["Exit: promptdeck: cannot write *report.jsonl: *"])
    assert "INTERNALERROR" not in result.stdout.str()

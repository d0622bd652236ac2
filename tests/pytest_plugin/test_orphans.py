"""Cassettes of tests that are no more are told of, and never one that has a test."""

import pytest

from tests.pytest_project import Project

RECORDED = "# promptdeck cassette\npromptdeck: 1\ninteractions:\n"

TESTS = """
import sys

@pytest.mark.parametrize("who", ["ann", "bob"])
def test_greets(promptdeck, who): pass

class TestApp:
    def test_runs(self, promptdeck): pass

@pytest.mark.cassette(name="test_it/test_shared", allow_unused=True)
def test_has_a_name(): pass

if sys.platform == "nowhere":
    def test_elsewhere(promptdeck): pass

    class TestElsewhere:
        def test_runs(self, promptdeck): pass
"""

CLAIMED = ["test_greets-ann", "test_greets-bob", "TestApp.test_runs", "test_shared"]
WRITTEN = ["test_elsewhere", "test_elsewhere-1", "TestElsewhere.test_runs"]


def lay(project: Project, *names: str, text: str = RECORDED, folder: str = "cassettes") -> None:
    for name in names:
        path = project.path / folder / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def listed(result: pytest.RunResult) -> list[str]:
    """The files that the summary names."""
    lines = result.outlines
    at = [number for number, line in enumerate(lines) if "belong" in line and "to no test" in line]
    found = [line.strip() for line in lines[at[0] + 1 :] if line.startswith("  ")] if at else []
    if found:
        assert f"rm {' '.join(found)}" in "\n".join(lines)
    return found


async def test_what_no_test_has_is_listed_with_the_command_that_removes_it(
    project: Project,
) -> None:
    project.tests(TESTS)
    lay(project, *(f"test_it/{name}" for name in CLAIMED + WRITTEN))
    lay(project, "test_it/test_renamed", "test_it/TestApp.test_gone", "test_it/test_greets-eve")
    lay(project, "test_moved/test_x", "test_moved/TestX.test_y-1-2-abcd1234")
    # Named by hand, or another tool's: others may use them.
    lay(project, "plain", "shared/test_x", "test_it/by_hand", "test_data/france")
    lay(project, "test_it/test_vcr", text="interactions: []\nversion: 1\n")
    expected = [
        "cassettes/test_it/TestApp.test_gone.yaml",
        "cassettes/test_it/test_greets-eve.yaml",
        "cassettes/test_it/test_renamed.yaml",
        "cassettes/test_moved/TestX.test_y-1-2-abcd1234.yaml",
        "cassettes/test_moved/test_x.yaml",
    ]
    result = await project.run("--cassette-unused=ignore")
    result.assert_outcomes(passed=4)
    assert listed(result) == expected
    result.stdout.fnmatch_lines(["promptdeck: 5 cassettes belong to no test"])
    # What is deselected is there all the same, and workers collect what one process does.
    assert listed(await project.run("-k", "ann")) == expected
    workers = await project.run("-n2", "--cassette-unused=ignore", plugins=["xdist"])
    assert listed(workers) == expected


@pytest.mark.long
async def test_it_fails_the_run_or_says_nothing_as_it_is_set(project: Project) -> None:
    project.tests("def test_x(promptdeck): pass\n")
    lay(project, "test_it/test_renamed")
    assert (await project.run()).ret == 0
    failed = await project.run("--cassette-orphans=fail")
    assert (failed.ret, len(listed(failed))) == (1, 1)
    failed.stdout.fnmatch_lines(["promptdeck: 1 cassette belongs to no test"])
    project.ini("cassette_orphans = ignore")
    assert listed(await project.run()) == []
    project.ini("cassette_orphans = sometimes")
    (await project.run()).stderr.fnmatch_lines(["ERROR: cassette_orphans is 'sometimes'; *"])


async def test_of_a_part_of_the_tests_only_that_part_is_judged(project: Project) -> None:
    project.tests("def test_x(promptdeck): pass\n")
    project.tests(
        '@pytest.mark.cassette(name="test_it/test_y")\ndef test_o(): pass\n', "test_other"
    )
    lay(
        project, "test_it/test_renamed", "test_it/test_y", "test_other/test_gone", "test_old/test_x"
    )
    ignoring = "--cassette-unused=ignore"
    renamed = "cassettes/test_it/test_renamed.yaml"
    gone = "cassettes/test_other/test_gone.yaml"
    assert listed(await project.run(ignoring)) == [
        renamed,
        "cassettes/test_old/test_x.yaml",
        gone,
    ]
    assert listed(await project.run(ignoring, "test_it.py")) == [renamed]
    assert listed(await project.run(ignoring, "test_it.py::test_x")) == []
    assert listed(await project.run(ignoring, "--ignore=test_it.py")) == [gone]
    assert listed(await project.run("--collect-only")) == []


async def test_a_file_that_was_not_collected_to_its_end_is_not_judged(project: Project) -> None:
    project.tests("pytest.skip('not here', allow_module_level=True)\n")
    project.tests("def test_x(promptdeck): pass\n", "test_other")
    lay(project, "test_it/test_a", "test_other/test_gone", "test_old/test_x")
    assert listed(await project.run()) == ["cassettes/test_other/test_gone.yaml"]
    project.tests("raise RuntimeError('broken')\n")
    broken = await project.run("--continue-on-collection-errors")
    assert listed(broken) == ["cassettes/test_other/test_gone.yaml"]


async def test_a_folder_of_tests_may_have_no_cassettes(project: Project) -> None:
    lay(project, "test_it/test_gone")
    for name in ("test_it", "elsewhere/test_other"):
        path = project.path / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text("def test_x(): pass\n")
    result = await project.run()
    result.assert_outcomes(passed=2)
    assert (result.ret, listed(result)) == (0, ["cassettes/test_it/test_gone.yaml"])


@pytest.mark.long
async def test_one_folder_for_all_cassettes_is_judged_by_the_places_of_its_tests(
    project: Project,
) -> None:
    (project.path / "a b").mkdir()
    project.tests("def test_x(promptdeck): assert ask('hi', promptdeck.base_url)\n")
    project.path.joinpath("test_it.py").rename(project.path / "a b" / "test_it.py")
    flags = ("--cassette-dir=all", "-o", "pythonpath=.")
    (await project.run(*flags, "--record-mode=record")).assert_outcomes(passed=1)
    assert listed(await project.run(*flags)) == []
    [made] = project.path.glob("all/*/test_it/test_x.yaml")
    name = made.parent.relative_to(project.path / "all").as_posix()
    lay(project, f"{name}/test_gone", "test_other/test_x", folder="all")
    assert listed(await project.run(*flags)) == [f"all/{name}/test_gone.yaml"]

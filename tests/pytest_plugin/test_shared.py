"""Sessions that several tests share: their cassettes, and which test hears of what."""

import pytest

from promptdeck.pytest_plugin.naming import Folders
from tests.pytest_project import Project, told

SHARED = """
@pytest.fixture(scope="module")
def shared(promptdeck_module):
    ask("setup", promptdeck_module.base_url)
    return promptdeck_module

def test_one(shared):
    ask("one", shared.base_url)

def test_two(shared):
    ask("two", shared.base_url)

class TestX:
    def test_three(self, promptdeck_class, promptdeck_package):
        assert "OPENAI_BASE_URL" in promptdeck_class.environ
        ask("three", promptdeck_class.base_url)
        ask("package", promptdeck_package.base_url)

    def test_four(self, promptdeck_class, promptdeck_session):
        ask("four", promptdeck_class.base_url)
        ask("session", promptdeck_session.base_url)
"""
CASSETTES = [
    "cassettes/_package.yaml",
    "cassettes/_session.yaml",
    "cassettes/test_it/TestX._class.yaml",
    "cassettes/test_it/_module.yaml",
]


async def test_each_scope_has_a_cassette_that_its_tests_play_together(project: Project) -> None:
    project.tests(SHARED)
    recorded = await project.run("--record-mode=record")
    recorded.assert_outcomes(passed=4)
    assert told(recorded) == "0 hits, 0 misses, 7 recorded, 7 upstream calls"
    found = sorted(str(path.relative_to(project.path)) for path in project.path.rglob("*.yaml"))
    assert found == CASSETTES
    replayed = await project.run("--cassette-orphans=fail")
    replayed.assert_outcomes(passed=4)
    assert told(replayed).startswith("7 hits, 0 misses, 0 recorded, 0 upstream calls")
    # A part of the tests leaves recordings unused, and is not blamed for it.
    (await project.run("-k", "two or three")).assert_outcomes(passed=2, deselected=2)
    spread = await project.run("-n", "2", "--dist", "load", plugins=["xdist"])
    spread.assert_outcomes(passed=4)
    assert "not used" not in spread.stdout.str()


async def test_a_miss_fails_the_test_during_which_it_was_asked(project: Project) -> None:
    project.tests(SHARED)
    await project.run("--record-mode=record")
    project.tests(SHARED.replace('ask("two"', 'ask("too"').replace('ask("setup"', 'ask("set-up"'))
    ran = await project.run()
    ran.assert_outcomes(passed=2, failed=2)
    out = ran.stdout.str()
    first, second = out.partition("test_two ___")[::2]
    assert "set-up" in first.partition("test_one ___")[2]
    assert "too" in second
    assert "set-up" not in second


@pytest.mark.long
async def test_what_all_tests_leave_unused_is_told_when_their_scope_ends(project: Project) -> None:
    project.tests(SHARED)
    await project.run("--record-mode=record")
    project.tests(SHARED.replace('    ask("one", shared.base_url)', "    pass"))
    ran = await project.run()
    ran.assert_outcomes(passed=4, errors=1)
    assert "1 recording was not used" in ran.stdout.str()
    assert "test_it/_module.yaml:" in ran.stdout.str()
    (await project.run("--cassette-unused=ignore")).assert_outcomes(passed=4)
    rewritten = await project.run("--record-mode=rewrite")
    rewritten.assert_outcomes(passed=4)
    (await project.run()).assert_outcomes(passed=4)


async def test_a_failure_keeps_the_recordings_of_all_who_share_from_being_saved(
    project: Project,
) -> None:
    project.tests(SHARED.replace('    ask("two", shared.base_url)', "    assert not shared"))
    ran = await project.run("--record-mode=record", "-k", "one or two")
    ran.assert_outcomes(passed=1, failed=1, deselected=2)
    assert list(project.path.rglob("*.yaml")) == []


async def test_an_error_of_the_fixture_is_told_of_the_misses_before_it(project: Project) -> None:
    failing = SHARED.replace("    return promptdeck_module", "    raise ValueError('of mine')")
    project.tests(failing)
    ran = await project.run("-k", "one")
    ran.assert_outcomes(errors=1, deselected=3)
    assert "ValueError: of mine" in ran.stdout.str()
    assert "1 request had no recording in cassettes/test_it/_module.yaml" in ran.stdout.str()


def test_the_cassettes_of_wider_scopes_lie_in_one_folder_where_there_is_one(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(**{"sub/test_it": "class TestX:\n    def test_a(self): pass"})
    config = pytester.parseconfigure("--cassette-dir", "tapes")
    folders = Folders(config)
    items, _ = pytester.inline_genitems("sub/test_it.py")
    chain = {type(node).__name__: node for node in items[0].listchain()}
    places = {
        scope: folders.shared(chain[kind], scope)
        for scope, kind in [("class", "Class"), ("module", "Module"), ("session", "Session")]
    }
    assert {place.folder for place in places.values()} == {pytester.path / "tapes"}
    assert {scope: place.name for scope, place in places.items()} == {
        "class": "sub/test_it/TestX._class",
        "module": "sub/test_it/_module",
        "session": "_session",
    }

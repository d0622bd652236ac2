"""What a start tells of what will go wrong."""

import os
from pathlib import Path

import pytest

from promptdeck.config import load
from promptdeck.outlook import outlook
from tests import ROOT
from tests.command import promptdeck, serve
from tests.scripted_upstream import Upstream


def told(cwd: Path, **flags: str) -> list[str]:
    return list(outlook(load({"cassettes": str(cwd / "cassettes"), **flags}, {}).config))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "cassettes" / "agents").mkdir(parents=True)
    text = (ROOT / "cassettes" / "plain-chat.yaml").read_bytes()
    (tmp_path / "cassettes" / "plain-chat.yaml").write_bytes(text)
    (tmp_path / "empty").mkdir()
    (tmp_path / "tests" / "tapes").mkdir(parents=True)
    (tmp_path / "file").write_text("")
    return tmp_path


@pytest.mark.parametrize(
    ("flags", "problem", "mend"),
    [
        ({"cassette": "plain-chta"}, "no cassette plain-chta in ", "did you mean plain-chat?"),
        ({"cassette": "PLAIN-CHAT"}, "no cassette PLAIN-CHAT in ", "did you mean plain-chat?"),
        ({"cassette": "qqq"}, "no cassette qqq in ", "--mode record-missing records"),
        ({"cassette": "agents"}, "no cassette agents in ", "cassettes/agents?"),
        ({"cassettes": "casettes"}, "no folder casettes: ", "did you mean --cassettes cassettes?"),
        ({"cassettes": "tapes"}, "no folder tapes: ", "did you mean --cassettes tests/tapes?"),
        ({"cassettes": "no/way"}, "no folder no/way: ", "--mode record-missing records"),
        ({"cassettes": "empty"}, "no cassette in empty: ", "--mode record-missing records"),
    ],
)
def test_what_is_to_be_replayed_and_is_not_there_is_told_with_what_may_be_meant(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    flags: dict[str, str],
    problem: str,
    mend: str,
) -> None:
    monkeypatch.chdir(folder)
    [line] = told(Path(), mode="replay", **flags)
    assert line.startswith(f"there is {problem}")
    assert "every request will miss" in line
    assert line.endswith(mend) or mend in line
    assert "\n" not in line


def test_what_is_there_is_not_spoken_of(folder: Path) -> None:
    for mode in ("replay", "record", "record-missing", "cache"):
        assert told(folder, mode=mode) == []
        assert told(folder, mode=mode, cassette="plain-chat") == []
        assert told(folder, mode=mode, cassette=f"{folder}/cassettes/plain-chat.yaml") == []
    assert told(folder, mode="record", cassette="agents/new") == []
    assert told(folder, mode="record", cassettes=str(folder / "made" / "anew")) == []
    assert told(folder, mode="passthrough", cassettes="nowhere") == []


@pytest.mark.parametrize("mode", ["record", "record-missing"])
def test_what_cannot_be_recorded_is_told_before_anything_is_paid_for(
    folder: Path, mode: str
) -> None:
    for cassettes in (folder / "file", folder / "file" / "below"):
        [line] = told(folder, mode=mode, cassettes=str(cassettes))
        assert line.startswith(
            f"nothing can be recorded in {cassettes}: {folder}/file is no folder"
        )
        assert line.endswith("--cassettes")
    (folder / "cassettes" / "x.yaml").mkdir()
    [line] = told(folder, mode=mode, cassette="x")
    assert "x.yaml is a folder" in line
    if os.geteuid():
        (folder / "empty").chmod(0o500)
        [line] = told(folder, mode=mode, cassettes=str(folder / "empty"))
        assert "may not be written to" in line


async def test_serve_and_run_tell_it(folder: Path) -> None:
    ran = await promptdeck(folder, "run", "--mode", "replay", "--cassette", "plain", "--", "true")
    assert ran.out == ""
    assert "did you mean plain-chat?" in ran.err
    async with serve(folder, "--mode", "replay", "--cassettes", "casettes") as server:
        _, err = await server.stop(15)
    assert "there is no folder casettes: every request will miss" in err


async def test_a_cassette_may_be_called_by_its_file_wherever_it_is_named(
    provider: Upstream, folder: Path
) -> None:
    script = "import os, urllib.request as r; r.urlopen(os.environ['OPENAI_BASE_URL'] + '/models')"
    (folder / "app.py").write_text(script)
    record = ("run", "--mode", "record", "--upstream", provider.url)
    app = ("--", "python", "app.py")
    named = [
        ({}, ("--cassette", "cassettes/by-flag.yaml"), "by-flag"),
        ({"PROMPTDECK_CASSETTE_NAME": "by-variable.yaml"}, (), "by-variable"),
    ]
    for environ, flags, name in named:
        ran = await promptdeck(folder, *record, *flags, *app, **environ)
        assert "1 recorded" in ran.err, ran.err
        assert (folder / "cassettes" / f"{name}.yaml").is_file()
    assert sorted(path.name for path in folder.rglob("*.yaml")) == [
        *("by-flag.yaml", "by-variable.yaml", "plain-chat.yaml"),
    ]


def test_what_is_wrong_with_upstreams_is_said_where_they_may_be_asked() -> None:
    environ = {
        "PROMPTDECK_UPSTREAMS": "{nowhere: {}}",
        "PROMPTDECK_ROUTING_ALIASES": "{fast: antropic/x}",
    }
    first, second = outlook(load({"mode": "passthrough"}, environ).config)
    assert first.startswith("upstreams.nowhere: set upstreams.nowhere.base_url")
    assert second.startswith("routing.aliases.fast: 'antropic/x'")
    assert "did you mean anthropic/x?" in second

"""A cassette as people call it: by its name, by its file, nearly right."""

from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from promptdeck.core.names import validate_cassette_name
from promptdeck.stores.cassettes.called import called, likely

FOLDER = Path("cassettes")
SEGMENTS = st.from_regex(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,8}", fullmatch=True)
NAMES = st.lists(SEGMENTS, min_size=1, max_size=3).map("/".join)


@pytest.fixture
def cwd(tmp_path: Path) -> Path:
    (tmp_path / "cassettes" / "agents").mkdir(parents=True)
    (tmp_path / "src").mkdir()
    return tmp_path


def put(cwd: Path, *names: str) -> None:
    for name in names:
        path = cwd / "cassettes" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")


@pytest.mark.parametrize("name", ["ok", "agents/weather", "v1.2"])
@pytest.mark.parametrize("there", [False, True])
def test_a_name_and_each_way_to_write_its_file_mean_the_same(
    cwd: Path, name: str, there: bool
) -> None:
    if there:
        put(cwd, name)
    (cwd / "link").symlink_to(cwd / "cassettes")
    for text in (
        *(name, f"{name}.yaml", f"{name}.yml"),
        *(f"cassettes/{name}", f"cassettes/{name}.yaml", f"./cassettes/{name}"),
        *(f"src/../cassettes/{name}.yaml", f"{cwd}/cassettes/{name}.yaml", f"link/{name}.yaml"),
    ):
        assert called(text, FOLDER, cwd) == name, text
        assert called(text, cwd / "cassettes", cwd) == name, text


@given(NAMES, st.sampled_from(["tapes", "a/b", "./x", "../up"]))
def test_a_file_below_the_folder_has_the_name_that_leads_there(name: str, folder: str) -> None:
    assume(not name.endswith((".yaml", ".yml")))
    assume(".." not in Path(name).parts)
    where = Path("/nowhere/at/all")
    assert called(f"{folder}/{name}.yaml", Path(folder), where) == name
    assume(name.split("/")[0] != folder)
    assert called(name, Path(folder), where) == name


@given(st.text(max_size=12) | NAMES, st.sampled_from([FOLDER, Path(), Path("/abs")]))
def test_whatever_is_called_is_a_name_or_refused(text: str, folder: Path) -> None:
    try:
        name = called(text, folder, Path("/nowhere"))
    except ValueError:
        return
    assert validate_cassette_name(name) == name


def test_what_is_there_by_the_very_name_is_meant_and_both_are_told(cwd: Path) -> None:
    put(cwd, "cassettes/ok", "ok.yaml", "cassettes")
    assert called("cassettes/ok", FOLDER, cwd) == "cassettes/ok"
    assert called("ok.yaml", FOLDER, cwd) == "ok.yaml"
    assert called("cassettes", FOLDER, cwd) == "cassettes"
    put(cwd, "ok")
    for text in ("cassettes/ok", "ok.yaml"):
        with pytest.raises(ValueError, match=r"may be cassettes/ok\.yaml or .*write ok for"):
            called(text, FOLDER, cwd)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("cassettes", "is the folder of all cassettes"),
        ("./cassettes/", "is the folder of all cassettes"),
        ("../x", r"write --cassettes \.\. --cassette x$"),
        ("src/x.yaml", "lies outside of cassettes.*write --cassettes src --cassette x$"),
        ("/tapes/x.yaml", "write --cassettes /tapes --cassette x$"),
        ("", "is the folder|is empty"),
        ("what is this", "may have only"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_a_way_out(cwd: Path, text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        called(text, FOLDER, cwd)


def test_a_folder_below_the_working_directory_is_no_matter_where_a_name_is_written(
    cwd: Path,
) -> None:
    assert called("src/x", FOLDER, cwd) == "src/x"
    (cwd / "cassettes" / "src").mkdir()
    assert called("src/x.yaml", FOLDER, cwd) == "src/x"


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("plain-chta", "plain-chat"),
        ("Plain_Chat", "plain-chat"),
        ("chat", "plain-chat"),
        ("agents/wether", "agents/weather"),
        ("qqqq", ""),
    ],
)
def test_a_misspelt_name_has_one_that_is_likely(name: str, meant: str) -> None:
    assert likely(name, ["agents/weather", "plain-chat", "streams"]) == meant

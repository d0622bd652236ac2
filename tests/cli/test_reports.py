"""reports: what a run left unused, however its report is wrapped, and what is no report."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.cli.reports import load, mentions, unused
from promptdeck.errors import UsageError

HERE = Path("cassettes/a.yaml")
IDS = st.sets(st.sampled_from("wxyz"))


def report(unplayed: set[str] | list[str], **more: Any) -> dict[str, Any]:
    return {"cassette": "a", "unplayed": sorted(unplayed), "played": {}, "recorded": [], **more}


@given(IDS)
def test_a_list_of_ids_is_taken_as_it_is(ids: set[str]) -> None:
    assert unused(sorted(ids), "a", HERE) == ids


@given(st.lists(IDS, min_size=1), st.sampled_from([lambda it: it, lambda it: {"run": it}]))
def test_all_reports_must_agree(sets: list[set[str]], wrap: Any) -> None:
    assert unused([wrap(report(ids)) for ids in sets], "a", HERE) == set.intersection(*sets)


@given(IDS, IDS, IDS)
def test_what_was_played_or_recorded_was_used(
    unplayed: set[str], played: set[str], recorded: set[str]
) -> None:
    one = report(unplayed, played=dict.fromkeys(played, 1), recorded=sorted(recorded))
    assert unused(one, "a", HERE) == unplayed - played - recorded


def test_a_test_that_failed_has_no_say() -> None:
    failed = report(["x", "y"], outcome="failed")
    assert unused([failed, report(["x"], outcome="passed")], "a", HERE) == {"x"}
    assert unused([failed], "a", HERE) == set()


@pytest.mark.parametrize(
    ("cassette", "ours"),
    [("a", True), ("", True), ("/elsewhere/a.yaml", True), ("b", False), ("/x/ba.yaml", False)],
)
def test_a_report_is_of_a_cassette_by_its_name_or_its_file(cassette: str, ours: bool) -> None:
    one = report(["x"], cassette=cassette)
    assert mentions(one, "a", HERE) is ours
    if not ours:
        with pytest.raises(UsageError, match=f"the report is of {cassette}, not of a"):
            unused(one, "a", HERE)


def test_what_is_no_report_is_told() -> None:
    with pytest.raises(UsageError, match="this is no report"):
        unused({"cassette": "a"}, "a", HERE)


def test_json_and_lines_of_json_are_read_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "report"
    file.write_bytes(orjson.dumps(report(["x"])))
    assert load(file) == report(["x"])
    file.write_bytes(b"\n".join(map(orjson.dumps, [report(["x"]), report([])])))
    assert load(file) == [report(["x"]), report([])]
    for data in (b"", b"{", b"x: 1"):
        file.write_bytes(data)
        with pytest.raises(UsageError, match="is no JSON"):
            load(file)
    with pytest.raises(UsageError, match="cannot read"):
        load(tmp_path / "absent")

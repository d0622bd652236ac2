"""results: tests of several processes added up, in a line, in a file, and for GitHub."""

import re
from pathlib import Path
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.pytest_plugin.results import Results


def a_test(**more: Any) -> dict[str, Any]:
    return {
        "test": "test_it.py::test_x",
        "file": "test_it.py",
        "line": 3,
        "cassette": "absent.yaml",
        "played": {},
        "missed": [],
        **dict.fromkeys(("hits", "misses", "recorded", "upstream_calls"), 0),
        **more,
    }


COUNTS = st.fixed_dictionaries(
    dict.fromkeys(("hits", "misses", "recorded", "upstream_calls"), st.integers(0, 9))
)


@given(st.lists(COUNTS), st.integers(0, 5))
def test_what_workers_hand_over_adds_up_as_if_one_had_run_all(
    counts: list[dict[str, int]], cut: int
) -> None:
    whole = Results([a_test(**one) for one in counts])
    parts = Results()
    for some in (whole.tests[:cut], whole.tests[cut:]):
        parts.add(Results(some).lines())
    assert parts.lines() == whole.lines()
    assert parts.summary() == whole.summary()
    hits, recorded = (sum(one[name] for one in counts) for name in ("hits", "recorded"))
    said = f"promptdeck: {hits} hit{'s' * (hits != 1)}, .*, {recorded} recorded, .*"
    assert re.fullmatch(said, whole.summary())


def test_the_report_is_a_line_for_each_test_in_folders_made_for_it(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b.jsonl"
    Results([a_test(hits=1), a_test(misses=2)]).write(path)
    lines = [orjson.loads(line) for line in path.read_bytes().splitlines()]
    assert [(line["hits"], line["misses"]) for line in lines] == [(1, 0), (0, 2)]
    assert all(line["tokens_saved"] == 0 for line in lines)


@given(st.text(), st.text(), st.text())
def test_an_annotation_is_one_line_from_which_its_texts_can_be_told(
    file: str, test: str, message: str
) -> None:
    missed = [{"message": message}]
    [line] = Results([a_test(file=file, test=test, missed=missed)]).annotations()
    assert not re.search("[\r\n]", line)
    shown = re.fullmatch(r"::error file=([^:,]*),line=3,title=([^:,]*)::(.*)", line, re.DOTALL)
    assert shown
    told = [_plain(text) for text in shown.groups()]
    assert told == [file, f"promptdeck: no recording for {test}", message]


def _plain(text: str) -> str:
    escapes = (("%3A", ":"), ("%2C", ","), ("%0A", "\n"), ("%0D", "\r"), ("%25", "%"))
    for escaped, plain in escapes:
        text = text.replace(escaped, plain)
    return text


def test_a_run_that_was_asked_nothing_says_so() -> None:
    nothing = dict.fromkeys(("hits", "misses", "recorded", "upstream_calls"), 0)
    assert Results().idle() == ""
    assert Results([nothing, nothing | {"hits": 1}]).idle() == ""
    assert Results([nothing]).idle().startswith("promptdeck: 1 test joins promptdeck")
    assert "2 tests join promptdeck" in Results([nothing, nothing]).idle()
    assert "nothing was asked" in Results([nothing]).idle()

"""The benchmarks run, judge by their targets and put their results where they belong."""

import os
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

FOLDER = Path(__file__).parent.parent / "benchmarks"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="benchmarks pin processes to cores")


def run(*arguments: str) -> str:
    root = str(FOLDER.parent)
    done = subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": f"{FOLDER}{os.pathsep}{root}"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_one_case_runs_and_is_judged(tmp_path: Path) -> None:
    file = tmp_path / "found.json"
    said = run(str(FOLDER / "bench.py"), "--quick", "--only", "millions", "--json", str(file))
    [case] = orjson.loads(file.read_bytes())["cases"]
    assert [target["row"] for target in case["targets"]] == [12, 12]
    assert all(len(side["lookup us"]["rounds"]) == 4 for side in case["sides"].values())
    assert said.count("#12") == 4, "each target at its case, and once more at the end"


MEASURE = """
from measure import Case, Figure, Target
sides = {"a": [(2.0,), (8.0,), (4.0,)], "b": [(1.0,), (2.0,), (4.0,)], "base": [(1.0,)] * 3}
case = Case("one", (Figure("us", against="x"),), sides)
print(case.value(Target(1, "ratio", "us", "a", "b", least=2)))
print(case.value(Target(1, "itself", "us", "a", "", most=2)))
print(case.value(Target(1, "added", "us", "a", "b", most=2, less="base")))
print(case.value(Target(1, "absent", "us", "a", "nobody", most=2)))
print(Target(1, "", "us", "a", "b", least=2).met(2.0))
print(Target(1, "", "us", "a", "b", most=2).met(2.1))
"""


def test_a_target_is_the_median_of_its_rounds() -> None:
    assert run("-c", MEASURE).split() == ["2.0", "4.0", "3.0", "None", "True", "False"]


PAGE = """
import sys
from pathlib import Path
import page
from measure import Case, Figure, Target
from workbench import Bench

page._FOLDER = Path(sys.argv[1])
sides = {"bare <aiohttp>": [(40.0,)], "promptdeck": [(8.0,)]}
target = Target(1, "CPU", "CPU us/req", "bare <aiohttp>", "promptdeck", least=4)
case = Case("JSON hit", (Figure("CPU us/req", 1),), sides, (target,))
machine = dict.fromkeys("date cpu cores kernel promptdeck python aiohttp aiosqlite".split(), "x")
machine |= {"orjson": "x", "sqlite": "x", "extras": {}, "peers": [], "others": 0.5, "seconds": 9}
page.write([case], machine, Bench(None, None, (), {"nginx": "there is no apt-get"}))
"""


def test_results_take_the_place_of_those_before(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("before\n<!-- results -->\nold\n<!-- end of results -->\nafter\n")
    run("-c", PAGE, str(tmp_path))
    run("-c", PAGE, str(tmp_path))
    text = readme.read_text()
    assert text.startswith("before\n<!-- results -->\n")
    assert text.endswith("\n<!-- end of results -->\nafter\n")
    assert "old" not in text
    assert text.count("5.00  >= 4") == 2, "at its case and among the targets"
    assert "nginx was left out: there is no apt-get" in text
    assert "bare &lt;aiohttp&gt;" in (tmp_path / "peers.svg").read_text()

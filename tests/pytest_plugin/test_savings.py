"""Tokens, seconds and dollars that replay did not spend."""

import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from promptdeck.prices import money
from promptdeck.pytest_plugin.results import Results
from promptdeck.pytest_plugin.savings import _worth_of
from tests import ROOT
from tests.pytest_project import Project
from tests.stores.cassettes import without_digests
from tests.translations import recorded


async def of_openai(project: Project, *prompts: str) -> Path:
    """A cassette whose answers are OpenAI's, of a model with a price."""
    path = await project.recorded("test_it/test_rivers", *prompts)
    text = path.read_text().replace("model: scripted", "model: gpt-4o-2024-08-06")
    url = next(line for line in text.splitlines() if line.startswith("  upstream:"))
    path.write_text(text.replace(url, "  upstream: https://api.openai.com/v1", 1))
    without_digests(path)
    return path


async def test_dollars_are_told_where_prices_are_known(project: Project) -> None:
    pytest.importorskip("genai_prices")
    await of_openai(project, "one", "two")
    project.tests("""
def test_rivers(promptdeck):
    for prompt in ("one", "one", "two"):
        assert ask(prompt, promptdeck.base_url)
""")
    result = await project.run("--cassette-report=report.jsonl")
    result.assert_outcomes(passed=1)
    # 5 and 2 tokens at 2.50 and 10.00 dollars a million; one answer is the scripted upstream's.
    [test] = map(orjson.loads, (project.path / "report.jsonl").read_bytes().splitlines())
    assert test["tokens_saved"] == 21
    times = 3 - test["unpriced"]
    assert times in (1, 2)
    assert test["dollars_saved"] == pytest.approx(times * (5 * 2.5e-6 + 2 * 10e-6))
    without = f"{test['unpriced']} answer{'s' if test['unpriced'] > 1 else ''}"
    dollars = f"{test['dollars_saved']:.6f}".rstrip("0")
    result.stdout.fnmatch_lines(
        [f"*; 21 tokens and ${dollars} ({without} without a known price) not spent, *"]
    )


async def test_without_a_price_nothing_is_said_of_dollars(project: Project) -> None:
    await project.recorded("test_it/test_rivers", "one")
    project.tests("def test_rivers(promptdeck):\n    assert ask('one', promptdeck.base_url)\n")
    result = await project.run("--cassette-report=report.jsonl")
    assert "$" not in result.stdout.str()
    [test] = map(orjson.loads, (project.path / "report.jsonl").read_bytes().splitlines())
    assert (test["dollars_saved"], test["unpriced"]) == (None, 1)


def test_prices_are_imported_for_answers_of_providers_only() -> None:
    code = (
        "import sys; from promptdeck.pytest_plugin.savings import _price;"
        "from tests.recordings import interaction;"
        "answer = {'model': 'gpt-4o', 'usage': {'prompt_tokens': 9, 'completion_tokens': 9}};"
        "one = interaction()._replace(upstream='http://127.0.0.1:11434/v1');"
        "print(_price(one, answer), 'genai_prices' in sys.modules)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert ran.stdout.split() == ["None", "False"]


@pytest.mark.parametrize("upstream", ["messages", "responses", "gemini"])
@pytest.mark.parametrize("stream", [True, False])
def test_a_translated_answer_cost_what_its_own_provider_takes(upstream: str, stream: bool) -> None:
    pytest.importorskip("genai_prices")
    models = {"messages": "claude-opus-5", "responses": "gpt-6", "gemini": "gemini-4"}
    known = {"messages": "claude-opus-4-1", "responses": "gpt-4o", "gemini": "gemini-2.5-flash"}
    one = recorded("chat", upstream, stream=stream)
    old, new = models[upstream].encode(), known[upstream].encode()
    frames = [frame._replace(data=frame.data.replace(old, new)) for frame in one.response.frames]
    worth = _worth_of(one._replace(response=one.response._replace(frames=tuple(frames))))
    assert worth.tokens > 0
    assert worth.dollars is not None
    assert worth.dollars > 0


@pytest.mark.parametrize(
    ("dollars", "shown"),
    [
        (0.0, "$0.00"),
        (2e-7, "less than $0.000001"),
        (0.000325, "$0.000325"),
        (0.25, "$0.25"),
        (0.5, "$0.5"),
        (12.3456, "$12.35"),
        (1234.5, "$1,234.50"),
    ],
)
def test_small_sums_keep_the_digits_that_say_something(dollars: float, shown: str) -> None:
    assert money(dollars) == shown


def test_a_cassette_that_is_gone_saved_nothing() -> None:
    test = {"cassette": "/nowhere.yaml", "played": {"a": 2}, "hits": 2, "misses": 0}
    results = Results([test | {"recorded": 0, "upstream_calls": 0}])
    assert results.summary().endswith("; 0 tokens not spent, 0.0 s not waited")

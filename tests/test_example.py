"""The example project, tested as its owner would: replayed, changed, recorded anew."""

import shutil
from pathlib import Path

import orjson
import pytest
from aiohttp import web

from promptdeck.stores.cassettes.file import names, read
from tests.pytest_project import Project, told
from tests.scripted_upstream import Seen, Upstream, completion, plain

pytest.importorskip("openai")

pytestmark = pytest.mark.long


EXAMPLE = Path(__file__).parent / "example"
CASSETTES = [
    "test_assistant/test_a_batch_of_ten",
    "test_assistant/test_a_summary_comes_in_pieces",
    "test_assistant/test_the_assistant_uses_its_tool",
    "test_assistant/test_the_classifier_tries_again",
    "test_assistant/test_the_extractor_reads_json",
]
KEY = "sk-" + "proj-" + "Zq8" * 16
OTHER_KEY = "sk-" + "proj-" + "aB3" * 16


@pytest.fixture
def example(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A copy of it, with no way to any model."""
    shutil.copytree(
        EXAMPLE,
        project.path,
        dirs_exist_ok=True,
        ignore=shutil.ignore_patterns("__pycache__", ".*"),
    )
    monkeypatch.setenv("PROMPTDECK_UPSTREAM_URL", "http://127.0.0.1:9/v1")
    return project


def change(project: Project, file: str, old: str, new: str) -> None:
    path = project.path / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


async def test_it_replays_offline_in_one_process_and_in_two(example: Project) -> None:
    alone = await example.run()
    alone.assert_outcomes(passed=5)
    assert told(alone) == "17 hits, 0 misses, 0 recorded, 0 upstream calls; 722 tokens not spent"
    two = await example.run("-n", "2", plugins=["xdist"])
    two.assert_outcomes(passed=5)
    assert told(two) == told(alone)


async def test_a_changed_prompt_and_a_leftover_recording_are_named(example: Project) -> None:
    change(example, "assistant.py", "Summarise in one sentence", "Summarise in two words")
    change(example, "test_assistant.py", ', "ten"]', "]")
    result = await example.run()
    result.assert_outcomes(passed=3, failed=2)
    folder = "cassettes/test_assistant"
    path = example.path / folder / "test_a_batch_of_ten.yaml"
    [ten] = [item for item in read(path) if b"French: ten" in item.request.body]
    line = path.read_text().splitlines().index(f"- id: {ten.id}") + 1
    result.stdout.fnmatch_lines(
        [
            f"E * promptdeck: 1 request had no recording in {folder}/test_a_summary_*.yaml",
            "E * No recording matches this request.",
            "E * $.messages[[]0].content  (one sentence -> two words)",
            "E * Record it with --record-mode=record-missing, or undo the change.",
            "_* test_a_batch_of_ten _*",
            "promptdeck: 1 recording was not used",
            f"  {folder}/test_a_batch_of_ten.yaml:{line}: {ten.id}",
            "--record-mode=rewrite records the test anew, without it.",
        ]
    )
    assert told(result).startswith("15 hits, 1 miss, 0 recorded, 0 upstream calls")


async def test_a_key_in_a_prompt_is_kept_nowhere_and_another_key_hits(
    example: Project, provider: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider.answers = [like_a_model]
    shutil.rmtree(example.path / "cassettes")
    change(example, "test_assistant.py", "weather in Paris?", f"weather in Paris? My key is {KEY}.")
    monkeypatch.setenv("PROMPTDECK_UPSTREAM_URL", provider.url)
    monkeypatch.setenv("OPENAI_API_KEY", KEY[::-1])
    recorded = await example.run("--record-mode=record-missing", "--cassette-report=report.jsonl")
    recorded.assert_outcomes(passed=5)
    assert told(recorded).startswith("0 hits, 0 misses, 17 recorded, 17 upstream calls")
    assert names(example.path / "cassettes") == CASSETTES
    assert KEY in provider.seen[0].json["messages"][0]["content"]
    kept = [
        path.read_text() for path in example.path.rglob("*") if path.suffix in (".yaml", ".jsonl")
    ]
    for text in (*kept, recorded.stdout.str(), recorded.stderr.str()):
        assert KEY not in text
        assert KEY[::-1] not in text
    monkeypatch.setenv("PROMPTDECK_UPSTREAM_URL", "http://127.0.0.1:9/v1")
    monkeypatch.delenv("OPENAI_API_KEY")
    change(example, "test_assistant.py", KEY, OTHER_KEY)
    replayed = await example.run()
    replayed.assert_outcomes(passed=5)
    assert told(replayed).startswith("17 hits, 0 misses, 0 recorded, 0 upstream calls")


async def like_a_model(seen: Seen, request: web.Request) -> web.StreamResponse:
    """What the example's tests want of a model."""
    if "tool_choice" in seen.json:
        function = {"name": "get_weather", "arguments": '{"city": "Paris"}'}
        call = {"id": "call_1", "type": "function", "function": function}
        value = completion("")
        value["choices"][0]["message"] |= {"content": None, "tool_calls": [call]}
        value["choices"][0]["finish_reason"] = "tool_calls"
        return web.Response(body=orjson.dumps(value), content_type="application/json")
    text = '{"name": "Ada"}' if "response_format" in seen.json else "so it is"
    return await plain(text)(seen, request)

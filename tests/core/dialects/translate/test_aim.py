"""What of a request is taken, what is lost, and what nobody asked for."""

import pytest

from promptdeck.core.dialects.translate.aim import Lost, Options, is_idle
from promptdeck.core.dialects.translate.neutral import Prompt
from promptdeck.core.text.jsontext import JSON


def _options(options: dict[str, JSON], **paths: str) -> Options:
    return Options(Prompt("chat", "m", (), options=options, paths=paths))


def test_what_nobody_takes_is_lost_by_the_client_s_own_place() -> None:
    options = _options({"seed": 7, "top_k": 3, "user": "u"}, top_k="$.generationConfig.topK")
    assert options.take("seed") == 7
    options.drop(["user"])
    assert options.lost() == (Lost("$.generationConfig.topK", "has no counterpart"),)


def test_what_is_changed_is_said_once() -> None:
    options = _options({"reasoning_effort": "xhigh", "stop": ["a"]})
    options.lose("reasoning_effort", "xhigh became high")
    options.lose_at("$.messages[0].name", "has no counterpart")
    assert dict(options.renamed({"stop": "stop_sequences", "n": "n"})) == {"stop_sequences": ["a"]}
    assert options.lost() == (
        Lost("$.reasoning_effort", "xhigh became high"),
        Lost("$.messages[0].name", "has no counterpart"),
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [("n", 1), ("presence_penalty", 0.0), ("logprobs", False), ("store", False), ("x", {}),
     ("x", []), ("x", None), ("x", ""), ("modalities", ["text"]), ("parallel_tool_calls", True)],
)  # fmt: skip
def test_what_asks_for_nothing_is_not_lost(name: str, value: JSON) -> None:
    assert is_idle(name, value)
    assert not _options({name: value} if value is not None else {}).lost()


@pytest.mark.parametrize(
    ("name", "value"),
    [("n", 2), ("n", True), ("presence_penalty", False), ("logprobs", 0), ("logprobs", True),
     ("store", True), ("x", 0), ("x", False), ("modalities", ["audio"]), ("top_logprobs", 1)],
)  # fmt: skip
def test_what_asks_for_something_is_lost(name: str, value: JSON) -> None:
    assert not is_idle(name, value)
    assert _options({name: value}).lost() == (Lost(f"$.{name}", "has no counterpart"),)


def test_what_nobody_asked_for_is_told_apart() -> None:
    options = _options({})
    options.lose_at("$.messages[1]", "no signature came", asked=False)
    assert options.lost() == (Lost("$.messages[1]", "no signature came", asked=False),)

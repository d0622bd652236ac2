"""What is drawn is what it is said to be."""

from hypothesis import given, settings

from promptdeck.core.dialects.translate.neutral import (
    Finished,
    Metered,
    Opened,
    Prompt,
    Signal,
    ToolCall,
    ToolResult,
)
from promptdeck.core.text.jsontext import parse

from .strategies import added_up, essence_of, prompts, signals, signatures

SIGNED = signatures("anthropic", "m-1")


@settings(max_examples=15)
@given(prompts(signed=SIGNED, also=("pictures", "papers", "failures", "shape", "late", "custom")))
def test_each_call_of_a_prompt_has_one_result_in_the_turn_after(prompt: Prompt) -> None:
    for turn, after in zip(prompt.turns, prompt.turns[1:], strict=False):
        calls = [part.id for part in turn.parts if isinstance(part, ToolCall)]
        assert calls == [part.id for part in after.parts if isinstance(part, ToolResult)]
    assert essence_of(prompt) == essence_of(prompt._replace(dialect="gemini", paths={"n": "$.m"}))


@settings(max_examples=15)
@given(signals(signed=SIGNED, also=("refusals", "citations", "marks", "bare"), choices=2))
def test_an_answer_opens_first_and_finishes_last(told: list[Signal]) -> None:
    assert isinstance(told[0], Opened)
    last = [one for one in told if isinstance(one, Finished)]
    assert told[-len(last) :] == last
    assert isinstance(told[-len(last) - 1], Metered)
    whole = added_up(told)
    for choice in whole["choices"].values():
        assert len(choice["finished"]) == 1
        for *_, arguments, is_closed in choice["calls"].values():
            assert is_closed
            assert isinstance(parse(arguments), dict)

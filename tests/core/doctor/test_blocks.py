"""A prompt as blocks: in which order, and what is kept from one to the next."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.doctor.blocks import MEDIA_SIZE, PromptBlock, blocks_of, kept_of, size_of
from tests.core.dialects.translate.strategies import PIXEL, SAID, prompts
from tests.core.doctor.conversations import blocks, chat, claude, tool
from tests.translations import SAME

KINDS = st.sampled_from(["tool", "system", "message"])
BLOCKS = st.lists(
    st.tuples(KINDS, SAID, st.sampled_from(["a", "b"])).map(lambda drawn: PromptBlock(*drawn)),
    max_size=6,
).map(tuple)


@given(BLOCKS, BLOCKS)
def test_a_prompt_that_only_grows_never_breaks(old: Any, more: Any) -> None:
    kept = kept_of(old, old + more)
    assert not kept.broke
    assert (kept.blocks, kept.size) == (len(old), size_of(old))


@given(prompts())
def test_a_prompt_keeps_all_of_itself(prompt: Any) -> None:
    found = blocks_of(prompt)
    assert kept_of(found, found)[:2] == (len(found), 0)
    grown = blocks_of(prompt._replace(turns=(*prompt.turns, *prompt.turns)))
    assert not kept_of(found, grown).broke


@given(BLOCKS.filter(bool), st.data())
def test_a_change_of_a_block_breaks_exactly_there(old: Any, data: Any) -> None:
    at = data.draw(st.integers(0, len(old) - 1))
    cut = data.draw(st.integers(0, len(old[at].said) - 1))
    letter = "x" if old[at].said[cut] != "x" else "y"
    said = old[at].said[:cut] + letter + old[at].said[cut + 1 :]
    new = (*old[:at], old[at]._replace(said=said), *old[at + 1 :])
    kept = kept_of(old, new)
    assert kept == (at, cut, size_of(old[:at]) + cut, True)


@given(BLOCKS, st.data())
def test_where_a_block_stands_and_how_it_is_marked_is_no_change(old: Any, data: Any) -> None:
    mark = data.draw(st.sampled_from([None, {"type": "ephemeral"}]))
    new = tuple(one._replace(mark=mark, path="$.elsewhere", part=2) for one in old)
    assert not kept_of(old, new).broke


@pytest.mark.parametrize("dialect", SAME)
def test_each_dialect_has_tools_then_system_then_turns(dialect: str) -> None:
    _, body = SAME[dialect]
    model = {} if dialect == "gemini" else {"model": "m"}
    found = [one for one in blocks(dialect, {**body, **model}) if one.kind != "setting"]
    assert [(one.kind, one.label) for one in found] == [
        ("model", ""),
        ("tool", "weather"),
        ("system", "system"),
        ("message", "user"),
        ("message", "assistant"),
        ("message", "user"),
    ]
    assert found[2].said == "Be brief."
    assert "rain" in found[5].said


def test_an_image_counts_by_no_bytes() -> None:
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL * 999}"}}
    turn = {"role": "user", "content": [{"type": "text", "text": "see"}, image]}
    text, picture = blocks("chat", chat(turn))[-2:]
    assert (text.part, picture.part, picture.size) == (1, 2, MEDIA_SIZE)


def test_marks_are_where_they_were_put_or_at_the_end() -> None:
    found = blocks("messages", claude("hi", "yes", "go"))
    assert [one.said for one in found if one.mark is not None][1:] == ["go"]
    body = claude("hi", system="s") | {"cache_control": {"type": "ephemeral"}}
    body["messages"][0]["content"][0].pop("cache_control")
    assert blocks("messages", body)[-1].mark is not None


def test_a_tool_is_known_by_its_name() -> None:
    found = blocks("chat", chat("hi", tools=[tool("b"), tool("a")]))
    assert [(one.label, one.path) for one in found if one.kind == "tool"] == [
        ("b", "$.tools[0]"),
        ("a", "$.tools[1]"),
    ]

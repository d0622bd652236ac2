"""Requests for Messages as prompts, and back."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.dialects.translate.aim import Options, Untranslatable
from promptdeck.core.dialects.translate.messages.reads import prompt_of
from promptdeck.core.dialects.translate.messages.writes import written
from promptdeck.core.dialects.translate.neutral import (
    Foreign,
    Prompt,
    Shape,
    Thinking,
    Tool,
    ToolChoice,
    Utterance,
    Words,
)
from promptdeck.core.text.jsontext import JSON, compact, parse
from tests.chats import ANY_JSON
from tests.core.dialects.translate.strategies import essence_of, prompts, signatures

from .samples import aim

MODEL = "claude-opus-4-8"


def read(**body: Any) -> Prompt:
    whole = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
    return prompt_of(whole | body, "/v1/messages?beta=true")


def test_the_least_is_read() -> None:
    assert read()._replace(paths={}) == Prompt(
        "messages", "m", (Utterance("user", (Words("hi"),), "$.messages[0]"),),
        options={"max_tokens": 9},
    )  # fmt: skip
    assert read(stream=True).stream is True


def test_turns_are_where_they_were() -> None:
    system = [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}]
    messages = [
        {"role": "user", "content": [{"type": "text", "text": "b"}]},
        {"role": "system", "content": "c"},
        {"role": "assistant", "content": "d"},
    ]
    turns = read(system=system, messages=messages).turns
    assert [(turn.role, turn.path) for turn in turns] == [
        ("system", "$.system"), ("user", "$.messages[0]"), ("system", "$.messages[1]"),
        ("assistant", "$.messages[2]"),
    ]  # fmt: skip
    assert turns[0].parts == (Words("a", {"type": "ephemeral"}),)
    assert read(system="a").turns[0].parts == (Words("a"),)


def test_fields_have_the_contract_s_names_and_their_own_places() -> None:
    found = read(
        stop_sequences=["x"], metadata={"user_id": "u", "k": 1}, service_tier="standard_only",
        temperature=0.5, top_k=3, speed="fast", inference_geo="eu", mcp_servers=[{}],
        context_management={"edits": []}, output_config={"task_budget": 3}, container=None,
    )  # fmt: skip
    assert found.options == {
        "max_tokens": 9, "stop": ["x"], "user": "u", "metadata": {"k": 1},
        "service_tier": "default", "temperature": 0.5, "top_k": 3, "speed": "fast",
        "inference_geo": "eu", "mcp_servers": [{}], "context_management": {"edits": []},
        "output_config": {"task_budget": 3},
    }  # fmt: skip
    assert (found.path("stop"), found.path("user")) == ("$.stop_sequences", "$.metadata.user_id")
    assert found.path("choice") == "$.tool_choice"


@pytest.mark.parametrize(
    ("choice", "read_as", "parallel"),
    [
        ({"type": "auto"}, ToolChoice("auto"), None),
        ({"type": "any", "disable_parallel_tool_use": True}, ToolChoice("required"), False),
        ({"type": "tool", "name": "t", "disable_parallel_tool_use": False},
         ToolChoice("required", ("t",)), True),
        ({"type": "none"}, ToolChoice("none"), None),
        (None, None, None),
    ],
)  # fmt: skip
def test_the_choice_of_tools(choice: JSON, read_as: ToolChoice | None, parallel: object) -> None:
    found = read(tool_choice=choice)
    assert (found.choice, found.parallel) == (read_as, parallel)


def test_tools_are_the_client_s_or_anthropic_s() -> None:
    own = {"type": "web_search_20260318", "name": "web_search"}
    mine = {"name": "a", "description": "d", "input_schema": {"type": "object"}, "strict": True,
            "type": "custom", "cache_control": {"type": "ephemeral"},
            "eager_input_streaming": True, "allowed_callers": ["direct"],
            "input_examples": [{"x": 1}]}  # fmt: skip
    found = read(tools=[own, mine])
    assert found.tools == (
        Foreign("messages", own),
        Tool("a", "d", {"type": "object"}, True, {"type": "ephemeral"}),
    )
    lost = Options(found)
    lost.take("max_tokens")
    assert [one.path for one in lost.lost()] == ["$.tools[1].input_examples"]


@pytest.mark.parametrize(
    ("body", "thinking", "place"),
    [
        ({}, None, "$.thinking"),
        ({"thinking": {"type": "enabled", "budget_tokens": 2000}},
         Thinking(budget=2000, mode="enabled"), "$.thinking"),
        ({"thinking": {"type": "adaptive", "display": "omitted"}},
         Thinking(mode="adaptive", shown=False), "$.thinking"),
        ({"thinking": {"type": "between_tools"}, "output_config": {"effort": "high"}},
         Thinking("high", mode="between_tools"), "$.thinking"),
        ({"output_config": {"effort": "xhigh"}}, Thinking("xhigh"), "$.output_config.effort"),
        ({"thinking": {"type": "disabled"}}, Thinking(mode="disabled"), "$.thinking"),
    ],
)  # fmt: skip
def test_how_much_to_think(body: dict[str, Any], thinking: object, place: str) -> None:
    found = read(**body)
    assert (found.thinking, found.path("thinking")) == (thinking, place)


def test_the_form_of_the_answer() -> None:
    shape = {"type": "json_schema", "schema": {"type": "object"}}
    assert read(output_config={"format": shape}).shape == Shape({"type": "object"})
    assert read(output_config={"format": None}).shape is None


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"model": None}, "$.model"),
        ({"messages": "hi"}, "$.messages"),
        ({"messages": [{"role": "tool", "content": "a"}]}, "$.messages[0].role"),
        ({"messages": [1]}, "$.messages[0].role"),
        ({"messages": [{"role": "user"}]}, "$.messages[0].content"),
        ({"messages": [{"role": "user", "content": ["a"]}]}, "$.messages[0].content[0]"),
        ({"system": 3}, "$.system"),
        ({"tools": {}}, "$.tools"),
        ({"tools": ["a"]}, "$.tools[0]"),
        ({"tools": [{"input_schema": {}}]}, "$.tools[0].name"),
        ({"tool_choice": "auto"}, "$.tool_choice"),
        ({"tool_choice": {"type": "tool"}}, "$.tool_choice"),
    ],
)
def test_what_cannot_be_understood_is_refused_by_its_place(
    body: dict[str, Any], place: str
) -> None:
    with pytest.raises(Untranslatable) as refused:
        read(**body)
    assert refused.value.param == place


def test_tokens_are_counted_by_anthropic_alone() -> None:
    with pytest.raises(Untranslatable):
        prompt_of({"model": "m", "messages": []}, "/v1/messages/count_tokens")


FIELDS = ("system", "tools", "tool_choice", "thinking", "output_config", "metadata", "messages",
          "stream", "service_tier", "stop_sequences", "model")  # fmt: skip


@given(st.dictionaries(st.sampled_from(FIELDS), ANY_JSON, max_size=3))
def test_whatever_comes_is_a_prompt_or_refused(body: dict[str, Any]) -> None:
    try:
        read(**body)
    except Untranslatable as refused:
        if not refused.param:
            raise


# There and back


def _sayable(prompt: Prompt) -> Prompt:
    """A prompt as Messages can say it."""
    shape = prompt.shape and Shape({**prompt.shape.schema, "additionalProperties": False})
    return prompt._replace(model=MODEL, shape=shape)


@given(
    prompts(
        "messages",
        signatures("anthropic", MODEL),
        ("pictures", "papers", "failures", "shape"),
    )
)
def test_what_is_written_reads_as_it_was(prompt: Prompt) -> None:
    prompt = _sayable(prompt)
    there = written(prompt, aim(MODEL))
    assert not there.lost
    found = prompt_of(parse(compact(there.body)), there.target)
    ours, theirs = essence_of(prompt), essence_of(found)
    assert _loosely(theirs) == _loosely(ours)


def _loosely(essence: dict[str, Any]) -> dict[str, Any]:
    """What is left of an essence without what a protocol need not tell."""
    turns = []
    for role, parts in essence["turns"]:
        kept = []
        for part in parts:
            if hasattr(part, "mime"):
                part = part._replace(mime="")
            if getattr(part, "signed", None):
                part = part._replace(signed=part.signed._replace(model=""))
            kept.append(part)
        turns.append((role, kept))
    schemas = [tool._replace(schema=None) for tool in essence["tools"]]
    return essence | {"turns": turns, "tools": schemas}

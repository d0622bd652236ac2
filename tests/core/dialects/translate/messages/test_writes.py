"""Prompts as requests for Messages: what each field becomes, and what is named as lost."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.dialects.translate.aim import Untranslatable
from promptdeck.core.dialects.translate.messages.writes import ANSWER
from promptdeck.core.dialects.translate.neutral import (
    Foreign,
    Prompt,
    Shape,
    Signed,
    Thinking,
    Thought,
    Tool,
    ToolCall,
    ToolChoice,
    Utterance,
    Words,
)
from promptdeck.core.text.jsontext import JSON
from tests.core.dialects.translate.strategies import prompts, signatures

from .samples import ADD, MODELS, asked, looped, lost, prompt, user

OLD, NEW = "claude-sonnet-4-5", "claude-opus-5-5"
SCHEMA = {"type": "object", "properties": {"a": {"$ref": "#/$defs/b"}}, "$defs": {"b": {}}}


def options(model: str = NEW, **given: JSON) -> tuple[dict[str, Any], dict[str, str]]:
    """The body for a prompt with these options, and what of it is lost."""
    there = asked(prompt(options=given), model)
    return there.body, lost(there)


def test_the_least_that_is_asked_is_whole() -> None:
    there = asked(prompt())
    assert there.target == "/v1/messages"
    assert there.headers == (("anthropic-version", "2023-06-01"),)
    assert there.body == {
        "model": NEW, "max_tokens": 128_000, "messages": [{"role": "user", "content": "hi"}]
    }  # fmt: skip
    assert asked(prompt(stream=True)).body["stream"] is True


@pytest.mark.parametrize(
    ("model", "most"),
    [(NEW, 128_000), ("claude-sonnet-4-6", 128_000), (OLD, 64_000), ("claude-opus-4-1", 32_000)],
)
def test_the_answer_may_be_as_long_as_the_client_or_the_model_lets_it(
    model: str, most: int
) -> None:
    assert options(model)[0]["max_tokens"] == most
    assert options(model, max_tokens=5)[0]["max_tokens"] == 5
    assert options(model, max_tokens=5, max_completion_tokens=6)[0]["max_tokens"] == 6
    assert options(model, max_tokens=0)[0]["max_tokens"] == 0


# Fields


@pytest.mark.parametrize(
    ("given", "there"),
    [
        ({"stop": ["a", "b"]}, {"stop_sequences": ["a", "b"]}),
        ({"stop": "a"}, {"stop_sequences": ["a"]}),
        ({"user": "u"}, {"metadata": {"user_id": "u"}}),
        ({"safety_identifier": "s", "user": "u"}, {"metadata": {"user_id": "s"}}),
        ({"metadata": {"user_id": "u"}}, {"metadata": {"user_id": "u"}}),
        ({"service_tier": "auto"}, {"service_tier": "auto"}),
        ({"service_tier": "default"}, {"service_tier": "standard_only"}),
        ({"speed": "fast"}, {"speed": "fast"}),
        ({"inference_geo": "eu"}, {"inference_geo": "eu"}),
        ({"output_config": {"task_budget": 5}}, {"output_config": {"task_budget": 5}}),
        ({"cache_control": {"type": "ephemeral"}}, {"cache_control": {"type": "ephemeral"}}),
        ({"container": "c"}, {"container": "c"}),
        # What means nothing, what is nobody's business there.
        ({"n": 1, "presence_penalty": 0, "frequency_penalty": 0.0, "logprobs": False,
          "store": False, "logit_bias": {}, "deferred": False, "modalities": ["text"]}, {}),
        ({"temperature": 1, "top_p": 1.0}, {}),
        ({"agent_attributes": {"a": 1}, "model_attributes": {"m": {}}, "max_turns": 3,
          "handoff_mode": True, "credentials": [{}], "automatic_tool_execution": False,
          "correlation_id": "c", "stream_options": {"include_usage": True}}, {}),
    ],
)  # fmt: skip
def test_a_field_goes_on_by_its_name_there(given: dict[str, JSON], there: dict[str, Any]) -> None:
    body, gone = options(**given)
    assert {key: body[key] for key in body if key not in ("model", "max_tokens", "messages")} == (
        there
    )
    assert not gone


@pytest.mark.parametrize(
    "given",
    [{"n": 2}, {"seed": 7}, {"presence_penalty": 0.5}, {"frequency_penalty": -1},
     {"logit_bias": {"1": 2}}, {"logprobs": True}, {"top_logprobs": 2}, {"prediction": {"a": 1}},
     {"modalities": ["audio"]}, {"audio": {"voice": "a"}}, {"store": True}, {"deferred": True},
     {"safety_settings": [{}]}, {"safe_prompt": True}, {"prompt_mode": "reasoning"},
     {"search_parameters": {"mode": "on"}}, {"cached_content": "cachedContents/1"},
     {"prompt_cache_key": "k"}, {"prompt_cache_retention": "24h"}, {"verbosity": "low"},
     {"mcp_servers": ["a/b"]}, {"service_tier": "flex"}, {"metadata": {"a": "b"}},
     {"stop": ["a", " "]}, {"temperature": 0.5}, {"top_p": 0.5}, {"top_k": 3}],
)  # fmt: skip
def test_what_has_no_counterpart_is_named(given: dict[str, JSON]) -> None:
    body, gone = options(**given)
    assert [*gone] == [f"$.{name}" for name in given]
    assert not body.keys() - {"model", "max_tokens", "messages", "stop_sequences"}


def test_fast_mode_is_said_to_be_wanted() -> None:
    there = asked(prompt(options={"speed": "fast"}))
    assert ("anthropic-beta", "fast-mode-2026-02-01") in there.headers


@pytest.mark.parametrize(
    ("model", "given", "there", "gone"),
    [
        ("claude-3-7-sonnet", {"temperature": 0.5, "top_p": 0.9, "top_k": 3},
         {"temperature": 0.5, "top_p": 0.9, "top_k": 3}, set()),
        (OLD, {"temperature": 0.5, "top_p": 0.9, "top_k": 3}, {"temperature": 0.5, "top_k": 3},
         {"$.top_p"}),
        (OLD, {"top_p": 0.9}, {"top_p": 0.9}, set()),
        (OLD, {"temperature": 1.5}, {"temperature": 1}, {"$.temperature"}),
        ("claude-opus-4-6", {"temperature": 0}, {"temperature": 0}, set()),
        ("claude-opus-4-7", {"temperature": 0}, {}, {"$.temperature"}),
    ],
)  # fmt: skip
def test_sampling_goes_to_models_that_take_it(
    model: str, given: dict[str, JSON], there: dict[str, Any], gone: set[str]
) -> None:
    body, named = options(model, **given)
    assert {key: body[key] for key in body if key in ("temperature", "top_p", "top_k")} == there
    assert named.keys() == gone


@pytest.mark.parametrize(
    ("given", "stays"),
    [({"temperature": 0.5}, False), ({"temperature": 1}, True), ({"top_p": 0.9}, False),
     ({"top_p": 0.96}, True), ({"top_k": 3}, False)],
)  # fmt: skip
@pytest.mark.parametrize("model", [OLD, "claude-opus-4-6"])
def test_who_thinks_takes_less_sampling(model: str, given: dict[str, JSON], stays: bool) -> None:
    there = asked(prompt(options=given, thinking=Thinking("low")), model)
    assert there.body["thinking"]["type"] in ("enabled", "adaptive")
    assert (given.keys() <= there.body.keys()) == stays
    assert bool(there.lost) != stays


# Tools


def test_a_tool_is_declared_as_it_is() -> None:
    tool = Tool("b", None, SCHEMA, True, {"type": "ephemeral"})
    body = asked(prompt(tools=(ADD, tool, Tool("c", "", {}, False)))).body
    assert body["tools"] == [
        {"name": "add", "description": "Adds.", "input_schema": ADD.schema},
        {"name": "b", "input_schema": SCHEMA, "strict": True,
         "cache_control": {"type": "ephemeral"}},
        {"name": "c", "input_schema": {"type": "object", "properties": {}}},
    ]  # fmt: skip
    assert "tool_choice" not in body


def test_tools_of_providers_are_their_own() -> None:
    own = {"type": "web_search_20260318", "name": "web_search"}
    there = asked(prompt(tools=(Foreign("gemini", {"googleSearch": {}}), Foreign("messages", own))))
    assert there.body["tools"] == [own]
    assert lost(there) == {"$.tools[0]": "gemini's googleSearch has no counterpart"}


def test_a_tool_that_takes_text_takes_it_in_an_object() -> None:
    there = asked(prompt(tools=(Tool("patch", "p", None, custom={}),)))
    schema = there.body["tools"][0]["input_schema"]
    assert (schema["required"], schema["properties"]) == (["input"], {"input": {"type": "string"}})
    assert not lost(there)


def test_web_search_is_anthropic_s_own() -> None:
    near = {"type": "approximate", "approximate": {"country": "CH", "city": None}}
    there = asked(
        prompt(
            options={"web_search_options": {"user_location": near, "search_context_size": "low"}}
        )
    )
    assert there.body["tools"] == [
        {"type": "web_search_20250305", "name": "web_search",
         "user_location": {"type": "approximate", "country": "CH"}}
    ]  # fmt: skip
    assert [*lost(there)] == ["$.web_search_options.search_context_size"]
    assert asked(prompt(options={"web_search_options": {}})).body["tools"]


@pytest.mark.parametrize(
    ("choice", "parallel", "there"),
    [
        (None, None, None),
        (None, True, None),
        (None, False, {"type": "auto", "disable_parallel_tool_use": True}),
        (ToolChoice("auto"), None, {"type": "auto"}),
        (ToolChoice("none"), False, {"type": "none"}),
        (ToolChoice("required"), None, {"type": "any"}),
        (ToolChoice("required", ("add",)), False,
         {"type": "tool", "name": "add", "disable_parallel_tool_use": True}),
    ],
)  # fmt: skip
def test_which_tool_is_to_be_called(
    choice: ToolChoice | None, parallel: bool | None, there: dict[str, Any] | None
) -> None:
    found = asked(prompt(tools=(ADD,), choice=choice, parallel=parallel), OLD)
    assert found.body.get("tool_choice") == there
    assert not found.lost


@pytest.mark.parametrize("model", [NEW, "claude-sonnet-5-5", "claude-fable-5", "claude-nova-7"])
def test_models_that_cannot_be_made_to_call_are_not(model: str) -> None:
    there = asked(prompt(tools=(ADD,), choice=ToolChoice("required", ("add",))), model)
    assert there.body["tool_choice"] == {"type": "auto"}
    assert [*lost(there)] == ["$.choice"]


def test_a_choice_among_some_tools_is_among_all() -> None:
    for choice in (ToolChoice("auto", ("add",)), ToolChoice("required", ("add", "b"))):
        there = asked(prompt(tools=(ADD, Tool("b", None, {})), choice=choice), OLD)
        assert there.body["tool_choice"]["type"] in ("auto", "any")
        assert [*lost(there)] == ["$.choice"]


def test_without_tools_there_is_no_choice() -> None:
    for choice in (None, ToolChoice("auto"), ToolChoice("none")):
        there = asked(prompt(choice=choice, parallel=False))
        assert "tool_choice" not in there.body
        assert not there.lost
    assert [*lost(asked(prompt(choice=ToolChoice("required"))))] == ["$.choice"]


def test_tools_that_were_called_must_be_declared() -> None:
    with pytest.raises(Untranslatable) as refused:
        asked(looped(tools=()))
    assert refused.value.param == "$.tools"


def test_a_tool_has_one_name_wherever_it_is_named() -> None:
    tool = Tool("maps.find", None, ADD.schema)
    call = ToolCall("c", "maps.find", "{}")
    turns = (user(), Utterance("assistant", (call,), "$"), looped().turns[2])
    result = turns[2].parts[0]._replace(id="c")  # type: ignore[attr-defined]
    turns = (*turns[:2], turns[2]._replace(parts=(result,)))
    choice = ToolChoice("required", ("maps.find",))
    body = asked(prompt(*turns, tools=(tool,), choice=choice), OLD).body
    names = {body["tools"][0]["name"], body["tool_choice"]["name"],
             body["messages"][1]["content"][0]["name"]}  # fmt: skip
    assert names == {"maps_x2e_find"}


# The form of the answer


def test_a_schema_is_the_answer_s_format() -> None:
    there = asked(prompt(shape=Shape(SCHEMA, "name", "d", True), thinking=Thinking("high")))
    closed = {**SCHEMA, "additionalProperties": False}
    assert there.body["output_config"] == {
        "effort": "high", "format": {"type": "json_schema", "schema": closed}
    }  # fmt: skip
    assert not there.lost


def test_what_of_a_schema_is_not_known_there_is_named() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer", "maximum": 3}}}
    there = asked(prompt(shape=Shape(schema)))
    assert lost(there) == {"$.shape": "only told the model in words: maximum"}


def test_any_json_is_no_form_that_can_be_had() -> None:
    there = asked(prompt(shape=Shape(), paths={"shape": "$.response_format"}))
    assert "output_config" not in there.body
    assert [*lost(there)] == ["$.response_format"]


def test_where_there_are_no_schemas_the_answer_is_a_call() -> None:
    there = asked(prompt(shape=Shape(SCHEMA), thinking=Thinking("low")), "claude-3-7-sonnet")
    assert there.body["tool_choice"] == {"type": "tool", "name": ANSWER}
    assert there.body["tools"][0]["input_schema"] == SCHEMA
    assert "thinking" not in there.body
    assert [*lost(there)] == ["$.thinking"]
    both = asked(prompt(shape=Shape(SCHEMA), tools=(ADD,)), "claude-3-7-sonnet")
    assert [*lost(both)] == ["$.shape"]


# Thinking, and what rules it out


def test_a_budget_does_not_go_with_a_forced_tool() -> None:
    given = prompt(tools=(ADD,), choice=ToolChoice("required"), thinking=Thinking("high"))
    there = asked(given, OLD)
    assert there.body["tool_choice"] == {"type": "any"}
    assert "thinking" not in there.body
    assert [*lost(there)] == ["$.thinking"]


HERE = Signed("anthropic", OLD, "sig")


def test_a_budget_needs_the_turn_s_thinking_back() -> None:
    whole = looped(Thought("t", HERE), thinking=Thinking("low"))
    assert asked(whole, OLD).body["thinking"]["type"] == "enabled"
    for thoughts_of in ((), (Thought("t", Signed("google", "g", "sig")),)):
        there = asked(looped(*thoughts_of, thinking=Thinking("low")), OLD)
        assert "thinking" not in there.body
        assert lost(there) == {
            "$.thinking": "what the model thought before its calls has not come back"
        }
    # Models that think as they find right need none.
    assert not asked(looped(thinking=Thinking("low")), "claude-opus-4-6").lost


def test_only_the_first_call_of_a_turn_needs_its_thinking() -> None:
    first = looped(Thought("t", HERE), thinking=Thinking("low"))
    before = (*looped().turns, Utterance("assistant", (Words("so"),), "$"))
    for turns in ((*first.turns, *looped().turns[1:]), (*before, *first.turns)):
        assert "thinking" in asked(first._replace(turns=turns), OLD).body
    turns = (*looped().turns, *first.turns[1:])
    assert "thinking" not in asked(first._replace(turns=turns), OLD).body


def test_a_budget_does_not_go_with_an_answer_begun() -> None:
    given = prompt(user(), Utterance("assistant", (Words("a"),), "$"), thinking=Thinking("low"))
    there = asked(given, OLD)
    assert "thinking" not in there.body
    assert there.lost


# All of it: whatever is asked of whichever model, Anthropic takes it or we say why not.

WISHES = st.none() | st.builds(
    Thinking,
    st.sampled_from(["", "none", "minimal", "high", "max"]),
    st.sampled_from([None, -1, 0, 1024, 50_000]),
    st.sampled_from(["", "enabled", "adaptive", "disabled"]),
)
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "max_tokens": st.integers(1, 4096),
        "temperature": st.sampled_from([0, 0.5, 1, 1.7]),
        "top_p": st.sampled_from([0.5, 0.97, 1]),
        "top_k": st.integers(0, 9),
        "stop": st.lists(st.sampled_from(["a", " "]), max_size=2),
        "user": st.just("u"),
        "service_tier": st.sampled_from(["auto", "default", "flex"]),
        "web_search_options": st.just({}),
    },
)
ALSO = ("pictures", "papers", "failures", "shape", "late", "custom")


@given(
    st.sampled_from(MODELS),
    prompts(signed=signatures("anthropic", OLD) | signatures("google", "g"), also=ALSO),
    WISHES,
    OPTIONS,
    st.none() | st.booleans(),
)
def test_whatever_is_sent_is_taken(
    model: str, given: Prompt, wish: Thinking | None, said: dict[str, JSON], parallel: bool | None
) -> None:
    given = given._replace(thinking=wish, options=said, parallel=parallel)
    try:
        asked(given, model)  # which holds it against the rules
    except Untranslatable as refused:
        if not refused.param:
            raise


def test_what_is_signed_elsewhere_never_arrives() -> None:
    given = looped(Thought("t", Signed("google", "g", "foreign")))
    call = ToolCall("call_1", "add", "{}", Signed("google", "g", "foreign"))
    turns = (given.turns[0], Utterance("assistant", (call,), "$"), given.turns[2])
    for each in (given, given._replace(turns=turns)):
        assert "foreign" not in str(asked(each, OLD).body)

"""A chat request as a prompt: both styles of everything, wrappers, signed history."""

from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptdeck.core.dialects.translate.aim import Untranslatable
from promptdeck.core.dialects.translate.chat.reads import prompt_of
from promptdeck.core.dialects.translate.neutral import (
    Foreign,
    Paper,
    Picture,
    Prompt,
    Regret,
    Shape,
    Signed,
    Sound,
    Thinking,
    Thought,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Words,
)
from promptdeck.core.text.jsontext import JSON, JSONObject
from tests.chats import ANY_JSON

from .test_tells import ANSWER, told


def read(**body: JSON) -> Prompt:
    return prompt_of({"model": "m", **body}, "")


def said(message: JSONObject) -> tuple[Any, ...]:
    """What the parts of one message are read as."""
    return read(messages=[message]).turns[0].parts


def user(*parts: JSON) -> tuple[Any, ...]:
    return said({"role": "user", "content": list(parts)})


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ({"type": "text", "text": "a"}, Words("a")),
        ({"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}},
         Words("a", {"type": "ephemeral"})),
        ({"type": "input_text", "text": "a"}, Words("a")),
        ({"type": "image_url", "image_url": "https://a"}, Picture("https://a")),
        ({"type": "image_url", "image_url": {"url": "https://a", "detail": "low"}},
         Picture("https://a", detail="low")),
        ({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "A"}},
         Picture("data:image/png;base64,A", "image/png")),
        ({"type": "image", "source": {"type": "url", "url": "https://a"}}, Picture("https://a")),
        ({"type": "input_audio", "input_audio": {"data": "A", "format": "mp3"}}, Sound("A", "mp3")),
        ({"type": "file", "file": {"file_data": "data:application/pdf;base64,A", "filename": "n"}},
         Paper("data:application/pdf;base64,A", "", "n", "application/pdf")),
        ({"type": "file", "file": {"file_data": "A", "filename": "n"}},
         Paper("data:application/pdf;base64,A", "", "n", "application/pdf")),
        ({"type": "file", "file": {"file_id": "f"}}, Paper("", "f")),
        ({"type": "document_url", "document_url": "https://a"}, Paper("https://a")),
        ({"type": "refusal", "refusal": "no"}, Regret("no")),
        ({"type": "search_result", "source": "s"}, Foreign("messages", {"type": "search_result",
                                                                         "source": "s"})),
        ({"type": "video_url", "video_url": {}}, Foreign("chat", {"type": "video_url",
                                                                  "video_url": {}})),
    ],
)  # fmt: skip
def test_parts_of_a_content(part: JSON, expected: Any) -> None:
    assert user(part) == (expected,)


def test_roles_and_places() -> None:
    prompt = read(
        system_instruction="be brief",
        messages=[
            {"role": "developer", "content": "d"},
            {"role": "system", "content": "s"},
            {"role": "user", "content": "u", "name": "ann"},
        ],
    )
    assert [(turn.role, turn.path, turn.name) for turn in prompt.turns] == [
        ("system", "$.system_instruction", ""),
        ("system", "$.messages[0]", ""),
        ("system", "$.messages[1]", ""),
        ("user", "$.messages[2]", "ann"),
    ]


@pytest.mark.parametrize(
    ("instruction", "parts"),
    [
        ("a", (Words("a"),)),
        ({"parts": [{"text": "a"}, {"text": "b"}]}, (Words("a"), Words("b"))),
        ({"text": "a"}, (Words("a"),)),
        ({"role": "system", "content": "a"}, (Words("a"),)),
        ({"parts": [{"inlineData": {}}]}, (Foreign("gemini", {"parts": [{"inlineData": {}}]}),)),
    ],
)
def test_instructions_in_every_form(instruction: JSON, parts: tuple[Any, ...]) -> None:
    assert read(system_instruction=instruction).turns[0].parts == parts


def test_results_find_the_name_of_their_tool() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": {"a": 1}}}
    custom = {"id": "d", "type": "custom", "custom": {"name": "g", "input": "in"}}
    prompt = read(
        messages=[
            {"role": "assistant", "tool_calls": [call, custom]},
            {"role": "tool", "tool_call_id": "c", "content": "1"},
            {"role": "tool", "tool_call_id": "d", "content": None},
        ]
    )
    assert [turn.parts for turn in prompt.turns] == [
        (ToolCall("c", "f", '{"a":1}'), ToolCall("d", "g", "in", is_custom=True)),
        (ToolResult("c", "f", (Words("1"),)),),
        (ToolResult("d", "g", (), is_custom=True),),
    ]


def test_functions_of_the_time_before_tools_are_tools() -> None:
    prompt = read(
        functions=[{"name": "f", "parameters": {"type": "object"}}],
        function_call={"name": "f"},
        messages=[
            {"role": "assistant", "function_call": {"name": "f", "arguments": "{}"}},
            {"role": "function", "name": "f", "content": "1"},
        ],
    )
    assert prompt.tools == (Tool("f", None, {"type": "object"}),)
    assert prompt.choice == ToolChoice("required", ("f",))
    call, result = (turn.parts[0] for turn in prompt.turns)
    assert isinstance(call, ToolCall)
    assert result == ToolResult(call.id, "f", (Words("1"),))
    assert prompt.path("choice") == "$.function_call"


@pytest.mark.parametrize(
    ("choice", "expected", "parallel"),
    [
        ("none", ToolChoice("none"), None),
        ("any", ToolChoice("required"), None),
        ({"type": "function", "function": {"name": "f"}}, ToolChoice("required", ("f",)), None),
        ({"type": "tool", "name": "f", "disable_parallel_tool_use": True},
         ToolChoice("required", ("f",)), False),
        ({"type": "any"}, ToolChoice("required"), None),
        ({"type": "auto", "disable_parallel_tool_use": True}, ToolChoice("auto"), False),
        ({"type": "none"}, ToolChoice("none"), None),
        ({"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [
            {"type": "function", "function": {"name": "f"}}, {"name": "g"}]}},
         ToolChoice("auto", ("f", "g")), None),
    ],
)  # fmt: skip
def test_choices_of_tools_in_both_styles(
    choice: JSON, expected: ToolChoice, parallel: bool | None
) -> None:
    prompt = read(tool_choice=choice)
    assert (prompt.choice, prompt.parallel) == (expected, parallel)


def test_a_choice_that_nobody_knows_is_kept_to_be_named() -> None:
    assert read(tool_choice="string").options == {"tool_choice": "string"}


def test_wrappers_stand_under_the_request_s_own_fields() -> None:
    prompt = read(
        temperature=0.5,
        generation_config={"temperature": 1, "topP": 0.9, "max_output_tokens": 7,
                           "candidateCount": 2,
                           "stopSequences": ["x"], "mediaResolution": "LOW",
                           "responseMimeType": "application/json", "responseSchema": {"a": 1},
                           "thinkingConfig": {"thinkingLevel": "HIGH", "includeThoughts": True}},
        tool_config={"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]},
                     "retrievalConfig": {}},
        output_config={"task_budget": 3},
    )  # fmt: skip
    assert prompt.options == {
        "temperature": 0.5, "top_p": 0.9, "max_tokens": 7, "n": 2, "stop": ["x"],
        "generation_config": {"mediaResolution": "LOW"}, "tool_config": {"retrievalConfig": {}},
        "output_config": {"task_budget": 3},
    }  # fmt: skip
    assert prompt.path("top_p") == "$.generation_config.topP"
    assert prompt.path("temperature") == "$.temperature"
    assert prompt.shape == Shape({"a": 1})
    assert prompt.path("shape") == "$.generation_config"
    assert prompt.thinking == Thinking("high", shown=True)
    assert prompt.choice == ToolChoice("required", ("f",))


@pytest.mark.parametrize(
    ("body", "expected", "path"),
    [
        ({"reasoning_effort": "high"}, Thinking("high"), "$.reasoning_effort"),
        ({"thinking": {"type": "enabled", "budget_tokens": 9}},
         Thinking("", 9, "enabled"), "$.thinking"),
        ({"thinking": {"type": "disabled"}}, Thinking(mode="disabled"), "$.thinking"),
        ({"thinking": {"type": "adaptive", "display": "omitted"}, "reasoning_effort": "low"},
         Thinking("low", None, "adaptive", False), "$.reasoning_effort"),
        ({"output_config": {"effort": "max"}}, Thinking("max"), "$.output_config.effort"),
        ({"reasoning_effort": "low", "output_config": {"effort": "max"}}, Thinking("low"),
         "$.reasoning_effort"),
        ({"reasoning": {"effort": "low", "exclude": True}}, Thinking("low", shown=False),
         "$.reasoning"),
        ({"generation_config": {"thinking_config": {"thinking_budget": 0}}},
         Thinking("", 0, "disabled"), "$.generation_config"),
    ],
)  # fmt: skip
def test_how_much_to_reason(body: JSONObject, expected: Thinking, path: str) -> None:
    prompt = read(**body)
    assert prompt.thinking == expected
    assert prompt.path("thinking") == path
    assert not prompt.options


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({"type": "text"}, None),
        ({"type": "json_object"}, Shape()),
        ({"type": "json_schema", "json_schema": {"name": "n", "schema": {}, "strict": True}},
         Shape({}, "n", None, strict=True)),
    ],
)  # fmt: skip
def test_forms_of_answers(form: JSON, expected: Shape | None) -> None:
    assert read(response_format=form).shape == expected
    assert not read(response_format=form).options


def test_anthropic_s_form_is_one_too() -> None:
    config = {"format": {"type": "json_schema", "schema": {"a": 1}}}
    assert read(output_config=config).shape == Shape({"a": 1})
    assert read(output_config=config).path("shape") == "$.output_config.format"


def test_models_bring_their_own_settings() -> None:
    settings_of = {"temperature": 1, "top_k": 3, "reasoning_effort": "low", "attributes": {}}
    one = {"model": "x", "settings": settings_of}
    for model in (one, [one]):
        prompt = read(model=model, temperature=0.5)
        assert prompt.model == "x"
        assert prompt.options == {"temperature": 0.5, "top_k": 3}
        assert prompt.thinking == Thinking("low")
        assert prompt.path("top_k").endswith(".settings.top_k")


def test_tools_of_all_kinds() -> None:
    web = {"type": "web_search_20250305", "name": "web_search"}
    prompt = read(
        tools=[
            {"function": {"name": "f", "description": "d", "strict": True},
             "cache_control": {"type": "ephemeral"}},
            {"type": "custom", "custom": {"name": "g", "format": {"type": "text"}}},
            web, {"googleSearch": {}}, {"type": "mcp"},
        ]
    )  # fmt: skip
    assert prompt.tools == (
        Tool("f", "d", {"type": "object", "properties": {}}, True, {"type": "ephemeral"}),
        Tool("g", None, None, custom={"type": "text"}),
        Foreign("messages", web),
        Foreign("gemini", {"googleSearch": {}}),
        Foreign("responses", {"type": "mcp"}),
    )


def test_an_answer_comes_back_with_all_that_was_signed_in_its_place() -> None:
    """As an SDK that adds deltas up holds it."""
    from promptdeck.core.dialects.chat.dialect import CHAT

    message = CHAT.fold(told(ANSWER))["choices"][0]["message"]
    assert said(orjson.loads(orjson.dumps(message))) == (
        Thought("Let me see.", Signed("anthropic", "claude-5", "c2ln")),
        Words("Hello"),
        Thought("", Signed("anthropic", "claude-5", "ZW5j"), is_hidden=True),
        ToolCall("toolu_1", "now", "{}", Signed("google", "gemini-3", "Z29v")),
    )


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        # LiteLLM's
        ({"thinking_blocks": [{"type": "thinking", "thinking": "t", "signature": "s"},
                              {"type": "redacted_thinking", "data": "d"}],
          "reasoning_content": "t"},
         (Thought("t", Signed("anthropic", "", "s")),
          Thought("", Signed("anthropic", "", "d"), is_hidden=True))),
        # OpenRouter's, of two providers
        ({"reasoning": "t", "reasoning_details": [
            {"type": "reasoning.text", "text": "t", "signature": "s", "index": 0,
             "format": "anthropic-claude-v1"}]},
         (Thought("t", Signed("anthropic", "", "s")),)),
        ({"reasoning_details": [
            {"type": "reasoning.summary", "summary": "t", "id": "rs", "index": 0,
             "format": "openai-responses-v1"},
            {"type": "reasoning.encrypted", "data": "d", "id": "rs", "index": 0,
             "format": "openai-responses-v1"}]},
         (Thought("t", Signed("openai", "", "d"), is_summary=True, id="rs"),)),
        # nobody's
        ({"reasoning_content": "t"}, (Thought("t"),)),
        ({"reasoning": "t"}, (Thought("t"),)),
    ],
)  # fmt: skip
def test_reasoning_is_read_in_all_forms(message: JSONObject, expected: tuple[Any, ...]) -> None:
    assert said({"role": "assistant", "content": "a", **message}) == (*expected, Words("a"))


@pytest.mark.parametrize(
    "more",
    [
        {"thought_signature": "s"},
        {"extra_content": {"google": {"thought_signature": "s"}}},
    ],
)
def test_a_signature_alone_on_a_call_is_google_s(more: JSONObject) -> None:
    call = {"id": "c", "function": {"name": "f", "arguments": "{}"}, **more}
    (found,) = said({"role": "assistant", "tool_calls": [call]})
    assert found.signed == Signed("google", "", "s")


def test_openrouter_s_signature_of_a_call_has_its_id() -> None:
    call = {"id": "c", "function": {"name": "f", "arguments": "{}"}}
    detail = {"type": "reasoning.encrypted", "data": "s", "id": "c", "format": "google-gemini-v1"}
    (found,) = said({"role": "assistant", "tool_calls": [call], "reasoning_details": [detail]})
    assert found.signed == Signed("google", "", "s")


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"model": None}, "$.model"),
        ({"messages": [7]}, "$.messages[0]"),
        ({"messages": [{"role": "robot"}]}, "$.messages[0]"),
        ({"messages": [{"role": "user", "content": 7}]}, "$.messages[0].content"),
        ({"messages": [{"role": "user", "content": [7]}]}, "$.messages[0].content[0]"),
        ({"tools": [7]}, "$.tools[0]"),
        ({"tools": [{"type": "function", "function": {}}]}, "$.tools[0]"),
    ],
)
def test_what_cannot_be_understood_is_named_by_its_place(body: JSONObject, path: str) -> None:
    with pytest.raises(Untranslatable) as caught:
        read(**body)
    assert caught.value.param == path


NAMES = st.sampled_from(
    """messages tools functions tool_choice function_call tool_config generation_config thinking
    output_config reasoning response_format stop stream model system_instruction""".split()
)
_INNER = st.sampled_from(
    """role content type text tool_calls function name arguments image_url url file input_audio
    reasoning_details thinking_blocks signature index after json_schema schema settings parts id
    functionCallingConfig thinkingConfig native_parts value dialect custom""".split()
)
ODD = st.recursive(
    ANY_JSON | st.sampled_from(["user", "assistant", "tool", "text", "file", "function"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_INNER, inner, max_size=4),
    max_leaves=8,
)


@settings(max_examples=60)
@given(st.dictionaries(NAMES, ODD, max_size=4))
def test_nothing_else_is_ever_raised(body: JSONObject) -> None:
    with suppress(Untranslatable):
        prompt_of({"model": "m", **body}, "")


def test_a_part_whose_type_is_no_text_is_nobody_s() -> None:
    part = {"type": {"a": 1}}
    prompt = prompt_of({"model": "m", "messages": [{"role": "user", "content": [part]}]}, "")
    assert prompt.turns[0].parts == (Foreign("chat", part),)

"""A request to `/v1/responses` as a prompt: as the SDK, openai-agents and codex send it."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.dialects.translate.aim import Lost, Options, Untranslatable
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
    Utterance,
    Words,
)
from promptdeck.core.dialects.translate.responses.namespaces import spaces_of
from promptdeck.core.dialects.translate.responses.reads import prompt_of
from promptdeck.core.dialects.translate.responses.wrapping import wrapped
from promptdeck.core.text.jsontext import JSON, JSONObject


def read(**body: Any) -> Prompt:
    return prompt_of({"model": "m", "input": "hi", **body}, "/v1/responses")


def turns(*items: JSON) -> tuple[Utterance, ...]:
    return read(input=[*items]).turns


def test_a_text_is_what_the_user_says() -> None:
    prompt = read(instructions="Be brief.", stream=True)
    assert prompt == Prompt(
        "responses",
        "m",
        (
            Utterance("system", (Words("Be brief."),), "$.instructions"),
            Utterance("user", (Words("hi"),), "$.input"),
        ),
        stream=True,
        paths=prompt.paths,
    )
    assert read(input=None).turns == ()


def test_roles_and_parts() -> None:
    parts = [
        {"type": "input_text", "text": "see", "prompt_cache_breakpoint": {"mode": "explicit"}},
        {"type": "input_image", "image_url": "https://a/b.png", "detail": "auto"},
        {"type": "input_image", "file_id": "file-1", "detail": "low"},
        {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,AA"},
        {"type": "input_file", "filename": "a.txt", "file_data": "AA"},
        {"type": "input_file", "file_url": "https://a/b.pdf"},
        {"type": "input_file", "file_id": "file-2"},
        {"type": "input_audio", "input_audio": {"data": "AA", "format": "wav"}},
    ]
    assert turns(
        {"role": "developer", "content": "Be kind."},
        {"type": "message", "role": "user", "content": parts},
    ) == (
        Utterance("system", (Words("Be kind."),), "$.input[0]"),
        Utterance(
            "user",
            (
                Words("see", {"type": "ephemeral"}),
                Picture("https://a/b.png"),
                Picture("file-1", detail="low"),
                Paper("data:application/pdf;base64,AA", name="a.pdf"),
                Paper("data:text/plain;base64,AA", name="a.txt"),
                Paper("https://a/b.pdf"),
                Paper(id="file-2"),
                Sound("AA", "wav"),
            ),
            "$.input[1]",
        ),
    )


def test_the_items_of_one_turn_of_the_model_s_are_one_turn() -> None:
    said = turns(
        {"role": "user", "content": "hi"},
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm."}]},
        {
            "type": "message",
            "id": "msg_1",
            "status": "completed",
            "role": "assistant",
            "phase": "commentary",
            "content": [
                {"type": "output_text", "text": "Let me see.", "annotations": [], "logprobs": []},
                {"type": "refusal", "refusal": "No."},
            ],
        },
        {"type": "function_call", "id": "fc_1", "call_id": "a", "name": "f", "arguments": "{}"},
        {"type": "custom_tool_call", "call_id": "b", "name": "g", "input": "x"},
        {"type": "function_call_output", "call_id": "a", "output": "1"},
        {
            "type": "custom_tool_call_output",
            "call_id": "b",
            "output": [{"type": "input_text", "text": "2"}],
        },
    )
    assert said[1:] == (
        Utterance(
            "assistant",
            (
                Thought("Hm.", is_summary=True, id="rs_1"),
                Words("Let me see."),
                Regret("No."),
                ToolCall("a", "f", "{}"),
                ToolCall("b", "g", "x", is_custom=True),
            ),
            "$.input[1]",
        ),
        Utterance("user", (ToolResult("a", "f", (Words("1"),)),), "$.input[5]"),
        Utterance("user", (ToolResult("b", "g", (Words("2"),), is_custom=True),), "$.input[6]"),
    )


def test_sources_of_what_the_model_said() -> None:
    source = {"type": "url_citation", "url": "u", "title": "t", "start_index": 0, "end_index": 1}
    part = {"type": "output_text", "text": "a", "annotations": [source, {"type": "file_path"}]}
    [turn] = turns({"role": "assistant", "content": [part]})
    inner = {"url": "u", "title": "t", "start_index": 0, "end_index": 1}
    cited = ({"type": "url_citation", "url_citation": inner},)
    assert turn.parts == (Words("a", citations=cited),)


SIGNED = Signed("google", "gemini-3", "sig")


def test_signatures_come_back_to_what_they_are_of() -> None:
    def reasoning(text: str, **more: JSON) -> JSONObject:
        return {"type": "reasoning", "summary": [], "encrypted_content": text, **more}

    content = [{"type": "reasoning_text", "text": "Hm."}]
    [turn] = turns(
        reasoning("gAAA"),
        reasoning(wrapped(SIGNED, "thought", "Hm."), content=content),
        reasoning(wrapped(SIGNED, "thought", "So.")),
        reasoning(wrapped(SIGNED, "thought")),
        reasoning(wrapped(SIGNED, "hidden")),
        {"role": "assistant", "content": "There."},
        reasoning(wrapped(SIGNED, "text")),
        reasoning(wrapped(SIGNED, "text")),
        reasoning(wrapped(SIGNED, "call")),
        {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"},
        {"type": "function_call", "call_id": "b", "name": "f", "arguments": "{}"},
    )
    assert turn.parts == (
        Thought("", Signed("openai", "", "gAAA"), is_hidden=True),
        Thought("Hm.", SIGNED),
        Thought("So.", SIGNED),
        Thought("", SIGNED),
        Thought("", SIGNED, is_hidden=True),
        Words("There.", signed=SIGNED),
        ToolCall("a", "f", "{}", SIGNED),
        ToolCall("b", "f", "{}"),
    )
    [empty] = turns(reasoning(wrapped(SIGNED, "text")))
    assert empty.parts == (Words("", signed=SIGNED),)


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"previous_response_id": "resp_1"}, "$.previous_response_id"),
        ({"conversation": "conv_1"}, "$.conversation"),
        ({"conversation": {"id": "conv_1"}}, "$.conversation"),
        ({"prompt": {"id": "pmpt_1"}}, "$.prompt"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "$.input[0]"),
        ({"input": [{"type": "compaction", "encrypted_content": "x"}]}, "$.input[0]"),
        ({"input": 3}, "$.input"),
        ({"input": ["hi"]}, "$.input[0]"),
        ({"input": [{"role": "boss", "content": "hi"}]}, "$.input[0].role"),
        ({"input": [{"role": "user", "content": 3}]}, "$.input[0].content"),
        ({"input": [{"role": "user", "content": [{"type": "x"}]}]}, "$.input[0].content[0]"),
        ({"input": [{"role": "user", "content": ["hi"]}]}, "$.input[0].content[0]"),
        ({"input": [{"role": ["user"], "content": "hi"}]}, "$.input[0].role"),
        ({"input": [{"type": ["message"]}]}, "$.input[0].type"),
        ({"model": 3}, "$.model"),
    ],
)
def test_what_cannot_be_known_elsewhere_is_refused_by_its_place(
    body: JSONObject, place: str
) -> None:
    with pytest.raises(Untranslatable) as caught:
        read(**body)
    assert caught.value.param == place
    assert str(caught.value).startswith(place)


def test_tools() -> None:
    schema = {"type": "object", "properties": {}}
    tools = [
        {"type": "function", "name": "f", "description": "d", "parameters": schema, "strict": True},
        {"type": "function", "name": "g", "parameters": None, "strict": None},
        {"type": "custom", "name": "h", "description": "d"},
        {
            "type": "custom",
            "name": "i",
            "format": {"type": "grammar", "syntax": "lark", "definition": "x"},
        },
        {
            "type": "namespace",
            "name": "mcp__docs__",
            "description": "d",
            "tools": [{"type": "function", "name": "find", "parameters": schema}],
        },
        {"type": "tool_search"},
    ]
    added = {"type": "additional_tools", "role": "developer", "tools": [tools[0]]}
    prompt = read(tools=tools[1:], input=[added, {"role": "user", "content": "hi"}])
    grammar = {"type": "grammar", "grammar": {"syntax": "lark", "definition": "x"}}
    assert prompt.tools == (
        Tool("g", None, None),
        Tool("h", "d", None, custom={}),
        Tool("i", None, None, custom=grammar),
        Tool("mcp__docs__find", None, schema),
        Tool("f", "d", schema, strict=True),
    )
    assert prompt.options == {}
    call = {"type": "function_call", "call_id": "a", "name": "find", "arguments": "{}"}
    [turn] = turns({**call, "namespace": "mcp__docs__"})
    assert turn.parts == (ToolCall("a", "mcp__docs__find", "{}"),)


def test_a_long_name_of_a_namespace_s_tool_is_short_elsewhere_and_comes_back() -> None:
    functions = [{"type": "function", "name": f"{'find' * 12}_{n}"} for n in range(2)]
    space = {"type": "namespace", "name": "mcp__documents", "tools": functions}
    prompt = read(tools=[space])
    names = [tool.name for tool in prompt.tools if isinstance(tool, Tool)]
    assert len(set(names)) == 2
    assert {len(name) for name in names} == {64}
    spaces = spaces_of({"tools": [space]})
    assert [spaces[name] for name in names] == [
        ("mcp__documents", function["name"]) for function in functions
    ]


def lost_of(**body: Any) -> tuple[Lost, ...]:
    """What is lost where an upstream knows none of a request's options."""
    return Options(read(**body)).lost()


def test_tools_that_the_provider_runs_are_named_but_for_the_search_that_others_have() -> None:
    place = {"type": "approximate", "country": "CH", "city": None}
    search = {"type": "web_search", "search_context_size": "low", "user_location": place}
    prompt = read(tools=[search])
    told = {"type": "approximate", "approximate": {"country": "CH"}}
    assert prompt.options == {
        "web_search_options": {"search_context_size": "low", "user_location": told}
    }
    assert prompt.path("web_search_options") == "$.tools[0]"
    why = "has no counterpart"
    tools = [
        {"type": "web_search_preview", "filters": {"allowed_domains": ["a"]}},
        {"type": "file_search", "vector_store_ids": ["vs"]},
        {"type": "code_interpreter", "container": {"type": "auto"}},
    ]
    assert {*lost_of(tools=tools)} == {
        Lost("$.tools[0]", why),
        Lost("$.tools[0].filters", why),
        Lost("$.tools[1]", why),
        Lost("$.tools[2]", why),
    }
    [turn] = turns({"type": "web_search_call", "id": "ws_1", "status": "completed"})
    assert turn.parts[0] == Foreign(
        "responses", {"type": "web_search_call", "id": "ws_1", "status": "completed"}
    )


@pytest.mark.parametrize(
    ("asked", "choice"),
    [
        ("none", ToolChoice("none")),
        ("auto", ToolChoice("auto")),
        ("required", ToolChoice("required")),
        ({"type": "function", "name": "f"}, ToolChoice("required", ("f",))),
        ({"type": "custom", "name": "h"}, ToolChoice("required", ("h",))),
        (
            {
                "type": "allowed_tools",
                "mode": "auto",
                "tools": [{"type": "function", "name": "f"}, {"type": "mcp", "server_label": "x"}],
            },
            ToolChoice("auto", ("f",)),
        ),
        (
            {
                "type": "allowed_tools",
                "mode": "required",
                "tools": [{"type": "function", "name": "f"}],
            },
            ToolChoice("required", ("f",)),
        ),
        (None, None),
    ],
)
def test_which_tools_may_be_called(asked: JSON, choice: ToolChoice | None) -> None:
    prompt = read(tool_choice=asked, parallel_tool_calls=False)
    assert prompt.choice == choice
    assert prompt.parallel is False
    assert prompt.options == {}


def test_the_provider_s_tool_cannot_be_chosen() -> None:
    lost = lost_of(tool_choice={"type": "file_search"})
    assert lost == (Lost("$.tool_choice", "has no counterpart"),)


def test_the_form_of_an_answer_and_how_long_it_is() -> None:
    schema = {"type": "object"}
    form = {"type": "json_schema", "name": "x", "schema": schema, "strict": True}
    prompt = read(text={"format": form, "verbosity": "low"})
    assert prompt.shape == Shape(schema, "x", None, True)
    assert prompt.options == {"verbosity": "low"}
    assert prompt.path("verbosity") == "$.text.verbosity"
    assert read(text={"format": {"type": "json_object"}}).shape == Shape()
    assert read(text={"format": {"type": "text"}}).shape is None


def test_how_much_is_reasoned() -> None:
    assert read(reasoning={"effort": "low"}).thinking == Thinking("low")
    assert read(reasoning={"effort": "low", "summary": "auto"}).thinking == Thinking(
        "low", shown=True
    )
    assert read(reasoning={"summary": "auto"}).thinking == Thinking(shown=True)
    assert read(reasoning={"effort": None, "summary": None}).thinking is None
    why = "has no counterpart"
    assert lost_of(reasoning={"mode": "pro", "context": "current_turn"}) == (
        Lost("$.reasoning.context", why),
        Lost("$.reasoning.mode", why),
    )
    for context in ("auto", "all_turns"):
        assert lost_of(reasoning={"mode": "standard", "context": context}) == ()


def test_all_else_is_an_option_by_the_contract_s_name() -> None:
    prompt = read(
        max_output_tokens=5,
        temperature=0.5,
        top_p=None,
        top_logprobs=3,
        include=["message.output_text.logprobs", "reasoning.encrypted_content"],
        metadata={"a": "b"},
        store=False,
        truncation="disabled",
        background=False,
        stream_options={"include_obfuscation": False},
        client_metadata={"x": "y"},
    )
    assert prompt.options == {
        "max_tokens": 5, "temperature": 0.5, "top_logprobs": 3, "logprobs": True,
        "metadata": {"a": "b"}, "store": False,
    }  # fmt: skip
    assert prompt.path("max_tokens") == "$.max_output_tokens"


def test_what_only_this_protocol_has_is_named() -> None:
    why = "has no counterpart"
    lost = lost_of(
        background=True, truncation="auto", max_tool_calls=3, include=["file_search_call.results"]
    )
    assert {one.path for one in lost} == {
        "$.background", "$.truncation", "$.max_tool_calls", "$.include",
    }  # fmt: skip
    assert {one.why for one in lost} == {why}


_KEYS = (
    "type role content id name call_id arguments output input summary encrypted_content text "
    "namespace tools format mode url annotations input_audio file_data detail phase schema"
).split()
_KINDS = (
    "message reasoning function_call function_call_output custom_tool_call input_text input_image "
    "input_file input_audio output_text refusal summary_text additional_tools namespace function "
    "custom web_search allowed_tools json_schema grammar user assistant"
).split()
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(_KINDS),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_KEYS), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(
    st.dictionaries(
        st.sampled_from(["input", "tools", "tool_choice", "text", "reasoning", "include", "x"]),
        _JSON,
        max_size=3,
    )
)
def test_no_request_is_too_odd(body: JSONObject) -> None:
    with suppress(Untranslatable):
        assert None not in prompt_of({"model": "m", **body}, "").options.values()

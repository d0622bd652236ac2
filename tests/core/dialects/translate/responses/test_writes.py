"""A prompt as a request to `/v1/responses`, as OpenAI takes it."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptdeck.core.dialects.translate.aim import Aim, Lost, Untranslatable
from promptdeck.core.dialects.translate.neutral import (
    Foreign,
    Paper,
    Passage,
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
from promptdeck.core.dialects.translate.responses.reads import prompt_of
from promptdeck.core.dialects.translate.responses.writes import written
from promptdeck.core.text.jsontext import JSON, JSONObject
from tests.conformance.openai_rules import refusal
from tests.core.dialects.translate.strategies import essence_of, prompts, signatures

AIM = Aim("openai", "responses", "gpt-5.6-sol", "openai")
PLAIN = AIM._replace(model="gpt-4.1")
HI = Utterance("user", (Words("hi"),), "$.messages[0]")
ASKED = {"role": "user", "content": [{"type": "input_text", "text": "hi"}]}
SIGNED = Signed("openai", "gpt-5.6-sol", "gAAA")


def body_of(*turns: Utterance, aim: Aim = AIM, **fields: Any) -> JSONObject:
    """The body of a request that loses nothing."""
    request = written(Prompt("chat", "m", turns or (HI,), **fields), aim)
    assert request.lost == ()
    return request.body


def lost_of(*turns: Utterance, aim: Aim = AIM, **fields: Any) -> tuple[Lost, ...]:
    return written(Prompt("chat", "m", turns or (HI,), **fields), aim).lost


def items_of(*parts: Passage, role: Any = "assistant", aim: Aim = AIM) -> list[JSONObject]:
    items: list[JSONObject] = body_of(Utterance(role, parts, "$.messages[0]"), aim=aim)["input"]
    return items


def test_a_plain_request_is_not_stored_and_keeps_its_reasoning() -> None:
    request = written(Prompt("chat", "m", (HI,)), AIM)
    assert request.target == "/v1/responses"
    assert request.body == {
        "model": "gpt-5.6-sol",
        "input": [ASKED],
        "store": False,
        "include": ["reasoning.encrypted_content"],
    }
    assert body_of(aim=PLAIN) == {"model": "gpt-4.1", "input": [ASKED], "store": False}


# The conversation


def test_what_the_system_says_ahead_of_all_is_instructions_and_later_stays_in_place() -> None:
    body = body_of(
        Utterance("system", (Words("Be brief."),), "$.messages[0]"),
        Utterance("system", (Words("Be kind."), Words("")), "$.messages[1]"),
        HI,
        Utterance("system", (Words("Now be long."),), "$.messages[3]"),
    )
    assert body["instructions"] == "Be brief.\n\nBe kind."
    late = {"role": "system", "content": [{"type": "input_text", "text": "Now be long."}]}
    assert body["input"] == [ASKED, late]


def test_the_word_json_must_be_in_an_input_message() -> None:
    told = Utterance("system", (Words("Answer in JSON."),), "$.messages[0]")
    body = body_of(told, HI, shape=Shape())
    assert "instructions" not in body
    text = [{"type": "input_text", "text": "Answer in JSON."}]
    assert body["input"] == [{"role": "system", "content": text}, ASKED]
    asked = Utterance("user", (Words("Some json, please"),), "$.messages[1]")
    assert body_of(told, asked, shape=Shape())["instructions"] == "Answer in JSON."
    assert body_of(told, HI)["instructions"] == "Answer in JSON."
    schema = Shape({"type": "object"}, "x")
    assert body_of(told, HI, shape=schema)["instructions"] == "Answer in JSON."


def test_the_user_s_parts() -> None:
    parts = (
        Words("see"),
        Words(""),
        Picture("data:image/jpg;base64,AA"),
        Picture("https://a/b.png", detail="low"),
        Picture("file-1", detail="finest"),
        Paper("data:application/pdf;base64,AA"),
        Paper("data:text/plain;base64,AA", name="notes"),
        Paper("https://a/b.pdf"),
        Paper(id="file-2"),
    )
    [message] = items_of(*parts, role="user")
    assert message["content"] == [
        {"type": "input_text", "text": "see"},
        {"type": "input_image", "detail": "auto", "image_url": "data:image/jpeg;base64,AA"},
        {"type": "input_image", "detail": "low", "image_url": "https://a/b.png"},
        {"type": "input_image", "detail": "auto", "file_id": "file-1"},
        {
            "type": "input_file",
            "filename": "file.pdf",
            "file_data": "data:application/pdf;base64,AA",
        },
        {"type": "input_file", "filename": "notes", "file_data": "data:text/plain;base64,AA"},
        {"type": "input_file", "file_url": "https://a/b.pdf"},
        {"type": "input_file", "file_id": "file-2"},
    ]


@pytest.mark.parametrize(
    "part", [Sound("AA", "wav"), Picture("gs://a/b.png"), ToolCall("a", "b", "")]
)
def test_what_cannot_be_said_is_refused_by_its_place(part: Passage) -> None:
    with pytest.raises(Untranslatable, match=r"\$\.messages\[0\] cannot be sent") as caught:
        items_of(part, role="user")
    assert caught.value.param == "$.messages[0]"
    assert caught.value.status == 400


def test_the_model_s_text_is_no_input() -> None:
    assert items_of(Words("a"), Words("b")) == [{"role": "assistant", "content": "ab"}]
    [refused] = items_of(Words("Well."), Regret("I can't."))
    assert refused["content"] == [
        {"type": "output_text", "text": "Well.", "annotations": []},
        {"type": "refusal", "refusal": "I can't."},
    ]
    assert items_of(Words("")) == []


def test_calls_and_their_results_go_without_ids_of_items() -> None:
    called = Utterance(
        "assistant",
        (Words("Let me see."), ToolCall("a", "f", ""), ToolCall("b", "g", "x", is_custom=True)),
        "$.messages[1]",
    )
    given_back = Utterance(
        "user",
        (
            ToolResult("a", "f", (Words("1"),)),
            ToolResult("b", "g", (), is_custom=True),
            Words("And now?"),
        ),
        "$.messages[2]",
    )
    assert body_of(HI, called, given_back)["input"][1:] == [
        {"role": "assistant", "content": "Let me see."},
        {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"},
        {"type": "custom_tool_call", "call_id": "b", "name": "g", "input": "x"},
        {"type": "function_call_output", "call_id": "a", "output": "1"},
        {"type": "custom_tool_call_output", "call_id": "b", "output": ""},
        {"role": "user", "content": [{"type": "input_text", "text": "And now?"}]},
    ]


def test_a_result_of_several_parts_keeps_them() -> None:
    parts = (Words("a"), Picture("https://a/b.png"))
    [item] = items_of(ToolResult("a", "f", parts), role="user")
    assert [part["type"] for part in item["output"]] == ["input_text", "input_image"]


def test_a_failed_result_cannot_say_so() -> None:
    turn = Utterance("user", (ToolResult("a", "f", (Words("no"),), failed=True),), "$.messages[2]")
    assert lost_of(turn) == (
        Lost("$.messages[2]", "a tool's result cannot be marked as a failure"),
    )


def test_an_id_that_is_too_long_has_a_short_one_in_both_places() -> None:
    name = "call_" + "x" * 200
    call, result = items_of(ToolCall(name, "f", "{}")), ToolResult(name, "f", (Words("1"),))
    short = call[0]["call_id"]
    assert len(short) <= 64
    assert items_of(result, role="user")[0]["call_id"] == short
    assert items_of(ToolCall(name + "y", "f", "{}"))[0]["call_id"] != short
    assert items_of(ToolCall("x" * 64, "f", "{}"))[0]["call_id"] == "x" * 64


def test_reasoning_goes_to_who_signed_it_before_what_it_led_to() -> None:
    parts = (
        Thought("Hm.", SIGNED, is_summary=True, id="rs_1"),
        ToolCall("a", "f", "{}"),
        Thought("", SIGNED, is_hidden=True),
        Words("There."),
    )
    first, _, second, _ = items_of(*parts)
    summary = [{"type": "summary_text", "text": "Hm."}]
    assert first == {
        "id": "rs_1", "type": "reasoning", "summary": summary, "encrypted_content": "gAAA",
    }  # fmt: skip
    assert second == {"type": "reasoning", "summary": [], "encrypted_content": "gAAA"}


@pytest.mark.parametrize(
    "signed",
    [
        None,
        Signed("anthropic", "claude-5", "s"),
        Signed("openai", "gpt-5", "s"),
        Signed("", "", ""),
    ],
)
def test_reasoning_that_another_signed_is_left_out_without_a_word(signed: Signed | None) -> None:
    items = items_of(Thought("Hm.", signed), Words("There."))
    assert items == [{"role": "assistant", "content": "There."}]


def test_reasoning_wants_an_item_behind_it() -> None:
    assert items_of(Words("There."), Thought("", SIGNED)) == [
        {"role": "assistant", "content": "There."}
    ]


def test_a_phase_goes_back_to_models_that_have_them() -> None:
    parts = (Foreign("responses", {"type": "phase", "phase": "final_answer"}), Words("There."))
    assert items_of(*parts)[0]["phase"] == "final_answer"
    assert "phase" not in items_of(*parts, aim=PLAIN)[0]


def test_what_another_provider_ran_is_lost_and_its_own_is_of_no_use_alone() -> None:
    value: JSONObject = {"type": "server_tool_use", "name": "web_search"}
    turn = Utterance("assistant", (Foreign("messages", value), Words("There.")), "$.messages[1]")
    why = "server_tool_use is of its own provider alone"
    assert lost_of(HI, turn) == (Lost("$.messages[1]", why),)
    assert items_of(Foreign("responses", {"type": "web_search_call", "id": "ws_1"})) == []


def test_marks_of_the_cache_are_breakpoints_where_there_are_such() -> None:
    mark = {"type": "ephemeral"}
    turns = (
        Utterance("system", (Words("Long."), Words("Longer.", mark)), "$.system"),
        Utterance("user", (Words("hi", mark),), "$.messages[0]"),
    )
    body = body_of(*turns)
    assert body["instructions"] == "Long.\n\nLonger."
    marked = {"type": "input_text", "text": "hi", "prompt_cache_breakpoint": {"mode": "explicit"}}
    assert body["input"] == [{"role": "user", "content": [marked]}]
    assert body_of(*turns, aim=PLAIN)["input"] == [ASKED]


def test_an_answer_that_is_begun_for_the_model_begins_anew() -> None:
    begun = Utterance("assistant", (Words("Well,"),), "$.messages[1]")
    asked = Prompt("messages", "m", (HI, begun))
    why = "is no beginning of the answer here: that begins anew"
    assert written(asked, AIM).lost == (Lost("$.messages[1]", why),)
    assert written(asked._replace(dialect="chat"), AIM).lost == ()


# Tools


def test_tools_are_flat_and_not_strict_unasked() -> None:
    schema = {"type": "object", "properties": {}, "additionalProperties": False, "$defs": {}}
    grammar = {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: x"}}
    tools = (
        Tool("f", "does f", schema),
        Tool("g", None, None, strict=True),
        Tool("h", "text", None, custom={}),
        Tool("i", None, None, custom=grammar),
    )
    assert body_of(tools=tools)["tools"] == [
        {
            "type": "function", "name": "f", "description": "does f",
            "parameters": schema, "strict": False,
        },
        {
            "type": "function", "name": "g",
            "parameters": {"type": "object", "properties": {}}, "strict": True,
        },
        {"type": "custom", "name": "h", "description": "text"},
        {
            "type": "custom", "name": "i",
            "format": {"type": "grammar", "syntax": "lark", "definition": "start: x"},
        },
    ]  # fmt: skip


TOOLS = (Tool("f", None, None), Tool("h", None, None, custom={}))


@pytest.mark.parametrize(
    ("choice", "told"),
    [
        (ToolChoice("auto"), "auto"),
        (ToolChoice("none"), "none"),
        (ToolChoice("required"), "required"),
        (ToolChoice("required", ("f",)), {"type": "function", "name": "f"}),
        (ToolChoice("required", ("h",)), {"type": "custom", "name": "h"}),
        (
            ToolChoice("auto", ("f",)),
            {
                "type": "allowed_tools",
                "mode": "auto",
                "tools": [{"type": "function", "name": "f"}],
            },
        ),
        (
            ToolChoice("required", ("f", "h")),
            {
                "type": "allowed_tools",
                "mode": "required",
                "tools": [{"type": "function", "name": "f"}, {"type": "custom", "name": "h"}],
            },
        ),
    ],
)
def test_which_tools_may_be_called(choice: ToolChoice, told: JSON) -> None:
    body = body_of(tools=TOOLS, choice=choice, parallel=False)
    assert body["tool_choice"] == told
    assert body["parallel_tool_calls"] is False


def test_without_tools_nothing_is_said_of_them() -> None:
    body = body_of(choice=ToolChoice("auto"), parallel=True)
    assert not {"tools", "tool_choice", "parallel_tool_calls"} & body.keys()
    why = "there are no tools to choose from"
    assert lost_of(choice=ToolChoice("required")) == (Lost("$.tool_choice", why),)


def test_openai_s_own_search_is_a_tool_and_another_provider_s_tool_is_lost() -> None:
    place = {"type": "approximate", "approximate": {"country": "CH"}}
    options = {"web_search_options": {"search_context_size": "low", "user_location": place}}
    assert body_of(options=options)["tools"] == [
        {
            "type": "web_search",
            "search_context_size": "low",
            "user_location": {"type": "approximate", "country": "CH"},
        }
    ]
    computer = Foreign("messages", {"type": "computer_20250124", "name": "computer"})
    why = "computer_20250124 is a tool of its own provider alone"
    assert lost_of(tools=(computer,)) == (Lost("$.tools", why),)


# What else is asked


def test_the_form_of_an_answer() -> None:
    schema = {"type": "object"}
    shape = Shape(schema, "person", "One person.", True)
    told = {"type": "json_schema", "name": "person", "schema": schema}
    told |= {"strict": True, "description": "One person."}
    body = body_of(shape=shape, options={"verbosity": "low"})
    assert body["text"] == {"format": told, "verbosity": "low"}
    named = body_of(shape=Shape(schema))["text"]["format"]
    assert named == {"type": "json_schema", "name": "answer", "schema": schema}
    assert body_of(shape=Shape())["text"] == {"format": {"type": "json_object"}}


@pytest.mark.parametrize("model", ["gpt-4.1", "o3", "gpt-5-chat-latest"])
def test_verbosity_came_with_gpt_5(model: str) -> None:
    aim = AIM._replace(model=model)
    assert "text" not in body_of(aim=aim, options={"verbosity": "medium"})
    lost = Lost("$.verbosity", "is refused by models before gpt-5")
    assert lost_of(aim=aim, options={"verbosity": "low"}) == (lost,)


def test_reasoning_is_shown_where_that_is_wanted() -> None:
    assert body_of(thinking=Thinking("low"))["reasoning"] == {"effort": "low"}
    shown = body_of(thinking=Thinking("low", shown=True))["reasoning"]
    assert shown == {"effort": "low", "summary": "auto"}
    off = body_of(thinking=Thinking("none", shown=True))
    assert off["reasoning"] == {"effort": "none"}
    assert "reasoning" not in body_of(thinking=Thinking(shown=True), aim=PLAIN)


def test_what_became_of_an_effort_is_told() -> None:
    assert lost_of(thinking=Thinking("minimal")) == (Lost("$.thinking", "minimal became low"),)


SAMPLING = {"temperature": 0.5, "top_p": 0.9, "logprobs": True, "top_logprobs": 2}


@pytest.mark.parametrize(
    ("model", "effort"),
    [("gpt-5.6-sol", ""), ("gpt-5.6-sol", "low"), ("gpt-5.4", "low"), ("gpt-5", ""), ("o3", ""),
     ("gpt-6.2-astra", "none"), ("gpt-5.1-chat-latest", "")],
)  # fmt: skip
def test_sampling_is_refused_while_a_model_reasons(model: str, effort: str) -> None:
    aim = AIM._replace(model=model)
    request = written(Prompt("chat", "m", (HI,), thinking=Thinking(effort), options=SAMPLING), aim)
    assert not {"temperature", "top_p", "top_logprobs"} & request.body.keys()
    assert "message.output_text.logprobs" not in request.body["include"]
    why = "is refused while the model reasons"
    assert {lost for lost in request.lost if lost.path != "$.thinking"} == {
        Lost(f"$.{name}", why) for name in SAMPLING
    }


@pytest.mark.parametrize(
    ("model", "effort"),
    [("gpt-4.1", ""), ("gpt-5.4", ""), ("gpt-5.6-sol", "none"), ("gpt-oss", "")],
)
def test_sampling_is_taken_while_it_does_not(model: str, effort: str) -> None:
    body = body_of(aim=AIM._replace(model=model), thinking=Thinking(effort), options=SAMPLING)
    assert (body["temperature"], body["top_p"], body["top_logprobs"]) == (0.5, 0.9, 2)
    assert "message.output_text.logprobs" in body["include"]
    assert "logprobs" not in body


def test_sampling_as_it_is_anyway_is_not_lost() -> None:
    idle = {"temperature": 1.0, "top_p": 1, "logprobs": False, "top_logprobs": 0}
    assert not {*idle} & body_of(options=idle).keys()


def test_what_has_a_name_of_its_own_goes_by_it() -> None:
    options: JSONObject = {
        "max_tokens": 100,
        "metadata": {"a": "b"},
        "user": "u",
        "safety_identifier": "s",
        "prompt_cache_key": "k",
        "prompt_cache_retention": "24h",
        "prompt_cache_options": {"ttl": "30m"},
        "service_tier": "flex",
        "store": True,
        "stream_options": {"include_usage": True, "include_obfuscation": False},
    }
    body = body_of(options=options, stream=True)
    assert body["max_output_tokens"] == options.pop("max_tokens")
    assert body["stream_options"] == {"include_obfuscation": False}
    assert body["stream"] is True
    del options["stream_options"]
    assert {name: body[name] for name in options} == options
    assert "stream_options" not in body_of(options={"stream_options": {"include_usage": True}})


def test_the_least_number_of_tokens_is_16() -> None:
    request = written(Prompt("chat", "m", (HI,), options={"max_tokens": 5}), AIM)
    assert request.body["max_output_tokens"] == 16
    assert request.lost == (Lost("$.max_tokens", "5 became 16, the least that is taken"),)


def test_a_label_that_is_too_long_is_told_by_its_digest() -> None:
    options = {"user": "u" * 200, "safety_identifier": "s" * 64}
    body = body_of(options=options)
    assert len(body["user"]) == 64
    assert body["user"] != "u" * 64
    assert body["safety_identifier"] == "s" * 64


def test_caches_are_as_the_model_has_them() -> None:
    options = {"prompt_cache_options": {"ttl": "30m"}, "prompt_cache_retention": "in_memory"}
    request = written(Prompt("chat", "m", (HI,), options=options), AIM)
    assert request.body["prompt_cache_options"] == {"ttl": "30m"}
    assert request.body["prompt_cache_retention"] == "24h"
    why = "in_memory became 24h, which alone is taken"
    assert request.lost == (Lost("$.prompt_cache_retention", why),)
    plain = written(Prompt("chat", "m", (HI,), options=options), PLAIN)
    assert plain.body["prompt_cache_retention"] == "in_memory"
    why = "is refused by models before gpt-5.6"
    assert plain.lost == (Lost("$.prompt_cache_options", why),)


def test_the_newer_name_of_the_bound_wins() -> None:
    options = {"max_tokens": 5, "max_completion_tokens": 100}
    assert body_of(options=options)["max_output_tokens"] == 100


def test_tiers_of_others() -> None:
    assert body_of(options={"service_tier": "standard_only"})["service_tier"] == "default"
    lost = Lost("$.service_tier", "reserved is no tier of OpenAI's")
    assert lost_of(options={"service_tier": "reserved"}) == (lost,)


def test_what_has_no_counterpart_is_named_unless_it_asks_for_nothing() -> None:
    options: JSONObject = {
        "stop": ["a"], "n": 2, "seed": 7, "presence_penalty": 0.1, "frequency_penalty": 1,
        "logit_bias": {"1": 2}, "audio": {"voice": "x"}, "prediction": {"type": "content"},
        "modalities": ["text", "audio"], "top_k": 3, "safe_prompt": True, "deferred": True,
        "mcp_servers": ["a/b"], "search_parameters": {"mode": "on"}, "speed": "fast",
    }  # fmt: skip
    assert lost_of(options=options) == tuple(
        Lost(f"$.{name}", "has no counterpart") for name in options
    )
    idle: JSONObject = {
        "stop": [], "n": 1, "presence_penalty": 0, "frequency_penalty": 0.0, "logit_bias": {},
        "modalities": ["text"], "safe_prompt": False, "mcp_servers": [], "metadata": {},
    }  # fmt: skip
    assert body_of(options=idle) == body_of()


def test_dedalus_s_own_is_left_out_without_a_word() -> None:
    options = {"agent_attributes": {"speed": 1}, "max_turns": 3, "credentials": {"x": "y"}}
    assert body_of(options=options) == body_of()


def test_a_participant_s_name_is_lost() -> None:
    turns = (
        Utterance("system", (Words("Be brief."),), "$.messages[0]", "boss"),
        Utterance("user", (Words("hi"),), "$.messages[1]", "ann"),
    )
    assert lost_of(*turns) == (
        Lost("$.messages[1].name", "has no counterpart"),
        Lost("$.messages[0].name", "has no counterpart"),
    )


# All of it


def _same(prompt: Prompt) -> dict[str, Any]:
    """What two prompts must have in common: text of one message is one, as is all that is said
    ahead of the conversation; no tool is strict unasked; what is asked is not stored."""
    essence = essence_of(prompt)
    turns: list[Any] = []
    for role, parts in essence["turns"]:
        said: list[Passage] = []
        gap = "\n\n" if role == "system" and not turns else ""
        for part in parts:
            if role != "user" and isinstance(part, Words) and said and isinstance(said[-1], Words):
                said[-1] = Words(said[-1].text + gap + part.text)
            elif isinstance(part, Thought):
                said.append(part._replace(text="", is_hidden=False, is_summary=False, id=""))
            else:
                said.append(part)
        turns.append((role, said))
    tools = [one._replace(strict=None) for one in prompt.tools if isinstance(one, Tool)]
    options = {**essence["options"], "store": None, "stop": None}
    options["max_tokens"] = max(options["max_tokens"], 16)
    return {**essence, "model": "", "turns": turns, "tools": tools, "options": options}


@settings(max_examples=25)
@given(
    prompts(
        signed=signatures("openai", ""),
        also=("pictures", "papers", "shape", "late", "custom"),
    )
)
def test_what_both_can_say_comes_back(prompt: Prompt) -> None:
    request = written(prompt, AIM)
    assert {lost.path for lost in request.lost} <= {"$.stop", "$.max_tokens"}
    read = prompt_of(request.body, request.target)
    read = read._replace(
        tools=tuple(
            one._replace(strict=one.strict or None) if isinstance(one, Tool) else one
            for one in read.tools
        )
    )
    assert _same(read) == _same(prompt)


_MODELS = (
    "gpt-4.1", "o3", "gpt-5", "gpt-5-pro", "gpt-5.1-chat-latest", "gpt-5.2", "gpt-5.4-pro",
    "gpt-5.5", "gpt-5.6-sol", "gpt-6-luna", "gpt-6.2-astra", "gpt-8",
)  # fmt: skip
_EFFORTS = ("", "none", "minimal", "low", "medium", "high", "xhigh", "max", "reasoning_effort")
_OPTIONS: JSONObject = {
    **SAMPLING, "metadata": {"a": "b"}, "user": "u" * 99, "prompt_cache_key": "k" * 99,
    "prompt_cache_retention": "in_memory", "prompt_cache_options": {"ttl": "30m"}, "store": True,
    "service_tier": "flex", "verbosity": "low", "stream_options": {"include_usage": True},
    "web_search_options": {}, "max_completion_tokens": 0,
}  # fmt: skip


@settings(max_examples=30)
@given(
    prompts(
        signed=signatures("openai", "") | signatures("anthropic", "claude-5"),
        also=("pictures", "papers", "failures", "shape", "late", "custom"),
    ),
    st.sampled_from(_MODELS),
    st.sampled_from(_EFFORTS),
    st.dictionaries(st.sampled_from([*_OPTIONS]), st.just(None), max_size=6),
)
def test_no_request_is_one_that_openai_refuses(
    prompt: Prompt, model: str, effort: str, names: dict[str, None]
) -> None:
    asked = prompt._replace(
        thinking=Thinking(effort, shown=True) if effort else None,
        options={**prompt.options, **{name: _OPTIONS[name] for name in names}},
    )
    body = written(asked, AIM._replace(model=model)).body
    assert refusal(body, frozenset(["c2ln", "AAEC"])) is None

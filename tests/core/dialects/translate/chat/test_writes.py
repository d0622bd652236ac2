"""A prompt as a chat request, and read again."""

from hypothesis import given, settings

from promptdeck.core.dialects.translate.aim import Aim, Lost
from promptdeck.core.dialects.translate.chat.reads import prompt_of
from promptdeck.core.dialects.translate.chat.writes import written
from promptdeck.core.dialects.translate.neutral import Prompt
from promptdeck.core.text.jsontext import JSON, JSONObject
from tests.core.dialects.translate.strategies import essence_of, prompts

OPENAI = Aim("openai", "chat", "gpt-4.1", "openai")
MISTRAL = Aim("mistral", "chat", "m-1", "mistral")
DEEPSEEK = Aim("deepseek", "chat", "m-1", "deepseek")
XAI = Aim("xai", "chat", "grok-4", "xai")
LOCAL = Aim("local", "chat", "m-1")


def sent(body: JSONObject, aim: Aim = OPENAI) -> JSONObject:
    """What is sent of a chat request that goes to a chat upstream by way of the neutral form."""
    return written(prompt_of({"model": "m-1", **body}, ""), aim).body


def lost(body: JSONObject, aim: Aim = OPENAI) -> list[Lost]:
    return [*written(prompt_of({"model": "m-1", **body}, ""), aim).lost]


@settings(max_examples=25)
@given(prompts(also=("pictures", "papers", "shape", "late")))
def test_what_is_written_is_read_again(prompt: Prompt) -> None:
    there = written(prompt, LOCAL)
    assert not there.lost
    assert there.target == "/v1/chat/completions"
    assert essence_of(prompt_of(there.body, there.target)) == essence_of(prompt)


def test_what_tools_show_is_shown_by_the_user_when_all_have_answered() -> None:
    picture = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    calls = [{"id": name, "type": "function", "function": {"name": "see", "arguments": "{}"}}
             for name in ("c1", "c2")]  # fmt: skip
    seen = {"role": "tool", "tool_call_id": "c1",
            "content": [{"type": "text", "text": "here"}, picture]}  # fmt: skip
    body: JSONObject = {
        "messages": [
            {"role": "assistant", "tool_calls": calls},
            seen,
            {"role": "tool", "tool_call_id": "c2", "content": ""},
        ]
    }
    told: list[JSON] = [
        {"role": "tool", "tool_call_id": "c1", "content": "here"},
        {"role": "tool", "tool_call_id": "c2", "content": ""},
    ]
    assert sent(body)["messages"][1:] == [*told, {"role": "user", "content": [picture]}]
    answer = {"role": "assistant", "content": "I see."}
    more: JSONObject = {"messages": [*body["messages"], answer]}
    assert sent(more)["messages"][1:] == [*told, {"role": "user", "content": [picture]}, answer]
    asked: JSONObject = {"messages": [*body["messages"], {"role": "user", "content": "so?"}]}
    assert sent(asked)["messages"][1:] == [
        *told, {"role": "user", "content": [picture, {"type": "text", "text": "so?"}]}
    ]  # fmt: skip


def test_a_user_who_says_nothing_has_their_turn_all_the_same() -> None:
    body: JSONObject = {"messages": [{"role": "user", "content": ""}]}
    assert sent(body)["messages"] == [{"role": "user", "content": ""}]


def test_reasoning_goes_back_only_where_it_is_taken() -> None:
    body = {"messages": [{"role": "assistant", "content": "a", "reasoning_content": "why"}]}
    assert sent(body)["messages"] == [{"role": "assistant", "content": "a"}]
    assert sent(body, DEEPSEEK)["messages"][0]["reasoning_content"] == "why"
    assert sent(body, MISTRAL)["messages"][0]["content"] == [
        {"type": "thinking", "thinking": [{"type": "text", "text": "why"}]},
        {"type": "text", "text": "a"},
    ]


def test_what_mistral_s_calls_are_named() -> None:
    call = {"id": "toolu_01ABC", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    result = {"role": "tool", "tool_call_id": "toolu_01ABC", "content": "1"}
    messages = [{"role": "assistant", "tool_calls": [call]}, result]
    there = sent({"messages": messages}, MISTRAL)["messages"]
    named = there[0]["tool_calls"][0]["id"]
    assert len(named) == 9
    assert named.isalnum()
    assert there[1]["tool_call_id"] == named


def test_an_answer_s_beginning_is_said_to_be_one_where_that_must_be() -> None:
    body = {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "{"}]}
    assert sent(body, MISTRAL)["messages"][-1]["prefix"] is True
    assert "prefix" not in sent(body)["messages"][-1]
    assert [one.path for one in lost(body)] == ["$.messages[1]"]


def test_fields_have_the_provider_s_names() -> None:
    body: JSONObject = {"seed": 7, "max_completion_tokens": 9, "top_k": 3, "safe_prompt": True}
    assert sent(body, MISTRAL) == {
        "model": "m-1", "messages": [], "random_seed": 7, "max_tokens": 9, "top_k": 3,
        "safe_prompt": True,
    }  # fmt: skip
    assert sent(body) == {"model": "gpt-4.1", "messages": [], "seed": 7, "max_completion_tokens": 9}
    assert {one.path for one in lost(body)} == {"$.top_k", "$.safe_prompt"}


def test_how_much_to_reason_is_said_in_the_provider_s_words() -> None:
    thinking: JSON = {"type": "enabled", "budget_tokens": 8000}
    assert sent({"thinking": thinking}, XAI)["reasoning_effort"] == "medium"
    assert lost({"thinking": thinking}, XAI) == [
        Lost("$.thinking", "a budget of 8000 tokens became effort medium")
    ]
    assert sent({"reasoning_effort": "low"}, DEEPSEEK)["reasoning_effort"] == "high"
    assert lost({"reasoning_effort": "low"}, DEEPSEEK) == [
        Lost("$.reasoning_effort", "low became high")
    ]
    assert sent({"reasoning_effort": "none"}, DEEPSEEK)["thinking"] == {"type": "disabled"}


def test_a_model_of_whom_nothing_is_known_need_not_reason() -> None:
    """Ollama answers an effort with 400 where its model cannot: Claude Code always has a budget."""
    thinking: JSON = {"type": "enabled", "budget_tokens": 31_999}
    assert sent({"thinking": thinking}, LOCAL) == {"model": "m-1", "messages": []}
    assert [one.path for one in lost({"thinking": thinking}, LOCAL)] == ["$.thinking"]
    assert not lost({"thinking": {"type": "disabled"}}, LOCAL)
    assert sent({"reasoning_effort": "xhigh"}, LOCAL)["reasoning_effort"] == "high"


def test_an_answer_by_a_schema_is_named_where_only_json_can_be_had() -> None:
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}}
    assert sent({"response_format": form})["response_format"] == form
    assert sent({"response_format": form}, DEEPSEEK)["response_format"] == {"type": "json_object"}
    (found,) = lost({"response_format": form}, DEEPSEEK)
    assert found.path == "$.response_format"


def test_labels_of_promptdeck_and_dedalus_go_nowhere_without_a_word() -> None:
    body: JSONObject = {"agent_attributes": {"speed": 1}, "max_turns": 3, "credentials": {"a": 1}}
    assert not lost(body)
    assert sent(body).keys() == {"model", "messages"}
    assert [one.path for one in lost({"mcp_servers": ["a/b"]})] == ["$.mcp_servers"]


def test_a_choice_of_a_tool_that_is_not_there_is_named() -> None:
    choice = {"type": "function", "function": {"name": "nobody"}}
    body: JSONObject = {"tools": TOOLS, "tool_choice": choice}
    assert sent(body, MISTRAL)["tool_choice"] == "auto"
    assert [one.path for one in lost(body, MISTRAL)] == ["$.tool_choice"]


TOOLS: list[JSON] = [{"type": "function", "function": {"name": "f", "parameters": {}}}]


def test_openai_s_models_are_not_sampled_while_they_reason() -> None:
    gpt = Aim("openai", "chat", "gpt-5", "openai")
    body: JSONObject = {"temperature": 0.5, "top_p": 1, "stop": ["x"], "seed": 7}
    assert sent(body, gpt) == {"model": "gpt-5", "messages": [], "seed": 7}
    assert {one.path for one in lost(body, gpt)} == {"$.temperature", "$.stop"}
    assert sent({"reasoning_effort": "xhigh"}, gpt)["reasoning_effort"] == "high"


def test_a_model_that_does_not_reason_beside_tools_is_told_not_to() -> None:
    gpt = Aim("openai", "chat", "gpt-5.6-sol", "openai")
    assert sent({"tools": TOOLS}, gpt)["reasoning_effort"] == "none"
    assert [one.path for one in lost({"tools": TOOLS}, gpt)] == ["$.thinking"]
    assert sent({"reasoning_effort": "low"}, gpt)["reasoning_effort"] == "low"

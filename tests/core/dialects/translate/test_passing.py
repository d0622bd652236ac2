"""To an upstream of the client's own dialect go the client's bytes, but for a few."""

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptdeck.core.dialects.base import Dialect
from promptdeck.core.dialects.chat.dialect import CHAT
from promptdeck.core.dialects.gemini.dialect import GEMINI
from promptdeck.core.dialects.messages.dialect import MESSAGES
from promptdeck.core.dialects.responses.dialect import RESPONSES
from promptdeck.core.dialects.translate.aim import Aim
from promptdeck.core.dialects.translate.chat.flavours import FLAVOURS
from promptdeck.core.dialects.translate.fields import ROWS, STRIPPED
from promptdeck.core.dialects.translate.neutral import Signed
from promptdeck.core.dialects.translate.responses.wrapping import wrapped
from promptdeck.core.dialects.translate.signing import sealed
from promptdeck.core.dialects.translate.translation import Sent, written
from promptdeck.core.interaction import Request
from promptdeck.core.text.jsontext import JSON, JSONObject
from tests.chats import ANY_JSON

TARGETS = {
    "chat": "/v1/chat/completions",
    "messages": "/v1/messages?beta=true",
    "responses": "/v1/responses",
    "gemini": "/v1beta/models/m-1:streamGenerateContent?alt=sse",
}
DIALECTS: dict[str, Dialect] = {one.name: one for one in (CHAT, MESSAGES, RESPONSES, GEMINI)}  # type: ignore[misc]


def sent(body: bytes, aim: Aim, target: str = "", **more: Any) -> Sent:
    where = target or TARGETS[aim.dialect]
    request = Request("POST", where, "application/json", body)
    return written(request, DIALECTS[aim.dialect], aim, **more)


def edited(body: JSONObject, aim: Aim, **more: Any) -> JSONObject:
    value: JSONObject = orjson.loads(sent(orjson.dumps(body), aim, **more).body)
    return value


@pytest.mark.parametrize("dialect", ["chat", "messages", "responses"])
@given(st.dictionaries(st.text(max_size=5), ANY_JSON, max_size=3))
@settings(max_examples=20)
def test_bytes_pass_but_for_the_model_s_name(dialect: str, more: JSONObject) -> None:
    body = orjson.dumps(more | {"model": "p/m-1"}, option=orjson.OPT_INDENT_2)
    same = sent(body, Aim("a", dialect, "p/m-1"))
    assert same == Sent(TARGETS[dialect], body)
    other = sent(body, Aim("a", dialect, "m-2"))
    assert other.body == body.replace(b'"model": "p/m-1"', b'"model": "m-2"')
    assert other.target == TARGETS[dialect]


def test_the_model_may_stand_in_the_path() -> None:
    body = b'{"contents":[]}'
    assert sent(body, Aim("google", "gemini", "m 2", "google")) == Sent(
        "/v1beta/models/m%202:streamGenerateContent?alt=sse", body
    )
    for name in ("google/m-1", "models/m-1", "a:b", "google%2Fm-1"):
        asked = f"/v1beta/models/{name}:generateContent?key=a:b"
        wanted = "/v1beta/models/m-2:generateContent?key=a:b"
        assert sent(body, Aim("google", "gemini", "m-2", "google"), asked).target == wanted
    tuned = "/v1beta/tunedModels/x:generateContent"
    assert sent(body, Aim("google", "gemini", "tunedModels/x"), tuned).target == tuned
    azure = "/v1/deployments/m-1/chat/completions?api-version=1"
    assert sent(body, Aim("azure", "chat", "m-2"), azure).target == (
        "/v1/deployments/m-2/chat/completions?api-version=1"
    )


@pytest.mark.parametrize("body", [b"", b"no JSON", b'["model"]', b'{"model":"m-1","n":1e999}'])
def test_what_no_parser_reads_passes(body: bytes) -> None:
    assert sent(body, Aim("a", "chat", "m-1")).body == body


def test_numbers_that_a_parser_alters_stay() -> None:
    body = b'{"model":"p/m","seed":123456789012345678901234567890,"x":1.0e2}'
    there = sent(body, Aim("a", "chat", "m"))
    assert there.body == body.replace(b"p/m", b"m")


def test_a_list_of_models_becomes_the_chosen_one_with_its_settings() -> None:
    body = {"model": ["a/m", {"model": "b/m", "settings": {"top_p": 0.5}}], "temperature": 1}
    there = sent(orjson.dumps(body), Aim("b", "chat", "m"),
                 settings={"temperature": 0.5, "top_p": 0.5})  # fmt: skip
    assert there.body == b'{"model":"m","temperature":1,"top_p":0.5}'


OPENAI = Aim("openai", "chat", "m-1", "openai")


def test_what_openai_refuses_is_taken_out_and_named() -> None:
    body: JSONObject = {
        "model": "m-1", "top_k": 3, "safe_prompt": False, "max_turns": 2, "agent_attributes": {},
        "mcp_servers": ["a/b"], "temperature": 1, "own": 1, "stream": True, "messages": [],
    }  # fmt: skip
    there = sent(orjson.dumps(body), OPENAI)
    assert orjson.loads(there.body) == {
        "model": "m-1", "temperature": 1, "own": 1, "stream": True, "messages": [],
    }  # fmt: skip
    assert [one.path for one in there.lost] == ["$.top_k", "$.mcp_servers"]


def test_mistral_s_seed_has_its_own_name() -> None:
    mistral = Aim("mistral", "chat", "m-1", "mistral")
    body = b'{"model":"m-1","seed":7,"top_k":3}'
    assert sent(body, mistral) == Sent(
        TARGETS["chat"], b'{"model":"m-1","top_k":3,"random_seed":7}'
    )


@pytest.mark.parametrize(
    ("more", "expected", "lost"),
    [
        ({"system_instruction": "be brief"},
         {"messages": [{"role": "system", "content": "be brief"},
                       {"role": "user", "content": 1.0}]}, []),
        ({"thinking": {"type": "enabled", "budget_tokens": 2000}}, {"reasoning_effort": "low"},
         ["$.thinking"]),
        ({"thinking": {"type": "enabled"}, "reasoning_effort": "high"},
         {"reasoning_effort": "high"}, []),
        ({"output_config": {"effort": "low", "task_budget": 3}}, {"reasoning_effort": "low"},
         ["$.output_config"]),
        ({"generation_config": {"topP": 0.5, "topK": 3}, "temperature": 1},
         {"top_p": 0.5, "temperature": 1}, ["$.generation_config.topK"]),
        ({"tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}],
          "tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": True}},
         {"tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}],
          "tool_choice": {"type": "function", "function": {"name": "f"}},
          "parallel_tool_calls": False}, []),
        ({"tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}],
          "tool_config": {"functionCallingConfig": {"mode": "ANY"}}},
         {"tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}],
          "tool_choice": "required"}, []),
        ({"max_tokens": 9, "max_completion_tokens": None}, {"max_tokens": 9,
                                                            "max_completion_tokens": None}, []),
    ],
)  # fmt: skip
def test_what_a_provider_has_by_another_name_gets_that(
    more: JSONObject, expected: JSONObject, lost: list[str]
) -> None:
    messages = [{"role": "user", "content": 1.0}]
    xai = Aim("xai", "chat", "m-1", "xai")
    there = sent(orjson.dumps({"model": "m-1", "messages": [{"role": "user", "content": "q"}],
                               **more}).replace(b'"q"', b'"q" '), xai)  # fmt: skip
    said = orjson.loads(there.body.replace(b'"q"', b"1.0"))
    assert said == {"model": "m-1", "messages": messages, **expected}
    assert [one.path for one in there.lost] == lost
    if "messages" not in expected:
        assert b'"content":"q" }]' in there.body  # all else is as it was


def test_functions_are_tools_where_there_are_none() -> None:
    body: JSONObject = {"model": "m-1", "messages": [], "functions": [{"name": "f"}],
                        "function_call": {"name": "f"}}  # fmt: skip
    assert edited(body, OPENAI) == body
    there = edited(body, Aim("mistral", "chat", "m-1", "mistral"))
    assert there["tools"][0]["function"]["name"] == "f"
    assert there["tool_choice"] == {"type": "function", "function": {"name": "f"}}
    assert "functions" not in there


def test_the_most_tokens_have_the_provider_s_own_name() -> None:
    deepseek = Aim("deepseek", "chat", "m-1", "deepseek")
    body = b'{"model":"m-1","max_completion_tokens":9}'
    assert sent(body, deepseek) == Sent(TARGETS["chat"], b'{"model":"m-1","max_tokens":9}')


@pytest.mark.parametrize("provider", ["", "dedalus"])
def test_whom_nobody_knows_gets_all(provider: str) -> None:
    body: JSONObject = dict.fromkeys([*ROWS, *STRIPPED], "x") | {
        "model": "m-1",
        "mcp_servers": ["a"],
    }
    text = orjson.dumps(body)
    assert sent(text, Aim("a", "chat", "m-1", provider)).body == text


@pytest.mark.parametrize("provider", [name for name in FLAVOURS if name not in ("", "dedalus")])
def test_no_provider_gets_what_is_promptdeck_s_own(provider: str) -> None:
    body: JSONObject = dict.fromkeys(STRIPPED, "x") | {"model": "m-1"}
    there = sent(orjson.dumps(body), Aim("a", "chat", "m-1", provider))
    assert there == Sent(TARGETS["chat"], b'{"model":"m-1"}')


HERE, THERE = Signed("anthropic", "m-1", "c2ln"), Signed("google", "m-2", "Z29v")


def thinking(signature: str) -> JSONObject:
    return {"type": "thinking", "thinking": "t", "signature": signature}


def test_a_sealed_signature_goes_back_bare_and_others_go_nowhere() -> None:
    said = {"type": "text", "text": "a"}
    blocks: list[JSON] = [thinking("bare"), thinking(sealed(HERE)), thinking(sealed(THERE)),
              {"type": "redacted_thinking", "data": sealed(THERE)}, said]  # fmt: skip
    body: JSONObject = {"model": "m-1", "messages": [{"role": "assistant", "content": blocks}]}
    there = edited(body, Aim("anthropic", "messages", "m-1", "anthropic"))
    assert there["messages"][0]["content"] == [thinking("bare"), thinking("c2ln"), said]


def test_a_turn_of_which_nothing_is_left_goes_with_it() -> None:
    user = {"role": "user", "content": "q"}
    body: JSONObject = {
        "model": "m-1",
        "messages": [user, {"role": "assistant", "content": [thinking(sealed(THERE))]}, user],
    }
    there = edited(body, Aim("anthropic", "messages", "m-1", "anthropic"))
    assert there["messages"] == [user, user]


def test_google_s_parts_stay_without_a_foreign_signature() -> None:
    call = {"functionCall": {"name": "f", "args": {}}}
    parts: list[JSON] = [
        {"text": "t", "thought": True, "thoughtSignature": sealed(HERE)},
        {**call, "thoughtSignature": sealed(HERE)},
        {**call, "thoughtSignature": sealed(THERE)},
        {"thoughtSignature": sealed(HERE)},
    ]
    there = edited({"contents": [{"role": "model", "parts": parts}]},
                   Aim("google", "gemini", "m-2", "google"))  # fmt: skip
    assert there["contents"][0]["parts"] == [call, {**call, "thoughtSignature": "Z29v"}]


def test_an_item_of_responses_gets_its_own_signature_back() -> None:
    seal = wrapped(Signed("openai", "m-1", "Z3B0"), "thought", "I think.")
    item = {"type": "reasoning", "id": "rs", "summary": [], "encrypted_content": seal}
    there = edited({"model": "m-1", "input": [item]}, Aim("openai", "responses", "m-1", "openai"))
    assert there["input"] == [{**item, "encrypted_content": "Z3B0"}]


def test_an_item_of_responses_has_no_id_where_its_reasoning_is_gone() -> None:
    body: JSONObject = {
        "model": "m-1",
        "input": [
            {"type": "reasoning", "id": "rs", "summary": [], "encrypted_content": sealed(THERE)},
            {"type": "function_call", "id": "fc", "call_id": "c", "name": "f", "arguments": "{}"},
        ],
    }
    there = edited(body, Aim("openai", "responses", "m-1", "openai"))
    assert there["input"] == [
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
    ]


def test_a_chat_upstream_gets_no_reasoning_of_others() -> None:
    details = [{"index": 0, "type": "reasoning.text", "text": "t", "signature": "c2ln",
                "upstream": "anthropic", "model": "m-1"}]  # fmt: skip
    call = {"id": "c", "function": {"name": "f", "arguments": "{}"}, "thought_signature": "Z"}
    message: JSONObject = {"role": "assistant", "content": "a", "reasoning_content": "t",
                           "reasoning_details": details, "tool_calls": [call],
                           "native_parts": []}  # fmt: skip
    there = edited({"model": "m-1", "messages": [message]}, Aim("local", "chat", "m-1"))
    bare = {"id": "c", "function": {"name": "f", "arguments": "{}"}}
    assert there["messages"] == [{"role": "assistant", "content": "a", "tool_calls": [bare]}]


@pytest.mark.parametrize(
    ("provider", "kept"),
    [("", True), ("deepseek", True), ("openai", False), ("mistral", False), ("groq", False)],
)
def test_its_own_reasoning_goes_back_to_who_takes_it(provider: str, kept: bool) -> None:
    message = {"role": "assistant", "content": "a", "reasoning_content": "t"}
    aim = Aim("a", "chat", "m-1", provider)
    there = edited({"model": "m-1", "messages": [message]}, aim)
    assert ("reasoning_content" in there["messages"][0]) is kept

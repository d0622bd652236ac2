"""Loops: what Anthropic answered a chat client goes back there as it came, and nowhere else; what
others answered a client of Messages goes back to them so.
"""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.dialects.chat.dialect import CHAT
from promptdeck.core.dialects.gemini.dialect import GEMINI
from promptdeck.core.dialects.messages.dialect import MESSAGES
from promptdeck.core.dialects.responses.dialect import RESPONSES
from promptdeck.core.dialects.translate.aim import Aim
from promptdeck.core.dialects.translate.translation import Memory, answered, written
from promptdeck.core.interaction import Frame, Request, Response, Variant
from tests.conformance.anthropic_rules import refusal
from tests.core.dialects.translate.strategies import ARGUMENTS, SAID

MODEL = "claude-opus-4-8"
AIM = Aim("anthropic", "messages", MODEL, "anthropic")
OTHERS = (
    AIM._replace(model="claude-opus-5"),
    Aim("mine", "messages", MODEL),
    Aim("openai", "chat", "gpt-6.2-sol", "openai"),
    Aim("openai", "responses", "gpt-6.2-sol", "openai"),
    Aim("google", "gemini", "gemini-4-helium", "google"),
)
TOOL = {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}

SIGNATURES = st.text("ABCdef0+/=", min_size=4, max_size=8).map("sig".__add__)
SEARCH = [
    {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "q"}},
    {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []},
]
THINKING = st.builds(
    lambda text, signature: [{"type": "thinking", "thinking": text, "signature": signature}],
    SAID | st.just(""),
    SIGNATURES,
) | SIGNATURES.map(lambda data: [{"type": "redacted_thinking", "data": data}])
BLOCKS = st.one_of(
    THINKING,
    st.just(SEARCH),
    SAID.map(lambda text: [{"type": "text", "text": text}]),
    ARGUMENTS.map(lambda given: [{"type": "tool_use", "name": "add", "input": given}]),
)


def _content(runs: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """The blocks of an answer, with ids of their own.

    Chat has one text, before all calls: a text is not right behind another, nor behind a call.
    """
    content: list[dict[str, Any]] = []
    for number, block in enumerate(block for run in runs for block in run):
        if block["type"] == "tool_use":
            content.append({**block, "id": f"toolu_{number}"})
        elif block["type"] != "text" or not (
            content and content[-1]["type"] in ("text", "tool_use")
        ):
            content.append(block)
    return [*content, {"type": "tool_use", "id": "toolu_last", "name": "add", "input": {}}]


CONTENTS = st.lists(BLOCKS, max_size=6).map(_content)


def told(
    content: list[dict[str, Any]], variant: Variant = Variant.JSON, memory: Memory | None = None
) -> dict[str, Any]:
    """The message of an answer as a client of chat holds it."""
    usage = {"input_tokens": 1, "output_tokens": 2}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": MODEL,
               "content": content, "stop_reason": "tool_use", "usage": usage}  # fmt: skip
    headers = (("content-type", "application/json"),)
    response = Response(200, headers, (Frame(5, orjson.dumps(message)),))
    asked = {"model": f"anthropic/{MODEL}"}
    found = answered(response, MESSAGES, CHAT, variant, asked, AIM, 1_700_000_000, memory)
    whole = CHAT.message(found)
    return dict(whole["choices"][0]["message"])


def sent(message: dict[str, Any], aim: Aim, memory: Memory | None = None) -> dict[str, Any]:
    """The request that goes on with a message, as an upstream gets it."""
    results = [
        {"role": "tool", "tool_call_id": call["id"], "content": "2"}
        for call in message["tool_calls"]
    ]
    body = {"model": "m", "tools": [TOOL],
            "messages": [{"role": "user", "content": "hi"}, message, *results]}  # fmt: skip
    request = Request("POST", "/v1/chat/completions", "application/json", orjson.dumps(body))
    there = written(request, CHAT, aim, memory)
    found = orjson.loads(there.body)
    if aim.dialect == "messages":
        assert refusal(found, dict(there.headers)) is None
    return dict(found)


@given(CONTENTS, st.sampled_from([Variant.JSON, Variant.SSE]))
def test_what_was_answered_goes_back_as_it_came(
    content: list[dict[str, Any]], variant: Variant
) -> None:
    assert sent(told(content, variant), AIM)["messages"][1]["content"] == content


@given(CONTENTS, st.sampled_from(OTHERS))
def test_no_signature_goes_elsewhere(content: list[dict[str, Any]], aim: Aim) -> None:
    body = orjson.dumps(sent(told(content), aim))
    signed = [block.get("signature") or block.get("data") for block in content]
    assert not [one for one in signed if one and one.encode() in body]


@pytest.mark.parametrize("variant", [Variant.JSON, Variant.SSE])
def test_a_client_that_keeps_little_is_helped_by_what_is_remembered(variant: Variant) -> None:
    content = _content([[{"type": "thinking", "thinking": "t", "signature": "sigA"}],
                        [{"type": "text", "text": "a"}]])  # fmt: skip
    memory = Memory()
    message = told(content, variant, memory)
    little = {key: message[key] for key in ("role", "content", "tool_calls")}
    assert sent(little, AIM, memory)["messages"][1]["content"] == content
    assert sent(little, AIM)["messages"][1]["content"] == content[1:]


# Clients of Messages: what others have signed goes back to these.

ADD = {"name": "add", "input_schema": {"type": "object"}}
OPENROUTER = {
    "id": "gen-1", "object": "chat.completion", "created": 1, "model": "m",
    "choices": [{"index": 0, "finish_reason": "tool_calls", "message": {
        "role": "assistant", "content": "a", "reasoning": "why", "reasoning_details": [
            {"type": "reasoning.text", "text": "why", "signature": "c2ln", "index": 0}
        ], "tool_calls": [{"id": "x|1", "type": "function",
                           "function": {"name": "add", "arguments": "{}"}}]}}],
}  # fmt: skip
ANSWER = {
    "id": "resp_1", "object": "response", "created_at": 1, "status": "completed", "model": "m",
    "output": [
        {"type": "reasoning", "id": "rs_1", "encrypted_content": "c2ln",
         "summary": [{"type": "summary_text", "text": "why"}]},
        {"type": "function_call", "id": "fc_1", "call_id": "x:1", "name": "add",
         "arguments": "{}", "status": "completed"},
    ],
}  # fmt: skip
CANDIDATE = {
    "responseId": "r", "modelVersion": "m", "candidates": [{"index": 0, "finishReason": "STOP",
    "content": {"role": "model", "parts": [
        {"text": "a"},
        {"functionCall": {"name": "add", "args": {}}, "thoughtSignature": "c2ln"},
        {"functionCall": {"name": "add", "args": {}}},
    ]}}],
}  # fmt: skip


@pytest.mark.parametrize("variant", [Variant.JSON, Variant.SSE])
@pytest.mark.parametrize(
    ("aim", "upstream", "native", "place"),
    [
        (Aim("openrouter", "chat", "m", "openrouter"), CHAT, OPENROUTER, "reasoning_details"),
        (Aim("openai", "responses", "gpt-6.2-sol", "openai"), RESPONSES, ANSWER,
         "encrypted_content"),
        (Aim("google", "gemini", "gemini-3.8-flash", "google"), GEMINI, CANDIDATE,
         "thoughtSignature"),
    ],
)  # fmt: skip
def test_what_others_signed_goes_back_there_alone(
    aim: Aim, upstream: Any, native: dict[str, Any], place: str, variant: Variant
) -> None:
    response = Response(
        200, (("content-type", "application/json"),), (Frame(5, orjson.dumps(native)),)
    )
    found = answered(response, upstream, MESSAGES, variant, {"model": "x/m"}, aim, 1_700_000_000)
    content = MESSAGES.message(found)["content"]
    results = [
        {"type": "tool_result", "tool_use_id": block["id"], "content": "2"}
        for block in content
        if block["type"] == "tool_use"
    ]
    body = {"model": "x/m", "max_tokens": 99, "tools": [ADD], "messages": [
        {"role": "user", "content": "hi"}, {"role": "assistant", "content": content},
        {"role": "user", "content": results}]}  # fmt: skip
    request = Request("POST", "/v1/messages", "application/json", orjson.dumps(body))
    back = written(request, MESSAGES, aim).body
    assert back.count(b"c2ln") == 1
    assert place.encode() in back
    for call in ("x|1", "x:1"):
        assert (call in str(native)) == (call.encode() in back)
    for other in (AIM, *OTHERS, aim._replace(model="m-2")):
        if other.upstream != aim.upstream or other.model != aim.model:
            assert b"c2ln" not in written(request, MESSAGES, other).body

"""Conversations in which a model behind `/v1/responses` calls tools, as each client holds them.

The provider is a strict one: it refuses reasoning that it has not made, calls without results, and
all else that OpenAI refuses.
"""

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from promptdeck.core.dialects.table import TRANSLATED
from promptdeck.core.dialects.translate.aim import Aim
from promptdeck.core.dialects.translate.memory import Memory
from promptdeck.core.dialects.translate.translation import answered, written
from promptdeck.core.interaction import Frame, Request, Response, Variant
from promptdeck.core.text import sse
from tests.conformance.anthropic_rules import refusal as refused_by_anthropic
from tests.scripted_responses import Responses, called, frames_of, said, thought

AIM = Aim("openai", "responses", "gpt-5.6-sol", "openai")
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
ASKED = "What is the weather in Bern, and in Basel?"
JSON = dict[str, Any]


class Loop:
    """A client of one dialect on its way to the strict provider and back."""

    def __init__(self, client: str, provider: Responses, memory: Memory | None = None) -> None:
        self.client = TRANSLATED[client]
        self.provider = provider
        self.memory = memory
        self.sent: list[JSON] = []

    def ask(self, target: str, body: JSON, *, stream: bool) -> JSON:
        """The provider's answer as this client has it: whole, or folded from its stream."""
        request = Request("POST", target, "application/json", orjson.dumps(body))
        there = written(request, self.client, AIM, self.memory)
        assert there.target == "/v1/responses"
        self.sent.append(orjson.loads(there.body))
        status, response = self.provider.reply(self.sent[-1])
        assert status == 200, response
        frames = frames_of(response) if stream else [orjson.dumps(response)]
        kind = "text/event-stream" if stream else "application/json"
        heads = (("content-type", kind),)
        came = Response(200, heads, tuple(Frame(0, frame) for frame in frames))
        variant = Variant.SSE_USAGE if stream else Variant.JSON
        upstream = TRANSLATED["responses"]
        told = answered(came, upstream, self.client, variant, body, AIM, 7, self.memory)
        assert told.status == 200
        assert not stream or sse.is_whole(told.frames[-1].data)
        return self.client.message(told)

    @property
    def reasoning(self) -> list[str]:
        """What reasoning the last request has brought back."""
        items = self.sent[-1]["input"]
        return [item["encrypted_content"] for item in items if item.get("type") == "reasoning"]


def provider() -> Responses:
    calls = [called("weather", f'{{"city":"{c}"}}', f"call_{c}") for c in ("Bern", "Basel")]
    return Responses([thought("Hm."), *calls], [thought("So."), said("Sunny.")], said("Bye."))


BOTH = pytest.mark.parametrize("stream", [True, False])


def chat_tool() -> JSON:
    return {"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}


@BOTH
def test_a_chat_client_brings_all_reasoning_back(stream: bool) -> None:
    loop = Loop("chat", provider())
    body: JSON = {
        "model": "m", "messages": [{"role": "user", "content": ASKED}], "tools": [chat_tool()],
        "reasoning_effort": "low", "stream": stream,
    }  # fmt: skip
    for _ in range(3):
        answer = loop.ask("/v1/chat/completions", body, stream=stream)
        message = answer["choices"][0]["message"]
        body["messages"].append(message)
        for call in message.get("tool_calls") or ():
            result = {"role": "tool", "tool_call_id": call["id"], "content": "sunny"}
            body["messages"].append(result)
        if not message.get("tool_calls"):
            body["messages"].append({"role": "user", "content": "Thanks."})
    assert sorted(loop.reasoning) == sorted(loop.provider.signed - {""})[:2]
    kinds = [item.get("type", item.get("role")) for item in loop.sent[-1]["input"]]
    assert kinds == [
        "user", "reasoning", "function_call", "function_call", "function_call_output",
        "function_call_output", "reasoning", "assistant", "user",
    ]  # fmt: skip
    assert all(item["id"].startswith("rs") for item in loop.sent[-1]["input"] if "id" in item)


@BOTH
def test_what_a_client_does_not_keep_is_remembered_by_its_calls(stream: bool) -> None:
    loop = Loop("chat", provider(), Memory())
    body: JSON = {
        "model": "m", "messages": [{"role": "user", "content": ASKED}], "tools": [chat_tool()],
        "stream": stream,
    }  # fmt: skip
    message = loop.ask("/v1/chat/completions", body, stream=stream)["choices"][0]["message"]
    kept = {key: message[key] for key in ("role", "content", "tool_calls")}
    results = [
        {"role": "tool", "tool_call_id": call["id"], "content": "sunny"}
        for call in message["tool_calls"]
    ]
    body["messages"] += [kept, *results]
    loop.ask("/v1/chat/completions", body, stream=stream)
    assert len(loop.reasoning) == 1


@BOTH
def test_a_messages_client_does(stream: bool) -> None:
    loop = Loop("messages", provider())
    tool = {"name": "weather", "input_schema": SCHEMA}
    body: JSON = {
        "model": "m", "max_tokens": 999, "messages": [{"role": "user", "content": ASKED}],
        "tools": [tool], "thinking": {"type": "adaptive"}, "stream": stream,
    }  # fmt: skip
    for _ in range(2):
        answer = loop.ask("/v1/messages", body, stream=stream)
        calls = [block for block in answer["content"] if block["type"] == "tool_use"]
        results = [
            {"type": "tool_result", "tool_use_id": call["id"], "content": "sunny"} for call in calls
        ]
        body["messages"] += [
            {"role": "assistant", "content": answer["content"]},
            {"role": "user", "content": results or "Thanks."},
        ]
    loop.ask("/v1/messages", body, stream=stream)
    assert len(loop.reasoning) == 2


@BOTH
def test_a_gemini_client_does(stream: bool) -> None:
    loop = Loop("gemini", provider())
    verb = "streamGenerateContent?alt=sse" if stream else "generateContent"
    declared = {"name": "weather", "parametersJsonSchema": SCHEMA}
    body: JSON = {
        "contents": [{"role": "user", "parts": [{"text": ASKED}]}],
        "tools": [{"functionDeclarations": [declared]}],
        "generationConfig": {"thinkingConfig": {"includeThoughts": True}},
    }  # fmt: skip
    for _ in range(2):
        answer = loop.ask(f"/v1beta/models/m:{verb}", body, stream=stream)
        content = answer["candidates"][0]["content"]
        calls = [part["functionCall"] for part in content["parts"] if "functionCall" in part]
        results: list[JSON] = [
            {
                "functionResponse": {
                    "id": call.get("id"), "name": call["name"], "response": {"output": "sunny"},
                }
            }
            for call in calls
        ]  # fmt: skip
        body["contents"] += [content, {"role": "user", "parts": results or [{"text": "Thanks."}]}]
    loop.ask(f"/v1beta/models/m:{verb}", body, stream=stream)
    assert len(loop.reasoning) == 2


# Clients of this protocol, and models behind the others


def events(*values: JSON) -> list[bytes]:
    return [sse.encode(orjson.dumps(value), value.get("type", "")) for value in values]


def block(index: int, begun: JSON, *deltas: JSON) -> list[JSON]:
    return [
        {"type": "content_block_start", "index": index, "content_block": begun},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


ANTHROPIC = events(
    {
        "type": "message_start",
        "message": {
            "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-opus-5-5",
            "content": [], "stop_reason": None, "usage": {"input_tokens": 3, "output_tokens": 1},
        },
    },
    *block(
        0,
        {"type": "thinking", "thinking": "", "signature": ""},
        {"type": "thinking_delta", "thinking": "Hm."},
        {"type": "signature_delta", "signature": "EqQB"},
    ),
    *block(
        1,
        {"type": "thinking", "thinking": "", "signature": ""},
        {"type": "signature_delta", "signature": "Eqxx"},
    ),
    *block(2, {"type": "redacted_thinking", "data": "Eqyy"}),
    *block(3, {"type": "text", "text": ""}, {"type": "text_delta", "text": "Let me see."}),
    *block(
        4,
        {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {}},
        {"type": "input_json_delta", "partial_json": '{"city":"Bern"}'},
    ),
    {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 9}},
    {"type": "message_stop"},
)  # fmt: skip


def part(**value: Any) -> JSON:
    return {"candidates": [{"content": {"role": "model", "parts": [value]}, "index": 0}]}


GOOGLE = events(
    part(text="Hm.", thought=True),
    part(text="Let me see."),
    part(
        functionCall={"id": "c1", "name": "weather", "args": {"city": "Bern"}},
        thoughtSignature="c2ln",
    ),
    part(functionCall={"id": "c2", "name": "weather", "args": {"city": "Basel"}}),
    {"candidates": [{"finishReason": "STOP", "index": 0}], "usageMetadata": {}},
)
CHAT = [
    *events(
      *(
        {
            "id": "c", "object": "chat.completion.chunk", "created": 1, "model": "llama",
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        }
        for delta, finish in (
            ({"role": "assistant", "content": "Let me see."}, None),
            (
                {
                    "tool_calls": [
                        {
                            "index": 0, "id": "call_1", "type": "function",
                            "function": {"name": "weather", "arguments": '{"city":"Bern"}'},
                        }
                    ]
                },
                None,
            ),
            ({}, "tool_calls"),
        )
      )
    ),
    b"data: [DONE]\n\n",
]  # fmt: skip


def gone_on(
    upstream: str,
    model: str,
    frames: list[bytes],
    to: Aim | None = None,
    keeping: Callable[[JSON], JSON] = dict,
) -> JSON:
    """The request that a Responses client goes on with, as the upstream has it, after this answer.

    `to` is another upstream than the one that answered, where the client has changed its model;
    `keeping` is what the client keeps of an item.
    """
    aim = Aim(*{"messages": ("anthropic", "messages"), "gemini": ("google", "gemini")}.get(
        upstream, ("local", "chat")), model)  # fmt: skip
    client = TRANSLATED["responses"]
    body: JSON = {
        "model": "m",
        "input": [{"role": "user", "content": ASKED}],
        "tools": [
            {"type": "function", "name": "weather", "parameters": SCHEMA, "strict": False}
        ],
        "reasoning": {"effort": "low", "summary": "auto"},
        "store": False,
        "include": ["reasoning.encrypted_content"],
    }  # fmt: skip
    came = Response(
        200,
        (("content-type", "text/event-stream"),),
        tuple(Frame(0, frame) for frame in frames),
    )
    told = answered(came, TRANSLATED[upstream], client, Variant.JSON, body, aim, 7)
    response = client.message(told)
    assert (response["status"], response["error"]) == ("completed", None)
    assert response["usage"]["total_tokens"] >= 0
    output = response["output"]
    results = [
        {"type": "function_call_output", "call_id": item["call_id"], "output": "sunny"}
        for item in output
        if item["type"] == "function_call"
    ]
    body["input"] += [*map(keeping, output), *results]
    request = Request("POST", "/v1/responses", "application/json", orjson.dumps(body))
    there = written(request, client, to or aim)
    asked = {lost.path for lost in there.lost if lost.asked}
    assert asked <= {"$.reasoning", "$.reasoning.effort"}
    sent: JSON = orjson.loads(there.body)
    return sent


def without_text(item: JSON) -> JSON:
    """What langchain's streams keep of reasoning, without the id that codex does not keep."""
    if item["type"] != "reasoning":
        return item
    return {"type": "reasoning", "summary": [], "encrypted_content": item["encrypted_content"]}


@pytest.mark.parametrize("keeping", [dict, without_text])
def test_anthropic_s_blocks_come_back_as_they_were(keeping: Callable[[JSON], JSON]) -> None:
    sent = gone_on("messages", "claude-opus-5-5", ANTHROPIC, keeping=keeping)
    assert refused_by_anthropic(sent, {"anthropic-version": "2023-06-01"}) is None
    assert sent["messages"][1:] == [
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Hm.", "signature": "EqQB"},
                {"type": "thinking", "thinking": "", "signature": "Eqxx"},
                {"type": "redacted_thinking", "data": "Eqyy"},
                {"type": "text", "text": "Let me see."},
                {
                    "type": "tool_use", "id": "toolu_1", "name": "weather",
                    "input": {"city": "Bern"},
                },
            ],
        },
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "sunny"}],
        },
    ]  # fmt: skip


def test_google_s_signature_comes_back_on_its_call() -> None:
    sent = gone_on("gemini", "gemini-3.8-flash", GOOGLE)
    model, user = sent["contents"][1:]
    calls = [one for one in model["parts"] if "functionCall" in one]
    assert [one.get("thoughtSignature") for one in calls] == ["c2ln", None]
    assert [one["functionCall"]["args"]["city"] for one in calls] == ["Bern", "Basel"]
    assert len(user["parts"]) == 2


def test_a_chat_server_gets_one_message_with_its_calls() -> None:
    sent = gone_on("chat", "llama", CHAT)
    assert sent["messages"][1:] == [
        {
            "role": "assistant",
            "content": "Let me see.",
            "tool_calls": [
                {
                    "id": "call_1", "type": "function",
                    "function": {"name": "weather", "arguments": '{"city":"Bern"}'},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("upstream", "model", "frames"),
    [("messages", "claude-opus-5-5", ANTHROPIC), ("gemini", "gemini-3.8-flash", GOOGLE)],
)
def test_another_provider_gets_no_foreign_signature(
    upstream: str, model: str, frames: list[bytes]
) -> None:
    for to in (
        Aim("anthropic", "messages", "claude-sonnet-5-5", "anthropic"),
        Aim("google", "gemini", "gemini-4", "google"),
        Aim("openai", "chat", "gpt-4.1", "openai"),
    ):
        sent = orjson.dumps(gone_on(upstream, model, frames, to)).decode()
        assert not {word for word in ("EqQB", "Eqyy", "c2ln", "promptdeck") if word in sent}

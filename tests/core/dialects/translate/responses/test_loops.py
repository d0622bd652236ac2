"""Conversations in which a model behind `/v1/responses` calls tools, as each client holds them.

The provider is a strict one: it refuses reasoning that it has not made, calls without results, and
all else that OpenAI refuses.
"""

from typing import Any

import orjson
import pytest

from promptdeck.core.dialects.table import TRANSLATED
from promptdeck.core.dialects.translate.aim import Aim
from promptdeck.core.dialects.translate.memory import Memory
from promptdeck.core.dialects.translate.translation import answered, written
from promptdeck.core.interaction import Frame, Request, Response, Variant
from promptdeck.core.text import sse
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

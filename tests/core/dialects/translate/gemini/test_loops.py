"""Conversations in which a model of Google's calls tools, as clients of each dialect hold them.

The provider is a strict one: it refuses calls without signatures, or with any but its own, results
that do not fit their calls, and all else that Google refuses.
"""

from typing import Any

import orjson
import pytest

from promptdeck.core.dialects.table import TRANSLATED
from promptdeck.core.dialects.translate.aim import Aim
from promptdeck.core.dialects.translate.gemini.signatures import PLACEHOLDER
from promptdeck.core.dialects.translate.memory import Memory
from promptdeck.core.dialects.translate.translation import answered, written
from promptdeck.core.interaction import Frame, Request, Response, Variant
from tests.conformance.anthropic_rules import refusal as refused_by_anthropic
from tests.core.dialects.translate.responses.test_loops import ANTHROPIC, CHAT
from tests.strict_google import StrictGoogle, call, frames_of, whole

MODEL = "gemini-3-flash-preview"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
ASKED = "What is the weather in Bern, and in Basel?"
JSON = dict[str, Any]


class Loop:
    """A client of one dialect on its way to the strict provider and back."""

    def __init__(self, client: str, memory: Memory | None = None) -> None:
        self.client = TRANSLATED[client]
        self.memory = memory
        self.model = MODEL
        bern, basel = {"city": "Bern"}, {"city": "Basel"}
        self.provider = StrictGoogle(
            [{"text": "Hm.", "thought": True}, call("weather", bern), call("weather", basel)],
            [{"text": "And"}, call("weather", id="abc")],
            [{"text": "Sunny."}],
            [{"text": "Bye."}],
        )

    def ask(self, target: str, body: JSON, *, stream: bool) -> JSON:
        """The provider's answer as this client has it: whole, or folded from its stream."""
        aim = Aim("google", "gemini", self.model, "google")
        request = Request("POST", target, "application/json", orjson.dumps(body))
        there = written(request, self.client, aim, self.memory)
        status, events = self.provider.reply(self.model, orjson.loads(there.body))
        assert status == 200, events
        frames = frames_of(events) if stream else [orjson.dumps(whole(events))]
        kind = "text/event-stream" if stream else "application/json"
        came = Response(200, (("content-type", kind),), tuple(Frame(0, one) for one in frames))
        variant = Variant.SSE_USAGE if stream else Variant.JSON
        upstream = TRANSLATED["gemini"]
        told = answered(came, upstream, self.client, variant, body, aim, 7, self.memory)
        assert told.status == 200
        return self.client.message(told)

    @property
    def signed(self) -> list[str | None]:
        """The signatures on all calls of the last request."""
        contents = self.provider.asked[-1]["contents"]
        parts = [part for content in contents for part in content["parts"]]
        return [part.get("thoughtSignature") for part in parts if "functionCall" in part]


BOTH = pytest.mark.parametrize("stream", [True, False])


def chat(loop: Loop, *, stream: bool, keeps: tuple[str, ...] = (), turns: int = 4) -> None:
    """A conversation of a chat client, which keeps all of a message or only these members."""
    function = {"name": "weather", "parameters": SCHEMA}
    body: JSON = {
        "model": "m", "messages": [{"role": "user", "content": ASKED}],
        "tools": [{"type": "function", "function": function}], "reasoning_effort": "low",
        "stream": stream,
    }  # fmt: skip
    for _ in range(turns):
        answer = loop.ask("/v1/chat/completions", body, stream=stream)
        message = answer["choices"][0]["message"]
        calls = message.get("tool_calls") or ()
        if keeps:
            message = {key: message[key] for key in keeps if message.get(key) is not None}
            message["tool_calls"] = [
                {key: one[key] for key in ("id", "type", "function")} for one in calls
            ]
            message = message if calls else {**message, "tool_calls": None}
        body["messages"].append(message)
        body["messages"] += [
            {"role": "tool", "tool_call_id": one["id"], "content": "sunny"} for one in calls
        ]
        if not calls:
            body["messages"].append({"role": "user", "content": "Thanks."})


@BOTH
def test_a_chat_client_brings_all_signatures_back(stream: bool) -> None:
    loop = Loop("chat")
    chat(loop, stream=stream)
    first, second, third = loop.signed
    assert first
    assert third
    assert PLACEHOLDER not in (first, third)
    assert second is None  # of parallel calls only the first has one
    [parallel, single] = [
        [part["functionCall"].get("id") for part in content["parts"] if "functionCall" in part]
        for content in loop.provider.asked[-1]["contents"]
        if any("functionCall" in part for part in content["parts"])
    ]
    assert (parallel, single) == ([None, None], ["abc"])  # none that Google did not give


@BOTH
def test_what_it_does_not_keep_is_remembered_by_its_calls(stream: bool) -> None:
    loop = Loop("chat", Memory())
    chat(loop, stream=stream, keeps=("role", "content"))
    assert PLACEHOLDER not in loop.signed
    assert loop.signed[0]


@BOTH
def test_or_has_the_placeholder_in_its_place(stream: bool) -> None:
    loop = Loop("chat")
    chat(loop, stream=stream, keeps=("role", "content"), turns=3)
    assert loop.signed == [PLACEHOLDER, None, PLACEHOLDER]


@BOTH
def test_another_model_of_google_s_gets_the_placeholder(stream: bool) -> None:
    loop = Loop("chat")
    chat(loop, stream=stream, turns=1)
    loop.model = "gemini-3.8-flash"
    loop.provider.turns.insert(0, [call("weather")])
    chat(loop, stream=stream, turns=2)
    assert not loop.provider.refused


@BOTH
def test_a_messages_client_does(stream: bool) -> None:
    loop = Loop("messages")
    body: JSON = {
        "model": "m", "max_tokens": 999, "messages": [{"role": "user", "content": ASKED}],
        "tools": [{"name": "weather", "input_schema": SCHEMA}], "thinking": {"type": "adaptive"},
        "stream": stream,
    }  # fmt: skip
    for _ in range(4):
        answer = loop.ask("/v1/messages", body, stream=stream)
        calls = [block for block in answer["content"] if block["type"] == "tool_use"]
        results = [
            {"type": "tool_result", "tool_use_id": one["id"], "content": "sunny"} for one in calls
        ]
        body["messages"] += [
            {"role": "assistant", "content": answer["content"]},
            {"role": "user", "content": results or "Thanks."},
        ]
    assert len(loop.signed) == 3
    assert PLACEHOLDER not in loop.signed


@BOTH
def test_a_responses_client_does(stream: bool) -> None:
    loop = Loop("responses")
    tool = {"type": "function", "name": "weather", "parameters": SCHEMA, "strict": False}
    body: JSON = {
        "model": "m", "input": [{"role": "user", "content": ASKED}], "tools": [tool],
        "reasoning": {"effort": "low", "summary": "auto"}, "store": False, "stream": stream,
        "include": ["reasoning.encrypted_content"],
    }  # fmt: skip
    for _ in range(4):
        output = loop.ask("/v1/responses", body, stream=stream)["output"]
        results = [
            {"type": "function_call_output", "call_id": item["call_id"], "output": "sunny"}
            for item in output
            if item["type"] == "function_call"
        ]
        body["input"] += [*output, *(results or [{"role": "user", "content": "Thanks."}])]
    assert len(loop.signed) == 3
    assert PLACEHOLDER not in loop.signed


# Clients of Google's, and models behind the others


def contents_after(
    upstream: str, model: str, frames: list[bytes], to: Aim, *, stream: bool
) -> JSON:
    """What goes to an upstream when a client of Google's goes on with this answer of `upstream`."""
    provider = {"messages": "anthropic", "responses": "openai"}.get(upstream, "local")
    aim = Aim(provider, upstream, model, provider)
    client = TRANSLATED["gemini"]
    body: JSON = {
        "contents": [{"role": "user", "parts": [{"text": ASKED}]}],
        "tools": [{"functionDeclarations": [{"name": "weather", "parametersJsonSchema": SCHEMA}]}],
        "generationConfig": {"thinkingConfig": {"includeThoughts": True}},
    }
    heads = (("content-type", "text/event-stream"),)
    came = Response(200, heads, tuple(Frame(0, frame) for frame in frames))
    variant = Variant.SSE if stream else Variant.JSON
    told = answered(came, TRANSLATED[upstream], client, variant, body, aim, 7)
    [candidate] = client.message(told)["candidates"]
    assert candidate["finishReason"] == "STOP"
    calls = [
        part["functionCall"] for part in candidate["content"]["parts"] if "functionCall" in part
    ]
    results = [
        {
            "functionResponse": {
                "name": one["name"],
                "id": one["id"],
                "response": {"result": "sunny"},
            }
        }
        for one in calls
    ]
    assert results
    body["contents"] += [candidate["content"], {"role": "user", "parts": results}]
    target = "/v1beta/models/m:generateContent"
    request = Request("POST", target, "application/json", orjson.dumps(body))
    sent: JSON = orjson.loads(written(request, client, to).body)
    return sent


CLAUDE = Aim("anthropic", "messages", "claude-opus-5-5", "anthropic")


@BOTH
def test_anthropic_s_blocks_come_back_as_they_were(stream: bool) -> None:
    sent = contents_after("messages", CLAUDE.model, ANTHROPIC, CLAUDE, stream=stream)
    assert refused_by_anthropic(sent, {"anthropic-version": "2023-06-01"}) is None
    called = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Bern"}}
    returned = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "sunny"}
    assert sent["messages"][1:] == [
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Hm.", "signature": "EqQB"},
                {"type": "thinking", "thinking": "", "signature": "Eqxx"},
                {"type": "redacted_thinking", "data": "Eqyy"},
                {"type": "text", "text": "Let me see."},
                called,
            ],
        },
        {"role": "user", "content": [returned]},
    ]


@BOTH
def test_a_chat_server_gets_one_message_with_its_calls(stream: bool) -> None:
    llama = Aim("local", "chat", "llama")
    [_, message, result] = contents_after("chat", "llama", CHAT, llama, stream=stream)["messages"]
    assert message["content"] == "Let me see."
    [called] = message["tool_calls"]
    assert (called["id"], called["function"]["arguments"]) == ("call_1", '{"city":"Bern"}')
    assert result == {"role": "tool", "tool_call_id": "call_1", "content": "sunny"}


@BOTH
def test_another_provider_gets_no_foreign_signature(stream: bool) -> None:
    for to in (
        CLAUDE._replace(model="claude-sonnet-5-5"),
        Aim("openai", "responses", "gpt-5.6-sol", "openai"),
        Aim("openai", "chat", "gpt-4.1", "openai"),
    ):
        sent = contents_after("messages", CLAUDE.model, ANTHROPIC, to, stream=stream)
        told = orjson.dumps(sent).decode()
        assert not [word for word in ("EqQB", "Eqxx", "Eqyy", "promptdeck", "Hm.") if word in told]

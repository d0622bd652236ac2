"""A conversation with tools that moves from one provider to another and back.

Each client sends back what it was told, as its SDK holds it. What a provider has signed reaches
that provider, whole and in order, and no other ever sees it.
"""

import re
from collections.abc import Callable

import orjson
import pytest

from promptdeck.core.dialects.streamed import Streamed
from promptdeck.core.dialects.translate.aim import Aim
from promptdeck.core.dialects.translate.memory import Memory
from promptdeck.core.dialects.translate.neutral import (
    CallClosed,
    CallOpened,
    CallSaid,
    Finished,
    Metered,
    Mused,
    Opened,
    Sealed,
    Signal,
    Signed,
    Spoken,
    Thought,
    Usage,
)
from promptdeck.core.dialects.translate.signing import sealed
from promptdeck.core.dialects.translate.translation import Translation, written
from promptdeck.core.interaction import Request
from promptdeck.core.text import sse
from promptdeck.core.text.jsontext import JSON, JSONObject, strings

from .test_between import DIALECTS, NOW, native, variant_of

CLAUDE = Aim("anthropic", "messages", "claude-sonnet-4-5", "anthropic")
GEMINI = Aim("google", "gemini", "gemini-3-pro", "google")
GPT = Aim("openai", "responses", "gpt-5", "openai")
QWEN = Aim("local", "chat", "qwen")
SIGNATURES = {CLAUDE: ["Y2xhdWRl", "cmVkYWN0ZWQ="], GEMINI: ["Z2VtaW5p"], GPT: ["Z3B0"], QWEN: []}


def answer(aim: Aim, turn: int) -> list[Signal]:
    """What a provider says in a turn: it reasons, speaks and calls, and signs as it does."""
    signed = [Signed(aim.upstream, aim.model, text) for text in SIGNATURES[aim]]
    told: list[Signal] = [Opened(f"a{turn}", aim.model)]
    if aim is CLAUDE:
        told += [Mused("I think."), Sealed(Thought("I think.", signed[0])),
                 Sealed(Thought("", signed[1], is_hidden=True))]  # fmt: skip
    if aim is GPT:
        told += [Mused("A sum.", is_summary=True),
                 Sealed(Thought("A sum.", signed[0], is_summary=True, id="rs_1"))]  # fmt: skip
    of_call = signed[0] if aim is GEMINI else None
    return [
        *told,
        Spoken("Let me see."),
        CallOpened(0, f"call_{turn}", "look", of_call),
        CallSaid(0, '{"at":1}'),
        CallClosed(0),
        Metered(Usage(1, 1, 2)),
        Finished("tool_calls"),
    ]


SCHEMA = {"type": "object", "properties": {"at": {"type": "integer"}}}
# A client's first request, and what it adds to it for an answer and the result of its call.
Adds = Callable[[JSONObject, JSONObject], None]


def chat(body: JSONObject, message: JSONObject) -> None:
    held = message["choices"][0]["message"]
    result = {"role": "tool", "tool_call_id": held["tool_calls"][0]["id"], "content": "seen"}
    body["messages"] += [held, result]


def forgetful_chat(body: JSONObject, message: JSONObject) -> None:
    """As many clients hold an answer: what they do not know is gone."""
    held = message["choices"][0]["message"]
    calls = [{key: call[key] for key in ("id", "type", "function")} for call in held["tool_calls"]]
    known = {"role": "assistant", "content": held["content"], "tool_calls": calls}
    chat(body, {"choices": [{"message": known}]})


def messages(body: JSONObject, message: JSONObject) -> None:
    call = message["content"][-1]
    result = {"type": "tool_result", "tool_use_id": call["id"], "content": "seen"}
    body["messages"] += [
        {"role": "assistant", "content": message["content"]},
        {"role": "user", "content": [result]},
    ]


def responses(body: JSONObject, message: JSONObject) -> None:
    call = message["output"][-1]
    result = {"type": "function_call_output", "call_id": call["call_id"], "output": "seen"}
    body["input"] += [*message["output"], result]


def gemini(body: JSONObject, message: JSONObject) -> None:
    content = message["candidates"][0]["content"]
    (call,) = [part["functionCall"] for part in content["parts"] if "functionCall" in part]
    told = {"name": "look", "response": {"output": "seen"}}
    if "id" in call:
        told["id"] = call["id"]
    body["contents"] += [content, {"role": "user", "parts": [{"functionResponse": told}]}]


CLIENTS: dict[str, tuple[str, str, JSONObject, Adds]] = {
    "chat": (
        "chat",
        "/v1/chat/completions",
        {"messages": [{"role": "user", "content": "q"}],
         "tools": [{"type": "function", "function": {"name": "look", "parameters": SCHEMA}}]},
        chat,
    ),
    "messages": (
        "messages",
        "/v1/messages",
        {"max_tokens": 9000, "messages": [{"role": "user", "content": "q"}],
         "thinking": {"type": "enabled", "budget_tokens": 2000},
         "tools": [{"name": "look", "input_schema": SCHEMA}]},
        messages,
    ),
    "responses": (
        "responses",
        "/v1/responses",
        {"input": [{"role": "user", "content": "q"}],
         "tools": [{"type": "function", "name": "look", "parameters": SCHEMA, "strict": False}]},
        responses,
    ),
    "gemini": (
        "gemini",
        "/v1beta/models/m:generateContent",
        {"contents": [{"role": "user", "parts": [{"text": "q"}]}],
         "tools": [{"functionDeclarations": [{"name": "look", "parametersJsonSchema": SCHEMA}]}]},
        gemini,
    ),
}  # fmt: skip
CLIENTS["forgetful chat"] = (*CLIENTS["chat"][:3], forgetful_chat)


def signed_in(value: JSON) -> list[str]:
    """The signatures that a request holds, as they are."""
    known = [text for texts in SIGNATURES.values() for text in texts]
    return [text for text in strings(value) if text in known]


def told(client: Streamed, asked: JSONObject, aim: Aim, turn: int, memory: Memory) -> JSONObject:
    """An answer of a provider as its client holds it in the end."""
    frames = b"".join(native(aim.dialect, answer(aim, turn)))
    for text in SIGNATURES[aim]:  # the provider itself seals nothing
        seal = re.escape(sealed(Signed(aim.upstream, aim.model, text)))
        frames = re.sub(rf"{seal}[\w.+/=]*".encode(), text.encode(), frames)
    upstream, variant = DIALECTS[aim.dialect], variant_of(client.name)
    made = Translation(upstream, client, variant, asked, aim, NOW, memory)
    body = made.feed(frames) + made.rest() if client is not upstream else frames
    message: JSONObject = orjson.loads(orjson.dumps(client.fold(sse.frames(body))))
    return message


JOURNEYS = [
    [CLAUDE, GEMINI, CLAUDE],
    [GEMINI, CLAUDE, GEMINI],
    [GPT, CLAUDE, GPT],
    [GEMINI, GPT, GEMINI],
    [CLAUDE, QWEN, CLAUDE],
]


@pytest.mark.parametrize("name", CLIENTS)
@pytest.mark.parametrize("journey", JOURNEYS, ids=lambda way: "-".join(one.upstream for one in way))
def test_each_provider_gets_its_own_signatures_and_no_others(name: str, journey: list[Aim]) -> None:
    dialect, target, first, adds = CLIENTS[name]
    client, memory = DIALECTS[dialect], Memory()
    body: JSONObject = orjson.loads(orjson.dumps(first))
    if dialect != "gemini":
        body["model"] = "m"
    expected: dict[Aim, list[str]] = {aim: [] for aim in journey}
    for turn, aim in enumerate([*journey, journey[0], journey[1]]):
        request = Request("POST", target, "application/json", orjson.dumps(body))
        sent = written(request, client, aim, memory)
        asked = orjson.loads(sent.body)
        assert signed_in(asked) == expected[aim], (turn, aim.upstream)
        assert not any(sent.body.count(text.encode()) for one, texts in SIGNATURES.items()
                       if one is not aim for text in texts)  # fmt: skip
        adds(body, told(client, body, aim, turn, memory))
        expected[aim] = [*expected[aim], *SIGNATURES[aim]]

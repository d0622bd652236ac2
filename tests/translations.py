"""Recordings whose answer is in another dialect than their request, as translation makes them."""

from itertools import permutations
from typing import Any

from promptdeck.core.headers import SERVED, Provenance
from promptdeck.core.interaction import Request, Response, Variant
from promptdeck.core.text.jsontext import compact
from tests.dialects import PROTOCOLS, answer, response
from tests.recordings import of

DIALECTS = ("chat", "messages", "responses", "gemini")
PAIRS = [*permutations(DIALECTS, 2)]
"""Each client's dialect with each other one of an upstream."""

MODELS = {
    "chat": ("mistral", "mistral-large"),
    "messages": ("anthropic", "claude-opus-5"),
    "responses": ("openai", "gpt-6.2-sol"),
    "gemini": ("google", "gemini-3.8-flash"),
}
"""An upstream of each dialect, and a model of it."""


def served_by(upstream: str) -> tuple[str, str]:
    """The header that tells who served, by the upstream's dialect."""
    return (SERVED.lower(), str(Provenance(*MODELS[upstream], upstream)))


def asked_by(client: str, upstream: str = "", *, stream: bool = True) -> Request:
    """A request of a client, by default for no upstream in particular."""
    protocol = PROTOCOLS[client]
    path = protocol.stream_path if stream and protocol.stream_path else protocol.path
    body = dict(protocol.body)
    if upstream:
        model = "/".join(MODELS[upstream])
        path = path.replace("gemini-4", model)
        body |= {} if client == "gemini" else {"model": model}
    streams = {"stream": True} if stream and not protocol.stream_path else {}
    return Request("POST", path, "application/json", compact({**body, **streams}))


def given_by(upstream: str, *, stream: bool = True) -> Response:
    protocol = PROTOCOLS[upstream]
    given = response(protocol.stream) if stream else answer(protocol.whole)
    return given._replace(headers=(*given.headers, served_by(upstream)))


SPOKEN = {
    "chat": "Hello, you",
    "messages": "It is blue",
    "responses": "It is blue",
    "gemini": "It is blue",
}
"""A text of each dialect's sample that is in one piece."""


def recorded(client: str, upstream: str, *, stream: bool = True):
    """A recording of what one dialect asked and another one answered."""
    variant = Variant.SSE if stream else Variant.JSON
    return of(asked_by(client, upstream, stream=stream), given_by(upstream, stream=stream), variant)


TOOL = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
SAME = {
    "chat": (
        "/v1/chat/completions",
        {
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "hi"},
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [
                        {
                            "id": "c1",
                            "type": "function",
                            "function": {"name": "weather", "arguments": '{"city": "Paris"}'},
                        }
                    ],
                },
                {"role": "tool", "tool_call_id": "c1", "content": "rain"},
            ],
            "max_tokens": 100,
            "tools": [
                {
                    "type": "function",
                    "function": {"name": "weather", "description": "d", "parameters": TOOL},
                }
            ],
        },
    ),
    "messages": (
        "/v1/messages",
        {
            "system": "Be brief.",
            "messages": [
                {"role": "user", "content": "hi"},
                {
                    "role": "assistant",
                    "content": [
                        {
                            "type": "tool_use",
                            "id": "c1",
                            "name": "weather",
                            "input": {"city": "Paris"},
                        }
                    ],
                },
                {
                    "role": "user",
                    "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "rain"}],
                },
            ],
            "max_tokens": 100,
            "tools": [{"name": "weather", "description": "d", "input_schema": TOOL}],
        },
    ),
    "responses": (
        "/v1/responses",
        {
            "instructions": "Be brief.",
            "input": [
                {"role": "user", "content": "hi"},
                {
                    "type": "function_call",
                    "call_id": "c1",
                    "name": "weather",
                    "arguments": '{"city":"Paris"}',
                },
                {"type": "function_call_output", "call_id": "c1", "output": "rain"},
            ],
            "max_output_tokens": 100,
            "tools": [
                {
                    "type": "function",
                    "name": "weather",
                    "description": "d",
                    "parameters": TOOL,
                    "strict": False,
                }
            ],
        },
    ),
    "gemini": (
        "/v1/models/anthropic/claude-opus-5:generateContent",
        {
            "systemInstruction": {"parts": [{"text": "Be brief."}]},
            "contents": [
                {"role": "user", "parts": [{"text": "hi"}]},
                {
                    "role": "model",
                    "parts": [
                        {"functionCall": {"id": "c1", "name": "weather", "args": {"city": "Paris"}}}
                    ],
                },
                {
                    "role": "user",
                    "parts": [
                        {
                            "functionResponse": {
                                "id": "c1",
                                "name": "weather",
                                "response": {"output": "rain"},
                            }
                        }
                    ],
                },
            ],
            "generationConfig": {"maxOutputTokens": 100},
            "tools": [
                {
                    "functionDeclarations": [
                        {"name": "weather", "description": "d", "parametersJsonSchema": TOOL}
                    ]
                }
            ],
        },
    ),
}
"""One and the same, as clients of each dialect ask it."""


def same_asked(client: str, *, stream: bool, **more: Any) -> Request:
    target, body = SAME[client]
    if client == "gemini":
        if stream:
            target = target.replace(":generate", ":streamGenerate") + "?alt=sse"
    else:
        more |= {"model": "anthropic/claude-opus-5", **({"stream": True} if stream else {})}
    return Request("POST", target, "application/json", compact({**body, **more}))

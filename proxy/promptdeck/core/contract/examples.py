"""Examples for the OpenAPI document and its page: requests, answers and errors.

Each has the shape that the document gives it, which a test holds.
"""

from typing import Any

from promptdeck.core.text import sse
from promptdeck.core.text.jsontext import JSON, compact

# One question throughout: a reader compares forms, not texts.
REQUESTS: dict[str, JSON] = {
    "plain": {
        "model": "openai/gpt-5",
        "messages": [{"role": "user", "content": "What is the capital of France?"}],
    },
    "stream": {
        "model": "openai/gpt-5",
        "messages": [{"role": "user", "content": "What is the capital of France?"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    },
    "tools": {
        "model": ["openai/gpt-5", "anthropic/claude-opus-4-8"],
        "messages": [
            {"role": "developer", "content": "Answer in one sentence."},
            {"role": "user", "content": "How warm is it in Paris?"},
            {
                "role": "assistant",
                "tool_calls": [
                    {
                        "id": "call_1",
                        "type": "function",
                        "function": {"name": "weather", "arguments": '{"city":"Paris"}'},
                    }
                ],
            },
            {"role": "tool", "tool_call_id": "call_1", "content": "21 degrees"},
        ],
        "tools": [
            {
                "type": "function",
                "function": {
                    "name": "weather",
                    "description": "The weather in a city.",
                    "parameters": {
                        "type": "object",
                        "properties": {"city": {"type": "string"}},
                        "required": ["city"],
                    },
                },
            }
        ],
        "tool_choice": "auto",
        "temperature": 0,
    },
}

_META = {"id": "chatcmpl-1", "created": 1767225600, "model": "openai/gpt-5"}
_USAGE = {"prompt_tokens": 14, "completion_tokens": 7, "total_tokens": 21}

COMPLETION: JSON = {
    **_META,
    "object": "chat.completion",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "It is Paris.", "refusal": None},
            "finish_reason": "stop",
            "logprobs": None,
        }
    ],
    "usage": _USAGE,
}


def _chunk(delta: JSON, finish_reason: str | None = None) -> JSON:
    """A chunk of the example stream, with its one choice."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return {**_META, "object": "chat.completion.chunk", "choices": [choice]}


CHUNKS: list[JSON] = [
    _chunk({"role": "assistant", "content": ""}),
    _chunk({"content": "It is Paris."}),
    _chunk({}, "stop"),
    {**_META, "object": "chat.completion.chunk", "choices": [], "usage": _USAGE},
]
STREAM = b"".join([*map(sse.encode, map(compact, CHUNKS)), sse.encode(sse.DONE.encode())]).decode()

_MESSAGES = {
    "invalid_request": (
        '$.response_format.type: expected one of text, json_object, json_schema, found "json_shema"'
        "; did you mean json_schema?"
    ),
    "cassette_miss": "no recording of this request; the nearest differs at $.messages[0].content",
    "idempotency_key_reused": (
        "this Idempotency-Key came with another request before; use a new key"
    ),
    "too_large": "the request body is larger than server.max_body",
    "upstream_unreachable": "cannot reach upstream",
    "upstream_timeout": "upstream did not answer in time",
    "store_unavailable": "the recordings cannot be read",
    "not_found": "there is none of this name",
    "deferred_lost": "the deferred completion was lost when promptdeck stopped; ask again",
}
_TYPES = {"upstream": "upstream_error", "store": "promptdeck_error"}


def error(code: str) -> dict[str, Any]:
    """The example body of the error with this code, one of those above.

    As both SDKs read it: openai takes the fields in `error`, dedalus those beside it.
    """
    message = _MESSAGES[code]
    param = message.partition(":")[0] if message.startswith("$") else None
    kind = _TYPES.get(code.partition("_")[0], "invalid_request_error")
    fields = {"message": message, "type": kind, "param": param, "code": code}
    return {"error": fields, **fields}

"""unsigned: a request that was refused for a signature, without any."""

from typing import Any

import orjson
import pytest

from promptdeck.core.dialects.translate.unsigned import SKIP, names_signature, unsigned

SIGNED: dict[str, tuple[Any, Any]] = {
    "messages": (
        {
            "thinking": {"type": "adaptive"},
            "messages": [
                {"role": "user", "content": "q"},
                {"role": "assistant", "content": [{"type": "redacted_thinking", "data": "x"}]},
                {
                    "role": "assistant",
                    "content": [
                        {"type": "thinking", "thinking": "", "signature": "s"},
                        {"type": "text", "text": "a"},
                    ],
                },
            ],
        },
        {
            "thinking": {"type": "adaptive"},
            "messages": [
                {"role": "user", "content": "q"},
                {"role": "assistant", "content": [{"type": "text", "text": "a"}]},
            ],
        },
    ),
    "gemini": (
        {
            "contents": [
                {
                    "role": "model",
                    "parts": [
                        {"text": "hm", "thought": True},
                        {"text": "a", "thoughtSignature": "s"},
                        {"functionCall": {"name": "f"}, "thoughtSignature": "s"},
                        {"functionCall": {"name": "g"}},
                    ],
                }
            ]
        },
        {
            "contents": [
                {
                    "role": "model",
                    "parts": [
                        {"text": "a"},
                        {"functionCall": {"name": "f"}, "thoughtSignature": SKIP},
                        {"functionCall": {"name": "g"}},
                    ],
                }
            ]
        },
    ),
    "responses": (
        {
            "input": [
                {"type": "reasoning", "id": "rs", "encrypted_content": "s"},
                {"type": "function_call", "id": "fc", "call_id": "c", "name": "f"},
                {"type": "message", "id": "m"},
            ]
        },
        {
            "input": [
                {"type": "function_call", "call_id": "c", "name": "f"},
                {"type": "message", "id": "m"},
            ]
        },
    ),
    "chat": (
        {
            "messages": [
                {
                    "role": "assistant",
                    "content": "a",
                    "reasoning_content": "hm",
                    "reasoning_details": [{"type": "reasoning.text"}],
                    "tool_calls": [{"id": "c", "thought_signature": "s"}],
                }
            ]
        },
        {
            "messages": [
                {
                    "role": "assistant",
                    "content": "a",
                    "reasoning_content": "hm",
                    "tool_calls": [{"id": "c"}],
                }
            ]
        },
    ),
}


@pytest.mark.parametrize("dialect", SIGNED)
def test_what_was_signed_is_left_out_and_nothing_else(dialect: str) -> None:
    signed, bare = SIGNED[dialect]
    made = unsigned(orjson.dumps(signed), dialect)
    assert made is not None
    assert orjson.loads(made) == bare
    # A try that changes nothing is none.
    assert unsigned(made, dialect) is None or dialect == "gemini"


@pytest.mark.parametrize("dialect", [*SIGNED, "other"])
@pytest.mark.parametrize(
    "body", [b"{}", b"[]", b"no", b'{"messages":1,"contents":[1],"input":"q"}', b'{"messages":[1]}']
)
def test_what_has_no_signature_is_not_tried_again(dialect: str, body: bytes) -> None:
    made = unsigned(body, dialect)
    assert made is None


@pytest.mark.parametrize(
    ("status", "body", "names"),
    [
        (400, b'{"error":{"message":"messages.1: Invalid `signature` in `thinking` block"}}', True),
        (400, b'{"error":{"message":"missing a thought_signature in functionCall parts"}}', True),
        (400, b'{"error":{"message":"The encrypted_content is invalid"}}', True),
        (400, b'{"error":{"message":"max_tokens"}}', False),
        (401, b"bad signature", False),
    ],
)
def test_a_refusal_that_names_a_signature(status: int, body: bytes, names: bool) -> None:
    assert names_signature(status, body) is names

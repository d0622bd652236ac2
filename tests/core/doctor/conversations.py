"""Recordings of conversations for the doctor: requests of any dialect, with the usage they cost."""

from typing import Any

from promptdeck.core.dialects.table import dialect_in
from promptdeck.core.dialects.translate.translation import prompt_of
from promptdeck.core.doctor.blocks import PromptBlock, blocks_of
from promptdeck.core.interaction import Interaction, Request
from promptdeck.core.text.jsontext import compact
from tests.dialects import answer
from tests.recordings import THEN, of

LONG = "You answer questions about rivers and lakes. " * 300
"""About 13,500 characters, some 3,400 tokens."""
PATHS = {
    "chat": "/v1/chat/completions",
    "messages": "/v1/messages",
    "responses": "/v1/responses",
    "gemini": "/v1/models/gemini-4:generateContent",
}


def asked(dialect: str, body: dict[str, Any]) -> Request:
    return Request("POST", PATHS[dialect], "application/json", compact(body))


def blocks(dialect: str, body: dict[str, Any]) -> tuple[PromptBlock, ...]:
    request = asked(dialect, body)
    return blocks_of(prompt_of(request, dialect_in(request)))


def chat(*messages: Any, system: str = LONG, **more: Any) -> dict[str, Any]:
    """A chat request: user and assistant speak in turns, unless a message is given whole."""
    return {
        "model": "gpt-5",
        "messages": [{"role": "system", "content": system}, *_turns(messages)],
        **more,
    }


def claude(*messages: Any, system: Any = LONG, **more: Any) -> dict[str, Any]:
    """The same of Messages, marked behind system and last message."""
    turns = _turns(messages)
    for turn in turns:
        if isinstance(turn["content"], str):
            turn["content"] = [{"type": "text", "text": turn["content"]}]
    mark = {"cache_control": {"type": "ephemeral"}}
    turns[-1]["content"][-1] |= mark
    if isinstance(system, str):
        system = [{"type": "text", "text": system, **mark}]
    return {"model": "claude-sonnet-4-5", "system": system, "messages": turns, **more}


def _turns(messages: tuple[Any, ...]) -> list[dict[str, Any]]:
    roles = ("user", "assistant")
    return [
        {"role": roles[n % 2], "content": one} if isinstance(one, str) else dict(one)
        for n, one in enumerate(messages)
    ]


def tool(name: str, description: str = "d", **properties: Any) -> dict[str, Any]:
    """A chat tool."""
    function = {
        "name": name,
        "description": description,
        "parameters": {"type": "object", "properties": properties},
    }
    return {"type": "function", "function": function}


def recorded(
    dialect: str, *bodies: dict[str, Any], every: float = 10, usage: Any = None
) -> list[Interaction]:
    """Recordings of these requests, one after the other; `usage` as each answer tells it."""
    return [
        of(asked(dialect, body), _answer(dialect, usage), at=THEN + n * every)
        for n, body in enumerate(bodies)
    ]


def _answer(dialect: str, usage: Any) -> Any:
    whole: dict[str, dict[str, Any]] = {
        "chat": {
            "id": "c",
            "object": "chat.completion",
            "model": "m",
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": "ok"},
                    "finish_reason": "stop",
                }
            ],
        },
        "messages": {
            "id": "m",
            "type": "message",
            "role": "assistant",
            "model": "m",
            "content": [{"type": "text", "text": "ok"}],
            "stop_reason": "end_turn",
        },
        "responses": {
            "id": "r",
            "object": "response",
            "model": "m",
            "status": "completed",
            "output": [],
        },
        "gemini": {
            "candidates": [{"content": {"parts": [{"text": "ok"}]}, "finishReason": "STOP"}]
        },
    }
    name = "usageMetadata" if dialect == "gemini" else "usage"
    return answer(whole[dialect] | ({name: usage} if usage is not None else {}))

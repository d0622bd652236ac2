"""Models of each family, prompts for them, and what becomes of these."""

from typing import Any

from promptdeck.core.dialects.translate.aim import Aim, Written
from promptdeck.core.dialects.translate.messages.writes import written
from promptdeck.core.dialects.translate.neutral import (
    Prompt,
    Tool,
    ToolCall,
    ToolResult,
    Utterance,
    Words,
)
from tests.conformance.anthropic_rules import refusal

MODELS = (
    "claude-3-haiku-20240307",
    "claude-3-5-sonnet-20241022",
    "claude-3-7-sonnet-20250219",
    "claude-opus-4-20250514",
    "claude-opus-4-1-20250805",
    "claude-sonnet-4-5-20250929",
    "claude-haiku-4-5",
    "claude-opus-4-5",
    "claude-opus-4-6",
    "claude-sonnet-4-6",
    "claude-opus-4-7",
    "claude-opus-4-8",
    "claude-sonnet-5",
    "claude-opus-5",
    "claude-haiku-5-5",
    "claude-sonnet-5-5",
    "claude-opus-5-5",
    "claude-fable-5-2",
    "claude-mythos-5",
    "claude-nova-7",
)
ADD = Tool("add", "Adds.", {"type": "object", "properties": {}})


def aim(model: str = "claude-opus-5-5") -> Aim:
    return Aim("anthropic", "messages", model, "anthropic")


def user(text: str = "hi", path: str = "$.messages[0]") -> Utterance:
    return Utterance("user", (Words(text),), path)


def prompt(*turns: Utterance, **fields: Any) -> Prompt:
    return Prompt("chat", "anthropic/m", turns or (user(),), **fields)


def looped(*thoughts: Any, **fields: Any) -> Prompt:
    """A conversation amid a call of `add`, before which the model has thought."""
    call = ToolCall("call_1", "add", '{"a":1}')
    fields = {"tools": (ADD,), **fields}
    return prompt(
        user(),
        Utterance("assistant", (*thoughts, call), "$.messages[1]"),
        Utterance("user", (ToolResult("call_1", "add", (Words("2"),)),), "$.messages[2]"),
        **fields,
    )


def asked(given: Prompt, model: str = "claude-opus-5-5") -> Written:
    """What is sent for a prompt: such as Anthropic takes."""
    there = written(given, aim(model))
    assert refusal(there.body, dict(there.headers)) is None
    return there


def lost(there: Written) -> dict[str, str]:
    """What is not there as it was asked for, by its place."""
    return {one.path: one.why for one in there.lost}

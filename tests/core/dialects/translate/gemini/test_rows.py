"""Each field of the contract, asked for by a chat client, is where the table of rows has it.

Or it is named as lost, where the table has nothing; what is Dedalus's own passes without a word.
"""

from typing import Any

import orjson
import pytest

from promptdeck.core.dialects.table import CHAT
from promptdeck.core.dialects.translate.aim import Aim
from promptdeck.core.dialects.translate.fields import ROWS, STRIPPED
from promptdeck.core.dialects.translate.translation import written
from promptdeck.core.interaction import Request

AIM = Aim("google", "gemini", "gemini-3-flash-preview", "google")
FUNCTION = {"name": "f", "parameters": {"type": "object"}}
# A value that asks for something, and what else must be said with it.
VALUES: dict[str, Any] = {
    "temperature": 0.5, "max_tokens": 5, "max_completion_tokens": 5, "top_p": 0.5, "top_k": 5,
    "n": 2, "seed": 5, "stop": ["x"], "presence_penalty": 1, "frequency_penalty": 1,
    "logit_bias": {"1": 1}, "logprobs": True, "top_logprobs": 2, "user": "u", "store": True,
    "safety_identifier": "u", "modalities": ["audio"], "audio": {"voice": "a", "format": "pcm16"},
    "prompt_cache_key": "k", "prompt_cache_retention": "24h", "cached_content": "cachedContents/a",
    "reasoning_effort": "low", "thinking": {"type": "adaptive"},
    "prediction": {"type": "content", "content": "x"}, "safe_prompt": True,
    "safety_settings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "OFF"}],
    "service_tier": "flex", "speed": "fast", "inference_geo": "us", "metadata": {"a": "b"},
    "generation_config": {"top_k": 5}, "output_config": {"effort": "low"}, "verbosity": "low",
    "search_parameters": {"mode": "on"}, "web_search_options": {}, "prompt_mode": "reasoning",
    "system_instruction": "be brief", "tools": [{"type": "function", "function": FUNCTION}],
    "tool_choice": "required", "functions": [FUNCTION], "function_call": "auto",
    "tool_config": {"function_calling_config": {"mode": "ANY"}}, "parallel_tool_calls": False,
    "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"a": 1}}},
    "guardrails": [{"a": 1}], "agent_attributes": {"a": 1}, "model_attributes": {"m": {"a": 1}},
    "handoff_config": {"a": 1}, "handoff_mode": True, "correlation_id": "c", "max_turns": 3,
    "deferred_calls": [{"id": "a", "name": "b"}], "automatic_tool_execution": False,
    "credentials": {"connection_name": "a", "values": {"k": "v"}}, "mcp_servers": ["a/b"],
}  # fmt: skip
TOOLS = {"tools": VALUES["tools"]}
WITH: dict[str, Any] = {
    "tool_choice": TOOLS,
    "tool_config": TOOLS,
    "parallel_tool_calls": TOOLS,
    "function_call": {"functions": VALUES["functions"]},
    "audio": {"modalities": ["audio"]},
}
# Said by the whole of the request.
WHOLE = {"model", "messages", "stream", "stream_options", "deferred"}


def ask(field: str) -> tuple[dict[str, Any], set[str]]:
    """The request for Google, and the names of the fields that are lost."""
    body = {
        "model": "google/m", "messages": [{"role": "user", "content": "hi"}],
        **WITH.get(field, {}), field: VALUES[field],
    }  # fmt: skip
    request = Request("POST", "/v1/chat/completions", "application/json", orjson.dumps(body))
    sent = written(request, CHAT, AIM)
    return orjson.loads(sent.body), {one.path.split(".")[1].split("[")[0] for one in sent.lost}


def at(body: dict[str, Any], place: str) -> Any:
    value: Any = body
    for step in place.split("."):
        if isinstance(value, list):
            value = next((one for one in value if step in one), {})
        value = value.get(step, {}) if isinstance(value, dict) else {}
    return value


@pytest.mark.parametrize("field", sorted(ROWS.keys() - WHOLE))
def test_a_field_is_there_or_named(field: str) -> None:
    body, lost = ask(field)
    place = ROWS[field]["google"].name
    if place:
        assert at(body, place) != {}
        assert field not in lost
    else:
        assert lost == {field}


@pytest.mark.parametrize("field", sorted(STRIPPED.keys() - {"mcp_servers"}))
def test_what_is_dedalus_s_own_passes_without_a_word(field: str) -> None:
    body, lost = ask(field)
    assert not lost
    assert field not in orjson.dumps(body).decode()

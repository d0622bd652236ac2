"""The Responses API's requests and answers by the types of the official SDK.

    python -m pytest tests/conformance/typed_responses.py

What promptdeck writes for OpenAI validates as `ResponseCreateParams`; what it tells a client is a
`Response`, and a stream of `ResponseStreamEvent`s, strictly.
"""

from typing import Any

import orjson
from hypothesis import given, settings
from openai.types.responses import Response, ResponseStreamEvent, response_create_params
from pydantic import TypeAdapter

from promptdeck.core.dialects.translate.aim import Aim
from promptdeck.core.dialects.translate.neutral import (
    Prompt,
    Shape,
    Signal,
    Thinking,
    ToolChoice,
)
from promptdeck.core.dialects.translate.responses.tells import ResponsesTelling
from promptdeck.core.dialects.translate.responses.writes import written
from promptdeck.core.interaction import Variant
from promptdeck.core.text import sse
from tests.core.dialects.translate.strategies import prompts, signals, signatures

ASKED: TypeAdapter[Any] = TypeAdapter(response_create_params.ResponseCreateParamsNonStreaming)
STREAMED: TypeAdapter[Any] = TypeAdapter(response_create_params.ResponseCreateParamsStreaming)
EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)

OPTIONS = {
    "temperature": 0.5, "top_p": 0.5, "logprobs": True, "top_logprobs": 2, "verbosity": "low",
    "metadata": {"a": "b"}, "user": "u" * 99, "safety_identifier": "s", "prompt_cache_key": "k",
    "prompt_cache_retention": "24h", "prompt_cache_options": {"ttl": "30m"}, "service_tier": "flex",
    "store": True, "stream_options": {"include_obfuscation": False},
    "web_search_options": {
        "search_context_size": "low",
        "user_location": {"type": "approximate", "approximate": {"country": "CH"}},
    },
}  # fmt: skip


def walked(value: Any) -> Any:
    """A value whose iterables have all been read: they are validated as they are."""
    if isinstance(value, dict):
        return {key: walked(one) for key, one in value.items()}
    if value is None or isinstance(value, str | int | float):
        return value
    return [walked(one) for one in value]


def check(prompt: Prompt, model: str) -> None:
    body = written(prompt, Aim("openai", "responses", model, "openai")).body
    for item in body["input"]:
        # The types want an id of reasoning; the API does not, and refuses one that is made up.
        if item.get("type") == "reasoning":
            item.setdefault("id", "rs_1")
    walked((STREAMED if body.get("stream") else ASKED).validate_python(body))


@settings(max_examples=200, deadline=None)
@given(
    prompts(
        signed=signatures("openai", "gpt-5.6-sol"),
        also=("pictures", "papers", "failures", "shape", "late", "custom"),
    )
)
def test_requests_are_openai_s(prompt: Prompt) -> None:
    check(prompt, "gpt-5.6-sol")
    names = tuple(dict.fromkeys(tool.name for tool in prompt.tools))  # type: ignore[union-attr]
    full = prompt._replace(
        options={**prompt.options, **OPTIONS},
        choice=ToolChoice("auto", names),
        parallel=False,
        shape=Shape(),
        thinking=Thinking("none", shown=True),
    )
    check(full, "gpt-5.6-sol")
    check(full, "gpt-4.1")
    check(full._replace(thinking=Thinking("max", shown=True)), "gpt-7")


ASKED_FOR = {
    "model": "m", "instructions": "Be brief.", "temperature": 0, "metadata": {"a": "b"},
    "reasoning": {"effort": "low"}, "text": {"format": {"type": "text"}, "verbosity": "low"},
    "tools": [{"type": "function", "name": "f", "parameters": {}, "strict": None}],
    "tool_choice": {"type": "function", "name": "f"}, "max_output_tokens": 20,
}  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(
    signals(
        signed=signatures("google", "gemini-3"),
        also=("refusals", "citations", "marks", "bare", "summaries", "custom"),
    )
)
def test_answers_are_the_sdk_s(told: list[Signal]) -> None:
    for asked in ({"model": "m"}, ASKED_FOR):
        telling = ResponsesTelling(asked, Variant.SSE, 1_700_000_000)
        frames = [*(frame for one in told for frame in telling.tell(one)), *telling.end()]
        for frame in frames:
            event = EVENT.validate_python(orjson.loads(sse.parse(frame).data or ""), strict=True)
        Response.model_validate(event.response.model_dump(by_alias=True), strict=True)

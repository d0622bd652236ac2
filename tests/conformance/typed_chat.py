"""Chat completions' requests and answers by the types of the official SDKs.

    python -m pytest tests/conformance/typed_chat.py

What promptdeck writes for OpenAI validates as `CompletionCreateParams` and holds nothing else; what
it tells a client is a `ChatCompletion` and a stream of `ChatCompletionChunk`s, strictly, for openai
and for dedalus_labs, and openai's accumulator puts the same message together as ours.
"""

from typing import Any

import dedalus_labs.types.chat as dedalus
import openai.types.chat as openai
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openai.lib.streaming._deltas import accumulate_delta
from openai.types.chat import completion_create_params
from pydantic import TypeAdapter

from promptdeck.core.dialects.chat.dialect import CHAT
from promptdeck.core.dialects.translate.aim import Aim
from promptdeck.core.dialects.translate.chat.tells import ChatTelling
from promptdeck.core.dialects.translate.chat.writes import written
from promptdeck.core.dialects.translate.neutral import Prompt, Signal, Thinking
from promptdeck.core.interaction import Variant
from promptdeck.core.text import sse
from tests.core.dialects.translate.strategies import prompts, signals, signatures

ASKED: TypeAdapter[Any] = TypeAdapter(completion_create_params.CompletionCreateParamsNonStreaming)
STREAMED: TypeAdapter[Any] = TypeAdapter(completion_create_params.CompletionCreateParamsStreaming)
AIM = Aim("openai", "chat", "gpt-4.1", "openai")
OPTIONS: dict[str, Any] = {
    "temperature": 1, "top_p": 1, "top_k": 1, "n": 2, "seed": 5, "presence_penalty": 1,
    "frequency_penalty": 1, "logprobs": True, "top_logprobs": 3, "store": True, "user": "u",
    "metadata": {"a": "b"}, "web_search_options": {}, "prompt_cache_key": "k", "safe_prompt": True,
    "prediction": {"type": "content", "content": "x"}, "prompt_mode": "reasoning",
    "service_tier": "flex", "verbosity": "low", "modalities": ["text", "audio"],
    "audio": {"voice": "alloy", "format": "wav"}, "logit_bias": {"1": 2},
    "prompt_cache_retention": "24h", "safety_identifier": "s",
}  # fmt: skip
RELAXED = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


def walked(value: Any) -> Any:
    """A value whose iterables have all been read: they are validated as they are."""
    if isinstance(value, dict):
        return {key: walked(one) for key, one in value.items()}
    if value is None or isinstance(value, str | int | float):
        return value
    return [walked(one) for one in value]


@RELAXED
@given(
    prompts(
        signed=signatures("anthropic", "claude-opus-5"),
        also={"pictures", "papers", "failures", "shape", "late", "custom"},
    ),
    st.dictionaries(st.sampled_from([*OPTIONS]), st.none()),
    st.sampled_from([None, Thinking("high"), Thinking(budget=9000), Thinking(mode="disabled")]),
)
def test_requests_are_openai_s(prompt: Prompt, names: Any, thinking: Thinking | None) -> None:
    options = {**prompt.options, **{name: OPTIONS[name] for name in names}}
    prompt = prompt._replace(options=options, thinking=thinking, dialect="messages")
    body = written(prompt, AIM).body
    checked = walked((STREAMED if prompt.stream else ASKED).validate_python(body, strict=True))
    assert checked == body
    known = completion_create_params.CompletionCreateParamsBase.__annotations__
    assert body.keys() <= {*known, "stream"}


ANSWERS = signals(
    signed=signatures("google", "gemini-3-pro"),
    also={"refusals", "citations", "marks", "bare", "summaries"},
    choices=2,
)


def told(answer: list[Signal]) -> list[bytes]:
    telling = ChatTelling({"model": "m"}, Variant.SSE_USAGE, 1700000000)
    return [*(frame for one in answer for frame in telling.tell(one)), *telling.end()]


@pytest.mark.parametrize("sdk", [openai, dedalus], ids=["openai", "dedalus_labs"])
@RELAXED
@given(answer=ANSWERS)
def test_answers_are_the_sdks_own(sdk: Any, answer: list[Signal]) -> None:
    frames = told(answer)
    for frame in frames[:-1]:
        chunk = orjson.loads(sse.parse(frame).data or "")
        TypeAdapter(sdk.ChatCompletionChunk).validate_python(chunk, strict=True)
    TypeAdapter(sdk.ChatCompletion).validate_python(CHAT.fold(frames), strict=True)


@RELAXED
@given(ANSWERS)
def test_openai_s_accumulator_holds_the_same_message(answer: list[Signal]) -> None:
    frames = told(answer)
    held: dict[int, Any] = {}
    for frame in frames[:-1]:
        for choice in orjson.loads(sse.parse(frame).data or "")["choices"]:
            held[choice["index"]] = accumulate_delta(held.get(choice["index"], {}), choice["delta"])
    for choice in CHAT.fold(frames)["choices"]:
        ours = choice["message"]
        for one in held[choice["index"]].get("tool_calls", ()):
            del one["index"]
        assert known(held[choice["index"]]) == known(ours)


def known(message: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in message.items() if value is not None}

"""Google's requests and answers by the types of the official SDK, which refuse what is unknown.

What promptdeck writes for Google validates as contents and `GenerateContentConfig`; what it tells
a client, each event of a stream and the whole of it, as `GenerateContentResponse`. It is run by
typed_others.py, with the packages of the conformance runs.
"""

from typing import Any

import orjson
from google.genai import types
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from promptdeck.core.dialects.gemini.dialect import GEMINI
from promptdeck.core.dialects.translate.aim import Aim
from promptdeck.core.dialects.translate.gemini.tells import GeminiTelling
from promptdeck.core.dialects.translate.gemini.writes import written
from promptdeck.core.interaction import Variant
from promptdeck.core.text import sse
from tests.core.dialects.translate.strategies import prompts, signals, signatures

MODELS = ["gemini-2.5-flash", "gemini-3-pro", "gemini-4-hydrogen"]
OPTIONS: dict[str, Any] = {
    "temperature": 1, "top_p": 1, "top_k": 1, "n": 2, "seed": 5, "presence_penalty": 1,
    "frequency_penalty": 1, "logprobs": True, "top_logprobs": 3, "store": True,
    "modalities": ["text", "audio"], "audio": {"voice": "a"}, "service_tier": "flex",
    "metadata": {"a": "b"}, "web_search_options": {}, "cached_content": "cachedContents/a",
    "safety_settings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "OFF"}],
    "generation_config": {"media_resolution": "MEDIA_RESOLUTION_LOW"},
    "tool_config": {"retrieval_config": {"language_code": "de"}},
    "reasoning_effort": "low",
}  # fmt: skip
RELAXED = settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))


@RELAXED
@given(
    prompts(
        signed=signatures("google", "gemini-3-pro"),
        also={"pictures", "papers", "failures", "shape", "late", "custom"},
    ),
    st.sampled_from(MODELS),
    st.dictionaries(st.sampled_from([*OPTIONS]), st.none()),
)
def test_requests_are_googles(prompt: Any, model: str, names: Any) -> None:
    options = {**prompt.options, **{name: OPTIONS[name] for name in names}}
    body = written(prompt._replace(options=options), Aim("google", "gemini", model, "google")).body
    for content in body.pop("contents"):
        types.Content.model_validate(content)
    types.GenerateContentConfig.model_validate({**body.pop("generationConfig", {}), **body})


@RELAXED
@given(
    signals(
        signed=signatures("anthropic", "claude-opus-5"),
        also={"refusals", "citations", "marks", "bare", "summaries", "custom"},
        choices=2,
    )
)
def test_answers_are_the_sdks(told: Any) -> None:
    telling = GeminiTelling({}, Variant.SSE, 0)
    frames = [*(frame for one in told for frame in telling.tell(one)), *telling.end()]
    for frame in frames:
        types.GenerateContentResponse.model_validate(orjson.loads(sse.parse(frame).data or ""))
    whole = types.GenerateContentResponse.model_validate(GEMINI.fold(frames))
    assert all(candidate.finish_reason for candidate in whole.candidates or ())


if __name__ == "__main__":
    test_requests_are_googles()
    test_answers_are_the_sdks()

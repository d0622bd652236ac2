"""Mistral's requests by the types of the official SDK.

What promptdeck writes for Mistral validates as `ChatCompletionRequest`, and holds no field that
this does not know: the server answers 422 to such. It is run by typed_others.py, with the packages
of the conformance runs.
"""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mistralai.client.models import ChatCompletionRequest
from pydantic import BaseModel

from promptdeck.core.dialects.translate.aim import Aim
from promptdeck.core.dialects.translate.chat.writes import written
from promptdeck.core.dialects.translate.neutral import Thought, Utterance
from tests.core.dialects.translate.strategies import prompts, signatures

AIM = Aim("mistral", "chat", "mistral-medium-latest", "mistral")
OPTIONS: dict[str, Any] = {
    "temperature": 1, "top_p": 1, "top_k": 1, "n": 2, "seed": 5, "presence_penalty": 1,
    "frequency_penalty": 1, "logprobs": True, "top_logprobs": 3, "store": True, "user": "u",
    "metadata": {"a": "b"}, "web_search_options": {}, "prompt_cache_key": "k", "safe_prompt": True,
    "prediction": {"type": "content", "content": "x"}, "prompt_mode": "reasoning",
    "service_tier": "default", "parallel_tool_calls": False, "verbosity": "low",
}  # fmt: skip


def unknown(made: Any, said: Any, at: str = "$") -> list[str]:
    """The places of what was said and is not in what an SDK's types made of it."""
    if isinstance(made, BaseModel):
        # The SDK renames some: `schema` would be a method's name.
        names = {field.alias or name: name for name, field in type(made).model_fields.items()}
        return [
            place
            for key, value in said.items()
            for place in (
                unknown(getattr(made, names[key]), value, f"{at}.{key}")
                if key in names
                else [f"{at}.{key}"]
            )
        ]
    if isinstance(made, list):
        return [
            place for n, one in enumerate(made) for place in unknown(one, said[n], f"{at}[{n}]")
        ]
    return []


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    prompts(
        signed=signatures("anthropic", "claude-opus-5"),
        also={"pictures", "papers", "failures", "shape", "late", "custom"},
    ),
    st.dictionaries(st.sampled_from([*OPTIONS]), st.none()),
    st.booleans(),
)
def test_requests_are_mistrals(prompt: Any, names: Any, muses: bool) -> None:
    options = {**prompt.options, **{name: OPTIONS[name] for name in names}}
    if muses:
        prompt = prompt._replace(turns=tuple(map(with_thought, prompt.turns)))
    body = written(prompt._replace(options=options), AIM).body
    assert unknown(ChatCompletionRequest.model_validate(body), body) == []


def with_thought(turn: Utterance) -> Utterance:
    """An assistant's turn that begins with reasoning that nobody signed."""
    if turn.role != "assistant":
        return turn
    return turn._replace(parts=(Thought("I think."), *turn.parts))


if __name__ == "__main__":
    test_requests_are_mistrals()

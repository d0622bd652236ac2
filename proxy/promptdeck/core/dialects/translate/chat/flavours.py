"""What chat completions are at each provider: the fields it has, and its ways with reasoning.

Where one refuses what it does not know, that is said too: then what it lacks is taken out of
requests that otherwise pass as they came.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

from promptdeck.core.dialects.translate.aim import Aim
from promptdeck.core.dialects.translate.fields import ROWS

_COMMON = frozenset(
    """temperature max_tokens top_p stop presence_penalty frequency_penalty stream_options
    response_format tools tool_choice""".split()
)


def _row(place: str) -> frozenset[str]:
    """The fields that the table has for a place under their own name."""
    return frozenset(name for name, row in ROWS.items() if row[place].name == name)


def _also(names: str) -> frozenset[str]:
    return _COMMON | frozenset(names.split())


class Flavour(NamedTuple):
    """One provider's chat completions."""

    has: frozenset[str]
    """The fields of the contract that it takes by their own name."""
    renamed: Mapping[str, str] = {}
    """Those that it has under another."""
    refuses: bool = False
    """True where what it does not know is an error, not passed over."""
    limit: str = "max_tokens"
    """Its name for the most tokens to answer with."""
    efforts: tuple[str, ...] = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
    """The values of `reasoning_effort` that it takes; empty where it has no such field."""
    budgets: bool = True
    """False where a model that does not reason answers an effort with an error: there it must be
    asked for in so many words."""
    switch: bool = False
    """True where `thinking: {type}` turns reasoning on and off."""
    reasoning: Literal["", "reasoning_content", "reasoning", "reasoning_details", "parts"] = ""
    """Where in an assistant's message it takes its reasoning back; empty where it does not."""
    signs_calls: Literal["", "google", "dedalus"] = ""
    """In whose form it takes the signature on a call back."""
    flat: bool = False
    """True where a content that is text alone must be one string."""
    schemas: bool = True
    """False where an answer can be asked to be JSON, but by no schema."""
    has_names: bool = False
    """True where a message may name who speaks."""
    has_custom: bool = False
    """True where there are tools that take text, and a choice among some tools."""
    marks_caches: bool = False
    """True where parts may have marks for the prompt cache in Anthropic's form."""
    short_ids: bool = False
    """True where the id of a call must be nine letters and digits."""
    prefixes: bool = False
    """True where a last turn of the assistant must be said to be the answer's beginning."""


_OPENAIS = _row("openai")
_LEGACY = frozenset(["functions", "function_call"])
"""Of the time before there were tools."""

FLAVOURS: Mapping[str, Flavour] = {
    # Whoever it is: a server on this machine, a gateway. Most take more than OpenAI has.
    "": Flavour(
        _OPENAIS | {"top_k"},
        efforts=("none", "low", "medium", "high"),
        budgets=False,
        reasoning="reasoning_content",
        has_names=True,
    ),
    "openai": Flavour(
        _OPENAIS | _LEGACY,
        refuses=True,
        limit="max_completion_tokens",
        has_names=True,
        has_custom=True,
    ),
    # https://docs.dedaluslabs.ai: all of the contract.
    "dedalus": Flavour(
        frozenset(ROWS),
        reasoning="reasoning_content",
        signs_calls="dedalus",
        has_names=True,
        has_custom=True,
        marks_caches=True,
        switch=True,
    ),
    # mistralai 3.7; anything else is 422 `extra_forbidden`.
    "mistral": Flavour(
        _row("mistral"),
        renamed={"seed": "random_seed", "max_completion_tokens": "max_tokens"},
        refuses=True,
        reasoning="parts",
        short_ids=True,
        prefixes=True,
    ),
    # https://docs.x.ai/docs/api-reference
    "xai": Flavour(
        _row("xai"),
        limit="max_completion_tokens",
        efforts=("none", "low", "medium", "high", "xhigh"),
        reasoning="reasoning_content",
    ),
    # https://api-docs.deepseek.com/guides/thinking_mode: within a turn with calls its reasoning
    # must come back, or it answers 400; and a content that is a list is one as well.
    "deepseek": Flavour(
        _also("logprobs top_logprobs reasoning_effort"),
        efforts=("high", "max"),
        switch=True,
        reasoning="reasoning_content",
        flat=True,
        schemas=False,
    ),
    # https://console.groq.com/docs/openai: 400 for what it does not support.
    "groq": Flavour(
        _also(
            """max_completion_tokens n seed parallel_tool_calls user service_tier metadata store
            reasoning_effort"""
        )
        | _LEGACY,
        refuses=True,
        limit="max_completion_tokens",
        efforts=("none", "low", "medium", "high"),
        reasoning="reasoning",
    ),
    # https://inference-docs.cerebras.ai/api-reference/chat-completions
    "cerebras": Flavour(
        _also(
            """max_completion_tokens seed parallel_tool_calls user logprobs top_logprobs
            reasoning_effort service_tier prediction"""
        )
        - {"presence_penalty", "frequency_penalty"},
        refuses=True,
        limit="max_completion_tokens",
        efforts=("none", "low", "medium", "high"),
        reasoning="reasoning",
    ),
    "fireworks_ai": Flavour(
        _also(
            """max_completion_tokens n seed top_k logit_bias logprobs top_logprobs user prediction
            parallel_tool_calls reasoning_effort service_tier prompt_cache_key"""
        ),
        reasoning="reasoning_content",
    ),
    "together_ai": Flavour(
        _also("n seed top_k logit_bias logprobs reasoning_effort"), reasoning="reasoning"
    ),
    # https://platform.moonshot.ai/docs: thinking models want their reasoning back.
    "moonshot": Flavour(
        _also("max_completion_tokens n prompt_cache_key safety_identifier"),
        efforts=(),
        switch=True,
        reasoning="reasoning_content",
    ),
    "perplexity": Flavour(
        _also("top_k web_search_options reasoning_effort") - {"tools", "tool_choice", "stop"},
        efforts=("minimal", "low", "medium", "high"),
    ),
    # https://openrouter.ai/docs/api-reference/overview
    "openrouter": Flavour(
        _also(
            """max_completion_tokens top_k n seed logit_bias logprobs top_logprobs
            parallel_tool_calls prediction user metadata modalities verbosity web_search_options
            reasoning_effort service_tier prompt_cache_key"""
        ),
        reasoning="reasoning_details",
        has_names=True,
        marks_caches=True,
    ),
    # https://docs.cohere.com/docs/compatibility-api
    "cohere": Flavour(_also("seed reasoning_effort"), efforts=("none", "high")),
    # https://docs.ollama.com/openai
    "ollama": Flavour(
        _also("seed logprobs top_logprobs reasoning_effort") - {"tool_choice"},
        efforts=("none", "low", "medium", "high"),
        budgets=False,
        reasoning="reasoning",
    ),
    # https://ai.google.dev/gemini-api/docs/openai: the layer for OpenAI's clients.
    "google": Flavour(
        _also(
            """max_completion_tokens n seed logprobs top_logprobs parallel_tool_calls
            reasoning_effort modalities"""
        ),
        efforts=("none", "minimal", "low", "medium", "high"),
        signs_calls="google",
    ),
}
"""By the provider's name, as `Aim.provider` has it; the empty one for all others."""


def flavour_of(aim: Aim) -> Flavour:
    """What chat completions are where a request goes."""
    return FLAVOURS.get(aim.provider, FLAVOURS[""])

"""Which provider has which field of the contract, and by what name: the table of rows, as data.

Gathered from the types of the newest SDKs (openai 3.57, anthropic 2.14, google-genai 3.6,
mistralai 3.7) and the providers' references, November 2026. What a model refuses all the same is
in the tables of families beside each protocol. README's column `reaches` is written from here.
"""

from collections.abc import Mapping
from typing import NamedTuple

PLACES = ("openai", "responses", "anthropic", "google", "mistral", "xai")
"""The columns: the chat completions of three providers, and the other protocols."""

_NAMES = ("OpenAI", "OpenAI's Responses", "Anthropic", "Google", "Mistral", "xAI")

# `=` by the same name, `-` not at all: then it is named as lost, unless it asks for nothing. A
# name ends in `~` where only a part of its values has a counterpart; `unpacked` is what is in it.
_TABLE = """
model                  = = = path = =
messages               = input messages contents = =
temperature            = = = generationConfig.temperature = =
max_tokens             = max_output_tokens = generationConfig.maxOutputTokens = =
max_completion_tokens  = max_output_tokens max_tokens generationConfig.maxOutputTokens max_tokens =
top_p                  = = = generationConfig.topP = =
top_k                  - - = generationConfig.topK = -
n                      = - - generationConfig.candidateCount = =
seed                   = - - generationConfig.seed random_seed =
stream                 = = = path = =
stream_options         = = - - - =
system_instruction     messages instructions system systemInstruction messages messages
prompt_mode            - - - - = -
response_format        = text.format output_config.format~ generationConfig.responseJsonSchema = =
tools                  = = = tools.functionDeclarations = =
tool_choice            = = = toolConfig.functionCallingConfig = =
parallel_tool_calls    = = tool_choice.disable_parallel_tool_use - = =
tool_config            tool_choice~ tool_choice~ tool_choice~ toolConfig tool_choice~ tool_choice~
functions              tools tools tools tools tools tools
function_call          tool_choice tool_choice tool_choice toolConfig tool_choice tool_choice
stop                   = - stop_sequences generationConfig.stopSequences = =
presence_penalty       = - - generationConfig.presencePenalty = =
frequency_penalty      = - - generationConfig.frequencyPenalty = =
logit_bias             = - - - - -
logprobs               = include - generationConfig.responseLogprobs = =
top_logprobs           = = - generationConfig.logprobs = =
user                   = = metadata.user_id - - =
safety_identifier      = = metadata.user_id - - =
modalities             = - - generationConfig.responseModalities - -
audio                  = - - generationConfig.speechConfig~ - -
prompt_cache_key       = = - - = -
prompt_cache_retention = = - - - -
cached_content         - - - cachedContent - -
reasoning_effort       = reasoning.effort output_config.effort generationConfig.thinkingConfig = =
thinking               reasoning_effort~ reasoning.effort~ = generationConfig.thinkingConfig reasoning_effort~ reasoning_effort~
prediction             = - - - = -
safe_prompt            - - - - = -
safety_settings        - - - safetySettings - -
guardrails             - - - - =~ -
service_tier           = = =~ serviceTier~ =~ =~
speed                  - - = - - -
inference_geo          - - = - - -
deferred               - - - - - =
metadata               = = =~ labels = -
store                  = = - = - -
generation_config      unpacked~ unpacked~ unpacked~ generationConfig unpacked~ unpacked~
output_config          reasoning_effort~ reasoning.effort~ = generationConfig~ reasoning_effort~ reasoning_effort~
search_parameters      - - - - - =
web_search_options     = tools~ tools~ tools~ - =
verbosity              = text.verbosity - - - -
"""  # noqa: E501

STRIPPED: Mapping[str, str] = {
    "automatic_tool_execution": "promptdeck's own",
    "credentials": "promptdeck's own",
    "agent_attributes": "chooses the model",
    "model_attributes": "chooses the model",
    "handoff_config": "Dedalus's own",
    "handoff_mode": "Dedalus's own",
    "correlation_id": "Dedalus's own",
    "deferred_calls": "Dedalus's own",
    "max_turns": "promptdeck's own",
}
"""Fields that go to no provider but Dedalus, without a word, and why."""


class Reach(NamedTuple):
    """Where a field arrives at one place."""

    name: str
    """Its name there, with dots for what is inside; empty where there is none."""
    partly: bool = False
    """True where only some of its values have a counterpart."""


def _read(table: str) -> dict[str, dict[str, Reach]]:
    rows = {}
    for line in table.strip().splitlines():
        field, *cells = line.split()
        rows[field] = {
            place: Reach("" if cell == "-" else cell.rstrip("~").replace("=", field), "~" in cell)
            for place, cell in zip(PLACES, cells, strict=True)
        }
    return rows


ROWS: Mapping[str, Mapping[str, Reach]] = _read(_TABLE)
"""By field of the contract and place: where it arrives."""


def reaches(field: str) -> str:
    """Say in words whom a field of the contract reaches, for README's table."""
    if field in STRIPPED:
        return f"Dedalus; {STRIPPED[field]}"
    if field not in ROWS:
        return "Dedalus"
    there = [name for name, place in zip(_NAMES, PLACES, strict=True) if ROWS[field][place].name]
    absent = [name for name in _NAMES if name not in there]
    if not absent:
        return "all"
    if len(absent) <= 2:
        return f"all but {' and '.join(absent)}"
    return ", ".join(there)

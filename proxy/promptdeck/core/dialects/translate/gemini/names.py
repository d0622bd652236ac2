"""The names of fields, of which Google's servers take two spellings: one of them.

Clients write `systemInstruction` or `system_instruction` (proto3's JSON mapping); so do those who
bring Google's own objects in a chat completion.
"""

from promptdeck.core.dialects.gemini.counting import OWN, camel
from promptdeck.core.text.jsontext import JSON


def spelled(value: JSON, key: str = "") -> JSON:
    """A value whose members have the names of JSON, without those that are null.

    What is the user's own below it, such as schemas and arguments, is as it was.
    """
    if key in OWN:
        return value
    if isinstance(value, list):
        return [spelled(item) for item in value]
    if isinstance(value, dict):
        named = ((camel(name, value), item) for name, item in value.items() if item is not None)
        return {name: spelled(item, name) for name, item in named}
    return value


# By the contract's names, as far as these fields of `generationConfig` have one.
GENERATION = {
    "temperature": "temperature",
    "top_p": "topP",
    "top_k": "topK",
    "n": "candidateCount",
    "max_tokens": "maxOutputTokens",
    "stop": "stopSequences",
    "seed": "seed",
    "presence_penalty": "presencePenalty",
    "frequency_penalty": "frequencyPenalty",
    "logprobs": "responseLogprobs",
    "top_logprobs": "logprobs",
}

# And of those beside it. `metadata` is `labels` on Vertex.
BESIDE = {
    "safety_settings": "safetySettings",
    "cached_content": "cachedContent",
    "store": "store",
}

TIERS = {one: one for one in ("standard", "flex", "priority")} | {"default": "standard"}
"""By the contract's `service_tier`, what Google calls it; `auto` is what it is without a word."""

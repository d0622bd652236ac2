"""A prompt as a request to `/v1/responses`.

https://platform.openai.com/docs/api-reference/responses/create
"""

import hashlib
from collections.abc import Mapping, Sequence

from promptdeck.core.dialects.translate.aim import Aim, Options, Written
from promptdeck.core.dialects.translate.naming import safe_name
from promptdeck.core.dialects.translate.neutral import Foreign, Prompt, Tool, Utterance, Words
from promptdeck.core.dialects.translate.openai import Effort, OpenAIFamily, effort_of, family_of
from promptdeck.core.text.jsontext import JSON, JSONObject

from .items import input_of

_SAME = {
    name: name
    for name in (
        "metadata",
        "moderation",
        "truncation",
        "max_tool_calls",
    )
}
# With the values that ask for nothing.
_SAMPLING: Mapping[str, JSON] = {"temperature": 1, "top_p": 1, "logprobs": False, "top_logprobs": 0}
_LEAST_TOKENS = 16
"""`max_output_tokens` below it is refused: "integer below minimum value" (the API)."""
_LONGEST_LABEL = 64
_TIERS: Mapping[JSON, str] = {"standard_only": "default", "standard": "default"}
_KNOWN_TIERS = ("auto", "default", "flex", "scale", "priority", "fast", "ultrafast")


def written(prompt: Prompt, aim: Aim) -> Written:
    """The request that asks an upstream for what a prompt asks.

    Untranslatable where a part of the conversation can neither be said nor left out.
    """
    options = Options(prompt)
    family = family_of(aim.model, aim.provider)
    effort = effort_of(prompt.thinking, family)
    if effort.why:
        options.lose("thinking", effort.why)
    body: JSONObject = {"model": aim.model}
    body |= _conversation(prompt, aim, family, options)
    body |= _tools(prompt, options)
    body |= _text(prompt, family, options)
    body |= _reasoning(prompt, effort)
    body |= _sampling(family, effort, options)
    body |= _caching(family, options) | _labels(options) | _rest(prompt, options)
    include = [
        name
        for name, wanted in (
            ("reasoning.encrypted_content", family.reasons != "never"),
            ("message.output_text.logprobs", body.pop("logprobs", None)),
        )
        if wanted
    ]
    if include:
        body["include"] = include
    return Written("/v1/responses", body, options.lost())


def _conversation(prompt: Prompt, aim: Aim, family: OpenAIFamily, options: Options) -> JSONObject:
    """`instructions`: what the system says ahead of all else; `input`: what is said then."""
    turns = prompt.turns
    ahead = next((n for n, turn in enumerate(turns) if not _instructs(turn)), len(turns))
    told, said = turns[:ahead], turns[ahead:]
    # "Response input messages must contain the word 'json'": instructions are none.
    if _wants_any_json(prompt) and _says_json(told) and not _says_json(said):
        told, said = (), turns
    texts = [part.text for turn in told for part in turn.parts if isinstance(part, Words)]
    body: JSONObject = {"input": input_of(said, aim, family, options)}
    if instructions := "\n\n".join(filter(None, texts)):
        body["instructions"] = instructions
    for turn in told:
        if turn.name:
            options.lose_at(f"{turn.path}.name", "has no counterpart")
    if prompt.dialect in _PREFILLING and said and _is_begun(said[-1]):
        options.lose_at(said[-1].path, "is no beginning of the answer here: that begins anew")
    return body


_PREFILLING = ("messages", "gemini")
"""Protocols in which an answer goes on from a last turn of the model's."""


def _is_begun(turn: Utterance) -> bool:
    return turn.role == "assistant" and any(isinstance(part, Words) for part in turn.parts)


def _instructs(turn: Utterance) -> bool:
    """True for what the system says in words.

    Marks of the cache among them are lost without a word: it finds what is alike by itself.
    """
    return turn.role == "system" and all(isinstance(part, Words) for part in turn.parts)


def _wants_any_json(prompt: Prompt) -> bool:
    return prompt.shape is not None and prompt.shape.schema is None


def _says_json(turns: Sequence[Utterance]) -> bool:
    return any(
        isinstance(part, Words) and "json" in part.text.lower()
        for turn in turns
        for part in turn.parts
    )


def _tools(prompt: Prompt, options: Options) -> JSONObject:
    """`tools`, and what is said of their use, which nothing is without any."""
    tools: list[JSON] = []
    for tool in prompt.tools:
        if isinstance(tool, Tool):
            tools.append(_tool(tool))
        elif tool.dialect == "responses":
            tools.append(tool.value)
        else:
            options.lose("tools", f"{_name(tool)} is a tool of its own provider alone")
    if isinstance(search := options.take("web_search_options"), dict):
        tools.append(_search(search))
    choice = prompt.choice
    if not tools:
        if choice is not None and choice.mode == "required":
            options.lose("tool_choice", "there are no tools to choose from")
        return {}
    body: JSONObject = {"tools": tools}
    if choice is not None:
        body["tool_choice"] = _choice(prompt, choice.mode, choice.names)
    if prompt.parallel is not None:
        body["parallel_tool_calls"] = prompt.parallel
    return body


def _name(tool: Foreign) -> str:
    return str(tool.value.get("type") or tool.value.get("name") or next(iter(tool.value), "one"))


def _tool(tool: Tool) -> JSONObject:
    """A tool: flat, and not strict unless that is asked for, which it would be unasked."""
    told: JSONObject = {"name": safe_name(tool.name)}
    if tool.description is not None:
        told["description"] = tool.description
    if tool.custom is not None:
        if tool.custom:
            told["format"] = _format(tool.custom)
        return {"type": "custom", **told}
    schema = tool.schema if isinstance(tool.schema, dict) and tool.schema else None
    parameters = schema or {"type": "object", "properties": {}}
    return {"type": "function", **told, "parameters": parameters, "strict": tool.strict is True}


def _format(custom: JSON) -> JSON:
    """The format of a custom tool's input, which chat completions nest once more."""
    if isinstance(custom, dict) and isinstance(grammar := custom.get("grammar"), dict):
        return {"type": "grammar", **grammar}
    return custom


def _search(options: JSONObject) -> JSONObject:
    """OpenAI's search as a tool, as chat completions ask for it."""
    tool: JSONObject = {"type": "web_search"}
    if isinstance(size := options.get("search_context_size"), str):
        tool["search_context_size"] = size
    if isinstance(place := options.get("user_location"), dict):
        inner = place.get("approximate")
        tool["user_location"] = {"type": "approximate"} | (
            inner if isinstance(inner, dict) else place
        )
    return tool


def _choice(prompt: Prompt, mode: str, names: tuple[str, ...]) -> JSON:
    if mode == "none" or not names:
        return mode
    kinds = {
        tool.name: "function" if tool.custom is None else "custom"
        for tool in prompt.tools
        if isinstance(tool, Tool)
    }
    tools: list[JSON] = [
        {"type": kinds.get(name, "function"), "name": safe_name(name)} for name in names
    ]
    if mode == "required" and len(tools) == 1:
        return tools[0]
    return {"type": "allowed_tools", "mode": mode, "tools": tools}


def _text(prompt: Prompt, family: OpenAIFamily, options: Options) -> JSONObject:
    """`text`: the answer's form, and how many words it makes."""
    text: JSONObject = {}
    if (shape := prompt.shape) is not None:
        if shape.schema is None:
            text["format"] = {"type": "json_object"}
        else:
            told = {"type": "json_schema", "name": shape.name or "answer", "schema": shape.schema}
            extras = (("strict", shape.strict), ("description", shape.description))
            text["format"] = told | {name: value for name, value in extras if value is not None}
    verbosity = options.take("verbosity")
    if verbosity is not None and family.words:
        text["verbosity"] = verbosity
    elif verbosity not in (None, "medium"):
        options.lose("verbosity", "is refused by models before gpt-5")
    return {"text": text} if text else {}


def _reasoning(prompt: Prompt, effort: Effort) -> JSONObject:
    """`reasoning`: how much, and a summary where the client wants to see some."""
    reasoning: JSONObject = {"effort": effort.value} if effort.value else {}
    # Not unasked: of organisations that are not verified it is refused.
    if effort.reasons and prompt.thinking is not None and prompt.thinking.shown:
        reasoning["summary"] = "auto"
    return {"reasoning": reasoning} if reasoning else {}


def _sampling(family: OpenAIFamily, effort: Effort, options: Options) -> JSONObject:
    """What is refused while a model reasons. `logprobs` is no field of the API's, but a wish."""
    body: JSONObject = {}
    for name, unsaid in _SAMPLING.items():
        value = options.take(name)
        if value is None:
            continue
        if not effort.reasons or family.samples:
            body[name] = value
        elif value != unsaid:
            options.lose(name, "is refused while the model reasons")
    most = body.pop("top_logprobs", None)
    if body.pop("logprobs", None) or most:
        body["logprobs"] = True
        body |= {} if most is None else {"top_logprobs": most}
    return body


def _rest(prompt: Prompt, options: Options) -> JSONObject:
    """All else: what has the same name in both, the bound of the answer, the stream."""
    body = {name: value for name, value in options.renamed(_SAME) if value not in ({}, "")}
    for name in ("max_completion_tokens", "max_tokens"):
        most = options.take(name)
        if most is None or "max_output_tokens" in body:
            continue
        body["max_output_tokens"] = most
        if isinstance(most, int) and most < _LEAST_TOKENS:
            options.lose(name, f"{most} became {_LEAST_TOKENS}, the least that is taken")
            body["max_output_tokens"] = _LEAST_TOKENS
    tier = options.take("service_tier")
    tier = _TIERS.get(tier, tier) if isinstance(tier, str) else tier
    if tier in _KNOWN_TIERS:
        body["service_tier"] = tier
    elif tier is not None:
        options.lose("service_tier", f"{tier} is no tier of OpenAI's")
    # What is stored is at the provider for 30 days, unless it is told not to.
    body["store"] = options.take("store") is True
    streaming = options.take("stream_options")
    if prompt.stream:
        body["stream"] = True
        if isinstance(streaming, dict) and "include_obfuscation" in streaming:
            body["stream_options"] = {"include_obfuscation": streaming["include_obfuscation"]}
    return body


def _caching(family: OpenAIFamily, options: Options) -> JSONObject:
    """What is asked of the prompt's cache, as far as models of this family do it."""
    body: JSONObject = {}
    choice = options.take("prompt_cache_options")
    if choice and family.marks:
        body["prompt_cache_options"] = choice
    elif choice:
        options.lose("prompt_cache_options", "is refused by models before gpt-5.6")
    kept = options.take("prompt_cache_retention")
    if kept == "in_memory" and family.keeps_long:
        options.lose("prompt_cache_retention", "in_memory became 24h, which alone is taken")
        kept = "24h"
    return body if kept is None else {**body, "prompt_cache_retention": kept}


def _labels(options: Options) -> JSONObject:
    """Who asks. A longer label than is taken is told by its digest, which is as good."""
    body: JSONObject = {}
    for name in ("user", "safety_identifier", "prompt_cache_key"):
        label = options.take(name)
        if isinstance(label, str) and label:
            is_long = len(label) > _LONGEST_LABEL
            body[name] = _digest(label) if is_long else label
    return body


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

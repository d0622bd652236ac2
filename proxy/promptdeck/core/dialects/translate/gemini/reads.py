"""A request of Google's protocol as a prompt."""

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from promptdeck.core.dialects.pieces import as_list, as_object
from promptdeck.core.dialects.translate.aim import Untranslatable
from promptdeck.core.dialects.translate.neutral import (
    Foreign,
    Prompt,
    Shape,
    Tool,
    ToolChoice,
    Utterance,
)
from promptdeck.core.text.jsontext import JSON, JSONObject

from .names import BESIDE, GENERATION, TIERS, spelled
from .passages import Dialogue
from .schemas import json_schema
from .settings import thinking_of

# A name may have slashes, `anthropic/claude-opus-5`, and colons, `llama3:8b`.
_TARGET = re.compile(r"/(?:models|tunedModels|endpoints)/([^?]+):(\w+)(?:\?|$)")
_MODES = {"AUTO": "auto", "VALIDATED": "auto", "ANY": "required", "NONE": "none"}


def prompt_of(body: JSONObject, target: str) -> Prompt:
    """A request as a prompt; `target` names the model, and whether a stream is asked for.

    Untranslatable where it cannot be understood.
    """
    named = _TARGET.search(target)
    if named is None:
        raise Untranslatable("the path names no model and verb: /v1beta/models/NAME:VERB")
    body = spelled(body)
    settings = as_object(body.get("generationConfig"))
    options, paths = _options(body, settings)
    tools = [*_tools(body.get("tools"))]
    if _PLAIN_SEARCH in tools:
        options["web_search_options"] = _SEARCH
        paths["web_search_options"] = "$.tools"
        tools.remove(_PLAIN_SEARCH)
    thinking = settings.get("thinkingConfig")
    for name in ("tools", "choice", "shape", "thinking"):
        paths[name] = _PLACES[name]
    return Prompt(
        dialect="gemini",
        model=unquote(named[1]),
        turns=tuple(_turns(body)),
        tools=tuple(tools),
        choice=_choice(as_object(body.get("toolConfig"))),
        shape=_shape(settings),
        thinking=thinking_of(thinking) if isinstance(thinking, dict) else None,
        stream=named[2] == "streamGenerateContent",
        options=options,
        paths=paths,
    )


_PLACES = {
    "tools": "$.tools",
    "choice": "$.toolConfig",
    "shape": "$.generationConfig.responseSchema",
    "thinking": "$.generationConfig.thinkingConfig",
}


def _turns(body: JSONObject) -> Iterator[Utterance]:
    """The system's words and all turns, each call with an id."""
    dialogue = Dialogue()
    system = body.get("systemInstruction")
    if system:
        path = "$.systemInstruction"
        yield Utterance("system", tuple(dialogue.parts(system, path)), path)
    contents = body.get("contents")
    for n, content in enumerate(contents if isinstance(contents, list) else [contents]):
        path = f"$.contents[{n}]" if isinstance(contents, list) else "$.contents"
        if content is None:
            continue
        # Google's own examples have it in capitals, too.
        role = str(as_object(content).get("role") or "user").lower()
        if role not in ("user", "model", "function"):
            raise Untranslatable(f"{path}.role: expected user or model", param=f"{path}.role")
        # Turns that say nothing come of streams that clients keep piece by piece.
        if parts := [*dialogue.parts(content, path)]:
            yield Utterance("assistant" if role == "model" else "user", tuple(parts), path)


_PLAIN_SEARCH = Foreign("gemini", {"googleSearch": {}})
# Others want a schema of each function.
_NO_ARGUMENTS = {"type": "object", "properties": {}}


def _tools(tools: JSON) -> Iterator[Tool | Foreign]:
    for tool in map(as_object, tools if isinstance(tools, list) else [tools]):
        for key, value in tool.items():
            if key != "functionDeclarations":
                yield Foreign("gemini", {key: value})
                continue
            for function in map(as_object, as_list(value)):
                schema = function.get("parametersJsonSchema")
                if schema is None:
                    schema = json_schema(function.get("parameters")) or _NO_ARGUMENTS
                yield Tool(str(function.get("name", "")), function.get("description"), schema)


def _choice(config: JSONObject) -> ToolChoice | None:
    calling = as_object(config.get("functionCallingConfig"))
    mode: Any = _MODES.get(str(calling.get("mode", "")).upper())
    names = tuple(map(str, as_list(calling.get("allowedFunctionNames"))))
    return ToolChoice(mode, names) if mode else None


def _shape(settings: JSONObject) -> Shape | None:
    if settings.get("responseMimeType") != "application/json":
        return None
    schema = settings.get("responseJsonSchema")
    return Shape(json_schema(settings.get("responseSchema")) if schema is None else schema)


# What is said elsewhere in a prompt.
_READ = frozenset(
    """contents systemInstruction tools generationConfig model responseSchema responseJsonSchema
    thinkingConfig""".split()
)
_BY_NAME: Mapping[str, str] = {
    **{there: name for name, there in (GENERATION | BESIDE).items()},
    "responseModalities": "modalities",
    "labels": "metadata",
    "serviceTier": "service_tier",
    "toolConfig": "tool_config",
}
_TIERS = {there: name for name, there in TIERS.items()}
# A search without settings of Google's own is what other providers have as well; this size is what
# it has where none is said.
_SEARCH = {"search_context_size": "medium"}


def _options(body: JSONObject, settings: JSONObject) -> tuple[JSONObject, dict[str, str]]:
    """What else is asked, by the contract's names, and where in the request each is."""
    options: JSONObject = {}
    paths: dict[str, str] = {}
    for begin, asked in (("$.generationConfig", settings), ("$", body)):
        for key, value in asked.items():
            told = None if key in _READ else _option(key, value)
            if told is not None:
                name = _BY_NAME.get(key, key)
                options[name] = told
                paths[name] = f"{begin}.{key}"
    return options, paths


def _option(key: str, value: JSON) -> JSON:
    """A field's value as the contract has it; None where it asks for nothing of its own."""
    match key:
        case "responseModalities":
            return [str(one).lower() for one in as_list(value)]
        case "responseMimeType":
            return None if value in ("application/json", "text/plain") else value
        case "serviceTier":
            return _TIERS.get(str(value).lower(), "auto")
        case "toolConfig":
            # That Google's own tools are among those declared is said by these.
            known = ("functionCallingConfig", "includeServerSideToolInvocations")
            return {k: v for k, v in as_object(value).items() if k not in known} or None
        case _:
            return value

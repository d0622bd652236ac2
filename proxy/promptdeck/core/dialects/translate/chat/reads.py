"""A chat request as a prompt: the contract of chat completions with all that it takes."""

import re
from collections.abc import Iterator

from promptdeck.core.dialects.pieces import as_list, as_object, objects_in
from promptdeck.core.dialects.translate.aim import Untranslatable
from promptdeck.core.dialects.translate.neutral import (
    Foreign,
    Prompt,
    Shape,
    Tool,
    ToolChoice,
    Utterance,
    Words,
)
from promptdeck.core.text.jsontext import JSON, JSONObject

from .turns import mark_of, turns_of
from .wrapped import Unwrapped, choice_of_config, generation_of, output_of, thinking_of


def prompt_of(body: JSONObject, target: str) -> Prompt:
    """What a request's body asks of a model.

    Of a list of models the first is meant. Untranslatable where a part of it is of no shape that
    any chat server takes; the path says which.
    """
    del target
    unwrapped = Unwrapped(body)
    model = _model(unwrapped)
    for name in ("stream_options", "generate_summary"):
        unwrapped.take(name)
    generation, output = generation_of(unwrapped), output_of(unwrapped)
    turns = (
        *_instructions(unwrapped.take("system_instruction")),
        *turns_of(unwrapped.take("messages")),
    )
    tools = (*_tools(unwrapped.take("tools")), *_functions(unwrapped.take("functions")))
    choice, parallel = _choice(unwrapped)
    thinking = thinking_of(unwrapped, output.effort, generation.thinking)
    shape = _shape(unwrapped) or output.shape or generation.shape
    if shape and "response_format" not in body:
        where = "output_config.format" if output.shape else "generation_config"
        unwrapped.paths["shape"] = f"$.{where}"
    else:
        unwrapped.paths["shape"] = "$.response_format"
    _settle(unwrapped)
    return Prompt(
        "chat",
        model,
        turns,
        tools,
        choice,
        parallel,
        shape,
        thinking,
        unwrapped.take("stream") is True,
        unwrapped.options,
        {"choice": "$.tool_choice", "parallel": "$.parallel_tool_calls", **unwrapped.paths},
    )


def _settle(unwrapped: Unwrapped) -> None:
    """Bring to one form the options that have two: the most tokens, and what ends an answer."""
    limit = unwrapped.take("max_completion_tokens")
    if limit is not None:  # the newer name for the same
        unwrapped.options["max_tokens"] = limit
        unwrapped.paths.setdefault(
            "max_tokens", unwrapped.paths.get("max_completion_tokens", "$.max_completion_tokens")
        )
    stop = unwrapped.options.get("stop")
    if isinstance(stop, str):
        unwrapped.options["stop"] = [stop]


def _model(unwrapped: Unwrapped) -> str:
    """The name of the model, or of the first of them; a DedalusModel's settings become options."""
    model = unwrapped.take("model")
    at = "$.model"
    if isinstance(model, list) and model:
        model, at = model[0], "$.model[0]"
    if isinstance(model, dict):
        for name, value in as_object(model.get("settings")).items():
            if name not in _NO_OPTIONS:
                unwrapped.add(name, value, f"{at}.settings.{name}")
        model = model.get("model")
    if not isinstance(model, str):
        raise Untranslatable("model must be the name of a model", param="$.model")
    return model


# Of a model's settings: what routes, chooses the variant, or is about the call and not the model.
_NO_OPTIONS = frozenset(
    "attributes stream stream_options include_usage timeout extra_headers extra_query".split()
)


def _instructions(said: JSON) -> Iterator[Utterance]:
    path = "$.system_instruction"
    if isinstance(said, str):
        if said:
            yield Utterance("system", (Words(said),), path)
    elif isinstance(said, dict):
        parts = objects_in([said.get("parts")]) or [said]
        texts = [part["text"] for part in parts if isinstance(part.get("text"), str)]
        if len(texts) == len(parts):
            yield Utterance("system", tuple(map(Words, texts)), path)
        elif isinstance(content := said.get("content"), str):
            yield Utterance("system", (Words(content),), path)
        else:
            yield Utterance("system", (Foreign("gemini", said),), path)


def _tools(tools: JSON) -> Iterator[Tool | Foreign]:
    for at, tool in enumerate(as_list(tools)):
        path = f"$.tools[{at}]"
        if not isinstance(tool, dict):
            raise Untranslatable(f"{path} must be an object", param=path)
        kind = tool.get("type", "function")
        if kind == "function" and isinstance(function := tool.get("function"), dict):
            yield _tool(function, tool, path)
        elif kind == "custom" and isinstance(custom := tool.get("custom"), dict):
            yield _tool(custom, tool, path)._replace(
                schema=None, custom=as_object(custom.get("format"))
            )
        else:
            yield Foreign(_whose(tool), tool)


_DATED = re.compile(r"\w+_20\d{6}")
_GOOGLES = frozenset(
    """googleSearch google_search codeExecution code_execution urlContext url_context
    googleMaps google_maps functionDeclarations function_declarations""".split()
)


def _whose(tool: JSONObject) -> str:
    """The dialect that has a tool of no kind of chat's."""
    kind = tool.get("type")
    if isinstance(kind, str) and _DATED.fullmatch(kind):  # web_search_20250305
        return "messages"
    if "input_schema" in tool:
        return "messages"
    if _GOOGLES & tool.keys():
        return "gemini"
    return "responses" if isinstance(kind, str) else "chat"


def _functions(functions: JSON) -> Iterator[Tool]:
    for at, function in enumerate(objects_in([functions])):
        yield _tool(function, {}, f"$.functions[{at}]")


def _tool(function: JSONObject, tool: JSONObject, path: str) -> Tool:
    name, about, strict = (function.get(key) for key in ("name", "description", "strict"))
    if not isinstance(name, str):
        raise Untranslatable(f"{path} has no name", param=path)
    schema = function.get("parameters")
    return Tool(
        name,
        about if isinstance(about, str) else None,
        {"type": "object", "properties": {}} if schema is None else schema,
        strict if isinstance(strict, bool) else None,
        mark_of(tool) or mark_of(function),
    )


def _choice(unwrapped: Unwrapped) -> tuple[ToolChoice | None, bool | None]:
    """Which tools are to be called, and whether several at once may be."""
    parallel = unwrapped.take("parallel_tool_calls")
    asked, legacy = unwrapped.take("tool_choice"), unwrapped.take("function_call")
    config = choice_of_config(unwrapped)
    if isinstance(asked, dict) and isinstance(asked.get("disable_parallel_tool_use"), bool):
        parallel = (not asked["disable_parallel_tool_use"]) if parallel is None else parallel
    choice = _chosen(asked)
    if asked is not None and choice is None:
        unwrapped.options["tool_choice"] = asked  # nobody knows it: it is lost, and named
    if asked is None and legacy is not None:
        name = legacy.get("name") if isinstance(legacy, dict) else None
        choice = ToolChoice("required", (name,)) if isinstance(name, str) else _chosen(legacy)
        unwrapped.paths["choice"] = "$.function_call"
        if choice is None:
            unwrapped.options["function_call"] = legacy
    if choice is None and config is not None:
        unwrapped.paths["choice"] = "$.tool_config"
    return choice or config, parallel if isinstance(parallel, bool) else None


def _chosen(asked: JSON) -> ToolChoice | None:
    """A tool choice in OpenAI's forms and Anthropic's; None for any other."""
    if isinstance(asked, str):
        known = {"none": "none", "auto": "auto", "required": "required", "any": "required"}
        return ToolChoice(known[asked]) if asked in known else None  # type: ignore[arg-type]
    match asked:
        case {"type": "function", "function": {"name": str(name)}}:
            return ToolChoice("required", (name,))
        case {"type": "custom", "custom": {"name": str(name)}}:
            return ToolChoice("required", (name,))
        case {"type": "tool" | "function" | "custom", "name": str(name)}:
            return ToolChoice("required", (name,))
        case {"type": "allowed_tools", "allowed_tools": {"tools": list(tools), **rest}}:
            names = tuple(_names(tools))
            is_forced = rest.get("mode") == "required"
            return ToolChoice("required", names) if is_forced else ToolChoice("auto", names)
        case {"type": str(kind)}:
            return _chosen(kind) if kind in ("auto", "any", "none") else None
    return None


def _names(tools: list[JSON]) -> Iterator[str]:
    for tool in objects_in([tools]):
        inner = as_object(tool.get("function", tool.get("custom", tool)))
        if isinstance(name := inner.get("name"), str):
            yield name


def _shape(unwrapped: Unwrapped) -> Shape | None:
    """The form that the answer is to have."""
    asked = as_object(unwrapped.options.get("response_format"))
    match asked:
        case {"type": "text"}:
            shape = None
        case {"type": "json_object"}:
            shape = Shape()
        case {"type": "json_schema", "json_schema": dict(named)}:
            name, about, strict = (named.get(key) for key in ("name", "description", "strict"))
            shape = Shape(
                named.get("schema"),
                name if isinstance(name, str) else "",
                about if isinstance(about, str) else None,
                strict if isinstance(strict, bool) else None,
            )
        case _:
            return None  # a grammar, say: it stays an option, and is lost
    unwrapped.take("response_format")
    return shape

"""The tools of a prompt, and which of them may be called, as Google has it."""

from collections.abc import Mapping

from promptdeck.core.dialects.pieces import as_object
from promptdeck.core.dialects.translate.aim import Options
from promptdeck.core.dialects.translate.neutral import Foreign, Prompt, Tool, ToolChoice
from promptdeck.core.text.jsontext import JSONObject

from .families import GoogleFamily
from .names import spelled
from .spoken import function_name

# What a tool that its provider runs is called elsewhere, and here.
_SEARCH: Mapping[str, JSONObject] = {"googleSearch": {}}
_RUN_THERE: tuple[tuple[str, Mapping[str, JSONObject]], ...] = (
    ("web_search", _SEARCH),
    ("code_", {"codeExecution": {}}),
)


def tools_of(prompt: Prompt, family: GoogleFamily, options: Options) -> list[JSONObject]:
    """The functions in one list, and what Google runs itself, as far as they go together."""
    functions: list[JSONObject] = []
    run_there: dict[str, JSONObject] = {}
    searches = _searches(prompt, options)
    for n, tool in enumerate(prompt.tools):
        place = f"{prompt.path('tools')}[{n}]"
        if isinstance(tool, Foreign):
            found = _run_there(tool)
            run_there |= found
            if not found:
                options.lose_at(place, "has no counterpart")
            elif tool.dialect != "gemini" and tool.value.keys() - {"type", "name"}:
                options.lose_at(place, "runs as Google runs it, without its settings")
        else:
            functions.append(_function(tool, place, family, options))
    run_there |= searches
    if functions and run_there and not family.mixes:
        for name in run_there:
            asked = "web_search_options" if name in searches else "tools"
            options.lose(asked, f"{name} does not go with functions, for this model")
        run_there = {}
    listed = [{name: value} for name, value in run_there.items()]
    return [*([{"functionDeclarations": functions}] if functions else []), *listed]


def _searches(prompt: Prompt, options: Options) -> Mapping[str, JSONObject]:
    """Google's search, where one of the web is asked for as chat completions have it."""
    asked = options.take("web_search_options")
    if not isinstance(asked, dict):
        return {}
    for key, value in asked.items():
        if (key, value) != ("search_context_size", "medium"):  # what it is without a word
            options.lose_at(f"{prompt.path('web_search_options')}.{key}", "has no counterpart")
    return _SEARCH


def _run_there(tool: Foreign) -> Mapping[str, JSONObject]:
    """A tool that Google runs, or the one of another provider that does the same."""
    if tool.dialect == "gemini":
        return as_object(spelled(tool.value))
    kind = str(tool.value.get("type", ""))
    return next((there for begin, there in _RUN_THERE if kind.startswith(begin)), {})


def _function(tool: Tool, place: str, family: GoogleFamily, options: Options) -> JSONObject:
    if tool.strict and not family.validates:
        options.lose_at(f"{place}.strict", "this model is not held to a schema")
    told: JSONObject = {"name": function_name(tool.name)}
    if tool.description is not None:
        told["description"] = tool.description
    # Without arguments none are declared.
    if tool.schema:
        told["parametersJsonSchema"] = tool.schema
    return told


def tool_config(
    prompt: Prompt, options: Options, family: GoogleFamily, tools: list[JSONObject]
) -> JSONObject:
    """Which functions may be called; the client's own configuration lies below it."""
    config: JSONObject = {**as_object(spelled(options.take("tool_config")))}
    calling: JSONObject = {**as_object(config.pop("functionCallingConfig", None))}
    declared = [one["name"] for tool in tools for one in tool.get("functionDeclarations", ())]
    if prompt.choice is not None:
        calling |= _chosen(prompt.choice, declared, options)
    strict = any(isinstance(tool, Tool) and tool.strict for tool in prompt.tools)
    names = calling.get("allowedFunctionNames")
    # Names are taken with ANY and VALIDATED only (API reference, `FunctionCallingConfig`).
    if calling.get("mode", "AUTO") == "AUTO" and (strict or names):
        if family.validates:
            calling["mode"] = "VALIDATED"
        elif names:
            del calling["allowedFunctionNames"]
            options.lose("choice", "this model may call any function or none")
    if declared and calling:
        config["functionCallingConfig"] = calling
    # "Please enable tool_config.include_server_side_tool_invocations to use Built-in tools with
    # Function calling", says the Gemini API (cloudwego/eino-ext#761).
    if declared and len(tools) > 1:
        config.setdefault("includeServerSideToolInvocations", True)
    return config


_MODES = {"none": "NONE", "auto": "AUTO", "required": "ANY"}


def _chosen(choice: ToolChoice, declared: list[str], options: Options) -> JSONObject:
    """What a choice is as configuration; nothing where what is to be called is not there."""
    names = [name for name in map(function_name, choice.names) if name in declared]
    if choice.mode == "required" and not (names if choice.names else declared):
        options.lose("choice", "there is no such function to be called")
        return {}
    named = {"allowedFunctionNames": names} if names and choice.mode != "none" else {}
    return {"mode": _MODES[choice.mode], **named}

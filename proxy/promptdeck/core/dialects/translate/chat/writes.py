"""A prompt as a chat request, as the server takes it to which it goes."""

from collections.abc import Iterable, Iterator, Mapping

from promptdeck.core.dialects.translate.aim import Aim, Options, Written
from promptdeck.core.dialects.translate.freetext import as_functions
from promptdeck.core.dialects.translate.naming import safe_name
from promptdeck.core.dialects.translate.neutral import (
    Foreign,
    Prompt,
    Shape,
    Thinking,
    Tool,
    ToolChoice,
)
from promptdeck.core.dialects.translate.openai import Effort, family_of
from promptdeck.core.dialects.translate.openai import effort_of as family_effort
from promptdeck.core.dialects.translate.reasoning import effort_of, nearest
from promptdeck.core.text.jsontext import JSON, JSONObject

from .flavours import Flavour, flavour_of
from .spoken import Speaking

TARGET = "/v1/chat/completions"


def written(prompt: Prompt, aim: Aim) -> Written:
    """The request's body, and what of the prompt is not in it as it was asked for."""
    flavour, options = flavour_of(aim), Options(prompt)
    if not flavour.has_custom:
        prompt = as_functions(prompt, options)
    body: JSONObject = {
        "model": aim.model,
        "messages": Speaking(prompt, aim, flavour, options).messages(),
    }
    for name in prompt.options:
        there = flavour.renamed.get(name, name if name in flavour.has else "")
        if name == "max_tokens":
            there = flavour.limit
        if there:
            value = options.take(name)
            if value is not None:
                body[there] = _fitting(name, value, aim, options)
    _write_tools(body, prompt, flavour, options)
    if aim.provider == "openai":
        _fit_family(body, prompt, aim, options)
    else:
        _write_thinking(body, prompt, flavour, options)
    if prompt.shape is not None:
        _write_shape(body, prompt.shape, flavour, options)
    if prompt.stream:
        body["stream"] = True
        # Without being asked they say nothing of usage, which other protocols always tell.
        if "stream_options" in flavour.has and prompt.dialect != "chat":
            body["stream_options"] = {"include_usage": True}
    return Written(TARGET, body, options.lost())


_TIERS = {"mistral": ("auto", "standard_only"), "xai": ("default", "priority")}
_SAME_TIER = {"default": "standard_only", "standard_only": "default", "standard": "default"}


def _fitting(name: str, value: JSON, aim: Aim, options: Options) -> JSON:
    """An option's value as its server takes it; what is altered is named."""
    if name == "service_tier":
        tiers = _TIERS.get(aim.provider, ("auto", "default", "flex", "scale", "priority", "fast"))
        other = _SAME_TIER.get(str(value), value)
        if value not in tiers and other in tiers:
            return other
    if name == "stop" and isinstance(value, list) and len(value) > 4 and aim.provider == "openai":
        options.lose("stop", "the first four of its texts are taken")
        return value[:4]
    return value


def _write_tools(body: JSONObject, prompt: Prompt, flavour: Flavour, options: Options) -> None:
    tools = [*_tools(prompt, flavour, options)]
    if not tools:
        return
    if "tools" not in flavour.has:
        options.lose("tools", "has no counterpart")
        return
    body["tools"] = tools
    asked: dict[str, tuple[str, JSON, bool]] = {}
    if prompt.choice is not None:
        choice = _choice(prompt.choice, prompt.tools, flavour, options)
        asked["tool_choice"] = "choice", choice, choice == "auto"
    if prompt.parallel is not None:
        asked["parallel_tool_calls"] = "parallel", prompt.parallel, prompt.parallel
    for there, (name, value, is_idle) in asked.items():
        if there in flavour.has:
            body[there] = value
        elif not is_idle:
            options.lose(name, "has no counterpart")


def _tools(prompt: Prompt, flavour: Flavour, options: Options) -> Iterator[JSONObject]:
    for at, tool in enumerate(prompt.tools):
        told = _tool(tool, flavour)
        if told is None:
            options.lose_at(f"{prompt.path('tools')}[{at}]", "has no counterpart")
        else:
            yield told


def _tool(tool: Tool | Foreign, flavour: Flavour) -> JSONObject | None:
    if isinstance(tool, Foreign):
        return tool.value if tool.dialect == "chat" else None
    about: JSONObject = {"name": safe_name(tool.name)}
    if tool.description is not None:
        about["description"] = tool.description
    if tool.custom is not None:
        if not flavour.has_custom:
            return None
        return {
            "type": "custom",
            "custom": about | ({"format": tool.custom} if tool.custom else {}),
        }
    about["parameters"] = tool.schema
    if tool.strict is not None:
        about["strict"] = tool.strict
    told: JSONObject = {"type": "function", "function": about}
    if tool.cache and flavour.marks_caches:
        told["cache_control"] = tool.cache
    return told


def _choice(
    choice: ToolChoice, tools: Iterable[Tool | Foreign], flavour: Flavour, options: Options
) -> JSON:
    kinds = {tool.name: "custom" if tool.custom is not None else "function" for tool in tools
             if isinstance(tool, Tool) and (tool.custom is None or flavour.has_custom)}  # fmt: skip
    names = [name for name in choice.names if name in kinds]
    if choice.names and not names:
        options.lose("choice", "the tool that it names is not there")
        return "auto"
    if not names or choice.mode == "none":
        return choice.mode

    def named(name: str) -> JSONObject:
        return {"type": kinds[name], kinds[name]: {"name": safe_name(name)}}

    if len(names) == 1 and choice.mode == "required":
        return named(names[0])
    if flavour.has_custom:
        allowed = {"mode": choice.mode, "tools": [*map(named, names)]}
        return {"type": "allowed_tools", "allowed_tools": allowed}
    options.lose("choice", "a choice among some of the tools has no counterpart")
    return choice.mode


def _write_thinking(body: JSONObject, prompt: Prompt, flavour: Flavour, options: Options) -> None:
    thinking = prompt.thinking
    if thinking is None:
        return
    effort = effort_of(thinking)
    if not flavour.budgets and not thinking.effort:
        if effort not in ("", "none"):
            options.lose("thinking", "how much to think is left to the model")
        return
    if flavour.switch:
        effort = _switched(body, thinking, effort)
    if not effort:
        return
    if "reasoning_effort" not in flavour.has or not flavour.efforts:
        if not flavour.switch:
            options.lose("thinking", "has no counterpart")
        return
    there = nearest(effort, flavour.efforts)
    body["reasoning_effort"] = there
    if thinking.budget is not None and not thinking.effort:
        options.lose("thinking", f"a budget of {thinking.budget} tokens became effort {there}")
    elif there != effort:
        options.lose("thinking", f"{effort} became {there}")


def _switched(body: JSONObject, thinking: Thinking, effort: str) -> str:
    """Turn reasoning on or off, where anything was said of it; the effort that is still to say."""
    is_off = effort == "none"
    if effort or thinking.mode:
        body["thinking"] = {"type": "disabled" if is_off else "enabled"}
    return "" if is_off else effort


# What OpenAI's models refuse while they reason, with the values that ask for nothing.
_SAMPLING: Mapping[str, JSON] = {
    "temperature": 1,
    "top_p": 1,
    "presence_penalty": 0,
    "frequency_penalty": 0,
    "logit_bias": {},
    "logprobs": False,
    "top_logprobs": 0,
    "stop": [],
}


def _fit_family(body: JSONObject, prompt: Prompt, aim: Aim, options: Options) -> None:
    """How much one of OpenAI's models reasons, and what it takes meanwhile."""
    family = family_of(aim.model, aim.provider)
    effort = family_effort(prompt.thinking, family)
    if effort.why:
        options.lose("thinking", effort.why)
    if effort.value:
        body["reasoning_effort"] = effort.value
    if effort.reasons and "tools" in body and not family.chats and "none" in family.efforts:
        # "use /v1/responses": upstreams.NAME.by_responses has it done so.
        body["reasoning_effort"] = "none"
        effort = Effort("none", reasons=False)
        options.lose("thinking", "on chat completions this model does not reason beside tools")
    if not family.words and body.pop("verbosity", "medium") != "medium":
        options.lose("verbosity", "is refused by models before gpt-5")
    if effort.reasons and not family.samples:
        for name in _SAMPLING.keys() & body.keys():
            if body.pop(name) != _SAMPLING[name]:
                options.lose(name, "is refused while the model reasons")


def _write_shape(body: JSONObject, shape: Shape, flavour: Flavour, options: Options) -> None:
    if shape.schema is None or not flavour.schemas:
        body["response_format"] = {"type": "json_object"}
        if shape.schema is not None:
            options.lose("shape", "the answer is JSON, but by no schema")
        return
    named: JSONObject = {"name": safe_name(shape.name)[:64] or "answer", "schema": shape.schema}
    if shape.description is not None:
        named["description"] = shape.description
    if shape.strict is not None:
        named["strict"] = shape.strict
    body["response_format"] = {"type": "json_schema", "json_schema": named}

"""A request for Messages, as a prompt.

What only Anthropic has stays whole, as `Foreign` parts and tools or as options under its own names:
a translation into another protocol then says that it is lost.
"""

from collections.abc import Iterator, Mapping

from promptdeck.core.dialects.pieces import as_object
from promptdeck.core.dialects.translate.aim import Untranslatable
from promptdeck.core.dialects.translate.neutral import (
    Foreign,
    Passage,
    Prompt,
    Role,
    Shape,
    Thinking,
    Tool,
    ToolChoice,
    Utterance,
    Words,
)
from promptdeck.core.text.jsontext import JSON, JSONObject

from .blocks import passages

_ROLES: Mapping[str, Role] = {"system": "system", "user": "user", "assistant": "assistant"}
# Options by the contract's name for them, and those that go by it anyway.
_RENAMED = {"stop_sequences": "stop"}
_ELSEWHERE = frozenset(
    """model messages system tools tool_choice thinking output_config stream metadata
    service_tier""".split()
)
# Of a tool what says nothing to a model of another provider: how it is loaded and streamed.
_OF_TOOLS = frozenset(
    "name description input_schema strict cache_control type eager_input_streaming".split()
)
_IDLE_OF_TOOLS: Mapping[str, JSON] = {"allowed_callers": ["direct"], "defer_loading": False}


def prompt_of(body: JSONObject, target: str) -> Prompt:
    """The prompt that a request's body is; Untranslatable where it cannot be understood.

    So are requests that ask for no answer: only Anthropic itself counts tokens as it does.
    """
    if "/count_tokens" in target:
        raise Untranslatable("tokens are counted by Anthropic's own models alone", param="$.model")
    model = body.get("model")
    if not isinstance(model, str):
        raise Untranslatable("`model` must be the name of one model", param="$.model")
    options, paths = _options(body)
    tools, more = _tools(body.get("tools"))
    choice, parallel = _choice(body.get("tool_choice"))
    thinking, shape, path = _wishes(body)
    for name, (value, place) in more.items():
        options[name], paths[name] = value, place
    paths |= {"choice": "$.tool_choice", "shape": "$.output_config.format", "thinking": path}
    return Prompt(
        "messages",
        model,
        tuple(_turns(body)),
        tools,
        choice,
        parallel,
        shape,
        thinking,
        body.get("stream") is True,
        options,
        {**paths, "parallel": "$.tool_choice.disable_parallel_tool_use"},
    )


def _turns(body: JSONObject) -> Iterator[Utterance]:
    """The system's turn, if there is one, and those of the conversation."""
    if system := body.get("system"):
        yield Utterance("system", _said(system, "$.system", {}), "$.system")
    messages = body.get("messages")
    if not isinstance(messages, list):
        raise Untranslatable("`messages` must be a list", param="$.messages")
    names: dict[str, str] = {}
    for number, message in enumerate(messages):
        path = f"$.messages[{number}]"
        role = message.get("role") if isinstance(message, dict) else None
        if not isinstance(role, str) or role not in _ROLES:
            what = "a message must have the role user, assistant or system"
            raise Untranslatable(what, param=f"{path}.role")
        yield Utterance(_ROLES[role], _said(message.get("content"), f"{path}.content", names), path)


def _said(content: JSON, path: str, names: dict[str, str]) -> tuple[Passage, ...]:
    """The parts of content: a text, or blocks. `names` gathers those of calls, by their ids."""
    if isinstance(content, str):
        return (Words(content),)
    if not isinstance(content, list):
        raise Untranslatable("content must be a text or a list of blocks", param=path)
    return tuple(passages(content, path, names))


def _tools(
    tools: JSON,
) -> tuple[tuple[Tool | Foreign, ...], dict[str, tuple[JSON, str]]]:
    """The tools, and by a name of ours what else is said of them, each with its place."""
    told: list[Tool | Foreign] = []
    more: dict[str, tuple[JSON, str]] = {}
    if tools is not None and not isinstance(tools, list):
        raise Untranslatable("`tools` must be a list", param="$.tools")
    for number, tool in enumerate(tools or []):
        path = f"$.tools[{number}]"
        if not isinstance(tool, dict):
            raise Untranslatable("a tool must be an object", param=path)
        if tool.get("type") not in (None, "custom"):
            told.append(Foreign("messages", tool))
            continue
        name, description = tool.get("name"), tool.get("description")
        if not isinstance(name, str):
            raise Untranslatable("a tool must have a name", param=f"{path}.name")
        told.append(
            Tool(
                name,
                description if isinstance(description, str) else None,
                tool.get("input_schema"),
                strict if isinstance(strict := tool.get("strict"), bool) else None,
                tool.get("cache_control"),
            )
        )
        for key, value in tool.items():
            if key not in _OF_TOOLS and value != _IDLE_OF_TOOLS.get(key):
                more[f"tools[{number}].{key}"] = value, f"{path}.{key}"
    return tuple(told), more


def _choice(choice: JSON) -> tuple[ToolChoice | None, bool | None]:
    """Which tools may or must be called, and whether several at once may."""
    if choice is None:
        return None, None
    kind = choice.get("type") if isinstance(choice, dict) else None
    alone = as_object(choice).get("disable_parallel_tool_use")
    parallel = not alone if isinstance(alone, bool) else None
    if kind == "tool" and isinstance(name := choice.get("name"), str):
        return ToolChoice("required", (name,)), parallel
    if kind == "any":
        return ToolChoice("required"), parallel
    if kind in ("auto", "none"):
        return ToolChoice(kind), parallel
    raise Untranslatable("`tool_choice` must be auto, any, tool or none", param="$.tool_choice")


def _wishes(body: JSONObject) -> tuple[Thinking | None, Shape | None, str]:
    """How much to think, the form of the answer, and the place of the first of these."""
    said, config = as_object(body.get("thinking")), as_object(body.get("output_config"))
    mode, budget, effort = said.get("type"), said.get("budget_tokens"), config.get("effort")
    shown = {"summarized": True, "omitted": False}.get(str(said.get("display")))
    thinking = Thinking(
        effort if isinstance(effort, str) else "",
        budget if isinstance(budget, int) and not isinstance(budget, bool) else None,
        mode if mode in ("enabled", "adaptive", "disabled", "between_tools") else "",
        shown,
    )
    asked = as_object(config.get("format"))
    shape = Shape(asked.get("schema")) if asked.get("type") == "json_schema" else None
    path = "$.thinking" if said or not effort else "$.output_config.effort"
    return thinking if thinking != Thinking() else None, shape, path


def _options(body: JSONObject) -> tuple[dict[str, JSON], dict[str, str]]:
    """All else that is asked for, by the contract's names, and where it is called otherwise."""
    options: dict[str, JSON] = {}
    paths: dict[str, str] = {}
    for name, value in body.items():
        if name in _ELSEWHERE or value is None:
            continue
        options[_RENAMED.get(name, name)] = value
        if name in _RENAMED:
            paths[_RENAMED[name]] = f"$.{name}"
    metadata = {**as_object(body.get("metadata"))}
    if isinstance(user := metadata.pop("user_id", None), str):
        options["user"], paths["user"] = user, "$.metadata.user_id"
    if metadata:
        options["metadata"] = metadata
    if isinstance(tier := body.get("service_tier"), str):
        options["service_tier"] = "default" if tier == "standard_only" else tier
    if rest := _beside(as_object(body.get("output_config")), "effort", "format"):
        options["output_config"] = rest
    return options, paths


def _beside(value: JSONObject, *names: str) -> JSONObject:
    """The members of an object but for some, and but for null."""
    return {key: item for key, item in value.items() if key not in names and item is not None}

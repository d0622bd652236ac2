"""A prompt as a request for Messages.

What the model's family refuses is left out and named (`families`); a request that Anthropic would
refuse as a whole is refused here, by the place in the client's own (`turns`).
"""

from promptdeck.core.dialects.pieces import as_object
from promptdeck.core.dialects.translate.aim import Aim, Options, Untranslatable, Written
from promptdeck.core.dialects.translate.freetext import as_functions
from promptdeck.core.dialects.translate.naming import safe_name
from promptdeck.core.dialects.translate.neutral import Foreign, Prompt, Tool, ToolChoice
from promptdeck.core.text.jsontext import JSONObject

from .families import Family, family_of
from .schemas import fitting
from .thinking import Deliberation, deliberation
from .turns import Talk

VERSION = "2023-06-01"
"""The one under which models take sampling; with 2026-10-21 any is an error."""
_FAST = "fast-mode-2026-02-01"

ANSWER = "promptdeck_answer"
"""The tool that a model is made to call where it knows no schemas: its input is the answer."""

# What Anthropic has by the contract's own names: it goes on as it is.
_OWN = (
    "cache_control container context_management diagnostics fallbacks inference_geo speed"
    " user_profile_id"
)
# How a stream is framed: all that the first asks for is there anyway.
_UNSAID = ("stream_options", "betas")


def written(prompt: Prompt, aim: Aim) -> Written:
    """The request that asks a model of Anthropic's for what a prompt asks.

    Untranslatable where there is no such request.
    """
    say, family = Options(prompt), family_of(aim.model)
    say.drop(_UNSAID)
    prompt = as_functions(prompt, say)
    talk = Talk(prompt, aim, family, say)
    body: JSONObject = {"model": aim.model, "max_tokens": family.output}
    room = _room(say)
    if room is not None:
        body["max_tokens"] = room
    if talk.system:
        body["system"] = talk.system
    body["messages"] = talk.body()
    tools = _tools(prompt, say)
    if talk.has_calls and not tools:
        what = "Anthropic wants the tools declared that the conversation has called"
        raise Untranslatable(what, param=prompt.path("tools"))
    choice = _choice(prompt, bool(tools), family, say)
    _shape(prompt, family, tools, say)
    if tools and tools[-1].get("name") == ANSWER:
        choice = {"type": "tool", "name": ANSWER}
    thoughts = _thoughts(prompt, family, room, choice, talk, say)
    if tools:
        body["tools"] = tools
    if choice:
        body["tool_choice"] = choice
    body |= _config(prompt, family, thoughts, say) | _sampling(family, thoughts, say)
    body |= _beside(say)
    if prompt.stream:
        body["stream"] = True
    return Written("/v1/messages", body, say.lost(), _headers(body))


def _headers(body: JSONObject) -> tuple[tuple[str, str], ...]:
    beta = (("anthropic-beta", _FAST),) if "speed" in body else ()
    return (("anthropic-version", VERSION), *beta)


def _room(say: Options) -> int | None:
    """How many tokens the client lets the answer have; None where it does not say."""
    newer, older = say.take("max_completion_tokens"), say.take("max_tokens")
    room = older if newer is None else newer
    return room if isinstance(room, int) else None


def _tools(prompt: Prompt, say: Options) -> list[JSONObject]:
    """The declarations of the tools, and of the search that Anthropic runs itself."""
    tools: list[JSONObject] = []
    for number, tool in enumerate(prompt.tools):
        path = f"{prompt.path('tools')}[{number}]"
        if isinstance(tool, Tool):
            tools.append(_declared(tool))
        elif tool.dialect == "messages":
            tools.append(tool.value)
        else:
            say.lose_at(path, f"{_kind(tool)} has no counterpart")
    wanted = say.take("web_search_options")
    if isinstance(wanted, dict):
        tools.append(_search(wanted, prompt.path("web_search_options"), say))
    return tools


def _kind(tool: Foreign) -> str:
    kind = tool.value.get("type") or next(iter(tool.value), "this tool")
    return f"{tool.dialect}'s {kind}"


def _declared(tool: Tool) -> JSONObject:
    """The declaration of a client's tool."""
    told: JSONObject = {"name": safe_name(tool.name)}
    if tool.description:
        told["description"] = tool.description
    told["input_schema"] = tool.schema or {"type": "object", "properties": {}}
    if tool.strict:
        told["strict"] = True
    if tool.cache:
        told["cache_control"] = tool.cache
    return told


def _search(wanted: JSONObject, path: str, say: Options) -> JSONObject:
    """OpenAI's web search as Anthropic's, in the version that all models know."""
    tool: JSONObject = {"type": "web_search_20250305", "name": "web_search"}
    place = as_object(wanted.get("user_location"))
    near = {key: item for key, item in as_object(place.get("approximate")).items() if item}
    if near:
        tool["user_location"] = {"type": "approximate", **near}
    if wanted.get("search_context_size") not in (None, "medium"):
        say.lose_at(f"{path}.search_context_size", "has no counterpart")
    return tool


def _choice(prompt: Prompt, has_tools: bool, family: Family, say: Options) -> JSONObject | None:
    """Which tools may or must be called, and whether one at most; None for any that fit."""
    choice = prompt.choice or ToolChoice("auto")
    alone = prompt.parallel is False
    if not has_tools:
        if choice.mode == "required":
            say.lose("choice", "there is no tool that must be called")
        return None
    mode, names = choice.mode, choice.names
    if mode == "required" and family.forced == "no":
        say.lose("choice", "this model cannot be made to call a tool: it may")
        mode, names = "auto", ()
    if mode == "none":
        return {"type": "none"}
    if names and (mode == "auto" or len(names) > 1):
        say.lose("choice", "only some of the tools has no counterpart: any may be called")
    told: JSONObject = {"type": {"auto": "auto", "required": "any"}[mode]}
    if mode == "required" and len(names) == 1:
        told = {"type": "tool", "name": safe_name(names[0])}
    if alone:
        told["disable_parallel_tool_use"] = True
    return told if prompt.choice or alone else None


def _shape(prompt: Prompt, family: Family, tools: list[JSONObject], say: Options) -> None:
    """See to the form of the answer, where it needs a tool or cannot be had."""
    shape = prompt.shape
    if shape is None:
        return
    if not isinstance(shape.schema, dict):
        say.lose("shape", "an answer can be held to a schema, not to any JSON")
    elif not family.schemas and prompt.tools:
        say.lose("shape", "this model cannot be held to a schema and offered tools at once")
    elif not family.schemas:
        told = shape.description or "Give the answer by calling this."
        tools.append({"name": ANSWER, "description": told, "input_schema": shape.schema})


def _thoughts(
    prompt: Prompt,
    family: Family,
    room: int | None,
    choice: JSONObject | None,
    talk: Talk,
    say: Options,
) -> Deliberation:
    """How much to think, where nothing else in the request rules that out."""
    thoughts = deliberation(prompt, family, room, say)
    if not thoughts.has_budget:
        return thoughts
    if choice and choice["type"] in ("any", "tool") and family.forced == "unless enabled":
        say.lose("thinking", "this model does not think where it must call a tool")
    elif talk.has_lost_thoughts:
        say.lose("thinking", "what the model thought before its calls has not come back")
    elif talk.messages[-1].role == "assistant":
        say.lose("thinking", "this model does not think where the assistant's turn is gone on with")
    else:
        return thoughts
    return thoughts._replace(thinking=None)


def _config(prompt: Prompt, family: Family, thoughts: Deliberation, say: Options) -> JSONObject:
    """`thinking` and `output_config`, as far as they are to be said."""
    config = {**as_object(say.take("output_config"))}
    if thoughts.effort:
        config["effort"] = thoughts.effort
    shape = prompt.shape
    if shape is not None and isinstance(shape.schema, dict) and family.schemas:
        schema, words = fitting(shape.schema)
        if words:
            say.lose("shape", f"only told the model in words: {', '.join(words)}")
        config["format"] = {"type": "json_schema", "schema": schema}
    told: JSONObject = {"output_config": config} if config else {}
    return told | ({"thinking": thoughts.thinking} if thoughts.thinking else {})


def _sampling(family: Family, thoughts: Deliberation, say: Options) -> JSONObject:
    """Temperature, top_p and top_k, as far as they are taken; 1 means nothing for the first two."""
    told: JSONObject = {}
    for name in ("temperature", "top_p", "top_k"):
        value = say.take(name)
        if value is None or (value == 1 and name != "top_k" and family.sampling == "none"):
            continue
        if family.sampling == "none":
            say.lose(name, "this model takes none")
        elif name == "top_p" and family.sampling == "one" and "temperature" in told:
            say.lose(name, "this model takes temperature or top_p, not both")
        elif thoughts.is_on and not _goes_with_thinking(name, value):
            say.lose(name, "a model that thinks takes none")
        elif name == "temperature" and value > 1:
            say.lose(name, f"{value} became 1")
            told[name] = 1
        else:
            told[name] = value
    return told


def _goes_with_thinking(name: str, value: float) -> bool:
    """True for what Anthropic takes of sampling where a model thinks."""
    return (name == "temperature" and value == 1) or (name == "top_p" and value >= 0.95)


_TIERS = {"auto": "auto", "default": "standard_only", "standard_only": "standard_only"}


def _beside(say: Options) -> JSONObject:
    """What goes on by another name, and what goes on as it is."""
    told: JSONObject = {}
    if (stop := say.take("stop")) is not None:
        wanted = [stop] if isinstance(stop, str) else stop
        taken = [one for one in wanted if isinstance(one, str) and one.strip()]
        if len(taken) < len(wanted):
            say.lose("stop", "blank ones are refused")
        told |= {"stop_sequences": taken} if taken else {}
    told |= _metadata(say)
    if (tier := say.take("service_tier")) is not None:
        if isinstance(tier, str) and tier in _TIERS:
            told["service_tier"] = _TIERS[tier]
        else:
            say.lose("service_tier", f"{tier} has no counterpart")
    for name in _OWN.split():
        if (value := say.take(name)) is not None:
            told[name] = value
    return told


def _metadata(say: Options) -> JSONObject:
    """Who the user is: the one label that there is."""
    metadata = say.take("metadata")
    rest = {**metadata} if isinstance(metadata, dict) else {}
    users = (say.take("safety_identifier"), say.take("user"), rest.pop("user_id", None))
    if rest:
        say.lose("metadata", "has no counterpart but for user_id")
    user = next((one for one in users if isinstance(one, str) and one), "")
    return {"metadata": {"user_id": user}} if user else {}

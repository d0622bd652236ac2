"""What a chat request asks for in one provider's own words: `generation_config`, `tool_config`,
`output_config`, `thinking`. It stands under the request's own fields: those win.

Names are taken in either casing, as Google's servers do. What a wrapper holds that the contract
has no name for stays in it, for the provider whose it is.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

from promptdeck.core.dialects.pieces import as_list, as_object
from promptdeck.core.dialects.translate.neutral import Shape, Thinking, ToolChoice
from promptdeck.core.text.jsontext import JSON, JSONObject

_SAMPLING: Mapping[str, str] = {
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "candidate_count": "n",
    "seed": "seed",
    "stop_sequences": "stop",
    "presence_penalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty",
    "response_logprobs": "logprobs",
    "logprobs": "top_logprobs",
    "max_output_tokens": "max_tokens",
}
"""Google's names of what the contract has as well, with its names for them."""

_LIMITS = frozenset(["max_tokens", "max_completion_tokens"])


class Unwrapped:
    """A request's options with those of its wrappers, and where each of them stands."""

    def __init__(self, body: JSONObject) -> None:
        self.options: dict[str, JSON] = {k: v for k, v in body.items() if v is not None}
        self.paths: dict[str, str] = {}

    def take(self, name: str) -> JSON:
        """The value of a field, which is no option then."""
        return self.options.pop(name, None)

    def add(self, name: str, value: JSON, path: str) -> None:
        """An option that a wrapper has; the request's own wins, and of limits either."""
        has = _LIMITS & self.options.keys() if name in _LIMITS else name in self.options
        if value is not None and not has:
            self.options[name] = value
            self.paths[name] = path

    def keep(self, wrapper: str, rest: JSONObject) -> None:
        """Keep of a wrapper what only its provider knows."""
        if rest:
            self.options[wrapper] = rest


class Generation(NamedTuple):
    """What Google's `generation_config` asks for beside options."""

    shape: Shape | None = None
    thinking: Thinking | None = None


def generation_of(unwrapped: Unwrapped) -> Generation:
    """Take `generation_config` apart, if there is one."""
    config = unwrapped.take("generation_config")
    if not isinstance(config, dict):
        return Generation()
    rest = dict(config)
    for key in config:
        if name := _SAMPLING.get(snake(key)):
            unwrapped.add(name, rest.pop(key), f"$.generation_config.{key}")
    by_name = {snake(key): key for key in rest}

    def take(name: str) -> JSON:
        """The value of a field by its snake-case name, taken out of the rest."""
        return rest.pop(by_name.pop(name)) if name in by_name else None

    if isinstance(kinds := take("response_modalities"), list):
        kinds = [kind.lower() if isinstance(kind, str) else kind for kind in kinds]
        unwrapped.add("modalities", kinds, "$.generation_config.responseModalities")
    shape = None
    mime = rest.get(by_name.get("response_mime_type", ""))
    if mime in ("application/json", "text/plain"):
        take("response_mime_type")
        schema = take("response_json_schema")
        plain = take("response_schema")
        if mime == "application/json":
            shape = Shape(schema if schema is not None else plain)
    thinking = as_object(take("thinking_config"))
    unwrapped.keep("generation_config", rest)
    return Generation(shape, _googles(thinking) if thinking else None)


def _googles(config: JSONObject) -> Thinking:
    known = {snake(key): value for key, value in config.items()}
    level, budget = known.get("thinking_level"), known.get("thinking_budget")
    shown = known.get("include_thoughts")
    return Thinking(
        level.lower() if isinstance(level, str) else "",
        budget if type(budget) is int else None,
        "disabled" if budget == 0 else "",
        shown if isinstance(shown, bool) else None,
    )


def choice_of_config(unwrapped: Unwrapped) -> ToolChoice | None:
    """Take the choice of tools out of Google's `tool_config`, if there is one."""
    config = unwrapped.take("tool_config")
    if not isinstance(config, dict):
        return None
    rest, choice = dict(config), None
    for key in config:
        if snake(key) == "function_calling_config":
            inner = {snake(name): value for name, value in as_object(rest.pop(key)).items()}
            names = [
                name
                for name in as_list(inner.get("allowed_function_names"))
                if isinstance(name, str)
            ]
            modes = {"none": "none", "any": "required", "auto": "auto", "validated": "auto"}
            mode = modes.get(str(inner.get("mode")).lower())
            choice = ToolChoice(mode, tuple(names)) if mode else None  # type: ignore[arg-type]
    unwrapped.keep("tool_config", rest)
    return choice


class Output(NamedTuple):
    """What Anthropic's `output_config` asks for."""

    shape: Shape | None = None
    effort: str = ""


def output_of(unwrapped: Unwrapped) -> Output:
    """Take `output_config` apart, if there is one."""
    config = unwrapped.take("output_config")
    if not isinstance(config, dict):
        return Output()
    rest = dict(config)
    form = as_object(rest.get("format"))
    shape = None
    if form.get("type") == "json_schema":
        shape = Shape(rest.pop("format").get("schema"))
    effort = rest.pop("effort", None)
    unwrapped.keep("output_config", rest)
    return Output(shape, effort if isinstance(effort, str) else "")


def thinking_of(
    unwrapped: Unwrapped, effort: str, config: Thinking | None, path: str = "$.thinking"
) -> Thinking | None:
    """How much is to be reasoned: `thinking`, `reasoning_effort`, `reasoning`, and what wrappers
    say, `effort` of Anthropic's and `config` of Google's."""
    asked = as_object(unwrapped.take("thinking"))
    routed = as_object(unwrapped.take("reasoning"))  # OpenRouter's, and of Responses
    said = unwrapped.take("reasoning_effort")
    found = config or Thinking()
    if asked or routed or said or effort:
        budget, display = asked.get("budget_tokens"), asked.get("display")
        budget = routed.get("max_tokens") if budget is None else budget
        mode = _MODES.get(str(asked.get("type")), found.mode)
        if routed.get("enabled") is False:
            mode = "disabled"
        shown = {"summarized": True, "omitted": False}.get(str(display), found.shown)
        if routed.get("exclude") is True:
            shown = False
        elif routed.get("summary"):
            shown = True
        found = Thinking(
            next(filter(None, (_text(said), _text(routed.get("effort")), effort)), found.effort),
            budget if type(budget) is int else found.budget,
            mode,  # type: ignore[arg-type]
            shown,
        )
    if found == Thinking():
        return None
    unwrapped.paths["thinking"] = next(
        (
            place
            for place, is_there in (
                ("$.reasoning_effort", said),
                (path, asked),
                ("$.reasoning", routed),
                ("$.output_config.effort", effort),
            )
            if is_there
        ),
        "$.generation_config",
    )
    return found


_MODES: Mapping[str, str] = {
    "enabled": "enabled",
    "adaptive": "adaptive",
    "disabled": "disabled",
    "between_tools": "between_tools",
    "auto": "adaptive",  # Volcengine's
}


def _text(value: JSON) -> str:
    return value if isinstance(value, str) else ""


_HUMP = re.compile(r"(?<=[a-z0-9])([A-Z])")


def snake(name: str) -> str:
    """A name as Google's Python writes it: `topP` is `top_p`."""
    return _HUMP.sub(lambda found: "_" + found[1].lower(), name)

"""A prompt as a request of Google's protocol."""

from urllib.parse import quote

from promptdeck.core.dialects.translate.aim import Aim, Options, Written
from promptdeck.core.dialects.translate.neutral import Prompt
from promptdeck.core.text.jsontext import JSONObject

from .families import family_of
from .settings import settled
from .tools import tool_config, tools_of
from .turns import contents_of

_STREAM = "streamGenerateContent?alt=sse"

# Promptdeck's own business, and labels of it.
_OURS = """credentials agent_attributes model_attributes handoff_config handoff_mode correlation_id
    deferred_calls max_turns automatic_tool_execution stream_options guardrails deferred""".split()


def written(prompt: Prompt, aim: Aim) -> Written:
    """A request as the model that it is meant for takes it.

    Untranslatable where calls and results do not fit together, or a turn cannot be last.
    """
    family = family_of(aim.model)
    options = Options(prompt)
    options.drop(name for name in _OURS if name != "deferred" or not prompt.options.get(name))
    system, contents = contents_of(prompt, aim, family, options)
    body: JSONObject = {"contents": contents}
    if system:
        body["systemInstruction"] = {"parts": system}
    tools = tools_of(prompt, family, options)
    if tools:
        body["tools"] = tools
    has_functions = any("functionDeclarations" in tool for tool in tools)
    if config := tool_config(prompt, options, family, tools):
        body["toolConfig"] = config
    body |= settled(prompt, family, options, has_functions=has_functions)
    verb = _STREAM if prompt.stream else "generateContent"
    target = f"/v1beta/{_resource(aim.model)}:{verb}"
    return Written(target, body, options.lost())


def _resource(model: str) -> str:
    """The model in a path: `models/NAME`, unless it is of another collection."""
    name = quote(model, safe="/-._~@:")
    return name if "/" in name and not name.startswith("/") else f"models/{name}"

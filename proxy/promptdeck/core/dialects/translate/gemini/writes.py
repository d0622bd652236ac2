"""A prompt as a request of Google's protocol."""

from promptdeck.core.dialects.translate.aim import Aim, Options, Written, resource
from promptdeck.core.dialects.translate.fields import STRIPPED
from promptdeck.core.dialects.translate.freetext import as_functions
from promptdeck.core.dialects.translate.neutral import Prompt
from promptdeck.core.text.jsontext import JSONObject

from .families import family_of
from .settings import settled
from .tools import tool_config, tools_of
from .turns import contents_of

_STREAM = "streamGenerateContent?alt=sse"


def written(prompt: Prompt, aim: Aim) -> Written:
    """A request as the model that it is meant for takes it.

    Untranslatable where calls and results do not fit together, or a turn cannot be last.
    """
    family = family_of(aim.model)
    options = Options(prompt)
    options.drop([*STRIPPED, "stream_options"])
    prompt = as_functions(prompt, options)
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
    target = f"/v1beta/{resource(aim.model)}:{verb}"
    return Written(target, body, options.lost())

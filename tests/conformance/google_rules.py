"""What Google refuses of a request for generateContent, in its own words as far as they are known.

`refusal` is for scripted providers and for tests of what is sent there. It knows nothing of the
code that it judges: whatever that has in tables stands here once more, by what the documents and
reports of users say.
"""

# ruff: noqa: C901  each branch is a rule

import base64
import re
from collections.abc import Callable, Iterator
from typing import Any

JSON = dict[str, Any]

PLACEHOLDER = base64.b64encode(b"skip_thought_signature_validator").decode()

_BODY = """contents systemInstruction tools toolConfig safetySettings generationConfig cachedContent
    labels serviceTier store"""
_CONFIG = """temperature topP topK candidateCount maxOutputTokens stopSequences responseLogprobs
    logprobs presencePenalty frequencyPenalty seed responseMimeType responseSchema
    responseJsonSchema responseModalities mediaResolution speechConfig thinkingConfig imageConfig
    enableEnhancedCivicAnswers audioTranscriptionConfig routingConfig"""
_DATA = """text functionCall functionResponse inlineData fileData executableCode codeExecutionResult
    toolCall toolResponse"""
_PART = f"{_DATA} thought thoughtSignature videoMetadata mediaResolution partMetadata"
_TOOLS = """functionDeclarations googleSearch googleSearchRetrieval codeExecution urlContext
    googleMaps fileSearch computerUse"""
_MEMBERS = {
    "thinkingConfig": "includeThoughts thinkingBudget thinkingLevel",
    "functionCallingConfig": "mode allowedFunctionNames streamFunctionCallArguments",
    "functionCall": "id name args",
    "functionResponse": "id name response parts willContinue scheduling",
    "inlineData": "mimeType data displayName",
    "fileData": "mimeType fileUri displayName",
}
_DECLARATION = "name description parameters parametersJsonSchema response responseJsonSchema"
_REFUSED = ("$ref", "const", "oneOf", "additionalProperties", "prefixItems", "$schema")
"""What `parameters`, a subset of OpenAPI, has not."""
_LEVELS = ("MINIMAL", "LOW", "MEDIUM", "HIGH", "XHIGH")


class _Model:
    """What one model takes, by its name."""

    def __init__(self, name: str) -> None:
        found = re.match(r"gemini-(\d+)(?:\.(\d+))?-?([a-z-]*)", name)
        # What nobody has heard of is newer than all that is known.
        self.version = (int(found[1]), int(found[2] or 0)) if found else (99, 0)
        self.kind = found[3] if found else ""
        lite = self.version == (3, 5) and "lite" in self.kind
        self.is_new = self.version >= (3, 6) or lite

    def levels(self) -> tuple[str, ...]:
        if self.version < (3, 0):
            return ()
        if self.version == (3, 0) and self.kind.startswith("pro"):
            return ("LOW", "HIGH")
        if self.version >= (3, 7) or (self.version >= (3, 1) and self.kind.startswith("pro")):
            return _LEVELS[1:] if "hydrogen" in self.kind else _LEVELS[1:4]
        return _LEVELS[:4]


def refusal(model: str, body: JSON, issued: Callable[[str], bool] = lambda _: True) -> str | None:
    """Why a model refuses a request; None where it takes it.

    `issued` tells a signature that this provider has given from any other.
    """
    return next(_refusals(_Model(model.removeprefix("models/")), _spelled(body), issued), None)


_OWN = frozenset("args response parametersJsonSchema responseJsonSchema parameters labels".split())


def _spelled(value: Any, key: str = "") -> Any:
    """A request with the names of JSON: the server takes those of the proto as well.

    Data of the user's own has names of its own.
    """
    if key in _OWN:
        return value
    if isinstance(value, dict):
        named = {re.sub(r"_([a-z])", lambda at: at[1].upper(), name): name for name in value}
        return {name: _spelled(value[old], name) for name, old in named.items()}
    return [_spelled(item) for item in value] if isinstance(value, list) else value


def _refusals(model: _Model, body: JSON, issued: Callable[[str], bool]) -> Iterator[str]:
    yield from _unknown(body, _BODY, "")
    yield from _of_contents(body.get("contents"))
    system = body.get("systemInstruction")
    if system is not None and not all(part.get("text") for part in system["parts"]):
        yield "systemInstruction: only text is supported"
    if model.version >= (3, 0):
        yield from _of_signatures(_merged(body["contents"]), issued)
    if model.is_new and body["contents"][-1].get("role") == "model":
        yield "Requests ending with a model turn are not supported."
    yield from _of_tools(model, body)
    yield from _of_config(model, body.get("generationConfig") or {})
    if body.get("serviceTier", "standard") not in ("unspecified", "flex", "standard", "priority"):
        yield "Invalid value at 'service_tier'"
    for setting in body.get("safetySettings") or ():
        yield from _unknown(setting, "category threshold method", "safety_settings")
    if not all(isinstance(one, str) for one in (body.get("labels") or {}).values()):
        yield "Invalid value at 'labels'"


def _unknown(value: JSON, known: str, place: str) -> Iterator[str]:
    for name in value.keys() - set(known.split()):
        where = f" at '{place}'" if place else ""
        yield f'Invalid JSON payload received. Unknown name "{name}"{where}: Cannot find field.'


def _of_contents(contents: Any) -> Iterator[str]:
    if not isinstance(contents, list) or not contents:
        yield "contents is not specified"
        return
    calls: list[JSON] = []
    for n, content in enumerate(_merged(contents)):
        role = content["role"]
        if role not in ("user", "model"):
            yield "Please use a valid role: user, model."
        if n == 0 and role == "model":
            yield "Please ensure that the first turn is the user's"
        if not content["parts"]:
            yield f"contents[{n}].parts must not be empty"
            return
        for part in content["parts"]:
            yield from _of_part(part, n, role)
        answers = [part["functionResponse"] for part in content["parts"] if _is_answer(part)]
        if len(answers) != len(calls):
            yield (
                "Please ensure that the number of function response parts is equal to the number"
                " of function call parts of the function call turn."
            )
        for call, answer in zip(calls, answers, strict=False):
            if call["name"] != answer.get("name"):
                yield "Please ensure that function response turn matches the call turn"
            if call.get("id") != answer.get("id"):
                yield "function_response.id does not match the id of the function call"
        calls = [part["functionCall"] for part in content["parts"] if "functionCall" in part]
    if calls:
        yield "Please ensure that function call turn is followed by a function response turn"


def _merged(contents: list[JSON]) -> list[JSON]:
    """Contents in which neighbours of one role are one turn."""
    turns: list[JSON] = []
    for content in contents:
        role, parts = content.get("role", "user"), content.get("parts") or []
        if turns and turns[-1]["role"] == role:
            turns[-1]["parts"] += parts
        else:
            turns.append({"role": role, "parts": [*parts]})
    return turns


def _is_answer(part: JSON) -> bool:
    return "functionResponse" in part


def _of_part(part: JSON, n: int, role: str) -> Iterator[str]:
    place = f"contents[{n}].parts"
    yield from _unknown(part, _PART, place)
    data = [name for name in _DATA.split() if name in part]
    if len(data) != 1:
        yield f"{place}: required oneof field 'data' must have one initialized field"
        return
    inner = part[data[0]]
    if data[0] in _MEMBERS:
        yield from _unknown(inner, _MEMBERS[data[0]], f"{place}.{data[0]}")
    if data[0] == "functionCall" and (
        role != "model" or not inner.get("name") or not isinstance(inner.get("args", {}), dict)
    ):
        yield f"{place}: Invalid function call"
    if data[0] == "functionResponse":
        if role != "user" or not inner.get("name"):
            yield f"GenerateContentRequest.{place}.function_response.name: Name cannot be empty."
        if not isinstance(inner.get("response"), dict):
            yield f"Proto field is not a message: {place}.function_response.response"
    if data[0] == "inlineData":
        if not re.fullmatch(r"[A-Za-z0-9+/_-]+=*", inner["data"]) or "/" not in inner["mimeType"]:
            yield f"Invalid value at '{place}.inline_data'"
        if inner["mimeType"] == "image/jpg":
            yield "Unsupported MIME type: image/jpg"
    if "thoughtSignature" in part and not re.fullmatch(
        r"[A-Za-z0-9+/_-]+=*", part["thoughtSignature"]
    ):
        yield f"Invalid value at '{place}.thought_signature' (TYPE_BYTES), Base64 decoding failed"


def _of_signatures(contents: list[JSON], issued: Callable[[str], bool]) -> Iterator[str]:
    """All are looked at; those that must be there are of the turn since the user last spoke."""
    spoken = [
        n
        for n, content in enumerate(contents)
        if content["role"] == "user" and not all(map(_is_answer, content["parts"]))
    ]
    for n, content in enumerate(contents):
        for part in content["parts"]:
            signature = part.get("thoughtSignature")
            if signature not in (None, PLACEHOLDER) and not issued(signature):
                yield "Corrupted thought signature."
        first = next((part for part in content["parts"] if "functionCall" in part), None)
        if n > max(spoken, default=-1) and first and not first.get("thoughtSignature"):
            yield (
                "Function call is missing a thought_signature in functionCall parts. This is"
                " required for tools to work correctly"
            )


def _of_tools(model: _Model, body: JSON) -> Iterator[str]:
    declared: list[JSON] = []
    built_in = False
    for tool in body.get("tools") or ():
        yield from _unknown(tool, _TOOLS, "tools")
        declared += tool.get("functionDeclarations", ())
        built_in = built_in or bool(tool.keys() - {"functionDeclarations"})
    for one in declared:
        yield from _unknown(one, f"{_DECLARATION} behavior", "tools.function_declarations")
        if not re.fullmatch(r"[a-zA-Z_][\w.:-]{0,127}", one.get("name", "")):
            yield "Invalid function name."
        if "parameters" in one and "parametersJsonSchema" in one:
            yield "parameters and parameters_json_schema are mutually exclusive"
        yield from (
            f'Unknown name "{name}"' for name in _REFUSED if name in str(one.get("parameters"))
        )
    if len({one["name"] for one in declared}) < len(declared):
        yield "Duplicate function declaration found"
    config = body.get("toolConfig") or {}
    known = "functionCallingConfig retrievalConfig includeServerSideToolInvocations"
    yield from _unknown(config, known, "tool_config")
    calling = config.get("functionCallingConfig")
    if calling is not None:
        yield from _unknown(calling, _MEMBERS["functionCallingConfig"], "function_calling_config")
        if not declared:
            yield "Function calling config is set without function_declarations."
        mode, names = calling.get("mode", "AUTO"), calling.get("allowedFunctionNames")
        if names and mode not in ("ANY", "VALIDATED"):
            yield "allowed_function_names should only be set with mode ANY or VALIDATED"
        if set(names or ()) - {one["name"] for one in declared}:
            yield "allowed_function_names are not declared"
        if mode == "VALIDATED" and model.version < (2, 5):
            yield "Function calling mode VALIDATED is not supported"
    if declared and built_in:
        if model.version < (3, 0):
            yield "Tool use with function calling is unsupported"
        if not config.get("includeServerSideToolInvocations"):
            yield (
                "Please enable tool_config.include_server_side_tool_invocations to use Built-in"
                " tools with Function calling."
            )
    if (
        declared
        and model.version < (3, 0)
        and (body.get("generationConfig") or {}).get("responseMimeType") == "application/json"
    ):
        yield "Function calling with a response mime type: 'application/json' is unsupported"


def _of_config(model: _Model, config: JSON) -> Iterator[str]:
    yield from _unknown(config, _CONFIG, "generation_config")
    if "responseSchema" in config and "responseJsonSchema" in config:
        yield "response_schema and response_json_schema are mutually exclusive"
    shaped = {"responseSchema", "responseJsonSchema"} & config.keys()
    if shaped and config.get("responseMimeType") not in ("application/json", "text/x.enum"):
        yield "response_schema needs the response mime type application/json"
    thinking = config.get("thinkingConfig")
    if thinking is not None:
        yield from _unknown(thinking, _MEMBERS["thinkingConfig"], "thinking_config")
        yield from _of_thinking(model, thinking)
    if not 0 <= config.get("temperature", 1) <= 2 or len(config.get("stopSequences", ())) > 5:
        yield "temperature or stop_sequences are out of range"
    if not -(2**31) <= config.get("seed", 0) < 2**31:
        yield "Invalid value at 'generation_config.seed' (TYPE_INT32)"
    if model.is_new and {"presencePenalty", "frequencyPenalty"} & config.keys():
        yield "Penalty is not enabled for this model"
    if model.version >= (4, 0) and config.get("candidateCount", 1) > 1:
        yield "Multiple candidates is not enabled for this model"
    if "hydrogen" in model.kind and {"temperature", "topP", "topK"} & config.keys():
        yield "temperature, top_p and top_k are not supported by this model"
    if "logprobs" in config and not config.get("responseLogprobs"):
        yield "logprobs is set and response_logprobs is not"


def _of_thinking(model: _Model, thinking: JSON) -> Iterator[str]:
    level, budget = thinking.get("thinkingLevel"), thinking.get("thinkingBudget")
    if model.version < (2, 5) or "image" in model.kind:
        yield "Thinking is not enabled for this model"
    if level is not None and budget is not None:
        yield "You can only set only one of thinking budget and thinking level."
    if level is not None and level not in model.levels():
        yield f"Thinking level {level} is not supported for this model."
    if budget is not None and model.version >= (4, 0):
        yield "thinking_budget is not supported for this model"
    if budget is not None and model.version == (2, 5):
        least = 128 if model.kind.startswith("pro") else 512 if "lite" in model.kind else 1
        most = 32_768 if model.kind.startswith("pro") else 24_576
        if budget == 0 and model.kind.startswith("pro"):
            yield "Budget 0 is invalid. This model only works in thinking mode."
        elif budget not in (0, -1) and not least <= budget <= most:
            yield f"The thinking budget {budget} is invalid. Please choose a value between them."

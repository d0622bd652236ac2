"""What OpenAI refuses of a request to `/v1/responses`, in its own words as far as they are known.

`refusal` is for scripted providers and for tests of what is sent there. It knows nothing of the
code that it judges: whatever that has in tables stands here once more, by what documents and
recorded answers say.
"""

# ruff: noqa: C901  each branch is a rule

import re
from collections.abc import Iterator
from typing import Any

import orjson

JSON = dict[str, Any]

_FIELDS = frozenset(
    """access_programs background background_options context_management conversation image include
    input instructions max_output_tokens max_tool_calls metadata model moderation
    parallel_tool_calls previous_response_id prompt prompt_cache_key prompt_cache_options
    prompt_cache_retention reasoning safety_identifier service_tier store stream stream_options
    temperature text tool_choice tools top_logprobs top_p truncation user""".split()
)
_INCLUDABLE = frozenset(
    """file_search_call.results web_search_call.results web_search_call.action.sources
    message.input_image.image_url computer_call_output.output.image_url reasoning.encrypted_content
    code_interpreter_call.outputs message.output_text.logprobs""".split()
)
_ITEMS = {
    "message": "type id role content status phase",
    "function_call": "type id call_id name arguments status namespace",
    "function_call_output": "type id call_id output status name namespace",
    "custom_tool_call": "type id call_id name input namespace",
    "custom_tool_call_output": "type id call_id output",
    "reasoning": "type id summary content encrypted_content status",
}
_PARTS = {
    "input_text": "text prompt_cache_breakpoint",
    "input_image": "detail image_url file_id prompt_cache_breakpoint",
    "input_file": "detail filename file_data file_id file_url prompt_cache_breakpoint",
    "output_text": "text annotations logprobs",
    "refusal": "refusal",
}
_TOOLS = {
    "function": "type name description parameters strict output_schema defer_loading",
    "custom": "type name description format defer_loading",
    "web_search": "type search_context_size user_location filters external_web_access",
}
_CALLS = {"function_call": "function_call_output", "custom_tool_call": "custom_tool_call_output"}
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


class _Model:
    """What one model takes, by its name."""

    def __init__(self, name: str) -> None:
        plain = re.match(r"gpt-3|gpt-4|chatgpt|gpt-5-chat", name)
        pro = re.match(r"gpt-5\.\d-pro", name)
        self.is_late = not re.match(r"gpt-[34]|chatgpt|o\d|gpt-5($|-|\.[1-5])", name)
        self.keeps_long = self.is_late or bool(re.match(r"gpt-5\.5", name))
        self.efforts: frozenset[str] = frozenset(
            ""
            if plain
            else "low medium high".split()
            if re.match(r"o\d|gpt-oss|gpt-5-codex", name)
            else ["high"]
            if re.match(r"gpt-5-pro", name)
            else "minimal low medium high".split()
            if re.match(r"gpt-5($|-)", name)
            else ["medium"]
            if re.match(r"gpt-5\.\d-chat", name)
            else "medium high xhigh".split()
            if pro
            else "none low medium high".split()
            if re.match(r"gpt-5\.1", name)
            else "none low medium high xhigh".split()
            if re.match(r"gpt-5\.[2-6]", name)
            else "none low medium high xhigh max".split()
            if re.match(r"gpt-6-(sol|luna)", name)
            else "low medium high xhigh max".split()
        )
        self.waits = bool(re.match(r"gpt-5\.[1-4]", name)) and "none" in self.efforts

    def reasons(self, effort: str | None) -> bool:
        """Whether it does, asked for this effort or for none."""
        return bool(self.efforts) and (not self.waits if effort is None else effort != "none")


def refusal(body: JSON, signatures: frozenset[str] | None = None) -> str | None:
    """Why OpenAI would refuse a request; None if it would not.

    `signatures` are the encrypted reasoning that this provider has made for this model; None to
    take any. What it stores is not known: a request is to bring all that it goes on from.
    """
    return next(_refusals(body, signatures), None)


def _refusals(body: JSON, signatures: frozenset[str] | None) -> Iterator[str]:
    for name in sorted(body.keys() - _FIELDS):
        yield f"Unknown parameter: '{name}'."
    if not isinstance(body.get("model"), str):
        yield "Missing required parameter: 'model'."
        return
    model = _Model(body["model"])
    items = body.get("input")
    if isinstance(items, str):
        items = [{"role": "user", "content": items}]
    if not isinstance(items, list) or not items:
        yield "Missing required parameter: 'input'."
        return
    if body.get("previous_response_id") is not None:
        yield f"Previous response with id '{body['previous_response_id']}' not found."
    yield from _fields(body, model)
    yield from _tools(body)
    yield from _text(body, items)
    for number, item in enumerate(items):
        yield from _item(item, f"input[{number}]", model, body)
    yield from _order(items, signatures)


def _fields(body: JSON, model: _Model) -> Iterator[str]:
    kinds = (
        ("parallel_tool_calls store stream", bool),
        ("instructions user safety_identifier prompt_cache_key truncation service_tier", str),
        ("max_output_tokens top_logprobs", int),
        ("temperature top_p", (int, float)),
        ("metadata reasoning text stream_options", dict),
        ("tools include", list),
    )
    for names, kind in kinds:
        for name in names.split():
            value = body.get(name)
            is_number = isinstance(value, bool) and kind is not bool
            if value is not None and (is_number or not isinstance(value, kind)):  # type: ignore[arg-type]
                yield f"Invalid type for '{name}': {value!r}"
                return
    effort = (body.get("reasoning") or {}).get("effort")
    if body.get("reasoning") and not model.efforts:
        yield "Unsupported parameter: 'reasoning.effort' is not supported with this model."
    elif effort is not None and effort not in model.efforts:
        yield f"Unsupported value: '{effort}' is not supported with the '{body['model']}' model."
    include = body.get("include") or []
    for name in include:
        if name not in _INCLUDABLE:
            yield f"Invalid value: '{name}'. Supported values are: ..."
    if "reasoning.encrypted_content" in include and not model.efforts:
        yield "Encrypted content is not supported with this model."
    if model.reasons(effort):
        for name in ("temperature", "top_p", "top_logprobs"):
            if body.get(name) is not None:
                yield f"Unsupported parameter: '{name}' is not supported with this model."
        if "message.output_text.logprobs" in include:
            yield "logprobs are not supported with reasoning models."
    most = body.get("max_output_tokens")
    if most is not None and most < 16:
        yield f"Invalid 'max_output_tokens': integer below minimum value. Got {most}."
    for name, longest in (("user", 64), ("prompt_cache_key", 64), ("safety_identifier", 128)):
        if len(body.get(name) or "") > longest:
            yield f"Invalid '{name}': string too long."
    if any(not isinstance(value, str) for value in (body.get("metadata") or {}).values()):
        yield "Invalid type for 'metadata': expected a string."
    if body.get("service_tier") not in (
        None, "auto", "default", "flex", "scale", "priority", "fast", "ultrafast",
    ):  # fmt: skip
        yield f"Invalid value: '{body['service_tier']}'."
    if body.get("stream_options") is not None:
        if not body.get("stream"):
            yield "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        for name in body["stream_options"].keys() - {"include_obfuscation"}:
            yield f"Unknown parameter: 'stream_options.{name}'."
    if body.get("prompt_cache_options") is not None and not model.is_late:
        yield "Unsupported parameter: 'prompt_cache_options' is not supported with this model."
    if body.get("prompt_cache_retention") == "in_memory" and model.keeps_long:
        yield "Unsupported value: 'in_memory' is not supported with this model."


def _tools(body: JSON) -> Iterator[str]:
    names = set()
    for number, tool in enumerate(body.get("tools") or ()):
        at, kind = f"tools[{number}]", tool.get("type")
        if kind not in _TOOLS:
            yield f"Invalid value: '{kind}' ({at}.type)."
            return
        for name in sorted(tool.keys() - set(_TOOLS[kind].split())):
            yield f"Unknown parameter: '{at}.{name}'."
        needed = {"function": "name parameters strict", "custom": "name"}.get(kind, "").split()
        for name in needed:
            if name not in tool:
                yield f"Missing required parameter: '{at}.{name}'."
                return
        if kind == "web_search":
            names.add(kind)
            continue
        if not _NAME.fullmatch(tool["name"]):
            yield f"Invalid '{at}.name': string does not match pattern."
        names.add(tool["name"])
        if tool.get("strict") is True:
            schema = tool["parameters"] or {}
            if schema.get("additionalProperties") is not False or (
                set(schema.get("required") or ()) != set(schema.get("properties") or ())
            ):
                yield f"Invalid schema for function '{tool['name']}'."
    choice = body.get("tool_choice")
    if choice is None:
        return
    if isinstance(choice, str):
        if choice not in ("none", "auto", "required"):
            yield f"Invalid value: '{choice}' (tool_choice)."
        if choice != "none" and not names:
            yield "Tool choice must be specified with 'tools' parameter."
        return
    listed = [choice] if choice.get("type") != "allowed_tools" else choice["tools"]
    for one in listed:
        if one.get("type") in ("function", "custom") and one.get("name") not in names:
            yield f"Tool choice '{one.get('name')}' not found in 'tools' parameter."
        if "function" in one:
            yield "Unknown parameter: 'tool_choice.function'."


def _text(body: JSON, items: list[JSON]) -> Iterator[str]:
    verbosity = (body.get("text") or {}).get("verbosity")
    if verbosity not in (None, "medium") and re.match(r"gpt-[34]|o\d|chatgpt", body["model"]):
        yield f"Unsupported value: '{verbosity}'. Supported values are: 'medium'."
    form = (body.get("text") or {}).get("format") or {}
    for name in (body.get("text") or {}).keys() - {"format", "verbosity"}:
        yield f"Unknown parameter: 'text.{name}'."
    if form.get("type") == "json_schema":
        for name in ("name", "schema"):
            if name not in form:
                yield f"Missing required parameter: 'text.format.{name}'."
                return
        if not _NAME.fullmatch(form["name"]):
            yield "Invalid 'text.format.name': string does not match pattern."
    if form.get("type") == "json_object" and "json" not in orjson.dumps(
        [item.get("content") for item in items]
    ).decode().lower().replace("json_object", ""):
        yield "Response input messages must contain the word 'json' in some form."


def _item(item: JSON, at: str, model: _Model, body: JSON) -> Iterator[str]:
    kind = item.get("type", "message")
    if kind not in _ITEMS:
        yield f"Invalid value: '{kind}' ({at}.type)."
        return
    for name in sorted(item.keys() - set(_ITEMS[kind].split())):
        yield f"Unknown parameter: '{at}.{name}'."
    begins = {"message": "msg", "function_call": "fc", "reasoning": "rs", "custom_tool_call": "ctc"}
    if "id" in item and kind in begins and not str(item["id"]).startswith(begins[kind]):
        yield f"Invalid '{at}.id': expected an ID that begins with '{begins[kind]}'."
    if kind == "message":
        yield from _message(item, at, model)
    elif kind in _CALLS:
        for name in ("call_id", "name", "arguments" if kind == "function_call" else "input"):
            if not isinstance(item.get(name), str):
                yield f"Missing required parameter: '{at}.{name}'."
                return
        if not _NAME.fullmatch(item["name"]):
            yield f"Invalid '{at}.name': string does not match pattern."
    elif kind in _CALLS.values():
        output = item.get("output")
        if isinstance(output, list):
            for number, part in enumerate(output):
                yield from _part(part, f"{at}.output[{number}]", model, "input")
        elif not isinstance(output, str):
            yield f"Missing required parameter: '{at}.output'."
    else:
        if not isinstance(item.get("summary"), list):
            yield f"Missing required parameter: '{at}.summary'."
        if not item.get("encrypted_content") and body.get("store") is False:
            yield f"Item with id '{item.get('id')}' not found. Items are not persisted when `store`"
    if len(item.get("call_id") or "") > 64:
        yield f"Invalid '{at}.call_id': string too long. Expected at most 64."


def _message(item: JSON, at: str, model: _Model) -> Iterator[str]:
    role, content = item.get("role"), item.get("content")
    if role not in ("user", "assistant", "system", "developer"):
        yield f"Invalid value: '{role}' ({at}.role)."
    if isinstance(content, str):
        return
    if not isinstance(content, list) or not content:
        yield f"Missing required parameter: '{at}.content'."
        return
    for number, part in enumerate(content):
        of = "output" if role == "assistant" else "input"
        yield from _part(part, f"{at}.content[{number}]", model, of)


def _part(part: JSON, at: str, model: _Model, of: str) -> Iterator[str]:
    kind = part.get("type", "")
    if kind not in _PARTS or kind.startswith("input") is (of == "output"):
        yield f"Invalid value: '{kind}' ({at}.type)."
        return
    for name in sorted(part.keys() - {"type", *_PARTS[kind].split()}):
        yield f"Unknown parameter: '{at}.{name}'."
    if kind in ("input_text", "output_text") and not isinstance(part.get("text"), str):
        yield f"Missing required parameter: '{at}.text'."
    if kind == "input_image":
        url = part.get("image_url")
        if (url is None) is (part.get("file_id") is None):
            yield f"Missing required parameter: '{at}.image_url'."
        elif url is not None and not re.match(r"https?://|data:image/(png|jpeg|gif|webp);", url):
            yield f"Invalid '{at}.image_url'. Expected a valid URL."
        if part.get("detail", "auto") not in ("auto", "low", "high", "original"):
            yield f"Invalid value: '{part['detail']}' ({at}.detail)."
    if kind == "input_file":
        if sum(name in part for name in ("file_data", "file_id", "file_url")) != 1:
            yield f"Missing required parameter: '{at}.file_id'."
        if "file_data" in part and not (
            part["file_data"].startswith("data:") and part.get("filename")
        ):
            yield f"Missing required parameter: '{at}.filename'."
    if "prompt_cache_breakpoint" in part and not model.is_late:
        yield f"Unknown parameter: '{at}.prompt_cache_breakpoint'."


def _order(items: list[JSON], signatures: frozenset[str] | None) -> Iterator[str]:
    """What items need before them and behind them."""
    calls: dict[str, str] = {}
    before: JSON = {}
    for number, item in enumerate(items):
        kind = item.get("type", "message")
        after = items[number + 1] if number + 1 < len(items) else {}
        if kind == "reasoning":
            made = item.get("encrypted_content")
            if signatures is not None and made not in signatures:
                yield f"The encrypted content {made} could not be verified."
            follows = after.get("type", "message") if after else ""
            by_model = after.get("role") == "assistant" or follows in (*_CALLS, "reasoning")
            if not by_model:
                yield "Item of type 'reasoning' was provided without its required following item."
        if kind in _CALLS:
            if "id" in item and before.get("type") not in ("reasoning", *_CALLS):
                yield f"Item of type '{kind}' was provided without its required 'reasoning' item."
            if item["call_id"] in calls:
                yield f"Duplicate call_id {item['call_id']}."
            calls[item["call_id"]] = _CALLS[kind]
        if kind in _CALLS.values():
            if calls.get(item.get("call_id", "")) != kind:
                yield f"No tool call found for {kind} with call_id {item.get('call_id')}."
                return
            calls[item["call_id"]] = ""
        before = item
    for name, wanted in calls.items():
        if wanted:
            yield f"No tool output found for function call {name}."

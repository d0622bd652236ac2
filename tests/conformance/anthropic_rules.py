"""What Anthropic refuses of a request for Messages, in its own words as far as they are known.

`refusal` is for scripted providers and for tests of what is sent there. It knows nothing of the
code that it judges: whatever that has in tables stands here once more, by what the documents say.
"""

# ruff: noqa: C901  each branch is a rule

import re
from collections.abc import Iterator
from typing import Any

JSON = dict[str, Any]

_FIELDS = frozenset(
    """model messages max_tokens system tools tool_choice stream metadata stop_sequences thinking
    temperature top_p top_k output_config context_management service_tier container mcp_servers
    cache_control diagnostics speed inference_geo fallbacks user_profile_id""".split()
)
_BLOCKS = {
    "text": "text citations",
    "image": "source transformations",
    "document": "source title context citations",
    "search_result": "source title content citations",
    "thinking": "thinking signature",
    "redacted_thinking": "data",
    "tool_use": "id name input caller toolset_name",
    "tool_result": "tool_use_id content is_error toolset_name",
}
_ROLES = {
    "user": {"text", "image", "document", "search_result", "tool_result"},
    "assistant": {"text", "thinking", "redacted_thinking", "tool_use"},
    "system": {"text"},
}
_CUSTOM = frozenset(
    """name description input_schema strict cache_control type allowed_callers defer_loading
    eager_input_streaming input_examples""".split()
)
_EFFORTS = {"low", "medium", "high", "xhigh", "max"}


class _Model:
    """What one model takes, by its name."""

    def __init__(self, name: str) -> None:
        name = name.removeprefix("claude-")
        self.old = bool(re.match(r"3-[05]|[12]|instant|3-(opus|haiku|sonnet)", name))
        budget = re.match(r"3-7|(opus|sonnet)-4-[015]|(opus|sonnet)-4-2025|haiku-4-5", name)
        six, seven = re.match(r"(opus|sonnet)-4-6", name), re.match(r"opus-4-[78]", name)
        five = re.fullmatch(r"(opus|sonnet)-5", name) or re.match(r"haiku-5-5", name)
        self.is_budget = bool(budget)
        self.thinking = (
            {"disabled"}
            if self.old
            else {"enabled", "disabled"}
            if budget
            else {"enabled", "adaptive", "disabled"}
            if six
            else {"adaptive", "disabled"}
            if seven or five
            else {"adaptive", "between_tools"}
            if name.startswith("sonnet-5-5")
            else {"adaptive"}
        )
        self.efforts = (
            {"low", "medium", "high"}
            if name.startswith("opus-4-5")
            else set()
            if self.old or budget
            else _EFFORTS - {"xhigh"}
            if six
            else _EFFORTS
        )
        self.samples = bool(self.old or budget or six)
        self.one_of_two = bool(re.match(r"(opus|sonnet|haiku)-4-[56]", name))
        self.forces = bool(self.old or budget or six or seven or five)
        self.prefill = bool(self.old or budget)
        self.output = (
            4096
            if re.match(r"3-(opus|haiku)|[12]", name)
            else 8192
            if self.old
            else 32_000
            if re.match(r"opus-4-[01]|opus-4-2025", name)
            else 64_000
            if budget
            else 128_000
        )
        self.system_turns = not (
            self.old or budget or six or re.match(r"opus-4-7", name) or name == "sonnet-5"
        )
        # With thinking off, these take no more effort than high.
        self.is_quiet = bool(re.match(r"opus-5$|haiku-5-5|sonnet-5-5", name))
        self.schemas = not (self.old or re.match(r"3-7|(opus|sonnet)-4-(0|2025)", name))


def refusal(body: JSON, headers: JSON, signatures: frozenset[str] | None = None) -> str | None:
    """Why Anthropic would refuse a request; None if it would not.

    `signatures` are those that this provider has made for this model; None to take any.
    """
    return next(_refusals(body, headers, signatures), None)


def _refusals(body: JSON, headers: JSON, signatures: frozenset[str] | None) -> Iterator[str]:
    if not headers.get("anthropic-version"):
        yield "anthropic-version: header is required"
    for name in sorted(body.keys() - _FIELDS):
        yield f"{name}: Extra inputs are not permitted"
    for name in ("model", "messages", "max_tokens"):
        if name not in body:
            yield f"{name}: Field required"
            return
    for name, value in body.items():
        if value is None and name not in ("cache_control", "container", "inference_geo", "speed"):
            yield f"{name}: Input should not be null"
            return
    model = _Model(body["model"])
    if not isinstance(body["max_tokens"], int) or body["max_tokens"] > model.output:
        yield f"max_tokens: {body['max_tokens']} > {model.output}, which is the maximum"
    yield from _sampling(body, headers, model)
    yield from _thinking(body, model)
    yield from _tools(body, model)
    yield from _conversation(body, model, signatures)
    for text in body.get("stop_sequences", ()):
        if not text.strip():
            yield "stop_sequences: each stop sequence must contain non-whitespace"
    if body.get("metadata", {}).keys() - {"user_id"}:
        yield "metadata: Extra inputs are not permitted"
    if body.get("service_tier", "auto") not in ("auto", "standard_only"):
        yield "service_tier: Input should be 'auto' or 'standard_only'"


def _sampling(body: JSON, headers: JSON, model: _Model) -> Iterator[str]:
    asked = {name for name in ("temperature", "top_p", "top_k") if name in body}
    if asked and headers["anthropic-version"] >= "2026-10-21":
        yield f"{min(asked)}: Extra inputs are not permitted"
    if not model.samples and any(body[name] != 1 for name in asked):
        yield f"{min(asked)}: not supported by this model"
    if model.one_of_two and asked >= {"temperature", "top_p"}:
        yield "`temperature` and `top_p` cannot both be specified for this model"
    if "temperature" in asked and not 0 <= body["temperature"] <= 1:
        yield "temperature: range: 0..1"
    if body.get("thinking", {}).get("type") in ("enabled", "adaptive"):
        if body.get("temperature", 1) != 1:
            yield "`temperature` may only be set to 1 when thinking is enabled"
        if body.get("top_p", 1) < 0.95 or "top_k" in asked:
            yield "`top_p` and `top_k` may not be set so when thinking is enabled"


def _thinking(body: JSON, model: _Model) -> Iterator[str]:
    config = body.get("output_config", {})
    effort, thinking = config.get("effort"), body.get("thinking", {})
    kind = thinking.get("type")
    if effort is not None and effort not in model.efforts:
        yield f"This model does not support effort level '{effort}'."
    if kind is not None and kind not in model.thinking:
        yield f'"thinking.type.{kind}" is not supported for this model.'
    if kind in ("disabled", "between_tools") and model.is_quiet and effort in ("xhigh", "max"):
        yield f"thinking {kind} is not supported at effort {effort}"
    if kind == "enabled" and not 1024 <= thinking["budget_tokens"] < body["max_tokens"]:
        yield "`max_tokens` must be greater than `thinking.budget_tokens`, which is 1024 at least"
    if thinking.keys() - {"type", "budget_tokens", "display"}:
        yield "thinking: Extra inputs are not permitted"
    if kind in ("disabled", "between_tools") and "display" in thinking:
        yield "thinking.display: Extra inputs are not permitted"
    if config.keys() - {"effort", "format", "task_budget"}:
        yield "output_config: Extra inputs are not permitted"
    if "format" in config:
        if not model.schemas:
            yield "output_config.format is not supported by this model"
        if config["format"].keys() != {"type", "schema"}:
            yield "output_config.format: Extra inputs are not permitted"
        yield from _schema(config["format"]["schema"])


_BOUNDS = {
    "minimum",
    "maximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "maxItems",
    "pattern",
    "not",
}


def _schema(schema: Any) -> Iterator[str]:
    if not isinstance(schema, dict):
        return
    if schema.get("type") == "object" and schema.get("additionalProperties") is not False:
        yield "For 'object' type, 'additionalProperties' must be explicitly set to false"
    if bounds := _BOUNDS & schema.keys():
        yield f"For '{schema.get('type')}' type, property '{min(bounds)}' is not supported"
    inner = [schema.get("items"), *schema.get("anyOf", ()), *schema.get("allOf", ())]
    for name in ("properties", "$defs"):
        inner += schema.get(name, {}).values()
    for one in inner:
        yield from _schema(one)


def _tools(body: JSON, model: _Model) -> Iterator[str]:
    tools, choice = body.get("tools", []), body.get("tool_choice")
    for tool in tools:
        if tool.get("type") in (None, "custom"):
            if tool.keys() - _CUSTOM:
                yield f"tools: {tool.keys() - _CUSTOM}: Extra inputs are not permitted"
            if tool.get("input_schema", {}).get("type") != "object":
                yield "tools.0.custom.input_schema.type: Field required"
            if not re.fullmatch(r"[a-zA-Z0-9_-]{1,128}", tool["name"]):
                yield "tools.0.custom.name: String should match pattern"
    if len({tool["name"] for tool in tools}) < len(tools):
        yield "tools: Tool names must be unique."
    if choice is None:
        return
    if not tools:
        yield "tool_choice may only be specified while providing tools"
    if choice["type"] == "none" and choice.keys() != {"type"}:
        yield "tool_choice.none: Extra inputs are not permitted"
    if choice["type"] in ("any", "tool"):
        if not model.forces:
            yield "tool_choice: forced tool use is not supported for this model"
        if body.get("thinking", {}).get("type") == "enabled":
            yield "Thinking may not be enabled when tool_choice forces tool use."
        if choice["type"] == "tool" and choice["name"] not in {tool["name"] for tool in tools}:
            yield f"Tool '{choice['name']}' not found in provided tools"


def _blocks(content: Any) -> list[JSON]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _conversation(body: JSON, model: _Model, signatures: frozenset[str] | None) -> Iterator[str]:
    messages = body["messages"]
    if not messages:
        yield "messages: at least one message is required"
        return
    for block in _blocks(body.get("system", [])):
        if not block["text"].strip():
            yield "system: text content blocks must be non-empty"
    yield from _system_turns(messages, model)
    open_calls: set[str] = set()
    called = False
    for number, message in enumerate(messages):
        blocks, role = _blocks(message["content"]), message["role"]
        if not blocks:
            yield f"messages.{number}: content must not be empty"
        for block in blocks:
            yield from _block(block, role, f"messages.{number}", signatures)
        kinds = [block["type"] for block in blocks]
        results = kinds.count("tool_result")
        if "tool_result" in kinds[results:]:
            yield f"messages.{number}: `tool_result` blocks must come first"
        answered = [block["tool_use_id"] for block in blocks[:results]]
        if role != "system":
            if set(answered) - open_calls or len(set(answered)) < len(answered):
                yield f"messages.{number}: unexpected `tool_use_id` found in `tool_result` blocks"
            if open_calls - set(answered):
                yield f"messages.{number}: `tool_use` ids were found without `tool_result` blocks"
            open_calls = {block["id"] for block in blocks if block["type"] == "tool_use"}
            called |= bool(open_calls)
    if open_calls:
        yield "messages: `tool_use` ids were found without `tool_result` blocks"
    if called and not body.get("tools"):
        yield "Requests which include `tool_use` or `tool_result` blocks must define tools"
    yield from _last(body, messages, model)


def _last(body: JSON, messages: list[JSON], model: _Model) -> Iterator[str]:
    """What is wrong with the last turn, and the one that the model is amid."""
    thinks = body.get("thinking", {}).get("type") == "enabled"
    last = _blocks(messages[-1]["content"])
    if messages[-1]["role"] == "assistant" and last[-1]["type"] in _ROLES["assistant"]:
        if not model.prefill or thinks:
            yield "This model does not support assistant message prefill."
        if last[-1].get("text", "").endswith((" ", "\n")):
            yield "messages: final assistant content cannot end with trailing whitespace"
    at = len(messages) - 1
    first: list[JSON] = []
    while at > 0 and _blocks(messages[at]["content"])[0]["type"] == "tool_result":
        at -= 1
        while at > 0 and messages[at]["role"] == "system":
            at -= 1
        first, at = _blocks(messages[at]["content"]), at - 1
    if thinks and first and not first[0]["type"].endswith("thinking"):
        yield "Expected `thinking` or `redacted_thinking`, but found another block"


def _system_turns(messages: list[JSON], model: _Model) -> Iterator[str]:
    roles = [message["role"] for message in messages]
    for number, role in enumerate(roles):
        if role not in _ROLES:
            yield f"messages.{number}.role: Input should be 'user' or 'assistant'"
        if role == "system":
            if not model.system_turns:
                yield "role 'system' is not supported on this model"
            if number == 0 or roles[number - 1] != "user":
                yield "a system message must follow the user's"
            if number + 1 < len(roles) and roles[number + 1] != "assistant":
                yield "a system message must be last or precede the assistant's"


def _block(block: JSON, role: str, path: str, signatures: frozenset[str] | None) -> Iterator[str]:
    kind = block["type"]
    if kind not in _BLOCKS:
        return  # tools that Anthropic runs, and what came of them
    if kind not in _ROLES[role]:
        yield f"{path}: {kind} is not permitted in the turn of {role}"
    if unknown := block.keys() - {"type", "cache_control", *_BLOCKS[kind].split()}:
        yield f"{path}.{kind}.{min(unknown)}: Extra inputs are not permitted"
    if kind == "text" and not block["text"].strip():
        yield f"{path}: text content blocks must contain non-whitespace text"
    if kind in ("thinking", "redacted_thinking"):
        signature = block.get("signature" if kind == "thinking" else "data")
        if not signature or (signatures is not None and signature not in signatures):
            yield f"{path}: Invalid `signature` in `thinking` block"
    for key in ("id", "tool_use_id"):
        if key in block and not re.fullmatch(r"[a-zA-Z0-9_-]+", block[key]):
            yield f"{path}.{kind}.{key}: String should match pattern '^[a-zA-Z0-9_-]+$'"
    if kind == "tool_use" and not isinstance(block.get("input"), dict):
        yield f"{path}.tool_use.input: Input should be a valid dictionary"
    if kind == "tool_result" and "content" in block:
        for inner in _blocks(block["content"]):
            yield from _block(inner, "user", f"{path}.tool_result", signatures)
    if kind in ("image", "document"):
        yield from _source(kind, block["source"], path)


_MIMES = {
    "image": {"image/jpeg", "image/png", "image/gif", "image/webp"},
    "document": {"application/pdf"},
}


def _source(kind: str, source: JSON, path: str) -> Iterator[str]:
    match source["type"]:
        case "base64" if source["media_type"] not in _MIMES[kind]:
            yield f"{path}.{kind}.source.base64.media_type: Input should be one of {_MIMES[kind]}"
        case "text" if source["media_type"] != "text/plain" or kind == "image":
            yield f"{path}.{kind}.source.text.media_type: Input should be 'text/plain'"
        case "url" if not source["url"].startswith(("http://", "https://")):
            yield f"{path}.{kind}.source.url: only HTTPS URLs are supported"
        case "base64" | "text" | "url" | "file" | "content":
            pass
        case other:
            yield f"{path}.{kind}.source.type: {other}"

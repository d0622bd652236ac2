"""The canonical form of a request: equal requests, and only those, have equal bytes.

Everything in a body counts unless `EXCLUDED` names it at the top level. What is
written differently but means the same (key order, `null` for absent, one text
part for a string, ...) is brought to one form. A body that is not JSON, or
holds numbers that a parser alters, stands for itself byte for byte.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from .interaction import CHAT_COMPLETIONS, Request, Variant
from .jsontext import JSON, Unfaithful, canonical, compact, parse
from .redact import Redactor
from .rules import Rules, child_path

EXCLUDED: Mapping[str, str] = {
    "stream": "chooses the variant, JSON or SSE",
    "stream_options": "chooses the variant, with or without the usage chunk",
    "user": "names the end user, for abuse reports",
    "safety_identifier": "names the end user, for abuse reports",
    "metadata": "labels for the provider's dashboard",
    "store": "whether the provider keeps a copy",
    "prompt_cache_key": "routing to a warm prompt cache",
    "prompt_cache_retention": "how long the prompt cache lives; sets the entry's ttl in cache mode",
    "service_tier": "how soon, not what",
    "speed": "how soon, not what",
    "inference_geo": "where, not what",
    "deferred": "when the answer is fetched",
    "correlation_id": "names a session",
    "credentials": "secret",
}
"""Top-level fields of a chat completion request that cannot change the answer, and why."""

# Every other optional field of the contract but `automatic_tool_execution` takes null for absent.
_NULLABLE = frozenset(
    """messages temperature max_tokens max_completion_tokens top_p top_k n seed system_instruction
    prompt_mode response_format tools tool_choice parallel_tool_calls tool_config functions
    function_call mcp_servers stop presence_penalty frequency_penalty logit_bias logprobs
    top_logprobs modalities audio cached_content reasoning_effort thinking prediction safe_prompt
    safety_settings guardrails agent_attributes model_attributes handoff_config handoff_mode
    deferred_calls max_turns generation_config output_config search_parameters web_search_options
    verbosity""".split()
)
_EMPTY_IS_ABSENT = frozenset(["tools", "mcp_servers"])
# What the SDKs' own response models write back into the conversation as null.
_NULLABLE_IN_MESSAGE = frozenset(
    "content refusal name audio tool_calls function_call annotations reasoning_content".split()
)


class Dropped(NamedTuple):
    """A place that does not count, and why."""

    path: str
    why: str


class Normalized(NamedTuple):
    canonical: bytes
    """`METHOD TARGET`, a line feed, and the canonical body."""
    variant: Variant
    chat: bool
    """Whether this is a chat completion, whose forms convert into each other."""
    dropped: tuple[Dropped, ...]
    """Filled only by `explain=True`: the hot path has no use for it."""


def is_chat(method: str, target: str) -> bool:
    return method == "POST" and target.partition("?")[0] == CHAT_COMPLETIONS


def is_json(content_type: str) -> bool:
    essence = content_type.partition(";")[0].strip().lower()
    return essence == "application/json" or essence.endswith("+json")


def normalize(
    request: Request, rules: Rules, redactor: Redactor, *, explain: bool = False
) -> Normalized:
    """Bring a request, as sent or as kept, to its canonical form."""
    target = rules.replace_text(redactor.query(request.target))
    head = f"{request.method} {target}\n".encode()
    chat = is_chat(request.method, request.target)
    dropped: list[Dropped] = []
    try:
        value = _parsed(request, chat=chat)
    except Unfaithful:
        body = _without_secrets(request.body, redactor, chat=chat)
        variant = _variant(_lenient(request.body)) if chat else Variant.JSON
        return Normalized(head + body, variant, chat, ())
    variant = _variant(value) if chat else Variant.JSON
    if chat and isinstance(value, dict):
        value = _chat(value, dropped)
    value, ignored = rules.apply(value)
    body = canonical(value)
    if redactor.suspicious(body):
        body = canonical(redactor.value(value)[0])
    if explain:
        dropped += (Dropped(path, "named in match.ignore") for path in ignored)
    return Normalized(head + body, variant, chat, tuple(dropped) if explain else ())


def keepable(request: Request, redactor: Redactor) -> tuple[Request, int]:
    """The request as a recording keeps it, and how many secrets were taken out of it.

    Its canonical form is that of the request as sent.
    """
    chat = is_chat(request.method, request.target)
    body = request.body
    count = 0
    try:
        value = _parsed(request, chat=chat)
    except Unfaithful:
        kept = _without_secrets(body, redactor, chat=chat)
        count = int(kept != body)
        body = kept
    else:
        if chat and isinstance(value, dict):
            value = _without_credentials(value)
        value, found = redactor.value(value)
        count = sum(found.values())
        body = compact(value)
    target = redactor.query(request.target)
    return Request(request.method, target, request.content_type, body), count


def _parsed(request: Request, *, chat: bool) -> JSON:
    if chat or is_json(request.content_type):
        return parse(request.body)
    raise Unfaithful("not declared as JSON")


def _variant(value: JSON) -> Variant:
    if not isinstance(value, dict) or value.get("stream") is not True:
        return Variant.JSON
    options = value.get("stream_options")
    wants_usage = isinstance(options, dict) and options.get("include_usage") is True
    return Variant.SSE_USAGE if wants_usage else Variant.SSE


def _lenient(body: bytes) -> JSON:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def _without_secrets(body: bytes, redactor: Redactor, *, chat: bool) -> bytes:
    value = _lenient(body) if chat else None
    secrets: list[str] = []
    if isinstance(value, dict):
        _strings(value.get("credentials"), secrets)
        _strings([_credentials(server) for server in _servers(value)], secrets)
    return redactor.body(body, secrets)[0]


def _servers(value: Mapping[str, JSON]) -> list[JSON]:
    servers = value.get("mcp_servers")
    return servers if isinstance(servers, list) else [servers]


def _credentials(server: JSON) -> JSON:
    return server.get("credentials") if isinstance(server, dict) else None


def _strings(value: JSON, found: list[str]) -> None:
    if isinstance(value, str):
        found.append(value)
    elif isinstance(value, dict):
        _strings(list(value.values()), found)
    elif isinstance(value, list):
        for item in value:
            _strings(item, found)


def _without_credentials(value: dict[str, JSON]) -> dict[str, JSON]:
    value = {key: item for key, item in value.items() if key != "credentials"}
    if "mcp_servers" in value:
        value["mcp_servers"] = _bare_servers(value["mcp_servers"], [])
    return value


def _bare_servers(servers: JSON, dropped: list[Dropped]) -> JSON:
    """MCP servers without their credentials: the SDK encrypts those anew for each call."""
    place = "$.mcp_servers"
    if isinstance(servers, list):
        return [_bare(item, child_path(place, n), dropped) for n, item in enumerate(servers)]
    return _bare(servers, place, dropped)


def _bare(server: JSON, place: str, dropped: list[Dropped]) -> JSON:
    if isinstance(server, dict) and "credentials" in server:
        dropped.append(Dropped(f"{place}.credentials", "secret"))
        return {key: item for key, item in server.items() if key != "credentials"}
    return server


def _chat(body: dict[str, JSON], dropped: list[Dropped]) -> dict[str, JSON]:
    value: dict[str, JSON] = {}
    for key, item in body.items():
        if why := EXCLUDED.get(key):
            dropped.append(Dropped(child_path("$", key), why))
        elif item is None and key in _NULLABLE:
            dropped.append(Dropped(child_path("$", key), "null means absent"))
        elif item == [] and key in _EMPTY_IS_ABSENT:
            dropped.append(Dropped(child_path("$", key), "empty means absent"))
        else:
            value[key] = item
    model = value.get("model")
    if isinstance(model, list) and len(model) == 1 and isinstance(model[0], str):
        value["model"] = model[0]
    if isinstance(value.get("stop"), str):
        value["stop"] = [value["stop"]]
    if "mcp_servers" in value:
        value["mcp_servers"] = _bare_servers(value["mcp_servers"], dropped)
    if isinstance(value.get("messages"), list):
        value["messages"] = [_message(item) for item in value["messages"]]
    return value


def _message(message: JSON) -> JSON:
    if not isinstance(message, dict):
        return message
    value = {
        key: item
        for key, item in message.items()
        if item is not None or key not in _NULLABLE_IN_MESSAGE
    }
    if "content" in value:
        value["content"] = _content(value["content"])
    if isinstance(value.get("tool_calls"), list):
        value["tool_calls"] = [_with_arguments(call, "function") for call in value["tool_calls"]]
    return _with_arguments(value, "function_call") if "function_call" in value else value


def _content(content: JSON) -> JSON:
    match content:
        case [{"type": "text", "text": str(text), **rest}] if not rest:
            return text
    return content


def _with_arguments(holder: JSON, key: str) -> JSON:
    """`holder` with the JSON text in its `key.arguments` in canonical form."""
    call: Any = holder.get(key) if isinstance(holder, dict) else None
    if not isinstance(call, dict) or not isinstance(call.get("arguments"), str):
        return holder
    try:
        arguments = canonical(parse(call["arguments"])).decode()
    except Unfaithful:
        return holder
    return {**holder, key: {**call, "arguments": arguments}}

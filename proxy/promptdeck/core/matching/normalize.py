"""The canonical form of a request: equal requests, and only those, have equal bytes.

Everything in a body counts unless `EXCLUDED` names it at the top level. What is
written differently but means the same (key order, `null` for absent, one text
part for a string, ...) is brought to one form. A body that is not JSON, or
holds numbers that a parser alters, stands for itself byte for byte. Secrets are
taken out first of all, so that what is kept of a request has its canonical form.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from itertools import groupby
from typing import Any, NamedTuple

from promptdeck.core.interaction import CHAT_COMPLETIONS, Request, Variant
from promptdeck.core.secrets.redact import Redactor
from promptdeck.core.text.jsontext import (
    JSON,
    Unfaithful,
    canonical,
    compact,
    has_integral,
    load,
    read,
)

from . import rawjson
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
    verbosity cache_control container""".split()
)
_EMPTY_IS_ABSENT = frozenset(["tools", "mcp_servers"])
# What the SDKs' own response models write back into the conversation as null.
_NULLABLE_IN_MESSAGE = frozenset(
    "content refusal name audio tool_calls function_call annotations reasoning_content".split()
)

EQUAL = (
    (
        "key order, white space and escapes, at any depth",
        r'{"a": 1, "b": "\u00e9"}',
        '{"b":"é","a":1}',
    ),
    ("a number with and without a fraction of zero", '{"temperature": 0}', '{"temperature": 0.0}'),
    ("`null` and absent, for the optional fields of the contract", '{"top_p": null}', "{}"),
    (
        "`null` and absent, for the optional fields of a message",
        '{"messages": [{"role": "assistant", "refusal": null}]}',
        '{"messages": [{"role": "assistant"}]}',
    ),
    ("an empty list and absent, for `tools` and `mcp_servers`", '{"tools": []}', "{}"),
    ("a list of one model name and that name", '{"model": ["m"]}', '{"model": "m"}'),
    ("a stop sequence and a list of it alone", '{"stop": "END"}', '{"stop": ["END"]}'),
    (
        "a text and a list of it alone as a text part",
        '{"messages": [{"content": "hi"}]}',
        '{"messages": [{"content": [{"type": "text", "text": "hi"}]}]}',
    ),
    (
        "the JSON in a tool call's `arguments`, however it is written",
        r'{"messages": [{"tool_calls": [{"function": {"arguments": "{ \"a\": 1.0 }"}}]}]}',
        r'{"messages": [{"tool_calls": [{"function": {"arguments": "{\"a\":1}"}}]}]}',
    ),
)
"""What counts as equal in the body of a chat completion request, with an example of each."""


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


class Examined(NamedTuple):
    form: Normalized
    plain: bool
    """Whether the body is JSON that is read faithfully, and holds no secret."""


def is_chat(method: str, target: str) -> bool:
    return method == "POST" and target.partition("?")[0] == CHAT_COMPLETIONS


def is_json(content_type: str) -> bool:
    essence = content_type.partition(";")[0].strip().lower()
    return essence == "application/json" or essence.endswith("+json")


def normalize(
    request: Request,
    rules: Rules,
    redactor: Redactor,
    *,
    explain: bool = False,
) -> Normalized:
    """Bring a request, as sent or as kept, to its canonical form."""
    return examine(request, rules, redactor, explain=explain).form


def examine(
    request: Request,
    rules: Rules,
    redactor: Redactor,
    *,
    explain: bool = False,
    inspect: Callable[[JSON], None] | None = None,
    value: Callable[[], JSON] | None = None,
) -> Examined:
    """As `normalize`, and how the body was found.

    `inspect` is shown the body of a chat completion as it was parsed, which is done once.
    `value` is that body as `jsontext.load` reads it, for who has it already.
    """
    chat = is_chat(request.method, request.target)
    dropped: list[Dropped] = []
    clean = _without_secrets(request, redactor, dropped, inspect, value)
    body = clean.body
    variant = _variant(body) if chat else Variant.JSON
    if isinstance(body, bytes):
        body = _without_boundary(body, request.content_type)
    else:
        if chat and isinstance(body, dict):
            body = _chat(body, dropped)
        body, ignored = rules.apply(body)
        dropped += (Dropped(path, "named in match.ignore") for path in ignored)
        body = canonical(body, integral=clean.integral)
    target = rules.replace_text(redactor.query(request.target))
    head = f"{request.method} {target}\n".encode("utf-8", "surrogatepass")
    form = Normalized(head + body, variant, chat, tuple(dropped) if explain else ())
    return Examined(form, clean.faithful and not clean.secrets)


def item_text(place: str, item: JSON) -> bytes:
    """An item of a chat's `messages` or `tools`, as it stands in the canonical form."""
    return canonical(_message(item) if place == "messages" else item)


def keepable(request: Request, redactor: Redactor) -> tuple[Request, int]:
    """The request as a recording keeps it, and how many secrets were taken out of it.

    Its canonical form is that of the request as sent.
    """
    clean = _without_secrets(request, redactor, [])
    kept = compact(clean.body) if clean.text is None else clean.text
    return request._replace(target=redactor.query(request.target), body=kept), clean.secrets


def matching_table() -> str:
    """What does not count and what counts as equal, in Markdown."""
    rows = [
        f"| {', '.join(f'`{name}`' for name, _ in group)} | {why} |"
        for why, group in groupby(EXCLUDED.items(), key=lambda item: item[1])
    ]
    equal = [f"| {what} | `{one}` | `{other}` |" for what, one, other in EQUAL]
    return "\n".join(
        [
            "| not in the key | why |",
            "|---|---|",
            *rows,
            "| `mcp_servers[].credentials` | secret |",
            "| secrets, in texts and in the query | a placeholder counts in their place |",
            "",
            "| counts as equal | for example | and |",
            "|---|---|---|",
            *equal,
        ]
    )


class _Clean(NamedTuple):
    """A body without secrets."""

    body: JSON
    """Parsed, or else as bytes."""
    secrets: int
    """How many were taken out."""
    text: bytes | None
    """The body written compactly, or as it is; None where it has yet to be written."""
    faithful: bool
    """Whether it was JSON as it came."""
    integral: bool
    """Whether there may be numbers like 1.0 in it."""


def _without_secrets(
    request: Request,
    redactor: Redactor,
    dropped: list[Dropped],
    inspect: Callable[[JSON], None] | None = None,
    value: Callable[[], JSON] | None = None,
) -> _Clean:
    chat = is_chat(request.method, request.target)
    as_json = chat or is_json(request.content_type)
    body, integral = _parsed(request.body, value) if as_json else (request.body, True)
    faithful = not isinstance(body, bytes)
    if inspect and chat and faithful:
        inspect(body)
    count = 0
    if isinstance(body, bytes):
        text, count = rawjson.without_secrets(body, redactor, chat=chat)
        # What kept it from being parsed may have been in a secret.
        body, integral = _parsed(text) if as_json else (text, True)
        if isinstance(body, bytes):
            return _Clean(body, count, text, faithful, integral)
    if chat and isinstance(body, dict):
        body = _without_credentials(body, dropped)
    text = compact(body)
    if redactor.suspicious(text):
        body, found = redactor.value(body)
        if found:
            return _Clean(body, count + found.total(), None, faithful, integral=True)
    return _Clean(body, count, text, faithful, integral)


_BOUNDARY = re.compile(r'(?i)multipart/[^;]+;.*?\bboundary=(?:"([^"]+)"|([^\s;"]+))')


def _without_boundary(body: bytes, content_type: str) -> bytes:
    """A multipart body (RFC 2046, 5.1.1) with one boundary for all: clients draw it at random."""
    match = _BOUNDARY.match(content_type)
    if match is None:
        return body
    return body.replace(b"--" + (match[1] or match[2]).encode(), b"--boundary")


def _parsed(body: bytes, value: Callable[[], JSON] | None = None) -> tuple[JSON, bool]:
    """JSON, or the bytes themselves where a parser would alter it; whether it may hold a 1.0."""
    try:
        found = value() if value else load(body)
        return found, has_integral(found)
    except Unfaithful:
        return body, True


def _variant(body: JSON) -> Variant:
    stream = usage = False
    if isinstance(body, bytes):
        true = {
            path for path, begin, end in rawjson.members(body) if body[begin:end].strip() == b"true"
        }
        stream, usage = rawjson.STREAM in true, rawjson.INCLUDE_USAGE in true
    elif isinstance(body, dict):
        options = body.get("stream_options")
        stream = body.get("stream") is True
        usage = isinstance(options, dict) and options.get("include_usage") is True
    if not stream:
        return Variant.JSON
    return Variant.SSE_USAGE if usage else Variant.SSE


def _without_credentials(body: dict[str, JSON], dropped: list[Dropped]) -> dict[str, JSON]:
    """MCP servers lose theirs too: the SDK encrypts those anew for each call."""
    body = _bare(body, "$", dropped)
    servers = body.get("mcp_servers")
    place = "$.mcp_servers"
    if isinstance(servers, list):
        servers = [_bare(item, child_path(place, n), dropped) for n, item in enumerate(servers)]
    return {**body, "mcp_servers": _bare(servers, place, dropped)} if servers else body


def _bare(holder: JSON, place: str, dropped: list[Dropped]) -> JSON:
    if isinstance(holder, dict) and "credentials" in holder:
        dropped.append(Dropped(f"{place}.credentials", EXCLUDED["credentials"]))
        return {key: item for key, item in holder.items() if key != "credentials"}
    return holder


def _chat(body: dict[str, JSON], dropped: list[Dropped]) -> dict[str, JSON]:
    value: dict[str, JSON] = {}
    for key, item in body.items():
        if (not item or key in EXCLUDED) and (why := _why_not(key, item)):
            dropped.append(Dropped(child_path("$", key), why))
        else:
            value[key] = item
    model = value.get("model")
    if isinstance(model, list) and len(model) == 1 and isinstance(model[0], str):
        value["model"] = model[0]
    if isinstance(value.get("stop"), str):
        value["stop"] = [value["stop"]]
    if isinstance(value.get("messages"), list):
        value["messages"] = [_message(item) for item in value["messages"]]
    return value


def _why_not(key: str, item: JSON) -> str | None:
    """Why this field does not count, if it does not."""
    if key in EXCLUDED and not _is_ambiguous(key, item):
        return EXCLUDED[key]
    if item is None and key in _NULLABLE:
        return "null means absent"
    if item == [] and key in _EMPTY_IS_ABSENT:
        return "empty means absent"
    return None


def _is_ambiguous(key: str, item: JSON) -> bool:
    """Whether servers differ on the variant this asks for: some take "true" or 1 for true."""
    if key == "stream_options" and isinstance(item, dict):
        item = item.get("include_usage")
    elif key != "stream":
        return False
    return not (item is None or isinstance(item, bool))


def _message(message: JSON) -> JSON:
    if not isinstance(message, dict):
        return message
    value = message
    if None in message.values():
        value = {
            key: item
            for key, item in message.items()
            if item is not None or key not in _NULLABLE_IN_MESSAGE
        }
    if isinstance(value.get("content"), list):
        value = {**value, "content": _content(value["content"])}
    if isinstance(value.get("tool_calls"), list):
        calls = [_with_arguments(call, "function") for call in value["tool_calls"]]
        value = {**value, "tool_calls": calls}
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
    arguments = call["arguments"]
    written = (_repeated if len(arguments) <= _LONGEST_REPEATED else _written)(arguments)
    return {**holder, key: {**call, "arguments": written}}


def _written(arguments: str) -> str:
    """JSON text in canonical form; any other text as it is."""
    try:
        value, integral = read(arguments)
    except Unfaithful:
        return arguments
    return canonical(value, integral=integral).decode()


# An agent sends the calls of all its turns again with each request.
_LONGEST_REPEATED = 1024
_repeated = lru_cache(maxsize=2048)(_written)

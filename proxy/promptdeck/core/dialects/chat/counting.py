"""What counts of a chat completion request's body, and what counts as equal in it.

Everything counts unless `EXCLUDED` names it at the top level. What is written
differently but means the same (null for absent, one text part for a string, ...; all of
`EQUAL`) is brought to one form.
"""

from collections.abc import Collection, Mapping
from functools import lru_cache
from itertools import groupby
from typing import Any, NamedTuple

from promptdeck.core.dialects.base import LABELS, MARKERS, Dropped
from promptdeck.core.dialects.marks import without_marks
from promptdeck.core.interaction import Variant
from promptdeck.core.text import rawjson
from promptdeck.core.text.jsontext import JSON, Unfaithful, canonical, read
from promptdeck.core.text.paths import child_path

EXCLUDED: Mapping[str, str] = {
    "stream": "chooses the variant, JSON or SSE",
    "stream_options": "chooses the variant, with or without the usage chunk",
    **LABELS,
    "deferred": "when the answer is fetched",
    "credentials": "secret",
}
"""Top-level fields of a chat completion request that cannot change the answer, and why."""

NAMING = frozenset("user safety_identifier prompt_cache_key correlation_id".split())
"""Those of them that only name who asks."""

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
# Some SDKs send an empty list where there is nothing to send; to no server does it mean more.
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
        "a message, part or tool with and without marks for prompt caches",
        '{"messages": [{"content": "hi", "cache_control": {"type": "ephemeral"}}]}',
        '{"messages": [{"content": "hi"}]}',
    ),
    (
        "the JSON in a tool call's `arguments`, however it is written",
        r'{"messages": [{"tool_calls": [{"function": {"arguments": "{ \"a\": 1.0 }"}}]}]}',
        r'{"messages": [{"tool_calls": [{"function": {"arguments": "{\"a\":1}"}}]}]}',
    ),
)
"""What counts as equal in the body of a chat completion request, with an example of each."""


def variant_asked(body: JSON) -> Variant:
    """The variant that a body asks for: parsed, or as bytes where no parser reads it."""
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


class Laws(NamedTuple):
    """The names that are left out of a chat completion's canonical form."""

    excluded: Mapping[str, str]
    """Fields of the top level, and why."""
    marks: Collection[str]
    """Members of messages, of parts of their content and of tools."""


NOW = Laws(EXCLUDED, MARKERS)
SINCE = frozenset("labels prompt_cache_options cache_control diagnostics serviceTier".split())
"""The fields that count no longer since 0.1.0."""
ONCE = Laws({name: why for name, why in EXCLUDED.items() if name not in SINCE}, ())
"""Those of 0.1.0."""


def counting(body: dict[str, JSON], dropped: list[Dropped], laws: Laws = NOW) -> dict[str, JSON]:
    """A copy of a body with only what counts, each value in its one form.

    Appends to `dropped` what was left out at the top level.
    """
    value: dict[str, JSON] = {}
    for key, item in body.items():
        # Absent is what is excluded or empty: nearly all fields are neither.
        if (not item or key in laws.excluded) and (why := _why_not(key, item, laws)):
            dropped.append(Dropped(child_path("$", key), why))
        else:
            value[key] = item
    model = value.get("model")
    if isinstance(model, list) and len(model) == 1 and isinstance(model[0], str):
        value["model"] = model[0]
    if isinstance(value.get("stop"), str):
        value["stop"] = [value["stop"]]
    if isinstance(value.get("messages"), list):
        value["messages"] = [_message(item, laws) for item in value["messages"]]
    if laws.marks and isinstance(value.get("tools"), list):
        value["tools"] = [_tool(item) for item in value["tools"]]
    return value


def without_credentials(body: dict[str, JSON], dropped: list[Dropped]) -> dict[str, JSON]:
    """A body without `credentials`, its own and those of its MCP servers.

    The same object where there are none; appends to `dropped`. Those of MCP servers must
    not count either: the SDK encrypts them anew for each call.
    """
    body = _bare(body, "$", dropped)
    servers = body.get("mcp_servers")
    place = "$.mcp_servers"
    if isinstance(servers, list):
        servers = [_bare(item, child_path(place, n), dropped) for n, item in enumerate(servers)]
    return {**body, "mcp_servers": _bare(servers, place, dropped)} if servers else body


def matching_table() -> str:
    """README's two tables: what does not count, and what counts as equal."""
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


def _bare(holder: JSON, place: str, dropped: list[Dropped]) -> JSON:
    """An object without the member `credentials`; anything else as it is."""
    if isinstance(holder, dict) and "credentials" in holder:
        dropped.append(Dropped(f"{place}.credentials", EXCLUDED["credentials"]))
        return {key: item for key, item in holder.items() if key != "credentials"}
    return holder


def _why_not(key: str, item: JSON, laws: Laws) -> str | None:
    """Why a field of the top level does not count, or None if it does."""
    if key in laws.excluded and not _is_ambiguous(key, item):
        return laws.excluded[key]
    if item is None and key in _NULLABLE:
        return "null means absent"
    if item == [] and key in _EMPTY_IS_ABSENT:
        return "empty means absent"
    return None


def _is_ambiguous(key: str, item: JSON) -> bool:
    """True if servers may differ on the variant that a field asks for.

    Some take "true" or 1 for true: what they answer must not be served to who asked with
    true, nor to who asked with false.
    """
    if key == "stream_options" and isinstance(item, dict):
        item = item.get("include_usage")
    elif key != "stream":
        return False
    return not (item is None or isinstance(item, bool))


def _message(message: JSON, laws: Laws = NOW) -> JSON:
    """A message without nulls and marks, a sole text part as text, arguments in one form."""
    if not isinstance(message, dict):
        return message
    value = message
    if None in message.values() or any(mark in message for mark in laws.marks):
        value = {
            key: item
            for key, item in message.items()
            if key not in (_NULLABLE_IN_MESSAGE if item is None else laws.marks)
        }
    if isinstance(value.get("content"), list):
        value = {**value, "content": _content(value["content"], laws)}
    if isinstance(value.get("tool_calls"), list):
        calls = [_with_arguments(call, "function") for call in value["tool_calls"]]
        value = {**value, "tool_calls": calls}
    return _with_arguments(value, "function_call") if "function_call" in value else value


def _tool(tool: JSON) -> JSON:
    """A tool without marks, in it and in its function."""
    bare = without_marks(tool)
    if isinstance(bare, dict) and isinstance(bare.get("function"), dict):
        function = without_marks(bare["function"])
        bare = bare if function is bare["function"] else {**bare, "function": function}
    return bare


def _content(content: JSON, laws: Laws) -> JSON:
    """Content without marks; the text of a list of one text part that has nothing else."""
    if laws.marks and isinstance(content, list):
        content = [without_marks(part) for part in content]
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


# An agent sends the calls of all its turns again with each request: 1 to 3 us to bring one to
# its form, 0.07 to remember it. 2048 are the calls of a few long sessions; with longer ones
# left out they hold some 4 MB at most.
_LONGEST_REPEATED = 1024
_repeated = lru_cache(maxsize=2048)(_written)

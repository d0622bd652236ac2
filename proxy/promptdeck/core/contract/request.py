"""The sixty fields of a chat completion request, and what is wrong with a request's body.

The one definition: requests are checked against it, the OpenAPI document and
README's table of fields are written from it. What its fields hold is in
`messages` and `tools`, what is answered in `answers`.

A body that an SDK's own tests send is sound. So JSON types are enforced, and of
the lists of values those that the SDKs have as types (`prompt_mode`, `speed`,
formats of audio, safety settings, the tags of objects). Ranges, lengths and
other lists of values draw a warning: openai-python 3.54 sends `max_tokens: 0`
and a negative `seed`, dedalus_labs 0.3.0 a `service_tier` of "service_tier".
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from heapq import nsmallest
from re import findall
from typing import NamedTuple

from promptdeck.core.dialects.chat.counting import EQUAL, EXCLUDED
from promptdeck.core.text.jsontext import JSON, parse

from . import tools
from .compound import Advised, Either, ListOf, MapOf, Object, Unknown, nullable
from .messages import FREE, MAYBE_TEXT, MESSAGE, TEXT
from .schema import (
    ANYTHING,
    LONGEST_GUESSED,
    Absent,
    Boolean,
    Enum,
    Integer,
    JSONSchema,
    Number,
    Problem,
    Schema,
    Text,
    label,
    nearest,
)
from .tools import MAYBE_BOOLEAN, MAYBE_FREE, MAYBE_INTEGER
from .violations import Checked, judge


class Field(NamedTuple):
    """One field of a request's body."""

    schema: Schema
    provider: str
    """In whose API it is, in words for a table: a name, several, or `all`."""
    about: str
    """Its purpose, in a sentence."""
    default: JSON = None
    """The value that counts where it is absent; None where the provider alone knows one."""
    deprecated: bool = False


def _options(name: str, **known: Schema) -> Schema:
    """An object that is typed as free and documented to hold `known`; null for absent."""
    advised = {key: Advised(nullable(item)) for key, item in known.items()}
    return nullable(Object({}, advised, name=name))


_COMMON = "all"
_PENALTY = nullable(Number(-2, 2))
_SHARE = MapOf(Number(0, 1))

# The types are those of dedalus_labs 0.3.0. Where the ranges of two documents differ, the wider
# counts: a temperature up to 2 as in OpenAI's API reference (Dedalus's OpenAPI document has
# Anthropic's 1), 20 alternatives as OpenAI gives (that document has xAI's 8). A seed is a signed
# integer of 64 bits, n and stop, penalties and biases are OpenAI's, max_turns is Dedalus's.
FIELDS: Mapping[str, Field] = {
    "model": Field(
        tools.MODEL,
        "OpenAI; objects and lists Dedalus",
        "Who answers: a name, a name with settings, or a list to choose from, first come first.",
    ),
    "messages": Field(nullable(ListOf(MESSAGE)), "OpenAI", "The conversation so far."),
    "temperature": Field(nullable(Number(0, 2)), _COMMON, "How freely tokens are drawn.", 1),
    "max_tokens": Field(nullable(Integer(1)), _COMMON, "Most tokens to answer with."),
    "max_completion_tokens": Field(
        MAYBE_INTEGER, "OpenAI", "The same under its newer name; reasoning counts too."
    ),
    "top_p": Field(
        nullable(Number(0, 1)), _COMMON, "Draw from the likeliest tokens of this total mass.", 1
    ),
    "top_k": Field(
        nullable(Integer(0)), "Anthropic, Google, Mistral", "Draw from this many likeliest tokens."
    ),
    "n": Field(nullable(Integer(1, 128)), "OpenAI", "How many answers to give.", 1),
    "seed": Field(
        nullable(Integer(0, 2**63 - 1)), "OpenAI", "Same seed, same answer, as far as that goes."
    ),
    "stream": Field(MAYBE_BOOLEAN, _COMMON, "Answer as server-sent events.", default=False),
    "stream_options": Field(
        _options("StreamOptions", include_usage=Boolean(), include_obfuscation=Boolean()),
        "OpenAI",
        "With `include_usage` a last chunk tells the usage.",
    ),
    "system_instruction": Field(
        nullable(Either(TEXT, FREE)), "Google", "Instructions that stand before the conversation."
    ),
    "prompt_mode": Field(
        nullable(Enum(["reasoning"])), "Mistral", "The system prompt for reasoning, or none."
    ),
    "response_format": Field(
        nullable(tools.RESPONSE_FORMAT), "OpenAI", "Text, any JSON, or JSON of a given schema."
    ),
    "tools": Field(nullable(ListOf(tools.TOOL)), "OpenAI", "What the model may call."),
    "tool_choice": Field(
        nullable(tools.TOOL_CHOICE),
        "OpenAI; typed objects Anthropic",
        "Whether a tool is called, and which one.",
        "auto",
    ),
    "parallel_tool_calls": Field(
        MAYBE_BOOLEAN, "OpenAI, Mistral, xAI", "Whether one turn may call several tools.", True
    ),
    "automatic_tool_execution": Field(
        Boolean(), "Dedalus", "Run tools on the server; without, their calls are returned.", True
    ),
    "tool_config": Field(MAYBE_FREE, "Google", "How tools are called."),
    "functions": Field(nullable(ListOf(tools.FUNCTION)), "OpenAI", "Use `tools`.", deprecated=True),
    "function_call": Field(
        nullable(Either(TEXT, Object({"name": TEXT}, name="FunctionName"))),
        "OpenAI",
        "Use `tool_choice`.",
        deprecated=True,
    ),
    "mcp_servers": Field(
        nullable(tools.MCP_SERVERS),
        "Dedalus",
        "MCP servers whose tools the model may call: slugs, URLs or specifications.",
    ),
    "credentials": Field(tools.CREDENTIALS, "Dedalus", "Credentials for MCP servers."),
    "stop": Field(
        nullable(Either(TEXT, ListOf(TEXT, most=4))), "OpenAI", "Texts at which the answer ends."
    ),
    "presence_penalty": Field(_PENALTY, "OpenAI", "Against tokens that were there before.", 0),
    "frequency_penalty": Field(_PENALTY, "OpenAI", "Against tokens that were there often.", 0),
    "logit_bias": Field(
        nullable(tools.LOGIT_BIAS), "OpenAI", "Makes tokens, named by id, more or less likely."
    ),
    "logprobs": Field(MAYBE_BOOLEAN, "OpenAI", "Tell how likely each token was.", default=False),
    "top_logprobs": Field(
        nullable(Integer(0, 20)), "OpenAI", "How many alternatives to each token to tell of."
    ),
    "user": Field(MAYBE_TEXT, "OpenAI", "Use `safety_identifier`.", deprecated=True),
    "safety_identifier": Field(
        nullable(Text(longest=64)), "OpenAI", "Names your user, so that abuse can be traced."
    ),
    "modalities": Field(
        nullable(ListOf(Text(["text", "audio", "image"]))), "OpenAI", "Kinds of answer wanted."
    ),
    "audio": Field(nullable(tools.AUDIO), "OpenAI", "Voice and format of a spoken answer."),
    "prompt_cache_key": Field(MAYBE_TEXT, "OpenAI", "Groups requests with a common prefix."),
    "prompt_cache_retention": Field(
        nullable(Text(["in_memory", "24h"])), "OpenAI", "How long the provider caches the prompt."
    ),
    "cached_content": Field(
        nullable(Text(pattern="cachedContents/.+")), "Google", "Names a context cached before."
    ),
    "reasoning_effort": Field(
        nullable(Text(tools.EFFORTS)), "OpenAI, xAI, Mistral", "How hard to think.", "medium"
    ),
    "thinking": Field(nullable(tools.THINKING), "Anthropic", "Whether to think, and how long."),
    "prediction": Field(
        nullable(tools.PREDICTION), "OpenAI", "Text that much of the answer will repeat."
    ),
    "safe_prompt": Field(
        MAYBE_BOOLEAN, "Mistral", "Put a safety prompt before the conversation.", default=False
    ),
    "safety_settings": Field(
        nullable(ListOf(tools.SAFETY_SETTING)), "Google", "What is blocked, by kind of harm."
    ),
    "guardrails": Field(nullable(ListOf(FREE)), "Dedalus", "Content filters and policies."),
    "agent_attributes": Field(nullable(_SHARE), "Dedalus", "What routing should weigh."),
    "model_attributes": Field(
        nullable(MapOf(_SHARE)), "Dedalus", "The same for each model, by its name."
    ),
    "handoff_config": Field(MAYBE_FREE, "Dedalus", "How models hand over to one another."),
    "handoff_mode": Field(
        MAYBE_BOOLEAN, "Dedalus", "Handoffs structured (true), drop-in (false) or as found (null)."
    ),
    "correlation_id": Field(MAYBE_TEXT, "Dedalus", "Names a session whose handoff goes on."),
    "deferred_calls": Field(
        nullable(ListOf(tools.DEFERRED_CALL)), "Dedalus", "Calls to go on with, as answered before."
    ),
    "max_turns": Field(nullable(Integer(1, 100)), "Dedalus", "Most turns to take on the server."),
    "service_tier": Field(
        nullable(Text(tools.TIERS)), "OpenAI, Anthropic, Google, Mistral, xAI", "How soon.", "auto"
    ),
    "speed": Field(nullable(Enum(["standard", "fast"])), "Anthropic", "How fast tokens come."),
    "inference_geo": Field(MAYBE_TEXT, "Anthropic", "In which region."),
    "deferred": Field(
        MAYBE_BOOLEAN, "xAI", "Answer with an id under which to collect; not with `stream`.", False
    ),
    "metadata": Field(
        nullable(MapOf(Advised(Text(longest=512)), most=16, longest_key=64)),
        "OpenAI",
        "Labels, by which stored completions are found.",
    ),
    "store": Field(MAYBE_BOOLEAN, "OpenAI", "Keep the completion, to be listed and read.", False),
    "generation_config": Field(MAYBE_FREE, "Google", "Sampling fields under Google's names."),
    "output_config": Field(MAYBE_FREE, "Anthropic", "Effort and format under Anthropic's names."),
    "search_parameters": Field(
        _options(
            "SearchParameters",
            mode=Text(["off", "auto", "on"]),
            sources=ListOf(FREE),
            from_date=TEXT,
            to_date=TEXT,
            return_citations=Boolean(),
            max_search_results=Integer(),
        ),
        "xAI",
        "What live search looks for.",
    ),
    "web_search_options": Field(
        _options(
            "WebSearchOptions",
            search_context_size=Text(["low", "medium", "high"]),
            user_location=FREE,
        ),
        "OpenAI",
        "How the web is searched.",
    ),
    "verbosity": Field(
        nullable(Text(["low", "medium", "high"])), "OpenAI", "How wordy to be.", "medium"
    ),
}
"""In the order of the API reference."""

_SCHEMAS = {name: field.schema for name, field in FIELDS.items()}
BODY = Object({"model": _SCHEMAS.pop("model")}, _SCHEMAS)
"""The shape of a request's body: only `model` is required, unknown keys pass."""

# Fields of other servers, and too like one of these to tell from its misspelling.
_FOREIGN = frozenset(
    """cachedContent max_input_tokens max_new_tokens min_tokens models prompt_cache_options
    reasoning_format top_a""".split()
)


def check(body: JSON, *, strict: bool = False) -> Checked:
    """Find all that is wrong with the parsed body of a request: violations, and warnings.

    With `strict` what is only documented is a violation too, but for keys that look misspelt.
    """
    problems = BODY.check(body)
    if type(body) is not dict:
        return judge(problems, strict=strict)
    problems += tuple(_at_odds(body))
    checked = judge(problems, strict=strict)
    if body.keys() <= FIELDS.keys():
        return checked
    return checked._replace(warnings=checked.warnings + judge(tuple(_strays(body))).warnings)


def _at_odds(body: dict[str, JSON]) -> Iterator[Problem]:
    """The problems of fields that are documented to go together and do not, all of them advice.

    The first three are in OpenAI's API reference, the budget that is less than the limit in
    Anthropic's, `slug` or `url` in Dedalus's. The body's own problems are told elsewhere: here
    any of its values may be of a wrong type.
    """
    if body.get("top_logprobs") is not None and body.get("logprobs") is not True:
        yield _documented(body, "true, as top_logprobs needs it", "logprobs")
    if body.get("stream_options") and body.get("stream") is not True:
        yield _documented(body, "true, as stream_options needs it", "stream")
    modalities = body.get("modalities")
    if isinstance(modalities, list) and "audio" in modalities and not body.get("audio"):
        yield _documented(body, "an object, as modalities has audio", "audio")
    thinking, limit = body.get("thinking"), body.get("max_tokens")
    budget = thinking.get("budget_tokens") if isinstance(thinking, dict) else None
    if type(budget) is type(limit) is int and budget >= limit:
        yield _documented(body, "less than max_tokens", "thinking", "budget_tokens")
    servers = body.get("mcp_servers")
    for index, server in enumerate(servers if isinstance(servers, list) else []):
        if isinstance(server, dict) and bool(server.get("slug")) is bool(server.get("url")):
            yield _documented(body, "either a slug or a url", "mcp_servers", index)


def _documented(body: JSON, expected: str, *path: str | int) -> Problem:
    """The advice that at `path` of the body, or where it would be, `expected` should stand."""
    value = body
    for key in path:
        value = value.get(key, Absent("")) if isinstance(value, dict) else value[key]
    return Problem(path, expected, value, ANYTHING, enforced=False)


def _strays(body: dict[str, JSON]) -> Iterator[Problem]:
    """The advice on unknown keys that look like misspelt fields; at most 20 are looked at.

    Unknown keys pass, as Dedalus's OpenAPI document says, also where all else is enforced.
    """
    unknown = [key for key in body if key not in FIELDS and key not in _FOREIGN]
    # What is said of a body must not hang on the order of its members.
    for key in unknown if len(unknown) <= _MOST_STRAYS else nsmallest(_MOST_STRAYS, unknown):
        if len(key) <= LONGEST_GUESSED and _meant(key):
            problem = _UNKNOWN.check(body[key])[0]
            yield problem._replace(path=(key,), enforced=False)


# Each takes difflib 0.2 ms when it is seen first, and no body that is meant has so many: these
# are 4 ms at most.
_MOST_STRAYS = 20
_UNKNOWN = Unknown(tuple(FIELDS))


# A program sends the same few keys again and again. 1,024 of at most 40 characters are 0.2 MB.
@lru_cache(maxsize=1024)
def _meant(key: str) -> str:
    """The field that `key` may be a misspelling of, or the empty string."""
    return nearest(key, FIELDS)


def body_shape(shapes: dict[str, JSONSchema]) -> JSONSchema:
    """The body as JSON Schema, the fields with their defaults; named shapes go into `shapes`."""
    properties = {name: _property(field, shapes) for name, field in FIELDS.items()}
    return {
        "type": "object",
        "properties": properties,
        "required": [*BODY.required],
        "additionalProperties": True,
    }


def _property(field: Field, shapes: dict[str, JSONSchema]) -> JSONSchema:
    """A field's JSON Schema with what the document says of it beside its type."""
    shape = field.schema.shape(shapes)
    text = f"{field.about} {shape.get('description', '')}".strip()
    return {
        **shape,
        "description": text,
        **({"default": field.default} if field.default is not None else {}),
        **({"deprecated": True} if field.deprecated else {}),
    }


def fields_table() -> str:
    """README's table of the fields: type, whether it is in the key, whose it is, who has it."""
    from promptdeck.core.dialects.translate.fields import reaches  # no request needs it

    shapes: dict[str, JSONSchema] = {}
    rows = [
        f"| `{name}`{', deprecated' * field.deprecated} "
        f"| {label(field.schema.shape(shapes))} | {in_key(name)} | {field.provider} "
        f"| {reaches(name)} |"
        for name, field in FIELDS.items()
    ]
    head = ["| field | type | in the key | from | reaches |", "|---|---|---|---|---|"]
    return "\n".join([*head, *rows])


def in_key(name: str) -> str:
    """Say in words whether field `name` counts when requests are compared, and what is equal in it.

    `no: ` and the reason, `yes`, or `yes; equal: ` and what is.
    """
    if name in EXCLUDED:
        return f"no: {EXCLUDED[name]}"
    about = [what for what, one, _ in EQUAL if name in _is_about(what, parse(one))]
    equal = [what.partition(", for `")[0] for what in about]
    if name == "mcp_servers":
        equal.append("any `credentials` and none")
    return f"yes; equal: {'; '.join(equal)}" if equal else "yes"


def _is_about(what: str, example: dict[str, JSON]) -> Iterable[str]:
    """The fields that an entry of `EQUAL` is about, by what it says and by its example."""
    named = [name for name in findall(r"`(\w+)`", what) if name in FIELDS]
    return named or [name for name, value in example.items() if isinstance(value, list | str)]

"""The shapes of answers: a completion, a stream's chunks, lists, models and errors.

Answers are the upstream's and pass as they are; no answer is judged by these
shapes. They are what a client may count on, what promptdeck's own answers keep
to, and what the OpenAPI document says. Other fields pass.
"""

from .compound import Either, ListOf, MapOf, Object, nullable
from .messages import FREE, MAYBE_TEXT, TEXT, TOOL_CALL
from .schema import ANYTHING, NULL, Boolean, Enum, Integer, Number, Schema, Text
from .tools import DEFERRED_CALL, MAYBE_INTEGER, TEXTS, TIERS

INTEGER = Integer()

# A completion

_TOP_LOGPROB = {"token": TEXT, "logprob": Number()}
_BYTES: dict[str, Schema] = {"bytes": nullable(ListOf(INTEGER))}
_LOGPROBS = nullable(
    Object(
        {},
        dict.fromkeys(
            ["content", "refusal"],
            nullable(
                ListOf(
                    Object(
                        _TOP_LOGPROB,
                        {**_BYTES, "top_logprobs": nullable(ListOf(Object(_TOP_LOGPROB, _BYTES)))},
                        name="TokenLogprob",
                    )
                )
            ),
        ),
        name="Logprobs",
    )
)
_FINISH = nullable(Text("stop length tool_calls content_filter function_call".split()))
_CALLED = nullable(Object({}, {"name": MAYBE_TEXT, "arguments": MAYBE_TEXT}))
_URL_CITATION = Object(
    {}, {"start_index": INTEGER, "end_index": INTEGER, "url": TEXT, "title": TEXT}
)
_AUDIO = Object(
    {}, {"id": TEXT, "data": TEXT, "expires_at": INTEGER, "transcript": TEXT}, name="SpokenAnswer"
)
_ANSWERED: dict[str, Schema] = {
    "content": Either(TEXT, ListOf(FREE), NULL, about="A list is Mistral's way."),
    "refusal": MAYBE_TEXT,
    "tool_calls": nullable(ListOf(TOOL_CALL)),
    "annotations": nullable(ListOf(Object({}, {"type": TEXT, "url_citation": _URL_CITATION}))),
    "audio": nullable(_AUDIO),
    "function_call": _CALLED,
    "reasoning_content": nullable(Text(about="What xAI, DeepSeek and others tell of reasoning.")),
}
ANSWER_MESSAGE = Object(
    {"role": Text(["assistant"])}, _ANSWERED, asked=["content", "refusal"], name="AnswerMessage"
)
_CHOICE = Object(
    {"index": INTEGER, "message": ANSWER_MESSAGE},
    {"finish_reason": _FINISH, "logprobs": _LOGPROBS},
    asked=["finish_reason"],
    name="Choice",
)


def _counts(names: str) -> Schema:
    """An object of counts under these names, each an integer or null; or null."""
    return nullable(Object({}, dict.fromkeys(names.split(), MAYBE_INTEGER)))


USAGE = Object(
    dict.fromkeys(["prompt_tokens", "completion_tokens", "total_tokens"], INTEGER),
    {
        "prompt_tokens_details": _counts("audio_tokens cached_tokens"),
        "completion_tokens_details": _counts(
            "accepted_prediction_tokens audio_tokens reasoning_tokens rejected_prediction_tokens"
        ),
    },
    name="Usage",
)
_MCP_RESULT = Object(
    {"tool_name": TEXT, "server_name": TEXT, "arguments": FREE, "is_error": Boolean()},
    {"result": ANYTHING, "duration_ms": MAYBE_INTEGER},
    name="MCPToolResult",
)
_MCP_RESULTS = nullable(ListOf(_MCP_RESULT))
_PENDING_TOOL = Object(
    {"id": TEXT, "name": TEXT, "arguments": FREE},
    {"dependencies": nullable(TEXTS)},
    name="PendingTool",
)
_CREATED = Integer(about="Seconds since the epoch.")
_META: dict[str, Schema] = {
    "usage": nullable(USAGE),
    "system_fingerprint": MAYBE_TEXT,
    "service_tier": nullable(Text(TIERS)),
}
_COMPLETION: dict[str, Schema] = {
    "id": TEXT,
    "object": Enum(["chat.completion"]),
    "created": _CREATED,
    "model": TEXT,
    "choices": ListOf(_CHOICE),
}
_DEDALUS: dict[str, Schema] = {
    "tools_executed": nullable(TEXTS),
    "mcp_tool_results": _MCP_RESULTS,
    "mcp_server_errors": nullable(
        MapOf(Object({"message": TEXT}, {"code": MAYBE_TEXT, "recommendation": MAYBE_TEXT}))
    ),
    "pending_tools": nullable(ListOf(_PENDING_TOOL)),
    "server_results": nullable(FREE),
    "correlation_id": MAYBE_TEXT,
    "deferred": nullable(ListOf(DEFERRED_CALL)),
    "turns_consumed": MAYBE_INTEGER,
}
_METADATA = nullable(MapOf(TEXT))
COMPLETION = Object(
    _COMPLETION, {**_META, "metadata": _METADATA, **_DEDALUS}, name="ChatCompletion"
)
# xAI answers `request_id` alone; the SDKs' own tests want a completion of it, if an empty one.
DEFERRED = Object(
    {**_COMPLETION, "choices": ListOf(_CHOICE, about="Empty."), "request_id": TEXT},
    about="The answer to `deferred: true`: collect the completion under its `request_id`.",
    name="DeferredCompletion",
)

# A stream

# Unlike a whole call: only the first of its deltas has id, type and name.
_DELTA_CALL = Object(
    {"index": INTEGER},
    {
        "id": MAYBE_TEXT,
        "type": MAYBE_TEXT,
        "function": _CALLED,
        "thought_signature": MAYBE_TEXT,
    },
    name="ToolCallDelta",
)
_DELTA = Object(
    {},
    {
        "role": nullable(Text("developer system user assistant tool".split())),
        **_ANSWERED,
        "tool_calls": nullable(ListOf(_DELTA_CALL)),
        "audio": nullable(FREE),
    },
    name="Delta",
)
_CHUNK_CHOICE = Object(
    {"index": INTEGER, "delta": _DELTA},
    {"finish_reason": _FINISH, "logprobs": _LOGPROBS},
    asked=["finish_reason"],
    name="ChunkChoice",
)
_EVENT = nullable(Object({}, {"type": TEXT, "agent": TEXT, "model": TEXT}))
CHUNK = Object(
    {
        "id": TEXT,
        "object": Enum(["chat.completion.chunk"]),
        "created": _CREATED,
        "model": TEXT,
        "choices": ListOf(_CHUNK_CHOICE, about="Empty in the chunk that tells the usage."),
    },
    {
        **_META,
        "mcp_tool_results": _MCP_RESULTS,
        "x_dedalus_event": _EVENT,
        "dedalus_event": _EVENT,
    },
    name="ChatCompletionChunk",
)

# Lists

DELETED = Object(
    {"id": TEXT, "object": Enum(["chat.completion.deleted"]), "deleted": Boolean()},
    name="ChatCompletionDeleted",
)


def _page(item: Schema, name: str) -> Object:
    """A page of a list of such items, as OpenAI's lists have it, under its name in the document."""
    return Object(
        {"object": Enum(["list"]), "data": ListOf(item), "has_more": Boolean()},
        {"first_id": MAYBE_TEXT, "last_id": MAYBE_TEXT},
        name=name,
    )


COMPLETIONS = _page(COMPLETION, "ChatCompletionList")
STORED_MESSAGES = _page(
    Object(
        {"id": TEXT, "role": TEXT},
        {
            "content": ANYTHING,
            "content_parts": nullable(ListOf(FREE)),
            "name": MAYBE_TEXT,
            "tool_calls": nullable(ListOf(TOOL_CALL)),
        },
        name="StoredMessage",
    ),
    "StoredMessageList",
)
MODEL_CARD = Object(
    {"id": Text(about="May hold a slash.")},
    {
        "object": Text(["model"]),
        "created": _CREATED,
        "owned_by": TEXT,
        "provider": MAYBE_TEXT,
        "created_at": nullable(Text(about="RFC 3339.")),
        "display_name": MAYBE_TEXT,
        "description": MAYBE_TEXT,
        "version": MAYBE_TEXT,
        "capabilities": nullable(FREE),
        "defaults": nullable(FREE),
        "provider_info": nullable(FREE),
        "provider_declared_generation_methods": nullable(TEXTS),
    },
    name="Model",
)
MODELS = Object({"object": Enum(["list"]), "data": ListOf(MODEL_CARD)}, name="ModelList")

# Errors

_PROBLEM: dict[str, Schema] = {"message": TEXT}
_PROBLEM_MORE: dict[str, Schema] = {
    "type": MAYBE_TEXT,
    "param": nullable(Text(about="JSON path of what is wrong.")),
    "code": nullable(Either(TEXT, INTEGER)),
    "details": Either(FREE, ListOf(FREE), NULL, about="All that is wrong, or what came near."),
}
ERROR = Object(
    {"error": Object(_PROBLEM, _PROBLEM_MORE)},
    {**_PROBLEM, **_PROBLEM_MORE},
    about="The openai SDK reads `error`, the dedalus SDK the same fields beside it.",
    name="Error",
)

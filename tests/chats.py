"""Chat completions and streams for the tests: drawn of every kind, and a few by hand."""

import orjson
from hypothesis import strategies as st

from promptdeck.core.text import sse
from promptdeck.core.text.jsontext import compact

TEXT = st.text(
    st.one_of(
        st.sampled_from(' \n"{}:,.aé漢字かな한🙂👩🏽‍🚀\u0301\u200d'), st.characters(codec="utf-8")
    ),
    max_size=20,
)
NAMES = st.text("abcdefgh_", min_size=1, max_size=8)
NUMBERS = st.integers(0, 2**53)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-1, 1) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | TEXT, inner, max_size=3),
    max_leaves=6,
)


def record(required, **optional):
    return st.fixed_dictionaries(required, optional=optional)


def with_unknown(strategy):
    """Keys of a provider's own, with a prefix that keeps them apart from the known ones."""
    unknown = st.dictionaries(NAMES.map("x_{}".format), ANY_JSON, max_size=2)
    return st.builds(dict.__or__, unknown, strategy)


FUNCTION_CALL = with_unknown(
    record(
        {"id": TEXT, "type": st.just("function")},
        function=record({"name": NAMES, "arguments": TEXT}),
        thought_signature=TEXT,
    )
)
CUSTOM_CALL = record(
    {"id": TEXT, "type": st.just("custom"), "custom": record({"name": NAMES, "input": TEXT})}
)
PARTS = st.lists(record({"type": st.sampled_from(["text", "thinking"]), "text": TEXT}), max_size=3)
MESSAGES = with_unknown(
    record(
        {
            "role": st.just("assistant"),
            "content": st.none() | TEXT | PARTS,
            "refusal": st.none() | TEXT,
        },
        reasoning_content=st.none() | TEXT,
        reasoning=TEXT,
        reasoning_details=st.lists(record({"index": st.integers(0, 1), "text": TEXT}), max_size=3),
        tool_calls=st.none() | st.lists(FUNCTION_CALL | CUSTOM_CALL, max_size=3),
        function_call=st.none() | record({"name": NAMES, "arguments": TEXT}),
        annotations=st.lists(record({"type": NAMES, "url": TEXT}), max_size=2),
        audio=st.none()
        | record({"id": NAMES, "data": TEXT, "transcript": TEXT, "expires_at": NUMBERS}),
    )
)
ENTRIES = st.lists(record({"token": TEXT, "logprob": st.floats(-9, 0)}), max_size=4)
LOGPROBS = with_unknown(record({}, content=st.none() | ENTRIES, refusal=st.none() | ENTRIES))
REASONS = st.sampled_from(["stop", "length", "tool_calls", "content_filter", "function_call", None])
CHOICES = with_unknown(
    record({"message": MESSAGES, "finish_reason": REASONS}, logprobs=st.none() | LOGPROBS)
)


def with_tokens_of_the_content(choice):
    entries = choice["logprobs"]["content"]
    content = "".join(entry["token"] for entry in entries)
    return choice | {"message": choice["message"] | {"content": content}}


TOKENS = with_unknown(record({"content": ENTRIES.filter(bool)}, refusal=st.none() | ENTRIES))
TOKEN_CHOICES = record(
    {"message": MESSAGES, "finish_reason": REASONS, "logprobs": TOKENS},
).map(with_tokens_of_the_content)
COMPLETIONS = with_unknown(
    record(
        {
            "id": TEXT,
            "object": st.just("chat.completion"),
            "created": NUMBERS,
            "model": TEXT,
            "choices": st.lists(CHOICES | TOKEN_CHOICES, max_size=3).map(
                lambda choices: [{"index": i} | choice for i, choice in enumerate(choices)]
            ),
        },
        usage=st.none() | record({"prompt_tokens": NUMBERS, "total_tokens": NUMBERS}),
        system_fingerprint=st.none() | TEXT,
        service_tier=st.none() | TEXT,
        mcp_tool_results=st.none() | st.lists(record({"tool_name": NAMES, "result": ANY_JSON})),
        tools_executed=st.lists(NAMES),
    )
)

HELLO = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1_700_000_000,
    "model": "openai/gpt-5",
    "system_fingerprint": "fp_1",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Hello, wide world!", "refusal": None},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7},
}
WEATHER = HELLO | {
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": None,
                "refusal": None,
                "tool_calls": [
                    {
                        "id": "call_1",
                        "type": "function",
                        "function": {"name": "weather", "arguments": '{"city":"Paris"}'},
                    },
                    {
                        "id": "call_2",
                        "type": "function",
                        "function": {"name": "time", "arguments": "{}"},
                    },
                ],
            },
            "finish_reason": "tool_calls",
        }
    ]
}


def message(**keys):
    return HELLO | {
        "choices": [{"index": 0, "message": {"role": "assistant"} | keys, "finish_reason": "stop"}]
    }


def values(frames):
    """The chunks in frames that hold any."""
    texts = [sse.parse(frame).data for frame in frames]
    return [orjson.loads(text) for text in texts if text != sse.DONE]


def frames_of(*chunks):
    return [sse.encode(compact(chunk)) for chunk in chunks]


HOSTILE_KEYS = st.sampled_from(
    [
        "choices", "delta", "message", "index", "content", "tool_calls", "function", "arguments",
        "id", "created", "object", "usage", "logprobs", "name", "role", "type", "finish_reason",
    ]
)  # fmt: skip
HOSTILE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(HOSTILE_KEYS, inner, max_size=5),
    max_leaves=20,
)
HOSTILE_CHUNKS = st.one_of(
    HOSTILE,
    record({"choices": st.lists(record({"delta": HOSTILE}, index=HOSTILE, logprobs=HOSTILE))}),
    record(
        {
            "choices": st.lists(
                record({"delta": record({"tool_calls": st.lists(HOSTILE), "content": HOSTILE})})
            )
        }
    ),
)


def hostile_frame(value):
    try:
        return sse.encode(orjson.dumps(value))
    except TypeError:  # an integer beyond 64 bits
        return sse.encode(b'{"n":%d}' % 2**70)

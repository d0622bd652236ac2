"""Answers in the protocols of models for the tests: drawn of every kind, and streams as they come.

`PROTOCOLS` has one entry for each dialect whose answers come whole or as a stream.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson
from hypothesis import strategies as st

from promptdeck.core.interaction import Frame, Response, Variant
from promptdeck.core.text import sse
from promptdeck.core.text.jsontext import compact
from tests.chats import ANY_JSON, COMPLETIONS, HELLO, NAMES, NUMBERS, TEXT, record, with_unknown
from tests.chats import frames_of as chat_frames


class Protocol(NamedTuple):
    """One protocol's samples."""

    path: str
    """Of a request for JSON."""
    messages: st.SearchStrategy[dict[str, Any]]
    """Whole answers of all kinds."""
    stream: list[bytes]
    """A stream with all that there is, as the provider sends it."""
    whole: dict[str, Any]
    """What it adds up to."""
    text: str
    """What that says."""
    end: int
    """How many frames of the stream make it whole."""
    body: dict[str, Any]
    """A request."""
    stream_path: str = ""
    """Of a request for a stream, where the path tells."""
    in_lines: bool = False
    """Whether a stream has lines of JSON in place of events."""

    @property
    def variant(self) -> Variant:
        """The variant of a stream."""
        return Variant.LINES if self.in_lines else Variant.SSE

    def streamed(self, frames: Sequence[bytes]) -> Response:
        """A stream of these frames."""
        kind = "application/x-ndjson" if self.in_lines else "text/event-stream"
        return response(frames, kind)

    def framed(self, value: Any) -> bytes:
        """A frame with this value."""
        data = value if isinstance(value, bytes) else orjson.dumps(value)
        return data + b"\n" if self.in_lines else sse.encode(data)


def response(frames, kind="text/event-stream", step=10):
    """A stream of these frames, or an answer of this type."""
    return Response(
        200,
        (("content-type", kind),),
        tuple(Frame(100 + step * n, data) for n, data in enumerate(frames)),
    )


def answer(message):
    return response([compact(message)], "application/json")


def typed(kind, **more):
    return sse.encode(orjson.dumps({"type": kind, **more}), event=kind)


# Messages

CITATIONS = st.lists(with_unknown(record({"type": NAMES, "cited_text": TEXT})), max_size=2)
OBJECTS = st.dictionaries(NAMES | TEXT, ANY_JSON, max_size=3)
BLOCKS = st.one_of(
    with_unknown(record({"type": st.just("text"), "text": TEXT}, citations=st.none() | CITATIONS)),
    with_unknown(record({"type": st.just("thinking"), "thinking": TEXT, "signature": TEXT})),
    record({"type": st.just("redacted_thinking"), "data": TEXT}),
    with_unknown(
        record(
            {
                "type": st.sampled_from(["tool_use", "server_tool_use", "mcp_tool_use"]),
                "id": TEXT,
                "name": NAMES,
                "input": OBJECTS,
            }
        )
    ),
    with_unknown(
        record(
            {
                "type": st.sampled_from(["web_search_tool_result", "x_tool_result", "x_new"]),
                "content": ANY_JSON,
            }
        )
    ),
)
USAGE = with_unknown(
    record(
        {"input_tokens": NUMBERS, "output_tokens": NUMBERS},
        cache_creation_input_tokens=st.none() | NUMBERS,
        cache_read_input_tokens=st.none() | NUMBERS,
        server_tool_use=st.none() | record({"web_search_requests": NUMBERS}),
        output_tokens_details=st.none() | record({"thinking_tokens": NUMBERS}),
        service_tier=TEXT,
    )
)
MESSAGES = with_unknown(
    record(
        {
            "id": TEXT,
            "type": st.just("message"),
            "role": st.just("assistant"),
            "model": NAMES,
            "content": st.lists(BLOCKS, max_size=4),
            "stop_reason": st.sampled_from(["end_turn", "tool_use", "max_tokens", "refusal"]),
            "stop_sequence": st.none() | TEXT,
            "usage": USAGE,
        },
        container=st.none() | record({"id": TEXT}),
        stop_details=st.none() | record({"type": NAMES}),
        context_management=st.none() | OBJECTS,
    )
)
CITED = {"type": "web_search_result_location", "cited_text": "It is.", "url": "https://a.example"}
FOUND = {
    "type": "web_search_tool_result",
    "tool_use_id": "srvtoolu_1",
    "content": [{"type": "web_search_result", "url": "https://a.example", "title": "A"}],
}


def _delta(index, kind, **more):
    return typed("content_block_delta", index=index, delta={"type": kind, **more})


def _begun(index, **block):
    return typed("content_block_start", index=index, content_block=block)


def _stop(index):
    return typed("content_block_stop", index=index)


MESSAGES_STREAM = [
    typed(
        "message_start",
        message={
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "claude-opus-5",
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {"input_tokens": 43, "output_tokens": 1, "service_tier": "standard"},
        },
    ),
    _begun(0, type="thinking", thinking="", signature=""),
    typed("ping"),
    _delta(0, "thinking_delta", thinking="Let me"),
    _delta(0, "thinking_delta", thinking=" look."),
    _delta(0, "signature_delta", signature="c2ln"),
    _stop(0),
    _begun(1, type="redacted_thinking", data="ZW5j"),
    _stop(1),
    _begun(2, type="server_tool_use", id="srvtoolu_1", name="web_search", input={}),
    _delta(2, "input_json_delta", partial_json=""),
    _delta(2, "input_json_delta", partial_json='{"que'),
    _delta(2, "input_json_delta", partial_json='ry": "sky"}'),
    _stop(2),
    _begun(3, **FOUND),
    _stop(3),
    typed("x_event_of_tomorrow", index=3, text="nothing that anybody knows"),
    _begun(4, type="text", text="", citations=[]),
    _delta(4, "citations_delta", citation=CITED),
    _delta(4, "text_delta", text="It is "),
    _delta(4, "text_delta", text="blue"),
    _stop(4),
    _begun(5, type="text", text=""),
    _delta(5, "text_delta", text=", I think."),
    _stop(5),
    _begun(6, type="tool_use", id="toolu_1", name="paint", input={}, caller={"type": "direct"}),
    _stop(6),
    _begun(7, type="tool_use", id="toolu_2", name="now", input={}),
    _delta(7, "input_json_delta", partial_json=""),
    _stop(7),
    typed(
        "message_delta",
        delta={"stop_reason": "tool_use", "stop_sequence": None},
        usage={"input_tokens": 61, "output_tokens": 30, "server_tool_use": {"n": 1}},
    ),
    typed("message_stop"),
]
MESSAGES_WHOLE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-opus-5",
    "content": [
        {"type": "thinking", "thinking": "Let me look.", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "ZW5j"},
        {
            "type": "server_tool_use",
            "id": "srvtoolu_1",
            "name": "web_search",
            "input": {"query": "sky"},
        },
        FOUND,
        {"type": "text", "text": "It is blue", "citations": [CITED]},
        {"type": "text", "text": ", I think."},
        {
            "type": "tool_use",
            "id": "toolu_1",
            "name": "paint",
            "input": {},
            "caller": {"type": "direct"},
        },
        {"type": "tool_use", "id": "toolu_2", "name": "now", "input": {}},
    ],
    "stop_reason": "tool_use",
    "stop_sequence": None,
    "usage": {
        "input_tokens": 61,
        "output_tokens": 30,
        "service_tier": "standard",
        "server_tool_use": {"n": 1},
    },
    "other_events": [
        {"type": "x_event_of_tomorrow", "index": 3, "text": "nothing that anybody knows"}
    ],
}
MESSAGES_TEXT = """[reasoning] Let me look.
[redacted_thinking]
web_search({"query":"sky"})
[web_search_tool_result] [web_search_result]
It is blue, I think.
paint({})
now({})"""


# Responses

LOGPROB = record({"token": TEXT, "logprob": st.floats(-9, 0)})
ANNOTATIONS = st.lists(with_unknown(record({"type": NAMES, "url": TEXT})), max_size=2)
TEXT_PART = with_unknown(
    record(
        {"type": st.just("output_text"), "text": TEXT, "annotations": ANNOTATIONS},
        logprobs=st.lists(LOGPROB, max_size=2),
    )
)


def _with_tokens(part):
    return part | {"text": "".join(entry["token"] for entry in part["logprobs"])}


TOKEN_PART = record(
    {"type": st.just("output_text"), "logprobs": st.lists(LOGPROB, min_size=1, max_size=3)},
    annotations=ANNOTATIONS,
).map(_with_tokens)
REFUSAL = record({"type": st.just("refusal"), "refusal": TEXT})
STATUS = st.just("completed")
ITEMS = st.one_of(
    with_unknown(
        record(
            {
                "type": st.just("message"),
                "id": TEXT,
                "role": st.just("assistant"),
                "status": STATUS,
                "content": st.lists(
                    TEXT_PART | TOKEN_PART | REFUSAL | record({"type": st.just("x_part")}),
                    max_size=3,
                ),
            },
            phase=NAMES,
        )
    ),
    with_unknown(
        record(
            {
                "type": st.just("reasoning"),
                "id": TEXT,
                "summary": st.lists(
                    record({"type": st.just("summary_text"), "text": TEXT}), max_size=2
                ),
            },
            content=st.lists(record({"type": st.just("reasoning_text"), "text": TEXT}), max_size=2),
            encrypted_content=st.none() | TEXT,
            status=STATUS,
        )
    ),
    with_unknown(
        record(
            {
                "type": st.just("function_call"),
                "call_id": TEXT,
                "name": NAMES,
                "arguments": TEXT,
            },
            id=TEXT,
            status=STATUS,
        )
    ),
    record({"type": st.just("custom_tool_call"), "call_id": TEXT, "name": NAMES, "input": TEXT}),
    record(
        {"type": st.just("code_interpreter_call"), "id": TEXT, "code": st.none() | TEXT},
        outputs=st.none() | st.lists(record({"type": NAMES}), max_size=2),
        status=STATUS,
    ),
    record({"type": st.just("mcp_call"), "id": TEXT, "name": NAMES, "arguments": TEXT}),
    record({"type": st.just("web_search_call"), "id": TEXT, "status": STATUS}, action=OBJECTS),
    with_unknown(
        record({"type": st.sampled_from(["image_generation_call", "x_new"])}, result=TEXT)
    ),
)
RESPONSES = with_unknown(
    record(
        {
            "id": TEXT,
            "object": st.just("response"),
            "created_at": NUMBERS,
            "status": st.sampled_from(["completed", "incomplete"]),
            "model": NAMES,
            "output": st.lists(ITEMS, max_size=4),
            "error": st.none(),
        },
        usage=st.none() | record({"input_tokens": NUMBERS, "output_tokens": NUMBERS}),
        incomplete_details=st.none() | record({"reason": NAMES}),
        completed_at=st.none() | NUMBERS,
        instructions=st.none() | TEXT,
    )
)
URL = {"type": "url_citation", "url": "https://a.example", "start_index": 0, "end_index": 2}
TOKENS = [{"token": "It is", "logprob": -1.5, "bytes": [73], "top_logprobs": []}]
RESPONSES_OUTPUT = [
    {
        "id": "rs_1",
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": "Let me look."}],
        "encrypted_content": "ZW5j",
    },
    {"id": "ws_1", "type": "web_search_call", "status": "completed", "action": {"query": "sky"}},
    {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "phase": "commentary",
        "content": [
            {"type": "output_text", "text": "It is blue", "annotations": [URL], "logprobs": TOKENS},
            {"type": "refusal", "refusal": "No more."},
        ],
    },
    {
        "id": "fc_1",
        "type": "function_call",
        "call_id": "call_1",
        "name": "paint",
        "arguments": '{"colour":"blue"}',
        "status": "completed",
    },
    {"id": "ci_1", "type": "code_interpreter_call", "code": "1+1", "outputs": [{"logs": "2"}]},
]
RESPONSES_WHOLE = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1_700_000_000,
    "status": "completed",
    "completed_at": 1_700_000_009,
    "error": None,
    "incomplete_details": None,
    "model": "gpt-6",
    "output": RESPONSES_OUTPUT,
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
    "usage": {
        "input_tokens": 3,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 4,
        "output_tokens_details": {"reasoning_tokens": 1},
        "total_tokens": 7,
    },
}
_OPEN = RESPONSES_WHOLE | {
    "status": "in_progress",
    "completed_at": None,
    "output": [],
    "usage": None,
}


def _numbered(*events):
    return [
        typed("response." + kind, sequence_number=number, **more)
        for number, (kind, more) in enumerate(events)
    ]


def _items():
    reasoning, search, message, call, code = RESPONSES_OUTPUT
    text, refusal = message["content"]
    at = {"item_id": "rs_1", "output_index": 0, "summary_index": 0}
    yield "output_item.added", {"output_index": 0, "item": reasoning | {"summary": []}}
    part = {"type": "summary_text", "text": ""}
    yield "reasoning_summary_part.added", {**at, "part": part}
    yield "reasoning_summary_text.delta", {**at, "delta": "Let me"}
    yield "reasoning_summary_text.delta", {**at, "delta": " look.", "obfuscation": "x"}
    yield "reasoning_summary_text.done", {**at, "text": "Let me look."}
    yield "reasoning_summary_part.done", {**at, "part": reasoning["summary"][0]}
    yield "output_item.done", {"output_index": 0, "item": reasoning}
    yield "output_item.added", {"output_index": 1, "item": search | {"status": "in_progress"}}
    yield "web_search_call.searching", {"output_index": 1, "item_id": "ws_1"}
    yield "web_search_call.completed", {"output_index": 1, "item_id": "ws_1"}
    yield "output_item.done", {"output_index": 1, "item": search}
    yield "output_item.added", {"output_index": 2, "item": message | {"content": []}}
    at = {"item_id": "msg_1", "output_index": 2, "content_index": 0}
    part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
    yield "content_part.added", {**at, "part": part}
    yield "output_text.delta", {**at, "delta": "It is", "logprobs": TOKENS}
    yield "output_text.delta", {**at, "delta": " blue", "logprobs": []}
    yield "output_text.annotation.added", {**at, "annotation_index": 0, "annotation": URL}
    yield "output_text.done", {**at, "text": "It is blue", "logprobs": TOKENS}
    yield "content_part.done", {**at, "part": text}
    at = {"item_id": "msg_1", "output_index": 2, "content_index": 1}
    yield "content_part.added", {**at, "part": {"type": "refusal", "refusal": ""}}
    yield "refusal.delta", {**at, "delta": "No more."}
    yield "refusal.done", {**at, "refusal": "No more."}
    yield "content_part.done", {**at, "part": refusal}
    yield "output_item.done", {"output_index": 2, "item": message}
    at = {"item_id": "fc_1", "output_index": 3}
    yield "output_item.added", {"output_index": 3, "item": call | {"arguments": ""}}
    yield "function_call_arguments.delta", {**at, "delta": '{"colour":'}
    yield "function_call_arguments.delta", {**at, "delta": '"blue"}'}
    yield "function_call_arguments.done", {**at, "arguments": call["arguments"], "name": "paint"}
    yield "output_item.done", {"output_index": 3, "item": call}
    at = {"item_id": "ci_1", "output_index": 4}
    yield "output_item.added", {"output_index": 4, "item": code | {"code": ""}}
    yield "code_interpreter_call_code.delta", {**at, "delta": "1+1"}
    yield "code_interpreter_call_code.done", {**at, "code": "1+1"}
    yield "output_item.done", {"output_index": 4, "item": code}
    yield "event_of_tomorrow", {"output_index": 4, "text": "nothing that anybody knows"}


RESPONSES_STREAM = _numbered(
    ("created", {"response": _OPEN}),
    ("in_progress", {"response": _OPEN}),
    *_items(),
    ("completed", {"response": RESPONSES_WHOLE}),
)
RESPONSES_READ = RESPONSES_WHOLE | {
    "other_events": [
        orjson.loads(sse.parse(frame).data or "")
        for frame in RESPONSES_STREAM
        if b"event_of_tomorrow" in frame
    ]
}
RESPONSES_TEXT = """[reasoning] Let me look.
web_search({"query":"sky"})
It is blue
[refusal] No more.
paint({"colour":"blue"})
code_interpreter(1+1)"""

# Gemini

TEXT_PARTS = with_unknown(record({"text": TEXT}, thought=st.booleans()))
PARTS = st.one_of(
    record({"text": TEXT}, thought=st.booleans()),
    TEXT_PARTS,
    record({"text": TEXT, "thoughtSignature": TEXT}, thought=st.booleans()),
    record({"functionCall": record({"name": NAMES}, args=OBJECTS, id=TEXT)}, thoughtSignature=TEXT),
    record({"executableCode": record({"code": TEXT, "language": NAMES})}),
    record({"inlineData": record({"mimeType": NAMES, "data": TEXT})}),
    record({"xNew": ANY_JSON}),
)
CANDIDATES = with_unknown(
    record(
        {"finishReason": st.sampled_from(["STOP", "MAX_TOKENS", "SAFETY"])},
        content=record({}, parts=st.lists(PARTS, max_size=4), role=st.just("model")),
        safetyRatings=st.lists(OBJECTS, max_size=2),
        groundingMetadata=OBJECTS,
        citationMetadata=record({"citationSources": st.lists(OBJECTS, max_size=2)}),
        avgLogprobs=st.floats(-9, 0),
    )
)
ANSWERS = with_unknown(
    record(
        {
            "candidates": st.lists(CANDIDATES, min_size=1, max_size=2).map(
                lambda found: [{"index": n} | one for n, one in enumerate(found)]
            ),
        },
        usageMetadata=record(
            {"totalTokenCount": NUMBERS}, promptTokenCount=NUMBERS, thoughtsTokenCount=NUMBERS
        ),
        modelVersion=NAMES,
        responseId=TEXT,
    )
)


def _piece(*parts, usage=None, **more):
    candidate = {"content": {"parts": [*parts], "role": "model"}, "index": 0, **more}
    counts = {"promptTokenCount": 3, "totalTokenCount": 3, **(usage or {})}
    return b"data: %b\r\n\r\n" % orjson.dumps(
        {
            "candidates": [candidate],
            "usageMetadata": counts,
            "modelVersion": "gemini-4",
            "responseId": "r-1",
        }
    )


CALL = {"functionCall": {"name": "paint", "args": {"colour": "blue"}, "id": "c-1"}}
GEMINI_STREAM = [
    _piece({"text": "Let me", "thought": True}),
    _piece({"text": " look.", "thought": True}, usage={"thoughtsTokenCount": 9}),
    _piece({"text": "It is "}),
    _piece({"text": "blue"}),
    _piece({"text": "", "thoughtSignature": "c2ln"}),
    _piece({"executableCode": {"code": "1+1", "language": "PYTHON"}}),
    _piece({"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "2"}}),
    _piece(CALL | {"thoughtSignature": "c2ln"}),
    _piece({"functionCall": {"name": "now"}}),
    _piece(
        {"text": ""},
        usage={"candidatesTokenCount": 4, "totalTokenCount": 16},
        finishReason="STOP",
        groundingMetadata={"webSearchQueries": ["sky"]},
        safetyRatings=[{"category": "HARM", "probability": "LOW"}],
    ),
]
GEMINI_WHOLE = {
    "candidates": [
        {
            "content": {
                "parts": [
                    {"text": "Let me look.", "thought": True},
                    {"text": "It is blue"},
                    {"text": "", "thoughtSignature": "c2ln"},
                    {"executableCode": {"code": "1+1", "language": "PYTHON"}},
                    {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "2"}},
                    CALL | {"thoughtSignature": "c2ln"},
                    {"functionCall": {"name": "now"}},
                ],
                "role": "model",
            },
            "index": 0,
            "finishReason": "STOP",
            "groundingMetadata": {"webSearchQueries": ["sky"]},
            "safetyRatings": [{"category": "HARM", "probability": "LOW"}],
        }
    ],
    "usageMetadata": {
        "promptTokenCount": 3,
        "totalTokenCount": 16,
        "thoughtsTokenCount": 9,
        "candidatesTokenCount": 4,
    },
    "modelVersion": "gemini-4",
    "responseId": "r-1",
}
GEMINI_TEXT = """[reasoning] Let me look.
It is blue
[code] 1+1
[result] 2
paint({"colour":"blue"})
now({})"""


# Legacy completions

TEXT_CHOICES = with_unknown(
    record(
        {"text": TEXT, "finish_reason": st.sampled_from(["stop", "length"])},
        logprobs=st.none() | record({"tokens": st.lists(TEXT, max_size=2)}),
    )
)
TEXT_COMPLETIONS = with_unknown(
    record(
        {
            "id": TEXT,
            "object": st.just("text_completion"),
            "created": NUMBERS,
            "model": NAMES,
            "choices": st.lists(TEXT_CHOICES, max_size=2).map(
                lambda found: [{"index": n} | one for n, one in enumerate(found)]
            ),
        },
        usage=st.none() | record({"total_tokens": NUMBERS}),
    )
)


def _text(text, finish=None, **more):
    choice = {"index": 0, "text": text, "logprobs": None, "finish_reason": finish}
    return chat_frames({"id": "c", "object": "text_completion", "choices": [choice | more]})[0]


COMPLETION_STREAM = [
    _text("It is", logprobs={"tokens": ["It is"]}),
    _text(" blue", logprobs={"tokens": [" blue"]}),
    _text("", "stop"),
    b"data: [DONE]\n\n",
]
COMPLETION_WHOLE = {
    "id": "c",
    "object": "text_completion",
    "choices": [
        {
            "index": 0,
            "text": "It is blue",
            "logprobs": {"tokens": ["It is", " blue"]},
            "finish_reason": "stop",
        }
    ],
}

# Cohere


def _event(kind, index=None, **message):
    placed = {} if index is None else {"index": index}
    return typed(kind, **placed, delta={"message": message})


def _calls(**call):
    return {"tool_calls": call}


_TEXT_BLOCK = {"content": {"type": "text", "text": ""}}
COHERE_STREAM = [
    typed(
        "message-start",
        id="c1",
        delta={"message": {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": []}},
    ),
    _event("tool-plan-delta", tool_plan="I will"),
    _event("tool-plan-delta", tool_plan=" paint."),
    _event("content-start", 0, content={"type": "thinking", "thinking": ""}),
    _event("content-delta", 0, content={"thinking": "Let me"}),
    _event("content-delta", 0, content={"thinking": " look."}),
    typed("content-end", index=0),
    _event("content-start", 1, **_TEXT_BLOCK),
    _event("content-delta", 1, content={"text": "It is"}),
    _event("content-delta", 1, content={"text": " blue"}),
    typed("content-end", index=1),
    _event(
        "tool-call-start",
        0,
        **_calls(id="c", type="function", function={"name": "paint", "arguments": ""}),
    ),
    _event("tool-call-delta", 0, **_calls(function={"arguments": '{"colour":'})),
    _event("tool-call-delta", 0, **_calls(function={"arguments": '"blue"}'})),
    typed("tool-call-end", index=0),
    _event(
        "citation-start",
        0,
        citations={"start": 0, "end": 2, "text": "It", "sources": [{"id": "d"}]},
    ),
    typed("citation-end", index=0),
    typed("x-event-of-tomorrow", told=[1]),
    typed(
        "message-end",
        delta={"finish_reason": "TOOL_CALL", "usage": {"tokens": {"output_tokens": 9}}},
    ),
]
COHERE_WHOLE = {
    "id": "c1",
    "finish_reason": "TOOL_CALL",
    "message": {
        "role": "assistant",
        "tool_plan": "I will paint.",
        "content": [
            {"type": "thinking", "thinking": "Let me look."},
            {"type": "text", "text": "It is blue"},
        ],
        "tool_calls": [
            {
                "id": "c",
                "type": "function",
                "function": {"name": "paint", "arguments": '{"colour":"blue"}'},
            }
        ],
        "citations": [{"start": 0, "end": 2, "text": "It", "sources": [{"id": "d"}]}],
    },
    "usage": {"tokens": {"output_tokens": 9}},
    "other_events": [{"type": "x-event-of-tomorrow", "told": [1]}],
}
COHERE_TEXT = '[plan] I will paint.\n[reasoning] Let me look.\nIt is blue\npaint({"colour":"blue"})'
_COHERE_CALLS = st.lists(
    with_unknown(
        record(
            {"id": TEXT, "type": st.just("function")},
            function=record({"name": NAMES, "arguments": TEXT}),
        )
    ),
    max_size=2,
)
COHERE_ANSWERS = with_unknown(
    record(
        {
            "id": TEXT,
            "finish_reason": st.sampled_from(["COMPLETE", "MAX_TOKENS", "TOOL_CALL"]),
            "message": with_unknown(
                record(
                    {"role": st.just("assistant")},
                    tool_plan=st.none() | TEXT,
                    tool_calls=_COHERE_CALLS,
                    content=st.lists(
                        with_unknown(record({"type": st.just("text"), "text": TEXT}))
                        | record({"type": st.just("thinking"), "thinking": TEXT}),
                        max_size=3,
                    ),
                    citations=st.lists(record({"start": NUMBERS, "text": TEXT}), max_size=2),
                )
            ),
        },
        usage=st.none() | OBJECTS,
        logprobs=st.none() | st.lists(OBJECTS, max_size=2),
    )
)

# Ollama


def _line(**value):
    return orjson.dumps({"model": "m", "created_at": "2026-11-28T10:00:00Z", **value}) + b"\n"


def _piece(**message):
    return _line(message={"role": "assistant", "content": "", **message}, done=False)


_CALL = {"function": {"name": "paint", "arguments": {"colour": "blue"}}}
OLLAMA_STREAM = [
    _piece(thinking="Let me"),
    _piece(thinking=" look."),
    _piece(content="It is"),
    _piece(content=" blue"),
    _piece(tool_calls=[_CALL]),
    _line(
        message={"role": "assistant", "content": ""}, done=True, done_reason="stop", eval_count=9
    ),
]
OLLAMA_WHOLE = {
    "model": "m",
    "created_at": "2026-11-28T10:00:00Z",
    "message": {
        "role": "assistant",
        "content": "It is blue",
        "thinking": "Let me look.",
        "tool_calls": [_CALL],
    },
    "done": True,
    "done_reason": "stop",
    "eval_count": 9,
}
GENERATE_STREAM = [
    _line(response="It is", done=False),
    _line(response=" blue", done=False),
    _line(response="", done=True, done_reason="stop", context=[1, 2]),
]
GENERATE_WHOLE = {
    "model": "m",
    "created_at": "2026-11-28T10:00:00Z",
    "response": "It is blue",
    "done": True,
    "done_reason": "stop",
    "context": [1, 2],
}
_COUNTED = {
    "model": NAMES,
    "created_at": TEXT,
    "done": st.just(True),
}
_COUNTS = {
    "done_reason": st.sampled_from(["stop", "length", "load"]),
    "eval_count": NUMBERS,
    "logprobs": st.none() | st.lists(OBJECTS, max_size=2),
}
OLLAMA_ANSWERS = with_unknown(
    record(
        {
            **_COUNTED,
            "message": with_unknown(
                record(
                    {"role": st.just("assistant"), "content": TEXT},
                    thinking=st.none() | TEXT,
                    tool_calls=st.none() | st.lists(record({"function": OBJECTS}), max_size=2),
                    images=st.none(),
                )
            ),
        },
        **_COUNTS,
    )
)
GENERATED = with_unknown(
    record(
        {**_COUNTED, "response": TEXT},
        thinking=TEXT,
        context=st.lists(NUMBERS, max_size=3),
        **_COUNTS,
    )
)

PROTOCOLS = {
    "chat": Protocol(
        "/v1/chat/completions",
        COMPLETIONS,
        [
            *chat_frames(
                {"id": "c", "choices": [{"index": 0, "delta": {"role": "assistant"}}]},
                {"id": "c", "choices": [{"index": 0, "delta": {"content": "Hello,"}}]},
                {"id": "c", "choices": [{"index": 0, "delta": {"content": " you"}}]},
                {"id": "c", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
            ),
            b"data: [DONE]\n\n",
        ],
        {
            "object": "chat.completion",
            "id": "c",
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": "Hello, you", "refusal": None},
                    "finish_reason": "stop",
                }
            ],
        },
        "Hello, you",
        4,
        {"model": "m", "messages": [{"role": "user", "content": "hi"}]},
    ),
    "completions": Protocol(
        "/v1/completions",
        TEXT_COMPLETIONS,
        COMPLETION_STREAM,
        COMPLETION_WHOLE,
        "It is blue",
        3,
        {"model": "m", "prompt": "hi"},
    ),
    "messages": Protocol(
        "/v1/messages",
        MESSAGES,
        MESSAGES_STREAM,
        MESSAGES_WHOLE,
        MESSAGES_TEXT,
        len(MESSAGES_STREAM),
        {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]},
    ),
    "responses": Protocol(
        "/v1/responses",
        RESPONSES,
        RESPONSES_STREAM,
        RESPONSES_READ,
        RESPONSES_TEXT,
        len(RESPONSES_STREAM),
        {"model": "m", "input": "hi"},
    ),
    "gemini": Protocol(
        "/v1/models/gemini-4:generateContent",
        ANSWERS,
        GEMINI_STREAM,
        GEMINI_WHOLE,
        GEMINI_TEXT,
        len(GEMINI_STREAM),
        {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]},
        "/v1/models/gemini-4:streamGenerateContent?alt=sse",
    ),
    "cohere": Protocol(
        "/v1/v2/chat",
        COHERE_ANSWERS,
        COHERE_STREAM,
        COHERE_WHOLE,
        COHERE_TEXT,
        len(COHERE_STREAM),
        {"model": "m", "messages": [{"role": "user", "content": "hi"}]},
    ),
    "ollama": Protocol(
        "/v1/api/chat",
        OLLAMA_ANSWERS,
        OLLAMA_STREAM,
        OLLAMA_WHOLE,
        '[reasoning] Let me look.\nIt is blue\npaint({"colour":"blue"})',
        len(OLLAMA_STREAM),
        {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": False},
        in_lines=True,
    ),
    "generate": Protocol(
        "/v1/api/generate",
        GENERATED,
        GENERATE_STREAM,
        GENERATE_WHOLE,
        "It is blue",
        len(GENERATE_STREAM),
        {"model": "m", "prompt": "hi", "stream": False},
        in_lines=True,
    ),
}

__all__ = ["HELLO", "PROTOCOLS", "Protocol", "answer", "response", "typed"]

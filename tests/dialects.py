"""Answers in the protocols of models for the tests: drawn of every kind, and streams as they come.

`PROTOCOLS` has one entry for each dialect whose answers come whole or as a stream.
"""

from typing import Any, NamedTuple

import orjson
from hypothesis import strategies as st

from promptdeck.core.interaction import Frame, Response
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
}
MESSAGES_TEXT = """[reasoning] Let me look.
[redacted_thinking]
web_search({"query":"sky"})
[web_search_tool_result] [web_search_result]
It is blue, I think.
paint({})
now({})"""

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
    "messages": Protocol(
        "/v1/messages",
        MESSAGES,
        MESSAGES_STREAM,
        MESSAGES_WHOLE,
        MESSAGES_TEXT,
        len(MESSAGES_STREAM),
        {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]},
    ),
}

__all__ = ["HELLO", "PROTOCOLS", "Protocol", "answer", "response", "typed"]

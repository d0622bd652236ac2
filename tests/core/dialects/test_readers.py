"""What the providers' own clients make of streams that were cut: the message again."""

import orjson
import pytest
from hypothesis import given, settings
from openai._models import construct_type
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.responses import Response, ResponseStreamEvent

from promptdeck.core.dialects.table import dialect_of
from promptdeck.core.text import sse
from tests.dialects import PROTOCOLS


def values(frames):
    return [orjson.loads(sse.parse(frame).data) for frame in frames]


def read_responses(frames):
    """The response that openai's own accumulator makes of a stream."""
    state = ResponseStreamState(input_tools=[], text_format=None)
    for value in values(frames):
        state.handle_event(construct_type(type_=ResponseStreamEvent, value=value))
    return state._completed_response


def dialect(name):
    return dialect_of("POST", PROTOCOLS[name].path)


@pytest.mark.parametrize("which", ["recorded", "cut"])
def test_openai_reads_the_response(which):
    sample = PROTOCOLS["responses"]
    frames = sample.stream if which == "recorded" else dialect("responses").cut(sample.whole)
    got = read_responses(frames).to_dict(mode="json", exclude_unset=True)
    got.pop("other_events", None)
    whole = {key: item for key, item in sample.whole.items() if key != "other_events"}
    for one in got["output"]:
        # What the parsing helper adds.
        one.pop("parsed_arguments", None)
        for part in one.get("content") or []:
            part.pop("parsed", None)
    assert got == Response.construct(**whole).to_dict(mode="json")


def read_messages(frames):
    """The message that anthropic's own accumulator makes of a stream."""
    pytest.importorskip("anthropic", reason="pip install promptdeck[dev]")
    from anthropic._models import construct_type
    from anthropic.lib.streaming._messages import accumulate_event
    from anthropic.types import RawMessageStreamEvent

    snapshot, buffers = None, {}
    for value in values(frames):
        if value["type"] in ("ping", "x_event_of_tomorrow"):
            continue
        event = construct_type(type_=RawMessageStreamEvent, value=value)
        snapshot = accumulate_event(event=event, current_snapshot=snapshot, json_bufs=buffers)
    return snapshot.to_dict(mode="json", warnings=False)


def bare(value):
    """A message without what is null or absent alike to a reader."""
    if isinstance(value, dict):
        return {key: bare(item) for key, item in value.items() if item not in (None, [])}
    return [bare(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("which", ["recorded", "cut"])
def test_anthropic_reads_the_message(which):
    sample = PROTOCOLS["messages"]
    frames = sample.stream if which == "recorded" else dialect("messages").cut(sample.whole)
    whole = {key: item for key, item in sample.whole.items() if key != "other_events"}
    read = bare(read_messages(frames))
    read.pop("other_events", None)
    assert read == bare(whole)


@settings(max_examples=30)
@given(PROTOCOLS["messages"].messages)
def test_anthropic_reads_any_message_that_was_cut(message):
    # Its accumulator keeps what MCP tools are given for its beta alone, and knows no others.
    message["content"] = [
        block
        for block in message["content"]
        if block["type"] in ("text", "thinking", "redacted_thinking", "tool_use", "server_tool_use")
    ]
    read = bare(read_messages(dialect("messages").cut(message)))
    told = bare(message)
    assert read["content" if "content" in told else "id"] == told.get("content", told.get("id"))
    assert read["usage"]["output_tokens"] == told["usage"]["output_tokens"]
    assert read["stop_reason"] == told["stop_reason"]

"""OpenAI's Responses where it has no like: what the last event leaves out, input as a text."""

import orjson
import pytest
from hypothesis import given

from promptdeck.core.dialects.responses.dialect import RESPONSES
from promptdeck.core.interaction import Request
from promptdeck.core.matching.normalize import normalize
from promptdeck.core.matching.rules import Rules
from promptdeck.core.secrets.redact import Redactor
from promptdeck.core.text import sse
from promptdeck.core.text.jsontext import same
from tests.dialects import PROTOCOLS, typed

SAMPLE = PROTOCOLS["responses"]


def values(frames):
    return [orjson.loads(sse.parse(frame).data) for frame in frames]


def without_output(frames):
    """A stream whose last event leaves out what was streamed, as Copilot's does."""
    *rest, last = values(frames)
    last["response"] = last["response"] | {"output": []}
    return [typed(**{"kind": one.pop("type"), **one}) for one in (*rest, last)]


@given(SAMPLE.messages)
def test_what_the_last_event_leaves_out_is_what_was_streamed(response):
    assert same(RESPONSES.fold(without_output(RESPONSES.cut(response))), response)


@given(SAMPLE.messages)
def test_a_stream_without_dones_holds_what_its_deltas_say(response):
    frames = without_output(RESPONSES.cut(response))
    kept = [
        frame for frame in frames if ".done" not in frame.split(b"\n")[0].decode().replace("x_", "")
    ]
    folded = RESPONSES.fold(kept)
    assert RESPONSES.text_of(folded) == RESPONSES.text_of(response)


def test_events_are_numbered_and_tell_of_items_that_are_there():
    events = values(RESPONSES.cut(SAMPLE.whole))
    assert [event["sequence_number"] for event in events] == [*range(len(events))]
    added: set[int] = set()
    for event in events:
        if event["type"] == "response.output_item.added":
            added.add(event["output_index"])
        assert event.get("output_index", 0) in added | ({0} if not added else set())
    kinds = [event["type"].removeprefix("response.") for event in events]
    assert kinds[:2] == ["created", "in_progress"]
    assert kinds[-1] == "completed"
    # What real streams of this response have, ours have.
    assert {event["type"] for event in values(SAMPLE.stream)} - {"response.event_of_tomorrow"} <= {
        event["type"] for event in events
    }


def canonical(body):
    request = Request("POST", SAMPLE.path, "application/json", orjson.dumps(body))
    return normalize(request, Rules(), Redactor()).canonical


@pytest.mark.parametrize(
    "asked",
    [
        [{"role": "user", "content": "hi"}],
        [{"type": "message", "role": "user", "content": "hi"}],
        [{"role": "user", "content": [{"type": "input_text", "text": "hi"}]}],
    ],
)
def test_a_text_is_what_a_user_says(asked):
    assert canonical({"model": "m", "input": asked}) == canonical({"model": "m", "input": "hi"})
    other = [{**asked[0], "role": "developer"}]
    assert canonical({"model": "m", "input": other}) != canonical({"model": "m", "input": "hi"})

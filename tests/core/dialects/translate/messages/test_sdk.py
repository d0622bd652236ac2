"""What is written and told holds against the types of Anthropic's own SDK, nothing left over."""

from collections.abc import Iterable
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.dialects.messages.dialect import MESSAGES
from promptdeck.core.dialects.translate.messages.writes import written
from promptdeck.core.dialects.translate.neutral import Prompt, Signal, Thinking
from promptdeck.core.text import sse
from promptdeck.core.text.jsontext import JSON
from tests.core.dialects.translate.strategies import prompts, signals, signatures

from .samples import MODELS, aim
from .test_tells import frames
from .test_writes import ALSO, OPTIONS, WISHES

# Models of 4.6 and before take them, and the types of 2.14 do not list them any more.
_SAMPLING = {"temperature", "top_p", "top_k"}


def _walked(value: Any) -> Any:
    """A validated value whole: iterables are validated when they are walked."""
    if isinstance(value, dict):
        return {key: _walked(item) for key, item in value.items()}
    if isinstance(value, str | bytes) or not isinstance(value, Iterable):
        return value
    return [*map(_walked, value)]


@pytest.fixture(scope="module")
def request_type() -> Any:
    """The type of a request's body: it drops what it does not know."""
    from anthropic.types.message_create_params import MessageCreateParams
    from pydantic import TypeAdapter

    return TypeAdapter(MessageCreateParams)


@given(
    model=st.sampled_from(MODELS),
    asked=prompts(signed=signatures("anthropic", "claude-opus-5-5"), also=ALSO),
    wish=WISHES,
    said=OPTIONS,
    parallel=st.none() | st.booleans(),
)
def test_a_request_is_of_the_sdk_s_type(
    request_type: Any,
    model: str,
    asked: Prompt,
    wish: Thinking | None,
    said: dict[str, JSON],
    parallel: bool | None,
) -> None:
    asked = asked._replace(thinking=wish, options=said, parallel=parallel)
    body = written(asked, aim(model)).body
    known = {key: value for key, value in body.items() if key not in _SAMPLING}
    assert _walked(request_type.validate_python(known)) == known


@pytest.fixture(scope="module")
def event_type() -> Any:
    """The type of an event of a stream."""
    from anthropic.types import RawMessageStreamEvent
    from pydantic import TypeAdapter

    return TypeAdapter(RawMessageStreamEvent)


@given(
    told=signals(
        signatures("google", "gemini-4"), ("refusals", "bare", "marks", "citations", "summaries")
    )
)
def test_a_stream_is_what_the_sdk_reads(event_type: Any, told: list[Signal]) -> None:
    from anthropic.lib.streaming._messages import accumulate_event
    from anthropic.types import Message

    message, buffers = None, {}
    for frame in frames(told):
        data = sse.parse(frame).data or ""
        event = event_type.validate_json(data, strict=True)
        message = accumulate_event(event=event, current_snapshot=message, json_bufs=buffers)
    assert message is not None
    whole = MESSAGES.fold(frames(told))
    assert Message.model_validate_json(orjson.dumps(whole), strict=True)
    added = message.to_dict()
    assert [block["type"] for block in added["content"]] == [
        block["type"] for block in whole["content"]
    ]
    assert {key: whole[key] for key in ("id", "stop_reason", "usage")} == {
        key: added[key] for key in ("id", "stop_reason", "usage")
    }
    for ours, theirs in zip(whole["content"], added["content"], strict=True):
        assert {key: theirs.get(key) for key in ours} == ours

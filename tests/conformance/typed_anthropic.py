"""Streams of Anthropic's that its SDK is tested with, told to clients of all dialects.

    python -m pytest tests/conformance/typed_anthropic.py

They are among the SDK's own tests, in its source distribution. What comes of each is what that
dialect's official SDK takes, strictly; however the bytes are cut, it is the same.
"""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from anthropic.lib.streaming._messages import accumulate_event
from anthropic.types import RawMessageStreamEvent
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

from promptdeck.core.dialects.chat.dialect import CHAT
from promptdeck.core.dialects.gemini.dialect import GEMINI
from promptdeck.core.dialects.messages.dialect import MESSAGES
from promptdeck.core.dialects.responses.dialect import RESPONSES
from promptdeck.core.dialects.streamed import Streamed
from promptdeck.core.dialects.translate.aim import Aim
from promptdeck.core.dialects.translate.messages.hears import MessagesHearing
from promptdeck.core.dialects.translate.messages.tells import MessagesTelling
from promptdeck.core.dialects.translate.translation import Translation
from promptdeck.core.interaction import Variant
from promptdeck.core.text import sse

HERE = Path(__file__).parent
AIM = Aim("anthropic", "messages", "claude-opus-5-5", "anthropic")
EVENT: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)
RESPONSE: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)


def _streams() -> list[Path]:
    sys.path.append(str(HERE))
    from workshop import SDISTS, WORKSHOP, prepare

    prepare()
    folder = WORKSHOP / "sdist" / f"anthropic-{SDISTS['anthropic']}"
    return sorted((folder / "tests/lib/streaming/fixtures").glob("*.txt"))


STREAMS = _streams()


@pytest.fixture(params=STREAMS, ids=[path.stem for path in STREAMS])
def stream(request: pytest.FixtureRequest) -> bytes:
    data: bytes = request.param.read_bytes()
    return data if data.endswith(b"\n\n") else data.rstrip() + b"\n\n"


def test_there_are_streams() -> None:
    assert len(STREAMS) >= 16


def told(data: Iterable[bytes], client: Streamed) -> bytes:
    asked = {"model": "anthropic/claude-opus-5-5"}
    variant = Variant.SSE_USAGE if client is CHAT else Variant.SSE
    translation = Translation(MESSAGES, client, variant, asked, AIM, 1_700_000_000)
    return b"".join([*map(translation.feed, data), translation.rest()])


@pytest.mark.parametrize("client", [CHAT, RESPONSES, GEMINI], ids=lambda client: client.name)
def test_however_the_bytes_are_cut_all_is_told_alike(stream: bytes, client: Streamed) -> None:
    whole = told([stream], client)
    for step in (1, 7, 100):
        pieces = (stream[at : at + step] for at in range(0, len(stream), step))
        assert told(pieces, client) == whole


def _values(stream: bytes) -> Iterator[Any]:
    for frame in sse.frames(stream):
        data = sse.parse(frame).data
        if data and data != sse.DONE:
            yield orjson.loads(data)


def test_chat_is_what_openai_s_sdk_takes(stream: bytes) -> None:
    found = told([stream], CHAT)
    for value in _values(found):
        ChatCompletionChunk.model_validate(value, strict=True)
    assert found.endswith(b"data: [DONE]\n\n")
    whole = CHAT.fold(sse.frames(found))
    ChatCompletion.model_validate(whole, strict=True)
    said = "".join(
        value["delta"].get("text", "")
        for value in _values(stream)
        if value["type"] == "content_block_delta"
    )
    assert (whole["choices"][0]["message"]["content"] or "") == said


def test_responses_are_what_openai_s_sdk_takes(stream: bytes) -> None:
    *_, last = (RESPONSE.validate_python(value) for value in _values(told([stream], RESPONSES)))
    assert last.type in ("response.completed", "response.incomplete")


def test_gemini_ends_with_a_reason(stream: bytes) -> None:
    *_, last = _values(told([stream], GEMINI))
    assert last["candidates"][0]["finishReason"]


def _added(stream: bytes) -> Any:
    """What Anthropic's SDK makes of a stream; None where it gives up."""
    message, buffers = None, dict[int, bytes]()
    for value in _values(stream):
        if message is None and value["type"] != "message_start":
            continue
        try:
            event = EVENT.validate_python(value)
        except ValueError:  # an event, or a block, of a beta
            continue
        try:
            message = accumulate_event(event=event, current_snapshot=message, json_bufs=buffers)
        except (ValueError, IndexError):
            return None
    return message


def test_what_was_heard_is_told_as_it_was(stream: bytes) -> None:
    hearing = MessagesHearing(AIM)
    telling = MessagesTelling({}, Variant.SSE, 1)
    signals = [one for frame in sse.frames(stream) for one in hearing.hear(sse.parse(frame))]
    frames = [frame for one in signals for frame in telling.tell(one)]
    ours = _added(b"".join([*frames, *telling.end()]))
    theirs = _added(stream)
    if theirs is None:
        assert ours is None
        return
    assert ours.stop_reason == theirs.stop_reason
    assert ours.usage.output_tokens == theirs.usage.output_tokens
    assert _blocks(ours) == _blocks(theirs)


def _blocks(message: Any) -> list[dict[str, Any]]:
    """The texts and calls of a message, less what other protocols have no place for."""
    blocks = [block.to_dict() for block in message.content if block.type in ("text", "tool_use")]
    return [
        {key: one for key, one in block.items() if key not in ("caller", "citations")}
        for block in blocks
        if block.get("text") != ""
    ]

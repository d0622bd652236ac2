"""A secret spread over the pieces of a stream leaves nothing behind, in each dialect and place."""

from collections.abc import Callable, Iterator
from itertools import pairwise

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from promptdeck.core.dialects.chat.dialect import CHAT
from promptdeck.core.dialects.gemini.dialect import GEMINI
from promptdeck.core.dialects.messages.dialect import MESSAGES
from promptdeck.core.dialects.responses.dialect import RESPONSES
from promptdeck.core.dialects.streamed import Streamed
from promptdeck.core.interaction import Frame
from promptdeck.core.secrets.answers import cleared_frames
from promptdeck.core.secrets.redact import Redactor
from promptdeck.core.text import sse
from promptdeck.core.text.jsontext import JSON, parse, strings
from tests.dialects import typed
from tests.secret_samples import SAMPLES

REDACTOR = Redactor.build()
Deal = Callable[[list[str]], Iterator[bytes]]
"""The frames of a stream that says these pieces one after the other."""


# Chat completions


def chunk(**delta: JSON) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": None}
    return sse.encode(orjson.dumps({"id": "c", "choices": [choice]}))


def in_chat(deal: Callable[[str], dict[str, JSON]]) -> Deal:
    def frames(pieces: list[str]) -> Iterator[bytes]:
        for piece in pieces:
            yield chunk(**deal(piece))
        yield b"data: [DONE]\n\n"

    return frames


def chat_call(piece: str) -> dict[str, JSON]:
    call = {"index": 0, "id": "c", "function": {"name": "f", "arguments": piece}}
    return {"tool_calls": [call]}


# Messages


def in_messages(block: dict[str, JSON], kind: str, key: str, begins: str = "") -> Deal:
    """`begins` is the key under which a block that begins has the first piece already."""

    def frames(pieces: list[str]) -> Iterator[bytes]:
        yield typed("message_start", message={"id": "m", "content": [], "usage": {}})
        yield typed("content_block_start", index=0, content_block={"type": "text", "text": ""})
        yield typed("content_block_stop", index=0)
        first, rest = (pieces[:1], pieces[1:]) if begins else ([], pieces)
        begun = block | dict.fromkeys([begins], *first) if begins else block
        yield typed("content_block_start", index=1, content_block=begun)
        for piece in rest:
            yield typed("content_block_delta", index=1, delta={"type": kind, key: piece})
        yield typed("content_block_stop", index=1)
        yield typed("message_delta", delta={"stop_reason": "end_turn"}, usage={})
        yield typed("message_stop")

    return frames


# Responses


def in_responses(kind: str, item: dict[str, JSON], key: str, **at: int) -> Deal:
    """`key` is where the event that ends the pieces has all of them, and so has the item."""

    def frames(pieces: list[str]) -> Iterator[bytes]:
        text = "".join(pieces)
        where = {"item_id": "i", "output_index": 0, **at}
        yield typed("response.created", response={"id": "r", "output": []})
        yield typed("response.output_item.added", output_index=0, item=_filled(item, key, ""))
        for piece in pieces:
            yield typed(f"response.{kind}.delta", **where, delta=piece)
        yield typed(f"response.{kind}.done", **where, **{key: text})
        whole = _filled(item, key, text)
        yield typed("response.output_item.done", output_index=0, item=whole)
        yield typed("response.completed", response={"id": "r", "output": [whole]})

    return frames


def _filled(item: dict[str, JSON], key: str, text: str) -> dict[str, JSON]:
    place = next((name for name in ("content", "summary") if name in item), None)
    if place is None:
        return item | {key: text}
    return item | {place: [item[place][0] | {key: text}]}


# generateContent


def piece_of(*parts: JSON) -> bytes:
    return sse.encode(orjson.dumps({"candidates": [{"content": {"parts": parts}}]}))


def in_gemini(**more: JSON) -> Deal:
    def frames(pieces: list[str]) -> Iterator[bytes]:
        # The text begins beside another part, and goes on where that stood.
        first, *rest = pieces or [""]
        yield piece_of({"inlineData": {"data": "AAAA"}}, {"text": first, **more})
        for piece in rest:
            yield piece_of({"text": piece, **more})

    return frames


def gemini_call(pieces: list[str]) -> Iterator[bytes]:
    def some(*partial: JSON, **more: JSON) -> bytes:
        return piece_of({"functionCall": {**more, "partialArgs": partial, "willContinue": True}})

    first, *rest = pieces or [""]
    other = {"jsonPath": "$.other", "stringValue": "x"}
    goes_on = {"jsonPath": "$.text", "willContinue": True}
    yield some(other, {**goes_on, "stringValue": first}, name="f")
    for piece in rest:
        yield some({**goes_on, "stringValue": piece})
    yield piece_of({"functionCall": {}})


TEXT_ITEM = {"type": "message", "content": [{"type": "output_text"}]}
THOUGHT_ITEM = {"type": "reasoning", "summary": [{"type": "summary_text"}]}
USE = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
# Each with whether its text is the JSON of arguments.
PLACES: dict[str, tuple[Streamed, Deal, bool]] = {
    "chat": (CHAT, in_chat(lambda piece: {"content": piece}), False),
    "chat's thoughts": (CHAT, in_chat(lambda piece: {"reasoning_content": piece}), False),
    "chat's calls": (CHAT, in_chat(chat_call), True),
    "messages": (MESSAGES, in_messages({"type": "text", "text": ""}, "text_delta", "text"), False),
    "messages' thoughts": (
        MESSAGES,
        in_messages({"type": "thinking", "thinking": ""}, "thinking_delta", "thinking"),
        False,
    ),
    "messages' begun texts": (
        MESSAGES,
        in_messages({"type": "text"}, "text_delta", "text", begins="text"),
        False,
    ),
    "messages' calls": (MESSAGES, in_messages(USE, "input_json_delta", "partial_json"), True),
    "responses": (
        RESPONSES,
        in_responses("output_text", TEXT_ITEM, "text", content_index=0),
        False,
    ),
    "responses' thoughts": (
        RESPONSES,
        in_responses("reasoning_summary_text", THOUGHT_ITEM, "text", summary_index=0),
        False,
    ),
    "responses' calls": (
        RESPONSES,
        in_responses(
            "function_call_arguments", {"type": "function_call", "name": "f"}, "arguments"
        ),
        True,
    ),
    "responses' MCP calls": (
        RESPONSES,
        in_responses("mcp_call_arguments", {"type": "mcp_call", "name": "f"}, "arguments"),
        True,
    ),
    "responses' custom calls": (
        RESPONSES,
        in_responses("custom_tool_call_input", {"type": "custom_tool_call"}, "input"),
        False,
    ),
    "responses' code": (
        RESPONSES,
        in_responses("code_interpreter_call_code", {"type": "code_interpreter_call"}, "code"),
        False,
    ),
    "gemini": (GEMINI, in_gemini(), False),
    "gemini's thoughts": (GEMINI, in_gemini(thought=True), False),
    "gemini's calls": (GEMINI, gemini_call, False),
}


def all_said(value: JSON) -> Iterator[str]:
    """All strings of an answer, and those in the JSON of its arguments."""
    for text in strings(value, keys=True):
        yield text
        if text.startswith("{"):
            try:
                yield from strings(parse(text), keys=True)
            except ValueError:
                continue


NUMBERS = st.integers(0, len(SAMPLES) - 1)
CUTS = st.lists(st.integers(0, 200), max_size=8)


@pytest.mark.parametrize("place", PLACES)
@given(number=NUMBERS, cuts=CUTS)
@example(number=3, cuts=[*range(60)])
@example(number=3, cuts=[10])
def test_no_piece_of_a_stream_keeps_a_secret(place: str, number: int, cuts: list[int]) -> None:
    dialect, deal, as_json = PLACES[place]
    _, before, secret, after = SAMPLES[number]
    text = before + secret + after
    if as_json:
        text = orjson.dumps({"command": text}).decode()
    pieces = [text[a:b] for a, b in pairwise([0, *sorted(cuts), len(text)])]
    frames = [*deal(pieces)]
    dealt = [Frame(10 * n, data) for n, data in enumerate(frames)]
    assert any(secret in said for said in all_said(dialect.fold(frames)))
    cleared, counts = cleared_frames(REDACTOR, dealt)
    assert counts
    kept = [frame.data for frame in cleared]
    assert not any(secret in said for said in all_said(dialect.fold(kept)))
    assert secret.encode() not in b"".join(kept)
    assert cleared_frames(REDACTOR, cleared) == (cleared, {})

"""Requests and streams with odd values in odd places: refused or told, and no accident.

What is mangled is what each protocol's clients and providers really send.
"""

from contextlib import suppress
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptdeck.core.dialects.pieces import chunk, written
from promptdeck.core.dialects.table import TRANSLATED
from promptdeck.core.dialects.translate.aim import Aim, Untranslatable
from promptdeck.core.dialects.translate.translation import Translation, answered
from promptdeck.core.dialects.translate.translation import written as sent
from promptdeck.core.interaction import Frame, Request, Response, Variant
from promptdeck.core.text import sse
from tests.dialects import PROTOCOLS

AIMS = {
    "chat": Aim("local", "chat", "m"),
    "messages": Aim("anthropic", "messages", "claude-opus-5-5", "anthropic"),
    "gemini": Aim("google", "gemini", "gemini-4", "google"),
    "responses": Aim("openai", "responses", "gpt-5.6-sol", "openai"),
}
ODD = st.sampled_from(
    [None, True, 0, 3, -1, 1.5, "", "x", [], {}, [{}], ["x"], {"type": ["x"]}, {"type": "text"}]
)
CALL = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
MORE: dict[str, Any] = {
    "chat": {
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "x"}]},
            {"role": "assistant", "content": "x", "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "a", "content": "x"},
        ],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}],
        "tool_choice": "auto",
        "stop": ["x"],
    },
    "messages": {
        "system": [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {"role": "user", "content": "x"},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "x", "signature": "s"},
                    {"type": "tool_use", "id": "a", "name": "f", "input": {}},
                ],
            },
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a"}]},
        ],
        "tools": [{"name": "f", "input_schema": {"type": "object"}}],
        "output_config": {"effort": "low"},
    },
    "gemini": {
        "contents": [
            {"role": "user", "parts": [{"text": "x"}]},
            {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}}]},
            {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {}}}]},
        ],
        "tools": [{"functionDeclarations": [{"name": "f"}]}],
        "generationConfig": {"thinkingConfig": {"thinkingLevel": "LOW"}},
    },
    "responses": {
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "x"}]},
            {"type": "reasoning", "summary": [], "encrypted_content": "g"},
            {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "a", "output": "x"},
        ],
        "tools": [{"type": "function", "name": "f", "parameters": {}}],
        "text": {"format": {"type": "text"}},
        "reasoning": {"effort": "low"},
    },
}


def mangle(data: st.DataObject, value: Any, times: int) -> None:
    """Put odd values into some places of a value, at any depth, and take others out."""
    for _ in range(times):
        place = value
        while inner := [one for one in _inside(place) if isinstance(one, dict | list) and one]:
            if data.draw(st.integers(0, 3)) == 0:
                break
            place = data.draw(st.sampled_from(inner))
        if not place:
            continue
        key = data.draw(st.sampled_from(range(len(place)) if isinstance(place, list) else [*place]))
        if data.draw(st.booleans()):
            place[key] = deepcopy(data.draw(ODD))
        else:
            del place[key]


def _inside(place: Any) -> list[Any]:
    return [*place.values()] if isinstance(place, dict) else place


@pytest.mark.parametrize("client", TRANSLATED)
@settings(max_examples=25)
@given(data=st.data())
def test_a_request_is_sent_or_refused(client: str, data: st.DataObject) -> None:
    protocol = PROTOCOLS[client]
    body = {**deepcopy(protocol.body), **deepcopy(MORE[client])}
    mangle(data, body, data.draw(st.integers(1, 4)))
    request = Request("POST", protocol.path, "application/json", written(body))
    for dialect, aim in AIMS.items():
        if dialect != client:
            with suppress(Untranslatable):
                assert sent(request, TRANSLATED[client], aim).body


@pytest.mark.parametrize("upstream", TRANSLATED)
@settings(max_examples=25)
@given(data=st.data())
def test_a_stream_is_told_to_its_end_or_to_its_failure(upstream: str, data: st.DataObject) -> None:
    frames = []
    for frame in PROTOCOLS[upstream].stream:
        value = chunk(frame)
        if value and data.draw(st.integers(0, 2)) == 0:
            mangle(data, value, data.draw(st.integers(1, 2)))
            frame = sse.encode(written(value), sse.parse(frame).event)
        frames.append(frame)
    heads = (("content-type", "text/event-stream"),)
    came = Response(200, heads, tuple(Frame(0, frame) for frame in frames))
    for name, client in TRANSLATED.items():
        if name == upstream:
            continue
        variant = Variant.SSE_USAGE if name == "chat" else Variant.SSE
        told = Translation(TRANSLATED[upstream], client, variant, {}, AIMS[upstream], 7)
        assert b"".join([*map(told.feed, frames), told.rest()])
        whole = answered(came, TRANSLATED[upstream], client, Variant.JSON, {}, AIMS[upstream], 7)
        assert whole.body.startswith(b"{")

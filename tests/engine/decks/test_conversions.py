"""Recordings in another variant: they follow what they were made of, and weigh only so much."""

import gc
import tracemalloc
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.dialects.interpreted import understood
from promptdeck.core.dialects.translate.memory import Memory
from promptdeck.core.dialects.translate.neutral import Prompt, Thought, ToolCall, Utterance
from promptdeck.core.interaction import Frame, Interaction, Request, Response, Variant
from promptdeck.engine.decks import conversions
from promptdeck.engine.decks.conversions import Conversions
from tests.scripted_upstream import chunks, completion
from tests.translations import PAIRS
from tests.translations import recorded as translated

REQUEST = Request("POST", "/v1/chat/completions", "application/json", b'{"model":"m"}')
JSON_HEADERS = (("content-type", "application/json"),)


def recording(text: str, variant: Variant = Variant.JSON, name: str = "i-1", **more: Any) -> Any:
    """A recording under an id; `more` goes into a JSON answer."""
    if variant is Variant.JSON:
        frames = (Frame(1, orjson.dumps(completion(text) | more)),)
        headers = JSON_HEADERS
    else:
        usage = variant is Variant.SSE_USAGE
        frames = tuple(Frame(n, data) for n, data in enumerate(chunks(text, usage=usage)))
        headers = (("content-type", "text/event-stream"),)
    response = Response(200, headers, frames)
    return Interaction(name, "k", variant, 1000.0, "http://u/v1", REQUEST, response)


def said(response: Response | None) -> bytes:
    assert response is not None
    if response.is_stream:
        events = (frame.data.removeprefix(b"data: ") for frame in response.frames)
        values = [orjson.loads(event) for event in events if event.startswith(b"{")]
        parts = [choice["delta"].get("content") for one in values for choice in one["choices"]]
        return "".join(part or "" for part in parts).encode()
    return str(orjson.loads(response.body)["choices"][0]["message"]["content"]).encode()


VARIANTS = st.sampled_from(Variant)


@given(steps=st.lists(st.tuples(st.sampled_from("abc"), VARIANTS, VARIANTS), max_size=12))
def test_a_conversion_is_of_the_recording_that_is_there_now(
    steps: list[tuple[str, Variant, Variant]],
) -> None:
    # All have one id, as recordings have that take each other's place.
    made = Conversions()
    for text, recorded, wanted in steps:
        one = recording(f"it says {text}", recorded)
        if made.converts(one, wanted):
            assert said(made.response(one, wanted)) == f"it says {text}".encode()
        assert made.converts(one, wanted) == (made.response(one, wanted) is not None)


def test_whether_one_converts_is_known_of_the_recording_that_is_there_now() -> None:
    made = Conversions()
    bare = recording("x", usage=None)
    for _ in range(2):
        assert not made.converts(bare, Variant.SSE_USAGE)
        assert made.converts(recording("x"), Variant.SSE_USAGE)


def test_a_conversion_is_made_once() -> None:
    made = Conversions()
    first = made.response(recording("x"), Variant.SSE)
    assert made.response(recording("x"), Variant.SSE) is first


def test_what_is_remembered_is_bounded_by_its_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    most = 256 * 1024
    monkeypatch.setattr(conversions, "_MOST_BYTES", most)
    made = Conversions()
    # 5 KB, some 1,000 frames of 300 bytes each.
    answers = [recording("word " * 1000, name=f"i-{number}") for number in range(10)]
    gc.collect()
    tracemalloc.start()
    try:
        for one in answers:
            made.response(one, Variant.SSE)
        gc.collect()
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 2 * most


def test_one_that_weighs_more_than_all_may_is_not_kept_and_takes_no_others_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(conversions, "_MOST_BYTES", 64 * 1024)
    made = Conversions()
    small = made.response(recording("x"), Variant.SSE)
    large = recording("w " * 1000, name="i-2")
    assert made.converts(large, Variant.SSE)
    assert made.response(large, Variant.SSE) is not made.response(large, Variant.SSE)
    assert made.response(recording("x"), Variant.SSE) is small


@pytest.mark.parametrize(("client", "upstream"), PAIRS)
def test_an_answer_in_another_dialect_is_translated_once(client: str, upstream: str) -> None:
    made = Conversions(Memory)
    one = translated(client, upstream)
    for variant in (Variant.SSE, Variant.JSON):
        assert made.converts(one, variant)
        assert made.response(one, variant) == understood(one, variant)
        assert made.response(one, variant) is made.response(one, variant)


def test_an_answer_that_cannot_be_told_in_another_variant_is_passed_over() -> None:
    one = translated("chat", "messages")
    cut = one._replace(response=one.response._replace(frames=one.response.frames[:-1]))
    made = Conversions()
    assert not made.converts(cut, Variant.JSON)
    assert made.response(cut, Variant.JSON) is None
    assert made.response(cut, Variant.SSE) == understood(cut)


def test_what_is_signed_is_remembered_of_what_is_replayed() -> None:
    memory = Memory()
    Conversions(lambda: memory).response(translated("chat", "messages"), Variant.SSE)
    call = ToolCall("toolu_1", "paint", "{}")
    asked = Prompt("chat", "claude-opus-5", (Utterance("assistant", (call,), "$.messages[1]"),))
    [turn] = memory.restored(asked).turns
    assert [type(part) for part in turn.parts] == [Thought, Thought, ToolCall]

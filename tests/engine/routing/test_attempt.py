"""attempt: in each dialect, what is content and what a failure before any, however it is cut."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.dialects.table import dialect_of
from promptdeck.core.dialects.translate.aim import Aim
from promptdeck.engine.routing.attempt import Failed, HeldAnswer
from promptdeck.engine.routing.writing import TARGETS

from .scripted import EVENTS, JSON, Got


def event(kind: str, **fields: Any) -> bytes:
    return f"event: {kind}\n".encode() + data({"type": kind, **fields})


def data(value: Any) -> bytes:
    return b"data: " + orjson.dumps(value) + b"\n\n"


def block(index: int, start: dict[str, Any], delta: dict[str, Any] | None) -> bytes:
    begun = event("content_block_start", index=index, content_block=start)
    return begun + (event("content_block_delta", index=index, delta=delta) if delta else b"")


def chat(**choice: Any) -> bytes:
    return data({"id": "c", "object": "chat.completion.chunk", "choices": [{"index": 0, **choice}]})


def gemini(*parts: Any, **candidate: Any) -> bytes:
    content = {"role": "model", "parts": [*parts]}
    return data({"candidates": [{"content": content, **candidate}], "responseId": "r"})


MESSAGE = {"id": "m", "type": "message", "role": "assistant", "model": "x", "content": []}
USAGE = {"input_tokens": 1, "output_tokens": 1}
STARTED = [event("message_start", message={**MESSAGE, "usage": USAGE}), event("ping")]
CREATED = [event("response.created", response={"id": "r", "status": "in_progress", "output": []})]
ROLE = chat(delta={"role": "assistant", "content": ""}, finish_reason=None)

THOUGHT = {"type": "thinking_delta", "thinking": "hm"}

# Of each dialect: what comes before content, content of several kinds, failures before any.
BEFORE = {"chat": [ROLE], "messages": STARTED, "responses": CREATED, "gemini": []}
CONTENT: dict[str, list[bytes]] = {
    "chat": [
        chat(delta={"content": "hi"}, finish_reason=None),
        chat(delta={"reasoning_content": "hm"}, finish_reason=None),
        chat(delta={"refusal": "no"}, finish_reason=None),
        chat(delta={"tool_calls": [{"index": 0, "id": "t", "function": {"name": "f"}}]}),
    ],
    "messages": [
        block(0, {"type": "text", "text": ""}, {"type": "text_delta", "text": "hi"}),
        block(
            0, {"type": "thinking", "thinking": ""}, {"type": "thinking_delta", "thinking": "hm"}
        ),
        block(0, {"type": "tool_use", "id": "t", "name": "f", "input": {}}, None),
    ],
    "responses": [
        event("response.output_text.delta", output_index=0, content_index=0, delta="hi"),
        event("response.reasoning_summary_text.delta", output_index=0, summary_index=0, delta="hm"),
    ],
    "gemini": [
        gemini({"text": "hi"}),
        gemini({"text": "hm", "thought": True}),
        gemini({"functionCall": {"name": "f", "args": {}}}),
    ],
}
# Ends that say nothing, but are no failures.
ENDS: dict[str, list[bytes]] = {
    "chat": [
        chat(delta={}, finish_reason="content_filter") + b"data: [DONE]\n\n",
        chat(delta={}, finish_reason="length") + b"data: [DONE]\n\n",
    ],
    "messages": [
        event("message_delta", delta={"stop_reason": "refusal"}, usage=USAGE)
        + event("message_stop"),
    ],
    "responses": [
        event(
            "response.incomplete",
            response={
                "id": "r",
                "status": "incomplete",
                "incomplete_details": {"reason": "content_filter"},
                "output": [],
            },
        )
    ],
    "gemini": [gemini(finishReason="SAFETY"), data({"promptFeedback": {"blockReason": "SAFETY"}})],
}
FAILURES: dict[str, list[bytes]] = {
    "chat": [data({"error": {"message": "overloaded", "code": 503}})],
    "messages": [event("error", error={"type": "overloaded_error", "message": "overloaded"})],
    "responses": [
        event("error", code="server_error", message="overloaded"),
        event(
            "response.failed",
            response={
                "id": "r",
                "status": "failed",
                "error": {"code": "rate_limit_exceeded", "message": "overloaded"},
                "output": [],
            },
        ),
    ],
    "gemini": [
        data({"error": {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}}),
        gemini(finishReason="MALFORMED_FUNCTION_CALL"),
    ],
}


def held(dialect: str) -> tuple[HeldAnswer, Got]:
    got = Got()
    spoken = dialect_of("POST", TARGETS[dialect])
    return HeldAnswer(got, spoken, Aim("a", dialect, "x"), "", tuple), got


def cases(found: dict[str, list[bytes]]) -> list[tuple[str, bytes]]:
    return [(dialect, frame) for dialect, frames in found.items() for frame in frames]


def came(answer: HeldAnswer, pieces: Sequence[bytes]) -> Failed | None:
    answer.headed(200, EVENTS, b"")
    for piece in pieces:
        answer.came(piece)
    return answer.ended(0.0)


@pytest.mark.parametrize(("dialect", "frame"), cases(CONTENT))
def test_the_head_goes_out_with_the_first_content(dialect: str, frame: bytes) -> None:
    answer, got = held(dialect)
    answer.headed(200, EVENTS, b"")
    for before in BEFORE[dialect]:
        answer.came(before)
    assert not answer.released
    answer.came(frame)
    assert answer.released
    answer.came(b"more")
    assert got.body.startswith(b"".join(BEFORE[dialect]))
    assert got.body.endswith(frame + b"more")


@pytest.mark.parametrize(("dialect", "frame"), cases(ENDS))
def test_an_answer_of_nothing_is_an_answer(dialect: str, frame: bytes) -> None:
    answer, got = held(dialect)
    assert came(answer, [*BEFORE[dialect], frame]) is None
    assert got.body.endswith(frame)


@pytest.mark.parametrize(("dialect", "frame"), cases(FAILURES))
def test_a_failure_before_any_content_leads_on(dialect: str, frame: bytes) -> None:
    answer, got = held(dialect)
    failed = came(answer, [*BEFORE[dialect], frame])
    assert failed
    assert failed.leads_on
    assert failed.error.status >= 429
    assert got.status == 0


@pytest.mark.parametrize("dialect", BEFORE)
def test_an_end_before_any_content_leads_on(dialect: str) -> None:
    for pieces in ([], BEFORE[dialect]):
        answer, got = held(dialect)
        failed = came(answer, pieces)
        assert failed
        assert failed.leads_on
        assert got.status == 0


@pytest.mark.parametrize("dialect", BEFORE)
@given(cuts=st.lists(st.integers(0, 400), max_size=6))
def test_how_it_is_cut_makes_no_difference(dialect: str, cuts: list[int]) -> None:
    for frame, fails in ((CONTENT[dialect][0], False), (FAILURES[dialect][0], True)):
        text = b"".join([*BEFORE[dialect], frame])
        places = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
        pieces = [text[a:b] for a, b in pairwise(places)]
        answer, got = held(dialect)
        failed = came(answer, pieces)
        assert (failed is not None) is fails
        assert got.body == (b"" if fails else text)


FAILED = {"id": "r", "status": "failed", "output": [], "error": {"code": "server_error"}}


@pytest.mark.parametrize(
    ("dialect", "body", "fails"),
    [
        ("chat", {"error": {"message": "x"}}, True),
        ("chat", {"object": "error", "message": "x"}, True),
        ("messages", {"type": "error", "error": {"type": "overloaded_error"}}, True),
        ("responses", FAILED, True),
        ("gemini", {"error": {"code": 503, "message": "x"}}, True),
        ("gemini", [{"error": {"code": 503, "message": "x"}}], True),
        ("chat", b"<html>", True),
        ("chat", b"", True),
        ("gemini", {"promptFeedback": {"blockReason": "SAFETY"}}, False),
        ("chat", {"choices": [{"index": 0, "finish_reason": "length", "message": {}}]}, False),
    ],
)
def test_a_whole_answer_that_is_a_failure_leads_on(dialect: str, body: Any, fails: bool) -> None:
    answer, got = held(dialect)
    body = body if isinstance(body, bytes) else orjson.dumps(body)
    answer.headed(200, JSON, body)
    failed = answer.ended(0.0)
    assert (failed is not None) is fails
    assert got.body == (b"" if fails else body)


@given(st.binary(max_size=60), st.sampled_from([*BEFORE]), st.booleans())
def test_nothing_that_comes_is_too_odd(body: bytes, dialect: str, stream: bool) -> None:
    answer, got = held(dialect)
    answer.headed(200, EVENTS if stream else JSON, body)
    failed = answer.ended(0.0)
    assert (failed is None) is bool(got.status)


def test_an_error_has_the_status_that_its_dialect_gives_it() -> None:
    limited = {**FAILED, "error": {"code": "rate_limit_exceeded", "message": "x"}}
    answer, _ = held("responses")
    answer.headed(200, JSON, orjson.dumps(limited))
    failed = answer.ended(0.0)
    assert failed
    assert failed.error.status == 429


def test_what_is_larger_than_what_is_held_back_is_passed_on() -> None:
    answer, got = held("chat")
    answer.headed(200, JSON, b"x" * 300_000)
    assert answer.released
    assert len(got.body) == 300_000

"""What a tool gave, for the model and for the client."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.dialects.mcp.results import LONGEST, failure, is_failure, text_in, value_in


def _text(*texts: str) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": text} for text in texts]}


@pytest.mark.parametrize(
    ("result", "text", "value"),
    [
        (_text("5"), "5", "5"),
        (_text('{"a": 1}'), '{"a": 1}', {"a": 1}),
        (_text("[1]"), "[1]", [1]),
        (_text("{no"), "{no", "{no"),
        (_text("a", "b"), "a\nb", [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]),
        ({"content": [], "structuredContent": {"r": 5}}, '{"r":5}', {"r": 5}),
        ({**_text("five"), "structuredContent": {"r": 5}}, "five", {"r": 5}),
        ({"content": []}, "", []),
        ({}, "", []),
        (failure("no"), "no", "no"),
    ],
)
def test_results(result: dict[str, Any], text: str, value: Any) -> None:
    assert text_in(result) == text
    assert value_in(result) == value


def test_what_is_no_text_is_described() -> None:
    blocks = [
        {"type": "image", "mimeType": "image/png", "data": "A" * 16384},
        {"type": "audio", "data": "AAAA"},
        {"type": "resource_link", "name": "log", "uri": "file:///log"},
        {"type": "resource", "resource": {"uri": "x", "text": "its text"}},
        {"type": "resource", "resource": {"uri": "x", "mimeType": "a/b", "blob": "AAAA"}},
        {"type": "new", "x": 1},
    ]
    assert text_in({"content": blocks}).split("\n") == [
        "[image image/png, 12 KB]", "[audio of no type, 3 bytes]", "[resource log file:///log]",
        "its text", "[resource a/b, 3 bytes]", "[new of no type, 0 bytes]",
    ]  # fmt: skip


def test_what_is_longer_than_any_model_reads_is_cut() -> None:
    text = text_in(_text("x" * (LONGEST + 1)))
    assert text.endswith(f"[cut here: {LONGEST + 1} characters, {LONGEST} are shown]")


@given(
    st.dictionaries(
        st.sampled_from(["content", "isError", "structuredContent"]),
        st.recursive(
            st.none() | st.text() | st.integers(),
            lambda inner: (
                st.lists(inner)
                | st.dictionaries(st.sampled_from(["type", "text", "resource", "data"]), inner)
            ),
        ),
    )
)
def test_any_result_can_be_told(result: dict[str, Any]) -> None:
    assert isinstance(text_in(result), str)
    value_in(result)
    assert is_failure(result) in (True, False)

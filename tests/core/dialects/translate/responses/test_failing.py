"""Errors of the Responses API, in whatever shape they come."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.dialects.translate.neutral import Broke
from promptdeck.core.dialects.translate.responses.failing import broken_by, broken_of

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["error", "message", "type", "code", "param", "detail"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)


@pytest.mark.parametrize(
    ("code", "status"),
    [("rate_limit_exceeded", 429), ("insufficient_quota", 429), ("server_error", 500),
     ("invalid_prompt", 400), ("invalid_image_url", 400), ("image_too_large", 400),
     ("context_length_exceeded", 400), ("server_is_overloaded", 503), ("anything", 500)],
)  # fmt: skip
def test_a_code_within_an_answer_has_the_status_that_it_would_have_come_with(
    code: str, status: int
) -> None:
    broke = broken_by({"code": code, "message": "no"})
    assert (broke.status, broke.code, broke.message) == (status, code, "no")


def test_an_answer_with_a_status_is_told_as_it_came() -> None:
    error = {"message": "Slow down", "type": "requests", "param": "input", "code": "rate"}
    body = orjson.dumps({"error": error})
    headers = (("Content-Type", "application/json"), ("Retry-After", "7"))
    assert broken_of(429, headers, body) == Broke(429, "requests", "Slow down", "rate", "input", 7)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"<html>Bad gateway</html>", "<html>Bad gateway</html>"),
        (b'"no"', "no"),
        (b'{"error": "no"}', "no"),
        (b'{"message": "no"}', "no"),
        (b'{"detail": "no"}', "no"),
        (b'{"detail": {"message": "no"}}', "no"),
        (b"", "the upstream answered with status 502"),
        (b"{}", "the upstream answered with status 502"),
        (b"\xff", "\ufffd"),
    ],
)
def test_an_error_of_any_shape_is_understood(body: bytes, message: str) -> None:
    assert broken_of(502, (), body) == Broke(502, "server_error", message)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ((("retry-after-ms", "1500"), ("retry-after", "9")), 1.5),
        (
            (
                ("Retry-After", "Sat, 28 Nov 2026 13:00:30 GMT"),
                ("Date", "Sat, 28 Nov 2026 13:00:00 GMT"),
            ),
            30.0,
        ),
        ((("Retry-After", "Sat, 28 Nov 2026 13:00:30 GMT"),), None),
        ((("Retry-After", "soon"), ("Date", "now")), None),
        ((), None),
    ],
)
def test_when_to_try_again(headers: tuple[tuple[str, str], ...], seconds: float | None) -> None:
    assert broken_of(429, headers, b"{}").retry_after == seconds


@given(_JSON)
def test_no_error_is_too_odd(value: Any) -> None:
    broke = broken_of(500, (), orjson.dumps(value))
    assert broke.status == 500
    assert broke.message
    told = broken_by(value if isinstance(value, dict) else {})
    assert told.message
    assert told.type

"""Errors within an answer of the Responses API."""

import pytest
from hypothesis import given

from promptdeck.core.dialects.translate.responses.failing import broken_by
from promptdeck.core.text.jsontext import JSON
from tests.chats import ANY_JSON


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


def test_a_type_may_say_it_as_well() -> None:
    broke = broken_by({"type": "rate_limit_error", "code": None, "message": "no"})
    assert (broke.status, broke.type, broke.code) == (429, "rate_limit_error", None)


@given(ANY_JSON)
def test_no_error_is_too_odd(value: JSON) -> None:
    told = broken_by(value if isinstance(value, dict) else {})
    assert told.message
    assert told.type

"""A failure upstream is told as the client's own protocol tells one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.dialects.chat.dialect import CHAT
from promptdeck.core.dialects.gemini.dialect import GEMINI
from promptdeck.core.dialects.messages.dialect import MESSAGES
from promptdeck.core.dialects.pieces import written as dumped
from promptdeck.core.dialects.responses.dialect import RESPONSES
from promptdeck.core.dialects.translate.broken import broken_of, cut_off, error_of, unreadable
from promptdeck.core.dialects.translate.neutral import Broke
from promptdeck.core.text.jsontext import JSON
from tests.chats import ANY_JSON, TEXT

BROKEN = st.builds(
    Broke,
    st.sampled_from([400, 401, 404, 413, 429, 500, 503, 529]),
    st.just("rate_limit_error"),
    TEXT,
    st.none() | TEXT,
    st.none() | TEXT,
    st.none() | st.floats(0, 60),
    ANY_JSON,
)


@given(BROKEN)
def test_every_dialect_tells_the_provider_s_own_words(broke: Broke) -> None:
    error = error_of(broke)
    for dialect in (CHAT, MESSAGES, RESPONSES, GEMINI):
        assert dialect.error(error)["error"]["message"] == broke.message
        assert dialect.error_event(error).strip()
    assert error.status == broke.status
    assert CHAT.error(error)["code"] == (broke.code or broke.type)
    assert CHAT.error(error)["type"] == broke.type


def test_how_long_to_wait_is_told_in_whole_seconds_and_exactly() -> None:
    broke = Broke(429, "rate_limit_error", "slow down")
    assert error_of(broke).headers == {}
    assert error_of(broke._replace(retry_after=3.0)).headers == {"retry-after": "3"}
    exactly = error_of(broke._replace(retry_after=0.25)).headers
    assert exactly == {"retry-after": "1", "retry-after-ms": "250"}


def test_an_overloaded_provider_may_be_asked_again() -> None:
    assert error_of(Broke(529, "overloaded_error", "later")).retry is True
    assert error_of(Broke(400, "invalid_request_error", "no")).retry is None


def test_what_was_cut_off_or_is_unreadable_is_the_upstream_s_fault() -> None:
    assert cut_off("message_stop").status == unreadable("it is no JSON").status == 502
    assert "message_stop" in cut_off("message_stop").message


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ((("retry-after-ms", "1500"), ("retry-after", "9")), 1.5),
        ((("Retry-After", "7"),), 7.0),
        (
            (
                ("Retry-After", "Sat, 28 Nov 2026 13:00:30 GMT"),
                ("Date", "Sat, 28 Nov 2026 13:00:00 GMT"),
            ),
            30.0,
        ),
        ((("Retry-After", "Sat, 28 Nov 2026 13:00:30 GMT"),), None),
        ((("Retry-After", "soon"), ("Date", "now")), None),
        ((("Retry-After", "-1"),), None),
        ((), None),
    ],
)
def test_when_an_answer_asks_to_be_tried_again(
    headers: tuple[tuple[str, str], ...], seconds: float | None
) -> None:
    assert broken_of(429, headers, b"{}").retry_after == seconds


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'"no"', '"no"'),
        (b'{"error": "no"}', "no"),
        (b'{"message": "no"}', "no"),
        (b'{"detail": "no"}', "no"),
        (b'{"error": {"message": "no"}}', "no"),
        (b"<html><title>Bad gateway</title></html>", "Bad gateway"),
        (b"", "the upstream answered with 502"),
    ],
)
def test_an_error_of_any_shape_is_understood(body: bytes, message: str) -> None:
    assert broken_of(502, (), body).message == message


@given(ANY_JSON)
def test_no_error_is_too_odd(value: JSON) -> None:
    broke = broken_of(500, (), dumped(value))
    assert 400 <= broke.status < 600
    assert broke.type

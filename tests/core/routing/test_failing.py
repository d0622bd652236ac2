"""failing: which failures lead on to another model, and when one wants to be asked again."""

from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.routing.failing import leads_on, retry_after

NOW = 1_790_000_000.0


@pytest.mark.parametrize(
    ("statuses", "leads"),
    [
        ((408, 429, 500, 501, 502, 503, 504, 508, 520, 529), True),
        ((300, 304, 400, 401, 402, 403, 404, 409, 413, 422, 451), False),
    ],
)
def test_what_another_model_may_do_better_leads_on(statuses: tuple[int, ...], leads: bool) -> None:
    assert {leads_on(status) for status in statuses} == {leads}


def date(seconds: float) -> str:
    return format_datetime(datetime.fromtimestamp(NOW + seconds, UTC), usegmt=True)


def google(delay: str) -> bytes:
    detail = b'{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"%b"}'
    return b'{"error":{"code":429,"details":[{"@type":"x"},%b]}}' % (detail % delay.encode())


@pytest.mark.parametrize(
    ("headers", "body", "expected"),
    [
        ({}, b"", None),
        ({"Retry-After": "7"}, b"", 7.0),
        ({"Retry-After": "0"}, b"", 0.0),
        ({"Retry-After": "1.5"}, b"", 1.5),
        ({"retry-after-ms": "250", "Retry-After": "9"}, b"", 0.25),
        ({"Retry-After": date(20)}, b"", 20.0),
        ({"Retry-After": date(-20)}, b"", 0.0),
        ({"Retry-After": "-3"}, b"", None),
        ({"Retry-After": "soon"}, b"", None),
        ({"Retry-After": "nan"}, b"", None),
        ({"Retry-After": "inf"}, b"", None),
        ({"Retry-After": "Wed, 99 Foo 9999 99:99:99 GMT"}, b"", None),
        ({}, google("21s"), 21.0),
        ({}, google("0.5s"), 0.5),
        ({}, b"[" + google("3s") + b"]", 3.0),
        ({"Retry-After": "4"}, google("21s"), 4.0),
        ({}, google("later"), None),
        ({}, b'{"error":{"details":{"retryDelay":"1s"}}}', None),
        ({}, b'"retryDelay"', None),
        ({}, b'{"retryDelay"', None),
        ({}, b'[]"retryDelay"', None),
    ],
)
def test_when_an_answer_wants_to_be_asked_again(
    headers: dict[str, str], body: bytes, expected: float | None
) -> None:
    assert retry_after(tuple(headers.items()), body, NOW) == expected


@given(st.text(), st.binary() | st.text().map(lambda text: b'{"retryDelay"' + text.encode()))
def test_no_answer_is_too_odd(text: str, body: bytes) -> None:
    wait = retry_after((("retry-after", text),), body, NOW)
    assert wait is None or wait >= 0

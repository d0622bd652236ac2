"""What a failure means to whoever has other models to try: whether to, and when again."""

import math
from email.utils import parsedate_to_datetime

from promptdeck.core.interaction import Headers, header
from promptdeck.core.text.jsontext import JSON, Unfaithful, parse

_LEADS_ON = frozenset([408, 429])


def leads_on(status: int) -> bool:
    """True for the status of an answer that another model, or another time, may do better than.

    Not so for a request that is wrong (400, 413, 422), may not be made (401, 403), or is for what
    is not there (404): it would be wrong as often as it is made.
    """
    return status in _LEADS_ON or status >= 500


def retry_after(headers: Headers, body: bytes, now: float) -> float | None:
    """The seconds after which an answer wants to be asked again; None where it says nothing.

    In milliseconds or seconds, as a date (RFC 9110, section 10.2.3), or as Google tells it in the
    body. `now` is in seconds since the epoch.
    """
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        text = header(headers, name).strip()
        if not text:
            continue
        seconds = _number(text)
        if seconds is not None:
            return seconds * unit
        if name == "retry-after" and (moment := _moment(text)) is not None:
            return max(0.0, moment - now)
    return _retry_delay(body)


def _number(text: str) -> float | None:
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if 0 <= seconds < math.inf else None


def _moment(text: str) -> float | None:
    """A date as seconds since the epoch; None for none."""
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return None


def _retry_delay(body: bytes) -> float | None:
    """Google's `RetryInfo` in an error: `{"retryDelay": "21s"}`."""
    if b'"retryDelay"' not in body:
        return None
    try:
        value = parse(body)
    except Unfaithful:
        return None
    return next((wait for one in _details(value) if (wait := _delay(one)) is not None), None)


def _details(value: JSON) -> list[JSON]:
    """The details of Google's error, which may stand in a list."""
    if isinstance(value, list):
        value = value[0] if value else None
    error = value.get("error") if isinstance(value, dict) else None
    details = error.get("details") if isinstance(error, dict) else None
    return details if isinstance(details, list) else []


def _delay(detail: JSON) -> float | None:
    said = detail.get("retryDelay") if isinstance(detail, dict) else None
    return _number(said.removesuffix("s")) if isinstance(said, str) else None

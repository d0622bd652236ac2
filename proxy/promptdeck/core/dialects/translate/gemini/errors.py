"""Google's errors understood, in whatever shape a gateway hands them on.

https://cloud.google.com/apis/design/errors; some come in a JSON list, or as the text of another.
"""

import re
from collections.abc import Iterable

from promptdeck.core.dialects.base import value_of
from promptdeck.core.dialects.pieces import as_list, as_object
from promptdeck.core.dialects.translate.neutral import Broke
from promptdeck.core.interaction import Headers, header
from promptdeck.core.text.jsontext import JSON, JSONObject

_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "invalid_request_error",
    429: "rate_limit_error",
}
_SECONDS = re.compile(r"(\d+(?:\.\d+)?)s?")
_SHOWN = 500
"""Characters of a body that is no error of Google's: enough to see whose it is."""


def broken_of(status: int, headers: Headers, body: bytes) -> Broke:
    """An answer that is an error: of Google's form, of any other, or no JSON at all."""
    value = value_of(body)
    while isinstance(value, list) and value:
        value = value[0]
    if isinstance(value, dict) and value.get("error") is not None:
        broke = failure(value, status)
        broke = broke._replace(status=status, type=_type(status))
    else:
        told = body.decode("utf-8", "replace").strip()[:_SHOWN]
        message = as_object(value).get("message")
        told = message if isinstance(message, str) else told
        broke = Broke(status, _type(status), told or f"the upstream answered {status}")
    if broke.retry_after is None:
        return broke._replace(retry_after=_wait(header(headers, "retry-after")))
    return broke


def failure(value: JSONObject, otherwise: int) -> Broke:
    """What an object with an `error` tells; the status is its own code, or `otherwise`."""
    error = value["error"]
    if not isinstance(error, dict):
        return Broke(otherwise, _type(otherwise), str(error))
    code = error.get("code")
    status = code if isinstance(code, int) and 400 <= code < 600 else otherwise
    word = error.get("status") or (code if isinstance(code, str) else None)
    message = error.get("message")
    details = as_list(error.get("details"))
    return Broke(
        status,
        _type(status),
        message if isinstance(message, str) and message else f"the upstream answered {status}",
        word if isinstance(word, str) else None,
        _field(details),
        _delay(details),
        details or None,
    )


def _type(status: int) -> str:
    return _TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")


def _field(details: Iterable[JSON]) -> str | None:
    """The field that is wrong, where Google names one (`BadRequest`)."""
    for detail in map(as_object, details):
        for violation in map(as_object, as_list(detail.get("fieldViolations"))):
            if isinstance(field := violation.get("field"), str) and field:
                return field
    return None


def _delay(details: Iterable[JSON]) -> float | None:
    """How long to wait before another try (`RetryInfo`): `"3.5s"`, or as an object."""
    for detail in map(as_object, details):
        delay = detail.get("retryDelay")
        if isinstance(delay, dict):
            seconds, nanos = (as_number(delay.get(key)) for key in ("seconds", "nanos"))
            return seconds + nanos / 1e9
        if isinstance(delay, str):
            return _wait(delay)
    return None


def as_number(value: JSON) -> float:
    """A count that may be a text, as proto3's JSON has those of 64 bits; 0 for all else."""
    if isinstance(value, str) and value.isdecimal():
        return float(value)
    return float(value) if isinstance(value, int) else 0.0


def _wait(text: str) -> float | None:
    found = _SECONDS.fullmatch(text.strip())
    return float(found[1]) if found else None

"""An answer that failed upstream: understood, and as the error that a client is told of."""

import math
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from promptdeck.core.dialects.base import values_of
from promptdeck.core.dialects.pieces import as_object, written
from promptdeck.core.interaction import Headers, header
from promptdeck.core.text.jsontext import JSON
from promptdeck.errors import HTTPError, UpstreamError

from .neutral import Broke

OVERLOADED = 529
"""Anthropic's own status for what others say by 503."""


def error_of(broke: Broke) -> HTTPError:
    """The error of which a dialect makes a body or an event, with the headers that go with it.

    Status, type, code and param are the provider's; the status may be one that only some clients
    know, as 529.
    """
    error = UpstreamError(
        broke.message,
        code=broke.code or broke.type,
        status=broke.status,
        param=broke.param,
        details=_details(broke.details),
        retry=True if broke.status == OVERLOADED else None,
    )
    error.type = broke.type
    if broke.retry_after is not None:
        error.headers = {"retry-after": str(math.ceil(broke.retry_after))}
        if broke.retry_after != int(broke.retry_after):
            error.headers |= {"retry-after-ms": str(math.ceil(broke.retry_after * 1000))}
    return error


def _details(details: JSON) -> Mapping[str, JSON] | None:
    """What a provider tells beside, as an object; None where that is nothing."""
    return details if isinstance(details, dict) else {"upstream": details} if details else None


def cut_off(what: str) -> Broke:
    """The failure of a stream that has ended without its protocol's end; `what` names that."""
    message = f"the upstream's answer broke off before its end ({what})"
    return Broke(502, "upstream_error", message, "upstream_cut")


def unreadable(why: str) -> Broke:
    """The failure of an answer that its dialect does not know; `why` is a phrase."""
    message = f"the upstream's answer cannot be read: {why}"
    return Broke(502, "upstream_error", message, "upstream_unreadable")


# OpenAI's words for kinds of errors, by status.
_TYPES: Mapping[int, str] = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "insufficient_quota",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    409: "conflict_error",
    413: "request_too_large",
    422: "invalid_request_error",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def broken_of(status: int, headers: Headers, body: bytes) -> Broke:
    """An answer with the status of an error, of whatever form: any protocol's, or no JSON."""
    values = values_of(body)
    broke = broke_of(status, values[0] if values else None)
    if not values and (text := _plain(body)):
        broke = broke._replace(message=text)
    waits = broke.retry_after if (wait := _wait(headers)) is None else wait
    return broke._replace(status=status, retry_after=waits)


def broke_of(status: int, value: JSON) -> Broke:
    """An error in the form of any chat server: under `error`, at the top, or as text.

    `status` counts where the error names none of its own.
    """
    if isinstance(value, list) and value:  # as Google answers streams
        value = value[0]
    found = as_object(value)
    inner = found.get("error", found.get("errors"))
    told = inner if isinstance(inner, dict) else found
    code = told.get("code", found.get("code"))
    if isinstance(code, int) and not isinstance(code, bool):
        status = code if 400 <= code < 600 else status
        code = None
    message = next(
        (
            text if isinstance(text, str) else written(text).decode()
            for text in (
                told.get("message"), inner, told.get("detail"), found.get("message"),
                found.get("detail"), found.get("finish_reason"),
            )
            if text
        ),
        f"the upstream answered with {status}" if value is None else written(value).decode(),
    )  # fmt: skip
    kind, param = told.get("type"), told.get("param")
    if kind in (None, "error") or not isinstance(kind, str):
        kind = _TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
    details = told.get("details", told.get("metadata"))
    return Broke(
        status,
        kind,
        message,
        code if isinstance(code, str) else None,
        param if isinstance(param, str) else None,
        details=details,
    )


def _wait(headers: Headers) -> float | None:
    """How many seconds an answer's head asks to wait; None where it does not say.

    A date is told by the answer's own, for there is no other clock here.
    """
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1)):
        try:
            wait = float(header(headers, name)) * unit
        except ValueError:
            continue
        if 0 <= wait < math.inf:
            return wait
    try:
        until, now = (parsedate_to_datetime(header(headers, name)) for name in _DATES)
        return max((until - now).total_seconds(), 0)
    except (ValueError, TypeError):
        return None


_DATES = ("retry-after", "date")


def _plain(body: bytes) -> str:
    """What a body that is no JSON says, in short; of a web page its title."""
    text = body.decode("utf-8", "replace")
    title = re.search(r"(?is)<title[^>]*>(.*?)</title>", text)
    return " ".join((title[1] if title else text).split())[:500]

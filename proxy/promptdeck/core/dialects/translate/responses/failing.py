"""An error of the Responses API, as it comes in a stream, in a response or in place of one."""

from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from promptdeck.core.dialects.base import value_of
from promptdeck.core.dialects.pieces import as_object
from promptdeck.core.dialects.translate.neutral import Broke
from promptdeck.core.interaction import Headers
from promptdeck.core.text.jsontext import JSON, JSONObject

# By its code the status that an error would have come with, had the answer not begun
# (https://platform.openai.com/docs/guides/error-codes). What only says what is wrong with the
# prompt is the client's fault.
_STATUSES: Mapping[str, int] = {
    "rate_limit_exceeded": 429,
    "insufficient_quota": 429,
    "server_error": 500,
    "vector_store_timeout": 504,
    "server_is_overloaded": 503,
    "slow_down": 503,
}
_CLIENT_S = (
    "invalid_", "image_", "empty_image", "unsupported_", "failed_to_download", "bio_policy",
    "data_residency", "misalignment", "context_length", "string_above",
)  # fmt: skip


def broken_by(error: JSONObject) -> Broke:
    """The failure that an error in a stream, or of a response, tells of."""
    code, kind, message = (_text(error.get(name)) for name in ("code", "type", "message"))
    named = code or (kind if kind != "error" else "")
    status = _STATUSES.get(named, 400 if named.startswith(_CLIENT_S) else 500)
    if status == 500 and "rate_limit" in named:
        status = 429
    return Broke(
        status,
        kind if kind not in ("", "error") else _type(status),
        message or named or "the upstream says that it failed, and not why",
        code or None,
        _text(error.get("param")) or None,
    )


def broken_of(status: int, headers: Headers, body: bytes) -> Broke:
    """The failure that an answer with an error's status tells of, whatever its body is."""
    value = value_of(body)
    told = value if isinstance(value, dict) else {}
    error = told.get("error", told.get("detail"))
    inner = error if isinstance(error, dict) else told
    message = _text(inner.get("message")) or _text(error) or _text(value)
    if not message and not isinstance(value, dict):
        message = body[:500].decode("utf-8", "replace").strip()
    return Broke(
        status,
        _text(inner.get("type")) or _type(status),
        message or f"the upstream answered with status {status}",
        _text(inner.get("code")) or None,
        _text(inner.get("param")) or None,
        _retry_after(headers),
        as_object(inner.get("details")) or None,
    )


def _type(status: int) -> str:
    """OpenAI's word for errors of a status."""
    if status == 429:
        return "rate_limit_error"
    return "invalid_request_error" if status < 500 else "server_error"


def _text(value: JSON) -> str:
    return value if isinstance(value, str) else str(value) if type(value) is int else ""


def _retry_after(headers: Headers) -> float | None:
    """Seconds after which to try again, by either header; of a date from the answer's own."""
    told = {name.lower(): value for name, value in headers}
    try:
        if "retry-after-ms" in told:
            return max(float(told["retry-after-ms"]) / 1000, 0)
        return max(float(told["retry-after"]), 0)
    except (KeyError, ValueError):
        pass
    try:
        until = parsedate_to_datetime(told["retry-after"]) - parsedate_to_datetime(told["date"])
    except (KeyError, ValueError, TypeError):
        return None
    return max(until.total_seconds(), 0)

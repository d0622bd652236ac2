"""An error in an answer of the Responses API: what its status would have been."""

from collections.abc import Mapping

from promptdeck.core.dialects.translate.broken import broke_of
from promptdeck.core.dialects.translate.neutral import Broke
from promptdeck.core.text.jsontext import JSONObject

# By its code the status that an error would have come with, had the answer not begun
# (https://platform.openai.com/docs/guides/error-codes).
_STATUSES: Mapping[str, int] = {
    "rate_limit_exceeded": 429,
    "rate_limit_error": 429,
    "insufficient_quota": 429,
    "server_error": 500,
    "vector_store_timeout": 504,
    "server_is_overloaded": 503,
    "slow_down": 503,
}
# What only says what is wrong with the prompt is the client's fault.
_CLIENT_S = (
    "invalid_", "image_", "empty_image", "unsupported_", "failed_to_download", "bio_policy",
    "data_residency", "misalignment", "context_length", "string_above",
)  # fmt: skip


def broken_by(error: JSONObject) -> Broke:
    """The failure that an error in a stream, or of a response, tells of."""
    names = [error.get(name) for name in ("code", "type")]
    told = next((name for name in names if isinstance(name, str) and name != "error"), "")
    status = _STATUSES.get(told, 400 if told.startswith(_CLIENT_S) else 500)
    broke = broke_of(status, error or None)
    return broke if error.get("message") else broke._replace(message=told or _SILENT)


_SILENT = "the upstream says that it failed, and not why"

"""Requests judged by the contract before they are answered or sent on.

400, not 422: OpenAI answers so, both SDKs raise BadRequestError for it, and
Dedalus documents 400 for validation beside FastAPI's 422.
"""

from promptdeck.core.text.jsontext import JSON
from promptdeck.errors import ClientError

_LONGEST_WARNING = 500
"""Characters: a warning travels in a header and stands in a log line."""


class Contract:
    """Checks bodies of chat completions; `strict` enforces documented values and ranges, too."""

    def __init__(self, *, strict: bool) -> None:
        self._strict = strict

    def check(self, body: JSON) -> str:
        """What is odd about a body, in one line, or "". ClientError 400 with all that is wrong."""
        # The schemas are built when the first request comes, not before the server listens.
        from promptdeck.core.contract.request import check

        checked = check(body, strict=self._strict)
        if checked.violations:
            first, *more = checked.violations
            others = f" ({len(more)} more in details)" if more else ""
            raise ClientError(
                f"{first}{others}",
                param=first.path,
                details={"violations": [item._asdict() for item in checked.violations]},
                retry=False,
            )
        return "; ".join(map(str, checked.warnings))[:_LONGEST_WARNING]

"""Google's generateContent: `/v1beta/models/NAME:generateContent`, and as a stream.

https://ai.google.dev/api/generate-content
"""

from promptdeck.core.dialects.base import Model, names_failure
from promptdeck.core.text.jsontext import JSON


class GeminiDialect(Model):
    """A stream has no end of its own: its last frame has a finish reason for each candidate."""

    whole = "each candidate has a finish reason that names no failure, or the prompt is blocked"

    def _problem_with_value(self, value: JSON) -> str | None:
        return _problem_with_candidates(value if isinstance(value, list) else [value])

    def _problem_with_events(self, values: list[JSON], *, ended: bool) -> str | None:
        del ended
        return _problem_with_candidates(values)


def _problem_with_candidates(values: list[JSON]) -> str | None:
    """Why frames do not make a whole answer: a candidate is not finished, or has failed."""
    begun: set[int] = set()
    finished: set[int] = set()
    for value in values:
        if not isinstance(value, dict):
            return "a frame is no JSON object"
        feedback = value.get("promptFeedback")
        if isinstance(feedback, dict) and feedback.get("blockReason"):
            return None  # there are no candidates then
        candidates = value.get("candidates")
        for at, candidate in enumerate(candidates if isinstance(candidates, list) else ()):
            if not isinstance(candidate, dict):
                continue
            # Zero is left out, as Google's JSON leaves out all that is empty.
            index = candidate.get("index")
            number = index if isinstance(index, int) else at
            begun.add(number)
            if names_failure(reason := candidate.get("finishReason")):
                return f"candidate {number} reports a failure"
            if reason:
                finished.add(number)
    if not begun:
        return "there are no candidates"
    unfinished = begun - finished
    return f"candidate {min(unfinished)} has no finishReason" if unfinished else None


GEMINI = GeminiDialect("gemini")

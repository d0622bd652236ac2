"""Choices, as chat completions and legacy completions have them: finished, and without failure."""

from collections.abc import Sequence

from promptdeck.core.text.jsontext import JSON

from .base import is_error, names_failure


def problem_with_choices(values: Sequence[JSON]) -> str | None:
    """Why the choices in an answer, or in the chunks of one, do not make a whole answer.

    Each choice needs a finish reason, and none may tell of an error.
    """
    if not all(isinstance(value, dict) for value in values):
        return (
            "a chunk of the stream is no JSON object"
            if len(values) > 1
            else ("the body is no JSON object")
        )
    begun: set[int] = set()
    finished: set[int] = set()
    for value in values:
        choices = value.get("choices")
        for at, choice in enumerate(choices if isinstance(choices, list) else ()):
            if not isinstance(choice, dict):
                continue
            index = choice.get("index")
            # Some name no index: then the place tells, in a chunk that there is but one.
            number = index if isinstance(index, int) else at
            begun.add(number)
            reason = choice.get("finish_reason")
            if is_error(choice) or names_failure(reason):
                return f"choice {number} reports a failure"
            if reason:
                finished.add(number)
    if not begun:
        # A deferred completion's receipt, say, which is no answer to the same prompt asked plainly.
        return "there are no choices"
    unfinished = begun - finished
    return f"choice {min(unfinished)} has no finish_reason" if unfinished else None
